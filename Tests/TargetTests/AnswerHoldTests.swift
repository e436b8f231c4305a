import ISCSI
import Ring
import Testing

@testable import Target

@Suite struct AnswerHoldTests {
  private static let patience = AnswerHold.patience

  // MARK: By itself

  @Test func itWaitsForAnInitiatorThatGoesOn() {
    var hold = AnswerHold()
    let begins = hold.begins(at: .zero, expStatSN: 7)
    #expect(begins && hold.deadline == Instant.zero + Self.patience)
    let later = Instant.zero + .microseconds(30)
    hold.continues(at: later, expStatSN: 7)
    #expect(hold.deadline == Instant.zero + Self.patience, "commands that were sent before show nothing")
    hold.continues(at: later, expStatSN: 8)
    #expect(hold.deadline == later + Self.patience)
    hold.ends()
    #expect(hold.deadline == nil)
    let beginsAgain = hold.begins(at: later, expStatSN: 9)
    #expect(beginsAgain, "it was right, so the next chance is taken")
  }

  @Test func chancesArePassedOverAfterFailures() {
    var hold = AnswerHold()
    func chancesPassedOver() -> Int {
      var count = 0
      while !hold.begins(at: .zero, expStatSN: 1) { count += 1 }
      return count
    }
    for expected in [0, 1, 2, 4, 8, 16, 32, 64, 64] {
      #expect(chancesPassedOver() == expected)
      hold.ends()
    }
    #expect(chancesPassedOver() == 64)
    hold.continues(at: .zero, expStatSN: 2)
    hold.ends()
    for expected in [0, 1, 2] {
      #expect(chancesPassedOver() == expected, "a success makes up for all failures")
      hold.ends()
    }
  }

  @Test func theEndOfALumpIsWhatIsLeftOfTheQueue() {
    var hold = AnswerHold()
    #expect(hold.room(of: 200_000) == .max)
    hold.holdsEnd()
    #expect(hold.room(of: 200_000) == 200_000 - AnswerHold.endLength)
    #expect(hold.room(of: AnswerHold.endLength + 1) == 1)
    #expect(hold.room(of: AnswerHold.endLength) == .max)
    #expect(hold.held == .nothing && hold.deadline == nil)
    let takesEnd = hold.takesEnd(at: .zero)
    #expect(takesEnd && hold.held == .endOfLump && hold.deadline == Instant.zero + Self.patience)
    let takesMore = hold.takesEnd(at: .zero)
    #expect(!takesMore, "what is queued afterwards waits for nothing")
    hold.goesOn()
    #expect(hold.held == .nothing && hold.deadline == nil)
    hold.holdsEnd()
    hold.goesOn()
    #expect(hold.room(of: 200_000) == .max, "what comes with new commands makes another lump")
  }

  // MARK: In a target

  /// An initiator that keeps 32 commands outstanding, and sends all of them when it has got all answers.
  private final class Load {
    let bench: WireBench
    let initiator: BenchInitiator
    private var expStatSN: UInt32 = 3
    var depth = 32
    var blocks = 1
    var writes = false
    /// Each command comes by itself.
    var oneAtATime = false

    init(
      _ bench: WireBench = WireBench(), at address: SocketAddress = SocketAddress(127, 0, 0, 1, port: 999)
    ) {
      self.bench = bench
      bench.remoteAddress = address
      initiator = TargetMachineTests.session(bench, [("MaxRecvDataSegmentLength", "262144")])
      bench.noDelays = []
      bench.sends = []
    }

    func go(_ rounds: Int, then pause: Interval = .zero) {
      for _ in 0..<rounds {
        var bytes: [UInt8] = []
        for number in 0..<depth {
          let lba = number * blocks
          var command =
            writes
            ? initiator.command(
              write10(lba, blocks), write: blocks * 512, immediate: Array(repeating: 1, count: blocks * 512))
            : initiator.command(read10(lba, blocks), read: blocks * 512)
          command.header.write { $0.expStatSN = expStatSN }
          bytes += command.encoded(initiator.options)
          guard oneAtATime else { continue }
          bench.feed(initiator.socket, bytes)
          bytes = []
        }
        bench.feed(initiator.socket, bytes)
        let answers = initiator.receive()
        #expect(answers.count == depth)
        if let last = answers.last { expStatSN = last.header.read { $0.statSN } &+ 1 }
        if pause > .zero { bench.advance(pause) }
      }
    }
  }

  @Test func shortAnswersWaitForTheOnesBeforeThem() {
    let load = Load()
    load.go(10)
    #expect(load.bench.noDelays == [false])
    load.go(200)
    let changes = load.bench.noDelays
    #expect(changes.count >= 5, "it ends from time to time: \(changes)")
    #expect(changes == changes.indices.map { $0 % 2 == 1 })
  }

  @Test func nothingWaitsForAnInitiatorThatStops() {
    let load = Load()
    load.go(10)
    load.bench.advance(.microseconds(99))
    #expect(load.bench.noDelays == [false])
    load.bench.advance(.microseconds(1))
    #expect(load.bench.noDelays == [false, true])
  }

