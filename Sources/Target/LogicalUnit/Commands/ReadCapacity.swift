import Ring
import SCSI

// READ CAPACITY(10) and READ CAPACITY(16): SBC-4 §5.20, §5.21.

extension CommandTable {
  static let readCapacity: [CommandDescriptor] = [
    CommandDescriptor(
      "READ CAPACITY(10)", OperationCode.readCapacity10,
      usage: [0x25, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x01, 0x00], [.needsMedium],
      begin: { $0.beginReadCapacity10(&$1, &$2) }),
    CommandDescriptor(
      "READ CAPACITY(16)", OperationCode.serviceActionIn16, serviceAction: ServiceAction.readCapacity16,
      usage: [
        0x9E, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00,
      ], [.needsMedium], begin: { $0.beginReadCapacity16(&$1, &$2) }),
  ]
}

extension LogicalUnit {
  fileprivate func beginReadCapacity10(_ command: inout Command, _ context: inout Context) -> Disposition {
    // PMI and the LBA that belongs to it are obsolete; without PMI the LBA has to be zero.
    if command.cdb[8] & 0x01 == 0 && command.cdb.big32(2) != 0 { return fail(&command, invalidField(byte: 2)) }
    return answer(&command, capacity.parameterData10, allocationLength: 8, &context)
  }

  fileprivate func beginReadCapacity16(_ command: inout Command, _ context: inout Context) -> Disposition {
    answer(
      &command, capacity.parameterData16, allocationLength: Int(truncatingIfNeeded: command.cdb.big32(10)), &context)
  }

  var capacity: Capacity {
    Capacity(
      lastLBA: blockCount - 1, blockLength: UInt32(truncatingIfNeeded: blockLength),
      physicalBlockExponent: UInt8(truncatingIfNeeded: configuration.physicalBlockExponent),
      isThin: configuration.isThin)
  }
}
