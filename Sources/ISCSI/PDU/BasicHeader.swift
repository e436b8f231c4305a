/// The 48 bytes of a Basic Header Segment as a value, for those who keep PDUs: the initiator, monitors, tests.
public struct BasicHeader: Sendable {
  public var bytes = InlineArray<48, UInt8>(repeating: 0)

  /// All zero: a NOP-Out without its constant bit.
  public init() {}

  /// A header of `opcode` with bit 7 of byte 1 as `isFinal` says and the rest zero.
  public init(_ opcode: Opcode, isFinal: Bool = true) {
    write { $0.begin(opcode, isFinal: isFinal) }
  }

  /// Copies the first 48 of `bytes`; what is missing is zero.
  public init(copying source: UnsafeRawBufferPointer) {
    var span = bytes.mutableSpan
    span.withUnsafeMutableBytes { $0.copyBytes(from: source.prefix(HeaderView.length)) }
  }

  /// Reads fields: `header.read { $0.cmdSN }`.
  @inlinable
  public func read<Result>(_ body: (HeaderView) -> Result) -> Result {
    bytes.span.withUnsafeBytes { buffer in
      // allow(trap): a span of 48 elements is never empty.
      body(HeaderView(buffer.baseAddress.unsafelyUnwrapped))
    }
  }

  /// Writes fields: `header.write { $0.cmdSN = 5 }`.
  @inlinable
  public mutating func write<Result>(_ body: (MutableHeaderView) -> Result) -> Result {
    var span = bytes.mutableSpan
    return span.withUnsafeMutableBytes { buffer in
      // allow(trap): a span of 48 elements is never empty.
      body(MutableHeaderView(buffer.baseAddress.unsafelyUnwrapped))
    }
  }

  /// The opcode; nil when the standard defines none with these bits.
  public var opcode: Opcode? { Opcode(rawValue: bytes[0] & 0x3F) }

  /// All bytes as an array.
  public var array: [UInt8] { (0..<HeaderView.length).map { bytes[$0] } }
}

extension BasicHeader: Equatable {
  public static func == (left: BasicHeader, right: BasicHeader) -> Bool {
    for index in 0..<HeaderView.length where left.bytes[index] != right.bytes[index] { return false }
    return true
  }
}
