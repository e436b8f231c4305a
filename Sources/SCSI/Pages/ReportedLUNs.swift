/// The parameter data of REPORT LUNS (SPC-4 §6.33.2) and the form of a LUN (SAM-5 §4.7).
public enum ReportedLUNs {
  /// The parameter data for a SELECT REPORT value; nil for a value that SPC-4 reserves. There are no well known logical
  /// units.
  public static func parameterData(selectReport: UInt8, luns: [UInt16]) -> [UInt8]? {
    let listed: [UInt16]
    switch selectReport {
    case 0x00, 0x02: listed = luns
    case 0x01: listed = []
    default: return nil
    }
    var data: [UInt8] = []
    data.reserveCapacity(8 + 8 * listed.count)
    data.append32(UInt32(truncatingIfNeeded: 8 * listed.count))
    data.appendZeroes(4)
    for lun in listed { data.append64(encode(lun)) }
    return data
  }

  /// The 8-byte form of a single-level LUN: peripheral device addressing below 256, flat space addressing above.
  public static func encode(_ lun: UInt16) -> UInt64 {
    (lun < 256 ? UInt64(lun) : 0x4000 | UInt64(lun & 0x3FFF)) << 48
  }

  /// The number in an 8-byte LUN of either of these forms; nil when it is of another form.
  public static func decode(_ lun: UInt64) -> UInt16? {
    guard lun << 16 == 0 else { return nil }
    let first = UInt16(truncatingIfNeeded: lun >> 48)
    switch first >> 14 {
    // The bus identifier of peripheral device addressing names this target: zero.
    case 0b00: return first < 256 ? first : nil
    case 0b01: return first & 0x3FFF
    default: return nil
    }
  }
}
