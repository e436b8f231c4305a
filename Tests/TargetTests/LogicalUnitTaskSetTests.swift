import Ring
import SCSI
import Testing

@testable import Target

/// The order of tasks, range locks, unit attentions, reservations.
@Suite struct LogicalUnitTaskSetTests {
  private let read = blockCDB(0x28, 0, 1)

  /// Submits again what may go, and returns who that was.
  private func release(_ bench: LogicalUnitBench, _ tasks: [LogicalUnitBench.Task]) -> [TaskIndex] {
    var released: [TaskIndex] = []
    while let index = bench.unit.takeReady() {
      released.append(index)
      if let task = tasks.first(where: { $0.command.task == index }) { bench.retry(task) }
    }
    return released
  }

  @Test func anOrderedTaskWaitsForOlderOnesAndHoldsBackYoungerOnes() {
    let bench = LogicalUnitBench()
    let first = bench.submit(read)
    let second = bench.submit(read)
    let ordered = bench.submit(read, attribute: .ordered)
    let last = bench.submit(read)
    #expect([first, second, ordered, last].map(\.disposition) == [.pending, .pending, .blocked, .blocked])
    #expect(bench.finish(first).status == .good)
    #expect(release(bench, [ordered, last]) == [])
    #expect(bench.finish(second).status == .good)
    #expect(release(bench, [ordered, last]) == [ordered.command.task])
    #expect(ordered.disposition == .pending && last.disposition == .blocked)
    #expect(bench.finish(ordered).status == .good)
    #expect(release(bench, [last]) == [last.command.task])
    #expect(bench.finish(last).status == .good)
  }

  @Test func aHeadOfQueueTaskOvertakesAndHoldsBackWhatComesAfter() {
    let bench = LogicalUnitBench()
    let first = bench.submit(read)
    let ordered = bench.submit(read, attribute: .ordered)
    let head = bench.submit(read, attribute: .headOfQueue)
    let last = bench.submit(read)
    #expect([ordered, head, last].map(\.disposition) == [.blocked, .pending, .blocked])
    _ = bench.finish(first)
    #expect(release(bench, [ordered, last]) == [])
    _ = bench.finish(head)
    #expect(release(bench, [ordered, last]) == [ordered.command.task])
    _ = bench.finish(ordered)
    #expect(release(bench, [last]) == [last.command.task])
    _ = bench.finish(last)
  }

  @Test func whatEndsWhereItBeganIsNotInTheTaskSet() {
    let bench = LogicalUnitBench(.memory)
    let passing = bench.submit(read, stays: false)
    #expect(passing.disposition == .finished && !passing.command.isInTaskSet)
    _ = bench.leave(passing)

    // One that stays, as its status has not gone out yet, holds an ordered one up, and that what comes after it.
    let staying = bench.submit(read)
    #expect(staying.disposition == .finished && staying.command.isInTaskSet)
    let ordered = bench.submit(read, attribute: .ordered, stays: false)
    let last = bench.submit(read, stays: false)
    #expect(ordered.disposition == .blocked && last.disposition == .blocked)
    _ = bench.leave(staying)
    #expect(release(bench, [ordered, last]) == [ordered.command.task])
    #expect(ordered.disposition == .finished && ordered.command.isInTaskSet)
    _ = bench.leave(ordered)
    #expect(release(bench, [last]) == [last.command.task])
    #expect(last.disposition == .finished)
    _ = bench.leave(last)
    #expect(bench.submit(read, stays: false).command.isInTaskSet == false)
  }

  @Test func anAbortedDormantTaskIsPassedOver() {
    let bench = LogicalUnitBench()
    let first = bench.submit(read)
    let ordered = bench.submit(read, attribute: .ordered)
    let last = bench.submit(read)
    _ = bench.leave(ordered)
    #expect(release(bench, [last]) == [last.command.task])
    #expect(bench.finish(last).status == .good)
    _ = bench.finish(first)
    #expect(bench.run(read).status == .good)
  }

