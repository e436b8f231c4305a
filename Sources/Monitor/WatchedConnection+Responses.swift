import ISCSI

/// What the target sends.
extension WatchedConnection {
  func response(_ framed: FramedPDU) {
    let pdu = framed.pdu
    guard let opcode = pdu.opcode, !opcode.isFromInitiator else {
      return find(.unexpectedOpcode, .target, "opcode \(pdu.header.read { $0.opcodeBits })", pdu.header)
    }
    if framed.dataDigestIsWrong {
      find(.dataDigestError, .target, "the digest does not match", pdu.header)
      numbersAreLoose = true
      session?.task(of: pdu.header.read { $0.initiatorTaskTag })?.isOrderly = false
      return
    }
    checkForm(framed, opcode, .target)
    switch phase {
    case .login:
      // A target that refuses may do so with a Reject.
      guard opcode == .loginResponse || opcode == .reject else {
        return find(.outOfPhase, .target, "a \(opcode.name) in the login phase", pdu.header)
      }
    case .loggedOut: return find(.trafficAfterLogout, .target, "a \(opcode.name)", pdu.header)
    default: break
    }
    number(pdu, opcode)
    switch opcode {
    case .loginResponse: loginResponse(pdu)
    case .scsiResponse: answered(pdu, .scsiCommand, scsiResponse)
    case .dataIn: answered(pdu, .scsiCommand, dataIn)
    case .readyToTransfer: answered(pdu, .scsiCommand, readyToTransfer)
    case .taskManagementResponse: answered(pdu, .taskManagementRequest, taskManagementResponse)
    case .textResponse: answered(pdu, .textRequest, textResponse)
    case .logoutResponse: answered(pdu, .logoutRequest, logoutResponse)
    case .nopIn: nopIn(pdu)
    case .asyncMessage: asyncMessage(pdu)
    case .reject: reject(pdu)
    default: break
    }
  }

  // MARK: Numbers, RFC 7143 §4.2.2

  private func number(_ pdu: ProtocolDataUnit, _ opcode: Opcode) {
    let advances: Bool
    switch opcode {
    case .dataIn:
      // Without S the field is reserved.
      guard pdu.header.read({ $0.hasStatus }) else { return checkWindow(pdu) }
      advances = true
    case .nopIn: advances = pdu.header.read { $0.initiatorTaskTag } != Self.reservedTag
    case .readyToTransfer: advances = false
    case .loginResponse:
      // The numbers of a refusal mean nothing.
      if pdu.header.read({ $0.statusClass }) != 0 { return }
      advances = true
    default: advances = true
    }
    let number = pdu.header.read { $0.statSN }
    if let statSN, number != statSN, !numbersAreLoose {
      find(.statSNOutOfOrder, .target, "StatSN \(number), expected \(statSN)", pdu.header)
    }
    if advances {
      // What is repeated does not set the count back.
      statSN = statSN.map { SerialNumber.later($0, number &+ 1) } ?? number &+ 1
    } else {
      statSN = statSN ?? number
    }
    checkWindow(pdu)
  }

  private func checkWindow(_ pdu: ProtocolDataUnit) {
    let (expCmdSN, maxCmdSN) = pdu.header.read { ($0.expCmdSN, $0.maxCmdSN) }
    guard SerialNumber.precedesOrEquals(expCmdSN, maxCmdSN &+ 1) else {
      return find(.windowNegative, .target, "ExpCmdSN \(expCmdSN), MaxCmdSN \(maxCmdSN)", pdu.header)
    }
    // Before the end of a leading login, that of its requests.
    let isLeading = pendingLogin?.read { $0.tsih } == 0
    let next = session?.nextCmdSN ?? (isLeading ? pendingLogin?.read { $0.cmdSN } : nil)
    if let next, session?.isLoose != true, SerialNumber.precedes(next, expCmdSN) {
      find(.expCmdSNAhead, .target, "ExpCmdSN \(expCmdSN), and CmdSN \(next) has not come", pdu.header)
    }
    if let last = lastMaxCmdSN, SerialNumber.precedes(maxCmdSN, last) {
      find(.maxCmdSNShrank, .target, "MaxCmdSN \(maxCmdSN) after \(last)", pdu.header)
    }
    if let last = lastExpCmdSN, SerialNumber.precedes(expCmdSN, last) {
      find(.expCmdSNShrank, .target, "ExpCmdSN \(expCmdSN) after \(last)", pdu.header)
    }
    lastExpCmdSN = lastExpCmdSN.map { SerialNumber.later($0, expCmdSN) } ?? expCmdSN
    lastMaxCmdSN = lastMaxCmdSN.map { SerialNumber.later($0, maxCmdSN) } ?? maxCmdSN
    session?.maxCmdSN = session?.maxCmdSN.map { SerialNumber.later($0, maxCmdSN) } ?? maxCmdSN
  }

