import ISCSI
import Ring

/// The ways in which a connection ends.
extension TargetCore {
  /// The connection is gone or must go, without a logout: its session ends with it (RFC 7143 §7.14.4, session recovery).
  mutating func connectionLost(
    _ connection: UnsafeMutablePointer<Connection>, reset: Bool, because end: ConnectionEnd
  ) {
    if connection.pointee.phase == .fullFeature { statistics.connectionsLost &+= 1 }
    close(connection, reset: reset, because: end)
  }

  /// Closes the socket and ends the session, if there is one. The slot goes when the ring has let go of its memory.
  mutating func close(_ connection: UnsafeMutablePointer<Connection>, reset: Bool, because end: ConnectionEnd) {
    guard connection.pointee.phase != .closing, connection.pointee.phase != .free else { return }
    noteEnd(connection, end)
    if connection.pointee.phase == .accepted || connection.pointee.phase == .login { pendingLogins -= 1 }
    let wasReinstating = connection.pointee.phase == .reinstating
    connection.pointee.phase = .closing
    connection.pointee.deadline = .distantFuture
    connection.pointee.login = nil
    connection.pointee.text = nil
    connection.pointee.isClosing = true
    context.operations.close(connection.pointee.socket, reset: reset, token: connection.pointee.token(.close))
    if wasReinstating { forgetSuccessor(connection.pointee.index) }
    leaveSession(connection)
  }

  /// Ends the session of a connection that ends, if it is still its session's.
  private mutating func leaveSession(_ connection: UnsafeMutablePointer<Connection>) {
    forgetFunctions(of: connection)
    guard let session = connection.pointee.session else { return }
    connection.pointee.session = nil
    if session.pointee.connection == connection { endSession(session) }
  }

  /// Ends the connection in good order: what is queued is sent, then FIN; the initiator's FIN is awaited for a while, so
  /// that nothing that is on the way makes TCP reset the connection before the last response was read.
  ///
  /// - Parameter end: Nil when it has been noted already.
  mutating func drain(_ connection: UnsafeMutablePointer<Connection>, because end: ConnectionEnd?) {
    guard connection.pointee.phase != .closing, connection.pointee.phase != .draining else { return }
    if let end { noteEnd(connection, end) }
    if connection.pointee.phase == .accepted || connection.pointee.phase == .login { pendingLogins -= 1 }
    connection.pointee.phase = .draining
    connection.pointee.login = nil
    connection.pointee.text = nil
    connection.pointee.endsAfterSending = true
    setDeadline(connection, context.now + limits.drainTimeout)
    leaveSession(connection)
    markDirty(connection)
  }

  /// Gives the slot back once no operation refers to its memory.
  mutating func releaseIfDone(_ connection: UnsafeMutablePointer<Connection>) {
    guard connection.pointee.phase == .closing, !connection.pointee.isClosing, !connection.pointee.isReceiving,
      !connection.pointee.isSending, !connection.pointee.isDescribing, !connection.pointee.isPosting
    else { return }
    endInflow(connection)
    var left = connection.pointee.queue.bytes
    while let entry = connection.pointee.queue.takeSent(&left) { release(entry) }
    connection.pointee.queue = SendQueue()
    free(connection.pointee.staging)
    free(connection.pointee.buffer)
    connection.pointee.staging = .empty
    connection.pointee.buffer = .empty
    connections.give(connection)
  }

  /// Lets go of the task that the connection was receiving data for.
  private mutating func endInflow(_ connection: UnsafeMutablePointer<Connection>) {
    let inflow = connection.pointee.inflow
    connection.pointee.inflow = Inflow()
    guard inflow.use == .dataOut || inflow.use == .command, let task = tasks[inflow.task] else { return }
    task.pointee.users.remove(.receiver)
    if inflow.use == .command { task.pointee.phase = .ending }
    if task.pointee.phase == .ending { releaseTaskIfDone(task) }
  }
}