  @Test func tasksThatAreAbortedWhileTheyWaitAreForgotten() {
    let bench = LogicalUnitBench()
    let ordered = bench.submit(read, attribute: .ordered)
    let first = bench.submit(read)
    for _ in 0..<1000 {
      let aborted = bench.submit(read)
      #expect(aborted.disposition == .blocked)
      _ = bench.leave(aborted)
    }
    let last = bench.submit(read)
    #expect(bench.unit.tasks.dormant.count < 100)
    _ = bench.finish(ordered)
    #expect(release(bench, [first, last]) == [first.command.task, last.command.task])
    #expect(bench.finish(last).status == .good)
    #expect(bench.finish(first).status == .good)
  }

  @Test func whatMayBeAskedAtAnyTimeOvertakes() {
    let bench = LogicalUnitBench()
    let first = bench.submit(read)
    let ordered = bench.submit(read, attribute: .ordered)
    #expect(bench.run([0x12, 0, 0, 0, 36, 0]).status == .good)
    #expect(bench.run([0x03, 0, 0, 0, 18, 0]).status == .good)
    #expect(bench.run([0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0]).status == .good)
    _ = bench.finish(first)
    _ = release(bench, [ordered])
    #expect(bench.finish(ordered).status == .good)
  }

  @Test func anACATaskWithoutACAIsRefused() {
    let outcome = LogicalUnitBench().run(read, attribute: .aca)
    #expect(outcome.sense == Sense(.illegalRequest, .invalidMessageError))
  }

  @Test func compareAndWriteExcludesOthersFromItsBlocksOnly() {
    let bench = LogicalUnitBench()
    let zero = [UInt8](repeating: 0, count: 512)
    let older = bench.submit(blockCDB(0x2A, 4, 2), pattern(1024))
    _ = bench.step(older)
    let compare = bench.submit(compareAndWrite(5, 1), zero + pattern(512))
    _ = bench.step(compare)
    // The older write is at work on the same block.
    #expect(compare.disposition == .blocked)
    // What is younger and overlaps waits behind it; what does not, does not.
    let overlapping = bench.submit(blockCDB(0x28, 0, 8))
    let beside = bench.submit(blockCDB(0x28, 6, 8))
    let rival = bench.submit(compareAndWrite(5, 1), zero + pattern(512))
    _ = bench.step(rival)
    #expect([overlapping, beside, rival].map(\.disposition) == [.blocked, .pending, .blocked])
    _ = bench.finish(older)
    #expect(release(bench, [compare, overlapping, rival]).contains(compare.command.task))
    #expect([compare, overlapping, rival].map(\.disposition) == [.pending, .blocked, .blocked])
    // It compares with what the older write has left.
    #expect(bench.finish(compare).additional == .miscompareDuringVerify)
    _ = release(bench, [overlapping, rival])
    #expect([overlapping, rival].map(\.disposition) == [.pending, .blocked])
    _ = bench.finish(overlapping)
    _ = release(bench, [rival])
    #expect(bench.finish(rival).additional == .miscompareDuringVerify)
    _ = bench.finish(beside)
    #expect(bench.leakedBuffers == 0)
  }

  /// What is compared with may not change, nor be looked at, before it is written.
  @Test(arguments: [
    blockCDB(0x2F, 0, 8), blockCDB(0x2F, 5, 1, flags: 0x02), blockCDB(0x41, 0, 8), blockCDB(0x41, 5, 1, flags: 0x08),
    [0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0],
  ])
  func everyCommandThatOverlapsACompareAndWriteWaitsForIt(cdb: [UInt8]) {
    let bench = LogicalUnitBench { $0.isThin = true }
    let compare = bench.submit(compareAndWrite(5, 1), [UInt8](repeating: 0, count: 512) + pattern(512))
    _ = bench.step(compare)
    // A list of one range, or a block.
    let list: [UInt8] = [0, 22, 0, 16, 0, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 4] + [0, 0, 0, 2, 0, 0, 0, 0]
    let isUnmap = cdb[0] == 0x42
    let other = bench.submit(cdb, isUnmap ? list : pattern(512))
    if other.disposition != .blocked { _ = bench.step(other) }
    #expect(other.disposition == .blocked)
    #expect(bench.finish(compare).status == .good)
    #expect(release(bench, [other]) == [other.command.task])
    #expect(bench.finish(other).status == .good)
    #expect(bench.leakedBuffers == 0)
  }

