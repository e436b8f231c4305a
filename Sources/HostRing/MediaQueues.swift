/// How many operations on media the kernel has at a time, and what waits before it: a queue of each medium.
///
/// A medium gets one more while it has no more than are left. One that is slow, or hangs, has half of them at most, two have a third
/// each, and however many hang, there are some for the next.
struct MediaQueues<Waiting>: ~Copyable {
  private struct Queue {
    /// The medium's slot.
    let slot: Int
    var waiting: [Waiting]
    /// The first that waits; those before it have gone.
    var head = 0
  }

  /// How many more the kernel may have.
  private var left: Int
  /// How many it has of each medium, by its slot.
  private var counts: [Int] = []
  /// One for each medium of which something waits.
  private var queues: [Queue] = []

  /// - Parameter depth: How many the kernel has at most.
  init(depth: Int) { left = depth }

  /// Whether something may go on for which ``next()`` has to be asked.
  var mayHaveNext: Bool { !queues.isEmpty && left > 0 }

  /// Takes an operation on a medium in. True when the kernel may have it now; otherwise `waiting` is what ``next()`` brings
  /// later.
  @inline(__always)
  mutating func admit(of slot: Int, _ waiting: @autoclosure () -> Waiting) -> Bool {
    if queues.isEmpty, take(slot) { return true }
    return admitBehindOthers(slot, waiting())
  }

  private mutating func admitBehindOthers(_ slot: Int, _ waiting: Waiting) -> Bool {
    if let at = queues.firstIndex(where: { $0.slot == slot }) {
      queues[at].waiting.append(waiting)
      return false
    }
    if take(slot) { return true }
    queues.append(Queue(slot: slot, waiting: [waiting]))
    return false
  }

  private mutating func take(_ slot: Int) -> Bool {
    if slot >= counts.count { counts += repeatElement(0, count: slot + 1 - counts.count) }
    guard left > 0, counts[slot] <= left else { return false }
    counts[slot] += 1
    left -= 1
    return true
  }

  /// The kernel is done with an operation on a medium.
  mutating func finish(of slot: Int) {
    counts[slot] -= 1
    left += 1
  }

  /// What the kernel may have now of what has waited; of each medium the oldest first.
  mutating func next() -> Waiting? {
    guard mayHaveNext, let at = queues.indices.first(where: { take(queues[$0].slot) }) else { return nil }
    let waiting = queues[at].waiting[queues[at].head]
    queues[at].head += 1
    if queues[at].head == queues[at].waiting.count {
      queues.remove(at: at)
    } else if queues[at].head >= 1024 {
      queues[at].waiting.removeFirst(queues[at].head)
      queues[at].head = 0
    }
    return waiting
  }

  /// Takes out what waits and is meant: the kernel has never heard of it. Its medium's slot; nil when there is no such thing.
  mutating func withdraw(where isMeant: (Waiting) -> Bool) -> Int? {
    for at in queues.indices {
      let queue = queues[at]
      guard let index = queue.waiting[queue.head...].firstIndex(where: isMeant) else { continue }
      queues[at].waiting.remove(at: index)
      if queues[at].head == queues[at].waiting.count { queues.remove(at: at) }
      return queue.slot
    }
    return nil
  }
}
