import Ring
import SCSI
import Testing

@testable import Target

@Suite struct LogicalUnitReadWriteTests {
  static let backings: [Backing] = [.memory, .medium(LogicalUnitBench.mediumHandle, alignment: 512)]
  static let lengths: [(read: UInt8, write: UInt8)] = [(0x08, 0x0A), (0x28, 0x2A), (0xA8, 0xAA), (0x88, 0x8A)]

  @Test(arguments: backings) func whatIsWrittenIsReadBackAndNeighboursStay(backing: Backing) {
    let bench = LogicalUnitBench(backing)
    for (index, codes) in Self.lengths.enumerated() {
      for blocks in [UInt32(1), 3, 128] {
        let data = pattern(Int(blocks) * 512, seed: index)
        let lba = UInt64(100 + index)
        #expect(bench.run(blockCDB(codes.write, lba - 1, blocks + 2), pattern(Int(blocks + 2) * 512)).status == .good)
        #expect(bench.run(blockCDB(codes.write, lba, blocks), data).status == .good)
        let read = bench.run(blockCDB(codes.read, lba, blocks))
        #expect(read.status == .good)
        #expect(read.data == data)
        let around = pattern(Int(blocks + 2) * 512)
        let all = bench.run(blockCDB(codes.read, lba - 1, blocks + 2)).data
        #expect(all.prefix(512) == around.prefix(512))
        #expect(all.suffix(512) == around.suffix(512))
      }
    }
    #expect(bench.leakedBuffers == 0)
  }

  @Test func theNullDeviceReadsAsZeroesWithoutACopy() {
    let bench = LogicalUnitBench(.null)
    #expect(bench.run(blockCDB(0x8A, 0, 8), pattern(4096)).status == .good)
    let task = bench.submit(blockCDB(0x88, 0, 8))
    #expect(task.command.dataIn.offset == bench.context.zeroes.offset)
    #expect(task.command.buffer == .empty)
    #expect(bench.finish(task).data == [UInt8](repeating: 0, count: 4096))
  }

  @Test func sixByteCommandsWithLengthZeroMoveTwoHundredAndFiftySixBlocks() {
    let bench = LogicalUnitBench(.memory)
    let write = bench.run(blockCDB(0x0A, 0, 0), pattern(256 * 512))
    #expect(write.status == .good && write.wanted == 256 * 512)
    #expect(bench.run(blockCDB(0x08, 0, 0)).data == pattern(256 * 512))
  }

  @Test func noBlocksIsNoErrorWithinTheMediumAndOneAtItsEnd() {
    let bench = LogicalUnitBench()
    for code in [UInt8(0x28), 0x2A, 0xA8, 0xAA, 0x88, 0x8A] {
      #expect(bench.run(blockCDB(code, 2047, 0)).status == .good)
      let end = bench.run(blockCDB(code, 2048, 0))
      #expect(end.additional == .logicalBlockAddressOutOfRange && end.key == .illegalRequest)
    }
    #expect(bench.log.isEmpty)
  }

  @Test func beyondTheEndIsRefusedWithTheFirstBlockThatIsNotThere() {
    let bench = LogicalUnitBench()
    let ranges: [(UInt64, UInt32, UInt64)] = [
      (2048, 1, 2048), (2047, 2, 2048), (0, 2049, 2048), (1 << 31, 1, 1 << 31), (.max >> 32, 1, .max >> 32),
    ]
    for (read, write) in Self.lengths.dropFirst() {
      for (lba, blocks, first) in ranges {
        for code in [read, write] {
          let outcome = bench.run(blockCDB(code, lba, blocks), [0])
          #expect(outcome.sense == Sense(.illegalRequest, .logicalBlockAddressOutOfRange, information: first))
        }
      }
    }
    // Sums and products that do not fit into 64 bits; fixed format cannot say where.
    for lba in [UInt64.max, 1 << 63, 1 << 55, .max >> 9] {
      #expect(bench.run(blockCDB(0x88, lba, .max)).additional == .logicalBlockAddressOutOfRange)
      #expect(bench.run(blockCDB(0x8A, lba, 2), [0]).additional == .logicalBlockAddressOutOfRange)
    }
    #expect(bench.log.isEmpty)
  }

