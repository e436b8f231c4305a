import FaultInject
import Ring
import SimClock
import Testing

@testable import simsan

/// How `simsan serve --fault` is read.
@Suite struct FaultRuleTests {
  @Test func aRuleSaysWhatGoesWrongHowOftenAndWhen() throws {
    #expect(try FaultRule("read:error").fault == RingFault(.refuse(.mediumError), on: [.read]))
    #expect(try FaultRule("send+receive:cut").fault == RingFault(.cutShort, on: [.send, .receive]))
    #expect(
      try FaultRule("write:delay=1.5ms,times=3,chance=1/10,after=100").fault
        == RingFault(
          .delay(.microseconds(1500)), on: [.write], chance: Ratio(1, in: 10), after: 100, limit: 3))
  }

  @Test(arguments: [
    ("read", "expected a rule such as read+write:delay=50ms,chance=1/10, found \"read\""),
    ("raed:error", "expected some of accept, receive, send, read, write, flush, discard, zero"),
    ("read:eror", "expected one of error, full, reset, cut, flip, hold, delay, found \"eror\""),
    ("read:", "expected one of error"), ("read+send:error", "expected error of read, write, flush, discard, zero"),
    ("read:delay", "expected a time such as delay=50ms, found \"delay\""),
    ("read:error=5", "expected error without a value, found \"error=5\""),
    ("read:error,chance=10%", "expected a ratio such as chance=1/10, found \"chance=10%\""),
    ("read:error,chance=1/0", "expected a ratio"), ("read:error,times=-1", "expected a number such as times=3"),
    ("read:error,often", "expected chance=N/M, after=N or times=N, found \"often\""),
  ])
  func aMistakeIsTold(text: String, told: String) {
    do throws(UsageError) {
      _ = try FaultRule(text)
      Issue.record("it was taken")
    } catch {
      #expect(error.message.hasPrefix("--fault \(text): ") && error.message.contains(told), "\(error.message)")
    }
  }
}
