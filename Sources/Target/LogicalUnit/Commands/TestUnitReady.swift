import SCSI

// TEST UNIT READY: SPC-4 §6.47.

extension CommandTable {
  static let testUnitReady: [CommandDescriptor] = [
    CommandDescriptor(
      "TEST UNIT READY", OperationCode.testUnitReady, usage: [0x00, 0x00, 0x00, 0x00, 0x00, 0x00], [.needsMedium],
      begin: { unit, command, _ in unit.good(&command) })
  ]
}
