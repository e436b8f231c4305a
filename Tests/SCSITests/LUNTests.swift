import SCSI
import Testing

@Suite struct LUNTests {
  @Test func reportLUNsCountsWhatItLists() {
    #expect(
      ReportedLUNs.parameterData(selectReport: 0, luns: [0, 0x412C << 48]) == [
        0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0x2C, 0, 0, 0, 0, 0, 0,
      ])
    #expect(ReportedLUNs.parameterData(selectReport: 1, luns: [0]) == [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(ReportedLUNs.parameterData(selectReport: 3, luns: [0]) == nil)
  }
}
