import Ring

/// The tasks of one logical unit: which may run, which wait, and for what (SAM-5 §8).
///
/// Two things make a task wait. Its task attribute: ORDERED waits for everything older, and everything younger waits for
/// it; what comes after a HEAD OF QUEUE task waits for that. And its blocks: a command that reads and then writes
/// (COMPARE AND WRITE, ORWRITE) excludes others from its range while it is at work.
///
/// SIMPLE traffic without such commands needs no entry here as long as each of its tasks ends where it began; otherwise it
/// costs two counters and one store in a table.
struct TaskSet: ~Copyable {
  private enum State: UInt8 {
    /// Not in the task set.
    case absent
    /// Waits for others because of its attribute, or theirs.
    case dormant
    /// May run, and will be submitted again.
    case released
    /// Runs.
    case enabled
  }

  private struct Entry {
    var state = State.absent
    var attribute = TaskAttribute.simple
    /// It has a range: it runs on it, or waits for it.
    var hasRange = false
    /// It bears no other on its range.
    var isExclusive = false
    /// Waits for its range, and for whom: the `rangeSerial` of the last that asked before it.
    var waitsForRange = false
    var obstructor: UInt64 = 0
    /// When it came in.
    var serial: UInt64 = 0
    /// When it first asked for its range: data-out may have come in between.
    var rangeSerial: UInt64 = 0
    var lba: UInt64 = 0
    var end: UInt64 = 0
  }

  private var entries: [Entry] = []
  private var nextSerial: UInt64 = 0

  /// Tasks that are released or enabled.
  private(set) var enabledCount = 0
  private var headOfQueueCount = 0
  private var orderedCount = 0

  /// Dormant tasks in the order of arrival, with their serial numbers: an entry whose task has gone meanwhile is skipped, and
  /// taken out when most of them are such.
  private(set) var dormant: [(task: TaskIndex, serial: UInt64)] = []
  private var dormantCount = 0

  /// Tasks that wait for their range.
  private var rangeWaiters: [TaskIndex] = []

  /// Exclusive ranges: running, waiting, or aborted.
  private var exclusiveCount = 0

  /// Tasks to submit again, in order.
  private var ready = TaskQueue()

  init() { entries.reserveCapacity(256) }

  /// Whether a task with that attribute may run, whoever is in the set: it waits for none of them, and none of them for it.
  @inline(__always)
  func isIndifferent(to attribute: TaskAttribute) -> Bool {
    dormantCount == 0 && headOfQueueCount == 0 && orderedCount == 0 && attribute != .ordered
      && attribute != .headOfQueue
  }

  /// Whether tasks wait because of their attributes, or of others'.
  var hasDormant: Bool { dormantCount > 0 }

  /// Brings a task in, or recognises one that is in already. False when it has to wait.
  mutating func enter(_ task: TaskIndex, _ attribute: TaskAttribute) -> Bool {
    let index = Int(task)
    if index >= entries.count { grow(index) }
    switch entries[index].state {
    case .enabled:
      return true
    case .dormant:
      return false
    case .released:
      entries[index].state = .enabled
      return true
    case .absent:
      break
    }
    nextSerial &+= 1
    entries[index].serial = nextSerial
    entries[index].attribute = attribute
    if attribute == .headOfQueue {
      headOfQueueCount += 1
    } else if dormantCount > 0 || headOfQueueCount > 0 || orderedCount > 0
      || (attribute == .ordered && enabledCount > 0)
    {
      entries[index].state = .dormant
      if dormant.count > 2 * dormantCount + 64 { forgetGone() }
      dormant.append((task, nextSerial))
      dormantCount += 1
      return false
    } else if attribute == .ordered {
      orderedCount += 1
    }
    entries[index].state = .enabled
    enabledCount += 1
    return true
  }

  private mutating func grow(_ index: Int) {
    entries.append(contentsOf: repeatElement(Entry(), count: max(index + 1 - entries.count, entries.count)))
  }

  /// Asks for the blocks from `lba` up to `end` before the medium is touched. False when the task has to wait for others
  /// that overlap with it.
  mutating func lock(_ task: TaskIndex, from lba: UInt64, to end: UInt64, exclusive: Bool) -> Bool {
    let index = Int(task)
    // The device server locks a task that it has entered.
    assert(index < entries.count && entries[index].state == .enabled)
    if !entries[index].hasRange {
      nextSerial &+= 1
      entries[index].rangeSerial = nextSerial
      entries[index].hasRange = true
      entries[index].isExclusive = exclusive
      entries[index].lba = lba
      entries[index].end = end
      if exclusive { exclusiveCount += 1 }
    }
    guard exclusiveCount > 0, let obstructor = obstructor(of: index) else {
      entries[index].waitsForRange = false
      return true
    }
    entries[index].waitsForRange = true
    entries[index].obstructor = obstructor
    rangeWaiters.append(task)
    return false
  }

