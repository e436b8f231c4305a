import Ring
import SCSI

// REQUEST SENSE: SPC-4 §6.39.

extension CommandTable {
  static let requestSense: [CommandDescriptor] = [
    CommandDescriptor(
      "REQUEST SENSE", OperationCode.requestSense, usage: [0x03, 0x01, 0x00, 0x00, 0xFF, 0x00],
      [.ignoresUnitAttention, .ignoresReservation, .overtakes],
      begin: { $0.beginRequestSense(&$1, &$2) })
  ]
}

extension LogicalUnit {
  fileprivate func beginRequestSense(_ command: inout Command, _ context: inout Context) -> Disposition {
    var sense = notReady ?? Sense(.noSense, .none)
    let nexus = Int(command.nexus)
    let attention = nexus < nexuses.count ? nexuses[nexus].attentions.first : nil
    if let attention { sense = Sense(.unitAttention, attention.sense) }
    let disposition = answerSense(&command, sense, &context)
    // The condition is cleared by being returned: not by an attempt that found no memory, nor without what it is.
    let isTold = Int(command.cdb[4]) >= (wantsDescriptor(command) ? 4 : 14)
    if disposition == .finished, isTold, let attention { nexuses[nexus].attentions.remove(attention) }
    return disposition
  }

  private func wantsDescriptor(_ command: borrowing Command) -> Bool { command.cdb[1] & 0x01 != 0 }

  /// Returns `sense` as parameter data, in the format that DESC asks for.
  private func answerSense(_ command: inout Command, _ sense: Sense, _ context: inout Context) -> Disposition {
    answer(
      &command, sense.parameterData(descriptor: wantsDescriptor(command)), allocationLength: Int(command.cdb[4]),
      &context)
  }
}
