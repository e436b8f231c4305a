/// A point in time, in nanoseconds since the ring's own start.
///
/// The real ring counts a monotonic clock, the simulated one its virtual clock. A machine only ever compares instants
/// and adds intervals to them; it never learns the time of day.
public struct Instant: Hashable, Comparable, Sendable {
  /// Nanoseconds since the ring's start.
  public var nanoseconds: UInt64

  @inlinable
  public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// The ring's start.
  public static let zero = Instant(nanoseconds: 0)

  /// Later than anything that will happen.
  public static let distantFuture = Instant(nanoseconds: .max)

  @inlinable
  public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

  /// The instant `interval` later; saturates at ``distantFuture``.
  @inlinable
  public static func + (instant: Instant, interval: Interval) -> Instant {
    let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(interval.nanoseconds)
    return Instant(nanoseconds: overflow ? .max : sum)
  }

  /// The time from `earlier` to `later`; zero when `earlier` is not the earlier one.
  @inlinable
  public static func - (later: Instant, earlier: Instant) -> Interval {
    Interval(nanoseconds: later.nanoseconds > earlier.nanoseconds ? later.nanoseconds - earlier.nanoseconds : 0)
  }
}

/// A length of time in whole nanoseconds, never negative.
public struct Interval: Hashable, Comparable, Sendable {
  /// The length in nanoseconds.
  public var nanoseconds: UInt64

  @inlinable
  public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  public static let zero = Interval(nanoseconds: 0)

  /// `count` microseconds; saturates.
  @inlinable
  public static func microseconds(_ count: UInt64) -> Interval { scaled(count, 1_000) }

  /// `count` milliseconds; saturates.
  @inlinable
  public static func milliseconds(_ count: UInt64) -> Interval { scaled(count, 1_000_000) }

  /// `count` seconds; saturates.
  @inlinable
  public static func seconds(_ count: UInt64) -> Interval { scaled(count, 1_000_000_000) }

  /// `count` times `unit` nanoseconds; saturates.
  @inlinable
  public static func scaled(_ count: UInt64, _ unit: UInt64) -> Interval {
    let (product, overflow) = count.multipliedReportingOverflow(by: unit)
    return Interval(nanoseconds: overflow ? .max : product)
  }

  @inlinable
  public static func < (left: Interval, right: Interval) -> Bool { left.nanoseconds < right.nanoseconds }

  /// The sum; saturates.
  @inlinable
  public static func + (left: Interval, right: Interval) -> Interval {
    let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.nanoseconds)
    return Interval(nanoseconds: overflow ? .max : sum)
  }
}
