import Ring

/// What a process takes for the time: the world's, too fast or too slow, and jumped forwards. It never goes back.
struct SkewedClock {
  private static let million: UInt64 = 1_000_000

  /// A point at which both are known, in nanoseconds.
  private var world: UInt64 = 0
  private var local: UInt64 = 0

  /// Parts in a million by which it is too fast; negative when it is too slow.
  private(set) var drift = 0

  /// Local nanoseconds in a million of the world's: at least a tenth, and at most about twice as many.
  private var rate: UInt64 { UInt64(1_000_000 + max(-900_000, min(900_000, drift))) }

  private var isTrue: Bool { rate == Self.million && world == local }

  private static func scale(_ value: UInt64, _ factor: UInt64, _ divisor: UInt64, roundUp: Bool) -> UInt64 {
    let product = value.multipliedFullWidth(by: factor)
    guard product.high < divisor else { return .max }
    let (quotient, remainder) = divisor.dividingFullWidth((product.high, product.low))
    return roundUp && remainder > 0 && quotient < .max ? quotient + 1 : quotient
  }

  /// The local time at a time of the world.
  func local(at time: Instant) -> Instant {
    if isTrue { return time }
    let elapsed = time.nanoseconds > world ? time.nanoseconds - world : 0
    return Instant(nanoseconds: local) + Interval(nanoseconds: Self.scale(elapsed, rate, Self.million, roundUp: false))
  }

  /// The first time of the world at which it is `time` or later here.
  func world(at time: Instant) -> Instant {
    if isTrue || time == .distantFuture { return time }
    let elapsed = time.nanoseconds > local ? time.nanoseconds - local : 0
    return Instant(nanoseconds: world) + Interval(nanoseconds: Self.scale(elapsed, Self.million, rate, roundUp: true))
  }

  /// From `now` on it runs at another rate.
  mutating func addDrift(partsPerMillion: Int, now: Instant) {
    local = local(at: now).nanoseconds
    world = now.nanoseconds
    drift += partsPerMillion
  }

  mutating func jump(by distance: Interval, now: Instant) {
    local = (local(at: now) + distance).nanoseconds
    world = now.nanoseconds
  }
}
