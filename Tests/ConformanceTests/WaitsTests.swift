import Ring
import Testing

@testable import Conformance

/// Which of the actors that wait are asked, and in which order.
@Suite struct WaitsTests {
  private func wait(until deadline: UInt64) -> Waits.Wait {
    Waits.Wait(
      actor: LuaActor(number: 0), deadline: Instant(nanoseconds: deadline), what: "\(deadline)",
      poll: { () throws(LuaFailure) in nil }, timeout: { () throws(LuaFailure) in [] })
  }

  @Test func onlyThoseAreAskedForWhomSomethingHasHappened() {
    var waits = Waits()
    var (one, other): ([Int], [Int]) = ([], [])
    let first = waits.add(wait(until: 100), on: .time)
    let second = waits.add(wait(until: 100), on: .time)
    waits.join(second, &one)
    let third = waits.add(wait(until: 100), on: .anything)
    let fourth = waits.add(wait(until: 100), on: .time)
    waits.join(fourth, &one)
    waits.join(fourth, &other)
    #expect(waits.takeStirred(at: .zero) == [third])
    waits.stir(&one)
    waits.end(first)
    #expect(waits.takeStirred(at: .zero) == [second, third, fourth], "in the order in which they began")
    #expect(waits.takeStirred(at: .zero) == [third])
    waits.end(second)
    waits.end(third)
    waits.stir(&one)
    #expect(one == [fourth])
    #expect(waits.takeStirred(at: .zero) == [fourth])
    waits.end(fourth)
    waits.stir(&other)
    #expect(other == [] && waits.isEmpty)
    #expect(waits.takeStirred(at: .zero) == [])
  }

  @Test func theEarliestDeadlineIsThatOfOneThatStillWaits() {
    var waits = Waits()
    let numbers = [30, 10, 20].map { waits.add(wait(until: $0), on: .time) }
    #expect(waits.nextDeadline() == Instant(nanoseconds: 10))
    waits.end(numbers[1])
    #expect(waits.nextDeadline() == Instant(nanoseconds: 20))
    #expect(waits.takeStirred(at: Instant(nanoseconds: 19)) == [])
    #expect(waits.takeStirred(at: Instant(nanoseconds: 30)) == [numbers[0], numbers[2]])
    #expect(waits.all.map(\.what) == ["30", "20"])
  }

  @Test func whatHasEndedIsNotKeptByWhatItWaitedFor() {
    var waits = Waits()
    var waiters: [Int] = []
    for _ in 0..<100 {
      let number = waits.add(wait(until: 1), on: .time)
      waits.join(number, &waiters)
      waits.end(number)
    }
    #expect(waiters.count == 1)
  }
}
