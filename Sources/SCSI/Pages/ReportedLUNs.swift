/// The parameter data of REPORT LUNS (SPC-4 §6.33.2).
public enum ReportedLUNs {
  /// The parameter data for a SELECT REPORT value; nil for a value that SPC-4 reserves. There are no well known logical
  /// units.
  ///
  /// - Parameter luns: As SAM-5 §4.7 encodes them, the first byte highest.
  public static func parameterData(selectReport: UInt8, luns: [UInt64]) -> [UInt8]? {
    let listed: [UInt64]
    switch selectReport {
    case 0x00, 0x02: listed = luns
    case 0x01: listed = []
    default: return nil
    }
    var data: [UInt8] = []
    data.reserveCapacity(8 + 8 * listed.count)
    data.append32(UInt32(truncatingIfNeeded: 8 * listed.count))
    data.appendZeroes(4)
    for lun in listed { data.append64(lun) }
    return data
  }
}
