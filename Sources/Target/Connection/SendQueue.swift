import Ring

/// Bytes to send, and what to do when they have been sent.
struct Outgoing: Equatable {
  var extent: Extent
  var release: Release

  enum Release: Equatable {
    case nothing
    /// The task's data-in has been sent.
    case task(UInt32)
    /// The buffer is not used for staging any more.
    case buffer
  }
}

/// What a connection has to send: extents of the arena in their order, and what to do when each has been sent.
///
/// Most of it is put together piece by piece in staging buffers. So the last entry is kept apart from the others: what
/// continues it makes it longer, and touches nothing else.
struct SendQueue {
  /// Bytes that have not been sent.
  private(set) var bytes = 0
  /// All but the last; those before `head` are done with.
  private var entries: [Outgoing] = []
  private var head = 0
  /// Without bytes and without anything to do, it is no entry.
  private var last = Outgoing(extent: .empty, release: .nothing)
  /// Bytes of the first entry that have been sent: it goes on naming all that is to be given back.
  private var sentOfFirst = 0
  /// Entries that ask for something when they have been sent.
  private var releases = 0

  private var hasLast: Bool { last.extent.length > 0 || last.release != .nothing }

  /// The number of entries.
  var count: Int { entries.count - head + (hasLast ? 1 : 0) }

  var isEmpty: Bool { !hasLast && head == entries.count }

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
    if hasLast { entries.append(last) }
    last = entry
    if entry.release != .nothing { releases += 1 }
  }

  /// The next bytes to send, at most `room` of them, as extents that are not empty.
  ///
  /// - Returns: The number of extents, and whether entries are left behind them.
  func fill(_ extents: UnsafeMutableBufferPointer<Extent>, room: Int) -> (count: Int, hasMore: Bool) {
    var filling = Filling(extents: extents, room: room, skipped: sentOfFirst)
    let at = entries.withUnsafeBufferPointer { entries in
      var at = head
      while at < entries.count, filling.add(entries[at].extent) { at += 1 }
      return at
    }
    guard hasLast else { return (filling.count, at < entries.count) }
    let takesLast = at == entries.count && filling.add(last.extent)
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
    while found == nil, head < entries.count, takeFirst(entries[head], &count) {
      if entries[head].release != .nothing { found = entries[head] }
      head += 1
    }
    dropDone()
    if found == nil, head == entries.count, hasLast, takeFirst(last, &count) {
      if last.release != .nothing { found = last }
      last = Outgoing(extent: .empty, release: .nothing)
    }
    bytes -= sent - count
    if found != nil { releases -= 1 }
    return found
  }

  private mutating func removeAll() {
    head = entries.count
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

  /// Forgets what is done with.
  private mutating func dropDone() {
    guard head > 0 else { return }
    if head == entries.count {
      // What a slow initiator has made long does not stay so.
      entries.removeAll(keepingCapacity: entries.count <= 1024)
      head = 0
    } else if head >= 1024 {
      entries.removeFirst(head)
      head = 0
    }
  }
}
