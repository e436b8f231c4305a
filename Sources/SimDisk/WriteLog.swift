/// The writes that a volatile cache holds, in the order in which they took effect, with their data.
struct WriteLog {
  enum Kind: UInt8 {
    case data
    case zeroes
    case discard
  }

  struct Entry {
    var kind: Kind
    /// It was promised to be stable (FUA), and survives every crash; it stays here so that older entries of the same
    /// place are replayed before it.
    var isStable: Bool
    var offset: UInt64
    var length: UInt64
    /// Where its data start, counted over all data that were ever logged.
    var position: UInt64
  }

  private var entries: [Entry] = []
  private var head = 0

  /// The number of entries that were ever removed; entry `i` has the number `removedCount + i`.
  private(set) var removedCount: UInt64 = 0

  /// The data, as a circle whose length is a power of two.
  private var storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var dataStart: UInt64 = 0
  private var dataEnd: UInt64 = 0

  /// The entries of the log.
  var count: Int { entries.count - head }

  /// The number that the next entry will have.
  var endNumber: UInt64 { removedCount + UInt64(count) }

  /// The bytes of data held.
  var dataLength: UInt64 { dataEnd - dataStart }

  subscript(index: Int) -> Entry {
    get { entries[head + index] }
    set { entries[head + index] = newValue }
  }

  func deallocate() { storage.deallocate() }

  mutating func append(_ kind: Kind, offset: UInt64, length: UInt64, isStable: Bool) {
    entries.append(Entry(kind: kind, isStable: isStable, offset: offset, length: length, position: dataEnd))
  }

  /// Adds data to the newest entry.
  mutating func append(data bytes: UnsafeRawBufferPointer) {
    if dataLength + UInt64(bytes.count) > UInt64(storage.count) { grow(by: bytes.count) }
    let start = Int(truncatingIfNeeded: dataEnd) & (storage.count - 1)
    let first = min(bytes.count, storage.count - start)
    UnsafeMutableRawBufferPointer(rebasing: storage[start..<start + first])
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<first]))
    if first < bytes.count { storage.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[first...])) }
    dataEnd += UInt64(bytes.count)
  }

  private mutating func grow(by count: Int) {
    var length = max(storage.count, 1 << 16)
    while UInt64(length) < dataLength + UInt64(count) { length <<= 1 }
    let new = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 64)
    forEachPiece(from: dataStart, length: Int(dataLength)) { piece, done in
      // The circle's places depend on its length.
      let start = Int(truncatingIfNeeded: dataStart + UInt64(done)) & (length - 1)
      let first = min(piece.count, length - start)
      UnsafeMutableRawBufferPointer(rebasing: new[start..<start + first])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: piece[..<first]))
      if first < piece.count { new.copyMemory(from: UnsafeRawBufferPointer(rebasing: piece[first...])) }
    }
    storage.deallocate()
    storage = new
  }

  /// The logged data of `length` bytes from position `start`, in one piece or two.
  func forEachPiece(from start: UInt64, length: Int, _ body: (UnsafeRawBufferPointer, Int) -> Void) {
    guard length > 0 else { return }
    let offset = Int(truncatingIfNeeded: start) & (storage.count - 1)
    let first = min(length, storage.count - offset)
    body(UnsafeRawBufferPointer(rebasing: storage[offset..<offset + first]), 0)
    if first < length { body(UnsafeRawBufferPointer(rebasing: storage[..<(length - first)]), first) }
  }

  /// Forgets the oldest entry.
  mutating func removeFirst() {
    head += 1
    removedCount += 1
    if head == entries.count {
      entries.removeAll(keepingCapacity: true)
      head = 0
      dataStart = dataEnd
    } else {
      dataStart = entries[head].position
      if head >= 1024, head * 2 >= entries.count {
        entries.removeFirst(head)
        head = 0
      }
    }
  }

  mutating func removeAll() {
    removedCount += UInt64(count)
    entries.removeAll(keepingCapacity: true)
    head = 0
    dataStart = dataEnd
  }
}
