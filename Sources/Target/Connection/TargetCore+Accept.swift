import ISCSI
import Ring

/// Accepting connections, and what every connection meets at its beginning.
extension TargetCore {
  mutating func armAccept(_ portal: Int) {
    guard configuration.portals[portal].listener != .none else { return }
    context.operations.accept(
      on: configuration.portals[portal].listener, token: Token(TokenKind.accept.rawValue << 56 | UInt64(portal)))
  }

  mutating func accepted(_ portal: Int, _ completion: Completion) {
    switch completion.error {
    case .none:
      armAccept(portal)
    case .cancelled, .staleHandle:
      // The listener was closed: this portal is shut.
      return
    case .noResources:
      // Out of descriptors, before there are as many connections as there may be: who would make room then does so now. To try
      // again at once would spin; the next maintenance does.
      noteTurnedAway(.descriptors, at: portal)
      _ = dropOldest(among: Self.phasesThatMakeRoom)
      portalsToRearm.append(portal)
      schedule(context.now + .milliseconds(100))
      return
    default:
      // The connection was gone before it was accepted.
      armAccept(portal)
      return
    }
    statistics.accepts &+= 1
    let socket = Handle(completion.result)
    guard let connection = newConnection(socket, portal, .accepted, bufferLength: Self.idleBufferLength) else { return }
    connection.pointee.isDescribing = true
    setDeadline(connection, context.now + limits.loginTimeout)
    context.operations.describe(
      socket, into: connection.pointee.buffer.prefix(2 * SocketAddress.encodedLength),
      token: connection.pointee.token(.describe))
  }

  /// A connection that has not logged in, of a socket that has just come. Nil when there is no room for it: the socket is
  /// closed.
  mutating func newConnection(
    _ socket: Handle, _ portal: Int, _ phase: Connection.Phase, bufferLength: Int
  ) -> UnsafeMutablePointer<Connection>? {
    let isFull = connections.inUse >= limits.connectionsMax
    var hasRoom = !isFull
    if pendingLogins >= limits.pendingLoginsMax {
      hasRoom = dropOldest(among: [.accepted, .login])
    } else if isFull {
      hasRoom = dropOldest(among: Self.phasesThatMakeRoom)
    }
    guard hasRoom, let connection = connections.take() else {
      noteTurnedAway(.connections, at: portal)
      refuse(socket)
      return nil
    }
    guard let buffer = context.buffers.allocate(bufferLength) else {
      connections.give(connection)
      noteTurnedAway(.memory, at: portal)
      refuse(socket)
      return nil
    }
    acceptOrder &+= 1
    connection.pointee.phase = phase
    connection.pointee.socket = socket
    connection.pointee.portal = portal
    connection.pointee.order = acceptOrder
    connection.pointee.buffer = buffer
    connection.pointee.lastReceived = context.now
    pendingLogins += 1
    return connection
  }

  /// Resets a socket that becomes no connection.
  mutating func refuse(_ socket: Handle) {
    context.operations.close(socket, reset: true, token: Token(TokenKind.cancel.rawValue << 56))
  }

  mutating func described(_ connection: UnsafeMutablePointer<Connection>, _ completion: Completion) {
    connection.pointee.isDescribing = false
    guard connection.pointee.phase == .accepted else {
      releaseIfDone(connection)
      return
    }
    let length = SocketAddress.encodedLength
    let bytes = UnsafeRawBufferPointer(context.arena.bytes(connection.pointee.buffer.prefix(2 * length)))
    guard completion.error == .none, completion.result == UInt64(2 * length),
      let local = SocketAddress(decoding: bytes),
      let remote = SocketAddress(decoding: UnsafeRawBufferPointer(rebasing: bytes[length...]))
    else {
      close(connection, reset: true, because: .broken(.connectionReset))
      return
    }
    connection.pointee.localAddress = local
    connection.pointee.remoteAddress = remote
    connection.pointee.phase = .login
    markDirty(connection)
  }

  /// Connections that are being closed may be so many more than there may be at one time: who has taken the place of one of
  /// them need not wait until its socket is closed.
  static var closingConnectionsMax: Int { 64 }

  /// Connections that have not logged in, or are over.
  private static var phasesThatMakeRoom: [Connection.Phase] { [.accepted, .login, .draining] }

