/// A run of text where it lies in a data segment: a key, a value, or one value of a list; RFC 7143 §6.1.
///
/// It borrows its memory, and is used only while that stays.
public struct TextSlice {
  public let bytes: UnsafeRawBufferPointer

  @inlinable
  public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The number of bytes.
  @inlinable
  public var count: Int { bytes.count }

  @inlinable
  public var isEmpty: Bool { bytes.isEmpty }

  /// The text as a string. Bytes that are not UTF-8 become replacement characters.
  public var string: String { String(decoding: bytes, as: UTF8.self) }

  /// True when the bytes are those of `text`; capital and small letters differ.
  public static func == (slice: TextSlice, text: StaticString) -> Bool {
    text.withUTF8Buffer { $0.count == slice.bytes.count && $0.elementsEqual(slice.bytes) }
  }

  /// The number that the text is: decimal without sign and leading zeros, or hexadecimal after 0x or 0X. Nil when it is
  /// neither, or above 2^64 - 1.
  public var number: UInt64? {
    var digits = bytes[...]
    var radix: UInt64 = 10
    if bytes.count > 2, bytes[0] == UInt8(ascii: "0"), bytes[1] | 0x20 == UInt8(ascii: "x") {
      digits = bytes[2...]
      radix = 16
    } else if bytes.count > 1, bytes[0] == UInt8(ascii: "0") {
      return nil
    }
    guard !digits.isEmpty else { return nil }
    var value: UInt64 = 0
    for byte in digits {
      guard let digit = hexadecimalDigit(byte), digit < radix else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: radix)
      let (sum, carry) = product.addingReportingOverflow(digit)
      guard !overflow, !carry else { return nil }
      value = sum
    }
    return value
  }

  /// Yes is true, No is false, anything else nil.
  public var boolean: Bool? {
    if self == "Yes" { return true }
    return self == "No" ? false : nil
  }

  /// The values of a list, between commas. An empty text is one empty value.
  public var list: TextList { TextList(rest: bytes) }

  /// The bytes that a binary value stands for: hexadecimal after 0x (an odd number of digits is completed by a zero in
  /// front), or Base64 after 0b. Nil when it is neither, holds no digit, or stands for more than `lengthMax` bytes.
  public func binary(lengthMax: Int) -> [UInt8]? {
    guard bytes.count > 2, bytes[0] == UInt8(ascii: "0") else { return nil }
    let digits = UnsafeRawBufferPointer(rebasing: bytes[2...])
    return switch bytes[1] | 0x20 {
    case UInt8(ascii: "x"): decodeHexadecimal(digits, lengthMax: lengthMax)
    case UInt8(ascii: "b"): decodeBase64(digits, lengthMax: lengthMax)
    default: nil
    }
  }
}

/// Goes through the values of a list.
public struct TextList: Sequence, IteratorProtocol {
  var rest: UnsafeRawBufferPointer?

  public mutating func next() -> TextSlice? {
    guard let bytes = rest else { return nil }
    guard let comma = bytes.firstIndex(of: UInt8(ascii: ",")) else {
      rest = nil
      return TextSlice(bytes)
    }
    rest = UnsafeRawBufferPointer(rebasing: bytes[(comma + 1)...])
    return TextSlice(UnsafeRawBufferPointer(rebasing: bytes[..<comma]))
  }
}

/// The value of a hexadecimal digit of either case.
func hexadecimalDigit(_ byte: UInt8) -> UInt64? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
  case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
  case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
  default: nil
  }
}

private func decodeHexadecimal(_ digits: UnsafeRawBufferPointer, lengthMax: Int) -> [UInt8]? {
  let length = (digits.count + 1) / 2
  guard length <= lengthMax else { return nil }
  var result: [UInt8] = []
  result.reserveCapacity(length)
  var high: UInt8? = digits.count % 2 == 1 ? 0 : nil
  for byte in digits {
    guard let digit = hexadecimalDigit(byte) else { return nil }
    let low = UInt8(truncatingIfNeeded: digit)
    if let first = high {
      result.append(first << 4 | low)
      high = nil
    } else {
      high = low
    }
  }
  return result
}

/// RFC 4648 §4, with its padding.
private func decodeBase64(_ digits: UnsafeRawBufferPointer, lengthMax: Int) -> [UInt8]? {
  guard digits.count % 4 == 0 else { return nil }
  var text = digits
  for _ in 0..<2 where text.last == UInt8(ascii: "=") { text = UnsafeRawBufferPointer(rebasing: text.dropLast()) }
  let length = text.count * 3 / 4
  guard length > 0, length <= lengthMax else { return nil }
  var result: [UInt8] = []
  result.reserveCapacity(length)
  var bits: UInt32 = 0
  var bitCount = 0
  for byte in text {
    let digit: UInt8
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"): digit = 62
    case UInt8(ascii: "/"): digit = 63
    default: return nil
    }
    bits = bits << 6 | UInt32(digit)
    bitCount += 6
    if bitCount >= 8 {
      bitCount -= 8
      result.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
    }
  }
  return result
}
