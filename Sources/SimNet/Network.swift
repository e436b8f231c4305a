import Ring
import SimClock

/// Simulated hosts, the links between them, and their byte-stream sockets: a small TCP on virtual time.
///
/// A connection is two ``Pipe``s. What crosses a link is an event: a segment, an acknowledgement (which carries the
/// window), a connection request or its answer, a reset. A link that is down loses what crosses it, and time-outs
/// repeat it, as TCP does: partitions, stalls, half-open connections and zero windows come out of that and are not
/// scripted. Bytes arrive in order, always.
///
/// The calls on sockets do not block; a ``Signal`` says when to try again. Left out, because nothing above can see it:
/// sequence numbers, congestion windows.
public final class Network {
  struct Host {
    var name: String
    var options: HostOptions
    var interfaces: [Int] = []
    var isUp = true
    var nextPort: UInt16 = 49152
    var transmission = Stage()
    var softirq = Stage()
    /// What both and the threads work on, where the host has one core.
    var core = Stage()
  }

  struct Interface {
    var host: UInt32
    var address: SocketAddress
  }

  /// One direction between two interfaces.
  struct Link {
    /// What it is like without faults, and with those in force.
    var base: LinkOptions
    var options: LinkOptions
    var overlays: [Overlay] = []
    var counters = LinkCounters()
    var random: RandomStream
    /// How many faults presently lose everything here.
    var silences = 0
    /// How many faults presently refuse everything here with "no route".
    var rejections = 0
    /// When all that was queued has been paid for with its time, in nanoseconds. Without ``LinkOptions/burst`` that is when
    /// its last byte has been transmitted.
    var busyUntil: UInt64 = 0
    /// When the last queued byte has been transmitted.
    var freeAt: UInt64 {
      guard options.burst > 0 else { return busyUntil }
      let ahead = Network.transmissionTime(UInt64(options.burst), options.bandwidth)
      return busyUntil > ahead ? busyUntil - ahead : 0
    }
    var corruptions: [Corruption] = []
    var isCut: Bool { silences > 0 || rejections > 0 }
  }

  /// A change of a link's options that is in force until it is taken back.
  struct Overlay {
    var id: UInt64
    var change: (inout LinkOptions) -> Void
  }

  /// Segments of a link that have to be corrupted.
  struct Corruption {
    var id: UInt64
    var left: Int
    var done: UInt64 = 0
  }

  struct Socket {
    enum State: UInt8 {
      case free
      /// A connection request is under way.
      case connecting
      case established
      /// Reset, timed out or refused; the owner has not closed it yet.
      case failed
      /// Closed by its owner; what was written still has to arrive.
      case orphaned
    }

    var generation: UInt32 = 0
    var state = State.free
    var host: UInt32 = 0
    var local = SocketAddress(high: 0, low: 0, port: 0)
    var remote = SocketAddress(high: 0, low: 0, port: 0)
    var localInterface = 0
    var remoteInterface = -1
    var peer = SocketID.none
    var owner: UInt64 = 0
    /// What the next call reports, once.
    var error = RingError.none
    var outgoing = -1
    var incoming = -1
    var retries = 0
    /// Its connect has succeeded, whatever became of the connection afterwards.
    var hasConnected = false
    var wantsReadable = false
    var wantsWritable = false
  }

  struct Listener {
    var generation: UInt32 = 0
    var isLive = false
    var host: UInt32 = 0
    var address = SocketAddress(high: 0, low: 0, port: 0)
    var backlog = 0
    var owner: UInt64 = 0
    /// Connections that nobody has accepted yet, from `head` on.
    var queue: [SocketID] = []
    var head = 0
  }

  /// The kinds of the network's events.
  enum EventKind: UInt8 {
    case connectionRequest
    case connectionAnswer
    case connectionRefused
    case connectionUnreachable
    case connectionTimer
    case segment
    case acknowledgement
    case retransmit
    case pump
    case delayedAcknowledgement
    case reset
    /// A segment or reset has passed the softirq stage of its host.
    case segmentTaken
    case resetTaken
  }

