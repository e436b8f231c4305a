import ISCSI
import Testing

@testable import Target

@Suite struct ReceivePaceTests {
  /// What a load of `depth` commands of `length` bytes leads to, when all of them come at once.
  private func pace(depth: Int, length: Int = 48) -> ReceivePace {
    var pace = ReceivePace()
    for _ in 0..<200 { pace.received(depth * length, commands: depth, outstanding: depth) }
    return pace
  }

  @Test(arguments: [1, 4, 11]) func aFewCommandsAreTakenAsTheyCome(_ depth: Int) {
    #expect(pace(depth: depth).limit == .max)
  }

  @Test(arguments: [(12, 8), (16, 8), (17, 8), (32, 16), (128, 64)])
  func halfOfWhatIsOutstandingIsTakenAtATime(_ depth: Int, _ commands: Int) {
    #expect(pace(depth: depth).limit == commands * 48)
  }

  @Test func immediateDataCount() {
    let limit = pace(depth: 32, length: 48 + 4096).limit
    #expect(abs(limit - 16 * 4144) <= 16, "\(limit)")
  }

  /// Once the lump is in two, half of it comes at a time, and the depth is still what it is.
  @Test func twoLumpsStayTwo() {
    var pace = pace(depth: 32)
    for turn in 0..<100 { pace.received(16 * 48, commands: 16, outstanding: turn % 2 == 0 ? 32 : 16) }
    #expect(15 * 48...16 * 48 ~= pace.limit, "\(pace.limit)")
  }

  @Test func aLoadThatEndsIsForgotten() {
    var pace = pace(depth: 256)
    for _ in 0..<40 { pace.received(48, commands: 1, outstanding: 1) }
    #expect(pace.limit == .max)
  }

  /// Whatever an initiator makes of its lengths, a receive has room for a few headers.
  @Test func neverLessThanAFewHeaders() {
    var pace = ReceivePace()
    for _ in 0..<1000 { pace.received(1, commands: 255, outstanding: 256) }
    #expect(pace.limit >= 8 * 48)
    for _ in 0..<1000 { pace.received(Int(UInt32.max), commands: 1, outstanding: 1 << 20) }
    #expect(pace.limit > 0)
  }

  /// Sends `count` reads at once, as an initiator that has got all answers so far.
  private func burst(_ initiator: BenchInitiator, _ count: Int, _ expStatSN: inout UInt32) {
    var bytes: [UInt8] = []
    for number in 0..<count {
      var command = initiator.command(read10(number * 8, 8), read: 4096)
      command.header.write { $0.expStatSN = expStatSN }
      bytes += command.encoded(initiator.options)
    }
    initiator.bench.feed(initiator.socket, bytes)
    for pdu in initiator.receive() where pdu.header.read({ $0.hasStatus }) {
      expStatSN = pdu.header.read { $0.statSN } &+ 1
    }
  }

  @Test func aTargetTakesHalfOfALumpWhereThatIsAllThereIs() {
    let bench = WireBench()
    let initiator = TargetMachineTests.session(bench)
    var expStatSN: UInt32 = 3
    for _ in 0..<50 { burst(initiator, 32, &expStatSN) }
    #expect(bench.room(initiator.socket) == 16 * 48)
    for _ in 0..<50 { burst(initiator, 2, &expStatSN) }
    #expect(bench.room(initiator.socket) == 8192, "a quiet connection takes what its buffer holds")
  }
}
