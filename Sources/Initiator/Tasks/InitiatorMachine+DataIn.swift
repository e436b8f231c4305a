import ISCSI
import Ring

/// Data-In, RFC 7143 §11.7.
extension InitiatorMachine {
  func dataIn(_ pdu: ProtocolDataUnit, on connection: Connection) {
    guard let (slot, task, state) = answered(pdu, on: connection, \.command) else { return }
    take(pdu, into: state, task, on: connection)
    let (hasStatus, isFinal, wantsAcknowledge) = pdu.header.read { ($0.hasStatus, $0.isFinal, $0.isAcknowledge) }
    if wantsAcknowledge { acknowledge(pdu, state, on: connection) }
    guard hasStatus else { return }
    if !isFinal { violation(.statusWithoutFinal, on: connection, "S without F", pdu) }
    var outcome = CommandOutcome()
    outcome.statusCameWithData = true
    pdu.header.read { header in
      outcome.status = header.status
      outcome.isOverflow = header.isOverflow
      outcome.isUnderflow = header.isUnderflow
      outcome.residualCount = header.residualCount
    }
    // §11.7.3: a status that comes with sense data needs a SCSI Response.
    if outcome.status == 0x02 { violation(.statusInDataIn, on: connection, "CHECK CONDITION", pdu) }
    finish(slot, state, outcome, pdu, on: connection)
  }

  private func take(
    _ pdu: ProtocolDataUnit, into state: CommandState, _ task: InitiatorTask, on connection: Connection
  ) {
    let (number, wireOffset, isFinal, lun, tag) = pdu.header.read {
      ($0.dataSN, $0.bufferOffset, $0.isFinal, $0.lun, $0.targetTransferTag)
    }
    let offset = Int(wireOffset)
    let end = offset + pdu.data.count
    if !task.wasRecovered, number != state.nextDataSN {
      violation(.dataSNOutOfOrder, on: connection, "DataSN \(number), expected \(state.nextDataSN)", pdu)
    }
    state.nextDataSN = number &+ 1
    // §11.8.2: of a bidirectional command, Data-In and R2Ts are numbered together.
    if state.isBidirectional { state.nextR2TSN = state.nextDataSN }
    // §11.7.4: only a Data-In that asks for an acknowledgement has to name the logical unit.
    if tag != reservedTag, lun != state.lun {
      violation(.lunMismatch, on: connection, "LUN \(String(lun, radix: 16))h", pdu)
    }
    guard state.isRead, end <= state.expectedLength else {
      return violation(
        .dataBeyondLength, on: connection, "bytes \(offset) to \(end) of \(state.isRead ? state.expectedLength : 0)",
        pdu)
    }
    let inOrder = connection.parameters.dataPDUInOrder && connection.parameters.dataSequenceInOrder
    if inOrder, !task.wasRecovered, !pdu.data.isEmpty, offset != state.nextOffset {
      violation(.bufferOffsetOutOfOrder, on: connection, "offset \(offset), expected \(state.nextOffset)", pdu)
    }
    if state.dataIn.isEmpty, offset == 0 {
      state.dataIn = pdu.data
    } else if state.dataIn.count == offset {
      state.dataIn += pdu.data
    } else {
      if state.dataIn.count < end {
        state.dataIn.append(contentsOf: repeatElement(0, count: end - state.dataIn.count))
      }
      state.dataIn.replaceSubrange(offset..<end, with: pdu.data)
    }
    state.received += pdu.data.count
    state.nextOffset = end
    state.burstLength += pdu.data.count
    let limit = Int(connection.parameters.maxBurstLength)
    // Told once a sequence.
    if state.burstLength > limit, state.burstLength - pdu.data.count <= limit, !task.wasRecovered {
      violation(.burstTooLong, on: connection, "\(state.burstLength) bytes of \(limit)", pdu)
    }
    if isFinal { state.burstLength = 0 }
  }

  /// DataACK SNACK, RFC 7143 §11.16.
  private func acknowledge(_ pdu: ProtocolDataUnit, _ state: CommandState, on connection: Connection) {
    guard connection.parameters.errorRecoveryLevel > 0 else {
      return violation(.acknowledgeBitSet, on: connection, "at error recovery level 0", pdu)
    }
    let (lun, tag) = pdu.header.read { ($0.lun, $0.targetTransferTag) }
    guard tag != reservedTag else {
      return violation(.transferTag, on: connection, "A bit with the reserved tag", pdu)
    }
    var snack = ProtocolDataUnit(.snackRequest)
    snack.header.write { header in
      header.snackType = SNACKType.dataACK.rawValue
      header.lun = lun
      header.initiatorTaskTag = reservedTag
      header.targetTransferTag = tag
      header.expStatSN = connection.acknowledgedStatSN
      header.begRun = state.nextDataSN
    }
    transmit(snack, WireOptions(), on: connection)
  }
}
