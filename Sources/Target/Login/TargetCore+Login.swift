import ISCSI
import Ring

/// Login Requests and Responses (RFC 7143 §11.12, §11.13), and what a completed login makes of sessions.
extension TargetCore {
  /// A PDU of a connection that has not logged in.
  mutating func loginPhasePDU(
    _ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView, _ data: UnsafeRawBufferPointer
  ) {
    guard header.opcodeBits == Opcode.loginRequest.rawValue else {
      // RFC 7143 §4.2.4: nothing but Login Requests.
      statistics.protocolErrors &+= 1
      return rejectLogin(connection, header, .invalidDuringLogin)
    }
    loginRequest(connection, header, data)
  }

  /// Ends a connection that begins with anything but a Login Request, as its first byte says: it gets no answer, and nothing
  /// more of it is waited for. False for one that goes on.
  mutating func endsWithoutLogin(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
    guard connection.pointee.phase == .login, connection.pointee.login == nil, connection.pointee.available > 0 else {
      return false
    }
    let base = context.arena.base + connection.pointee.buffer.offset + connection.pointee.start
    guard HeaderView(base).opcodeBits != Opcode.loginRequest.rawValue else { return false }
    statistics.protocolErrors &+= 1
    let shown = UnsafeRawBufferPointer(start: base, count: min(connection.pointee.available, ConnectionEnd.shownMax))
    close(connection, reset: true, because: .noLogin([UInt8](shown)))
    return true
  }

  /// A Login Request, or a text of several.
  mutating func loginRequest(
    _ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView, _ data: UnsafeRawBufferPointer
  ) {
    var login =
      connection.pointee.login
      ?? LoginNegotiation(limits: limits, groupTag: configuration.portals[connection.pointee.portal].groupTag)
    connection.pointee.login = nil
    let authority = LoginAuthority(nodes: configuration.nodes, portal: connection.pointee.portal)
    let action = login.receive(header, data, authority: authority)
    switch action {
    case .refuse(let status):
      connection.pointee.login = login
      rejectLogin(connection, header, status)
    case .proceed(let current):
      answerLogin(connection, header, &login, transit: false, current: current, next: 0)
      connection.pointee.login = login
    case .answer(let transit, let current, let next):
      answerLogin(connection, header, &login, transit: transit, current: current, next: next)
      connection.pointee.login = login
    case .complete(let current):
      connection.pointee.login = login
      completeLogin(connection, header, login, current)
    case .handOver(let server, let text):
      connection.pointee.login = login
      handOver(connection, header, text, to: server)
    }
  }

  /// Sends one Login Response of a login that goes on.
  private mutating func answerLogin(
    _ connection: UnsafeMutablePointer<Connection>, _ request: HeaderView, _ login: inout LoginNegotiation,
    transit: Bool, current: UInt8, next: UInt8
  ) {
    let text = login.takeText(LoginNegotiation.textPieceMax)
    guard let header = beginPDU(connection, .loginResponse, isFinal: false) else { return }
    header.isContinued = login.hasMoreText
    header.isTransit = transit && !login.hasMoreText
    header.currentStage = current
    if header.isTransit { header.nextStage = next }
    fillLoginResponse(connection, header, request)
    if login.identity.tsih != 0, let session = findSession(login.identity, on: connection.pointee.portal),
      session.pointee.tsih == login.identity.tsih
    {
      // Of a session that goes on, what has arrived of it, not what the initiator has sent.
      header.expCmdSN = session.pointee.expCmdSN
      header.maxCmdSN = session.pointee.maxCmdSN
    }
    text.withUnsafeBytes { finishPDU(connection, header, copying: $0) }
  }

  /// The fields that every Login Response has.
  private mutating func fillLoginResponse(
    _ connection: UnsafeMutablePointer<Connection>, _ header: MutableHeaderView, _ request: HeaderView
  ) {
    header.isid = request.isid
    header.tsih = request.tsih
    header.initiatorTaskTag = request.initiatorTaskTag
    header.statSN = connection.pointee.statSN
    connection.pointee.statSN &+= 1
    // Login requests are immediate: the next command has the same number (RFC 7143 §4.2.2.1).
    header.expCmdSN = request.cmdSN
    header.maxCmdSN = request.cmdSN
  }

