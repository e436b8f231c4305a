import Testing

@testable import Conformance

/// What a real target must say of itself before it is played on.
@Suite struct TargetProbeTests {
  private func facts(last: [UInt8], length: [UInt8]) throws -> UnitFacts {
    try TargetProbe.facts(of: 3, capacity: last + length + [UInt8](repeating: 0, count: 20))
  }

  @Test func theCapacityIsThatOfTheUnit() throws {
    let unit = try facts(last: [0, 0, 0, 0, 0, 0, 7, 255], length: [0, 0, 16, 0])
    #expect(unit.lun == 3)
    #expect(unit.blockSize == 4096)
    #expect(unit.blockCount == 2048)
  }

  @Test(arguments: [(UInt8(0xC0), true), (0x80, false), (0, false)])
  func whatUnmappedBlocksHoldIsWhatLBPRZSays(byte: UInt8, isZeroes: Bool) throws {
    let capacity: [UInt8] = [0, 0, 0, 0, 0, 0, 7, 255, 0, 0, 2, 0, 0, 0, byte, 0]
    #expect(try TargetProbe.facts(of: 0, capacity: capacity).readsUnmappedAsZeroes == isZeroes)
    #expect(try !TargetProbe.facts(of: 0, capacity: Array(capacity.prefix(12))).readsUnmappedAsZeroes)
  }

  @Test(
    arguments: [
      [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 2, 8], [255, 255, 255, 255], [255, 255, 254, 0], [0, 32, 0, 0],
    ] as [[UInt8]])
  func blocksThatAreNotMadeOfSectorsOrTooLargeAreRefused(length: [UInt8]) {
    #expect {
      try facts(last: [0, 0, 0, 0, 0, 0, 7, 255], length: length)
    } throws: { error in
      let message = (error as? TargetProbe.Failure)?.message
      return message?.contains("expected blocks of a multiple of 512 bytes, 1048576 at most, found") == true
    }
  }

  @Test func aUnitWithoutALastBlockIsRefused() {
    #expect {
      try facts(last: [UInt8](repeating: 255, count: 8), length: [0, 0, 2, 0])
    } throws: { error in
      (error as? TargetProbe.Failure)?.message == "LUN 3: expected a last LBA, found 18446744073709551615"
    }
  }
}
