import Ring
import SCSI

// MAINTENANCE IN: REPORT SUPPORTED OPERATION CODES, REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS, REPORT TARGET PORT
// GROUPS: SPC-4 §6.35, §6.36, §6.37.

extension CommandTable {
  static let maintenance: [CommandDescriptor] = [
    CommandDescriptor(
      "REPORT TARGET PORT GROUPS", OperationCode.maintenanceIn, serviceAction: ServiceAction.reportTargetPortGroups,
      usage: [0xA3, 0xEA, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00],
      begin: { $0.beginReportTargetPortGroups(&$1, &$2) }),
    CommandDescriptor(
      "REPORT SUPPORTED OPERATION CODES", OperationCode.maintenanceIn,
      serviceAction: ServiceAction.reportSupportedOperationCodes,
      usage: [0xA3, 0x0C, 0x87, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00],
      begin: { $0.beginReportOperationCodes(&$1, &$2) }),
    CommandDescriptor(
      "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", OperationCode.maintenanceIn,
      serviceAction: ServiceAction.reportSupportedTaskManagementFunctions,
      usage: [0xA3, 0x0D, 0x80, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00],
      begin: { $0.beginReportTaskManagement(&$1, &$2) }),
  ]
}

extension LogicalUnit {
  fileprivate func beginReportOperationCodes(_ command: inout Command, _ context: inout Context) -> Disposition {
    let withTimeouts = command.cdb[2] & 0x80 != 0
    let operationCode = command.cdb[3]
    let serviceAction = command.cdb.big16(4)
    let first = table.find(operationCode, serviceAction: nil)
    let hasServiceActions = first?.rule.hasServiceAction ?? false
    var found: CommandDescriptor?
    switch command.cdb[2] & 0x07 {
    case 0:
      var all = ReportedOperationCodes()
      for descriptor in table.descriptors where isOffered(descriptor.rule) {
        all.append(
          descriptor.operationCode, descriptor.serviceAction, cdbLength: descriptor.usage.count,
          withTimeouts: withTimeouts)
      }
      return answerMaintenance(&command, all.encoded, &context)
    case 1:
      if hasServiceActions { return fail(&command, invalidField(byte: 2, bit: 2)) }
      found = first
    case 2:
      if first != nil && !hasServiceActions { return fail(&command, invalidField(byte: 2, bit: 2)) }
      found = table.find(operationCode, serviceAction: serviceAction)
    case 3:
      // With or without a service action, as the operation code has it; without one the field has to be zero.
      if hasServiceActions {
        found = table.find(operationCode, serviceAction: serviceAction)
      } else {
        found = serviceAction == 0 ? first : nil
      }
    default:
      return fail(&command, invalidField(byte: 2, bit: 2))
    }
    if let descriptor = found, !isOffered(descriptor.rule) { found = nil }
    let data = ReportedOperationCodes.one(usage: found.map(usage), withTimeouts: withTimeouts)
    return answerMaintenance(&command, data, &context)
  }

  /// The map of a command without the bits that this unit has no use for.
  private func usage(_ descriptor: CommandDescriptor) -> [UInt8] {
    var usage = descriptor.usage
    switch descriptor.operationCode {
    case OperationCode.writeSame10, OperationCode.writeSame16:
      if !configuration.isThin { usage[1] &= ~Self.unmapBit }
    case OperationCode.startStopUnit:
      if !configuration.isRemovable { usage[4] &= ~Self.loadEjectBit }
    default: break
    }
    return usage
  }

  fileprivate func beginReportTaskManagement(_ command: inout Command, _ context: inout Context) -> Disposition {
    if command.cdb.big32(6) < 4 { return fail(&command, invalidField(byte: 6)) }
    // ABORT TASK, ABORT TASK SET, CLEAR TASK SET, LOGICAL UNIT RESET, and TARGET RESET of old.
    var data: [UInt8] = [0x80 | 0x40 | 0x10 | 0x08 | 0x02, 0, 0, 0]
    if command.cdb[2] & 0x80 != 0 {
      // REPD: with the extended data, which say of no timeout.
      data[3] = 12
      data.appendZeroes(12)
    }
    return answerMaintenance(&command, data, &context)
  }

  fileprivate func beginReportTargetPortGroups(_ command: inout Command, _ context: inout Context) -> Disposition {
    let format = command.cdb[1] >> 5
    if format > 1 { return fail(&command, invalidField(byte: 1, bit: 7)) }
    let ports = inventory.portalGroupTags.indices.map { UInt16(truncatingIfNeeded: $0 + 1) }
    return answerMaintenance(
      &command, TargetPortGroups.parameterData(ports: ports, withExtendedHeader: format == 1), &context)
  }

  private func answerMaintenance(
    _ command: inout Command, _ data: [UInt8], _ context: inout Context
  ) -> Disposition {
    answer(&command, data, allocationLength: Int(truncatingIfNeeded: command.cdb.big32(6)), &context)
  }
}
