import Ring
import SCSI

/// A logical unit: its device server, its task set, its medium (SAM-5 §4.6.19).
///
/// The target submits each command once it has arrived, resumes it at each event that it waits for, and says when it has
/// left. A command goes through the same checks whatever it is: task attribute, unit attention, reservation, readiness
/// of the medium, operation code and reserved bits, write protection; then its own function goes on.
final class LogicalUnit {
  let configuration: LogicalUnitConfiguration
  let inventory: TargetInventory

  /// The designators of the Device Identification page.
  let identity: LogicalUnitIdentity
  let table = CommandTable.shared
  /// A command with any of these properties does not exist in this logical unit.
  private let lacking: CommandRule.Properties

  var tasks = TaskSet()
  var nexuses: [NexusState] = []
  var modePages: ModePages

  /// The holder of a RESERVE(6) reservation (SPC-2 §5.5).
  var reservationHolder: NexusIndex?

  /// The storage of ``Backing/memory``.
  let store: MemoryStore?
  /// The medium of ``Backing/medium(_:alignment:)``; ``Handle/none`` otherwise.
  let medium: Handle

  let blockCount: UInt64
  let blockLength: Int
  let blockShift: UInt64
  /// MAXIMUM TRANSFER LENGTH, in blocks.
  let transferBlocksMax: UInt64

  /// How many flushes of the medium have failed.
  var failedFlushes: UInt64 = 0

  /// Whom to tell of failed flushes, of those who have no nexus.
  var flushDebts = FlushDebts()

  /// The bytes of memory that aborted commands have, because the medium has not done with them. Nobody's share counts them:
  /// who has aborted some could go on with others until nothing is left.
  private var abortedLength = 0 {
    didSet { isClogged = abortedLength > abortedLengthMax }
  }
  private let abortedLengthMax: Int
  /// They have more than an eighth of the memory: BUSY, until the medium has done with some.
  private var isClogged = false

  /// Whether its medium goes on with what it is asked.
  var watch = MediumWatch()

  /// START STOP UNIT has stopped it.
  var isStopped = false
  /// START STOP UNIT has ejected the medium.
  var isEjected = false

  /// A logical unit as configured. The caller has seen that ``LogicalUnitConfiguration/problem`` is nil.
  ///
  /// Errors: no resources, when there is no address space for the blocks of ``Backing/memory``.
  ///
  /// - Parameters:
  ///   - inventory: The target that it belongs to.
  ///   - arena: Where such blocks are kept.
  init(
    configuration: LogicalUnitConfiguration, inventory: TargetInventory, arena: Arena
  ) throws(RingError) {
    precondition(configuration.problem == nil, configuration.problem ?? "")
    self.configuration = configuration
    self.inventory = inventory
    identity = LogicalUnitIdentity(configuration, target: inventory.name)
    lacking = CommandRule.Properties(lackedBy: configuration)
    abortedLengthMax = arena.capacity / 8
    modePages = ModePages(configuration)
    blockCount = configuration.blockCount
    blockLength = configuration.blockLength
    blockShift = UInt64(configuration.blockLength.trailingZeroBitCount)
    transferBlocksMax = UInt64(configuration.transferLengthMax / configuration.blockLength)
    switch configuration.backing {
    case .null:
      store = nil
      medium = .none
    case .memory:
      store = try MemoryStore(length: configuration.blockCount << blockShift, in: arena)
      medium = .none
    case .medium(let handle, _):
      store = nil
      medium = handle
    }
  }

  /// The medium is reached through operations of the ring; otherwise all is done at once.
  var hasMedium: Bool { medium != .none }

  // MARK: Commands

  /// Takes a command that has arrived, or one that was blocked or starved and may try again.
  func submit(_ command: inout Command, _ context: inout Context) -> Disposition {
    let rule = table.rule(for: command.cdb)
    guard isOffered(rule) else {
      let isOperationCodeKnown = rule.hasServiceAction || rule.properties.contains(.isUnknownServiceAction)
      return refuse(
        &command,
        isOperationCodeKnown ? invalidField(byte: 1, bit: 4) : Sense(.illegalRequest, .invalidCommandOperationCode))
    }
    guard command.attribute != .aca else {
      // SAM-5 §8.6.5: there is no ACA condition that it could belong to.
      return fail(&command, Sense(.illegalRequest, .invalidMessageError))
    }
    if !rule.properties.contains(.overtakes) {
      // What meets nobody who waits, or is waited for, may go on without a word; whether others are to know of it is for
      // ``enter(_:)``.
      if command.isInTaskSet || !tasks.isIndifferent(to: command.attribute) {
        command.isInTaskSet = true
        guard tasks.enter(command.task, command.attribute) else { return .blocked }
      }
    }
    if command.phase != 0 { return resume(&command, .dataArrived, &context) }
    if let ended = check(&command, rule) { return ended }
    switch rule.kind {
    case .read: return beginRead(&command, &context)
    case .write: return beginWrite(&command, &context)
    case .other: return table.descriptors[Int(rule.row)].begin(self, &command, &context)
    }
  }