  /// Whichever of its ranges it is, and whichever comes first.
  @Test(arguments: [[1, 5], [5, 1000], [1000, 5], [1000, 5, 1500]] as [[UInt64]])
  func anUnmapWaitsForWhoIsAtWorkOnAnyOfItsRanges(blocks: [UInt64]) {
    let bench = LogicalUnitBench { $0.isThin = true }
    let compare = bench.submit(compareAndWrite(5, 1), [UInt8](repeating: 0, count: 512) + pattern(512))
    _ = bench.step(compare)
    var list: [UInt8] = [0, 0, 0, UInt8(16 * blocks.count), 0, 0, 0, 0]
    for lba in blocks {
      list.append64(lba)
      list += [0, 0, 0, 1, 0, 0, 0, 0]
    }
    let unmap = bench.submit([0x42, 0, 0, 0, 0, 0, 0, 0, UInt8(list.count), 0], list)
    _ = bench.step(unmap)
    #expect(unmap.disposition == .blocked)
    #expect(bench.finish(compare).status == .good)
    #expect(release(bench, [unmap]) == [unmap.command.task])
    #expect(bench.finish(unmap).status == .good)
    #expect(bench.bytes[5 * 512..<6 * 512].allSatisfy { $0 == 0 })
  }

  /// Nobody writes between the write and the look at it, nor reads what may have to be written again.
  @Test func whatIsWrittenAndVerifiedIsLeftAlone() {
    let bench = LogicalUnitBench()
    let verified = bench.submit(blockCDB(0x8E, 5, 1, flags: 0x02), pattern(512))
    _ = bench.step(verified)
    _ = bench.step(verified)
    #expect(bench.log == ["write 2560+512 fua"])
    let write = bench.submit(blockCDB(0x2A, 5, 1), pattern(512, seed: 2))
    _ = bench.step(write)
    let beside = bench.submit(blockCDB(0x28, 6, 1))
    #expect([verified, write, beside].map(\.disposition) == [.pending, .blocked, .pending])
    #expect(bench.finish(verified).status == .good)
    #expect(release(bench, [write]) == [write.command.task])
    #expect(bench.finish(write).status == .good)
    _ = bench.finish(beside)
  }

  @Test func anAbortedCompareAndWriteLetsOthersGo() {
    let bench = LogicalUnitBench()
    let older = bench.submit(blockCDB(0x28, 0, 1))
    let compare = bench.submit(compareAndWrite(0, 1), pattern(1024))
    _ = bench.step(compare)
    let waiting = bench.submit(blockCDB(0x28, 0, 1))
    #expect([compare, waiting].map(\.disposition) == [.blocked, .blocked])
    _ = bench.leave(compare)
    #expect(release(bench, [waiting]) == [waiting.command.task])
    _ = bench.finish(waiting)
    _ = bench.finish(older)
    #expect(bench.leakedBuffers == 0)
  }

  @Test func whoeverWaitsForMemoryHoldsNoBlocks() {
    let bench = LogicalUnitBench()
    let compare = bench.submit(compareAndWrite(0, 8), [UInt8](repeating: 0, count: 4096) + pattern(4096))
    // All memory goes to those who want the same blocks.
    var held: [Extent] = []
    let reserved = bench.context.buffers.allocate(8192)
    while let extent = bench.context.buffers.allocate(4096) { held.append(extent) }
    reserved.map { bench.context.buffers.free($0) }
    _ = bench.step(compare)
    #expect(compare.disposition == .starved)
    held.popLast().map { bench.context.buffers.free($0) }
    let read = bench.submit(read)
    #expect(read.disposition == .pending)
    for extent in held { bench.context.buffers.free(extent) }
    bench.retry(compare)
    #expect(compare.disposition == .blocked)
    #expect(bench.finish(read).status == .good)
    #expect(release(bench, [compare]) == [compare.command.task])
    #expect(bench.finish(compare).status == .good)
    #expect(bench.leakedBuffers == 0)
  }