  /// From here on a task bears no other on its range, if it has one. Those that are at work there already go on.
  mutating func exclude(_ task: TaskIndex) {
    let index = Int(task)
    guard index < entries.count, entries[index].hasRange, !entries[index].isExclusive else { return }
    entries[index].isExclusive = true
    exclusiveCount += 1
  }

  /// The last of those that asked before this one for an overlapping range, where either bears no other on it. Who asked
  /// first goes first, so that no two wait for each other and none is overtaken for ever. As each waits for the one just
  /// before it, the end of one wakes the next, and not all of a crowd.
  private func obstructor(of index: Int) -> UInt64? {
    let own = entries[index]
    var last: UInt64?
    for other in entries where other.hasRange && other.rangeSerial < own.rangeSerial {
      guard own.isExclusive || other.isExclusive, other.lba < own.end, own.lba < other.end else { continue }
      if other.rangeSerial > last ?? 0 { last = other.rangeSerial }
    }
    return last
  }

  /// Takes a task out; what it kept waiting is released.
  mutating func leave(_ task: TaskIndex) {
    let index = Int(task)
    guard index < entries.count else { return }
    let state = entries[index].state
    guard state != .absent else { return }
    entries[index].state = .absent
    if entries[index].hasRange { unlock(task) }
    if state == .dormant {
      dormantCount -= 1
    } else {
      enabledCount -= 1
      let attribute = entries[index].attribute
      if attribute == .headOfQueue { headOfQueueCount -= 1 }
      if attribute == .ordered { orderedCount -= 1 }
    }
    if dormantCount > 0 {
      releaseDormant()
    } else if !dormant.isEmpty {
      dormant.removeAll(keepingCapacity: true)
    }
  }

  /// Gives up a task's range, if it has one. It asks anew when it goes on.
  mutating func unlock(_ task: TaskIndex) {
    let index = Int(task)
    guard index < entries.count, entries[index].hasRange else { return }
    let entry = entries[index]
    entries[index].hasRange = false
    entries[index].waitsForRange = false
    if entry.isExclusive { exclusiveCount -= 1 }
    if !rangeWaiters.isEmpty { wakeRangeWaiters(entry) }
  }

  /// Lets those try again that waited for `gone`. They may find that there is another.
  private mutating func wakeRangeWaiters(_ gone: Entry) {
    rangeWaiters.removeAll { waiter in
      let entry = entries[Int(waiter)]
      guard entry.waitsForRange else { return true }
      guard entry.obstructor == gone.rangeSerial else { return false }
      ready.append(waiter)
      return true
    }
  }

  /// Whether a task still waits since that entry of ``dormant`` was made.
  private func isDormant(_ waiter: (task: TaskIndex, serial: UInt64)) -> Bool {
    entries[Int(waiter.task)].state == .dormant && entries[Int(waiter.task)].serial == waiter.serial
  }

  /// While nobody is released, nobody passes over those that have been aborted.
  private mutating func forgetGone() {
    var kept = 0
    for at in dormant.indices where isDormant(dormant[at]) {
      dormant.swapAt(kept, at)
      kept += 1
    }
    dormant.removeLast(dormant.count - kept)
  }

  private mutating func releaseDormant() {
    guard headOfQueueCount == 0, orderedCount == 0 else { return }
    var taken = 0
    for waiter in dormant {
      let index = Int(waiter.task)
      if isDormant(waiter) {
        let isOrdered = entries[index].attribute == .ordered
        if isOrdered && enabledCount > 0 { break }
        entries[index].state = .released
        enabledCount += 1
        dormantCount -= 1
        ready.append(waiter.task)
        taken += 1
        if isOrdered {
          orderedCount += 1
          break
        }
      } else {
        taken += 1
      }
    }
    dormant.removeFirst(taken)
  }

  /// Whether ``takeReady()`` may have one.
  var hasReady: Bool { !ready.isEmpty }

  /// The next task that may be submitted again.
  mutating func takeReady() -> TaskIndex? {
    while let task = ready.popFirst() {
      let entry = entries[Int(task)]
      if entry.state == .released || (entry.state == .enabled && entry.waitsForRange) { return task }
    }
    return nil
  }
}
