import Ring

/// How many lines something may have that others bring about, as often as they like: many at once, few for long.
struct LineBudget {
  /// As many at once.
  static let most = 1000
  /// One more in this time.
  static let interval = Interval.milliseconds(100)

  private var left = Self.most
  private var last = Instant.zero
  /// How many had none since the last that had.
  private(set) var leftOut: UInt64 = 0

  /// Takes a line. False when there is none left.
  mutating func take(at now: Instant) -> Bool {
    let earned = (now - last).nanoseconds / Self.interval.nanoseconds
    if earned > 0 {
      left = Int(min(UInt64(left) + earned, UInt64(Self.most)))
      last = now
    }
    guard left > 0 else {
      leftOut += 1
      return false
    }
    left -= 1
    return true
  }

  /// How many had none since this was asked last.
  mutating func takeLeftOut() -> UInt64 {
    defer { leftOut = 0 }
    return leftOut
  }

  /// Something had none that was not even told.
  mutating func leaveOut(_ count: UInt64) { leftOut += count }
}
