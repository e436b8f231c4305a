/// When to try what may turn out to be in vain: after failures in a row, more and more rarely.
public struct Attempts: Sendable {
  /// After so many failures no more chances are passed over between two attempts than before: 2^6.
  @usableFromInline static var failuresMax: UInt8 { 6 }

  @usableFromInline var failures: UInt8 = 0
  /// Chances to pass over.
  @usableFromInline var passes: UInt64 = 0

  public init() {}

  /// Whether this chance is one to try in; otherwise it has been passed over.
  @inlinable
  public mutating func takesChance() -> Bool {
    guard passes > 0 else { return true }
    passes -= 1
    return false
  }

  /// It was in vain: 1, 2, 4, … 64 chances are passed over.
  @inlinable
  public mutating func failed() {
    passes = 1 << UInt64(failures)
    failures = min(failures + 1, Self.failuresMax)
  }

  /// It was worth it: the next failure counts as the first.
  @inlinable
  public mutating func succeeded() { failures = 0 }
}
