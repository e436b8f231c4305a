import ISCSI
import Ring
import SCSI
import Testing

@testable import Conformance
@testable import Initiator

/// What the durability model lets a read return, and what it does not.
@Suite struct DurabilityModelTests {
  private static let blockSize = 512

  /// A model of one logical unit, and commands on it in words.
  private final class Bench {
    var model = DurabilityModel()

    init(
      isCacheVolatile: Bool = true, startsZeroed: Bool = true, isLostOnExit: Bool = false,
      readsUnmappedAsZeroes: Bool = true
    ) {
      let unit = UnitFacts(
        lun: 0, blockSize: blockSize, blockCount: 1000, startsZeroed: startsZeroed,
        readsUnmappedAsZeroes: readsUnmappedAsZeroes, isCacheVolatile: isCacheVolatile, isLostOnExit: isLostOnExit)
      model.add([TargetFacts(iqn: "iqn.x:t", portals: [], units: [unit])])
    }

    func data(_ letter: Character, blocks: Int = 1) -> [UInt8] {
      [UInt8](repeating: letter.asciiValue ?? 0, count: blocks * blockSize)
    }

    func begin(_ access: Access) throws -> Int {
      let index = model.begin(access, target: 0, lun: 0, by: .init(name: "iqn.x:a", isid: 1), at: .zero)
      return try #require(index)
    }

    func write(_ letter: Character, lba: UInt64 = 0, blocks: Int = 1, fua: Bool = false) throws -> Int {
      try begin(.write(lba: lba, data: data(letter, blocks: blocks), forceUnitAccess: fua))
    }

    func end(_ index: Int, status: UInt8 = 0, data: [UInt8] = []) throws {
      var outcome = CommandOutcome()
      outcome.status = status
      outcome.dataIn = data
      try finish(index, .command(outcome))
    }

    func finish(_ index: Int, _ outcome: TaskResult.Outcome) throws {
      try model.end(index, outcome)
    }

    func good(_ letter: Character, lba: UInt64 = 0, fua: Bool = false) throws {
      try end(try write(letter, lba: lba, fua: fua))
    }

    func flush() throws { try end(try begin(.flush(lba: 0, blocks: 0))) }

    /// Whether a read may return that content.
    func mayRead(_ letter: Character?, lba: UInt64 = 0) throws -> Bool {
      let copy = model
      defer { model = copy }
      let index = try begin(.read(lba: lba, length: UInt64(blockSize)))
      do {
        try end(index, data: letter.map { data($0) } ?? [UInt8](repeating: 0, count: blockSize))
        return true
      } catch is LuaFailure { return false }
    }

    /// A read that returns that content.
    func read(_ letter: Character, lba: UInt64 = 0) throws {
      try end(try begin(.read(lba: lba, length: UInt64(blockSize))), data: data(letter))
    }
  }

  @Test func whatWasWrittenLastIsRead() throws {
    let bench = Bench()
    #expect(try bench.mayRead(nil))
    #expect(try !bench.mayRead("a"))
    try bench.good("a")
    #expect(try bench.mayRead("a"))
    #expect(try !bench.mayRead(nil))
    try bench.good("b")
    #expect(try !bench.mayRead("a"))
    #expect(try bench.mayRead(nil, lba: 1))
  }

  /// How a command ended, and whether it can have written something nevertheless.
  @Test(
    arguments: [
      (Status.busy, nil, false), (.taskSetFull, nil, false), (.reservationConflict, nil, false),
      (.taskAborted, nil, true),
      (.checkCondition, Sense(.unitAttention, .powerOnOrReset), false),
      (.checkCondition, Sense(.illegalRequest, .invalidFieldInCDB), false),
      (.checkCondition, Sense(.illegalRequest, .logicalBlockAddressOutOfRange), false),
      (.checkCondition, Sense(.illegalRequest, .invalidFieldInParameterList), true),
      (.checkCondition, Sense(.mediumError, .writeError), true),
      (.checkCondition, Sense(.dataProtect, .spaceAllocationFailedWriteProtect), true),
    ] as [(Status, Sense?, Bool)])
  func whatWasRefusedHasWrittenNothing(status: Status, sense: Sense?, mayHaveWritten: Bool) throws {
    let bench = Bench()
    try bench.good("a")
    var outcome = CommandOutcome()
    outcome.status = status.rawValue
    if let sense {
      var bytes = InlineArray<64, UInt8>(repeating: 0)
      let length = sense.encode(descriptor: false, into: &bytes)
      outcome.sense = (0..<length).map { bytes[$0] }
    }
    try bench.finish(try bench.write("b"), .command(outcome))
    #expect(try bench.mayRead("a"))
    #expect(try bench.mayRead("b") == mayHaveWritten)
  }

