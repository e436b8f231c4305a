import ISCSI
import Ring

/// The iSCSI target, as a machine without I/O: portals, login, sessions, tasks and logical units.
///
/// The state is one value, ``TargetCore``, so that a step is one exclusive access to it and the path of a command meets
/// no further check. Connections, sessions and tasks are slots at addresses that never change: they name each other by
/// these, and tokens name them by index.
public final class TargetMachine: Machine {
  public let arena: Arena
  private(set) var core: TargetCore

  /// A target as `configuration` describes it, using the memory of `arena`.
  ///
  /// Errors: no resources, when there is no address space for its logical units in memory.
  ///
  /// - Parameter arena: At least 1 MiB. A busy connection takes 256 KiB while half of it is free, and each command the length of
  ///   its data.
  public init(configuration: TargetConfiguration, arena: Arena) throws(RingError) {
    self.arena = arena
    core = try TargetCore(configuration: configuration, arena: arena)
  }

  public func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    core.step(completions, now: now, into: &operations)
  }

  /// What the target uses and has done so far.
  public var statistics: TargetStatistics { core.currentStatistics }

  /// Whether something has happened that ``takeEvents()`` has not told.
  public var hasEvents: Bool { !core.journal.isEmpty }

  /// What has happened since the last time, and how much more that was too much to be kept. Nobody has to ask: what is not
  /// taken is bounded.
  public func takeEvents() -> (events: [TargetEvent], lost: UInt64) { core.journal.take() }

  /// The sessions that there are now.
  public var sessions: [SessionSummary] { core.sessionSummaries }
}

/// What a target uses and has done so far.
public struct TargetStatistics: Sendable, Equatable {
  /// Connections, sessions and tasks that exist now.
  public var connections = 0
  public var sessions = 0
  public var tasks = 0

  /// Bytes of the arena's buffers in use now and at most, and in use now: buffers, and pieces of memory units that are
  /// lent to answers. The zeroes that a null device returns count.
  public var bufferBytes = 0
  public var bufferBytesMax = 0
  public var buffers = 0

  /// Since the start.
  public var steps: UInt64 = 0
  public var completions: UInt64 = 0
  public var accepts: UInt64 = 0
  public var logins: UInt64 = 0
  /// Connections that were posted to the machine that serves their node, and that came from another.
  public var handovers: UInt64 = 0
  public var takeovers: UInt64 = 0
  public var loginFailures: UInt64 = 0
  public var commands: UInt64 = 0
  /// Completed receives and sends.
  public var receives: UInt64 = 0
  public var sends: UInt64 = 0
  public var pdusReceived: UInt64 = 0
  public var pdusSent: UInt64 = 0
  public var bytesReceived: UInt64 = 0
  public var bytesSent: UInt64 = 0
  /// Bytes that the target itself copied: between buffers, into a unit's own memory, and out of it where they are not sent
  /// from there.
  public var bytesCopied: UInt64 = 0
  public var rejects: UInt64 = 0
  public var headerDigestErrors: UInt64 = 0
  public var dataDigestErrors: UInt64 = 0
  public var protocolErrors: UInt64 = 0
  public var connectionsLost: UInt64 = 0

  public init() {}

  /// What two machines use and have done together.
  public static func + (left: TargetStatistics, right: TargetStatistics) -> TargetStatistics {
    var sum = left
    for path in counts { sum[keyPath: path] += right[keyPath: path] }
    for path in counters { sum[keyPath: path] &+= right[keyPath: path] }
    return sum
  }

  /// What a sum adds up: every one of the properties.
  nonisolated(unsafe) static let counts: [WritableKeyPath<Self, Int>] = [
    \.connections, \.sessions, \.tasks, \.bufferBytes, \.bufferBytesMax, \.buffers,
  ]
  nonisolated(unsafe) static let counters: [WritableKeyPath<Self, UInt64>] = [
    \.steps, \.completions, \.accepts, \.logins, \.handovers, \.takeovers, \.loginFailures, \.commands, \.receives,
    \.sends, \.pdusReceived, \.pdusSent, \.bytesReceived, \.bytesSent, \.bytesCopied, \.rejects,
    \.headerDigestErrors, \.dataDigestErrors, \.protocolErrors, \.connectionsLost,
  ]
}

/// The state of a target; see ``TargetMachine``. Its behaviour is in extensions, a concern a file.
struct TargetCore: ~Copyable {
  let configuration: TargetConfiguration
  var limits: TargetLimits { configuration.limits }
  var context: Context
  /// An eighth of the arena, in bytes.
  let shareMax: Int
  /// The most bytes of buffers that a session may have when it begins another command: an eighth of what is left.
  var share: Int { shareMax - context.buffers.bytesInUse / 8 }
  var connections: ConnectionTable
  var sessions: SessionTable
  var tasks: TaskTable
  var nodes: [NodeState]
  var statistics = TargetStatistics()
  var journal = Journal()

