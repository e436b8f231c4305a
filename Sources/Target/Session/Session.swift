import ISCSI
import Ring

/// One session: the I_T nexus, its command numbering and its tasks.
struct Session: ~Copyable {
  enum Phase: UInt8 {
    case free
    case active
    /// It is over; its last tasks wait for the medium.
    case ending
  }

  var phase = Phase.free
  let index: UInt32
  var tsih: UInt16 = 0
  var isid = ISID(rawValue: 0)
  var initiatorName = ""
  var isDiscovery = false
  /// The node's index; -1 for a discovery session without a target name.
  var node: Int32 = -1
  /// The index of the portal that its login came through.
  var portal = 0
  var portalGroupTag: UInt16 = 0
  var connection: UnsafeMutablePointer<Connection>?

  // MARK: Command numbering (RFC 7143 §4.2.2.1)

  var expCmdSN: UInt32 = 0
  var maxCmdSN: UInt32 = 0
  /// Non-immediate commands that were taken and have not been answered.
  var windowed: UInt32 = 0
  /// Commands that may be on their way, of those that the window would let in.
  var aheadMax = UInt32.max
  /// Immediate tasks that have not been answered.
  var immediate: UInt32 = 0
  /// What arrived ahead of its turn, by rising CmdSN.
  var held: [HeldPDU] = []
  var heldBytes = 0
  /// Units on which an immediate function has aborted all that was sent before it, and its CmdSN, while some of that has not
  /// come; at most one for each unit.
  var overtaken: [(unit: UnitReference, cmdSN: UInt32)] = []
  /// Whether there is something to do when ExpCmdSN has gone on.
  var waitsForNumbers: Bool { !held.isEmpty || !overtaken.isEmpty }

  // MARK: Tasks

  var tags: TagTable
  var firstTask: Int32 = -1
  /// The bytes of buffers that its tasks have, of those that have begun and wait for something.
  var taskBytes = 0
  /// The bytes of data that have come unasked with those that wait to begin.
  var waitingBytes = 0
  /// Slots of the task table that still belong to it, answered or not.
  var taskCount = 0
  /// The tags of the tasks that were aborted last, as many as there may be at a time: their data may still be on the way.
  private var abortedTags: [UInt32]
  private var abortedCount = 0

  /// The answers of this connection that said that a flush failed, as far as they may not have been acknowledged.
  var toldFlushFailures: [(statSN: UInt32, unit: UnitReference)] = []

  // MARK: What was negotiated

  var parameters = NegotiatedParameters()

  /// The login that waits for the end of this session; -1 for none.
  var successor: Int32 = -1

  init(index: UInt32, tagCapacity: Int) {
    self.index = index
    tags = TagTable(capacity: tagCapacity)
    abortedTags = Array(repeating: reservedTag, count: tagCapacity)
  }

  /// The nexus as logical units number it.
  var nexus: NexusIndex { index }

  /// True when the tag is that of a task that was aborted not long ago.
  func wasAborted(_ tag: UInt32) -> Bool { abortedTags.contains(tag) }

  mutating func noteAborted(_ tag: UInt32) {
    abortedTags[abortedCount] = tag
    abortedCount = (abortedCount + 1) % abortedTags.count
  }
}

/// A PDU that arrived ahead of its turn.
struct HeldPDU {
  var cmdSN: UInt32
  var content: Content
  /// The bytes that it keeps in memory.
  var length: Int

  enum Content {
    /// A SCSI command, whose task exists already.
    case task(UInt32)
    /// Any other request: header and data segment.
    case request([UInt8], [UInt8])
    /// Its command was aborted: the number counts as received, and nothing happens.
    case nothing
  }
}

/// A fixed table of session slots.
struct SessionTable: ~Copyable {
  private let slots: UnsafeMutablePointer<Session>
  let capacity: Int
  private(set) var touched = 0
  private var freeList: [UInt32] = []
  private let tagCapacity: Int
  private(set) var inUse = 0

  init(capacity: Int, tagCapacity: Int) {
    self.capacity = capacity
    self.tagCapacity = tagCapacity
    slots = .allocate(capacity: capacity)
  }

  deinit {
    slots.deinitialize(count: touched)
    slots.deallocate()
  }

  /// Takes a slot; nil when all are in use.
  mutating func take() -> UnsafeMutablePointer<Session>? {
    let slot: UnsafeMutablePointer<Session>
    if let index = freeList.popLast() {
      slot = slots + Int(index)
      slot.pointee = Session(index: index, tagCapacity: tagCapacity)
    } else {
      guard touched < capacity else { return nil }
      slot = slots + touched
      slot.initialize(to: Session(index: UInt32(touched), tagCapacity: tagCapacity))
      touched += 1
    }
    inUse += 1
    return slot
  }

  mutating func give(_ slot: UnsafeMutablePointer<Session>) {
    slot.pointee.phase = .free
    freeList.append(slot.pointee.index)
    inUse -= 1
  }

  /// The slot of that index, which is below ``touched``.
  subscript(_ index: Int) -> UnsafeMutablePointer<Session> {
    precondition(index < touched)
    return slots + index
  }
}