  @Test func aWriteUnderWayMayBeReadOrNot() throws {
    let bench = Bench()
    try bench.good("a")
    let write = try bench.write("b")
    #expect(try bench.mayRead("a"))
    #expect(try bench.mayRead("b"))
    #expect(try !bench.mayRead("c"))
    try bench.end(write)
    #expect(try !bench.mayRead("a"))
  }

  @Test func ofOverlappingWritesEitherStaysAndAReadSettlesWhich() throws {
    let bench = Bench()
    let (one, two) = (try bench.write("a"), try bench.write("b"))
    try bench.end(two)
    try bench.end(one)
    #expect(try bench.mayRead("a"))
    #expect(try bench.mayRead("b"))
    #expect(try !bench.mayRead(nil))
    try bench.read("b")
    #expect(try bench.mayRead("b"))
    #expect(try !bench.mayRead("a"))
  }

  @Test func aFailedWriteMayHaveHappenedOrNot() throws {
    let bench = Bench()
    try bench.good("a")
    try bench.end(try bench.write("b"), status: 2)
    #expect(try bench.mayRead("a"))
    #expect(try bench.mayRead("b"))
    try bench.good("c")
    #expect(try !bench.mayRead("b"))
  }

  @Test(arguments: [UInt8(0x18), 0x28, 0x30])
  func aWriteThatWasRefusedHasNotHappened(status: UInt8) throws {
    let bench = Bench()
    let first = try bench.write("a")
    try bench.end(first, status: status)
    #expect(try bench.mayRead(nil))
    #expect(try !bench.mayRead("a"))
    try bench.good("b")
    let second = try bench.write("c")
    #expect(try bench.mayRead("c"))
    try bench.end(second, status: status)
    #expect(try !bench.mayRead("c"))
    bench.model.powerCut([0])
    #expect(try bench.mayRead("b"))
    #expect(try bench.mayRead(nil))
    #expect(try !bench.mayRead("a"))
    #expect(try !bench.mayRead("c"))
  }

  @Test func aPowerCutMayLoseWhatWasNotFlushed() throws {
    let bench = Bench()
    try bench.good("a")
    try bench.flush()
    try bench.good("b")
    try bench.good("c")
    bench.model.powerCut([0])
    #expect(try bench.mayRead("a"))
    #expect(try bench.mayRead("b"))
    #expect(try bench.mayRead("c"))
    #expect(try !bench.mayRead(nil))
    // What is there has been there since; a second cut changes nothing.
    try bench.read("b")
    #expect(try !bench.mayRead("c"))
    bench.model.powerCut([0])
    #expect(try bench.mayRead("b"))
    #expect(try !bench.mayRead("a"))
    #expect(try !bench.mayRead("c"))
  }

  @Test func whatWasWrittenWithFUAOrThroughSurvives() throws {
    let bench = Bench()
    try bench.good("a", fua: true)
    bench.model.powerCut([0])
    #expect(try bench.mayRead("a"))
    #expect(try !bench.mayRead(nil))
    let through = Bench(isCacheVolatile: false)
    try through.good("a")
    through.model.powerCut([0])
    #expect(try !through.mayRead(nil))
  }

  @Test func aFlushCoversOnlyWhatHadEndedWhenItBegan() throws {
    let bench = Bench()
    let write = try bench.write("a")
    let flush = try bench.begin(.flush(lba: 0, blocks: 0))
    try bench.end(write)
    try bench.end(flush)
    bench.model.powerCut([0])
    #expect(try bench.mayRead(nil))
    #expect(try bench.mayRead("a"))
  }

