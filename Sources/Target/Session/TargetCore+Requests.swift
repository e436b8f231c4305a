import ISCSI
import Ring

/// The requests of the full-feature phase other than SCSI commands and their data: NOP-Out, Text, Logout, task management,
/// and what is rejected.
extension TargetCore {
  /// A whole request PDU that may have to wait for its turn.
  mutating func requestArrived(
    _ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView, _ data: UnsafeRawBufferPointer
  ) {
    guard let session = connection.pointee.session else { return }
    switch header.opcodeBits {
    case Opcode.nopOut.rawValue where header.initiatorTaskTag == reservedTag:
      nopOutWithoutTag(connection, header)
      return
    case Opcode.nopOut.rawValue, Opcode.textRequest.rawValue, Opcode.logoutRequest.rawValue,
      Opcode.taskManagementRequest.rawValue:
      guard header.initiatorTaskTag != reservedTag else { return reject(connection, header, .invalidPDUField) }
    case Opcode.snackRequest.rawValue:
      // Error recovery level 0 has no SNACK (RFC 7143 §11.16).
      reject(connection, header, .protocolError)
      return
    case Opcode.loginRequest.rawValue:
      reject(connection, header, .protocolError)
      return
    case Opcode.reject.rawValue:
      // Never answered, or two faulty peers would reject each other's rejects for ever.
      statistics.protocolErrors &+= 1
      connectionLost(connection, reset: true, because: .protocolError(opcode: header.opcodeBits))
      return
    default:
      reject(connection, header, .commandNotSupported)
      return
    }
    if !isWellFormed(header, data, isDiscovery: session.pointee.isDiscovery) {
      return reject(connection, header, .protocolError)
    }
    connection.pointee.expStatSN = header.expStatSN
    switch turn(session, header) {
    case .never:
      return
    case .later:
      let copy = [UInt8](UnsafeRawBufferPointer(start: header.base, count: HeaderView.length))
      if !hold(session, header.cmdSN, .request(copy, [UInt8](data)), length: copy.count + data.count) {
        connectionLost(connection, reset: true, because: .tooFarAhead)
      }
      return
    case .now:
      request(connection, session, header, data)
    }
    guard connection.pointee.session == session else { return }
    if session.pointee.waitsForNumbers { takeHeld(session) }
  }

  /// What must be right about a request before its number is counted: a PDU that is rejected leaves its number open
  /// (RFC 7143 §7.3).
  private func isWellFormed(_ header: HeaderView, _ data: UnsafeRawBufferPointer, isDiscovery: Bool) -> Bool {
    switch header.opcodeBits {
    case Opcode.taskManagementRequest.rawValue:
      return data.isEmpty && !isDiscovery
    case Opcode.nopOut.rawValue:
      // A discovery session takes Text Requests and its own logout (RFC 7143 §4.3).
      return !isDiscovery
    case Opcode.logoutRequest.rawValue:
      let reason = LogoutReason(rawValue: header.logoutReason)
      return data.isEmpty && (isDiscovery ? reason == .closeSession : reason != nil)
    case Opcode.textRequest.rawValue:
      // C and F exclude each other (RFC 7143 §11.10.2).
      return !(header.isContinued && header.isFinal)
    default:
      return true
    }
  }

  /// Carries out a request whose turn it is.
  mutating func request(
    _ connection: UnsafeMutablePointer<Connection>, _ session: UnsafeMutablePointer<Session>, _ header: HeaderView,
    _ data: UnsafeRawBufferPointer
  ) {
    switch header.opcodeBits {
    case Opcode.nopOut.rawValue: nopOut(connection, header, data)
    case Opcode.textRequest.rawValue: textRequest(connection, session, header, data)
    case Opcode.logoutRequest.rawValue: logout(connection, session, header)
    case Opcode.taskManagementRequest.rawValue: taskManagement(connection, session, header)
    default: break
    }
  }

  // MARK: NOP-Out and NOP-In (RFC 7143 §11.18, §11.19)

  /// An initiator's ping: its data come back, as much of them as the initiator takes.
  private mutating func nopOut(
    _ connection: UnsafeMutablePointer<Connection>, _ request: HeaderView, _ data: UnsafeRawBufferPointer
  ) {
    let tag = request.initiatorTaskTag
    let lun = request.lun
    guard let header = beginPDU(connection, .nopIn) else { return }
    header.lun = lun
    header.initiatorTaskTag = tag
    header.targetTransferTag = reservedTag
    stamp(connection, header, advance: true)
    let count = min(data.count, connection.pointee.sendLengthMax)
    finishPDU(connection, header, copying: UnsafeRawBufferPointer(rebasing: data[..<count]))
  }