  let timeline: Timeline
  var hosts: [Host] = []
  var interfaces: [Interface] = []
  var links: [Link] = []

  /// The link from interface i to interface j, at [i][j].
  var linkTable: [[Int]] = []

  var sockets: [Socket] = []
  var freeSockets: [UInt32] = []
  var pipes: [Pipe] = []
  var freePipes: [UInt32] = []
  var listeners: [Listener] = []
  var freeListeners: [UInt32] = []
  var connectionCount: UInt64 = 0
  var overlayCount: UInt64 = 0

  /// What links between hosts are like, where nothing else is said.
  public var defaultLink = LinkOptions()

  /// What the owners have to be told; whoever drives the network takes and empties them.
  public var signals: [Signal] = []

  /// Sees all bytes pass.
  public var tap: (any NetworkTap)?

  /// What happened, for reports and for tests of tests.
  public struct Counters: Hashable, Sendable {
    public var segments: UInt64 = 0
    public var segmentsLost: UInt64 = 0
    public var segmentsCorrupted: UInt64 = 0
    public var retransmissions: UInt64 = 0
    public var zeroWindows: UInt64 = 0
    public var resets: UInt64 = 0
    public var connections: UInt64 = 0
    public var connectionsRefused: UInt64 = 0
    public var acceptQueueOverflows: UInt64 = 0
    public var bytesSent: UInt64 = 0
    public var bytesReceived: UInt64 = 0
  }

  public internal(set) var counters = Counters()

  public init(timeline: Timeline) { self.timeline = timeline }

  deinit {
    for pipe in pipes { pipe.storage.deallocate() }
  }

  // MARK: Hosts and links

  /// Adds a host with an interface for each of `addresses` (their ports are ignored), linked to all other interfaces.
  public func addHost(_ name: String, addresses: [SocketAddress], options: HostOptions = HostOptions()) -> HostID {
    let id = UInt32(hosts.count)
    hosts.append(Host(name: name, options: options))
    for address in addresses { addInterface(address, to: id) }
    return HostID(id)
  }

  private func addInterface(_ address: SocketAddress, to host: UInt32) {
    let new = interfaces.count
    var address = address
    address.port = 0
    interfaces.append(Interface(host: host, address: address))
    hosts[Int(host)].interfaces.append(new)
    linkTable.append([])
    for other in 0...new {
      linkTable[new].append(addLink(from: new, to: other))
      if other != new { linkTable[other].append(addLink(from: other, to: new)) }
    }
  }

  private func addLink(from: Int, to: Int) -> Int {
    var options = defaultLink
    if interfaces[from].host == interfaces[to].host {
      options.latency = .microseconds(10)
      options.jitter = .zero
      options.bandwidth = 0
      options.mtu = 65_536
    }
    let name = "network.link.\(interfaces[from].address.host)>\(interfaces[to].address.host)"
    links.append(Link(base: options, options: options, random: timeline.random.stream(name)))
    return links.count - 1
  }

  /// The directed links from `from` to `to`: all of them, or those of one interface on either side.
  func linkIndices(from: HostID, _ fromAddress: SocketAddress?, to: HostID, _ toAddress: SocketAddress?) -> [Int] {
    var result: [Int] = []
    for i in hosts[Int(from.rawValue)].interfaces {
      if let fromAddress, !interfaces[i].address.hasSameHost(as: fromAddress) { continue }
      for j in hosts[Int(to.rawValue)].interfaces {
        if let toAddress, !interfaces[j].address.hasSameHost(as: toAddress) { continue }
        result.append(linkTable[i][j])
      }
    }
    return result
  }

  /// Changes what the links from one host to another are like, in that direction; `addresses` narrow it to a path.
  public func configureLink(
    from: HostID, at fromAddress: SocketAddress? = nil, to: HostID, at toAddress: SocketAddress? = nil,
    _ change: (inout LinkOptions) -> Void
  ) {
    for index in linkIndices(from: from, fromAddress, to: to, toAddress) {
      change(&links[index].base)
      applyOverlays(index)
    }
  }

