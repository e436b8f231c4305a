import Ring
import SCSI
import Testing

@testable import Target

/// VERIFY, WRITE AND VERIFY, COMPARE AND WRITE, ORWRITE: everything that holds data against the medium.
@Suite struct LogicalUnitVerifyTests {
  private static let backings: [Backing] = [.memory, .medium(LogicalUnitBench.mediumHandle, alignment: 512)]

  private func filled(_ backing: Backing) -> LogicalUnitBench {
    let bench = LogicalUnitBench(backing, blocks: 4096)
    #expect(bench.run(blockCDB(0x8A, 0, 2048), pattern(1 << 20)).status == .good)
    return bench
  }

  private func miscompare(_ offset: UInt64) -> Sense {
    Sense(.miscompare, .miscompareDuringVerify, information: offset)
  }

  @Test(arguments: backings) func verifyWithoutComparingWantsNoData(backing: Backing) {
    let bench = filled(backing)
    for code in [UInt8(0x2F), 0xAF, 0x8F] {
      let outcome = bench.run(blockCDB(code, 0, 1500))
      #expect(outcome.status == .good && outcome.wanted == 0)
      #expect(bench.run(blockCDB(code, 4095, 0)).status == .good)
      #expect(bench.run(blockCDB(code, 4096, 0)).additional == .logicalBlockAddressOutOfRange)
      #expect(bench.run(blockCDB(code, 4095, 2)).additional == .logicalBlockAddressOutOfRange)
      #expect(bench.run(blockCDB(code, 0, 1, flags: 0x04)).additional == .invalidFieldInCDB)
      #expect(bench.run(blockCDB(code, 0, 1, flags: 0x20)).additional == .invalidFieldInCDB)
      #expect(bench.run(blockCDB(code, 0, 1, flags: 0x10)).status == .good)
    }
    #expect(bench.leakedBuffers == 0)
  }

  @Test(arguments: backings) func verifyComparesEveryByteAndSaysWhereTheFirstOneDiffers(backing: Backing) {
    let bench = filled(backing)
    let blocks = 1100
    let data = Array(pattern(1 << 20).dropFirst(512 * 10).prefix(512 * blocks))
    for code in [UInt8(0x2F), 0xAF, 0x8F] {
      #expect(bench.run(blockCDB(code, 10, UInt32(blocks), flags: 0x02), data).status == .good)
      for place in [0, 1, 511, 512, 262_143, 262_144, data.count - 1] {
        var wrong = data
        wrong[place] ^= 0x10
        #expect(bench.run(blockCDB(code, 10, UInt32(blocks), flags: 0x02), wrong).sense == miscompare(UInt64(place)))
      }
    }
    #expect(bench.leakedBuffers == 0)
  }

