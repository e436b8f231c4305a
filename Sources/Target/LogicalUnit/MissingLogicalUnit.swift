import Ring
import SCSI

/// What answers at a LUN where there is no logical unit (SPC-4 §6.6.2, §6.33, §6.39; SAM-5 §4.7).
struct MissingLogicalUnit {
  private let inventory: TargetInventory

  init(inventory: TargetInventory) { self.inventory = inventory }

  /// Answers a command. Never waits for anything but memory.
  func submit(_ command: inout Command, _ context: inout Context) -> Disposition {
    switch command.cdb[0] {
    case OperationCode.inquiry where command.cdb[1] & 0x01 == 0 && command.cdb[2] == 0:
      var inquiry = StandardInquiry(vendor: "SIMSAN", product: "", revision: "")
      inquiry.peripheral = StandardInquiry.absent
      return answer(&command, inquiry.encoded, Int(command.cdb.big16(3)), &context)
    case OperationCode.inquiry where command.cdb[1] == 0x01 && command.cdb[2] == 0:
      var page = VitalProductData.supportedPages([0x00])
      page[0] = StandardInquiry.absent
      return answer(&command, page, Int(command.cdb.big16(3)), &context)
    case OperationCode.inquiry:
      return fail(
        &command, Sense(.illegalRequest, .invalidFieldInCDB, specific: .field(inCDB: true, byte: 2, bit: nil)))
    case OperationCode.reportLUNs:
      guard let data = ReportedLUNs.parameterData(selectReport: command.cdb[2], luns: inventory.encodedLUNs) else {
        return fail(
          &command, Sense(.illegalRequest, .invalidFieldInCDB, specific: .field(inCDB: true, byte: 2, bit: nil)))
      }
      return answer(&command, data, Int(truncatingIfNeeded: command.cdb.big32(6)), &context)
    case OperationCode.requestSense:
      let sense = Sense(.illegalRequest, .logicalUnitNotSupported)
      return answer(
        &command, sense.parameterData(descriptor: command.cdb[1] & 0x01 != 0), Int(command.cdb[4]), &context)
    default:
      return fail(&command, Sense(.illegalRequest, .logicalUnitNotSupported))
    }
  }

  private func answer(
    _ command: inout Command, _ data: [UInt8], _ allocationLength: Int, _ context: inout Context
  ) -> Disposition {
    let count = min(data.count, allocationLength)
    command.status = Status.good.rawValue
    guard count > 0 else { return .finished }
    guard let buffer = context.copy(data, count) else { return .starved }
    command.buffer = buffer
    command.dataIn = buffer
    return .finished
  }

  private func fail(_ command: inout Command, _ sense: Sense) -> Disposition {
    command.status = Status.checkCondition.rawValue
    command.senseLength = sense.encode(descriptor: false, into: &command.sense)
    return .finished
  }
}
