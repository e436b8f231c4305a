import Ring
import SCSI
import Testing

@testable import Target

/// WRITE SAME, UNMAP, GET LBA STATUS, SYNCHRONIZE CACHE.
@Suite struct LogicalUnitProvisioningTests {
  private static let backings: [Backing] = [.memory, .medium(LogicalUnitBench.mediumHandle, alignment: 512)]
  private let zeroes = [UInt8](repeating: 0, count: 512)

  private func thin(_ backing: Backing, blocks: UInt64 = 2048) -> LogicalUnitBench {
    LogicalUnitBench(backing, blocks: blocks) { $0.isThin = true }
  }

  private func unmapList(_ ranges: [(UInt64, UInt32)]) -> [UInt8] {
    var list: [UInt8] = []
    list.append16(UInt16(6 + 16 * ranges.count))
    list.append16(UInt16(16 * ranges.count))
    list.append32(0)
    for (lba, blocks) in ranges {
      list.append64(lba)
      list.append32(blocks)
      list.append32(0)
    }
    return list
  }

  private func unmap(_ bench: LogicalUnitBench, _ list: [UInt8], length: Int? = nil) -> LogicalUnitBench.Outcome {
    let count = length ?? list.count
    return bench.run([0x42, 0, 0, 0, 0, 0, 0, UInt8(count >> 8), UInt8(count & 0xFF), 0], list)
  }

  private func lbaStatus(_ bench: LogicalUnitBench, _ lba: UInt64, allocation: UInt32 = 4096)
    -> [(lba: UInt64, blocks: UInt32, status: UInt8)]
  {
    var cdb: [UInt8] = [0x9E, 0x12]
    cdb.append64(lba)
    cdb.append32(allocation)
    cdb += [0, 0]
    let data = bench.run(cdb).data
    return stride(from: 8, to: data.count - 15, by: 16).map { index in
      (
        data[index..<(index + 8)].reduce(0) { $0 << 8 | UInt64($1) },
        data[(index + 8)..<(index + 12)].reduce(0) { $0 << 8 | UInt32($1) }, data[index + 12]
      )
    }
  }

  /// Blocks in memory are cleared in pieces, between which others have their turn: of 256 ranges of 64 KiB but for a block, most
  /// of which were written to.
  @Test func aLargeUnmapOfMemoryLetsOthersHaveTheirTurn() {
    let bench = thin(.memory, blocks: 256 * 128)
    let data = pattern(512)
    let written = (0..<256 as Range<UInt64>).filter { $0 % 8 != 0 }
    for chunk in written {
      for lba in [0, 126, 127] as [UInt64] { bench.run(blockCDB(0x8A, chunk * 128 + lba, 1), data) }
    }
    let list = unmapList((0..<256).map { ($0 * 128, 127) })
    let cdb: [UInt8] = [0x42, 0, 0, 0, 0, 0, 0, UInt8(list.count >> 8), UInt8(list.count & 0xFF), 0]
    let task = bench.submit(cdb, list)
    var turns = 0
    while bench.step(task) {
      turns += 1
      guard task.disposition == .pending else { continue }
      #expect(bench.run(blockCDB(0x88, 127, 1)).status == .good)
    }
    #expect(bench.leave(task).status == .good)
    // 14 MiB, at most 4 MiB at a time.
    #expect(turns == 4)
    for chunk in written {
      let found = [0, 126, 127].map { bench.run(blockCDB(0x88, chunk * 128 + $0, 1)).data }
      #expect(found == [zeroes, zeroes, data])
    }
  }

  @Test(arguments: backings) func writeSameRepeatsTheBlockAndTouchesNothingElse(backing: Backing) {
    let bench = LogicalUnitBench(backing)
    bench.longestTransfer = 100_000
    let block = pattern(512)
    let other = pattern(512 * 702, seed: 8)
    for code in [UInt8(0x41), 0x93] {
      bench.run(blockCDB(0x8A, 9, 702), other)
      let outcome = bench.run(blockCDB(code, 10, 700), block)
      #expect(outcome.status == .good && outcome.wanted == 512)
      let read = bench.run(blockCDB(0x88, 9, 702)).data
      #expect(Array(read.prefix(512)) == Array(other.prefix(512)))
      #expect(Array(read.suffix(512)) == Array(other.suffix(512)))
      #expect((1...700).allSatisfy { Array(read[($0 * 512)..<($0 * 512 + 512)]) == block })
    }
    #expect(bench.leakedBuffers == 0)
  }