  /// Connections with something to send or to receive anew.
  var dirty: [UInt32] = []
  /// Connections that have brought something in this step.
  var receivesInStep = 0
  /// The immediate data, in a receive buffer, of the command that is being begun, if they are not copied at once.
  var lent = Extent.empty
  /// Where what is lent moves to if its task goes on, which must not fail. It stays for the next task that is lent
  /// something, until the end of the step.
  var spare = Extent.empty
  /// Tasks that wait for memory, oldest first.
  var starved = TaskQueue()
  /// Set when memory was given back in this step.
  var memoryWasFreed = false
  /// Units that may have unblocked tasks.
  var unitsToDrain: [UnitReference] = []
  /// Aborted tasks that the medium still works on, and task management functions that wait for some of them.
  var aborting: [TaskIndex] = []
  var abortSerial: UInt64 = 0
  var waitingFunctions: [WaitingFunction] = []
  /// Portals whose accept failed for want of resources.
  var portalsToRearm: [Int] = []
  /// Connections that have not logged in.
  var pendingLogins = 0
  /// Where a send is put together.
  var sendExtents = [Extent](repeating: .empty, count: TargetCore.sendExtentsMax)

  var acceptOrder: UInt64 = 0
  var nextTSIH: UInt16 = 1
  /// Where the connections of other machines arrive.
  var mailbox = Extent.empty
  /// When the earliest armed timer goes off.
  var timerDeadline = Instant.distantFuture
  var timerCount: UInt64 = 0
  var hasStarted = false

  init(configuration: TargetConfiguration, arena: Arena) throws(RingError) {
    var configuration = configuration
    configuration.limits.clamp()
    self.configuration = configuration
    let limits = configuration.limits
    context = Context(arena: arena)
    shareMax = arena.capacity / 8
    connections = ConnectionTable(capacity: limits.connectionsMax + Self.closingConnectionsMax)
    sessions = SessionTable(
      capacity: limits.connectionsMax, tagCapacity: Int(limits.commandWindow + limits.immediateTasksMax))
    tasks = TaskTable(capacity: limits.tasksMax)
    nodes = []
    for (index, node) in configuration.nodes.enumerated() {
      var groupTags: [UInt16] = []
      for (number, portal) in configuration.portals.enumerated()
      where node.isReached(at: number) && !groupTags.contains(portal.groupTag) {
        groupTags.append(portal.groupTag)
      }
      nodes.append(try NodeState(node, index: Int32(index), portalGroupTags: groupTags, arena: arena))
    }
    if configuration.isSharded { mailbox = openMailbox() }
  }

  mutating func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    swap(&context.operations, &operations)
    context.now = now
    statistics.steps &+= 1
    statistics.completions &+= UInt64(completions.count)
    if !hasStarted {
      hasStarted = true
      for portal in configuration.portals.indices { armAccept(portal) }
      if mailbox.length > 0 { awaitMessage() }
    }
    receivesInStep = 0
    for index in completions.indices { take(completions[index]) }
    free(spare)
    spare = .empty
    settle()
    flushDirty()
    swap(&context.operations, &operations)
  }

  /// Hands a completion to whom it is for.
  private mutating func take(_ completion: Completion) {
    let index = UInt32(truncatingIfNeeded: completion.token.rawValue)
    let generation = UInt32(truncatingIfNeeded: completion.token.rawValue >> 32) & 0xFF_FFFF
    switch TokenKind(rawValue: completion.token.rawValue >> 56) {
    case .receive:
      guard let connection = connection(index, generation) else { return }
      received(connection, completion)
    case .send:
      guard let connection = connection(index, generation) else { return }
      sent(connection, completion)
    case .medium:
      mediumCompleted(index, generation, completion)
    case .accept:
      accepted(Int(index), completion)
    case .describe:
      guard let connection = connection(index, generation) else { return }
      described(connection, completion)
    case .close:
      guard let connection = connection(index, generation) else { return }
      connection.pointee.isClosing = false
      releaseIfDone(connection)
    case .timer:
      timerFired()
    case .post:
      guard let connection = connection(index, generation) else { return }
      posted(connection, completion)
    case .mailbox:
      messageArrived(completion)
    case .hold:
      guard let connection = connection(index, generation) else { return }
      holdTimerFired(connection)
    case .look:
      guard let connection = connection(index, generation) else { return }
      lookTimerFired(connection)
    case .shutdown, .cancel, .noDelay, nil:
      break
    }
  }

  private func connection(_ index: UInt32, _ generation: UInt32) -> UnsafeMutablePointer<Connection>? {
    guard let slot = connections[index], slot.pointee.phase != .free,
      slot.pointee.generation & 0xFF_FFFF == generation
    else { return nil }
    return slot
  }

  /// Lets tasks go on that waited for others or for memory, until none can.
  private mutating func settle() {
    repeat {
      while let reference = unitsToDrain.popLast() { drain(reference) }
      if memoryWasFreed {
        memoryWasFreed = false
        retryStarved()
      }
    } while !unitsToDrain.isEmpty
  }

  /// Gives a buffer back.
  mutating func free(_ extent: Extent) {
    guard extent.length > 0 else { return }
    context.buffers.free(extent)
    memoryWasFreed = true
  }

  /// Pieces of blocks in memory that are lent to answers.
  private var piecesLent: Int {
    nodes.reduce(0) { sum, node in node.units.reduce(sum) { $0 + ($1.store?.piecesLent ?? 0) } }
  }

  var currentStatistics: TargetStatistics {
    var result = statistics
    result.bytesCopied &+= context.bytesCopied
    result.connections = connections.inUse
    result.sessions = sessions.inUse
    result.tasks = tasks.inUse
    result.bufferBytes = context.buffers.bytesInUse
    result.bufferBytesMax = context.buffers.bytesInUseMax
    result.buffers = context.buffers.buffersInUse + piecesLent
    return result
  }
}