  @Test func aFlushAfterACrashSaysNothingAboutWhatWasThereBefore() throws {
    let bench = Bench()
    try bench.good("a")
    bench.model.powerCut([0])
    try bench.flush()
    bench.model.powerCut([0])
    #expect(try bench.mayRead("a"))
    #expect(try bench.mayRead(nil))
  }

  @Test func aWriteAfterACrashReplacesAllThatTheCrashLeft() throws {
    let bench = Bench()
    try bench.good("a")
    bench.model.powerCut([0])
    try bench.good("b")
    #expect(try bench.mayRead("b"))
    #expect(try !bench.mayRead("a"))
    #expect(try !bench.mayRead(nil))
  }

  @Test func theEndOfTheProgramLosesNothingThatEnded() throws {
    let bench = Bench()
    try bench.good("a")
    let write = try bench.write("b")
    bench.model.exit([0])
    try bench.finish(write, .connectionLost)
    #expect(try bench.mayRead("a"))
    #expect(try bench.mayRead("b"))
    #expect(try !bench.mayRead(nil))
    let memory = Bench(isLostOnExit: true)
    try memory.good("a")
    memory.model.exit([0])
    #expect(try memory.mayRead(nil))
    #expect(try !memory.mayRead("a"))
  }

  @Test func aLostWriteMayStillHappenUntilTheSessionIsReplaced() throws {
    let bench = Bench()
    try bench.finish(try bench.write("a"), .connectionLost)
    try bench.good("b")
    #expect(try bench.mayRead("a"))
    let other = Bench()
    try other.finish(try other.write("a"), .connectionLost)
    other.model.reinstated(.init(name: "iqn.x:a", isid: 1), target: 0)
    try other.good("b")
    #expect(try !other.mayRead("a"))
  }

  @Test func unmapLeavesZeroesOrWhatWasThere() throws {
    let bench = Bench()
    try bench.good("a")
    try bench.good("b", lba: 5)
    try bench.end(try bench.begin(.unmap([(0, 1), (5, 1)])))
    for (lba, letter) in [(UInt64(0), Character("a")), (5, "b")] {
      #expect(try bench.mayRead(nil, lba: lba))
      #expect(try bench.mayRead(letter, lba: lba))
      #expect(try !bench.mayRead("c", lba: lba))
    }
    try bench.good("d", lba: 5)
    #expect(try !bench.mayRead(nil, lba: 5))
  }

