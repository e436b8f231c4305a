import ISCSI
import Ring

/// Asynchronous Message and Reject, RFC 7143 §11.9, §11.17.
extension InitiatorMachine {
  func asyncMessage(_ pdu: ProtocolDataUnit, on connection: Connection) {
    let (code, tag) = pdu.header.read { ($0.asyncEvent, $0.initiatorTaskTag) }
    if tag != reservedTag { violation(.asyncMalformed, on: connection, "Initiator Task Tag is not reserved", pdu) }
    let event = AsyncEvent(rawValue: code)
    if event == nil { violation(.undefinedCode, on: connection, "AsyncEvent \(code)", pdu) }
    if event == .scsiAsynchronousEvent, pdu.data.count < 2 {
      violation(.asyncMalformed, on: connection, "a SCSI event without sense data", pdu)
    }
    tell(connection, .asyncMessage(pdu))
    guard connection.automatic.obeysAsyncMessages, connection.phase == .fullFeature, connection.isOpen else { return }
    switch event {
    case .logoutRequested:
      let isOnly = connection.session.connections.count < 2
      _ = try? logout(LogoutRequest(isOnly ? .closeSession : .closeConnection), on: connection.id)
    case .negotiationRequested: _ = try? text(TextRequest(), on: connection.id)
    default: break
    }
  }

  func reject(_ pdu: ProtocolDataUnit, on connection: Connection) {
    let (reason, tag) = pdu.header.read { ($0.rejectReason, $0.initiatorTaskTag) }
    let known = RejectReason(rawValue: reason)
    // RFC 7143 §11.17.1 has withdrawn Negotiation Reset.
    if known == nil || known == .negotiationReset {
      violation(.undefinedCode, on: connection, "reason \(reason)", pdu)
    }
    if tag != reservedTag { violation(.rejectMalformed, on: connection, "Initiator Task Tag is not reserved", pdu) }
    guard pdu.data.count >= HeaderView.length else {
      violation(.rejectMalformed, on: connection, "\(pdu.data.count) bytes of the rejected header", pdu)
      return tell(connection, .rejected(reason: reason, rejected: nil))
    }
    let header = pdu.data.withUnsafeBytes { BasicHeader(copying: $0) }
    tell(connection, .rejected(reason: reason, rejected: header))
    let session = connection.session
    let (rejectedTag, cmdSN, isImmediate) = header.read { ($0.initiatorTaskTag, $0.cmdSN, $0.isImmediate) }
    guard let slot = session.slot(tag: rejectedTag), let task = session.slots[slot], task.connection == connection.id
    else { return }
    // What was damaged on its way is still a task: a request can be sent again, and data are asked for again.
    if reason == RejectReason.dataDigestError.rawValue {
      if header.opcode == .dataOut { task.wasRecovered = true }
      return
    }
    // A script may have sent another request with the task's tag.
    guard task.firstPDU?.opcode == header.opcode, task.cmdSN == cmdSN, task.isImmediate == isImmediate else { return }
    end(slot, connection, .rejected(reason: reason))
    if !isImmediate { fillGap(cmdSN, on: connection) }
  }

  /// A rejected request counts as not received: nothing behind it is carried out before its CmdSN has come (RFC 7143 §7.3).
  /// The next request takes it; where others have been sent behind it, a ping does, whose answer is nobody's.
  private func fillGap(_ cmdSN: UInt32, on connection: Connection) {
    let session = connection.session
    // A target that has counted it all the same has said so by now.
    guard !session.numbersAreScripted, SerialNumber.precedesOrEquals(session.expCmdSN, cmdSN) else { return }
    if session.cmdSN == cmdSN &+ 1 { return setCmdSN(cmdSN, of: session.id) }
    let tag = session.scriptedTag()
    session.noteScriptedTag(tag)
    var ping = ProtocolDataUnit(.nopOut)
    ping.header.write { header in
      header.initiatorTaskTag = tag
      header.targetTransferTag = reservedTag
      header.cmdSN = cmdSN
      header.expStatSN = connection.acknowledgedStatSN
    }
    transmit(ping, WireOptions(), on: connection)
  }
}
