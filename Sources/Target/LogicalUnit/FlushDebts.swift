import ISCSI

/// An initiator port: what stays the same when an initiator comes back with a new session (RFC 7143 §4.4.1).
struct InitiatorPort: Hashable, Sendable {
  /// The iSCSI name.
  var name: String
  var isid: ISID

  init(name: String = "", isid: ISID = ISID(rawValue: 0)) {
    self.name = name
    self.isid = isid
  }
}

/// Who is to be told that a flush failed, of those that are not there: when one fails, what a nexus wrote before it was lost
/// may be gone as well, and its initiator flushes when it is back.
struct FlushDebts {
  /// Ports whose nexuses have gone since the last flush that succeeded, and how many had gone by then, each included.
  private var departed: [(port: InitiatorPort, serial: Int)] = []
  private var owed: [InitiatorPort] = []
  /// How many nexuses have gone.
  private(set) var departures = 0

  /// So many ports are remembered of each kind, those that went last.
  private static var portsMax: Int { 1024 }

  /// A nexus of a port has come into being. True if a flush failed that it has not been told of.
  mutating func arrived(_ port: InitiatorPort) -> Bool {
    departed.removeAll { $0.port == port }
    guard let at = owed.firstIndex(of: port) else { return false }
    owed.remove(at: at)
    return true
  }

  /// A nexus of a port has gone, and its last command with it.
  mutating func left(_ port: InitiatorPort, owesFlushFailure: Bool) {
    departures += 1
    if owesFlushFailure { owe(port) }
    departed.removeAll { $0.port == port }
    departed.append((port, departures))
    if departed.count > Self.portsMax { departed.removeFirst() }
  }

  /// A flush has made stable what was written by those who had gone when it began: the first `count` of them.
  mutating func flushed(_ count: Int) {
    guard !departed.isEmpty else { return }
    departed.removeAll { $0.serial <= count }
  }

  /// A flush has failed.
  mutating func failed() {
    for (port, _) in departed { owe(port) }
    departed = []
  }

  private mutating func owe(_ port: InitiatorPort) {
    guard !owed.contains(port) else { return }
    owed.append(port)
    if owed.count > Self.portsMax { owed.removeFirst() }
  }
}
