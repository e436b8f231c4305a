import ISCSI
import Ring

/// SCSI Command and SCSI Response, RFC 7143 §11.3, §11.4.
extension InitiatorMachine {
  func issueCommand(_ slot: Int, _ connection: Connection) {
    let session = connection.session
    guard case .command(let state) = session.slots[slot]?.kind else { return }
    let request = state.request
    let isBidirectional = request.expectedDataIn > 0 && !request.dataOut.isEmpty
    // The length was checked when the command was taken.
    var additional = request.cdb.count > 16 ? (try? Self.extendedCDB(request.cdb)) ?? [] : []
    if isBidirectional {
      let length = UInt32(clamping: request.expectedDataIn)
      additional += [0, 5, AdditionalHeaderType.bidirectionalReadLength.rawValue, 0]
      additional += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
    }
    let immediate = immediateLength(request, connection)
    let unsolicited = max(immediate, unsolicitedLength(request, connection))
    var pdu = ProtocolDataUnit(
      .scsiCommand, isFinal: unsolicited == immediate, additionalHeaders: additional,
      data: immediate == request.dataOut.count ? request.dataOut : Array(request.dataOut.prefix(immediate)))
    pdu.header.write { header in
      header.isRead = request.expectedDataIn > 0
      header.isWrite = !request.dataOut.isEmpty
      header.taskAttribute = request.attribute
      header.lun = request.lun
      header.expectedDataTransferLength =
        UInt32(clamping: request.dataOut.isEmpty ? request.expectedDataIn : request.dataOut.count)
      for (index, byte) in request.cdb.prefix(16).enumerated() { header.cdb[index] = byte }
    }
    let sent = issue(pdu, for: slot, overrides: request.overrides, request.wire, connection)
    sent.header.read { header in
      state.lun = header.lun
      state.isRead = header.isRead
      state.isWrite = header.isWrite
      // Of a bidirectional command, the header has the length of the write.
      state.expectedLength = isBidirectional ? request.expectedDataIn : Int(header.expectedDataTransferLength)
      state.expectedDataOut = header.isWrite ? Int(header.expectedDataTransferLength) : 0
    }
    state.sentLength = immediate
    state.nextR2TOffset = request.isCorrect ? unsolicited : 0
    if unsolicited > immediate {
      sendBurst(
        slot, connection, Burst(number: 0, tag: reservedTag, lun: 0, offset: immediate, length: unsolicited - immediate)
      )
    }
  }

  private func immediateLength(_ request: CommandRequest, _ connection: Connection) -> Int {
    if let wished = request.immediateLength { return max(0, min(wished, request.dataOut.count)) }
    let parameters = connection.parameters
    guard parameters.immediateData else { return 0 }
    let limit = min(parameters.firstBurstLength, parameters.targetMaxRecvDataSegmentLength)
    return min(request.dataOut.count, Int(limit))
  }

  private func unsolicitedLength(_ request: CommandRequest, _ connection: Connection) -> Int {
    if let wished = request.unsolicitedLength { return max(0, min(wished, request.dataOut.count)) }
    guard !connection.parameters.initialR2T else { return 0 }
    return min(request.dataOut.count, Int(connection.parameters.firstBurstLength))
  }

  func scsiResponse(_ pdu: ProtocolDataUnit, on connection: Connection) {
    guard let (slot, task, state) = answered(pdu, on: connection, \.command) else { return }
    var outcome = CommandOutcome()
    pdu.header.read { header in
      outcome.response = header.response
      outcome.status = header.status
      outcome.isOverflow = header.isOverflow
      outcome.isUnderflow = header.isUnderflow
      outcome.residualCount = header.residualCount
      outcome.isBidirectionalOverflow = header.isBidirectionalOverflow
      outcome.isBidirectionalUnderflow = header.isBidirectionalUnderflow
      outcome.bidirectionalReadResidualCount = header.bidirectionalReadResidualCount
    }
    if SCSIResponseCode(rawValue: outcome.response) == nil, outcome.response < 0x80 {
      violation(.undefinedCode, on: connection, "response \(outcome.response)", pdu)
    }
    takeSense(pdu, into: &outcome, on: connection)
    // RFC 7143 §11.4.7: sense data always come with the status.
    if outcome.status == 0x02, outcome.sense.isEmpty, outcome.response == 0 {
      violation(.senseMalformed, on: connection, "CHECK CONDITION without sense data", pdu)
    }
    if state.burstLength > 0, !task.wasRecovered {
      violation(.sequenceNotEnded, on: connection, "the last Data-In had no F", pdu)
    }
    let expDataSN = pdu.header.read { $0.expDataSN }
    // §11.4.8 counts R2Ts as well, and wants zero where there was no Data-In: of a write, both are right.
    let counted = state.isRead ? state.nextDataSN : state.nextR2TSN
    if !task.wasRecovered, expDataSN != counted, expDataSN != 0 || state.received != 0 && outcome.response == 0 {
      violation(.expDataSNWrong, on: connection, "ExpDataSN \(expDataSN), \(counted) came", pdu)
    }
    finish(slot, state, outcome, pdu, on: connection)
  }

