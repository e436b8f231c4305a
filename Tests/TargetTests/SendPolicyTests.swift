import ISCSI
import Ring
import Testing

@testable import Target

@Suite struct AdaptiveNagleTests {
  private func period(_ nagle: inout AdaptiveNagle, _ count: Int) -> AdaptiveNagle.Idle {
    _ = nagle.received(count)
    return nagle.becameIdle()
  }

  private func check(
    _ found: AdaptiveNagle.Idle, _ expected: AdaptiveNagle.Idle, location: SourceLocation = #_sourceLocation
  ) {
    #expect(found == expected, sourceLocation: location)
  }

  @Test func manyCommandsInAPeriodSwitchToNagle() {
    var nagle = AdaptiveNagle()
    // 272 in four periods are a mean of (96 + 40) / 2.
    for _ in 0..<3 { check(period(&nagle, 60), .nothing) }
    let isTooFew = nagle.received(91)
    #expect(!isTooFew)
    let isEnough = nagle.received(5)
    #expect(isEnough, "180 before, and 96 now")
    #expect(nagle.isNagle)
    let isNew = nagle.received(1)
    #expect(!isNew, "it is in Nagle mode already")
  }

  @Test func theMeanOfFourPeriodsCountsToo() {
    var nagle = AdaptiveNagle()
    let isTooFew = nagle.received(271)
    #expect(!isTooFew, "one period of 271 is a mean of less than 68")
    let isEnough = nagle.received(1)
    #expect(isEnough)
  }

  @Test func anIdleMomentPushes() {
    var nagle = AdaptiveNagle()
    _ = nagle.received(272)
    check(nagle.becameIdle(), .pushAndReturn)
    #expect(nagle.isNagle)
    check(period(&nagle, 10), .pushAndReturn)
    check(period(&nagle, 10), .pushAndReturn)
    check(period(&nagle, 10), .push)
    #expect(!nagle.isNagle)
    check(period(&nagle, 10), .nothing)
  }

  @Test func aThresholdOfZeroIsNagleWithoutAPush() {
    var nagle = AdaptiveNagle(threshold: 0, margin: 40)
    #expect(nagle.isNagle)
    for count in [0, 1, 500] { check(period(&nagle, count), .nothing) }
    #expect(nagle.isNagle)
  }

  @Test func aThresholdOfOneIsNagleWithAPush() {
    var nagle = AdaptiveNagle(threshold: 1, margin: 0)
    _ = nagle.received(2)
    for _ in 0..<10 { check(period(&nagle, 1), .pushAndReturn) }
    #expect(nagle.isNagle)
  }

  @Test func aThresholdOutOfReachIsNeverNagle() {
    var nagle = AdaptiveNagle(threshold: Int.max / 4, margin: 40)
    for _ in 0..<10 { check(period(&nagle, 1 << 40), .nothing) }
    #expect(!nagle.isNagle)
  }
}

@Suite struct SendPolicyTests {
  /// A session with `count` reads sent at once, its sends noted.
  private func answer(_ policy: SendPolicy, _ count: Int) -> WireBench {
    let bench = WireBench(sendPolicy: policy)
    let initiator = TargetMachineTests.session(bench)
    bench.sends = []
    let bytes = (0..<count).flatMap { initiator.command(read10($0 * 8, 8), read: 4096).encoded(initiator.options) }
    bench.feed(initiator.socket, bytes)
    #expect(initiator.receive().count == count)
    return bench
  }

  private static let answerLength = 48 + 4096

  @Test func batchingSendsAllAnswersAtOnce() {
    let bench = answer(.batching, 8)
    #expect(bench.sends.map(\.length) == [8 * Self.answerLength])
    #expect(bench.noDelays.isEmpty)
  }

  @Test(arguments: [SendPolicy.noDelay, .adaptiveNagle]) func theOthersSendOneByOne(_ policy: SendPolicy) {
    let bench = answer(policy, 8)
    #expect(bench.sends.map(\.length) == Array(repeating: Self.answerLength, count: 8))
    #expect(bench.sends.allSatisfy { !$0.moreToCome })
    #expect(bench.noDelays == [true])
  }

