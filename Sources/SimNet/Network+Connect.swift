import Ring
import SimClock

extension Network {
  func isLive(_ socket: SocketID) -> Bool {
    Int(socket.slot) < sockets.count && sockets[Int(socket.slot)].generation == socket.generation
      && sockets[Int(socket.slot)].state != .free
  }

  /// Says what signals about `socket` carry as their owner.
  public func setOwner(of socket: SocketID, to owner: UInt64) {
    if isLive(socket) { sockets[Int(socket.slot)].owner = owner }
  }

  func makeSocket() -> SocketID {
    let slot: UInt32
    if let free = freeSockets.popLast() {
      slot = free
    } else {
      slot = UInt32(sockets.count)
      sockets.append(Socket())
    }
    let generation = sockets[Int(slot)].generation
    sockets[Int(slot)] = Socket()
    sockets[Int(slot)].generation = generation
    return SocketID(slot: slot, generation: generation)
  }

  func freeSocket(_ index: Int) {
    sockets[index].state = .free
    sockets[index].generation &+= 1
    freeSockets.append(UInt32(index))
  }

  /// Begins to connect. A signal `connected` follows; then ``connectResult(_:)`` says how it went.
  public func connect(from host: HostID, to address: SocketAddress, owner: UInt64) -> SocketID {
    let id = makeSocket()
    let index = Int(id.slot)
    let hostIndex = Int(host.rawValue)
    sockets[index].state = .connecting
    sockets[index].host = host.rawValue
    sockets[index].owner = owner
    sockets[index].remote = address
    let remote = interfaces.indices.first {
      interfaces[$0].address.hasSameHost(as: address)
    }
    // The source address is the first one of the same family; a host reaches itself from the address that it names.
    var local = hosts[hostIndex].interfaces.first { interfaces[$0].address.isIPv4 == address.isIPv4 }
    if let remote, interfaces[remote].host == host.rawValue { local = remote }
    let port = nextPort(hostIndex)
    guard let local, let remote else {
      sockets[index].local.port = port
      schedule(
        .connectionUnreachable, at: timeline.now.nanoseconds, subject: id.slot, generation: id.generation)
      return id
    }
    sockets[index].localInterface = local
    sockets[index].remoteInterface = remote
    sockets[index].local = interfaces[local].address
    sockets[index].local.port = port
    requestConnection(id)
    return id
  }

  /// Whether a connect has succeeded; nil while it is under way.
  public func connectResult(_ socket: SocketID) -> RingError? {
    guard isLive(socket) else { return .staleHandle }
    switch sockets[Int(socket.slot)].state {
    case .connecting: return nil
    case .failed where !sockets[Int(socket.slot)].hasConnected: return sockets[Int(socket.slot)].error
    default: return RingError.none
    }
  }

  private func requestConnection(_ id: SocketID) {
    let index = Int(id.slot)
    let link = linkTable[sockets[index].localInterface][sockets[index].remoteInterface]
    if links[link].rejections > 0 {
      links[link].counters.cutOff += 1
      let delay = links[link].options.latency
      schedule(
        .connectionUnreachable, at: (timeline.now + delay).nanoseconds, subject: id.slot, generation: id.generation)
      return
    }
    if let arrival = cross(link, after: 0) {
      schedule(.connectionRequest, at: arrival, subject: id.slot, generation: id.generation)
    }
    let wait = Interval.seconds(1 << UInt64(min(sockets[index].retries, 30)))
    schedule(
      .connectionTimer, at: (timeline.now + wait).nanoseconds, subject: id.slot, generation: id.generation,
      UInt64(sockets[index].retries))
  }

  /// When a packet without data arrives that enters `link` now; nil when it is lost.
  func cross(_ link: Int, after earliest: UInt64) -> UInt64? {
    links[link].counters.packets += 1
    if links[link].isCut {
      links[link].counters.cutOff += 1
      return nil
    }
    if links[link].random.chance(links[link].options.loss) {
      links[link].counters.lost += 1
      return nil
    }
    var latency = links[link].options.latency
    let jitter = links[link].options.jitter.nanoseconds
    if jitter > 0 { latency = latency + Interval(nanoseconds: links[link].random.next(below: jitter &+ 1)) }
    return max((timeline.now + latency).nanoseconds, earliest)
  }

  /// Whether a packet that was under way comes out of the link.
  func passes(_ link: Int) -> Bool {
    guard links[link].isCut else { return true }
    links[link].counters.cutOff += 1
    return false
  }

  func connectionTimerFired(_ id: SocketID) {
    guard isLive(id), sockets[Int(id.slot)].state == .connecting else { return }
    let index = Int(id.slot)
    sockets[index].retries += 1
    if sockets[index].retries > hosts[Int(sockets[index].host)].options.connectRetries {
      connectFailed(id, .timedOut)
    } else {
      requestConnection(id)
    }
  }

