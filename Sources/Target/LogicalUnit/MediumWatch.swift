import Ring

/// Whether a medium goes on with what it is asked: one that has operations, and ends none of them for long, hangs.
struct MediumWatch {
  /// So long nobody need worry.
  static let patience = Interval.seconds(10)

  private var outstanding = 0
  /// When it had nothing to do last, or ended an operation.
  private var goodAt = Instant.zero
  /// It has been said that it hangs.
  private var hangs = false

  /// When it has to be looked at, if it ends nothing until then; nil when nothing is asked of it, or it hangs already.
  var deadline: Instant? { outstanding > 0 && !hangs ? goodAt + Self.patience : nil }

  /// An operation begins. True if nothing was asked of it before.
  mutating func begins(at now: Instant) -> Bool {
    outstanding += 1
    guard outstanding == 1 else { return false }
    goodAt = now
    return true
  }

  /// An operation has ended. After how long, if it was said to hang; nil otherwise.
  mutating func ended(at now: Instant) -> Interval? {
    outstanding -= 1
    defer {
      goodAt = now
      hangs = false
    }
    return hangs ? now - goodAt : nil
  }

  /// Whether it hangs, and that has not been said.
  mutating func beginsToHang(at now: Instant) -> Bool {
    guard let deadline, deadline <= now else { return false }
    hangs = true
    return true
  }
}
