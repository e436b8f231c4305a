import ISCSI
import Ring

/// Reads both directions of connections as they pass, and says where one end breaks a rule of RFC 7143.
///
/// It takes no part: it is told of bytes and of the ends of streams, in the order in which they passed some place, and cuts
/// PDUs out of them by itself. All that it knows of an end is what that has sent, so that it judges anybody's traffic. The
/// target is held to everything that does not depend on what is still under way at that place; where an initiator has broken
/// the rules itself, what the target makes of that is its own business, and the task or the numbers concerned are left alone.
///
/// What is kept is bounded by what is under way, a PDU that is not whole and the tasks that have not ended, and by the number of
/// sessions that there were: one may be taken up again after its last connection has ended.
public final class ProtocolMonitor {
  /// What has been read.
  public struct Counters: Hashable, Sendable {
    /// Connections that began with a login, and others.
    public var connections: UInt64 = 0
    public var others: UInt64 = 0
    public var logins: UInt64 = 0
    public var pdus: UInt64 = 0
    public var commands: UInt64 = 0
    public var findings: UInt64 = 0

    public init() {}
  }

  public internal(set) var counters = Counters()

  /// Whose breaches are told.
  public let watched: [Side]

  /// The most findings that are kept between two calls of ``takeFindings()``; all are counted.
  public static let findingsMax = 1000

  private var findings: [Finding] = []
  private var connections: [UInt64: WatchedConnection] = [:]
  private var sessions: [SessionName: WatchedSession] = [:]

  public init(watching watched: [Side] = Side.allCases) { self.watched = watched }

  /// What was found since it was asked last, in the order of the traffic.
  public func takeFindings() -> [Finding] {
    defer { findings = [] }
    return findings
  }

  /// Whether something was found since it was asked last.
  public var hasFindings: Bool { !findings.isEmpty }

  // MARK: Traffic

  /// A connection has been made. Numbers are not used twice while the first is open.
  public func opened(_ connection: UInt64) { connections[connection] = WatchedConnection(connection, self) }

  /// The next bytes of one end's stream.
  public func read(_ bytes: UnsafeRawBufferPointer, of connection: UInt64, from side: Side, at time: Instant) {
    connections[connection]?.read(bytes, from: side, at: time)
  }

  /// What one end sends from here on is not known, or not whole.
  public func lost(_ connection: UInt64, from side: Side) { connections[connection]?.lose(side) }

  /// Neither end sends anything any more.
  public func closed(_ connection: UInt64) {
    guard let ended = connections.removeValue(forKey: connection) else { return }
    ended.close()
  }

  /// Whether a connection is one of iSCSI whose login has not been refused.
  public func isJudged(_ connection: UInt64) -> Bool {
    guard let phase = connections[connection]?.phase else { return false }
    return phase != .new && phase != .over
  }

  // MARK: What connections have in common

  func tell(_ finding: Finding) {
    guard watched.contains(finding.side) else { return }
    counters.findings += 1
    if findings.count < Self.findingsMax { findings.append(finding) }
  }

  /// The session of that name; a new one when there is none, or when `isNew`.
  func session(_ name: SessionName, isNew: Bool) -> WatchedSession {
    if !isNew, let found = sessions[name] { return found }
    let made = WatchedSession()
    sessions[name] = made
    return made
  }
}