  /// Goes on with a command that waited for data or for the medium. An aborted one ends without further effects.
  func resume(_ command: inout Command, _ event: CommandEvent, _ context: inout Context) -> Disposition {
    let rule = table.rule(for: command.cdb)
    switch rule.kind {
    case .read: return resumeRead(&command, event, &context)
    case .write: return resumeWrite(&command, event, &context)
    case .other:
      if command.phase == Command.locating, case .medium(let error, let result) = event {
        return goOnLocating(&command, error, result, &context)
      }
      return table.descriptors[Int(rule.row)].resume(self, &command, event, &context)
    }
  }

  /// The command outlives the call in which it was submitted: it has to be in the task set, for those that come after it.
  /// Commands that overtake all others, and those that are none of this logical unit's, never are.
  func enter(_ command: inout Command) {
    guard !command.isInTaskSet, command.attribute != .aca else { return }
    let rule = table.rule(for: command.cdb)
    guard isOffered(rule), !rule.properties.contains(.overtakes) else { return }
    command.isInTaskSet = true
    let goesOn = tasks.enter(command.task, command.attribute)
    // It was let through in this very call, by a set that was indifferent to it.
    assert(goesOn)
  }

  /// The command has left: its status was sent, or it was aborted. Tasks that it held up may go on.
  func finish(_ command: inout Command) {
    guard command.isInTaskSet else { return }
    command.isInTaskSet = false
    if command.isAborted { abortedLength -= command.abortedLength }
    tasks.leave(command.task)
  }

  /// The command is aborted while the medium works on it. Whatever it may still change is kept from all others until it has
  /// left: nobody's later command may be undone by it, and nobody may read what then becomes something else.
  func abort(_ command: inout Command) {
    command.isAborted = true
    command.abortedLength = command.buffer.length + command.auxiliary.length
    abortedLength += command.abortedLength
    if table.rule(for: command.cdb).properties.contains(.writes) { tasks.exclude(command.task) }
  }

  /// Asks for the blocks from `lba` up to `end` on behalf of a command, before the medium is touched. False when it has to
  /// wait for others that overlap with it.
  func lock(_ command: inout Command, from lba: UInt64, to end: UInt64, exclusive: Bool) -> Bool {
    enter(&command)
    return tasks.lock(command.task, from: lba, to: end, exclusive: exclusive)
  }

  /// Whether tasks wait for others because of their attributes.
  var hasDormant: Bool { tasks.hasDormant }

  /// Whether ``takeReady()`` may have a task.
  var hasReady: Bool { tasks.hasReady }

  /// The next task that was blocked and may be submitted again; nil when there is none.
  func takeReady() -> TaskIndex? { tasks.takeReady() }

  /// The standard's name of a command that it has taken.
  func name(of command: borrowing Command) -> String {
    table.descriptors[Int(table.rule(for: command.cdb).row)].name
  }

  // MARK: Checks

  /// What every command passes. Not nil when it has ended here.
  @inline(__always)
  private func check(_ command: inout Command, _ rule: CommandRule) -> Disposition? {
    let nexus = Int(command.nexus)
    if nexus < nexuses.count, !nexuses[nexus].attentions.isEmpty || reservationHolder != nil {
      if let ended = checkNexus(&command, rule) { return ended }
    } else if let holder = reservationHolder, holder != command.nexus,
      !rule.properties.contains(.ignoresReservation)
    {
      return conflict(&command)
    }
    if rule.properties.contains(.needsMedium) {
      if let sense = notReady { return fail(&command, sense) }
      if isClogged { return busy(&command) }
    }
    let offendingHigh = command.cdb.big64(0) & rule.forbiddenHigh
    let offendingLow = command.cdb.big64(8) & rule.forbiddenLow
    if offendingHigh | offendingLow != 0 {
      let position = offendingHigh != 0 ? offendingHigh.leadingZeroBitCount : 64 + offendingLow.leadingZeroBitCount
      return fail(&command, invalidField(byte: position / 8, bit: 7 - position % 8))
    }
    if rule.properties.contains(.writes), let sense = writeProtection { return fail(&command, sense) }
    return nil
  }

  /// Unit attentions and reservations, in the order of SAM-5 §5.3.3.
  private func checkNexus(_ command: inout Command, _ rule: CommandRule) -> Disposition? {
    let nexus = Int(command.nexus)
    let attention = rule.properties.contains(.ignoresUnitAttention) ? nil : nexuses[nexus].attentions.first
    let isConflicting =
      reservationHolder != nil && reservationHolder != command.nexus
      && !rule.properties.contains(.ignoresReservation)
    if let attention, !isConflicting || attention.rawValue < UnitAttention.mediumMayHaveChanged.rawValue {
      nexuses[nexus].attentions.remove(attention)
      return fail(&command, Sense(.unitAttention, attention.sense))
    }
    return isConflicting ? conflict(&command) : nil
  }

