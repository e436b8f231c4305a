/// The timers of one ring, ordered by (deadline, submission).
struct TimerHeap {
  struct Entry {
    var deadline: UInt64
    var sequence: UInt64
    /// The slot of the operation, and its generation there: a timer that was cancelled has gone from it.
    var slot: Int32
    var generation: UInt32
  }

  private var heap: [Entry] = []

  var first: Entry? { heap.first }

  private static func precedes(_ left: Entry, _ right: Entry) -> Bool {
    left.deadline != right.deadline ? left.deadline < right.deadline : left.sequence < right.sequence
  }

  mutating func push(_ entry: Entry) {
    var hole = heap.count
    heap.append(entry)
    while hole > 0 {
      let parent = (hole - 1) >> 1
      guard Self.precedes(entry, heap[parent]) else { break }
      heap[hole] = heap[parent]
      hole = parent
    }
    heap[hole] = entry
  }

  mutating func pop() -> Entry? {
    guard let last = heap.popLast() else { return nil }
    guard let top = heap.first else { return last }
    var hole = 0
    while true {
      var child = hole << 1 + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, Self.precedes(heap[child + 1], heap[child]) { child += 1 }
      guard Self.precedes(heap[child], last) else { break }
      heap[hole] = heap[child]
      hole = child
    }
    heap[hole] = last
    return top
  }

  mutating func removeAll() { heap.removeAll(keepingCapacity: true) }
}