  func connectFailed(_ id: SocketID, _ error: RingError) {
    guard isLive(id), sockets[Int(id.slot)].state == .connecting else { return }
    sockets[Int(id.slot)].state = .failed
    sockets[Int(id.slot)].error = error
    if error == .connectionRefused { counters.connectionsRefused += 1 }
    signals.append(Signal(kind: .connected, owner: sockets[Int(id.slot)].owner))
  }

  func connectionRequestArrived(from client: SocketID) {
    guard isLive(client), sockets[Int(client.slot)].state == .connecting else { return }
    let index = Int(client.slot)
    let remote = sockets[index].remoteInterface
    let host = interfaces[remote].host
    let link = linkTable[sockets[index].localInterface][remote]
    let backLink = linkTable[remote][sockets[index].localInterface]
    guard hosts[Int(host)].isUp, passes(link) else { return }
    if isLive(sockets[index].peer) {
      // The answer to an earlier request was lost under way.
      let arrival = cross(backLink, after: pipes[sockets[index].incoming].lastArrival)
      if let arrival { answer(client, at: arrival) }
      return
    }
    guard let listener = findListener(on: host, sockets[index].remote) else {
      if let arrival = cross(backLink, after: 0) {
        schedule(.connectionRefused, at: arrival, subject: client.slot, generation: client.generation)
      }
      return
    }
    let waiting = listeners[listener].queue.count - listeners[listener].head
    guard waiting <= listeners[listener].backlog else {
      counters.acceptQueueOverflows += 1
      return
    }
    // A connection can be accepted as soon as its answer is on its way, a round trip before the handshake would be over.
    // Where the answer is lost there is none, and the repeated request is as good as the first.
    guard let arrival = cross(backLink, after: 0) else { return }
    // The server of an earlier request has gone, and its reset was lost.
    releasePipes(index)
    let server = makeSocket()
    let serverIndex = Int(server.slot)
    sockets[serverIndex].state = .established
    sockets[serverIndex].host = host
    sockets[serverIndex].local = sockets[index].remote
    sockets[serverIndex].remote = sockets[index].local
    sockets[serverIndex].localInterface = remote
    sockets[serverIndex].remoteInterface = sockets[index].localInterface
    sockets[serverIndex].peer = client
    sockets[index].peer = server
    connectionCount += 1
    counters.connections += 1
    let there = makePipe(from: client, to: server, link: link, backLink: backLink, isFromClient: true)
    let back = makePipe(from: server, to: client, link: backLink, backLink: link, isFromClient: false)
    sockets[index].outgoing = there
    sockets[index].incoming = back
    sockets[serverIndex].outgoing = back
    sockets[serverIndex].incoming = there
    tap?.opened(
      connection: connectionCount, client: sockets[index].local, server: sockets[index].remote, at: timeline.now)
    listeners[listener].queue.append(server)
    signals.append(Signal(kind: .accepted, owner: listeners[listener].owner))
    answer(client, at: arrival)
  }

  private func answer(_ client: SocketID, at arrival: UInt64) {
    // Data of the server do not overtake the answer.
    pipes[sockets[Int(client.slot)].incoming].lastArrival = arrival
    schedule(.connectionAnswer, at: arrival, subject: client.slot, generation: client.generation)
  }

  func connectionAnswerArrived(at client: SocketID) {
    guard isLive(client) else { return }
    let index = Int(client.slot)
    guard sockets[index].state == .connecting, hosts[Int(sockets[index].host)].isUp,
      passes(linkTable[sockets[index].remoteInterface][sockets[index].localInterface])
    else { return }
    sockets[index].state = .established
    sockets[index].hasConnected = true
    signals.append(Signal(kind: .connected, owner: sockets[index].owner))
  }

  private func makePipe(from: SocketID, to: SocketID, link: Int, backLink: Int, isFromClient: Bool) -> Int {
    let index: Int
    if let free = freePipes.popLast() {
      index = Int(free)
    } else {
      index = pipes.count
      pipes.append(Pipe())
    }
    let sendLength = hosts[Int(sockets[Int(from.slot)].host)].options.sendBufferLength
    let receiveLength = hosts[Int(sockets[Int(to.slot)].host)].options.receiveBufferLength
    var capacity = 4096
    while capacity < sendLength + receiveLength { capacity <<= 1 }
    pipes[index].reset(capacity: capacity)
    pipes[index].sender = from
    pipes[index].receiver = to
    pipes[index].receiverHost = sockets[Int(to.slot)].host
    pipes[index].link = link
    pipes[index].backLink = backLink
    pipes[index].sendLimit = UInt64(max(sendLength, 1))
    pipes[index].receiveLimit = UInt64(max(receiveLength, 1))
    pipes[index].edge = pipes[index].receiveLimit
    pipes[index].advertised = pipes[index].receiveLimit
    pipes[index].connection = connectionCount
    pipes[index].isFromClient = isFromClient
    return index
  }

  func freePipeIfDone(_ index: Int) {
    guard pipes[index].isLive, pipes[index].senderGone, pipes[index].receiverGone else { return }
    pipes[index].isLive = false
    pipes[index].generation &+= 1
    freePipes.append(UInt32(index))
  }
}
