import ISCSI
import Ring

/// What the connections of a session share: names, command numbering, tasks.
final class Session {
  let id: SessionID
  /// Also of a login by hand that says nothing of it. Not all zeroes: that is Xerox's, and some targets refuse it.
  var isid = ISID(random: 0x51_4E_41, qualifier: 0)
  var tsih: UInt16 = 0

  /// True from the end of the leading login on.
  var isEstablished = false

  /// CmdSN of the next request that is not immediate.
  var cmdSN: UInt32 = 1

  /// What ``cmdSN`` was when a script set it anew.
  var furthestCmdSN: UInt32?

  /// The window as the target last advertised it.
  var expCmdSN: UInt32 = 1
  var maxCmdSN: UInt32 = 0
  var knowsWindow = false
  var parameters = NegotiatedParameters()

  /// Open connections, in the order in which they were made.
  var connections: [ConnectionID] = []

  /// Tasks by slot. A tag that the machine chose holds its slot in the low bits.
  var slots: [InitiatorTask?] = []
  private var freeSlots: [Int] = []
  private var tagSequence: UInt32 = 0

  /// Tasks that wait for the command window, by slot, oldest first.
  var waiting: [Int] = []

  /// Set when a script chose CmdSNs by itself: what the target acknowledges then is no measure.
  var numbersAreScripted = false

  /// Tags of PDUs that the script built by itself, newest last; their answers are not unknown.
  var scriptedTags: [UInt32] = []

  init(id: SessionID) { self.id = id }

  private static let slotBits: UInt32 = 14

  /// Stores `task` and chooses its tag; nil when there are too many tasks for tags to tell them apart.
  func add(_ task: InitiatorTask) -> Int? {
    let slot: Int
    if let free = freeSlots.popLast() {
      slot = free
    } else {
      guard slots.count < 1 << Self.slotBits else { return nil }
      slot = slots.count
      slots.append(nil)
    }
    task.tag = newTag(UInt32(slot))
    slots[slot] = task
    return slot
  }

  /// A tag that no task of this machine's making has.
  func scriptedTag() -> UInt32 { newTag(1 << Self.slotBits - 1) }

  private func newTag(_ low: UInt32) -> UInt32 {
    tagSequence &+= 1
    let tag = tagSequence << Self.slotBits | low
    return tag == reservedTag ? newTag(low) : tag
  }

  /// Removes and returns the task of a slot.
  func remove(_ slot: Int) -> InitiatorTask? {
    guard let task = slots[slot] else { return nil }
    slots[slot] = nil
    freeSlots.append(slot)
    if !waiting.isEmpty { waiting.removeAll { $0 == slot } }
    return task
  }

  /// The slot of the sent task with that tag.
  func slot(tag: UInt32) -> Int? {
    let guess = Int(tag & (1 << Self.slotBits - 1))
    if guess < slots.count, let task = slots[guess], task.tag == tag, task.isSent { return guess }
    // A script may have set the tag itself.
    return slots.firstIndex { $0?.tag == tag && $0?.isSent == true }
  }

  /// The slot of a task.
  func slot(of id: TaskID) -> Int? { slots.firstIndex { $0?.id == id } }

  /// Remembers a tag that a script used.
  func noteScriptedTag(_ tag: UInt32) {
    guard tag != reservedTag else { return }
    scriptedTags.append(tag)
    if scriptedTags.count > 4096 { scriptedTags.removeFirst(2048) }
  }

  /// No CmdSN from this one on has been sent: ``cmdSN``, unless a script has set it back.
  var unsentCmdSN: UInt32 { furthestCmdSN.map { SerialNumber.later($0, cmdSN) } ?? cmdSN }

  /// True when a request with this CmdSN may be sent.
  func isInWindow(_ number: UInt32) -> Bool { SerialNumber.precedesOrEquals(number, maxCmdSN) }
}
