import ISCSI
import Ring

/// Bytes in both directions, and the operations that carry them.
extension InitiatorMachine {
  /// The size of a connection's receive buffer in bytes.
  static let receiveLength = 64 << 10

  /// The most bytes in one send.
  static let sendLengthMax = 256 << 10

  private enum TokenKind: UInt64 {
    case connect = 1
    case receive, send, shutdown, close, pause, cancel
  }

  private func token(_ kind: TokenKind, _ connection: Connection) -> Token {
    Token(kind.rawValue << 56 | UInt64(connection.id.rawValue))
  }

  // MARK: Calls

  /// Opens a TCP connection. The events `connected` or `connectFailed` follow.
  ///
  /// - Parameter session: The session that it is to belong to; a new one when nil.
  /// - Throws: ``InitiatorError/tooManyConnections(most:)`` when no memory is left for it to receive into.
  public func connect(to address: SocketAddress, in session: SessionID? = nil) throws(InitiatorError) -> ConnectionID {
    // What they receive into must leave room for what is sent.
    let most = (arena.capacity - Self.sendLengthMax) / Self.receiveLength
    guard liveCount < most else { throw .tooManyConnections(most: most) }
    let home: Session
    if let session, session.rawValue < sessions.count {
      home = sessions[session.rawValue]
    } else {
      home = Session(id: SessionID(sessions.count))
      sessions.append(home)
    }
    let connection = Connection(id: ConnectionID(connections.count), session: home, remote: address)
    connections.append(connection)
    liveCount += 1
    home.connections.append(connection.id)
    wake(connection)
    return connection.id
  }

  /// Sends bytes as they are. Of `wire`, the splits, the pause and the flips are used.
  public func sendBytes(_ bytes: [UInt8], on id: ConnectionID, wire: WireOptions = WireOptions()) throws(InitiatorError)
  {
    enqueue(bytes, wire, on: try open(id))
  }

  /// Shuts down the sending side when all that was queued has been sent.
  public func shutdown(_ id: ConnectionID) throws(InitiatorError) {
    let connection = try open(id)
    connection.shutdownWanted = true
    wake(connection)
  }

  /// Closes the connection: when all that was queued has been sent, or, with `reset`, at once and with a reset.
  public func close(_ id: ConnectionID, reset: Bool = false) throws(InitiatorError) {
    guard let connection = connection(id) else { throw .noSuchConnection }
    guard connection.phase != .closing, connection.phase != .closed else { return }
    if reset {
      connection.closeWanted = .now(reset: true)
    } else if connection.closeWanted == nil {
      connection.closeWanted = .afterSending
    }
    wake(connection)
  }

  /// Stops and resumes receiving: a slow reader, and back-pressure on the target.
  public func setReceiving(_ isReceiving: Bool, on id: ConnectionID) throws(InitiatorError) {
    let connection = try open(id)
    connection.wantsToReceive = isReceiving
    wake(connection)
  }

  // MARK: Queueing

  /// Queues `bytes`, damaged and cut as `wire` says.
  func enqueue(_ bytes: [UInt8], _ wire: WireOptions, on connection: Connection) {
    var bytes = bytes
    if let length = wire.truncateAt, length >= 0, length < bytes.count { bytes.removeLast(bytes.count - length) }
    for flip in wire.flips where bytes.indices.contains(flip.offset) { bytes[flip.offset] ^= flip.mask }
    connection.queuedBytes += UInt64(bytes.count)
    var start = 0
    for cut in wire.splitAt where cut > start && cut < bytes.count {
      queue(bytes[start..<cut], endsSend: true, pause: wire.pause, on: connection)
      start = cut
    }
    queue(bytes[start...], endsSend: !wire.splitAt.isEmpty, on: connection)
    wake(connection)
  }

  /// Queues bytes in pieces for which there is always a buffer. What a script wants is said of the last.
  private func queue(_ part: ArraySlice<UInt8>, endsSend: Bool, pause: Interval = .zero, on connection: Connection) {
    var rest = part
    while !rest.isEmpty {
      let bytes = Array(rest.prefix(Self.sendLengthMax))
      rest = rest.dropFirst(bytes.count)
      let isLast = rest.isEmpty
      connection.queue.append(
        Connection.Piece(bytes: bytes, endsSend: endsSend && isLast, pause: isLast ? pause : .zero))
    }
  }

  // MARK: Emitting operations

