/// Finds a session's tasks by their initiator task tag: open addressing with linear probing, never more than half full.
struct TagTable: ~Copyable {
  private let entries: UnsafeMutablePointer<(tag: UInt32, task: Int32)>
  private let mask: Int
  private(set) var count = 0
  private let countMax: Int

  /// A table for up to `capacity` tags.
  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size <<= 1 }
    mask = size - 1
    countMax = size / 2
    entries = .allocate(capacity: size)
    entries.initialize(repeating: (tag: 0, task: -1), count: size)
  }

  deinit { entries.deallocate() }

  @inline(__always)
  private func home(_ tag: UInt32) -> Int {
    // Initiators count their tags up, or use few high bits: a multiplication spreads both.
    Int(truncatingIfNeeded: (tag &* 0x9E37_79B1) >> 7) & mask
  }

  /// The task of `tag`; nil when there is none.
  @inline(__always)
  func find(_ tag: UInt32) -> UInt32? {
    // Most of the time no task outlives the call in which it came; then a place in the table, which is in no cache, need
    // not be read to know that.
    guard count > 0 else { return nil }
    var at = home(tag)
    while entries[at].task >= 0 {
      if entries[at].tag == tag { return UInt32(entries[at].task) }
      at = (at + 1) & mask
    }
    return nil
  }

  /// Adds a tag that is not in the table. False when the table is full.
  mutating func insert(_ tag: UInt32, _ task: UInt32) -> Bool {
    guard count < countMax else { return false }
    var at = home(tag)
    while entries[at].task >= 0 { at = (at + 1) & mask }
    entries[at] = (tag: tag, task: Int32(task))
    count += 1
    return true
  }

  /// Takes a tag out, if it is there.
  mutating func remove(_ tag: UInt32) {
    var hole = home(tag)
    while entries[hole].task >= 0, entries[hole].tag != tag { hole = (hole + 1) & mask }
    guard entries[hole].task >= 0 else { return }
    count -= 1
    // Moves later entries of the same run back, so that a search never meets a gap before its entry.
    var at = hole
    while true {
      at = (at + 1) & mask
      guard entries[at].task >= 0 else { break }
      let wanted = home(entries[at].tag)
      if (at &- wanted) & mask >= (at &- hole) & mask {
        entries[hole] = entries[at]
        hole = at
      }
    }
    entries[hole].task = -1
  }
}