  /// Refuses a login, and ends the connection behind the answer.
  mutating func rejectLogin(
    _ connection: UnsafeMutablePointer<Connection>, _ request: HeaderView, _ status: LoginStatus
  ) {
    statistics.loginFailures &+= 1
    note(.loginRefused(status), connection)
    guard let header = beginPDU(connection, .loginResponse, isFinal: false) else { return }
    header.currentStage = request.currentStage
    fillLoginResponse(connection, header, request)
    if request.opcodeBits != Opcode.loginRequest.rawValue {
      // The fields of another PDU mean other things: the answer is to the login that it broke into.
      let identity = connection.pointee.login?.identity ?? LoginNegotiation.Identity()
      header.isid = identity.isid
      header.tsih = identity.tsih
      header.initiatorTaskTag = identity.initiatorTaskTag
      header.currentStage = connection.pointee.login?.stage ?? 0
      header.expCmdSN = identity.cmdSN
      header.maxCmdSN = identity.cmdSN
    }
    header.loginStatus = status.rawValue
    finishPDU(connection, header)
    drain(connection, because: nil)
  }

  // MARK: The end of a login

  private mutating func completeLogin(
    _ connection: UnsafeMutablePointer<Connection>, _ request: HeaderView, _ login: LoginNegotiation, _ current: UInt8
  ) {
    let identity = login.identity
    if identity.tsih != 0 {
      joinSession(connection, request, login, current)
      return
    }
    // The same initiator port again: the new session takes the place of the old one (RFC 7143 §6.3.5).
    if let old = findSession(identity, on: connection.pointee.portal) {
      reinstate(connection, request, login, current, over: old)
      return
    }
    startSession(connection, FinalRequest(request), login, current)
  }

  /// A login to an existing session.
  private mutating func joinSession(
    _ connection: UnsafeMutablePointer<Connection>, _ request: HeaderView, _ login: LoginNegotiation, _ current: UInt8
  ) {
    let identity = login.identity
    guard let session = findSession(identity, on: connection.pointee.portal), session.pointee.phase == .active,
      session.pointee.tsih == identity.tsih
    else {
      return rejectLogin(connection, request, .sessionDoesNotExist)
    }
    guard let old = session.pointee.connection, old.pointee.connectionID == identity.connectionID else {
      // A second connection: MaxConnections is 1.
      return rejectLogin(connection, request, .tooManyConnections)
    }
    // Connection reinstatement (RFC 7143 §6.3.4): the old connection is logged out; its tasks end, the session goes on.
    keepUnheard(session)
    noteCleared(session)
    abortAll(session)
    session.pointee.connection = connection
    close(old, reset: true, because: .replaced)
    enterFullFeature(connection, session, FinalRequest(request), login, current)
  }

  /// The tasks of a session are about to end with the connection that they came through: the next command of each unit that has
  /// some is told so (RFC 7143 §11.14.5). What is ahead of its turn has not begun, and the initiator sends it again.
  private func noteCleared(_ session: UnsafeMutablePointer<Session>) {
    var next = session.pointee.firstTask
    while next >= 0 {
      let task = tasks.slots + Int(next)
      next = task.pointee.nextInSession
      guard task.pointee.phase != .held else { continue }
      let unit = nodes[Int(session.pointee.node)].unit(task.pointee.lunField)
      unit?.use { $0.clearedWithConnection(session.pointee.nexus) }
    }
  }

  /// The session that a login with this identity names or replaces: a live one, or one that another login waits for.
  private func findSession(
    _ identity: LoginNegotiation.Identity, on portal: Int
  ) -> UnsafeMutablePointer<Session>? {
    let groupTag = configuration.portals[portal].groupTag
    for index in 0..<sessions.touched {
      let session = sessions[index]
      // Unnamed discovery sessions have no node, and meet only their like on the same portal (RFC 7143 §7.4.2.1).
      guard identity.node >= 0 || session.pointee.portal == portal else { continue }
      let isMeant =
        session.pointee.phase == .active || (session.pointee.phase == .ending && session.pointee.successor >= 0)
      if isMeant, session.pointee.isid == identity.isid,
        session.pointee.node == identity.node, session.pointee.portalGroupTag == groupTag,
        session.pointee.initiatorName == identity.initiatorName
      {
        return session
      }
    }
    return nil
  }

