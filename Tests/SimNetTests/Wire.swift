import Ring
import SimClock
import SimNet
import Testing

/// Two hosts and the loop that drives the network between them.
final class Wire {
  let timeline: Timeline
  let network: Network
  let a: HostID
  let b: HostID
  let serverAddress = SocketAddress(10, 0, 0, 2, port: 3260)
  private(set) var signals: [Signal] = []

  init(seed: UInt64 = 1, host: HostOptions = HostOptions(), _ adjust: (inout LinkOptions) -> Void = { _ in }) {
    timeline = Timeline(seed: seed)
    network = Network(timeline: timeline)
    adjust(&network.defaultLink)
    a = network.addHost("a", addresses: [SocketAddress(10, 0, 0, 1, port: 0)], options: host)
    b = network.addHost("b", addresses: [SocketAddress(10, 0, 0, 2, port: 0)], options: host)
  }

  /// Handles one event; false when there is none.
  func step() -> Bool {
    guard let next = timeline.nextTime else { return false }
    timeline.advance(to: next)
    if let event = timeline.popDue() { network.handle(event) }
    signals += network.signals
    network.signals.removeAll()
    return true
  }

  /// Handles everything up to `interval` from now.
  func run(_ interval: Interval) {
    let end = timeline.now + interval
    while let next = timeline.nextTime, next <= end { _ = step() }
    timeline.advance(to: end)
  }

  /// A connection from a to b.
  func connect(backlog: Int = 8) throws -> (client: SocketID, server: SocketID) {
    let (listener, _) = try network.listen(on: b, at: serverAddress, backlog: backlog, owner: 100)
    let client = network.connect(from: a, to: serverAddress, owner: 1)
    let end = timeline.now + .seconds(60)
    while network.connectResult(client) == nil, timeline.now < end { run(.milliseconds(10)) }
    #expect(network.connectResult(client) == RingError.none)
    let server = try #require(network.accept(listener))
    return (client, server)
  }

  func send(_ socket: SocketID, _ bytes: [UInt8]) -> StreamResult { bytes.withUnsafeBytes { network.send(socket, $0) } }

  /// What one receive of up to `limit` bytes brings.
  func receive(_ socket: SocketID, _ limit: Int = 1 << 16) -> (StreamResult, [UInt8]) {
    var buffer = [UInt8](repeating: 0, count: limit)
    let result = buffer.withUnsafeMutableBytes { network.receive(socket, into: $0) }
    if case .count(let count) = result { return (result, Array(buffer[..<count])) }
    return (result, [])
  }

  /// Sends all of `bytes` and returns what the other side has received when nothing is left to come, or after `limit`.
  func transfer(_ bytes: [UInt8], from: SocketID, to: SocketID, limit: Interval = .seconds(600)) -> [UInt8] {
    var left = bytes[...]
    var received: [UInt8] = []
    let end = timeline.now + limit
    while received.count < bytes.count, timeline.now < end {
      if !left.isEmpty, case .count(let count) = send(from, Array(left)) { left = left.dropFirst(count) }
      while case (.count(let count), let got) = receive(to), count > 0 { received += got }
      if !step() { break }
    }
    return received
  }
}

func pattern(_ count: Int) -> [UInt8] {
  var random = RandomStream(seed: UInt64(count))
  return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
}