  /// True when a command with that rule exists in this logical unit.
  @inline(__always)
  func isOffered(_ rule: CommandRule) -> Bool { rule.properties.isDisjoint(with: lacking) }

  /// Why the medium cannot be reached; nil when it can.
  var notReady: Sense? {
    if isEjected { return Sense(.notReady, .mediumNotPresent) }
    if isStopped { return Sense(.notReady, .initializingCommandRequired) }
    return nil
  }

  /// Why the medium may not be changed; nil when it may.
  var writeProtection: Sense? {
    if configuration.isReadOnly { return Sense(.dataProtect, .writeProtected) }
    if modePages.isSoftwareWriteProtected { return Sense(.dataProtect, .softwareWriteProtected) }
    return nil
  }

  // MARK: Nexuses

  /// A nexus of an initiator port has come into being through a portal group: its first command meets a unit attention.
  func nexusEstablished(
    _ nexus: NexusIndex, port: InitiatorPort = InitiatorPort(), portalGroupTag: UInt16 = 1
  ) {
    let index = Int(nexus)
    if index >= nexuses.count {
      nexuses.append(contentsOf: repeatElement(NexusState(), count: index + 1 - nexuses.count))
    }
    nexuses[index] = NexusState(exists: true)
    nexuses[index].relativePort = inventory.relativePort(portalGroupTag)
    nexuses[index].attentions.insert(.powerOn)
    nexuses[index].port = port
    nexuses[index].owesFlushFailure = flushDebts.arrived(port)
  }

  /// The nexus is lost, and what it held with it. The medium may still work for commands of it that were aborted.
  func nexusEnding(_ nexus: NexusIndex) {
    if reservationHolder == nexus { reservationHolder = nil }
    if Int(nexus) < nexuses.count { nexuses[Int(nexus)].preventsRemoval = false }
  }

  /// What has told a nexus of a failed flush did not reach its initiator.
  func flushFailureWasNotHeard(_ nexus: NexusIndex) {
    if Int(nexus) < nexuses.count { nexuses[Int(nexus)].owesFlushFailure = true }
  }

  /// No command of a lost nexus is left: its number may be another's.
  func nexusLost(_ nexus: NexusIndex) {
    nexusEnding(nexus)
    let index = Int(nexus)
    guard index < nexuses.count else { return }
    if hasMedium, nexuses[index].exists {
      flushDebts.left(nexuses[index].port, owesFlushFailure: nexuses[index].owesFlushFailure)
    }
    nexuses[index] = NexusState()
  }

  /// LOGICAL UNIT RESET, TARGET WARM RESET and TARGET COLD RESET, as this logical unit sees them (SAM-5 §6.3.3). The target
  /// aborts the tasks.
  func reset() {
    reservationHolder = nil
    isStopped = false
    modePages = ModePages(configuration)
    for index in nexuses.indices where nexuses[index].exists {
      nexuses[index].preventsRemoval = false
      nexuses[index].attentions.insert(.busDeviceReset)
    }
  }

  /// Tasks of `nexus` were aborted on behalf of another one, without TASK ABORTED status (SAM-5 §5.6).
  func abortedByOther(_ nexus: NexusIndex) { establish(.commandsCleared, for: nexus) }

  /// Tasks of `nexus` ended with the connection that they came through, and the nexus goes on (RFC 7143 §11.14.5).
  public func clearedWithConnection(_ nexus: NexusIndex) { establish(.commandsClearedByProtocol, for: nexus) }

  /// A unit attention for one nexus.
  func establish(_ attention: UnitAttention, for nexus: NexusIndex) {
    let index = Int(nexus)
    if index < nexuses.count, nexuses[index].exists { nexuses[index].attentions.insert(attention) }
  }

  /// A unit attention for all nexuses but one.
  func establish(_ attention: UnitAttention, except nexus: NexusIndex? = nil) {
    for index in nexuses.indices where nexuses[index].exists && NexusIndex(truncatingIfNeeded: index) != nexus {
      nexuses[index].attentions.insert(attention)
    }
  }
}

extension CommandRule.Properties {
  /// Those of commands that do not exist in a logical unit.
  fileprivate init(lackedBy unit: LogicalUnitConfiguration) {
    self = [.isUnknown, .isUnknownServiceAction]
    if !unit.isThin { insert(.needsThin) }
    if !unit.isRemovable { insert(.needsRemovable) }
    if unit.compareAndWriteBlocksMax == 0 { insert(.needsCompareAndWrite) }
  }
}