  /// Ends the old session; the new one begins when no command of the old one can touch the medium any more. Of several
  /// logins that wait for that, the initiator means the last.
  private mutating func reinstate(
    _ connection: UnsafeMutablePointer<Connection>, _ request: HeaderView, _ login: LoginNegotiation, _ current: UInt8,
    over old: UnsafeMutablePointer<Session>
  ) {
    connection.pointee.phase = .reinstating
    pendingLogins -= 1
    connection.pointee.login = login
    connection.pointee.finalRequest = FinalRequest(request)
    connection.pointee.finalStage = current
    let waiting = old.pointee.successor
    old.pointee.successor = Int32(connection.pointee.index)
    if waiting >= 0, let waiting = connections[UInt32(waiting)] { close(waiting, reset: true, because: .replaced) }
    if let oldConnection = old.pointee.connection {
      // Closing the connection ends the session.
      close(oldConnection, reset: true, because: .replaced)
    } else {
      endSession(old)
    }
  }

  /// The connection that waited for a session's end has gone itself.
  mutating func forgetSuccessor(_ connection: UInt32) {
    for index in 0..<sessions.touched {
      let session = sessions[index]
      if session.pointee.successor == Int32(connection) { session.pointee.successor = -1 }
    }
  }

  /// Makes the session of a completed login.
  mutating func startSession(
    _ connection: UnsafeMutablePointer<Connection>, _ request: FinalRequest, _ login: LoginNegotiation, _ current: UInt8
  ) {
    guard let session = sessions.take() else {
      withHeader(request) { core, header in core.rejectLogin(connection, header, .outOfResources) }
      return
    }
    let identity = login.identity
    session.pointee.phase = .active
    session.pointee.tsih = newTSIH()
    session.pointee.isid = identity.isid
    session.pointee.initiatorName = identity.initiatorName
    session.pointee.isDiscovery = identity.isDiscovery
    session.pointee.node = identity.node
    session.pointee.portal = connection.pointee.portal
    session.pointee.portalGroupTag = configuration.portals[connection.pointee.portal].groupTag
    session.pointee.connection = connection
    session.pointee.expCmdSN = identity.cmdSN
    session.pointee.maxCmdSN = identity.cmdSN &- 1
    if !identity.isDiscovery {
      let port = InitiatorPort(name: identity.initiatorName, isid: identity.isid)
      for unit in nodes[Int(identity.node)].units {
        unit.nexusEstablished(session.pointee.nexus, port: port, portalGroupTag: session.pointee.portalGroupTag)
      }
    }
    enterFullFeature(connection, session, request, login, current)
  }

  /// Sends the last Login Response and enters the full-feature phase.
  private mutating func enterFullFeature(
    _ connection: UnsafeMutablePointer<Connection>, _ session: UnsafeMutablePointer<Session>, _ request: FinalRequest,
    _ login: LoginNegotiation, _ current: UInt8
  ) {
    statistics.logins &+= 1
    if connection.pointee.phase == .login { pendingLogins -= 1 }
    var login = login
    connection.pointee.login = nil
    let parameters = login.parameters
    if login.identity.tsih == 0 { session.pointee.parameters = parameters }
    openWindow(session)
    let text = login.takeText(LoginNegotiation.textPieceMax)
    // From here on, a connection that is given up for want of memory takes its session with it.
    connection.pointee.phase = .fullFeature
    connection.pointee.session = session
    connection.pointee.connectionID = login.identity.connectionID
    if let header = beginPDU(connection, .loginResponse, isFinal: false) {
      header.isTransit = true
      header.currentStage = current
      header.nextStage = LoginStage.fullFeature.rawValue
      withHeader(request) { core, original in core.fillLoginResponse(connection, header, original) }
      header.tsih = session.pointee.tsih
      header.expCmdSN = session.pointee.expCmdSN
      header.maxCmdSN = session.pointee.maxCmdSN
      text.withUnsafeBytes { finishPDU(connection, header, copying: $0) }
    }
    guard connection.pointee.phase != .closing else { return }
    note(.loggedIn, connection)
    // From the next PDU on, in both directions (RFC 7143 §13.1, §13.12).
    connection.pointee.headerDigest = parameters.digests.header
    connection.pointee.dataDigest = parameters.digests.data
    connection.pointee.sendLengthMax = Int(parameters.initiatorMaxRecvDataSegmentLength)
    connection.pointee.receiveLengthMax = Int(parameters.targetMaxRecvDataSegmentLength)
    if session.pointee.node >= 0 {
      connection.pointee.sendPolicy = nodes[Int(session.pointee.node)].configuration.sendPolicy
      // Whatever the host has for all its sockets.
      if connection.pointee.sendPolicy != .batching { setNoDelay(connection, true) }
    }
    setDeadline(connection, context.now + limits.pingInterval)
    markDirty(connection)
  }

