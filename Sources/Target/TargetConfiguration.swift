import Ring

/// Everything that a target machine is told when it is made. A value: what a world file describes, and what a scenario
/// varies.
public struct TargetConfiguration: Sendable {
  /// The iSCSI target nodes, in the order in which discovery lists them: also those that other machines serve
  /// (``TargetNode/server``).
  public var nodes: [TargetNode]

  /// The listening portals.
  public var portals: [Portal]

  /// What the target offers in negotiations, and its limits.
  public var limits = TargetLimits()

  public init(nodes: [TargetNode], portals: [Portal]) {
    self.nodes = nodes
    self.portals = portals
  }

  /// Whether the machine is one of several that share the nodes, the shards of one target: nodes are served by others, or
  /// others listen for it.
  var isSharded: Bool { nodes.contains { $0.server != nil } || portals.contains { $0.listener == .none } }
}

/// One iSCSI target node (RFC 7143 §4.4.1) and its logical units.
public struct TargetNode: Sendable {
  /// The iSCSI name.
  public var name: String

  /// The TargetAlias that it declares at login, 1 to 255 bytes; nil for none.
  public var alias: String?

  /// Its logical units. Their numbers are unique.
  public var logicalUnits: [LogicalUnitConfiguration]

  /// The initiator names that may log in and discover it; nil for all.
  public var initiators: [String]?

  /// The portals that it is reached at, by their places in ``TargetConfiguration/portals``; nil for all.
  public var portals: [Int]?

  /// How its answers go out, from the full-feature phase on.
  public var sendPolicy = SendPolicy.batching

  /// The machine that serves it, where that is another one: a connection whose login names the node is posted there.
  /// Nil where it is the machine that is told. Of a node that is served elsewhere, the logical units need not be told.
  public var server: MachineID?

  public init(name: String, alias: String? = nil, logicalUnits: [LogicalUnitConfiguration], initiators: [String]? = nil)
  {
    self.name = name
    self.alias = alias
    self.logicalUnits = logicalUnits
    self.initiators = initiators
  }

  /// What the other machines know of it when `server` serves it.
  public func served(by server: MachineID) -> TargetNode {
    var node = TargetNode(name: name, alias: alias, logicalUnits: [], initiators: initiators)
    node.portals = portals
    node.server = server
    return node
  }

  /// Whether it is reached at that portal.
  func isReached(at portal: Int) -> Bool { portals?.contains(portal) ?? true }
}

/// A network portal (RFC 7143 §4.4.1): an open listener, and what it is called in discovery.
public struct Portal: Sendable {
  /// The ring's listener; ``Handle/none`` where another machine listens, and posts what it accepts.
  public var listener: Handle

  /// The address that it listens on. With a wildcard address, discovery names the address that the initiator reached.
  public var address: SocketAddress

  /// The target portal group tag, 0 to 65535 (RFC 7143 §13.9).
  public var groupTag: UInt16

  public init(listener: Handle, address: SocketAddress, groupTag: UInt16 = 1) {
    self.listener = listener
    self.address = address
    self.groupTag = groupTag
  }
}

/// What the target offers when it negotiates, and what it bounds.
public struct TargetLimits: Sendable {
  /// MaxRecvDataSegmentLength that the target declares (RFC 7143 §13.12), 512 to 2^24-1 bytes.
  public var maxRecvDataSegmentLength: UInt32 = 262_144

  /// The most that it agrees to as MaxBurstLength (RFC 7143 §13.13), in bytes.
  public var maxBurstLength: UInt32 = 1_048_576

  /// The most that it agrees to as FirstBurstLength (RFC 7143 §13.14), in bytes.
  public var firstBurstLength: UInt32 = 262_144

  /// The most that it agrees to as MaxOutstandingR2T (RFC 7143 §13.17), 1 to 64.
  public var maxOutstandingR2T: UInt32 = 8

  /// InitialR2T that it asks for (RFC 7143 §13.10).
  public var initialR2T = false

  /// ImmediateData that it agrees to (RFC 7143 §13.11).
  public var immediateData = true

  /// Whether it can compute CRC32C digests, and so agrees to them.
  public var offersCRC32C = true

  /// The command window: how many non-immediate commands a session may have outstanding, 1 to 1024.
  public var commandWindow: UInt32 = 256

  /// Bytes of unsolicited data (RFC 7143 §4.2.4.2) that commands from an initiator on the same host may have on their way, to
  /// units without a medium; at least two commands. The window is kept so small. Nil for all that the window lets in.
  public var localBytesAheadMax: Int?

  /// The most immediate tasks of a session at one time, beyond the window.
  public var immediateTasksMax: UInt32 = 32

  /// Connections at one time, of all kinds. One more takes the place of the oldest that has not logged in, or whose last
  /// answer is on its way; without such a one it is accepted and reset at once.
  public var connectionsMax = 2048

  /// Connections at one time that have not logged in. One more takes the place of the oldest of them.
  public var pendingLoginsMax = 512

  /// How long a login may take from accept to full-feature phase.
  public var loginTimeout = Interval.seconds(15)

  /// After how long a silence the target pings a normal session with a NOP-In.
  public var pingInterval = Interval.seconds(30)

  /// How long an initiator may take to answer the ping, to take what is being sent to it, or to go on with data-out that it
  /// has announced or was asked for, before it is dropped. Others may wait for the end of its tasks.
  public var pingTimeout = Interval.seconds(30)

  /// How long the target waits for the initiator's FIN after a final response.
  public var drainTimeout = Interval.seconds(5)

  /// The most key=value text that one negotiation or one text request may gather, in bytes (RFC 7143 §6.2: at least
  /// 8192).
  public var textLengthMax = 65_536

  /// Tasks at one time, of all sessions, 1 to 65535. A session begins one more only while it has no more than are left.
  public var tasksMax = 16_384

  public init() {}
}
