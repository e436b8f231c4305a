import Ring
import SCSI

// REPORT LUNS: SPC-4 §6.33.

extension CommandTable {
  static let reportLUNs: [CommandDescriptor] = [
    CommandDescriptor(
      "REPORT LUNS", OperationCode.reportLUNs,
      usage: [0xA0, 0x00, 0xFF, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00],
      [.ignoresUnitAttention, .ignoresReservation, .overtakes],
      begin: { $0.beginReportLUNs(&$1, &$2) })
  ]
}

extension LogicalUnit {
  fileprivate func beginReportLUNs(_ command: inout Command, _ context: inout Context) -> Disposition {
    guard let data = ReportedLUNs.parameterData(selectReport: command.cdb[2], luns: inventory.encodedLUNs) else {
      return fail(&command, invalidField(byte: 2))
    }
    return answer(&command, data, allocationLength: Int(truncatingIfNeeded: command.cdb.big32(6)), &context)
  }
}
