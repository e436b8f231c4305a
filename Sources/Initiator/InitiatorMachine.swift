import ISCSI
import Ring

/// A scriptable iSCSI initiator without I/O: it can do everything right by itself, and anything wrong on request.
///
/// A scenario runner calls its methods between steps; they take effect with the next ``step(_:now:into:)``, which the
/// runner brings about when ``hasWork`` says so. What happens is told as events, ``takeEvents()``.
///
/// Three layers, each usable without the one above it, and mixed on one connection at will:
/// - bytes: ``connect(to:in:)``, ``sendBytes(_:on:wire:)``, ``shutdown(_:)``, ``close(_:reset:)``;
/// - PDUs: ``send(_:on:)`` completes a ``PDUTemplate``; whatever comes back is told as a PDU;
/// - tasks: ``login(_:on:)``, ``execute(_:on:)``, ``manage(_:on:)``, ``text(_:on:)``, ``ping(_:on:)``,
///   ``logout(_:on:)``, with window, bursts, R2Ts and assembly of data.
///
/// On all layers it watches the target and tells each broken rule as a ``Violation``. One machine holds any number of
/// connections and sessions.
public final class InitiatorMachine: Machine {
  public let arena: Arena

  /// True when a call waits for the next step.
  public private(set) var hasWork = false

  /// Whether PDUs are told as events, in both directions. Off for load: tasks and violations are still told.
  public var tellsPDUs = true

  var buffers: BuddyAllocator
  var now = Instant.zero
  var connections: [Connection?] = []
  /// How many of them are not closed.
  var liveCount = 0
  /// Those for which the next step may have something to do: something has completed, or was asked for.
  private var stirred: [ConnectionID] = []
  var sessions: [Session] = []
  private var events: [InitiatorEvent] = []
  private var taskCount: UInt64 = 0

  /// - Parameter arena: For what is being sent and received: 64 KiB for each open connection, and what is on its way out;
  ///   ``connect(to:in:)`` refuses more.
  public init(arena: Arena) {
    self.arena = arena
    buffers = BuddyAllocator(capacity: arena.capacity)
  }

  /// One with an arena of its own, for a program that has a few of them; see ``Arena/init(capacity:)``.
  public convenience init(arenaCapacity: Int) { self.init(arena: Arena(capacity: arenaCapacity)) }

  /// The bytes of an arena that is large enough for a thousand connections.
  public static let usualArenaCapacity = 64 << 20

  // MARK: Steps

  public func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    self.now = now
    for completion in completions { complete(completion, into: &operations) }
    hasWork = false
    let due = stirred.sorted { $0.rawValue < $1.rawValue }
    stirred.removeAll(keepingCapacity: true)
    for id in due {
      guard let connection = connection(id) else { continue }
      connection.isStirred = false
      advance(connection, into: &operations)
    }
  }

  /// Takes what has happened since the last call, in order.
  public func takeEvents() -> [InitiatorEvent] {
    defer { events.removeAll() }
    return events
  }

  // MARK: What a script can see

  /// The state of a connection; nil when there never was one of that number.
  public func status(of id: ConnectionID) -> ConnectionStatus? {
    guard let connection = connection(id) else { return nil }
    return ConnectionStatus(
      phase: connection.phase, session: connection.session.id, remote: connection.remote,
      connectionID: connection.number,
      expStatSN: connection.expStatSN, parameters: connection.parameters)
  }

  /// The state of a session; nil when there never was one of that number.
  public func status(of id: SessionID) -> SessionStatus? {
    guard id.rawValue < sessions.count else { return nil }
    let session = sessions[id.rawValue]
    return SessionStatus(
      isid: session.isid, tsih: session.tsih, isEstablished: session.isEstablished, cmdSN: session.cmdSN,
      expCmdSN: session.expCmdSN, maxCmdSN: session.maxCmdSN, connections: session.connections,
      tasks: session.slots.count { $0 != nil }, waiting: session.waiting.count)
  }

  /// What a connection does by itself; changed at any time.
  public func setAutomatic(_ behaviour: AutomaticBehaviour, on id: ConnectionID) throws(InitiatorError) {
    try open(id).automatic = behaviour
  }

  /// Sets the CmdSN of the session's next request that is not immediate.
  public func setCmdSN(_ number: UInt32, of id: SessionID) {
    guard id.rawValue < sessions.count else { return }
    let session = sessions[id.rawValue]
    if session.isEstablished { session.furthestCmdSN = session.unsentCmdSN }
    session.cmdSN = number
  }

  /// Sends this ExpStatSN in every PDU from now on, whatever arrives; with nil, again the right one.
  public func setExpStatSN(_ number: UInt32?, on id: ConnectionID) throws(InitiatorError) {
    try open(id).scriptedExpStatSN = number
  }

  /// Bytes of the arena in use; 0 when all connections are closed.
  public var bytesInUse: Int { buffers.bytesInUse }

  // MARK: For the rooms inside

  func connection(_ id: ConnectionID) -> Connection? {
    id.rawValue < connections.count ? connections[id.rawValue] : nil
  }

  /// The connection, when something can still be asked of it.
  func open(_ id: ConnectionID) throws(InitiatorError) -> Connection {
    guard let connection = connection(id) else { throw .noSuchConnection }
    guard connection.isOpen else { throw .connectionClosed }
    return connection
  }

  /// A connection has something to do, for which there must be a step.
  func wake(_ connection: Connection) {
    hasWork = true
    stir(connection)
  }

  /// Has the next step, whenever it comes, look at a connection.
  func stir(_ connection: Connection) {
    guard !connection.isStirred else { return }
    connection.isStirred = true
    stirred.append(connection.id)
  }

  func nextTaskID() -> TaskID {
    taskCount += 1
    return TaskID(taskCount)
  }

  func tell(_ connection: Connection, _ kind: InitiatorEvent.Kind) {
    events.append(InitiatorEvent(time: now, connection: connection.id, kind: kind))
  }

  func violation(_ rule: ViolationRule, on connection: Connection, _ detail: String, _ pdu: ProtocolDataUnit? = nil) {
    tell(connection, .violation(Violation(rule: rule, connection: connection.id, detail: detail, pdu: pdu)))
  }
}
