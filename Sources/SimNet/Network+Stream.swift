import Ring
import SimClock

/// The calls on a connected socket. None of them blocks.
extension Network {
  /// The local and remote address of a socket; nil when it is gone.
  public func addresses(of id: SocketID) -> (local: SocketAddress, remote: SocketAddress)? {
    isLive(id) ? (sockets[Int(id.slot)].local, sockets[Int(id.slot)].remote) : nil
  }

  /// How many bytes a receive of up to `limit` bytes moves now. Take exactly so many with ``take(_:into:)``.
  ///
  /// `failed` reports a reset or time-out once, after the bytes that had arrived before; then the stream has ended.
  public func receivable(_ id: SocketID, limit: Int) -> StreamResult {
    guard isLive(id) else { return .failed(.staleHandle) }
    let index = Int(id.slot)
    let pipe = sockets[index].incoming
    if pipe >= 0 {
      let readable = pipes[pipe].readable
      if readable > 0 { return .count(cut(pipe, min(readable, UInt64(max(limit, 0))))) }
    }
    if sockets[index].state == .failed {
      let error = sockets[index].error
      sockets[index].error = .none
      return error == .none ? .count(0) : .failed(error)
    }
    if pipe >= 0, pipes[pipe].hasEnded { return .count(0) }
    sockets[index].wantsReadable = true
    return .wouldBlock
  }

  /// Cuts a receive short where the link's options say so.
  private func cut(_ pipe: Int, _ count: UInt64) -> Int {
    let link = pipes[pipe].link
    var count = count
    switch links[link].options.segmentation {
    case .full: break
    case .drawn:
      if count > 1, links[link].random.chance(1, of: 4) { count = 1 + links[link].random.next(below: count) }
    case .every, .points:
      // A forced cut is seen by the receiver in any case, however late it reads.
      if let point = cutPoint(link, after: pipes[pipe].read) { count = min(count, point - pipes[pipe].read) }
    }
    if count > 1, links[link].random.chance(links[link].options.shortReceive) {
      count = 1 + links[link].random.next(below: count - 1)
      links[link].counters.shortReceives += 1
    }
    return Int(truncatingIfNeeded: count)
  }

  /// The first forced cut of the stream after `position`.
  func cutPoint(_ link: Int, after position: UInt64) -> UInt64? {
    switch links[link].options.segmentation {
    case .full, .drawn: return nil
    case .every(let length):
      let length = max(length, 1)
      return position - position % length + length
    case .points(let points): return points.first { $0 > position }
    }
  }

  /// Moves the next bytes out. The caller was told by ``receivable(_:limit:)`` that so many are there.
  public func take(_ id: SocketID, into bytes: UnsafeMutableRawBufferPointer) {
    guard isLive(id), bytes.count > 0 else { return }
    let pipe = sockets[Int(id.slot)].incoming
    guard pipe >= 0, pipes[pipe].readable >= UInt64(bytes.count) else { return }
    pipes[pipe].remove(into: bytes)
    counters.bytesReceived += UInt64(bytes.count)
    tap?.received(
      connection: pipes[pipe].connection, byClient: !pipes[pipe].isFromClient, bytes: UnsafeRawBufferPointer(bytes),
      at: timeline.now)
    // As receivers do to avoid the silly window: only a window that has grown by much is worth a packet.
    let edge = pipes[pipe].read + pipes[pipe].receiveLimit
    let worth = min(pipes[pipe].receiveLimit / 2, 2 * UInt64(segmentLengthMax(pipes[pipe].link)))
    if edge - pipes[pipe].advertised >= max(worth, 1), sockets[Int(id.slot)].state == .established {
      acknowledge(pipe)
    }
  }

