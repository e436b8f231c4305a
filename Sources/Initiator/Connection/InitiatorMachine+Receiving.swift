import ISCSI
import Ring

/// What arrives: form, numbers, and on to the room that it belongs to.
extension InitiatorMachine {
  func receivePDUs(_ connection: Connection) {
    while connection.isOpen || isClosingSoftly(connection) {
      do throws(FramingError) {
        guard let framed = try connection.framer.next() else { return }
        receive(framed, on: connection)
      } catch {
        switch error {
        case .headerDigestError(let header):
          digestError(.headerDigestError, ProtocolDataUnit(header: header), on: connection)
        case .dataSegmentTooLong(let length):
          violation(.dataSegmentTooLong, on: connection, "\(length) bytes")
        }
        return fail(connection, .framingLost)
      }
    }
  }

  /// A connection that only waits for its last bytes to be sent still listens.
  private func isClosingSoftly(_ connection: Connection) -> Bool {
    if case .afterSending = connection.closeWanted { return connection.phase != .closing }
    return false
  }

  private func receive(_ framed: FramedPDU, on connection: Connection) {
    let pdu = framed.pdu
    if tellsPDUs { tell(connection, .pduReceived(framed)) }
    guard let opcode = pdu.opcode, !opcode.isFromInitiator else {
      return violation(.unexpectedOpcode, on: connection, "opcode \(pdu.header.read { $0.opcodeBits })", pdu)
    }
    if framed.dataDigestIsWrong {
      digestError(.dataDigestError, pdu, on: connection)
      // Without recovery within the connection, what was lost cannot be asked for again.
      if connection.parameters.errorRecoveryLevel == 0 { return fail(connection, .framingLost) }
      noteLoss(pdu.header, on: connection)
      return
    }
    checkForm(framed, opcode, on: connection)
    guard checkPhase(pdu, opcode, on: connection) else { return }
    number(pdu, opcode, on: connection)
    switch opcode {
    case .loginResponse: loginResponse(pdu, on: connection)
    case .scsiResponse: scsiResponse(pdu, on: connection)
    case .dataIn: dataIn(pdu, on: connection)
    case .readyToTransfer: readyToTransfer(pdu, on: connection)
    case .taskManagementResponse: taskManagementResponse(pdu, on: connection)
    case .textResponse: textResponse(pdu, on: connection)
    case .logoutResponse: logoutResponse(pdu, on: connection)
    case .nopIn: nopIn(pdu, on: connection)
    case .asyncMessage: asyncMessage(pdu, on: connection)
    case .reject: reject(pdu, on: connection)
    default: break
    }
    pumpWindow(connection.session)
  }

  private func digestError(_ rule: ViolationRule, _ pdu: ProtocolDataUnit, on connection: Connection) {
    let detail = "the digest does not match"
    tell(connection, .digestError(Violation(rule: rule, connection: connection.id, detail: detail, pdu: pdu)))
  }

  private func checkForm(_ framed: FramedPDU, _ opcode: Opcode, on connection: Connection) {
    let pdu = framed.pdu
    let layout = HeaderLayout.of(opcode)
    if let offset = layout.firstReservedByteSet(in: pdu.header) {
      violation(.reservedBitsSet, on: connection, "byte \(offset) is \(pdu.header.bytes[offset])", pdu)
    }
    if layout.hasConstantBit, !pdu.header.read({ $0.isFinal }) {
      violation(.constantBitMissing, on: connection, "bit 7 of byte 1 is 0", pdu)
    }
    if !pdu.additionalHeaders.isEmpty {
      violation(.additionalHeaders, on: connection, "\(pdu.additionalHeaders.count) bytes", pdu)
    }
    if !framed.paddingIsZero { violation(.paddingNotZero, on: connection, "padding holds other bytes", pdu) }
    // The declared length holds from the full feature phase on; before, the default does.
    let declared = connection.phase == .login ? 8192 : connection.parameters.initiatorMaxRecvDataSegmentLength
    if pdu.data.count > Int(declared) {
      violation(.dataSegmentTooLong, on: connection, "\(pdu.data.count) bytes of \(declared)", pdu)
    }
    switch opcode {
    case .readyToTransfer, .taskManagementResponse, .logoutResponse:
      if !pdu.data.isEmpty { violation(.dataSegmentMalformed, on: connection, "there is none in this PDU", pdu) }
    default: break
    }
  }

  /// False when the PDU may not come now, and means nothing.
  private func checkPhase(_ pdu: ProtocolDataUnit, _ opcode: Opcode, on connection: Connection) -> Bool {
    switch connection.phase {
    case .login:
      // A target that refuses may do so with a Reject.
      if opcode == .loginResponse || opcode == .reject { return true }
      violation(.outOfPhase, on: connection, "a \(opcode.name) in the login phase", pdu)
      return false
    case .loggedOut:
      violation(.trafficAfterLogout, on: connection, "a \(opcode.name)", pdu)
      return false
    default: return true
    }
  }

