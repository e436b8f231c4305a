/// Finds the slot of an outstanding operation by its token: a hash table with linear probing and a hash of its own,
/// whose storage is kept.
struct TokenMap {
  private struct Entry {
    var key: UInt64
    var value: Int32
  }

  private static let empty: Int32 = -1

  private var entries = [Entry](repeating: Entry(key: 0, value: TokenMap.empty), count: 64)
  private(set) var count = 0

  private func home(_ key: UInt64) -> Int {
    Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & (entries.count - 1)
  }

  /// The slot of `key`; nil when it is not there.
  subscript(key: UInt64) -> Int? {
    var index = home(key)
    while entries[index].value != Self.empty {
      if entries[index].key == key { return Int(entries[index].value) }
      index = (index + 1) & (entries.count - 1)
    }
    return nil
  }

  /// Adds a key; false when it is there already.
  mutating func insert(_ key: UInt64, _ value: Int) -> Bool {
    if (count + 1) * 2 > entries.count { grow() }
    var index = home(key)
    while entries[index].value != Self.empty {
      if entries[index].key == key { return false }
      index = (index + 1) & (entries.count - 1)
    }
    entries[index] = Entry(key: key, value: Int32(truncatingIfNeeded: value))
    count += 1
    return true
  }

  /// Removes a key, if it stands for `value`.
  mutating func remove(_ key: UInt64, _ value: Int) {
    let mask = entries.count - 1
    var index = home(key)
    while entries[index].value != Self.empty, entries[index].key != key { index = (index + 1) & mask }
    guard entries[index].value == Int32(truncatingIfNeeded: value) else { return }
    count -= 1
    // Closes the gap: what comes after it and would no longer be found moves up.
    var gap = index
    var next = (gap + 1) & mask
    while entries[next].value != Self.empty {
      let distance = (next &- home(entries[next].key)) & mask
      if distance >= (next &- gap) & mask {
        entries[gap] = entries[next]
        gap = next
      }
      next = (next + 1) & mask
    }
    entries[gap].value = Self.empty
  }

  mutating func removeAll() {
    for index in entries.indices { entries[index].value = Self.empty }
    count = 0
  }

  private mutating func grow() {
    let old = entries
    entries = Array(repeating: Entry(key: 0, value: Self.empty), count: old.count * 2)
    count = 0
    for entry in old where entry.value != Self.empty { _ = insert(entry.key, Int(entry.value)) }
  }
}