  @Test func withoutLBPRZUnmapLeavesAnything() throws {
    let bench = Bench(readsUnmappedAsZeroes: false)
    try bench.good("a")
    try bench.end(try bench.begin(.unmap([(0, 1)])))
    for letter in [nil, "a", "x"] as [Character?] { #expect(try bench.mayRead(letter)) }
    #expect(try !bench.mayRead("x", lba: 1))
    try bench.good("b")
    #expect(try !bench.mayRead("x"))
  }

  @Test func writeSameFillsEveryBlock() throws {
    let bench = Bench()
    try bench.end(try bench.begin(.same(lba: 10, blocks: 4, block: bench.data("s"))))
    #expect(try bench.mayRead("s", lba: 13))
    #expect(try !bench.mayRead(nil, lba: 13))
    #expect(try bench.mayRead(nil, lba: 14))
  }

  @Test func whatIsNotKnownMayBeAnything() throws {
    let bench = Bench(startsZeroed: false)
    #expect(try bench.mayRead("x"))
    try bench.good("a")
    #expect(try !bench.mayRead("x"))
    try bench.end(try bench.begin(.unknown(lba: 0, blocks: 1)))
    #expect(try bench.mayRead("x"))
  }

  private func mediumError() -> TaskResult.Outcome {
    var outcome = CommandOutcome()
    outcome.status = 2
    outcome.sense = [0x70, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x0C, 0, 0, 0, 0, 0]
    return .command(outcome)
  }

  @Test func afterAFailedFlushWhatWasCachedMayBeGone() throws {
    let bench = Bench()
    try bench.good("a")
    try bench.flush()
    try bench.good("b")
    try bench.finish(try bench.begin(.flush(lba: 0, blocks: 0)), mediumError())
    #expect(try bench.mayRead("a"))
    #expect(try bench.mayRead("b"))
  }

  @Test func afterAFailedFlushWhatWasReadBeforeMayBeGone() throws {
    let bench = Bench()
    try bench.good("a")
    try bench.flush()
    try bench.good("b")
    try bench.read("b")
    let flush = try bench.begin(.flush(lba: 0, blocks: 0))
    let reading = try bench.begin(.read(lba: 0, length: 512))
    try bench.finish(flush, mediumError())
    try bench.end(reading, data: bench.data("b"))
    #expect(try bench.mayRead("a"), "what was read while it failed may have been read before")
    #expect(try bench.mayRead("b"))
    try bench.read("a")
    #expect(try !bench.mayRead("b"), "a read after it has settled the matter")
  }

  @Test func aWriteUnderWayWhenAFlushFailsMayBeGone() throws {
    let bench = Bench()
    try bench.good("a", fua: true)
    let (write, stable) = (try bench.write("b"), try bench.write("c", lba: 1, fua: true))
    try bench.finish(try bench.begin(.flush(lba: 0, blocks: 0)), mediumError())
    try bench.end(write)
    try bench.end(stable)
    #expect(try bench.mayRead("a"))
    #expect(try bench.mayRead("b"))
    #expect(try !bench.mayRead(nil, lba: 1))
    try bench.good("d")
    #expect(try !bench.mayRead("a"))
  }

  @Test(arguments: [false, true])
  func aFlushWithoutAnAnswerMayHaveFailed(wasAborted: Bool) throws {
    let bench = Bench()
    try bench.good("a", fua: true)
    try bench.good("b")
    try bench.read("b")
    let flush = try bench.begin(.flush(lba: 0, blocks: 0))
    if wasAborted {
      try bench.finish(flush, .aborted(by: TaskID(0)))
    } else {
      try bench.finish(flush, .connectionLost)
      bench.model.reinstated(.init(name: "iqn.x:a", isid: 1), target: 0)
    }
    #expect(try bench.mayRead("a"))
    #expect(try bench.mayRead("b"))
    #expect(try !bench.mayRead(nil))
  }

  @Test func manyOverwritesDoNotAddUp() throws {
    let bench = Bench()
    for round in 0..<2000 {
      try bench.good(round % 2 == 0 ? "a" : "b")
      if round % 10 == 9 { try bench.flush() }
    }
    #expect(try bench.mayRead("b"))
    #expect(try !bench.mayRead("a"))
  }

  @Test(arguments: [0, 512, 1023, 1536])
  func aGoodReadBringsAllThatIsExpected(length: Int) throws {
    let bench = Bench()
    try bench.end(try bench.begin(.read(lba: 7, length: 1024)), data: [UInt8](repeating: 0, count: 1024))
    #expect {
      try bench.end(try bench.begin(.read(lba: 7, length: 1024)), data: [UInt8](repeating: 0, count: length))
    } throws: { error in
      (error as? LuaFailure)?.message.contains("expected: 1024 bytes\ncame: \(length) bytes") == true
    }
    try bench.end(try bench.begin(.read(lba: 7, length: 1024)), status: 2)
  }

  @Test(arguments: [(4096, UInt64(4096)), (8192, 4096), (1000, 1000), (0, 0)])
  func aReadBringsWhatIsAskedForAndNoMoreThanIsTaken(expected: Int, length: UInt64) throws {
    let unit = UnitFacts(lun: 0, blockSize: 512, blockCount: 1000)
    let cdb = CDBLayout.named("read10")?.encode([("lba", 5), ("blocks", 8)]) ?? []
    guard case .read(5, length)? = Access.of(cdb, dataOut: [], expectedDataIn: expected, unit: unit) else {
      Issue.record("it is no read of \(length) bytes at 5")
      return
    }
  }

  @Test func theMessageNamesWhatWasExpectedAndWhatCame() throws {
    let bench = Bench()
    try bench.good("a", lba: 7)
    try bench.good("b", lba: 7)
    do {
      try bench.read("a", lba: 7)
      Issue.record("an overwritten content was taken")
    } catch let failure as LuaFailure {
      #expect(failure.message.contains("LBA 7"))
      #expect(failure.message.contains("expected one of:\n  write 2 of LBA 7, 1 blocks"))
      #expect(failure.message.contains("came: write 1 of LBA 7"))
    }
  }
}
