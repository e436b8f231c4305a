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
    // The condition is cleared with any ALLOCATION LENGTH, also 0, as some hosts clear it; but not by an attempt that found no
    // memory.
    if disposition == .finished, let attention { nexuses[nexus].attentions.remove(attention) }
    return disposition
  }

  /// Returns `sense` as parameter data, in the format that DESC asks for.
  private func answerSense(_ command: inout Command, _ sense: Sense, _ context: inout Context) -> Disposition {
    let isDescriptor = command.cdb[1] & 0x01 != 0
    return answer(
      &command, sense.parameterData(descriptor: isDescriptor), allocationLength: Int(command.cdb[4]), &context)
  }
}
