import ISCSI

/// Data-In, R2T and the end of a command, RFC 7143 §11.7, §11.8, §11.4.
extension WatchedConnection {
  func dataIn(_ pdu: ProtocolDataUnit, _ task: WatchedTask, _ session: WatchedSession) {
    let (number, wireOffset, isFinal, lun, transferTag, hasStatus, wantsAcknowledgement) = pdu.header.read {
      (
        $0.dataSN, $0.bufferOffset, $0.isFinal, $0.lun, $0.targetTransferTag, $0.hasStatus, $0.isAcknowledge
      )
    }
    let offset = Int(wireOffset)
    let end = offset + pdu.data.count
    if task.isOrderly, number != task.nextDataSN {
      find(.dataSNOutOfOrder, .target, "DataSN \(number), expected \(task.nextDataSN)", pdu.header)
    }
    task.nextDataSN = number &+ 1
    // §11.8.2: of a bidirectional command, Data-In and R2Ts are numbered together.
    if task.isBidirectional { task.nextR2TSN = task.nextDataSN }
    // §11.7.4: only one that asks for an acknowledgement has to name the logical unit.
    if transferTag != Self.reservedTag, lun != task.lun {
      find(.lunMismatch, .target, "LUN \(Self.hex(lun))", pdu.header)
    }
    if wantsAcknowledgement {
      if parameters.errorRecoveryLevel == 0 {
        find(.acknowledgeBitSet, .target, "at error recovery level 0", pdu.header)
      } else if transferTag == Self.reservedTag {
        find(.transferTag, .target, "A bit with the reserved tag", pdu.header)
      }
    }
    if !task.isRead || end > task.expectedIn {
      find(.dataBeyondLength, .target, "bytes \(offset) to \(end) of \(task.expectedIn)", pdu.header)
    } else {
      let isInOrder = parameters.dataPDUInOrder && parameters.dataSequenceInOrder
      if isInOrder, task.isOrderly, !pdu.data.isEmpty, offset != task.nextOffset {
        find(.bufferOffsetOutOfOrder, .target, "offset \(offset), expected \(task.nextOffset)", pdu.header)
      }
      task.received += pdu.data.count
      task.nextOffset = end
      let limit = Int(parameters.maxBurstLength)
      let before = task.burstLength
      task.burstLength += pdu.data.count
      // Told once a sequence.
      if task.burstLength > limit, before <= limit, task.isOrderly {
        find(.burstTooLong, .target, "\(task.burstLength) bytes of \(limit)", pdu.header)
      }
      if isFinal { task.burstLength = 0 }
    }
    guard hasStatus else { return }
    if !isFinal { find(.statusWithoutFinal, .target, "S without F", pdu.header) }
    // §11.7.3: a status that comes with sense data needs a SCSI Response.
    if pdu.header.read({ $0.status }) == 0x02 {
      find(.statusInDataIn, .target, "CHECK CONDITION", pdu.header)
    }
    checkResidual(pdu, task)
    session.end(task)
  }

  func readyToTransfer(_ pdu: ProtocolDataUnit, _ task: WatchedTask, _ session: WatchedSession) {
    guard task.isWrite else {
      return find(.r2tUnexpected, .target, "the command does not write", pdu.header)
    }
    let (transferTag, number, wireOffset, length, lun) = pdu.header.read {
      ($0.targetTransferTag, $0.r2tSN, $0.bufferOffset, $0.desiredDataTransferLength, $0.lun)
    }
    if task.isOrderly, number != task.nextR2TSN {
      find(.r2tSNOutOfOrder, .target, "R2TSN \(number), expected \(task.nextR2TSN)", pdu.header)
    }
    task.nextR2TSN = number &+ 1
    if task.isBidirectional { task.nextDataSN = task.nextR2TSN }
    if transferTag == Self.reservedTag {
      find(.transferTag, .target, "R2T with the reserved tag", pdu.header)
    }
    if lun != task.lun { find(.lunMismatch, .target, "LUN \(Self.hex(lun))", pdu.header) }
    let offset = Int(wireOffset)
    let end = offset + Int(length)
    guard length > 0, end <= task.expectedOut else {
      return find(.r2tOutOfBounds, .target, "bytes \(offset) to \(end) of \(task.expectedOut)", pdu.header)
    }
    if length > parameters.maxBurstLength {
      find(.r2tTooLong, .target, "\(length) bytes of \(parameters.maxBurstLength)", pdu.header)
    }
    if parameters.dataSequenceInOrder, offset < task.nextR2TOffset {
      // §13.19: with recovery data may be asked for again.
      if parameters.errorRecoveryLevel > 0 {
        task.r2ts.removeAll { $0.start >= offset }
        task.isOrderly = false
      } else if task.isOrderly {
        find(.r2tOutOfOrder, .target, "offset \(offset) after \(task.nextR2TOffset)", pdu.header)
      }
    }
    task.nextR2TOffset = end
    task.r2ts.append(OutstandingR2T(tag: transferTag, start: offset, data: DataOutSequence(offset: offset, end: end)))
    if task.r2ts.count > Int(parameters.maxOutstandingR2T), task.isOrderly {
      find(.r2tTooMany, .target, "\(task.r2ts.count) of \(parameters.maxOutstandingR2T)", pdu.header)
    }
  }

