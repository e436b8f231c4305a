/// Sense data: why a command ended with CHECK CONDITION, or what REQUEST SENSE found (SPC-4 §4.5).
public struct Sense: Hashable, Sendable {
  /// The sense-key-specific field (SPC-4 §4.5.2.4).
  public enum Specific: Hashable, Sendable {
    case none

    /// The byte (and bit, 7 the most significant) in error, of the CDB or of the parameter list.
    case field(inCDB: Bool, byte: UInt16, bit: UInt8?)

    /// How far a long operation has got, in 65536ths.
    case progress(UInt16)
  }

  public var key: SenseKey
  public var additional: AdditionalSense

  /// INFORMATION: an LBA, a byte offset; what the additional sense code says it is.
  public var information: UInt64?

  public var specific = Specific.none

  /// The error is of an earlier command, which ended with GOOD.
  public var isDeferred = false

  public init(
    _ key: SenseKey, _ additional: AdditionalSense, information: UInt64? = nil, specific: Specific = .none
  ) {
    self.key = key
    self.additional = additional
    self.information = information
    self.specific = specific
  }

  /// The longest that ``encode(descriptor:into:)`` writes, in bytes.
  public static let encodedLengthMax = 28

  /// Writes fixed format (SPC-4 §4.5.3) or descriptor format sense data (§4.5.2) and returns its length.
  ///
  /// Fixed format has 32 bits for the INFORMATION; what needs more is left out and not marked as valid.
  public func encode(descriptor: Bool, into bytes: inout InlineArray<64, UInt8>) -> Int {
    descriptor ? encodeDescriptor(into: &bytes) : encodeFixed(into: &bytes)
  }

  private func encodeFixed(into bytes: inout InlineArray<64, UInt8>) -> Int {
    let length = 18
    for index in 0..<length { bytes[index] = 0 }
    bytes[0] = isDeferred ? 0x71 : 0x70
    bytes[2] = key.rawValue
    if let information, let value = UInt32(exactly: information) {
      bytes[0] |= 0x80
      for index in 0..<4 { bytes[3 + index] = UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * index)) }
    }
    bytes[7] = UInt8(length - 8)
    bytes[12] = additional.code
    bytes[13] = additional.qualifier
    encodeSpecific(into: &bytes, at: 15)
    return length
  }

  private func encodeDescriptor(into bytes: inout InlineArray<64, UInt8>) -> Int {
    for index in 0..<Self.encodedLengthMax { bytes[index] = 0 }
    bytes[0] = isDeferred ? 0x73 : 0x72
    bytes[1] = key.rawValue
    bytes[2] = additional.code
    bytes[3] = additional.qualifier
    var length = 8
    if let information {
      // SPC-4 §4.5.2.2: type 00h, 10 more bytes, VALID.
      bytes[length] = 0x00
      bytes[length + 1] = 0x0A
      bytes[length + 2] = 0x80
      for index in 0..<8 {
        bytes[length + 4 + index] = UInt8(truncatingIfNeeded: information >> UInt64(56 - 8 * index))
      }
      length += 12
    }
    if specific != .none {
      // SPC-4 §4.5.2.4: type 02h, 6 more bytes.
      bytes[length] = 0x02
      bytes[length + 1] = 0x06
      encodeSpecific(into: &bytes, at: length + 4)
      length += 8
    }
    bytes[7] = UInt8(length - 8)
    return length
  }

  private func encodeSpecific(into bytes: inout InlineArray<64, UInt8>, at index: Int) {
    switch specific {
    case .none:
      return
    case .field(let inCDB, let byte, let bit):
      bytes[index] = 0x80 | (inCDB ? 0x40 : 0)
      if let bit { bytes[index] |= 0x08 | bit & 0x07 }
      bytes[index + 1] = UInt8(truncatingIfNeeded: byte >> 8)
      bytes[index + 2] = UInt8(truncatingIfNeeded: byte)
    case .progress(let value):
      bytes[index] = 0x80
      bytes[index + 1] = UInt8(truncatingIfNeeded: value >> 8)
      bytes[index + 2] = UInt8(truncatingIfNeeded: value)
    }
  }
}

extension Sense {
  /// Reads sense data of either format, of which `bytes` may be a prefix; nil when it is neither or too short to say
  /// anything.
  public init?(decoding bytes: [UInt8]) {
    guard let first = bytes.first else { return nil }
    switch first & 0x7F {
    case 0x70, 0x71:
      guard bytes.count >= 3, let key = SenseKey(rawValue: bytes[2] & 0x0F) else { return nil }
      self.init(key, bytes.count >= 14 ? AdditionalSense(bytes[12], bytes[13]) : .none)
      if first & 0x80 != 0, bytes.count >= 7 { information = UInt64(bytes.big32(3)) }
      if bytes.count >= 18 { specific = Self.decodeSpecific(bytes[15], bytes[16], bytes[17], key: key) }
    case 0x72, 0x73:
      guard bytes.count >= 4, let key = SenseKey(rawValue: bytes[1] & 0x0F) else { return nil }
      self.init(key, AdditionalSense(bytes[2], bytes[3]))
      var index = 8
      while index + 2 <= bytes.count {
        let end = index + 2 + Int(bytes[index + 1])
        guard end <= bytes.count else { break }
        if bytes[index] == 0x00, end - index == 12, bytes[index + 2] & 0x80 != 0 {
          information = bytes.big64(index + 4)
        } else if bytes[index] == 0x02, end - index == 8 {
          specific = Self.decodeSpecific(bytes[index + 4], bytes[index + 5], bytes[index + 6], key: key)
        } else if bytes[index] == 0x0D, end - index == 24 {
          // SBC-4 §4.18.5: both of these, of a direct access block device.
          if bytes[index + 2] & 0x80 != 0 { information = bytes.big64(index + 8) }
          specific = Self.decodeSpecific(bytes[index + 4], bytes[index + 5], bytes[index + 6], key: key)
        }
        index = end
      }
    default:
      return nil
    }
    isDeferred = first & 1 != 0
  }

  private static func decodeSpecific(_ flags: UInt8, _ high: UInt8, _ low: UInt8, key: SenseKey) -> Specific {
    guard flags & 0x80 != 0 else { return .none }
    let value = UInt16(high) << 8 | UInt16(low)
    guard key == .illegalRequest else { return .progress(value) }
    return .field(inCDB: flags & 0x40 != 0, byte: value, bit: flags & 0x08 != 0 ? flags & 0x07 : nil)
  }
}

extension Sense {
  /// The sense data as parameter data of REQUEST SENSE.
  public func parameterData(descriptor: Bool) -> [UInt8] {
    var bytes = InlineArray<64, UInt8>(repeating: 0)
    let length = encode(descriptor: descriptor, into: &bytes)
    return (0..<length).map { bytes[$0] }
  }
}