  /// Receives into `bytes`: ``receivable(_:limit:)`` and ``take(_:into:)`` in one.
  public func receive(_ id: SocketID, into bytes: UnsafeMutableRawBufferPointer) -> StreamResult {
    let result = receivable(id, limit: bytes.count)
    if case .count(let count) = result { take(id, into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])) }
    return result
  }

  /// How many of `length` bytes a send takes over now. Hand over exactly so many with ``put(_:_:)``, then
  /// ``transmit(_:moreToCome:)``.
  public func sendable(_ id: SocketID, length: Int) -> StreamResult {
    guard isLive(id) else { return .failed(.staleHandle) }
    let index = Int(id.slot)
    let pipe = sockets[index].outgoing
    guard sockets[index].state == .established, pipe >= 0 else {
      let error = sockets[index].error
      sockets[index].error = .none
      return .failed(error == .none ? .brokenPipe : error)
    }
    if pipes[pipe].isFinished { return .failed(.brokenPipe) }
    let room = pipes[pipe].room
    if room == 0 {
      sockets[index].wantsWritable = true
      return .wouldBlock
    }
    var count = min(room, UInt64(max(length, 0)))
    let link = pipes[pipe].link
    if count > 1, links[link].random.chance(links[link].options.shortSend) {
      count = 1 + links[link].random.next(below: count - 1)
      links[link].counters.shortSends += 1
    }
    return .count(Int(truncatingIfNeeded: count))
  }

  /// Hands bytes over for sending. The caller was told by ``sendable(_:length:)`` that there is room.
  public func put(_ id: SocketID, _ bytes: UnsafeRawBufferPointer) {
    guard isLive(id), bytes.count > 0 else { return }
    let pipe = sockets[Int(id.slot)].outgoing
    guard pipe >= 0, pipes[pipe].room >= UInt64(bytes.count) else { return }
    pipes[pipe].append(bytes)
    counters.bytesSent += UInt64(bytes.count)
    tap?.sent(
      connection: pipes[pipe].connection, byClient: pipes[pipe].isFromClient, bytes: bytes, at: timeline.now)
  }

  /// Puts what was handed over on its way. With `moreToCome` a partial segment may wait: for more, for an acknowledgement,
  /// for TCP_NODELAY, or for 200 ms.
  public func transmit(_ id: SocketID, moreToCome: Bool = false) {
    guard isLive(id) else { return }
    let pipe = sockets[Int(id.slot)].outgoing
    guard pipe >= 0 else { return }
    pipes[pipe].isCorked = moreToCome
    payForSend(sockets[Int(id.slot)].host)
    pump(pipe)
  }

  /// Sets TCP_NODELAY of a socket: with it, a partial segment that is being held back goes out, whatever holds it.
  public func setNoDelay(_ id: SocketID, _ isOn: Bool) -> RingError {
    guard isLive(id) else { return .staleHandle }
    let pipe = sockets[Int(id.slot)].outgoing
    guard pipe >= 0 else { return .none }
    pipes[pipe].nagle = !isOn
    if isOn {
      pipes[pipe].isCorked = false
      pump(pipe)
    }
    return .none
  }

  /// Sends `bytes`: ``sendable(_:length:)``, ``put(_:_:)`` and ``transmit(_:moreToCome:)`` in one.
  public func send(_ id: SocketID, _ bytes: UnsafeRawBufferPointer) -> StreamResult {
    let result = sendable(id, length: bytes.count)
    if case .count(let count) = result {
      put(id, UnsafeRawBufferPointer(rebasing: bytes[..<count]))
      transmit(id)
    }
    return result
  }

  /// Whether a socket still has a connection: no reset, and not the end of the stream in both directions.
  public func isConnected(_ id: SocketID) -> Bool {
    guard isLive(id), sockets[Int(id.slot)].state == .established else { return false }
    let (outgoing, incoming) = (sockets[Int(id.slot)].outgoing, sockets[Int(id.slot)].incoming)
    guard outgoing >= 0, incoming >= 0 else { return false }
    return !pipes[incoming].hasEnded || !pipes[outgoing].isFinished || pipes[outgoing].acked < pipes[outgoing].end
  }

  /// Ends the sending direction: the peer reads the end of the stream after what was sent.
  public func shutdown(_ id: SocketID) -> RingError {
    guard isLive(id) else { return .staleHandle }
    guard isConnected(id) else { return .brokenPipe }
    finish(sockets[Int(id.slot)].outgoing)
    return .none
  }

  private func finish(_ pipe: Int) {
    if !pipes[pipe].isFinished {
      pipes[pipe].isFinished = true
      tap?.ended(
        connection: pipes[pipe].connection, byClient: pipes[pipe].isFromClient, wasReset: false, at: timeline.now)
    }
    pump(pipe)
  }

  /// Closes a socket. What was handed over still goes out, then the end of the stream; a reset goes out instead with
  /// `reset`, or when bytes have arrived that nobody read.
  public func close(_ id: SocketID, reset: Bool = false) {
    guard isLive(id) else { return }
    let index = Int(id.slot)
    switch sockets[index].state {
    case .established:
      let incoming = sockets[index].incoming
      if reset || incoming >= 0 && pipes[incoming].readable > 0 {
        abort(id)
      } else {
        sockets[index].state = .orphaned
        sockets[index].wantsReadable = false
        sockets[index].wantsWritable = false
        finish(sockets[index].outgoing)
        finishIfOrphaned(id)
      }
    case .connecting:
      // The peer may have taken the connection already: it hears that nobody is there.
      if isLive(sockets[index].peer) {
        let link = linkTable[sockets[index].localInterface][sockets[index].remoteInterface]
        sendReset(to: sockets[index].peer, over: link, after: 0)
      }
      release(index)
    case .failed: release(index)
    case .free, .orphaned: break
    }
  }

  /// Sends a reset and forgets the socket.
  private func abort(_ id: SocketID) {
    let index = Int(id.slot)
    let outgoing = sockets[index].outgoing
    if outgoing >= 0 {
      sendReset(to: sockets[index].peer, over: pipes[outgoing].link, after: pipes[outgoing].lastArrival)
      tap?.ended(
        connection: pipes[outgoing].connection, byClient: pipes[outgoing].isFromClient, wasReset: true,
        at: timeline.now)
    }
    release(index)
  }

  /// Gives the socket's slot and its ends of the pipes back.
  func release(_ index: Int) {
    releasePipes(index)
    freeSocket(index)
  }

  func releasePipes(_ index: Int) {
    let outgoing = sockets[index].outgoing
    let incoming = sockets[index].incoming
    if outgoing >= 0 {
      pipes[outgoing].senderGone = true
      freePipeIfDone(outgoing)
    }
    if incoming >= 0 {
      pipes[incoming].receiverGone = true
      freePipeIfDone(incoming)
    }
    sockets[index].outgoing = -1
    sockets[index].incoming = -1
  }

  /// A socket that its owner has closed goes when everything that it sent has been acknowledged.
  func finishIfOrphaned(_ id: SocketID) {
    guard isLive(id) else { return }
    let index = Int(id.slot)
    let outgoing = sockets[index].outgoing
    guard sockets[index].state == .orphaned, outgoing < 0 || pipes[outgoing].acked >= pipes[outgoing].end else {
      return
    }
    // As long as Linux does.
    let incoming = sockets[index].incoming
    if incoming >= 0 { pipes[incoming].lingersUntil = (timeline.now + .seconds(60)).nanoseconds }
    release(index)
  }

  /// The ends of a connection learn of a reset at once, as from a middlebox or an injected fault.
  ///
  /// - Parameter ofPeerAlone: This end does not: it learns of it when it sends.
  /// - Returns: Whether there was a connection to reset.
  @discardableResult
  public func injectReset(_ id: SocketID, ofPeerAlone: Bool = false) -> Bool {
    guard isLive(id), sockets[Int(id.slot)].state == .established else { return false }
    let peer = sockets[Int(id.slot)].peer
    let hasPeer = isLive(peer)
    if hasPeer { failSocket(peer, .connectionReset) }
    if ofPeerAlone { return hasPeer }
    failSocket(id, .connectionReset)
    return true
  }

  /// The live connections between two hosts, oldest slot first, named by their end on `host`; addresses (their ports are
  /// ignored) narrow them to a path.
  public func connections(
    of host: HostID, at address: SocketAddress? = nil, with other: HostID? = nil, at otherAddress: SocketAddress? = nil
  ) -> [SocketID] {
    sockets.indices.compactMap { index in
      let socket = sockets[index]
      guard socket.state == .established, socket.host == host.rawValue else { return nil }
      if let other, interfaces[socket.remoteInterface].host != other.rawValue { return nil }
      if let address, !socket.local.hasSameHost(as: address) { return nil }
      if let otherAddress, !socket.remote.hasSameHost(as: otherAddress) { return nil }
      return SocketID(slot: UInt32(index), generation: socket.generation)
    }
  }
}
