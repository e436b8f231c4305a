/// A number that counts modulo 2^32, RFC 1982, as RFC 7143 §4.2.2.1 prescribes for CmdSN, StatSN and their kind.
///
/// Two numbers exactly 2^31 apart have no order: neither `precedes` the other.
public enum SerialNumber {
  /// How far `to` is ahead of `from`; negative when it is behind. -2^31 when the two have no order.
  @inlinable @inline(__always)
  public static func distance(from: UInt32, to: UInt32) -> Int32 { Int32(bitPattern: to &- from) }

  /// True when `left` comes before `right`.
  @inlinable @inline(__always)
  public static func precedes(_ left: UInt32, _ right: UInt32) -> Bool { distance(from: left, to: right) > 0 }

  /// True when `left` comes before `right` or is the same.
  @inlinable @inline(__always)
  public static func precedesOrEquals(_ left: UInt32, _ right: UInt32) -> Bool { distance(from: left, to: right) >= 0 }

  /// True when `number` is in the window `first...last`, which is empty when `last` is `first - 1` (or earlier).
  @inlinable @inline(__always)
  public static func isWithin(_ number: UInt32, first: UInt32, last: UInt32) -> Bool {
    precedesOrEquals(first, number) && precedesOrEquals(number, last)
  }

  /// The one that comes later.
  @inlinable @inline(__always)
  public static func later(_ left: UInt32, _ right: UInt32) -> UInt32 { precedes(left, right) ? right : left }
}