  /// Emits what a connection has to do now.
  func advance(_ connection: Connection, into operations: inout Operations) {
    switch connection.phase {
    case .connecting:
      if connection.socket == .none, !connection.isReceiveOutstanding {
        // The flag stands for the outstanding connect until there is something to receive.
        connection.isReceiveOutstanding = true
        operations.connect(to: connection.remote, token: token(.connect, connection))
      } else if connection.closeWanted != nil, !connection.isCancelOutstanding {
        connection.isCancelOutstanding = true
        operations.cancel(token(.connect, connection), token: token(.cancel, connection))
      }
    case .login, .fullFeature, .loggedOut:
      if case .now(let reset) = connection.closeWanted {
        beginClose(connection, reset: reset, into: &operations)
        return
      }
      pump(connection, into: &operations)
      if case .afterSending = connection.closeWanted, isDrained(connection) {
        beginClose(connection, reset: false, into: &operations)
        return
      }
      if connection.shutdownWanted, !connection.isShutdown, isDrained(connection) {
        connection.isShutdown = true
        operations.shutdown(connection.socket, token: token(.shutdown, connection))
      }
      receive(connection, into: &operations)
    case .closing, .closed:
      break
    }
  }

  private func isDrained(_ connection: Connection) -> Bool {
    !connection.hasQueued && !connection.isSendOutstanding && !connection.isPausing
  }

  private func receive(_ connection: Connection, into operations: inout Operations) {
    if connection.isReceiveOutstanding {
      if !connection.wantsToReceive, !connection.isCancelOutstanding {
        connection.isCancelOutstanding = true
        operations.cancel(token(.receive, connection), token: token(.cancel, connection))
      }
      return
    }
    guard connection.wantsToReceive, !connection.sawEndOfStream else { return }
    if connection.receiveBuffer == nil { connection.receiveBuffer = buffers.allocate(Self.receiveLength) }
    // Without memory now, a later step tries again: something is being sent, and gives back its buffer.
    guard let buffer = connection.receiveBuffer else { return stir(connection) }
    connection.isReceiveOutstanding = true
    operations.receive(on: connection.socket, into: buffer, token: token(.receive, connection))
  }

  private func pump(_ connection: Connection, into operations: inout Operations) {
    guard !connection.isSendOutstanding, !connection.isPausing, !connection.isShutdown else { return }
    if connection.sendRest.length == 0 {
      guard connection.hasQueued else { return }
      guard gather(connection) else { return stir(connection) }
    }
    connection.isSendOutstanding = true
    operations.send(on: connection.socket, from: [connection.sendRest], token: token(.send, connection))
  }

  /// Copies queued pieces into a buffer, up to the end of a send.
  private func gather(_ connection: Connection) -> Bool {
    var count = 0
    var end = connection.queueHead
    while end < connection.queue.count {
      let piece = connection.queue[end]
      if end > connection.queueHead, count + piece.bytes.count > Self.sendLengthMax { break }
      count += piece.bytes.count
      end += 1
      if piece.endsSend { break }
    }
    guard let buffer = buffers.allocate(count) else { return false }
    let memory = arena.bytes(buffer)
    var offset = 0
    for index in connection.queueHead..<end {
      connection.queue[index].bytes.withUnsafeBytes {
        UnsafeMutableRawBufferPointer(rebasing: memory[offset...]).copyMemory(from: $0)
      }
      offset += connection.queue[index].bytes.count
    }
    connection.pauseAfterSend = connection.queue[end - 1].pause
    connection.queueHead = end
    if end == connection.queue.count {
      connection.queue.removeAll(keepingCapacity: true)
      connection.queueHead = 0
    } else if end > 1024 {
      connection.queue.removeFirst(end)
      connection.queueHead = 0
    }
    connection.sendBuffer = buffer
    connection.sendRest = buffer
    return true
  }

  private func beginClose(_ connection: Connection, reset: Bool, into operations: inout Operations) {
    lose(connection, .local)
    connection.phase = .closing
    operations.close(connection.socket, reset: reset, token: token(.close, connection))
  }

  // MARK: Completions