  @Test(arguments: backings) func writeSameOfZeroesLeavesZeroes(backing: Backing) {
    let bench = thin(backing)
    for cdb in [
      blockCDB(0x41, 1, 6), blockCDB(0x41, 1, 6, flags: 0x08), blockCDB(0x93, 1, 6), blockCDB(0x93, 1, 6, flags: 0x08),
    ] {
      bench.run(blockCDB(0x8A, 0, 8), pattern(4096))
      #expect(bench.run(cdb, zeroes).status == .good)
      let read = bench.run(blockCDB(0x88, 0, 8)).data
      #expect(read[512..<(7 * 512)].allSatisfy { $0 == 0 })
      #expect(Array(read.suffix(512)) == Array(pattern(4096).suffix(512)))
    }
    bench.run(blockCDB(0x8A, 0, 8), pattern(4096))
    let noData = bench.run(blockCDB(0x93, 0, 8, flags: 0x01))
    #expect(noData.status == .good && noData.wanted == 0)
    #expect(bench.run(blockCDB(0x88, 0, 8)).data.allSatisfy { $0 == 0 })
  }

  @Test func writeSameWithUnmapAndDataThatAreNotZeroWritesThem() {
    let bench = thin(.medium(LogicalUnitBench.mediumHandle, alignment: 512))
    #expect(bench.run(blockCDB(0x93, 0, 2, flags: 0x08), pattern(512)).status == .good)
    #expect(bench.run(blockCDB(0x88, 0, 2)).data == pattern(512) + pattern(512))
  }

  @Test func writeSameFallsBackToWhatTheMediumCanDo() {
    let bench = thin(.medium(LogicalUnitBench.mediumHandle, alignment: 512))
    bench.run(blockCDB(0x8A, 0, 8), pattern(4096))
    bench.log = []
    bench.failures = [(.discard, .unsupported), (.writeZeroes, .unsupported)]
    #expect(bench.run(blockCDB(0x93, 0, 8, flags: 0x09)).status == .good)
    #expect(bench.log == ["discard 0+4096", "writeZeroes 0+4096", "write 0+4096"])
    #expect(bench.run(blockCDB(0x88, 0, 8)).data.allSatisfy { $0 == 0 })
    #expect(bench.leakedBuffers == 0)
  }

  @Test func writeSameWithoutDataGoesOnWhenItHasWaitedForMemory() {
    let bench = thin(.medium(LogicalUnitBench.mediumHandle, alignment: 512))
    bench.run(blockCDB(0x8A, 0, 8), pattern(4096))
    bench.failures = [(.discard, .unsupported), (.writeZeroes, .unsupported)]
    var held: [Extent] = []
    while let extent = bench.context.buffers.allocate(4096) { held.append(extent) }
    let task = bench.submit(blockCDB(0x93, 0, 8, flags: 0x09))
    while bench.step(task) {}
    #expect(task.disposition == .starved)
    for extent in held { bench.context.buffers.free(extent) }
    bench.retry(task)
    #expect(bench.finish(task).status == .good)
    #expect(bench.run(blockCDB(0x88, 0, 8)).data.allSatisfy { $0 == 0 })
    #expect(bench.leakedBuffers == 0)
  }