  /// A NOP-Out that asks for no answer: it answers the target's ping, or just carries ExpStatSN.
  private mutating func nopOutWithoutTag(_ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView) {
    guard header.isImmediate else { return reject(connection, header, .invalidPDUField) }
    let tag = header.targetTransferTag
    if tag == reservedTag { return }
    guard tag == connection.pointee.pingTag else { return reject(connection, header, .invalidPDUField) }
    connection.pointee.pingTag = reservedTag
    setDeadline(connection, context.now + limits.pingInterval)
  }

  /// Asks a silent initiator for a sign of life.
  mutating func ping(_ connection: UnsafeMutablePointer<Connection>) {
    guard let header = beginPDU(connection, .nopIn) else { return }
    // What is to be answered has the LUN of a unit (RFC 7143 §11.19.3). Discovery sessions are not pinged.
    if let session = connection.pointee.session { header.lun = nodes[Int(session.pointee.node)].firstLUN }
    header.initiatorTaskTag = reservedTag
    let tag = UInt32(truncatingIfNeeded: connection.pointee.order) & 0x7FFF_FFFF
    header.targetTransferTag = tag
    connection.pointee.pingTag = tag
    stamp(connection, header, advance: false)
    finishPDU(connection, header)
  }

  /// Tells an initiator that its command window has opened, where no answer of its own does (RFC 7143 §11.4.11), and begins
  /// what waited for tasks that are gone without an answer.
  mutating func tellWindow(_ session: UnsafeMutablePointer<Session>) {
    if let connection = session.pointee.connection { startThrottled(connection) }
    let before = session.pointee.maxCmdSN
    openWindow(session)
    guard session.pointee.maxCmdSN != before, let connection = session.pointee.connection,
      let header = beginPDU(connection, .nopIn)
    else { return }
    header.initiatorTaskTag = reservedTag
    header.targetTransferTag = reservedTag
    stamp(connection, header, advance: false)
    finishPDU(connection, header)
  }

  // MARK: Logout (RFC 7143 §11.14, §11.15)

  private mutating func logout(
    _ connection: UnsafeMutablePointer<Connection>, _ session: UnsafeMutablePointer<Session>, _ request: HeaderView
  ) {
    let tag = request.initiatorTaskTag
    var response = LogoutResponse.closed
    switch LogoutReason(rawValue: request.logoutReason) {
    case .closeSession:
      break
    case .closeConnection:
      if session.pointee.isDiscovery { return reject(connection, request, .protocolError) }
      if request.connectionID != connection.pointee.connectionID { response = .cidNotFound }
    case .removeConnectionForRecovery:
      if session.pointee.isDiscovery { return reject(connection, request, .protocolError) }
      response = request.connectionID == connection.pointee.connectionID ? .recoveryNotSupported : .cidNotFound
    case nil:
      return reject(connection, request, .protocolError)
    }
    // The tasks are terminated before the response, and none of them is answered behind it.
    if response == .closed { abortAll(session) }
    guard let header = beginPDU(connection, .logoutResponse) else { return }
    header.response = response.rawValue
    header.initiatorTaskTag = tag
    stamp(connection, header, advance: true)
    header.time2Wait = UInt16(truncatingIfNeeded: session.pointee.parameters.defaultTime2Wait)
    header.time2Retain = UInt16(truncatingIfNeeded: session.pointee.parameters.defaultTime2Retain)
    finishPDU(connection, header)
    if response == .closed { drain(connection, because: .logout) }
  }

  // MARK: Reject (RFC 7143 §11.17)

  /// Rejects a request whose turn it was: its number is open again (RFC 7143 §7.3).
  mutating func rejectInTurn(
    _ connection: UnsafeMutablePointer<Connection>, _ session: UnsafeMutablePointer<Session>, _ bad: HeaderView,
    _ reason: RejectReason
  ) {
    if !bad.isImmediate { session.pointee.expCmdSN = bad.cmdSN }
    reject(connection, bad, reason)
  }

  /// Rejects a PDU: its header comes back with the reason.
  mutating func reject(
    _ connection: UnsafeMutablePointer<Connection>, _ bad: HeaderView, _ reason: RejectReason
  ) {
    statistics.rejects &+= 1
    guard connection.pointee.phase == .fullFeature else { return }
    guard let header = beginPDU(connection, .reject) else { return }
    header.rejectReason = reason.rawValue
    header.initiatorTaskTag = reservedTag
    stamp(connection, header, advance: true)
    if reason == .dataDigestError, bad.opcodeBits == Opcode.dataOut.rawValue { header.dataSN = bad.dataSN }
    // Without its additional segments, which no PDU of a correct initiator has here.
    finishPDU(connection, header, copying: UnsafeRawBufferPointer(start: bad.base, count: HeaderView.length))
  }
}