  /// Changes what the links from one host to another are like until ``removeOverlay(_:)``. Overlays add up in the order
  /// in which they came.
  public func addOverlay(
    from: HostID, at fromAddress: SocketAddress? = nil, to: HostID, at toAddress: SocketAddress? = nil,
    _ change: @escaping (inout LinkOptions) -> Void
  ) -> OverlayID {
    overlayCount += 1
    for index in linkIndices(from: from, fromAddress, to: to, toAddress) {
      links[index].overlays.append(Overlay(id: overlayCount, change: change))
      applyOverlays(index)
    }
    return OverlayID(rawValue: overlayCount)
  }

  /// Takes an overlay or what is left of corruptions back; the links are as they would be without it.
  public func removeOverlay(_ overlay: OverlayID) {
    for index in links.indices { links[index].corruptions.removeAll { $0.id == overlay.rawValue } }
    for index in links.indices where links[index].overlays.contains(where: { $0.id == overlay.rawValue }) {
      links[index].overlays.removeAll { $0.id == overlay.rawValue }
      applyOverlays(index)
    }
  }

  private func applyOverlays(_ link: Int) {
    var options = links[link].base
    for overlay in links[link].overlays { overlay.change(&options) }
    links[link].options = options
  }

  /// What has happened on the links from one host to another, added up.
  public func linkCounters(
    from: HostID, at fromAddress: SocketAddress? = nil, to: HostID, at toAddress: SocketAddress? = nil
  ) -> LinkCounters {
    var sum = LinkCounters()
    for index in linkIndices(from: from, fromAddress, to: to, toAddress) { sum.add(links[index].counters) }
    return sum
  }

  /// Loses everything from one host to another, in that direction, until ``repair(from:at:to:at:)`` was called as
  /// often.
  public func cut(
    from: HostID, at fromAddress: SocketAddress? = nil, to: HostID, at toAddress: SocketAddress? = nil
  ) {
    for index in linkIndices(from: from, fromAddress, to: to, toAddress) { links[index].silences += 1 }
  }

  /// Takes back one ``cut(from:at:to:at:)``.
  public func repair(
    from: HostID, at fromAddress: SocketAddress? = nil, to: HostID, at toAddress: SocketAddress? = nil
  ) {
    for index in linkIndices(from: from, fromAddress, to: to, toAddress) {
      links[index].silences = max(0, links[index].silences - 1)
    }
  }

  /// As ``cut(from:at:to:at:)``, but a router answers: connecting fails as unreachable at once.
  public func reject(
    from: HostID, at fromAddress: SocketAddress? = nil, to: HostID, at toAddress: SocketAddress? = nil
  ) {
    for index in linkIndices(from: from, fromAddress, to: to, toAddress) { links[index].rejections += 1 }
  }

  /// Takes back one ``reject(from:at:to:at:)``.
  public func admit(
    from: HostID, at fromAddress: SocketAddress? = nil, to: HostID, at toAddress: SocketAddress? = nil
  ) {
    for index in linkIndices(from: from, fromAddress, to: to, toAddress) {
      links[index].rejections = max(0, links[index].rejections - 1)
    }
  }

  /// Inverts a bit in each of the next `count` segments from one host to another, after those of earlier calls.
  @discardableResult
  public func corruptNext(
    _ count: Int, from: HostID, at fromAddress: SocketAddress? = nil, to: HostID, at toAddress: SocketAddress? = nil
  ) -> OverlayID {
    overlayCount += 1
    for index in linkIndices(from: from, fromAddress, to: to, toAddress) {
      links[index].corruptions.append(Corruption(id: overlayCount, left: count))
    }
    return OverlayID(rawValue: overlayCount)
  }

  /// How many segments one call of ``corruptNext(_:from:at:to:at:)`` has corrupted so far.
  public func corruptedCount(by overlay: OverlayID) -> UInt64 {
    links.reduce(0) { sum, link in
      link.corruptions.reduce(sum) { $0 + ($1.id == overlay.rawValue ? $1.done : 0) }
    }
  }