  @Test(arguments: backings) func verifyComparesOneBlockWithAll(backing: Backing) {
    let bench = LogicalUnitBench(backing)
    let block = pattern(512)
    bench.run(blockCDB(0x41, 100, 700), block)
    let same = bench.run(blockCDB(0x2F, 100, 700, flags: 0x06), block)
    #expect(same.status == .good && same.wanted == 512)
    bench.run(blockCDB(0x2A, 650, 1), block.map { $0 &+ 1 })
    #expect(bench.run(blockCDB(0x8F, 100, 700, flags: 0x06), block).sense == miscompare(550 * 512))
    #expect(
      bench.run(blockCDB(0x8F, 100, 700, flags: 0x06), [1]).additional == .invalidFieldInCommandInformationUnit)
    #expect(bench.leakedBuffers == 0)
  }

  @Test func verifyReadsTheMediumToItsEndAndReportsWhatItFinds() {
    let bench = filled(.medium(LogicalUnitBench.mediumHandle, alignment: 512))
    bench.longestTransfer = 100_000
    #expect(bench.run(blockCDB(0x8F, 0, 2048)).status == .good)
    bench.unreadable = [2047 * 512]
    #expect(bench.run(blockCDB(0x8F, 0, 2048)).sense == unreadable(2047))
    #expect(bench.leakedBuffers == 0)
  }

  private func unreadable(_ lba: UInt64) -> Sense {
    Sense(.mediumError, .unrecoveredReadError, information: lba)
  }

  @Test(arguments: [UInt64(600), 601, 611, 612, 1111]) func theSenseDataNameTheBlockThatCannotBeRead(block: UInt64) {
    let bench = LogicalUnitBench()
    bench.longestTransfer = 5000
    bench.unreadable = [block * 512]
    let data = pattern(512 * 512)
    // A piece of VERIFY is 512 blocks.
    #expect(bench.run(blockCDB(0x8F, 88, 1024)).sense == unreadable(block))
    #expect(bench.run(blockCDB(0x8E, 600, 512), data).sense == unreadable(block))
    #expect(bench.run(blockCDB(0x8B, 600, 512), data).sense == unreadable(block))
    #expect(bench.run(compareAndWrite(block - 3, 8), pattern(8192)).sense == unreadable(block))
    #expect(bench.leakedBuffers == 0)
  }

  @Test func aVerifyAbortedWhileItLooksForTheBlockGivesItsMemoryBack() {
    let bench = LogicalUnitBench()
    bench.unreadable = [7 * 512]
    let task = bench.submit(blockCDB(0x8F, 0, 8))
    _ = bench.step(task)
    _ = bench.step(task)
    #expect(bench.log == ["read 0+4096", "read 0+2048"])
    #expect(task.disposition == .pending)
    task.command.isAborted = true
    _ = bench.step(task)
    #expect(task.disposition == .finished)
    _ = bench.leave(task)
    #expect(bench.leakedBuffers == 0)
  }

  /// Whole blocks that have come are taken; what has not come is neither written nor compared, whatever was in the memory.
  @Test(arguments: backings) func whatDidNotComeIsNothing(backing: Backing) {
    let bench = LogicalUnitBench(backing)
    let old = pattern(2048, seed: 3)
    let new = pattern(1023, seed: 9)
    for (code, first) in [
      (UInt8(0x2E), Array(new.prefix(512))), (0x8E, Array(new.prefix(512))),
      (0x8B, zip(old, new).prefix(512).map { $0 | $1 }),
    ] {
      bench.run(blockCDB(0x8A, 0, 4), old)
      bench.run(blockCDB(0x8A, 100, 4), [UInt8](repeating: 0xE7, count: 2048))
      let outcome = bench.run(blockCDB(code, 0, 4), new)
      #expect(outcome.status == .good && outcome.wanted == 2048)
      #expect(bench.run(blockCDB(0x88, 0, 4)).data == first + old.dropFirst(512), "\(code)")
    }
    bench.run(blockCDB(0x8A, 0, 4), old)
    bench.run(blockCDB(0x8A, 100, 4), [UInt8](repeating: 0xE7, count: 2048))
    #expect(bench.run(blockCDB(0x8F, 0, 4, flags: 0x02), Array(old.prefix(1023))).status == .good)
    #expect(bench.leakedBuffers == 0)
  }

  /// Fewer bytes than the initiator has announced.
  @Test(arguments: backings) func aPartOfABlockIsNoBlock(backing: Backing) {
    let bench = LogicalUnitBench(backing)
    let old = pattern(1024, seed: 3)
    bench.run(blockCDB(0x8A, 0, 2), old)
    let compare = bench.submit(compareAndWrite(0, 1), Array(old.prefix(512)) + pattern(512, seed: 9))
    compare.dataOut.removeLast()
    #expect(bench.finish(compare).additional == .invalidFieldInCDB)
    for code in [UInt8(0x41), 0x93] {
      let same = bench.submit(blockCDB(code, 0, 2), pattern(512, seed: 9))
      same.dataOut.removeLast()
      #expect(bench.finish(same).additional == .invalidFieldInCommandInformationUnit)
    }
    #expect(bench.run(blockCDB(0x88, 0, 2)).data == old)
    #expect(bench.leakedBuffers == 0)
  }

  @Test func writeAndVerifyWritesNothingBeforeItHasTheMemoryToVerify() {
    let bench = LogicalUnitBench()
    let data = pattern(512)
    var held: [Extent] = []
    while let extent = bench.context.buffers.allocate(512) { held.append(extent) }
    // For the data that it brings, and nothing else.
    if let last = held.popLast() { bench.context.buffers.free(last) }
    let task = bench.submit(blockCDB(0x8E, 5, 1), data)
    while bench.step(task) {}
    #expect(task.disposition == .starved)
    #expect(bench.log.isEmpty)
    for extent in held { bench.context.buffers.free(extent) }
    bench.retry(task)
    #expect(bench.finish(task).status == .good)
    #expect(Array(bench.bytes[2560..<3072]) == data)
    // Nor does it keep that memory when the write fails.
    bench.failures = [(.write, .mediumError)]
    #expect(bench.run(blockCDB(0x8E, 5, 1), data).status == .checkCondition)
    #expect(bench.leakedBuffers == 0)
  }

  @Test(arguments: backings) func writeAndVerifyWritesThroughTheCacheAndReadsBack(backing: Backing) {
    let bench = LogicalUnitBench(backing)
    bench.longestTransfer = 700
    for (code, flags) in [(UInt8(0x2E), UInt8(0)), (0xAE, 0x02), (0x8E, 0x12)] {
      let data = pattern(2048, seed: Int(code))
      #expect(bench.run(blockCDB(code, 7, 4, flags: flags), data).status == .good)
      #expect(bench.run(blockCDB(0x28, 7, 4)).data == data)
      for bytcheck in [UInt8(0x04), 0x06] {
        #expect(bench.run(blockCDB(code, 7, 4, flags: bytcheck), data).additional == .invalidFieldInCDB)
      }
      #expect(bench.run(blockCDB(code, 2047, 2), data).additional == .logicalBlockAddressOutOfRange)
      #expect(bench.run(blockCDB(code, 0, 0)).status == .good)
    }
    if !bench.log.isEmpty { #expect(bench.log[0] == "write 3584+2048 fua") }
    #expect(bench.leakedBuffers == 0)
  }

  @Test(arguments: backings) func compareAndWriteWritesOnlyWhatMatched(backing: Backing) {
    let bench = LogicalUnitBench(backing)
    bench.longestTransfer = 600
    for blocks in [UInt32(1), 128] {
      let length = Int(blocks) * 512
      let old = pattern(length, seed: 1)
      let new = pattern(length, seed: 2)
      bench.run(blockCDB(0x8A, 20, blocks), old)
      let cdb = compareAndWrite(20, UInt8(blocks))
      for place in [0, 1, 511, length - 1] {
        var wrong = old
        wrong[place] ^= 1
        #expect(bench.run(cdb, wrong + new).sense == miscompare(UInt64(place)))
        #expect(bench.run(blockCDB(0x88, 20, blocks)).data == old)
      }
      let outcome = bench.run(cdb, old + new)
      #expect(outcome.status == .good && outcome.wanted == 2 * length)
      #expect(bench.run(blockCDB(0x88, 20, blocks)).data == new)
    }
    #expect(bench.leakedBuffers == 0)
  }

  @Test func compareAndWriteRefusesWhatItCannotDo() {
    let bench = LogicalUnitBench()
    #expect(bench.run(compareAndWrite(0, 0)).status == .good)
    #expect(bench.run(compareAndWrite(2048, 0)).additional == .logicalBlockAddressOutOfRange)
    #expect(bench.run(compareAndWrite(2047, 2), pattern(2048)).additional == .logicalBlockAddressOutOfRange)
    let tooMany = bench.run(compareAndWrite(0, 129), pattern(129 * 1024))
    #expect(
      tooMany.sense
        == Sense(.illegalRequest, .invalidFieldInCDB, specific: .field(inCDB: true, byte: 13, bit: nil)))
    for (blocks, count) in [(UInt8(1), 0), (1, 512), (1, 1536), (0, 1024)] {
      #expect(bench.run(compareAndWrite(0, blocks), pattern(count)).additional == .invalidFieldInCDB)
    }
    #expect(!bench.log.contains { $0.hasPrefix("write") })
    let without = LogicalUnitBench { $0.compareAndWriteBlocksMax = 0 }
    #expect(without.run(compareAndWrite(0, 1), pattern(1024)).additional == .invalidCommandOperationCode)
  }

  @Test func aCompareAndWriteAbortedWhileItReadsWritesNothing() {
    let bench = LogicalUnitBench()
    let task = bench.submit(compareAndWrite(0, 1), [UInt8](repeating: 0, count: 512) + pattern(512))
    _ = bench.step(task)
    #expect(task.disposition == .pending)
    task.command.isAborted = true
    _ = bench.step(task)
    #expect(task.disposition == .finished)
    _ = bench.leave(task)
    #expect(bench.log == ["read 0+512"])
    #expect(bench.leakedBuffers == 0)
    #expect(bench.run(blockCDB(0x28, 0, 1)).status == .good)
  }

  @Test(arguments: backings) func orWriteKeepsTheBitsThatWereSet(backing: Backing) {
    let bench = LogicalUnitBench(backing)
    bench.longestTransfer = 900
    let old = pattern(2048, seed: 4)
    let new = pattern(2048, seed: 5)
    bench.run(blockCDB(0x8A, 1, 4), old)
    #expect(bench.run(blockCDB(0x8B, 1, 4), new).status == .good)
    #expect(bench.run(blockCDB(0x88, 1, 4)).data == zip(old, new).map { $0 | $1 })
    #expect(bench.run(blockCDB(0x8B, 2048, 0)).additional == .logicalBlockAddressOutOfRange)
    #expect(bench.run(blockCDB(0x8B, 0, 0)).status == .good)
    #expect(bench.run(blockCDB(0x8B, 0, 1, flags: 0x20), [0]).additional == .invalidFieldInCDB)
    #expect(bench.leakedBuffers == 0)
  }
}

func compareAndWrite(_ lba: UInt64, _ blocks: UInt8, flags: UInt8 = 0) -> [UInt8] {
  var cdb: [UInt8] = [0x89, flags]
  cdb.append64(lba)
  cdb += [0, 0, 0, blocks, 0, 0]
  return cdb
}
