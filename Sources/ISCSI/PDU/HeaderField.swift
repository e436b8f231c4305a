/// One named field of a Basic Header Segment: where it lies, for those who reach fields by name (scenarios, dumps) and
/// for the check that all other bits are zero.
public struct HeaderField: Sendable {
  /// The standard's name in lower case, words joined by `_`: `cmdsn`, `buffer_offset`.
  public let name: String

  /// The first bit, counted from bit 7 of byte 0.
  public let bit: Int

  /// The number of bits, 1 to 64.
  public let width: Int

  /// A whole byte by its offset, whatever fields lie in it; nil when `offset` is not in 0..<48. Its name is `byte` and the
  /// offset.
  public static func byte(at offset: Int) -> HeaderField? {
    guard (0..<HeaderView.length).contains(offset) else { return nil }
    return HeaderField(name: "byte\(offset)", bit: offset * 8, width: 8)
  }

  /// The field's value in `header`, right-aligned.
  public func read(_ header: BasicHeader) -> UInt64 {
    var value: UInt64 = 0
    for index in bit..<(bit + width) {
      value = value << 1 | UInt64(header.bytes[index / 8] >> UInt8(7 - index % 8) & 1)
    }
    return value
  }

  /// Puts the low bits of `value` into the field.
  public func write(_ value: UInt64, to header: inout BasicHeader) {
    for index in 0..<width {
      let place = bit + width - 1 - index
      let mask = UInt8(0x80) >> UInt8(place % 8)
      if value >> UInt64(index) & 1 == 1 {
        header.bytes[place / 8] |= mask
      } else {
        header.bytes[place / 8] &= ~mask
      }
    }
  }
}
