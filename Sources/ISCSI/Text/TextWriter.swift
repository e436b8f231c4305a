/// Builds the text of a Login or Text PDU: pairs that each end in NUL.
public struct TextWriter: Sendable {
  /// The text so far.
  public private(set) var bytes: [UInt8] = []

  public init() {}

  /// Appends `key=value`. Nothing is checked.
  public mutating func append(_ key: some StringProtocol, _ value: some StringProtocol) {
    bytes.append(contentsOf: key.utf8)
    bytes.append(UInt8(ascii: "="))
    bytes.append(contentsOf: value.utf8)
    bytes.append(0)
  }

  /// Appends `key=value` with the bytes of `key` as they came from the peer.
  public mutating func append(_ key: TextSlice, _ value: some StringProtocol) {
    bytes.append(contentsOf: key.bytes)
    bytes.append(UInt8(ascii: "="))
    bytes.append(contentsOf: value.utf8)
    bytes.append(0)
  }

  /// Appends `key=number`, decimal.
  public mutating func append(_ key: some StringProtocol, _ number: some BinaryInteger) { append(key, String(number)) }

  /// Appends `key=Yes` or `key=No`.
  public mutating func append(_ key: some StringProtocol, _ boolean: Bool) { append(key, boolean ? "Yes" : "No") }
}

/// Binary values as text, RFC 7143 §6.1.
public enum TextEncoding {
  /// Two lower-case digits a byte, without a prefix.
  public static func hexadecimal(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
      text.append(digit(byte >> 4))
      text.append(digit(byte & 15))
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  /// RFC 4648 §4 with padding, without a prefix.
  public static func base64(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var index = 0
    while index < bytes.count {
      let second = index + 1 < bytes.count ? bytes[index + 1] : nil
      let third = index + 2 < bytes.count ? bytes[index + 2] : nil
      let group = UInt32(bytes[index]) << 16 | UInt32(second ?? 0) << 8 | UInt32(third ?? 0)
      text.append(base64Digit(group >> 18 & 63))
      text.append(base64Digit(group >> 12 & 63))
      text.append(second == nil ? UInt8(ascii: "=") : base64Digit(group >> 6 & 63))
      text.append(third == nil ? UInt8(ascii: "=") : base64Digit(group & 63))
      index += 3
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static func base64Digit(_ value: UInt32) -> UInt8 {
    let value = UInt8(truncatingIfNeeded: value)
    return switch value {
    case 0..<26: UInt8(ascii: "A") + value
    case 26..<52: UInt8(ascii: "a") + value - 26
    case 52..<62: UInt8(ascii: "0") + value - 52
    case 62: UInt8(ascii: "+")
    default: UInt8(ascii: "/")
    }
  }
}