  func scsiResponse(_ pdu: ProtocolDataUnit, _ task: WatchedTask, _ session: WatchedSession) {
    let (response, status, expDataSN) = pdu.header.read { ($0.response, $0.status, $0.expDataSN) }
    if response > 1, response < 0x80 { find(.undefinedCode, .target, "response \(response)", pdu.header) }
    checkSense(pdu)
    // §11.4.7: sense data always come with the status.
    if status == 0x02, pdu.data.count < 3, response == 0 {
      find(.senseMalformed, .target, "CHECK CONDITION without sense data", pdu.header)
    }
    if task.burstLength > 0, task.isOrderly {
      find(.sequenceNotEnded, .target, "the last Data-In had no F", pdu.header)
    }
    // §11.4.8 counts R2Ts as well, and wants zero where there was no Data-In: of a write, both are right.
    let counted = task.isRead ? task.nextDataSN : task.nextR2TSN
    if task.isOrderly, expDataSN != counted, expDataSN != 0 || task.received != 0 && response == 0 {
      find(.expDataSNWrong, .target, "ExpDataSN \(expDataSN), \(counted) were sent", pdu.header)
    }
    if response == 0 { checkResidual(pdu, task) }
    session.end(task)
  }

  private func checkSense(_ pdu: ProtocolDataUnit) {
    guard pdu.data.count >= 2 else {
      if !pdu.data.isEmpty { find(.senseMalformed, .target, "a data segment of one byte", pdu.header) }
      return
    }
    let length = Int(pdu.data[0]) << 8 | Int(pdu.data[1])
    let available = pdu.data.count - 2
    if length > available {
      find(.senseMalformed, .target, "SenseLength \(length) of \(available) bytes", pdu.header)
    }
  }

  /// RFC 7143 §11.4.5.
  private func checkResidual(_ pdu: ProtocolDataUnit, _ task: WatchedTask) {
    let (isOverflow, isUnderflow, count, status) = pdu.header.read {
      ($0.isOverflow, $0.isUnderflow, Int($0.residualCount), $0.status)
    }
    let isBoth =
      pdu.opcode == .scsiResponse
      && pdu.header.read { $0.isBidirectionalOverflow && $0.isBidirectionalUnderflow }
    if isOverflow && isUnderflow || isBoth {
      return find(.residualFlagsConflict, .target, "overflow and underflow", pdu.header)
    }
    if !isOverflow, !isUnderflow, count != 0 {
      find(.residualWrong, .target, "residual count \(count) without O or U", pdu.header)
    }
    if task.isWrite, isUnderflow, count > task.expectedOut {
      find(.residualWrong, .target, "residual count \(count) of \(task.expectedOut)", pdu.header)
    }
    if task.isWrite, !task.isRead, status == 0, !isUnderflow, task.isOrderly, task.sent < task.expectedOut {
      find(
        .residualWrong, .target, "\(task.expectedOut - task.sent) bytes were not asked for, and U is not set",
        pdu.header
      )
    }
    guard task.isRead, !task.isWrite, task.isOrderly else { return }
    let missing = task.expectedIn - task.received
    if isUnderflow, count != missing {
      find(.residualWrong, .target, "residual count \(count), \(missing) bytes were not sent", pdu.header)
    } else if isOverflow, missing != 0 {
      find(.residualWrong, .target, "overflow, and \(missing) bytes were not sent", pdu.header)
    } else if !isUnderflow, missing > 0, status == 0 {
      find(.residualWrong, .target, "\(missing) bytes were not sent, and U is not set", pdu.header)
    }
  }
}