  @Test func eachNexusMeetsOneUnitAttentionAtPowerOn() {
    let bench = LogicalUnitBench(nexuses: [])
    bench.unit.nexusEstablished(0)
    bench.unit.nexusEstablished(1)
    // INQUIRY and REPORT LUNS neither report nor clear it.
    #expect(bench.run([0x12, 0, 0, 0, 36, 0]).status == .good)
    #expect(bench.run([0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0]).status == .good)
    #expect(bench.run([0]).sense == Sense(.unitAttention, .powerOnOrReset))
    #expect(bench.run([0]).status == .good)
    // REQUEST SENSE returns and clears it.
    let sensed = bench.run([0x03, 0, 0, 0, 252, 0], nexus: 1)
    #expect(sensed.status == .good)
    #expect(Sense(decoding: sensed.data) == Sense(.unitAttention, .powerOnOrReset))
    #expect(bench.run([0], nexus: 1).status == .good)
  }

  /// "Power on, reset, or bus device reset occurred" says of a reset all that there is to say.
  @Test func aResetBehindPowerOnIsToldWithIt() {
    let bench = LogicalUnitBench(nexuses: [])
    bench.unit.nexusEstablished(0)
    bench.unit.reset()
    #expect(bench.run([0]).sense == Sense(.unitAttention, .powerOnOrReset))
    #expect(bench.run([0]).status == .good)
  }

  @Test func aUnitAttentionComesBeforeAnUnknownCommand() {
    let bench = LogicalUnitBench(nexuses: [])
    bench.unit.nexusEstablished(0)
    #expect(bench.run([0xFF]).key == .unitAttention)
    #expect(bench.run([0xFF]).sense == Sense(.illegalRequest, .invalidCommandOperationCode))
    #expect(bench.run([0x9E, 0x1F]).additional == .invalidFieldInCDB)
  }

  @Test func aResetIsTakenNoteOfByAllAndAStormOfThemOnce() {
    let bench = LogicalUnitBench(nexuses: [0, 1])
    for _ in 0..<1000 { bench.unit.reset() }
    for nexus in [NexusIndex(0), 1] {
      #expect(bench.run([0], nexus: nexus).sense == Sense(.unitAttention, .busDeviceResetFunctionOccurred))
      #expect(bench.run([0], nexus: nexus).status == .good)
    }
    bench.unit.abortedByOther(1)
    bench.unit.establish(.modeParametersChanged, for: 1)
    #expect(bench.run([0], nexus: 1).additional == .commandsClearedByAnotherInitiator)
    #expect(bench.run([0], nexus: 1).additional == .modeParametersChanged)
    #expect(bench.run([0], nexus: 1).status == .good)
    #expect(bench.run([0], nexus: 0).status == .good)
  }

  @Test func aReservationShutsOutOthersFromAllButWhatIsHarmless() {
    let bench = LogicalUnitBench(nexuses: [0, 1])
    let reserve: [UInt8] = [0x16, 0, 0, 0, 0, 0]
    let release: [UInt8] = [0x17, 0, 0, 0, 0, 0]
    #expect(bench.run(reserve, nexus: 0).status == .good)
    #expect(bench.run(reserve, nexus: 0).status == .good)
    for cdb in [[0], read, blockCDB(0x2A, 0, 1), reserve, [0x1A, 0, 0x3F, 0, 255, 0], blockCDB(0x35, 0, 0)] {
      #expect(bench.run(cdb, [0], nexus: 1).status == .reservationConflict)
      #expect(bench.run(cdb, pattern(512), nexus: 0).status == .good)
    }
    #expect(bench.run([0x12, 0, 0, 0, 36, 0], nexus: 1).status == .good)
    #expect(bench.run([0x03, 0, 0, 0, 36, 0], nexus: 1).status == .good)
    #expect(bench.run([0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 36, 0, 0], nexus: 1).status == .good)
    // Not the holder: no error, and no effect.
    #expect(bench.run(release, nexus: 1).status == .good)
    #expect(bench.run(read, nexus: 1).status == .reservationConflict)
    #expect(bench.run(release, nexus: 0).status == .good)
    #expect(bench.run(read, nexus: 1).status == .good)
  }

