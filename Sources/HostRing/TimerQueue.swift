import Ring

/// The timers of a ring: a binary heap by deadline, then by submission.
struct TimerQueue {
  private struct Entry {
    var deadline: UInt64
    var order: UInt64
    var token: Token

    func precedes(_ other: Entry) -> Bool { (deadline, order) < (other.deadline, other.order) }
  }

  private var heap: [Entry] = []
  private var count: UInt64 = 0

  /// The earliest deadline; nil when there is no timer.
  var earliest: Instant? { heap.first.map { Instant(nanoseconds: $0.deadline) } }

  mutating func add(_ deadline: UInt64, _ token: Token) {
    count += 1
    heap.append(Entry(deadline: deadline, order: count, token: token))
    rise(heap.count - 1)
  }

  /// Takes the earliest timer if it is due.
  mutating func takeDue(_ now: Instant) -> Token? {
    guard let first = heap.first, first.deadline <= now.nanoseconds else { return nil }
    remove(0)
    return first.token
  }

  /// Takes a timer out. False when there is none with that token.
  mutating func cancel(_ token: Token) -> Bool {
    guard let at = heap.firstIndex(where: { $0.token == token }) else { return false }
    remove(at)
    return true
  }

  private mutating func remove(_ at: Int) {
    // There is a last entry: `at` is one.
    let last = heap.removeLast()
    guard at < heap.count else { return }
    heap[at] = last
    rise(at)
    sink(at)
  }

  private mutating func rise(_ start: Int) {
    var at = start
    while at > 0, heap[at].precedes(heap[(at - 1) / 2]) {
      heap.swapAt(at, (at - 1) / 2)
      at = (at - 1) / 2
    }
  }

  private mutating func sink(_ start: Int) {
    var at = start
    while true {
      var least = at
      for child in [2 * at + 1, 2 * at + 2] where child < heap.count && heap[child].precedes(heap[least]) {
        least = child
      }
      guard least != at else { return }
      heap.swapAt(at, least)
      at = least
    }
  }
}
