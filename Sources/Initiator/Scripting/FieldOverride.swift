import ISCSI

/// One field of a PDU that is to differ from what a correct initiator would send.
public struct FieldOverride: Hashable, Sendable {
  /// A field's name as ``HeaderLayout`` has it (`cmdsn`, `buffer_offset`, …), or `byte0` to `byte47`.
  public var name: String
  public var change: Change

  /// What the field has instead of the right value.
  public enum Change: Hashable, Sendable {
    /// The value, of which the field's width is used.
    case set(UInt64)
    /// The correct value plus this much; wraps in the field's width.
    case add(Int64)
  }

  public init(_ name: String, _ value: UInt64) {
    self.name = name
    change = .set(value)
  }

  public init(_ name: String, adding difference: Int64) {
    self.name = name
    change = .add(difference)
  }

  /// The field in a PDU of `opcodeBits`. What no standard defines is laid out like a NOP-Out.
  static func field(_ name: String, opcodeBits: UInt8) throws(InitiatorError) -> HeaderField {
    let layout = HeaderLayout.of(Opcode(rawValue: opcodeBits) ?? .nopOut)
    if let field = layout.field(name) { return field }
    if name.hasPrefix("byte"), let field = Int(name.dropFirst(4)).flatMap(HeaderField.byte(at:)) { return field }
    throw .noSuchField(name, known: layout.fields.map(\.name))
  }
}

extension ProtocolDataUnit {
  /// Applies `overrides` in order. The opcode of the PDU as it was says which fields there are.
  mutating func apply(_ overrides: [FieldOverride]) throws(InitiatorError) {
    let opcodeBits = header.read { $0.opcodeBits }
    for override in overrides {
      let field = try FieldOverride.field(override.name, opcodeBits: opcodeBits)
      switch override.change {
      case .set(let value): field.write(value, to: &header)
      case .add(let difference): field.write(field.read(header) &+ UInt64(bitPattern: difference), to: &header)
      }
    }
  }

  /// Fails where ``apply(_:)`` would.
  static func check(_ overrides: [FieldOverride], opcodeBits: UInt8) throws(InitiatorError) {
    for override in overrides { _ = try FieldOverride.field(override.name, opcodeBits: opcodeBits) }
  }
}