  @Test(arguments: [true, false]) func aReservationEndsWith(reset: Bool) {
    let bench = LogicalUnitBench(nexuses: [0, 1])
    bench.run([0x16, 0, 0, 0, 0, 0], nexus: 0)
    if reset { bench.unit.reset() } else { bench.unit.nexusLost(0) }
    if reset { #expect(bench.run([0], nexus: 1).key == .unitAttention) }
    #expect(bench.run(read, nexus: 1).status == .good)
  }

  @Test func aReservationConflictComesAfterAResetAndBeforeOtherAttentions() {
    let bench = LogicalUnitBench(nexuses: [0, 1])
    bench.unit.abortedByOther(1)
    bench.unit.establish(.modeParametersChanged, for: 1)
    bench.run([0x16, 0, 0, 0, 0, 0], nexus: 0)
    #expect(bench.run([0], nexus: 1).additional == .commandsClearedByAnotherInitiator)
    #expect(bench.run([0], nexus: 1).status == .reservationConflict)
    bench.run([0x17, 0, 0, 0, 0, 0], nexus: 0)
    #expect(bench.run([0], nexus: 1).additional == .modeParametersChanged)
  }

  @Test func aNewNexusInTheSameSlotStartsAfresh() {
    let bench = LogicalUnitBench(nexuses: [0])
    bench.unit.establish(.modeParametersChanged, for: 0)
    bench.unit.nexusLost(0)
    bench.unit.nexusEstablished(0)
    #expect(bench.run([0]).additional == .powerOnOrReset)
    #expect(bench.run([0]).status == .good)
  }
}

@Suite struct TaskSetTests {
  /// A crowd that wants the same block: the end of each lets exactly the next one go, in the order of asking.
  @Test func theEndOfOneWakesTheNextAndNotTheCrowd() {
    var set = TaskSet()
    let crowd = Array(TaskIndex(0)..<200)
    for task in crowd {
      _ = set.enter(task, .simple)
      let isFirst = set.lock(task, from: 7, to: 8, exclusive: true)
      #expect(isFirst == (task == 0))
    }
    for task in crowd {
      set.leave(task)
      let woken = [set.takeReady(), set.takeReady()]
      #expect(woken == [task == 199 ? nil : task + 1, nil])
      guard let next = woken[0] else { continue }
      let isLocked = set.lock(next, from: 7, to: 8, exclusive: true)
      #expect(isLocked)
    }
  }

  @Test func whoeverWaitedForOneThatGaveUpGoesOnBehindTheOthers() {
    var set = TaskSet()
    for task in TaskIndex(0)..<3 {
      _ = set.enter(task, .simple)
      _ = set.lock(task, from: 0, to: 8, exclusive: true)
    }
    // The one in the middle is aborted while it waits.
    set.leave(1)
    let woken = set.takeReady()
    let isLocked = set.lock(2, from: 0, to: 8, exclusive: true)
    #expect(woken == 2 && !isLocked)
    set.leave(0)
    let again = set.takeReady()
    let isLockedNow = set.lock(2, from: 0, to: 8, exclusive: true)
    #expect(again == 2 && isLockedNow)
  }

  /// One that is aborted while the medium works on it: who comes later waits, who is at work there goes on.
  @Test func anAbortedOneBearsNoOtherBehindIt() {
    var set = TaskSet()
    for task in TaskIndex(0)..<5 { _ = set.enter(task, .simple) }
    let goesOn = [set.lock(0, from: 0, to: 8, exclusive: false), set.lock(1, from: 4, to: 12, exclusive: false)]
    #expect(goesOn == [true, true])
    set.exclude(0)
    set.exclude(0)
    let later = [set.lock(2, from: 7, to: 9, exclusive: false), set.lock(3, from: 8, to: 9, exclusive: false)]
    #expect(later == [false, true])
    set.leave(1)
    let nothing = set.takeReady()
    #expect(nothing == nil, "it waits for the aborted one")
    set.leave(0)
    let woken = set.takeReady()
    let isLocked = set.lock(2, from: 7, to: 9, exclusive: false)
    #expect(woken == 2 && isLocked)
    // What has no range keeps nobody away.
    set.exclude(4)
    let isFree = set.lock(4, from: 0, to: 8, exclusive: false)
    #expect(isFree)
  }
}