  private func takeSense(_ pdu: ProtocolDataUnit, into outcome: inout CommandOutcome, on connection: Connection) {
    guard pdu.data.count >= 2 else {
      if !pdu.data.isEmpty { violation(.senseMalformed, on: connection, "a data segment of one byte", pdu) }
      return
    }
    let length = Int(pdu.data[0]) << 8 | Int(pdu.data[1])
    let available = pdu.data.count - 2
    if length > available {
      violation(.senseMalformed, on: connection, "SenseLength \(length) of \(available) bytes", pdu)
    }
    outcome.sense = Array(pdu.data[2..<(2 + min(length, available))])
    outcome.responseData = Array(pdu.data[(2 + min(length, available))...])
  }

  /// The command has its status.
  func finish(
    _ slot: Int, _ state: CommandState, _ outcome: CommandOutcome, _ pdu: ProtocolDataUnit, on connection: Connection
  ) {
    var outcome = outcome
    let wasRecovered = connection.session.slots[slot]?.wasRecovered ?? false
    checkResidual(state, outcome, pdu, wasRecovered: wasRecovered, on: connection)
    outcome.dataIn = state.dataIn
    outcome.dataOutLength = state.sentLength
    end(slot, connection, .command(outcome))
  }

  /// RFC 7143 §11.4.5.
  private func checkResidual(
    _ state: CommandState, _ outcome: CommandOutcome, _ pdu: ProtocolDataUnit, wasRecovered: Bool,
    on connection: Connection
  ) {
    guard outcome.response == 0 else { return }
    if outcome.isOverflow && outcome.isUnderflow
      || outcome.isBidirectionalOverflow && outcome.isBidirectionalUnderflow
    {
      return violation(.residualFlagsConflict, on: connection, "overflow and underflow", pdu)
    }
    let count = Int(outcome.residualCount)
    if !outcome.isOverflow, !outcome.isUnderflow, count != 0 {
      violation(.residualWrong, on: connection, "residual count \(count) without O or U", pdu)
    }
    if state.isWrite, outcome.isUnderflow, count > state.expectedDataOut {
      violation(.residualWrong, on: connection, "residual count \(count) of \(state.expectedDataOut)", pdu)
    }
    if state.isWrite, !state.isRead, outcome.status == 0, !outcome.isUnderflow, state.request.isCorrect,
      state.sentLength < state.expectedDataOut
    {
      let missing = state.expectedDataOut - state.sentLength
      violation(.residualWrong, on: connection, "\(missing) bytes were not asked for, and U is not set", pdu)
    }
    // Of data that were sent again nobody knows how much came twice.
    guard state.isRead, !state.isWrite, !wasRecovered else { return }
    let missing = state.expectedLength - state.received
    if outcome.isUnderflow, count != missing {
      violation(.residualWrong, on: connection, "residual count \(count), \(missing) bytes did not come", pdu)
    } else if outcome.isOverflow, missing != 0 {
      violation(.residualWrong, on: connection, "overflow, and \(missing) bytes did not come", pdu)
    } else if !outcome.isUnderflow, missing > 0, outcome.status == 0 {
      violation(.residualWrong, on: connection, "\(missing) bytes did not come, and U is not set", pdu)
    }
  }
}