  /// StatSN and the command window, RFC 7143 §4.2.2.
  private func number(_ pdu: ProtocolDataUnit, _ opcode: Opcode, on connection: Connection) {
    let (statSN, expCmdSN, maxCmdSN, tag) = pdu.header.read {
      ($0.statSN, $0.expCmdSN, $0.maxCmdSN, $0.initiatorTaskTag)
    }
    let advances: Bool
    switch opcode {
    case .dataIn:
      if !pdu.header.read({ $0.hasStatus }) { return noteWindow(expCmdSN, maxCmdSN, pdu, on: connection) }
      advances = true
    case .nopIn: advances = tag != reservedTag
    case .readyToTransfer: advances = false
    case .loginResponse:
      // The numbers of a refusal mean nothing.
      if pdu.header.read({ $0.statusClass }) != 0 { return }
      advances = true
    default: advances = true
    }
    if connection.knowsStatSN, !connection.numbersAreLoose, statSN != connection.expStatSN {
      violation(.statSNOutOfOrder, on: connection, "StatSN \(statSN), expected \(connection.expStatSN)", pdu)
    }
    if advances {
      // A repeated number is an answer to a SNACK, or a fault; it does not set the count back.
      let next = statSN &+ 1
      if !connection.knowsStatSN || SerialNumber.precedes(connection.expStatSN, next) { connection.expStatSN = next }
      connection.knowsStatSN = true
    }
    noteWindow(expCmdSN, maxCmdSN, pdu, on: connection)
  }

  private func noteWindow(_ expCmdSN: UInt32, _ maxCmdSN: UInt32, _ pdu: ProtocolDataUnit, on connection: Connection) {
    let session = connection.session
    guard SerialNumber.precedesOrEquals(expCmdSN, maxCmdSN &+ 1) else {
      return violation(.windowNegative, on: connection, "ExpCmdSN \(expCmdSN), MaxCmdSN \(maxCmdSN)", pdu)
    }
    if !session.numbersAreScripted, SerialNumber.precedes(session.unsentCmdSN, expCmdSN) {
      violation(.expCmdSNAhead, on: connection, "ExpCmdSN \(expCmdSN), the next is \(session.unsentCmdSN)", pdu)
    }
    if let last = connection.lastMaxCmdSN, SerialNumber.precedes(maxCmdSN, last) {
      violation(.maxCmdSNShrank, on: connection, "MaxCmdSN \(maxCmdSN) after \(last)", pdu)
    }
    if let last = connection.lastExpCmdSN, SerialNumber.precedes(expCmdSN, last) {
      violation(.expCmdSNShrank, on: connection, "ExpCmdSN \(expCmdSN) after \(last)", pdu)
    }
    if session.knowsWindow {
      session.expCmdSN = SerialNumber.later(session.expCmdSN, expCmdSN)
      session.maxCmdSN = SerialNumber.later(session.maxCmdSN, maxCmdSN)
    } else {
      session.expCmdSN = expCmdSN
      session.maxCmdSN = maxCmdSN
      session.knowsWindow = true
    }
    connection.lastExpCmdSN = connection.lastExpCmdSN.map { SerialNumber.later($0, expCmdSN) } ?? expCmdSN
    connection.lastMaxCmdSN = connection.lastMaxCmdSN.map { SerialNumber.later($0, maxCmdSN) } ?? maxCmdSN
  }

  /// A PDU of this header is missing, or was asked for again: its task's numbers, and the connection's, prove nothing.
  func noteLoss(_ header: BasicHeader, on connection: Connection) {
    connection.numbersAreLoose = true
    let tag = header.read { $0.initiatorTaskTag }
    if let slot = connection.session.slot(tag: tag) { connection.session.slots[slot]?.wasRecovered = true }
  }

  /// The slot of the task that a response belongs to; tells it when there is none.
  func slot(for pdu: ProtocolDataUnit, on connection: Connection) -> Int? {
    let tag = pdu.header.read { $0.initiatorTaskTag }
    let session = connection.session
    if let slot = session.slot(tag: tag), let task = session.slots[slot], task.connection == connection.id {
      return slot
    }
    if !session.scriptedTags.contains(tag) {
      violation(.unknownTag, on: connection, "Initiator Task Tag \(String(tag, radix: 16))h", pdu)
    }
    return nil
  }

  /// The request that a response answers, with its slot and what it is; tells it when there is none, or one of another kind.
  func answered<Part>(
    _ pdu: ProtocolDataUnit, on connection: Connection, _ part: (InitiatorTask.Kind) -> Part?
  ) -> (slot: Int, task: InitiatorTask, part: Part)? {
    guard let slot = slot(for: pdu, on: connection), let task = connection.session.slots[slot] else { return nil }
    guard let part = part(task.kind) else {
      violation(.wrongKindOfResponse, on: connection, "its tag is that of another kind of request", pdu)
      return nil
    }
    checkAcknowledged(task, pdu, on: connection)
    return (slot, task, part)
  }

  /// A response may come only when its request is acknowledged by it, RFC 7143 §4.2.2.1.
  private func checkAcknowledged(_ task: InitiatorTask, _ pdu: ProtocolDataUnit, on connection: Connection) {
    guard !task.isImmediate, !connection.session.numbersAreScripted else { return }
    let expCmdSN = pdu.header.read { $0.expCmdSN }
    if !SerialNumber.precedes(task.cmdSN, expCmdSN) {
      violation(
        .responseBeforeAcknowledgement, on: connection, "CmdSN \(task.cmdSN), ExpCmdSN \(expCmdSN)", pdu)
    }
  }
}