  // MARK: Whose answer it is

  /// Finds the request that a PDU answers, which is one of `opcode`, and hands both on.
  private func answered(
    _ pdu: ProtocolDataUnit, _ opcode: Opcode, _ take: (ProtocolDataUnit, WatchedTask, WatchedSession) -> Void
  ) {
    guard let session else { return }
    let tag = pdu.header.read { $0.initiatorTaskTag }
    guard let task = session.task(of: tag), task.connection == number else {
      if !session.isLoose(tag) {
        find(.unknownTag, .target, "no task under way has the Initiator Task Tag \(Self.hex(tag))", pdu.header)
      }
      return
    }
    guard task.opcode == opcode else {
      return find(.wrongKindOfResponse, .target, "it answers a \(task.opcode.name)", pdu.header)
    }
    checkAcknowledged(task, pdu, session)
    take(pdu, task, session)
  }

  /// A request is answered only when its CmdSN is acknowledged (RFC 7143 §4.2.2.1).
  private func checkAcknowledged(_ task: WatchedTask, _ pdu: ProtocolDataUnit, _ session: WatchedSession) {
    guard !task.isImmediate, !session.isLoose else { return }
    let expCmdSN = pdu.header.read { $0.expCmdSN }
    if !SerialNumber.precedes(task.cmdSN, expCmdSN) {
      find(.responseBeforeAcknowledgement, .target, "CmdSN \(task.cmdSN), ExpCmdSN \(expCmdSN)", pdu.header)
    }
  }

  // MARK: NOP-In, Reject, Asynchronous Message, RFC 7143 §11.19, §11.17, §11.9

  private func nopIn(_ pdu: ProtocolDataUnit) {
    let (tag, transferTag) = pdu.header.read { ($0.initiatorTaskTag, $0.targetTransferTag) }
    if tag == Self.reservedTag {
      if !pdu.data.isEmpty { find(.unsolicitedPingMalformed, .target, "it has data", pdu.header) }
      return
    }
    if transferTag != Self.reservedTag {
      find(.transferTag, .target, "a NOP-In that answers has both tags", pdu.header)
    }
    answered(pdu, .nopOut) { pdu, task, session in
      // What comes back is cut to what the initiator takes.
      let expected = task.text.prefix(Int(parameters.initiatorMaxRecvDataSegmentLength))
      if !pdu.data.elementsEqual(expected) {
        find(.pingEchoWrong, .target, "\(pdu.data.count) bytes for \(expected.count), or others", pdu.header)
      }
      session.end(task)
    }
  }

  private func asyncMessage(_ pdu: ProtocolDataUnit) {
    let (code, tag) = pdu.header.read { ($0.asyncEvent, $0.initiatorTaskTag) }
    if tag != Self.reservedTag {
      find(.asyncMalformed, .target, "Initiator Task Tag is not reserved", pdu.header)
    }
    let event = AsyncEvent(rawValue: code)
    if event == nil { find(.undefinedCode, .target, "AsyncEvent \(code)", pdu.header) }
    if event == .scsiAsynchronousEvent, pdu.data.count < 2 {
      find(.asyncMalformed, .target, "a SCSI event without sense data", pdu.header)
    }
  }

