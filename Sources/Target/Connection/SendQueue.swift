import Ring

/// Bytes to send, and what to do when they have been sent.
struct Outgoing: Equatable {
  var extent: Extent
  var release: Release

  /// One number, which every command has compared several times.
  struct Release: Equatable {
    private let number: UInt32

    static var nothing: Release { Release(number: .max) }
    /// The buffer is not used for staging any more.
    static var buffer: Release { Release(number: .max - 1) }
    /// The task's data-in has been sent. There are fewer than 65,536 tasks.
    static func task(_ index: TaskIndex) -> Release { Release(number: index) }

    /// The task to release; nil for none.
    var task: TaskIndex? { number < Release.buffer.number ? number : nil }
  }
}

/// What a connection has to send: extents of the arena in their order, and what to do when each has been sent.
///
/// Most of it is put together piece by piece in staging buffers. So the last entry is kept apart from the others: what
/// continues it makes it longer, and touches nothing else.
struct SendQueue: ~Copyable {
  /// Bytes that have not been sent.
  private(set) var bytes = 0
  /// All but the last are `entries[head..<end]`; those before are done with. Not an array: each command adds two, and an
  /// array asks each time whether it is the only one that has its memory.
  private var entries = UnsafeMutableBufferPointer<Outgoing>(start: nil, count: 0)
  private var head = 0
  private var end = 0
  /// Without bytes and without anything to do, it is no entry.
  private var last = Outgoing(extent: .empty, release: .nothing)
  /// Bytes of the first entry that have been sent: it goes on naming all that is to be given back.
  private var sentOfFirst = 0
  /// Entries that ask for something when they have been sent.
  private var releases = 0

  deinit { entries.deallocate() }

  private var hasLast: Bool { last.extent.length > 0 || last.release != .nothing }

  /// The number of entries.
  var count: Int { end - head + (hasLast ? 1 : 0) }

  var isEmpty: Bool { !hasLast && head == end }

  /// Adds bytes, as a part of the last entry where they continue it.
  @inline(__always)
  mutating func append(_ extent: Extent, _ release: Outgoing.Release) {
    guard last.release == .nothing, last.extent.end == extent.offset else {
      return push(Outgoing(extent: extent, release: release))
    }
    bytes += extent.length
    last.extent.length += extent.length
    last.release = release
    if release != .nothing { releases += 1 }
  }

  /// Adds an entry of its own.
  mutating func push(_ entry: Outgoing) {
    bytes += entry.extent.length
    if hasLast {
      if end == entries.count { makeRoom() }
      entries[end] = last
      end += 1
    }
    last = entry
    if entry.release != .nothing { releases += 1 }
  }

  /// Makes room for an entry behind the others: where those that are done with are, or in twice as much memory.
  private mutating func makeRoom() {
    let left = UnsafeMutableBufferPointer(rebasing: entries[head..<end])
    if head > end / 2 {
      _ = entries.update(fromContentsOf: left)
    } else {
      let larger = UnsafeMutableBufferPointer<Outgoing>.allocate(capacity: max(16, entries.count * 2))
      _ = larger.initialize(fromContentsOf: left)
      entries.deallocate()
      entries = larger
    }
    end -= head
    head = 0
  }

  /// The next bytes to send, at most `room` of them, as extents that are not empty.
  ///
  /// - Returns: The number of extents, and whether entries are left behind them.
  func fill(_ extents: UnsafeMutableBufferPointer<Extent>, room: Int) -> (count: Int, hasMore: Bool) {
    var filling = Filling(extents: extents, room: room, skipped: sentOfFirst)
    var at = head
    while at < end, filling.add(entries[at].extent) { at += 1 }
    guard hasLast else { return (filling.count, at < end) }
    let takesLast = at == end && filling.add(last.extent)
    return (filling.count, !takesLast)
  }

  /// A vector that is being filled.
  private struct Filling {
    let extents: UnsafeMutableBufferPointer<Extent>
    var room: Int
    /// Bytes of the next entry that have been sent.
    var skipped: Int
    var count = 0

    /// Adds an entry, as far as there is room. False when there is none.
    @inline(__always)
    mutating func add(_ extent: Extent) -> Bool {
      guard room > 0, count < extents.count else { return false }
      // An entry has no fewer bytes than have been sent of it.
      let start = extent.offset + skipped
      let length = min(extent.length - skipped, room)
      skipped = 0
      guard length > 0 else { return true }
      extents[count] = Extent(offset: start, length: length)
      count += 1
      room -= length
      return true
    }
  }

  /// Takes out the first entry that asks for something when it has been sent, and those before it, as far as all their bytes
  /// are among the next `count` sent ones, and takes them off those. Nil when there is none; of an entry that is sent only in
  /// part that is noted.
  mutating func takeSent(_ count: inout Int) -> Outgoing? {
    if count == bytes, releases == 0 {
      removeAll()
      count = 0
      return nil
    }
    let sent = count
    var found: Outgoing?
    // Most entries ask for nothing.
    while found == nil, head < end, takeFirst(entries[head], &count) {
      if entries[head].release != .nothing { found = entries[head] }
      head += 1
    }
    dropDone()
    if found == nil, head == end, hasLast, takeFirst(last, &count) {
      if last.release != .nothing { found = last }
      last = Outgoing(extent: .empty, release: .nothing)
    }
    bytes -= sent - count
    if found != nil { releases -= 1 }
    return found
  }

  private mutating func removeAll() {
    head = end
    dropDone()
    last = Outgoing(extent: .empty, release: .nothing)
    sentOfFirst = 0
    bytes = 0
  }

  /// Takes the rest of the first entry off the next `count` sent bytes. False if only a part of it is among them.
  @inline(__always)
  private mutating func takeFirst(_ entry: Outgoing, _ count: inout Int) -> Bool {
    let left = entry.extent.length - sentOfFirst
    guard left <= count else {
      sentOfFirst += count
      count = 0
      return false
    }
    sentOfFirst = 0
    count -= left
    return true
  }

  /// Forgets what is done with, if that is all there was.
  private mutating func dropDone() {
    guard head == end, end > 0 else { return }
    // What a slow initiator has made long does not stay so.
    if end > 1024 {
      entries.deallocate()
      entries = UnsafeMutableBufferPointer(start: nil, count: 0)
    }
    head = 0
    end = 0
  }
}