  /// The addresses of a host.
  public func addresses(of host: HostID) -> [SocketAddress] {
    hosts[Int(host.rawValue)].interfaces.map { interfaces[$0].address }
  }

  /// The name of a host.
  public func name(of host: HostID) -> String { hosts[Int(host.rawValue)].name }

  /// Whether the host has power.
  public func isUp(_ host: HostID) -> Bool { hosts[Int(host.rawValue)].isUp }

  /// What the host is like.
  public func options(of host: HostID) -> HostOptions { hosts[Int(host.rawValue)].options }

  /// The sockets and directions of connections that have not been given back; zero when everything has ended.
  public var liveSocketCount: Int { sockets.count - freeSockets.count }
  public var livePipeCount: Int { pipes.count - freePipes.count }

  /// The bytes of memory that streams take.
  public var bufferLength: Int { pipes.reduce(0) { $0 + $1.storage.count } }

  /// The connected sockets whose peer is gone without a trace, by a power failure or because its reset was lost: they
  /// learn of it when they send, and never if they do not.
  public var halfOpenSocketCount: Int { sockets.count { $0.state == .established && !isLive($0.peer) } }

  // MARK: Events

  func schedule(
    _ kind: EventKind, at time: UInt64, subject: UInt32, generation: UInt32, _ first: UInt64 = 0, _ second: UInt64 = 0
  ) {
    timeline.schedule(
      Event(
        time: time, room: .network, kind: kind.rawValue, subject: subject, generation: generation, first: first,
        second: second))
  }

  /// An event of the network in words.
  public func describe(kind: UInt8, slot: UInt32, _ first: UInt64, _ second: UInt64) -> String {
    guard let kind = EventKind(rawValue: kind) else { return "event \(kind)" }
    let length = second & ~(1 << 63)
    switch kind {
    case .segment: return "segment of \(length) bytes from position \(first) arrives, stream \(slot)"
    case .segmentTaken: return "segment of \(length) bytes from position \(first) is taken in, stream \(slot)"
    case .acknowledgement: return "acknowledgement of position \(first), window up to \(length), stream \(slot)"
    case .retransmit, .pump, .delayedAcknowledgement: return "\(kind) timer of stream \(slot)"
    case .connectionRequest, .connectionAnswer, .connectionRefused, .connectionUnreachable, .connectionTimer, .reset,
      .resetTaken:
      return "\(kind), socket \(slot)"
    }
  }

  /// Handles an event that the network scheduled.
  public func handle(_ event: Event) {
    guard let kind = EventKind(rawValue: event.kind) else { return }
    let socket = SocketID(slot: event.subject, generation: event.generation)
    switch kind {
    case .connectionRequest: connectionRequestArrived(from: socket)
    case .connectionAnswer: connectionAnswerArrived(at: socket)
    case .connectionRefused: connectFailed(socket, .connectionRefused)
    case .connectionUnreachable: connectFailed(socket, .unreachable)
    case .connectionTimer: connectionTimerFired(socket)
    case .reset: resetArrived(at: socket)
    case .resetTaken: resetTaken(at: socket)
    case .segment, .segmentTaken, .acknowledgement, .retransmit, .pump, .delayedAcknowledgement:
      let index = Int(event.subject)
      guard pipes[index].isLive, pipes[index].generation == event.generation else { return }
      switch kind {
      case .segment: segmentArrived(index, start: event.first, lengthAndEnd: event.second)
      case .segmentTaken: segmentTaken(index, start: event.first, lengthAndEnd: event.second)
      case .acknowledgement: acknowledgementArrived(index, position: event.first, edgeAndGap: event.second)
      case .retransmit: retransmitTimerFired(index)
      case .delayedAcknowledgement:
        pipes[index].isAcknowledgementTimerSet = false
        // A host that has lost its power owes nothing any more.
        if pipes[index].isAcknowledgementOwed, isLive(pipes[index].receiver) { acknowledge(index) }
      default:
        pipes[index].isPumpSet = false
        if event.first == 1 { pipes[index].isCorked = false }
        pump(index)
      }
    }
  }
}
