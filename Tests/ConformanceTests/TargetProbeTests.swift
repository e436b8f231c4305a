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

  @Test(arguments: [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 2, 8], [255, 255, 255, 255]] as [[UInt8]])
  func blocksThatAreNotMadeOfSectorsAreRefused(length: [UInt8]) {
    #expect {
      try facts(last: [0, 0, 0, 0, 0, 0, 7, 255], length: length)
    } throws: { error in
      (error as? TargetProbe.Failure)?.message.contains("expected blocks of a multiple of 512 bytes, found") == true
    }
  }
}
