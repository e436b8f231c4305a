import Testing

@testable import SCSI

@Suite struct LUNTests {
  @Test func smallNumbersUsePeripheralAndLargeOnesFlatSpaceAddressing() {
    #expect(ReportedLUNs.encode(0) == 0)
    #expect(ReportedLUNs.encode(255) == 0x00FF << 48)
    #expect(ReportedLUNs.encode(256) == 0x4100 << 48)
    #expect(ReportedLUNs.encode(16383) == 0x7FFF << 48)
  }

  @Test func everyNumberReadsBackInBothForms() {
    for lun in [UInt16(0), 1, 255, 256, 16383] {
      #expect(ReportedLUNs.decode(ReportedLUNs.encode(lun)) == lun)
      #expect(ReportedLUNs.decode((0x4000 | UInt64(lun)) << 48) == lun)
    }
  }

  @Test func otherFormsAreNotOurs() {
    #expect(ReportedLUNs.decode(0x0001_0000_0000_0001) == nil)
    #expect(ReportedLUNs.decode(0x0100 << 48) == nil)
    #expect(ReportedLUNs.decode(0x8000 << 48) == nil)
    #expect(ReportedLUNs.decode(0xC101 << 48) == nil)
    #expect(ReportedLUNs.decode(.max) == nil)
  }

  @Test func reportLUNsCountsWhatItLists() {
    #expect(
      ReportedLUNs.parameterData(selectReport: 0, luns: [0, 300]) == [
        0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0x2C, 0, 0, 0, 0, 0, 0,
      ])
    #expect(ReportedLUNs.parameterData(selectReport: 1, luns: [0]) == [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(ReportedLUNs.parameterData(selectReport: 3, luns: [0]) == nil)
  }
}
