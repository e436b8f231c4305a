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
    #expect(budget.budget(at: instant(113)) == .microseconds(14 - 3 + 6), "what was not used is kept")
    budget.failed()
    budget.woke(at: instant(200))
    #expect(budget.budget(at: instant(201)) == .microseconds(2), "looking in vain uses all")
  }

  @Test func neverLongerThanItsLimit() {
    var budget = SpinBudget()
    budget.woke(at: instant(1))
    #expect(budget.budget(at: instant(10_000)) == .microseconds(400))
    #expect(budget.budget(at: .distantFuture) == .microseconds(400))
  }

  /// Plays work and gaps of so many microseconds, each `rounds` times: how often it slept, and how long it worked and looked.
  private func play(_ load: [(work: UInt64, gap: UInt64)], rounds: Int) -> (sleeps: Int, worked: UInt64, looked: UInt64)
  {
    var budget = SpinBudget()
    var now = instant(1)
    var result = (sleeps: 0, worked: UInt64(0), looked: UInt64(0))
    budget.woke(at: now)
    for round in 0..<rounds * load.count {
      let (work, gap) = load[round % load.count]
      now = now + .microseconds(work)
      result.worked += work * 1000
      let next = now + .microseconds(gap)
      var found = false
      if budget.takesChance() {
        let end = now + budget.budget(at: now)
        found = next < end
        result.looked += (min(end, next) - now).nanoseconds
        if found { budget.succeeded(at: next) } else { budget.failed() }
      }
      if !found {
        result.sleeps += 1
        budget.woke(at: next)
      }
      now = next
    }
    return result
  }

  @Test("A ring that works for a fifth of the time cannot look on for all the rest")
  func lookingIsInProportion() {
    let result = play([(work: 5, gap: 20)], rounds: 10_000)
    #expect(result.looked <= 2 * result.worked)
    #expect(result.sleeps > 0)
  }

  @Test("A ring that works most of the time bridges a gap that is longer than the work just before it")
  func unevenGapsAreBridged() {
    let result = play([(work: 10, gap: 2), (work: 10, gap: 2), (work: 10, gap: 2), (work: 10, gap: 60)], rounds: 1000)
    #expect(result.sleeps == 0)
  }

  @Test("So is the time that it takes to wake a peer that sleeps, on a machine where that is long")
  func theWakingOfAPeerIsBridged() {
    let result = play([(work: 50, gap: 2), (work: 50, gap: 2), (work: 50, gap: 2), (work: 50, gap: 300)], rounds: 1000)
    #expect(result.sleeps == 0)
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

  @Test func anInterruptionSaysNothing() {
    var budget = SpinBudget()
    budget.failed()
    _ = budget.takesChance()
    #expect(budget.budget(at: instant(100)) == .microseconds(200))
    budget.interrupted(at: instant(150))
    let isChance = budget.takesChance()
    #expect(isChance, "it is no failure")
    #expect(budget.budget(at: instant(150)) == .microseconds(150), "but it took its time")
    budget.failed()
    let chances = [budget.takesChance(), budget.takesChance(), budget.takesChance()]
    #expect(chances == [false, false, true], "and no success")
  }

  /// A timer that is due while the ring looks on is no reason to sleep, then or the next time.
  @Test func aTimerInterrupts() throws {
    let core = try HostCore(arena: Arena(capacity: 1 << 20), blocks: false)
    var asked: [Int64] = []
    func ask(_ nanoseconds: Int64) -> Bool {
      asked.append(nanoseconds)
      return false
    }
    while core.now < .zero + .milliseconds(1) {}
    core.lookOut(until: core.now + .microseconds(30), ask)
    #expect(core.counters.sleeps == 0 && core.counters.looksInVain == 0)
    #expect(asked.allSatisfy { $0 == 0 })
    core.lookOut(until: .distantFuture, ask)
    #expect(core.counters.looksOn == 2 && core.counters.looksInVain == 1)
    #expect(core.counters.sleeps == 1 && asked.last == -1)
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