  @Test func anInitiatorThatPausesIsSeldomKeptWaiting() {
    let load = Load()
    load.go(200, then: .milliseconds(1))
    let holds = load.bench.noDelays.count { !$0 }
    #expect(4...9 ~= holds, "\(load.bench.noDelays)")
    #expect(load.bench.noDelays.count { $0 } == holds)
  }

  @Test func theTimerOfOneThatGoesOnMovesOn() {
    let load = Load()
    load.go(40, then: .microseconds(60))
    #expect(load.bench.noDelays == [false])
    load.bench.advance(.milliseconds(1))
    #expect(load.bench.noDelays == [false, true])
  }

  // MARK: Lumps

  private static func longLoad(_ bench: WireBench = WireBench(), at host: UInt8 = 127) -> Load {
    let load = Load(bench, at: SocketAddress(host, 0, 0, 1, port: 999))
    load.depth = 8
    load.blocks = 128
    return load
  }

  /// Of 8 answers of 64 KiB, each with its header.
  private static let lumpLength = 8 * (48 + 65536)

  @Test func theEndOfALumpWaitsUntilTheInitiatorGoesOn() {
    let load = Self.longLoad()
    load.go(3)
    #expect(load.bench.sends.map(\.length) == (0..<6).map { $0 % 2 == 0 ? Self.lumpLength - 16_384 : 16_384 })
    #expect(load.bench.sends.map(\.moreToCome) == (0..<6).map { $0 % 2 == 1 })
    load.bench.advance(.microseconds(99))
    #expect(load.bench.noDelays.isEmpty)
    load.bench.advance(.microseconds(1))
    #expect(load.bench.noDelays == [true], "setting TCP_NODELAY sends what waits")
  }

  @Test func anInitiatorThatWaitsForAllAnswersIsSeldomKeptWaiting() {
    let load = Self.longLoad()
    load.go(200, then: .milliseconds(1))
    let holds = load.bench.sends.count(where: \.moreToCome)
    #expect(4...9 ~= holds, "\(load.bench.sends)")
    #expect(load.bench.noDelays == Array(repeating: true, count: holds))
  }

  @Test func theTimerOfLumpsMovesOn() {
    let load = Self.longLoad()
    load.go(40, then: .microseconds(60))
    #expect(load.bench.sends.count(where: \.moreToCome) == 40)
    #expect(load.bench.noDelays.isEmpty)
  }

  @Test func aLumpThatTheSocketTakesInPartsHasItsEnd() {
    let load = Self.longLoad()
    load.bench.sendMax = 100_000
    load.go(1)
    #expect(load.bench.sends.map(\.moreToCome) == [false, false, false, false, false, false, true])
    #expect(load.bench.sends.last?.length == 16_384)
  }

  @Test(arguments: [
    "another host", "one by one", "a few commands", "many commands", "two segments", "one at a time",
  ]) func otherwiseNoEndWaits(_ what: String) {
    let load =
      switch what {
      case "another host": Self.longLoad(at: 10)
      case "one by one": Self.longLoad(WireBench(sendPolicy: .noDelay))
      default: Self.longLoad()
      }
    switch what {
    case "a few commands": load.depth = 5
    case "many commands": load.depth = 12
    case "two segments": load.blocks = 31
    case "one at a time":
      load.oneAtATime = true
      load.blocks = 512
    default: break
    }
    load.go(20)
    #expect(load.bench.sends.count >= 20)
    #expect(load.bench.sends.allSatisfy { !$0.moreToCome })
    #expect(load.bench.noDelays.isEmpty)
  }

  // MARK: Neither

  @Test(arguments: [
    "another host", "long answers", "writes", "a few commands", "one by one",
  ]) func otherwiseNothingWaits(_ what: String) {
    let load =
      switch what {
      case "another host": Load(at: SocketAddress(10, 0, 0, 7, port: 999))
      case "one by one": Load(WireBench(sendPolicy: .noDelay))
      default: Load()
      }
    switch what {
    case "long answers": load.blocks = 8
    case "writes":
      load.blocks = 4
      load.writes = true
    case "a few commands": load.depth = 8
    default: break
    }
    load.go(100)
    #expect(load.bench.noDelays.isEmpty)
  }

  @Test func answersOfAMediumGoWhenTheyAreThere() {
    let unit = LogicalUnitConfiguration(lun: 0, blockCount: 8192, backing: .medium(Handle(9), alignment: 1))
    let load = Load(WireBench(units: [unit], mediumLength: 8192 * 512))
    load.go(100)
    #expect(load.bench.noDelays.isEmpty)
  }

  @Test func aConnectionMayEndMeanwhile() {
    let load = Load()
    load.go(10)
    load.bench.drop(load.initiator.socket)
    load.bench.advance(.milliseconds(1))
    #expect(load.bench.isClosed(load.initiator.socket))
    #expect(load.bench.noDelays == [false])
  }
}