extension TargetLimits {
  /// Brings every limit into its range.
  fileprivate mutating func clamp() {
    maxRecvDataSegmentLength = min(max(maxRecvDataSegmentLength, 512), 0xFF_FFFF)
    maxBurstLength = min(max(maxBurstLength, 512), 0xFF_FFFF)
    firstBurstLength = min(max(firstBurstLength, 512), maxBurstLength)
    maxOutstandingR2T = min(max(maxOutstandingR2T, 1), 64)
    commandWindow = min(max(commandWindow, 1), 1024)
    localBytesAheadMax = localBytesAheadMax.map { max($0, 0) }
    immediateTasksMax = min(max(immediateTasksMax, 1), 1024)
    connectionsMax = min(max(connectionsMax, 1), 65_000)
    pendingLoginsMax = min(max(pendingLoginsMax, 1), connectionsMax)
    tasksMax = min(max(tasksMax, 1), 65_535)
    textLengthMax = max(textLengthMax, 8192)
  }
}

/// A target node with its logical units.
struct NodeState {
  let configuration: TargetNode
  /// The logical units, by rising number.
  let units: [LogicalUnit]
  /// Answers for the numbers that have no logical unit.
  let missing: MissingLogicalUnit
  /// The LUN of the first of its units; 0 if it has none.
  let firstLUN: UInt64
  /// The same units, for the path of every command: that of each number, up to 255 or the highest there is.
  private let byNumber: [UncountedUnit?]

  init(_ configuration: TargetNode, index node: Int32, portalGroupTags: [UInt16], arena: Arena) throws(RingError) {
    self.configuration = configuration
    let sorted = configuration.logicalUnits.sorted { $0.lun < $1.lun }
    let inventory = TargetInventory(
      name: configuration.name, luns: sorted.map(\.lun), portalGroupTags: portalGroupTags)
    units = try sorted.map { (unit) throws(RingError) in
      try LogicalUnit(configuration: unit, inventory: inventory, arena: arena)
    }
    missing = MissingLogicalUnit(inventory: inventory)
    firstLUN = inventory.luns.first.flatMap { LogicalUnitNumber.encode(Int($0)) } ?? 0
    let highest = sorted.last.map { Int($0.lun) } ?? 0
    var byNumber = [UncountedUnit?](repeating: nil, count: max(highest, 255) + 1)
    for (index, unit) in units.enumerated() {
      byNumber[Int(sorted[index].lun)] = UncountedUnit(unit, UnitReference(node: node, unit: UInt32(index)))
    }
    self.byNumber = byNumber
  }

  /// The unit that a LUN field names; nil when there is none.
  @inline(__always)
  func unit(_ lunField: UInt64) -> UncountedUnit? {
    // What nearly all of them look like: peripheral device addressing, on bus 0 (SAM-5 §4.7).
    if lunField & ~(0xFF << 48) == 0 { return byNumber[Int(truncatingIfNeeded: lunField >> 48)] }
    guard let number = LogicalUnitNumber.decode(lunField), number < byNumber.count else { return nil }
    return byNumber[number]
  }
}

/// Names a logical unit: its node, and its index there.
struct UnitReference: Equatable {
  var node: Int32
  var unit: UInt32
}

/// A logical unit that its node keeps alive, without a count of its uses: two atomic operations each are a tenth of what a
/// command costs.
struct UncountedUnit {
  // allow(identity): it is followed, and compared with nothing
  private let unit: Unmanaged<LogicalUnit>
  let reference: UnitReference

  init(_ unit: LogicalUnit, _ reference: UnitReference) {
    self.unit = .passUnretained(unit)
    self.reference = reference
  }

  @inline(__always)
  func use<Result>(_ body: (LogicalUnit) -> Result) -> Result { unit._withUnsafeGuaranteedRef(body) }
}
