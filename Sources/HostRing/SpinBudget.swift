import Ring

/// How long a ring that has run out of work looks for more before it sleeps.
///
/// To sleep costs: the peer's core has to wake ours, which on a virtual machine takes it as long as a few commands, and
/// what came waits meanwhile. To look on costs our core. So a ring looks on for a time in proportion to the work that it
/// has done, since work in close succession is what makes looking worth while. Work gives credit, ``ratio`` times as much
/// as it took, of which ``limit`` is kept; looking spends it. So gaps of uneven length are bridged by a ring that works most of the
/// time, and one that mostly waits sleeps soon. When it looked in vain, the credit is gone, and it goes to sleep at once the
/// next time, and after more failures in a row more often, so that a load whose gaps are longer than its work costs
/// next to nothing. A ring without work sleeps.
struct SpinBudget {
  /// Looking on takes at most so many times what the work took.
  private static let ratio: UInt64 = 2
  /// Above a few times what it costs to sleep and be woken, looking on no longer pays. On virtual machines that is up to 150 µs
  /// of the waker's time, and 200 until the woken one runs: an initiator that sleeps between two answers is away for as long.
  private static let limit = Interval.microseconds(400)

  private var busySince = Instant.zero
  /// For how long it may still look on, and since when it has.
  private var credit = Interval.zero
  private var idleSince = Instant.zero
  private var attempts = Attempts()

  /// Whether the next idle moment is one to look on in.
  mutating func takesChance() -> Bool { attempts.takesChance() }

  /// How long to look on, for a ring that ran out of work at `now`.
  mutating func budget(at now: Instant) -> Interval {
    credit = min(credit + Interval.scaled((now - busySince).nanoseconds, Self.ratio), Self.limit)
    idleSince = now
    return credit
  }

  /// Something came at `now` while it looked.
  mutating func succeeded(at now: Instant) {
    attempts.succeeded()
    interrupted(at: now)
  }

  /// It had to stop looking at `now`, before its time was over.
  mutating func interrupted(at now: Instant) {
    credit = Interval(nanoseconds: credit.nanoseconds - min((now - idleSince).nanoseconds, credit.nanoseconds))
    busySince = now
  }

  /// Nothing came.
  mutating func failed() {
    credit = .zero
    attempts.failed()
  }

  /// It has slept, and was woken at `now`.
  mutating func woke(at now: Instant) { busySince = now }
}
