/// The events to come, ordered by (time, order of insertion).
///
/// A 4-ary heap in one array: shallower than a binary heap, and the four children share cache lines.
public struct EventQueue: Sendable {
  private var heap: [Event] = []

  /// The sequence number of the next event.
  private var nextSequence: UInt64 = 0

  public init() {}

  public var isEmpty: Bool { heap.isEmpty }

  public var count: Int { heap.count }

  /// The earliest event, which stays in the queue.
  public var first: Event? { heap.first }

  /// The time of the earliest event in nanoseconds; nil when there is none.
  public var nextTime: UInt64? { heap.first?.time }

  private static func precedes(_ left: Event, _ right: Event) -> Bool {
    left.time != right.time ? left.time < right.time : left.sequence < right.sequence
  }

  /// Adds an event, after all events of its time that are there already.
  public mutating func push(_ event: Event) {
    var event = event
    event.sequence = nextSequence
    nextSequence += 1
    var hole = heap.count
    heap.append(event)
    heap.withUnsafeMutableBufferPointer { heap in
      while hole > 0 {
        let parent = (hole - 1) >> 2
        guard Self.precedes(event, heap[parent]) else { break }
        heap[hole] = heap[parent]
        hole = parent
      }
      heap[hole] = event
    }
  }

  /// Takes out the earliest event.
  public mutating func pop() -> Event? {
    guard let last = heap.popLast() else { return nil }
    guard let top = heap.first else { return last }
    heap.withUnsafeMutableBufferPointer { heap in
      let count = heap.count
      var hole = 0
      while true {
        let firstChild = hole << 2 + 1
        guard firstChild < count else { break }
        var least = firstChild
        var child = firstChild + 1
        let end = min(firstChild + 4, count)
        while child < end {
          if Self.precedes(heap[child], heap[least]) { least = child }
          child += 1
        }
        guard Self.precedes(heap[least], last) else { break }
        heap[hole] = heap[least]
        hole = least
      }
      heap[hole] = last
    }
    return top
  }

  /// Takes out the earliest event if it is due at `time`, in nanoseconds, or before.
  public mutating func pop(dueAt time: UInt64) -> Event? {
    guard let nextTime, nextTime <= time else { return nil }
    return pop()
  }

  /// Forgets all of them, and keeps the storage.
  public mutating func removeAll() { heap.removeAll(keepingCapacity: true) }
}
