/// How often each latency was met, in fixed memory: 64 classes for each power of two, so that a class is at most 1/64, under
/// 2 %, wide.
public struct LatencyHistogram: Sendable {
  private static let classes = 64
  private static let shift = 6
  private var counts = [UInt64](repeating: 0, count: 64 * 59)

  /// How many were added.
  public private(set) var count: UInt64 = 0
  /// The longest, in nanoseconds.
  public private(set) var max: UInt64 = 0

  public init() {}

  /// Adds a latency in nanoseconds.
  @inline(__always)
  public mutating func add(_ nanoseconds: UInt64) {
    counts[Self.index(nanoseconds)] &+= 1
    count &+= 1
    if nanoseconds > max { max = nanoseconds }
  }

  /// Adds `count` latencies, the first of which is `longest` and each other one `step` shorter than the one before it, all
  /// in nanoseconds; none is below zero.
  mutating func add(_ longest: UInt64, count number: UInt64, fallingBy step: UInt64) {
    guard number > 0 else { return }
    count &+= number
    max = Swift.max(max, longest)
    var (next, left) = (longest, number)
    while true {
      let index = Self.index(next)
      let ofClass = step == 0 ? left : Swift.min(left, (next - Self.lowest(index)) / step + 1)
      counts[index] &+= ofClass
      left -= ofClass
      guard left > 0 else { return }
      next -= ofClass * step
    }
  }

  /// The latency in nanoseconds that `permille` of a thousand do not exceed: the highest of its class, and at most ``max``.
  public func percentile(_ permille: UInt64) -> UInt64 {
    guard count > 0 else { return 0 }
    // Rounded up: of one, every percentile is that one.
    let (quotient, remainder) = count.quotientAndRemainder(dividingBy: 1000)
    let wanted = Swift.max(1, quotient * permille + (remainder * permille + 999) / 1000)
    var seen: UInt64 = 0
    for index in counts.indices {
      seen += counts[index]
      if seen >= wanted { return Swift.min(max, Self.highest(index)) }
    }
    return max
  }

  private static func index(_ value: UInt64) -> Int {
    guard value >= UInt64(classes) else { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    // From the sixth bit on: 64 classes below each power of two.
    return (exponent - shift + 1) * classes + Int(value >> UInt64(exponent - shift) & UInt64(classes - 1))
  }

  private static func lowest(_ index: Int) -> UInt64 {
    index < classes ? UInt64(index) : UInt64(classes + index % classes) << UInt64(index / classes - 1)
  }

  private static func highest(_ index: Int) -> UInt64 {
    index < classes ? UInt64(index) : lowest(index) + ((1 << UInt64(index / classes - 1)) - 1)
  }
}
