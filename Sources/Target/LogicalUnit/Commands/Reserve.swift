import SCSI

// RESERVE(6) and RELEASE(6): SPC-2 §7.21, §7.17. Old, and still what some hosts format with.

extension CommandTable {
  static let reserve: [CommandDescriptor] = [
    CommandDescriptor(
      "RESERVE(6)", OperationCode.reserve6, usage: [0x16, 0x00, 0x00, 0x00, 0x00, 0x00],
      begin: { unit, command, _ in unit.beginReserve(&command) }),
    CommandDescriptor(
      "RELEASE(6)", OperationCode.release6, usage: [0x17, 0x00, 0x00, 0x00, 0x00, 0x00], [.ignoresReservation],
      begin: { unit, command, _ in unit.beginRelease(&command) }),
  ]
}

extension LogicalUnit {
  fileprivate func beginReserve(_ command: inout Command) -> Disposition {
    // Another holder would have met the reservation conflict before this.
    reservationHolder = command.nexus
    return good(&command)
  }

  fileprivate func beginRelease(_ command: inout Command) -> Disposition {
    // From anybody but the holder it does nothing, and that is no error.
    if reservationHolder == command.nexus { reservationHolder = nil }
    return good(&command)
  }
}