  /// Makes room for a new connection when there are too many that have not logged in, or are over: the oldest of them goes, so
  /// that a flood of silent connections cannot keep others out. False when there is none.
  private mutating func dropOldest(among phases: [Connection.Phase]) -> Bool {
    var oldest: UnsafeMutablePointer<Connection>?
    for index in 0..<connections.touched {
      let slot = connections.slots + index
      guard phases.contains(slot.pointee.phase) else { continue }
      if let found = oldest, found.pointee.order < slot.pointee.order { continue }
      oldest = slot
    }
    guard let oldest else { return false }
    close(oldest, reset: true, because: .madeRoom)
    return true
  }

  // MARK: Time

  /// Sets when the connection must be looked at again.
  mutating func setDeadline(_ connection: UnsafeMutablePointer<Connection>, _ deadline: Instant) {
    connection.pointee.deadline = deadline
    schedule(deadline)
  }

  /// Makes sure that ``timerFired()`` runs at `deadline` at the latest.
  mutating func schedule(_ deadline: Instant) {
    guard deadline < timerDeadline else { return }
    timerDeadline = deadline
    timerCount &+= 1
    context.operations.timer(
      at: deadline, token: Token(TokenKind.timer.rawValue << 56 | timerCount & 0xFF_FFFF_FFFF_FFFF))
  }

  /// Looks at every connection and function whose deadline has passed, and sets the timer for the next one.
  mutating func timerFired() {
    // A timer that an earlier one overtook finds nothing due, and arms nothing that is armed already.
    guard context.now >= timerDeadline else { return }
    timerDeadline = .distantFuture
    while let portal = portalsToRearm.popLast() { armAccept(portal) }
    var next = min(expireFunctions(), watchMedia())
    for index in 0..<connections.touched {
      let slot = connections.slots + index
      guard slot.pointee.phase != .free, slot.pointee.deadline != .distantFuture else { continue }
      if slot.pointee.deadline <= context.now { overdue(slot) }
      if slot.pointee.phase != .free { next = min(next, slot.pointee.deadline) }
    }
    if next != .distantFuture { schedule(next) }
  }

  private mutating func overdue(_ connection: UnsafeMutablePointer<Connection>) {
    connection.pointee.deadline = .distantFuture
    switch connection.pointee.phase {
    case .free, .closing:
      return
    case .accepted, .login, .leaving, .draining:
      close(connection, reset: true, because: .loginTimedOut)
    case .reinstating:
      connection.pointee.deadline = context.now + limits.loginTimeout
    case .fullFeature:
      let silent = context.now - connection.pointee.lastReceived
      if let end = whyGivenUp(connection, silent) {
        connectionLost(connection, reset: true, because: end)
        return
      }
      let isDiscovery = connection.pointee.session.map { $0.pointee.isDiscovery } ?? false
      if silent >= limits.pingInterval, connection.pointee.pingTag == reservedTag, !isDiscovery {
        ping(connection)
        connection.pointee.deadline = context.now + limits.pingTimeout
      } else if isDiscovery, silent >= limits.pingInterval + limits.pingInterval + limits.pingTimeout {
        // A discovery session is not pinged (some initiators do not expect it); it is only not kept for ever.
        connectionLost(connection, reset: true, because: .silent)
      } else if connection.pointee.isSending || connection.pointee.pingTag != reservedTag {
        connection.pointee.deadline = context.now + limits.pingTimeout
      } else {
        connection.pointee.deadline = connection.pointee.lastReceived + limits.pingInterval
        if connection.pointee.deadline <= context.now {
          connection.pointee.deadline = context.now + limits.pingInterval
        }
      }
    }
  }

  /// What a connection in the full-feature phase, from which nothing has come for so long, is given up for; nil for nothing.
  private func whyGivenUp(_ connection: UnsafeMutablePointer<Connection>, _ silent: Interval) -> ConnectionEnd? {
    if connection.pointee.isSending, context.now - connection.pointee.lastSent >= limits.pingTimeout { return .stuck }
    if withholdsData(connection) { return .withheldData }
    return connection.pointee.pingTag != reservedTag && silent >= limits.pingTimeout ? .silent : nil
  }
}
