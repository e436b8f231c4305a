import Ring

/// How long a ring that has run out of work looks for more before it sleeps.
///
/// To sleep costs: the peer's core has to wake ours, and what came waits meanwhile. To look on costs our core. So a ring
/// looks on for a time in proportion to the work that it has just done, since work in close succession is what makes
/// looking worth while: at most ``ratio`` times as long, and never longer than ``limit``. When it looked in vain, it goes to
/// sleep at once the next time, and after more failures in a row more often, so that a load whose gaps are longer than
/// its work costs next to nothing. A ring without work sleeps.
struct SpinBudget {
  /// Looking on takes at most so many times what the work took.
  private static let ratio: UInt64 = 2
  /// Above a few times what it costs to sleep and be woken, looking on no longer pays.
  private static let limit = Interval.microseconds(50)
  /// After so many failures in a row no more chances are passed over between two tries than before: 2^6.
  private static let failuresMax: UInt8 = 6

  private var busySince = Instant.zero
  private var failures: UInt8 = 0
  private var passes: UInt64 = 0

  /// Whether the next idle moment is one to look on in.
  mutating func takesChance() -> Bool {
    guard passes > 0 else { return true }
    passes -= 1
    return false
  }

  /// How long to look on, for a ring that ran out of work at `now`.
  func budget(at now: Instant) -> Interval {
    let worked = now - busySince
    return min(Interval.scaled(worked.nanoseconds, Self.ratio), Self.limit)
  }

  /// Something came at `now` while it looked.
  mutating func succeeded(at now: Instant) {
    failures = 0
    busySince = now
  }

  /// Nothing came.
  mutating func failed() {
    passes = 1 << UInt64(failures)
    failures = min(failures + 1, Self.failuresMax)
  }

  /// It has slept, and was woken at `now`.
  mutating func woke(at now: Instant) { busySince = now }
}