  @Test func writeSameRefusesWhatItCannotDo() {
    let bench = thin(.medium(LogicalUnitBench.mediumHandle, alignment: 512), blocks: 1 << 18)
    let fixed = LogicalUnitBench()
    for code in [UInt8(0x41), 0x93] {
      #expect(bench.run(blockCDB(code, 0, 0), zeroes).additional == .invalidFieldInCDB)
      #expect(bench.run(blockCDB(code, 1 << 18, 1), zeroes).additional == .logicalBlockAddressOutOfRange)
      #expect(bench.run(blockCDB(code, 0, 1, flags: 0x20), zeroes).additional == .invalidFieldInCDB)
      #expect(bench.run(blockCDB(code, 0, 1, flags: 0x10), zeroes).additional == .invalidFieldInCDB)
      #expect(bench.run(blockCDB(code, 0, 1, flags: 0x18), zeroes).additional == .invalidFieldInCDB)
      #expect(bench.run(blockCDB(code, 0, 1, flags: 0x06), zeroes).additional == .invalidFieldInCDB)
      for count in [0, 256, 1024] {
        #expect(
          bench.run(blockCDB(code, 0, 1), pattern(count)).additional == .invalidFieldInCommandInformationUnit)
      }
      #expect(fixed.run(blockCDB(code, 0, 1, flags: 0x08), zeroes).additional == .invalidFieldInCDB)
    }
    #expect(bench.run(blockCDB(0x93, 0, 8193), zeroes).additional == .invalidFieldInCDB)
    #expect(bench.run(blockCDB(0x93, 0, 8192), zeroes).status == .good)
    #expect(bench.run(blockCDB(0x41, 0, 1, flags: 0x01), zeroes).additional == .invalidFieldInCDB)
  }

  @Test(arguments: backings) func unmappedBlocksReadAsZeroes(backing: Backing) {
    let bench = thin(backing)
    bench.run(blockCDB(0x8A, 0, 2048), pattern(1 << 20))
    // In any order, overlapping, and empty.
    #expect(unmap(bench, unmapList([(1000, 10), (5, 3), (6, 4), (7, 0), (2048, 0)])).status == .good)
    let read = bench.run(blockCDB(0x88, 0, 2048)).data
    let old = pattern(1 << 20)
    for block in 0..<2048 {
      let isUnmapped = (5..<10).contains(block) || (1000..<1010).contains(block)
      let bytes = Array(read[(block * 512)..<(block * 512 + 512)])
      #expect(bytes == (isUnmapped ? zeroes : Array(old[(block * 512)..<(block * 512 + 512)])))
    }
  }

  @Test func unmapLooksAtTheListAsTheStandardSays() {
    let bench = thin(.medium(LogicalUnitBench.mediumHandle, alignment: 512))
    #expect(unmap(bench, [], length: 0).status == .good)
    for length in 1...7 {
      #expect(unmap(bench, unmapList([]), length: length).additional == .parameterListLengthError)
    }
    #expect(unmap(bench, unmapList([])).status == .good)
    // The last descriptor is not complete: by its length field, by the parameter list length, by what was sent.
    var list = unmapList([(1, 1), (2, 1)])
    list[3] = 31
    #expect(unmap(bench, list).status == .good)
    #expect(unmap(bench, unmapList([(3, 1), (4, 1)]), length: 39).status == .good)
    #expect(unmap(bench, Array(unmapList([(5, 1), (6, 1)]).prefix(30)), length: 40).status == .good)
    #expect(bench.log == ["discard 512+512", "discard 1536+512", "discard 2560+512"])
    #expect(bench.leakedBuffers == 0)
  }

  @Test func unmapChecksEverythingBeforeItDoesAnything() {
    let bench = thin(.medium(LogicalUnitBench.mediumHandle, alignment: 512))
    for (lba, blocks) in [(UInt64(2048), UInt32(1)), (2047, 2), (.max, 1), (.max, .max)] {
      #expect(unmap(bench, unmapList([(0, 1), (lba, blocks)])).additional == .logicalBlockAddressOutOfRange)
    }
    let many = unmapList((0..<257).map { (UInt64($0), 1) })
    #expect(unmap(bench, many).additional == .invalidFieldInParameterList)
    #expect(bench.log.isEmpty)
    let small = LogicalUnitBench {
      $0.isThin = true
      $0.unmapLengthMax = 8 * 512
    }
    #expect(
      unmap(small, unmapList([(0, 8), (8, 1)])).sense
        == Sense(.illegalRequest, .invalidFieldInParameterList, specific: .field(inCDB: false, byte: 32, bit: nil)))
    #expect(unmap(small, unmapList([(0, 8)])).status == .good)
  }

  @Test func unmapIsNotOfAFullyProvisionedUnit() {
    #expect(unmap(LogicalUnitBench(), unmapList([(0, 1)])).additional == .invalidCommandOperationCode)
    // Of GET LBA STATUS it is the service action that is not there.
    #expect(
      LogicalUnitBench().run(blockCDB(0x9E, 0, 24, flags: 0x12)).sense
        == Sense(.illegalRequest, .invalidFieldInCDB, specific: .field(inCDB: true, byte: 1, bit: 4)))
  }

  @Test func unmapWithoutAWriteCacheIsStableWhenItIsAnswered() {
    let bench = LogicalUnitBench {
      $0.isThin = true
      $0.isWriteCacheEnabled = false
    }
    #expect(unmap(bench, unmapList([(0, 8), (16, 8)])).status == .good)
    #expect(bench.log == ["discard 0+4096", "discard 8192+4096", "flush"])
  }

  @Test func unmapFallsBackToWritingZeroes() {
    let bench = thin(.medium(LogicalUnitBench.mediumHandle, alignment: 512))
    bench.run(blockCDB(0x8A, 0, 16), pattern(8192))
    bench.log = []
    bench.longestTransfer = 3000
    bench.failures = [(.discard, .unsupported), (.writeZeroes, .unsupported)]
    #expect(unmap(bench, unmapList([(0, 8), (8, 1)])).status == .good)
    #expect(
      bench.log == [
        "discard 0+4096", "writeZeroes 0+4096", "write 0+4096", "write 3000+1096", "write 4096+512",
      ])
    #expect(bench.bytes[..<4608].allSatisfy { $0 == 0 } && bench.bytes[4608..<8192].contains { $0 != 0 })
  }

  @Test func lbaStatusTellsHolesFromData() {
    let bench = thin(.medium(LogicalUnitBench.mediumHandle, alignment: 512))
    bench.run(blockCDB(0x8A, 8, 8), pattern(4096))
    bench.run(blockCDB(0x8A, 100, 1), pattern(512))
    let all = lbaStatus(bench, 0)
    #expect(all.map(\.lba) == [0, 8, 16, 100, 101])
    #expect(all.map(\.blocks) == [8, 8, 84, 1, 1947])
    #expect(all.map(\.status) == [1, 0, 1, 0, 1])
    let later = lbaStatus(bench, 10, allocation: 24)
    #expect(later.count == 1 && later[0].lba == 10 && later[0].blocks == 6 && later[0].status == 0)
  }

  /// A descriptor counts fewer than 2^32 blocks.
  @Test func aHoleThatIsTooLongForOneDescriptorHasSeveral() {
    let blocks: UInt64 = 3 << 32
    let all = lbaStatus(thin(.null, blocks: blocks), 5)
    #expect(all.map(\.lba) == [5, 1 << 32 + 4, 2 << 32 + 3])
    #expect(all.reduce(5) { $0 + UInt64($1.blocks) } == blocks)
    #expect(all.allSatisfy { $0.blocks > 0 && $0.status == 1 })
    #expect(zip(all, all.dropFirst()).allSatisfy { $0.lba + UInt64($0.blocks) == $1.lba })
  }

  @Test func aBlockWithAByteOfDataIsMapped() {
    let bench = thin(.medium(LogicalUnitBench.mediumHandle, alignment: 512))
    bench.holes[8 * 512 + 100] = false
    bench.holes[9 * 512 + 511] = false
    let all = lbaStatus(bench, 0)
    #expect(all.map(\.lba) == [0, 8, 9, 10])
    #expect(all.map(\.status) == [1, 0, 0, 1])
  }

  @Test func lbaStatusOfMemoryFollowsItsChunks() {
    let bench = thin(.memory)
    bench.run(blockCDB(0x8A, 200, 1), pattern(512))
    #expect(lbaStatus(bench, 0).map(\.lba) == [0, 128, 256])
    #expect(unmap(bench, unmapList([(128, 128)])).status == .good)
    #expect(lbaStatus(bench, 0).map(\.blocks) == [2048])
  }

  @Test func lbaStatusIsCutToItsAllocationLength() {
    let bench = thin(.medium(LogicalUnitBench.mediumHandle, alignment: 512))
    for allocation in [UInt8(0), 7, 8, 23, 24, 39] {
      let cdb: [UInt8] = [0x9E, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, allocation, 0, 0]
      let outcome = bench.run(cdb)
      #expect(outcome.status == .good && outcome.data.count == min(24, Int(allocation)))
    }
    let beyond: [UInt8] = [0x9E, 0x12, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 24, 0, 0]
    #expect(bench.run(beyond).additional == .logicalBlockAddressOutOfRange)
    bench.failures = [(.seek, .unsupported)]
    #expect(lbaStatus(bench, 0).map(\.status) == [0])
    #expect(bench.leakedBuffers == 0)
  }

  @Test func synchronizeCacheFlushesTheMedium() {
    let bench = LogicalUnitBench()
    for code in [UInt8(0x35), 0x91] {
      #expect(bench.run(blockCDB(code, 0, 0)).status == .good)
      #expect(bench.run(blockCDB(code, 2047, 1)).status == .good)
      #expect(bench.run(blockCDB(code, 2048, 0)).additional == .logicalBlockAddressOutOfRange)
      #expect(bench.run(blockCDB(code, 0, 0, flags: 0x02)).additional == .invalidFieldInCDB)
    }
    #expect(bench.log == ["flush", "flush", "flush", "flush"])
  }

  @Test func aFailedFlushIsToldToEveryNexusOnce() {
    let bench = LogicalUnitBench(nexuses: [0, 1])
    bench.failures = [(.flush, .mediumError)]
    let failed = bench.run(blockCDB(0x35, 0, 0), nexus: 0)
    #expect(failed.key == .mediumError && failed.additional == .writeError)
    #expect(bench.run(blockCDB(0x35, 0, 0), nexus: 0).status == .good)
    #expect(bench.run(blockCDB(0x35, 0, 0), nexus: 1).additional == .writeError)
    #expect(bench.run(blockCDB(0x35, 0, 0), nexus: 1).status == .good)
  }

  /// Whatever it was that flushed: what others wrote may be gone, too.
  @Test(arguments: ["MODE SELECT", "stop", "standby", "READ with FUA", "UNMAP", "WRITE SAME"])
  func aFlushThatFailsIsToldWhateverItWasFor(command: String) {
    let isCached = command != "UNMAP" && command != "WRITE SAME"
    let bench = LogicalUnitBench(nexuses: [0, 1]) {
      $0.isThin = true
      $0.isWriteCacheEnabled = isCached
    }
    bench.failures = [(.flush, .mediumError)]
    let outcome =
      switch command {
      case "MODE SELECT":
        bench.run([0x15, 0x10, 0, 0, 24, 0], [0, 0, 0, 0, 0x08, 0x12] + [UInt8](repeating: 0, count: 18))
      case "stop": bench.run([0x1B, 0, 0, 0, 0, 0])
      case "standby": bench.run([0x1B, 0, 0, 0, 0x30, 0])
      case "READ with FUA": bench.run(blockCDB(0x28, 0, 1, flags: 0x08))
      case "UNMAP": unmap(bench, unmapList([(0, 8)]))
      default: bench.run(blockCDB(0x93, 0, 8, flags: 0x08), zeroes)
      }
    #expect(outcome.sense == Sense(.mediumError, .writeError))
    #expect(bench.failures.isEmpty)
    // A unit attention of the changed page, perhaps.
    _ = bench.run([0], nexus: 1)
    #expect(bench.run(blockCDB(0x35, 0, 0), nexus: 1).additional == .writeError)
    #expect(bench.run(blockCDB(0x35, 0, 0), nexus: 0).status == .good)
    #expect(bench.leakedBuffers == 0)
  }

  /// However many come and go.
  @Test func onlySoManyThatHaveGoneAreRemembered() {
    var debts = FlushDebts()
    func port(_ number: Int) -> InitiatorPort { InitiatorPort(name: "iqn.2026-11.example:\(number)") }
    for number in 0..<1200 { debts.left(port(number), owesFlushFailure: number < 1100) }
    #expect([0, 75, 76, 1099].map { debts.arrived(port($0)) } == [false, false, true, true])
    debts.failed()
    #expect([174, 175, 1199].map { debts.arrived(port($0)) } == [false, true, true])
    let again = debts.arrived(port(1199))
    #expect(!again, "once")
  }

  /// An initiator whose writes a flush has made stable, before or after it went, is told of no later failure.
  @Test(arguments: [true, false]) func aFailedFlushIsToldToWhoComesBackIfItMayHaveLostSomething(wasFlushed: Bool) {
    let bench = LogicalUnitBench(nexuses: [0])
    let port = InitiatorPort(name: "iqn.2026-11.example:b")
    bench.unit.nexusEstablished(1, port: port)
    _ = bench.run([0], nexus: 1)
    bench.unit.nexusLost(1)
    if wasFlushed { #expect(bench.run(blockCDB(0x35, 0, 0)).status == .good) }
    bench.failures = [(.flush, .mediumError)]
    #expect(bench.run(blockCDB(0x35, 0, 0)).additional == .writeError)
    bench.unit.nexusEstablished(1, port: port)
    _ = bench.run([0], nexus: 1)
    #expect(bench.run(blockCDB(0x35, 0, 0), nexus: 1).additional == (wasFlushed ? nil : .writeError))
    #expect(bench.run(blockCDB(0x35, 0, 0), nexus: 1).status == .good)
  }

  @Test func prefetchChecksItsRange() {
    let bench = LogicalUnitBench()
    for code in [UInt8(0x34), 0x90] {
      #expect(bench.run(blockCDB(code, 0, 8, flags: 0x02)).status == .good)
      #expect(bench.run(blockCDB(code, 5, 0)).status == .good)
      #expect(bench.run(blockCDB(code, 2047, 2)).additional == .logicalBlockAddressOutOfRange)
    }
  }
}
