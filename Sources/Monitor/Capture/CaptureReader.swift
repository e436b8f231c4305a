import ISCSI
import Ring

/// Holds a capture file against the rules: puts its TCP connections together, and has a monitor read those of iSCSI.
public final class CaptureReader {
  /// What was in the file.
  public struct Summary: Hashable, Sendable {
    public var packets: UInt64 = 0
    /// Connections of iSCSI whose beginning was captured.
    public var connections: UInt64 = 0
    /// Connections that were under way when the capture began, of whatever they are.
    public var begunBefore: UInt64 = 0
    /// Pieces of IP packets, and packets whose headers were cut off.
    public var incomplete: UInt64 = 0
    /// Packets of links that are not known, by their LINKTYPE.
    public var unknownLinks: [UInt32] = []
  }

  /// Something to tell, in the order of the file.
  public enum Event: Equatable, Sendable {
    case broken(Finding, packet: UInt64, from: SocketAddress, to: SocketAddress)
    /// Bytes of `from` are missing: from there on that direction is not judged.
    case gap(packet: UInt64, from: SocketAddress, to: SocketAddress, time: Instant)
  }

  private final class Connection {
    let number: UInt64
    let client: SocketAddress
    let server: SocketAddress
    /// By ``Side``.
    var streams = [ByteStream(), ByteStream()]
    var hasEnded = false

    init(_ number: UInt64, _ client: SocketAddress, _ server: SocketAddress) {
      self.number = number
      self.client = client
      self.server = server
    }

    func address(of side: Side) -> SocketAddress { side == .initiator ? client : server }
  }

  private struct Name: Hashable {
    var client: SocketAddress
    var server: SocketAddress
  }

  public private(set) var summary = Summary()
  public let monitor: ProtocolMonitor

  private var file = CaptureFile()
  private var connections: [Name: Connection] = [:]
  private var begunBefore: Set<Name> = []
  private var count: UInt64 = 0
  private var start: Instant?

  /// So many connections that were under way are told apart; more are one.
  private static let begunBeforeMax = 100_000

  public init(watching watched: [Side] = Side.allCases) { monitor = ProtocolMonitor(watching: watched) }

  /// Reads the next bytes of the file; `body` is called for everything that there is to tell.
  ///
  /// - Throws: When the file is not what it should be from some place on.
  public func read(_ bytes: some Collection<UInt8>, _ body: (Event) throws -> Void) throws {
    file.append(bytes)
    while let packet = try file.next() { try take(packet, body) }
  }

  /// Whether the file has ended where it may.
  public var isAtEnd: Bool { file.isAtEnd }

  private func take(_ packet: CaptureFile.Packet, _ body: (Event) throws -> Void) throws {
    summary.packets += 1
    let start = start ?? packet.time
    self.start = start
    let time = Instant(nanoseconds: (packet.time - start).nanoseconds)
    let segment: Segment
    do throws(Segment.Failure) {
      segment = try Segment(packet)
    } catch {
      switch error {
      case .other: return
      case .incomplete: summary.incomplete += 1
      case .linkType(let type): if !summary.unknownLinks.contains(type) { summary.unknownLinks.append(type) }
      }
      return
    }
    guard let (connection, side) = connection(of: segment) else { return }
    let wasBroken = connection.streams.map(\.isBroken)
    connection.streams[Int(side.rawValue)].take(segment) { bytes in
      bytes.withUnsafeBytes { monitor.read($0, of: connection.number, from: side, at: time) }
    }
    if let acknowledged = segment.acknowledged, !segment.has(Segment.Flags.syn) {
      connection.streams[Int(side.other.rawValue)].acknowledged(acknowledged)
    }
    for finding in monitor.takeFindings() {
      try body(
        .broken(
          finding, packet: packet.number, from: connection.address(of: finding.side),
          to: connection.address(of: finding.side.other)))
    }
    for side in Side.allCases where connection.streams[Int(side.rawValue)].isBroken && !wasBroken[Int(side.rawValue)] {
      monitor.lost(connection.number, from: side)
      guard monitor.isJudged(connection.number) else { continue }
      try body(
        .gap(
          packet: packet.number, from: connection.address(of: side), to: connection.address(of: side.other), time: time)
      )
    }
    if segment.has(Segment.Flags.reset) || connection.streams.allSatisfy(\.hasEnded), !connection.hasEnded {
      connection.hasEnded = true
      monitor.closed(connection.number)
    }
    summary.connections = monitor.counters.connections
  }

  /// The connection that a segment belongs to, and who has sent it. Nil for one whose beginning was not captured.
  private func connection(of segment: Segment) -> (Connection, Side)? {
    let isRequest = segment.has(Segment.Flags.syn) && !segment.has(Segment.Flags.acknowledgement)
    let there = Name(client: segment.source, server: segment.destination)
    let back = Name(client: segment.destination, server: segment.source)
    if isRequest {
      if let found = connections[there], !found.streams[0].isOther(segment.sequence) { return (found, .initiator) }
      if let old = connections[there], !old.hasEnded { monitor.closed(old.number) }
      count += 1
      let made = Connection(count, segment.source, segment.destination)
      made.streams[0].begin(after: segment.sequence)
      connections[there] = made
      monitor.opened(count)
      return nil
    }
    if let found = connections[there] { return (found, .initiator) }
    if let found = connections[back] {
      if segment.has(Segment.Flags.syn) { found.streams[1].begin(after: segment.sequence) }
      return (found, .target)
    }
    if begunBefore.count < Self.begunBeforeMax, !begunBefore.contains(back), begunBefore.insert(there).inserted {
      summary.begunBefore += 1
    }
    return nil
  }
}