  private func reject(_ pdu: ProtocolDataUnit) {
    let (reason, tag) = pdu.header.read { ($0.rejectReason, $0.initiatorTaskTag) }
    let known = RejectReason(rawValue: reason)
    // RFC 7143 §11.17.1 has withdrawn Negotiation Reset.
    if known == nil || known == .negotiationReset {
      find(.undefinedCode, .target, "reason \(reason)", pdu.header)
    }
    if tag != Self.reservedTag {
      find(.rejectMalformed, .target, "Initiator Task Tag is not reserved", pdu.header)
    }
    guard pdu.data.count >= HeaderView.length else {
      return find(.rejectMalformed, .target, "\(pdu.data.count) bytes of the rejected header", pdu.header)
    }
    let header = pdu.data.withUnsafeBytes { BasicHeader(copying: $0) }
    if phase == .login { pendingLogin = nil }
    guard let session else { return }
    let (rejected, cmdSN) = header.read { ($0.initiatorTaskTag, $0.cmdSN) }
    guard let task = session.task(of: rejected), task.connection == number else { return }
    if header.opcode == .dataOut {
      task.isOrderly = false
    } else if task.opcode == header.opcode, task.cmdSN == cmdSN {
      session.end(task)
    }
  }

  // MARK: Task management, logout, text, RFC 7143 §11.6, §11.15, §11.11

  private func taskManagementResponse(_ pdu: ProtocolDataUnit, _ task: WatchedTask, _ session: WatchedSession) {
    let response = pdu.header.read { $0.response }
    if TaskManagementResponse(rawValue: response) == nil {
      find(.undefinedCode, .target, "response \(response)", pdu.header)
    }
    session.end(task)
    guard response == TaskManagementResponse.functionComplete.rawValue,
      let function = TaskManagementFunction(rawValue: task.code)
    else { return }
    if function == .taskReassign { return session.loosen(task.referencedTag) }
    for case let other? in session.tasks where other.opcode == .scsiCommand {
      let isMeant: Bool
      switch function {
      case .abortTask: isMeant = other.tag == task.referencedTag
      case .abortTaskSet, .clearTaskSet, .logicalUnitReset: isMeant = other.lun == task.lun
      case .targetWarmReset, .targetColdReset, .iTNexusReset: isMeant = true
      case .clearACA, .taskReassign, .queryTask, .queryTaskSet, .queryAsynchronousEvent: isMeant = false
      }
      let hasComeBefore = other.order < task.order
      // A function about many is about what was sent before it (§4.2.3.3), whatever has come before it.
      let isBefore =
        function == .abortTask || other.isImmediate
        ? hasComeBefore : SerialNumber.precedes(other.cmdSN, task.cmdSN)
      guard isMeant, isBefore else { continue }
      // On another connection its answer may have been sent before, and behind the function it may have come too late.
      if hasComeBefore, other.connection == number { session.end(other) } else { session.loosen(other.tag) }
    }
  }

  private func logoutResponse(_ pdu: ProtocolDataUnit, _ task: WatchedTask, _ session: WatchedSession) {
    let response = pdu.header.read { $0.response }
    if LogoutResponse(rawValue: response) == nil {
      find(.undefinedCode, .target, "response \(response)", pdu.header)
    }
    session.end(task)
    guard response == LogoutResponse.closed.rawValue else { return }
    switch LogoutReason(rawValue: task.code) {
    case .closeSession: phase = .loggedOut
    case .closeConnection: if task.connectionID == identifier { phase = .loggedOut }
    case .removeConnectionForRecovery, nil: break
    }
  }

  private func textResponse(_ pdu: ProtocolDataUnit, _ task: WatchedTask, _ session: WatchedSession) {
    let (isFinal, isContinued, transferTag) = pdu.header.read { ($0.isFinal, $0.isContinued, $0.targetTransferTag) }
    if !task.isAsked {
      find(.outOfPhase, .target, "a second Text Response to one request", pdu.header)
    }
    if isFinal, isContinued { find(.textMalformed, .target, "F and C", pdu.header) }
    // §11.11.1.
    if isFinal, !task.saidFinal { find(.textMalformed, .target, "F to a request without F", pdu.header) }
    if isFinal != (transferTag == Self.reservedTag) {
      find(.transferTag, .target, "F \(isFinal ? 1 : 0) with tag \(Self.hex(transferTag))", pdu.header)
    }
    task.isAsked = false
    if task.answer.count <= Self.textLengthMax { task.answer += pdu.data }
    guard isFinal else { return }
    session.end(task)
    guard task.answer.count <= Self.textLengthMax, task.text.count <= Self.textLengthMax else { return }
    do throws(TextError) {
      parameters.declare(initiator: task.text, target: try TextParser.pairs(of: task.answer))
    } catch {
      find(.textMalformed, .target, "\(error)", pdu.header)
    }
  }
}