  /// A TSIH that no session has (RFC 7143 §11.12.6: never zero).
  private mutating func newTSIH() -> UInt16 {
    while true {
      let candidate = nextTSIH
      nextTSIH = nextTSIH == .max ? 1 : nextTSIH + 1
      var isTaken = false
      for index in 0..<sessions.touched {
        let session = sessions[index]
        if session.pointee.phase != .free, session.pointee.tsih == candidate { isTaken = true }
      }
      // There are fewer sessions than numbers.
      if !isTaken { return candidate }
    }
  }

  mutating func withHeader(_ request: FinalRequest, _ body: (inout Self, HeaderView) -> Void) {
    var bytes = request.bytes
    withUnsafePointer(to: &bytes) { body(&self, HeaderView(UnsafeRawPointer($0))) }
  }

  // MARK: The end of a session

  /// Ends a session: its tasks are aborted and its nexus is lost; the slot goes when the medium has let go of the last task.
  mutating func endSession(_ session: UnsafeMutablePointer<Session>) {
    guard session.pointee.phase == .active else { return }
    keepUnheard(session)
    abortAll(session)
    session.pointee.phase = .ending
    session.pointee.connection = nil
    if session.pointee.node >= 0, !session.pointee.isDiscovery {
      for unit in nodes[Int(session.pointee.node)].units { unit.nexusEnding(session.pointee.nexus) }
    }
    if session.pointee.taskCount == 0 { sessionEnded(session) }
  }

  /// The connection of a session goes: a failed flush that its initiator has been told of, as far as it has said, without
  /// having acknowledged that, is still to be told.
  private func keepUnheard(_ session: UnsafeMutablePointer<Session>) {
    guard let connection = session.pointee.connection else { return }
    for told in session.pointee.toldFlushFailures
    where !SerialNumber.precedes(told.statSN, connection.pointee.expStatSN) {
      nodes[Int(told.unit.node)].units[Int(told.unit.unit)].flushFailureWasNotHeard(session.pointee.nexus)
    }
    session.pointee.toldFlushFailures = []
  }

  mutating func sessionEnded(_ session: UnsafeMutablePointer<Session>) {
    let node = session.pointee.node
    if node >= 0, !session.pointee.isDiscovery {
      for (index, unit) in nodes[Int(node)].units.enumerated() {
        unit.nexusLost(session.pointee.nexus)
        if unit.hasReady { unitsToDrain.append(UnitReference(node: node, unit: UInt32(index))) }
      }
    }
    let successor = session.pointee.successor
    sessions.give(session)
    guard successor >= 0, let connection = connections[UInt32(successor)], connection.pointee.phase == .reinstating,
      let login = connection.pointee.login, let request = connection.pointee.finalRequest
    else { return }
    connection.pointee.finalRequest = nil
    startSession(connection, request, login, connection.pointee.finalStage)
    // What the initiator sent behind its last request is in the buffer.
    parse(connection)
    if !connection.pointee.isReceiving { compact(connection) }
  }
}

/// The header of the last Login Request, kept while its answer waits.
struct FinalRequest {
  var bytes = InlineArray<48, UInt8>(repeating: 0)

  init(_ header: HeaderView) {
    for index in 0..<HeaderView.length {
      bytes[index] = header.base.load(fromByteOffset: index, as: UInt8.self)
    }
  }
}
