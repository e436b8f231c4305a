import ISCSI

/// What tells sessions apart (RFC 7143 §4.4.5): the ports at both ends, and the target's handle.
struct SessionName: Hashable {
  var initiator: String
  var isid: ISID
  var target: String
  var tsih: UInt16
}

/// What the connections of a session have in common: numbers of commands, and tags.
final class WatchedSession {
  /// What the leading login has agreed on.
  var parameters = NegotiatedParameters()

  // MARK: Numbers, RFC 7143 §4.2.2.1

  /// The first CmdSN that has not come, all before it having come; nil before the first login.
  private(set) var nextCmdSN: UInt32?
  /// Those behind it that have come.
  private var ahead: Set<UInt32> = []
  /// It cannot be told what has come: not all that was sent was seen.
  var isLoose = false
  /// The highest MaxCmdSN that any of its connections has brought.
  var maxCmdSN: UInt32?

  /// How far ahead a CmdSN may be to be remembered: far more than any window is wide.
  private static let aheadMax: Int32 = 65_536

  /// A login begins with this CmdSN.
  func begin(_ cmdSN: UInt32) { nextCmdSN = nextCmdSN.map { SerialNumber.later($0, cmdSN) } ?? cmdSN }

  /// A request with this CmdSN has come.
  func arrived(_ cmdSN: UInt32) {
    guard let next = nextCmdSN else { return }
    let distance = SerialNumber.distance(from: next, to: cmdSN)
    guard distance >= 0, distance < Self.aheadMax else { return }
    guard distance == 0 else {
      ahead.insert(cmdSN)
      return
    }
    var following = next &+ 1
    while ahead.remove(following) != nil { following &+= 1 }
    nextCmdSN = following
  }

  /// All requests before this CmdSN may count as having come.
  func arrivedAll(before cmdSN: UInt32) {
    guard let next = nextCmdSN, SerialNumber.precedes(next, cmdSN) else { return }
    let distance = UInt32(bitPattern: SerialNumber.distance(from: next, to: cmdSN))
    // By the shorter way, or a capture could have every PDU cost as much as there may be ahead.
    if distance < ahead.count {
      for step in 0..<distance { ahead.remove(next &+ step) }
    } else {
      for number in ahead.sorted() where SerialNumber.precedes(number, cmdSN) { ahead.remove(number) }
    }
    nextCmdSN = cmdSN
    if ahead.remove(cmdSN) != nil { arrived(cmdSN) }
  }

  // MARK: Tasks

  /// The tasks that have not ended, by slot.
  private(set) var tasks: [WatchedTask?] = []
  private var freeSlots: [Int] = []
  private var slots: [UInt32: Int] = [:]

  /// Tags of which nothing is known any more: used for two tasks at a time, or in a way that only a script would.
  private(set) var looseTags: Set<UInt32> = []

  /// So many loose tags, and all are.
  private static let looseTagsMax = 65_536

  /// The task of a tag, while it has not ended.
  func task(of tag: UInt32) -> WatchedTask? { slots[tag].flatMap { tasks[$0] } }

  /// Whether an answer with this tag proves nothing.
  func isLoose(_ tag: UInt32) -> Bool { isLoose || looseTags.contains(tag) }

  /// Keeps a task, whose tag is not in use.
  func add(_ task: WatchedTask) {
    let slot = freeSlots.popLast() ?? tasks.count
    if slot == tasks.count { tasks.append(task) } else { tasks[slot] = task }
    slots[task.tag] = slot
  }

  /// The task has ended.
  func end(_ task: WatchedTask) {
    guard let slot = slots.removeValue(forKey: task.tag) else { return }
    tasks[slot] = nil
    freeSlots.append(slot)
  }

  /// Nothing is known of what is under way, nor of what comes.
  func loosen() {
    isLoose = true
    for case let task? in tasks { end(task) }
  }

  /// Nothing is known of a tag any more.
  func loosen(_ tag: UInt32) {
    if let task = task(of: tag) { end(task) }
    if looseTags.count < Self.looseTagsMax { looseTags.insert(tag) } else { loosen() }
  }
}
