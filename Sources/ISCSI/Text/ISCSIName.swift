/// Names of iSCSI nodes, RFC 7143 §4.2.7.
public enum ISCSIName {
  /// The longest name in bytes.
  public static let lengthMax = 223

  /// The name in the form in which names are compared: ASCII letters folded to small ones. Nil when it is not well-formed.
  ///
  /// Names beyond ASCII are refused: they would have to be prepared by RFC 3722, and initiators do not use them.
  public static func normalized(_ name: some Sequence<UInt8>) -> String? {
    var folded: [UInt8] = []
    for byte in name {
      guard folded.count < lengthMax, byte < 0x80 else { return nil }
      folded.append((UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte)
    }
    return isWellFormed(folded) ? String(decoding: folded, as: UTF8.self) : nil
  }

  /// True for an iqn., eui. or naa. name, all in small letters (hexadecimal digits in either case).
  public static func isWellFormed(_ name: [UInt8]) -> Bool {
    guard name.count > 4, name.count <= lengthMax else { return false }
    let rest = name[4...]
    switch String(decoding: name[..<4], as: UTF8.self) {
    case "iqn.": return isQualified(rest)
    case "eui.": return rest.count == 16 && rest.allSatisfy { hexadecimalDigit($0) != nil }
    case "naa.": return (rest.count == 16 || rest.count == 32) && rest.allSatisfy { hexadecimalDigit($0) != nil }
    default: return false
    }
  }

  /// `yyyy-mm.reversed.domain` and, after a colon, anything made of the permitted characters.
  private static func isQualified(_ rest: ArraySlice<UInt8>) -> Bool {
    let date = Array(rest.prefix(8))
    guard date.count == 8, date[4] == UInt8(ascii: "-"), date[7] == UInt8(ascii: ".") else { return false }
    for index in [0, 1, 2, 3, 5, 6] where !isDigit(date[index]) { return false }
    let month = Int(date[5] - UInt8(ascii: "0")) * 10 + Int(date[6] - UInt8(ascii: "0"))
    guard (1...12).contains(month) else { return false }
    let named = rest.dropFirst(8)
    guard named.allSatisfy(isPermitted) else { return false }
    let authority = named.prefix { $0 != UInt8(ascii: ":") }
    let labels = authority.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return labels.allSatisfy { !$0.isEmpty }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private static func isPermitted(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
      UInt8(ascii: "."), UInt8(ascii: ":"):
      true
    default: false
    }
  }
}