  func complete(_ completion: Completion, into operations: inout Operations) {
    let raw = completion.token.rawValue
    let id = ConnectionID(Int(truncatingIfNeeded: raw & 0xFFFF_FFFF_FFFF))
    guard let kind = TokenKind(rawValue: raw >> 56), let connection = connection(id) else { return }
    stir(connection)
    switch kind {
    case .connect: connectEnded(connection, completion)
    case .receive: receiveEnded(connection, completion)
    case .send: sendEnded(connection, completion, into: &operations)
    case .pause: connection.isPausing = false
    case .close: closeEnded(connection)
    case .cancel: connection.isCancelOutstanding = false
    case .shutdown: break
    }
  }

  private func connectEnded(_ connection: Connection, _ completion: Completion) {
    connection.isReceiveOutstanding = false
    guard completion.error == .none else {
      if connection.closeWanted != nil {
        lose(connection, .local)
      } else {
        tell(connection, .connectFailed(completion.error))
        connection.isEndTold = true
        lose(connection, .failed(completion.error))
      }
      retire(connection)
      return
    }
    connection.socket = Handle(completion.result)
    connection.phase = .login
    if connection.closeWanted != nil {
      connection.closeWanted = .now(reset: false)
      return
    }
    tell(connection, .connected)
    if connection.driver != nil { startLogin(connection) }
  }

  private func receiveEnded(_ connection: Connection, _ completion: Completion) {
    connection.isReceiveOutstanding = false
    guard connection.phase != .closing, connection.phase != .closed else { return }
    switch completion.error {
    case .none: break
    case .cancelled: return
    case .connectionReset: return fail(connection, .reset)
    default: return fail(connection, .failed(completion.error))
    }
    guard completion.result > 0 else {
      connection.sawEndOfStream = true
      if connection.automatic.closesOnEndOfStream {
        fail(connection, .endOfStream)
      } else {
        lose(connection, .endOfStream)
      }
      return
    }
    guard let buffer = connection.receiveBuffer else { return }
    let count = Int(min(completion.result, UInt64(buffer.length)))
    connection.framer.append(arena.bytes(buffer.prefix(count)))
    receivePDUs(connection)
  }

  private func sendEnded(_ connection: Connection, _ completion: Completion, into operations: inout Operations) {
    connection.isSendOutstanding = false
    let taken = completion.error == .none ? Int(min(completion.result, UInt64(connection.sendRest.length))) : 0
    connection.sendRest = connection.sendRest.dropFirst(taken)
    connection.sentBytes += UInt64(taken)
    let isDead = connection.phase == .closing || connection.phase == .closed
    if connection.sendRest.length == 0 || completion.error != .none || isDead { dropSendBuffer(connection) }
    guard !isDead else { return }
    switch completion.error {
    case .none:
      if connection.sendRest.length == 0, connection.pauseAfterSend.nanoseconds > 0 {
        connection.isPausing = true
        operations.timer(at: now + connection.pauseAfterSend, token: token(.pause, connection))
      }
    case .connectionReset: fail(connection, .reset)
    case .brokenPipe:
      // The peer no longer reads; what it still has to say comes, and then the end of the stream.
      connection.queue.removeAll()
      connection.queueHead = 0
    default: fail(connection, .failed(completion.error))
    }
  }

  private func dropSendBuffer(_ connection: Connection) {
    if let buffer = connection.sendBuffer { buffers.free(buffer) }
    connection.sendBuffer = nil
    connection.sendRest = .empty
  }

  private func closeEnded(_ connection: Connection) {
    if let buffer = connection.receiveBuffer { buffers.free(buffer) }
    connection.receiveBuffer = nil
    dropSendBuffer(connection)
    retire(connection)
  }

  /// The connection has no operation outstanding any more.
  private func retire(_ connection: Connection) {
    connection.phase = .closed
    connection.queue = []
    connection.queueHead = 0
    connection.framer = PDUFramer()
    connection.negotiation = Negotiation()
    liveCount -= 1
  }

  // MARK: Ends

  /// The connection is of no more use: tells so, and closes this side.
  func fail(_ connection: Connection, _ reason: CloseReason) {
    lose(connection, reason)
    connection.closeWanted = .now(reset: false)
    wake(connection)
  }

  /// Ends what depended on the connection and tells its end, once.
  func lose(_ connection: Connection, _ reason: CloseReason) {
    connection.session.connections.removeAll { $0 == connection.id }
    endLogin(connection, status: nil)
    // A script may have begun some when the end of the stream had been told.
    loseTasks(of: connection)
    guard !connection.isEndTold else { return }
    connection.isEndTold = true
    tell(connection, .closed(reason))
  }
}