  @Test func aCorkSaysThatMoreAnswersFollow() {
    let bench = answer(.cork, 8)
    #expect(bench.sends.map(\.length) == Array(repeating: Self.answerLength, count: 8))
    #expect(bench.sends.map(\.moreToCome) == Array(repeating: true, count: 7) + [false])
  }

  @Test func aBusyConnectionIsSwitchedToNagleAndPushed() {
    let bench = WireBench(sendPolicy: .adaptiveNagle)
    let initiator = TargetMachineTests.session(bench)
    for _ in 0..<3 {
      let bytes = (0..<150).flatMap { initiator.command(read10($0 * 8, 8), read: 4096).encoded(initiator.options) }
      bench.feed(initiator.socket, bytes)
      #expect(initiator.receive().count == 150)
    }
    #expect(bench.noDelays.contains(false), "\(bench.noDelays)")
    for _ in 0..<5 {
      #expect(initiator.read(read10(0, 8), 4096)?.status == 0)
    }
    #expect(bench.noDelays.last == true, "a quiet connection is without Nagle again")
  }

  @Test func aSocketThatAReceiveHasEmptiedToTheLastByteIsIdle() {
    let bench = WireBench(sendPolicy: .adaptiveNagle)
    let initiator = TargetMachineTests.session(bench)
    func reads(_ length: Int) -> [UInt8] {
      var bytes: [UInt8] = []
      while bytes.count < length { bytes += initiator.command(read10(0, 8), read: 4096).encoded(initiator.options) }
      return bytes
    }
    for _ in 0..<3 {
      bench.feed(initiator.socket, reads(150 * 48))
      #expect(initiator.receive().count == 150)
    }
    bench.noDelays = []
    let room = bench.room(initiator.socket)
    bench.feed(initiator.socket, Array(reads(room)[..<room]))
    #expect(initiator.receive().count == room / 48)
    #expect(bench.noDelays == [true, false], "what Nagle's algorithm holds back is pushed")
  }

  @Test func whileOneTimerIsLateAnotherFullReceiveSetsNone() {
    let bench = WireBench(sendPolicy: .adaptiveNagle)
    let initiator = TargetMachineTests.session(bench)
    let data = TargetMachineTests.pattern(8 * 512)
    let others = bench.timers.count
    bench.holdsTimers = true
    var commands = 0
    var rest: [UInt8] = []
    for _ in 0..<3 {
      let room = bench.room(initiator.socket)
      while rest.count < room {
        rest += initiator.command(write10(0, 8), write: 4096, immediate: data).encoded(initiator.options)
        commands += 1
      }
      bench.feed(initiator.socket, Array(rest[..<room]))
      rest.removeFirst(room)
      #expect(bench.timers.count == others + 1)
    }
    bench.feed(initiator.socket, rest)
    #expect(initiator.receive().count == commands)
    bench.holdsTimers = false
    bench.advance(.zero)
    #expect(bench.timers.count == others)
  }

  @Test(arguments: SendPolicy.allCases) func shortSendsAndLargeDataKeepTheirOrder(_ policy: SendPolicy) {
    let bench = WireBench(sendPolicy: policy)
    bench.sendMax = 1000
    let initiator = TargetMachineTests.session(bench)
    let data = TargetMachineTests.pattern(64 * 512)
    #expect(initiator.write(write10(3, 64), data)?.header.read { $0.status } == 0)
    let bytes = (0..<5).flatMap { _ in initiator.command(read10(3, 64), read: data.count).encoded(initiator.options) }
    bench.feed(initiator.socket, bytes)
    var found: [UInt8] = []
    for pdu in initiator.receive() { found += pdu.data }
    #expect(found == data + data + data + data + data)
    #expect(bench.machine.statistics.tasks == 0)
  }
}