  @Test func aTransferAboveTheMaximumIsRefused() {
    let bench = LogicalUnitBench(blocks: 1 << 12) { $0.transferLengthMax = 1 << 20 }
    let field = { (byte: UInt16) in
      Sense(.illegalRequest, .invalidFieldInCDB, specific: .field(inCDB: true, byte: byte, bit: nil))
    }
    #expect(bench.run(blockCDB(0x28, 0, 2049)).sense == field(7))
    #expect(bench.run(blockCDB(0xA8, 0, 2049)).sense == field(6))
    #expect(bench.run(blockCDB(0x8A, 0, 2049), [0]).sense == field(10))
    #expect(bench.run(blockCDB(0x88, 0, 2048)).status == .good)
  }

  @Test func protectionIsRefusedWhereThereIsNone() {
    let bench = LogicalUnitBench()
    for code in [UInt8(0x28), 0x2A, 0xA8, 0xAA, 0x88, 0x8A] {
      for protect in UInt8(1)...7 {
        let outcome = bench.run(blockCDB(code, 0, 1, flags: protect << 5), [0])
        #expect(outcome.additional == .invalidFieldInCDB)
        guard case .field(true, 1, let bit?) = outcome.sense?.specific else {
          Issue.record("no field pointer to byte 1: \(String(describing: outcome.sense))")
          continue
        }
        #expect(bit >= 5)
      }
      #expect(bench.run(blockCDB(code, 0, 0, flags: 0x18)).status == .good)
    }
  }

  @Test func shortTransfersOfTheMediumAreContinued() {
    let bench = LogicalUnitBench()
    bench.longestTransfer = 1000
    #expect(bench.run(blockCDB(0x2A, 4, 8), pattern(4096)).status == .good)
    #expect(bench.run(blockCDB(0x28, 4, 8)).data == pattern(4096))
    #expect(bench.log.filter { $0.hasPrefix("write") }.count == 5)
  }

  @Test func forceUnitAccessReachesTheMedium() {
    let bench = LogicalUnitBench()
    bench.run(blockCDB(0x2A, 0, 1, flags: 0x08), pattern(512))
    bench.run(blockCDB(0x2A, 0, 1), pattern(512))
    bench.run(blockCDB(0x28, 0, 1, flags: 0x08))
    #expect(bench.log == ["write 0+512 fua", "write 0+512", "flush", "read 0+512"])
  }

  /// Where the others have FUA a CDB of 6 bytes has a bit of the LBA.
  @Test func sixBytesHaveNoForceUnitAccess() {
    let bench = LogicalUnitBench { $0.blockCount = 0x08_0001 }
    bench.run(blockCDB(0x0A, 0x08_0000, 1), pattern(512))
    bench.run(blockCDB(0x08, 0x08_0000, 1))
    #expect(bench.log == ["write \(0x08_0000 << 9)+512", "read \(0x08_0000 << 9)+512"])
  }

  @Test func withoutAWriteCacheEveryWriteIsStable() {
    let bench = LogicalUnitBench { $0.isWriteCacheEnabled = false }
    bench.run(blockCDB(0x2A, 0, 1), pattern(512))
    bench.run(blockCDB(0x28, 0, 1, flags: 0x08))
    #expect(bench.log == ["write 0+512 fua", "read 0+512"])
  }

  @Test func aReadOnlyUnitReadsAndDoesNotWrite() {
    let bench = LogicalUnitBench { $0.isReadOnly = true }
    #expect(bench.run(blockCDB(0x28, 0, 1)).status == .good)
    for code in [UInt8(0x0A), 0x2A, 0xAA, 0x8A] {
      let outcome = bench.run(blockCDB(code, 0, 1), [0])
      #expect(outcome.key == .dataProtect && outcome.additional == .writeProtected)
    }
  }

