import ISCSI
import Testing

@Suite struct NumberTests {
  @Test func serialNumbersWrap() {
    #expect(SerialNumber.precedes(0xFFFF_FFFF, 0))
    #expect(!SerialNumber.precedes(0, 0xFFFF_FFFF))
    #expect(!SerialNumber.precedes(5, 5))
    #expect(SerialNumber.precedesOrEquals(5, 5))
    #expect(SerialNumber.distance(from: 0xFFFF_FFFE, to: 3) == 5)
    #expect(SerialNumber.later(0xFFFF_FFFF, 1) == 1)
    // 2^31 apart: no order.
    #expect(!SerialNumber.precedes(0, 0x8000_0000) && !SerialNumber.precedes(0x8000_0000, 0))
    #expect(SerialNumber.precedes(0, 0x7FFF_FFFF))
  }

  @Test func windows() {
    #expect(SerialNumber.isWithin(0, first: 0xFFFF_FFFF, last: 1))
    #expect(!SerialNumber.isWithin(2, first: 0xFFFF_FFFF, last: 1))
    #expect(!SerialNumber.isWithin(7, first: 7, last: 6))
    #expect(SerialNumber.isWithin(7, first: 7, last: 7))
    #expect(!SerialNumber.isWithin(6, first: 7, last: 7))
  }

  @Test func logicalUnitNumbersOfOneLevel() {
    #expect(LogicalUnitNumber.decode(0) == 0)
    #expect(LogicalUnitNumber.decode(0x0005_0000_0000_0000) == 5)
    #expect(LogicalUnitNumber.decode(0x4000_0000_0000_0000) == 0)
    #expect(LogicalUnitNumber.decode(0x4100_0000_0000_0000) == 256)
    #expect(LogicalUnitNumber.decode(0x4005_0000_0000_0000) == 5)
    #expect(LogicalUnitNumber.decode(0x7FFF_0000_0000_0000) == 16383)
    #expect(LogicalUnitNumber.decode(0xD212_3456_0000_0000) == 0x12_3456)
    #expect(LogicalUnitNumber.decode(0xE201_0203_0405_0000) == 0x01_0203_0405)
  }

  @Test func whatIsNotOfOneLevelIsRefused() {
    for lun: UInt64 in [
      0x0100_0000_0000_0000, 0x0000_0001_0000_0000, 0x4000_0000_0000_0001, 0x8000_0000_0000_0000,
      0xC101_0000_0000_0000, 0xD200_0000_0000_0001, 0xE200_0000_0000_0001, 0xFFFF_FFFF_FFFF_FFFF,
    ] {
      #expect(LogicalUnitNumber.decode(lun) == nil, "\(String(lun, radix: 16))")
    }
  }

  @Test func logicalUnitNumbersRoundTrip() throws {
    for number in [0, 1, 255, 256, 16383, 16384, LogicalUnitNumber.numberMax] {
      let lun = try #require(LogicalUnitNumber.encode(number))
      #expect(LogicalUnitNumber.decode(lun) == number)
    }
    #expect(LogicalUnitNumber.encode(-1) == nil)
    #expect(LogicalUnitNumber.encode(LogicalUnitNumber.numberMax + 1) == nil)
    #expect(LogicalUnitNumber.encode(255) == 0x00FF_0000_0000_0000)
    #expect(LogicalUnitNumber.encode(256) == 0x4100_0000_0000_0000)
    #expect(LogicalUnitNumber.encode(16383) == 0x7FFF_0000_0000_0000)
  }
}
