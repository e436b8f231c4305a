import Ring
import Testing

@testable import HostRing

@Suite struct SpinBudgetTests {
  private func instant(_ microseconds: UInt64) -> Instant { .zero + .microseconds(microseconds) }

  @Test func looksOnForTwiceAsLongAsItWorked() {
    var budget = SpinBudget()
    budget.woke(at: instant(100))
    #expect(budget.budget(at: instant(107)) == .microseconds(14))
    budget.succeeded(at: instant(110))
    #expect(budget.budget(at: instant(113)) == .microseconds(6))
  }

  @Test func neverLongerThanItsLimit() {
    var budget = SpinBudget()
    budget.woke(at: instant(1))
    #expect(budget.budget(at: instant(10_000)) == .microseconds(50))
    #expect(budget.budget(at: .distantFuture) == .microseconds(50))
  }

  @Test func failuresInARowMakeItRarer() {
    var budget = SpinBudget()
    func passesUntilNextChance() -> Int {
      var count = 0
      while !budget.takesChance() { count += 1 }
      return count
    }
    #expect(passesUntilNextChance() == 0)
    for expected in [1, 2, 4, 8, 16, 32, 64, 64, 64] {
      budget.failed()
      #expect(passesUntilNextChance() == expected)
    }
    budget.succeeded(at: instant(1))
    budget.failed()
    #expect(passesUntilNextChance() == 1, "a success makes up for all failures")
  }

  /// A load whose gaps are longer than its looking on costs next to nothing: the part of time spent in vain.
  @Test func aLoadWithLongGapsCostsLittle() {
    var budget = SpinBudget()
    var now = instant(1)
    var spent: UInt64 = 0
    for _ in 0..<10_000 {
      budget.woke(at: now)
      now = now + .microseconds(8)
      if budget.takesChance() {
        spent += budget.budget(at: now).nanoseconds
        budget.failed()
      }
      now = now + .microseconds(100)
    }
    #expect(spent * 1000 < now.nanoseconds * 3, "less than 0.3 % of the time")
  }
}