  @Test func failuresOfTheMediumBecomeSenseData() {
    let bench = LogicalUnitBench()
    let cases: [(Operation.Kind, RingError, SenseKey, AdditionalSense)] = [
      (.write, .mediumError, .mediumError, .writeError),
      (.write, .noSpace, .dataProtect, .spaceAllocationFailedWriteProtect),
      (.write, .readOnly, .dataProtect, .writeProtected),
      (.write, .removed, .notReady, .mediumNotPresent),
      (.read, .removed, .notReady, .mediumNotPresent),
      (.read, .other, .hardwareError, .internalTargetFailure),
      (.read, .cancelled, .mediumError, .unrecoveredReadError),
      (.write, .timedOut, .mediumError, .writeError),
      (.write, .noResources, .abortedCommand, .insufficientResources),
      (.write, .outOfRange, .hardwareError, .internalTargetFailure),
    ]
    for (kind, error, key, additional) in cases {
      bench.failures = [(kind, error)]
      let outcome = bench.run(blockCDB(kind == .read ? 0x28 : 0x2A, 0, 1), pattern(512))
      #expect(outcome.key == key && outcome.additional == additional)
    }
    #expect(bench.leakedBuffers == 0)
  }

  @Test(arguments: [0, 1, 6, 7]) func theSenseDataNameTheBlockThatCannotBeRead(block: Int) {
    let bench = LogicalUnitBench()
    bench.unreadable = [UInt64(100 + block) * 512, 107 * 512]
    let outcome = bench.run(blockCDB(0x28, 100, 8))
    #expect(outcome.sense == Sense(.mediumError, .unrecoveredReadError, information: UInt64(100 + block)))
    #expect(bench.log.count <= 4)
    // The others read.
    if block > 0 { #expect(bench.run(blockCDB(0x28, 100, UInt32(block))).status == .good) }
    #expect(bench.leakedBuffers == 0)
  }

  @Test func fewerBytesThanTheCommandWantsWriteTheWholeBlocksAmongThem() {
    let bench = LogicalUnitBench()
    bench.run(blockCDB(0x2A, 0, 4), pattern(2048, seed: 3))
    let outcome = bench.run(blockCDB(0x2A, 0, 4), pattern(1023, seed: 9))
    #expect(outcome.status == .good && outcome.wanted == 2048)
    #expect(Array(bench.bytes[..<512]) == Array(pattern(1023, seed: 9).prefix(512)))
    #expect(Array(bench.bytes[512..<2048]) == Array(pattern(2048, seed: 3).suffix(1536)))
  }

  @Test func anAbortedCommandEmitsNothingMore() {
    let bench = LogicalUnitBench()
    bench.longestTransfer = 512
    let task = bench.submit(blockCDB(0x2A, 0, 4), pattern(2048))
    _ = bench.step(task)
    #expect(bench.context.operations.items.count == 1)
    task.command.isAborted = true
    _ = bench.step(task)
    #expect(task.disposition == .finished)
    #expect(bench.context.operations.items.count == 1)
    _ = bench.leave(task)
    #expect(bench.leakedBuffers == 0)
  }

  @Test func withoutMemoryAReadStarvesAndLaterGoesOn() {
    let bench = LogicalUnitBench()
    var held: [Extent] = []
    while let extent = bench.context.buffers.allocate(4096) { held.append(extent) }
    let task = bench.submit(blockCDB(0x28, 0, 8))
    #expect(task.disposition == .starved)
    for extent in held { bench.context.buffers.free(extent) }
    bench.retry(task)
    #expect(bench.finish(task).status == .good)
    #expect(bench.leakedBuffers == 0)
  }

  @Test func whatNoMemoryWillEverHoldIsBusyAndDoesNotWaitForEver() {
    let bench = LogicalUnitBench(blocks: 1 << 15) { $0.transferLengthMax = 16 << 20 }
    var held: [Extent] = []
    while let extent = bench.context.buffers.allocate(4096) { held.append(extent) }
    #expect(bench.run(blockCDB(0x28, 0, 8193)).status == .busy)
    let task = bench.submit(blockCDB(0x28, 0, 8192))
    #expect(task.disposition == .starved)
    _ = bench.leave(task)
  }
}
