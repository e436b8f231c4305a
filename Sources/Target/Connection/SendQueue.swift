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
  }

  /// Adds an entry of its own.
  mutating func push(_ entry: Outgoing) {
    bytes += entry.extent.length
    if hasLast { entries.append(last) }
    last = entry
  }

  /// The next bytes to send, at most `room` of them, as extents that are not empty.
  ///
  /// - Returns: The number of extents, and whether entries are left behind them.
  func fill(_ extents: UnsafeMutableBufferPointer<Extent>, room: Int) -> (count: Int, hasMore: Bool) {
    let end = entries.count + (hasLast ? 1 : 0)
    var at = head
    var sent = sentOfFirst
    var room = room
    var count = 0
    while at < end, room > 0, count < extents.count {
      let extent = (at < entries.count ? entries[at] : last).extent.dropFirst(sent).prefix(room)
      sent = 0
      at += 1
      guard extent.length > 0 else { continue }
      extents[count] = extent
      count += 1
      room -= extent.length
    }
    return (count, at < end)
  }

  /// Takes out the first entry that asks for something when it has been sent, and those before it, as far as all their bytes
  /// are among the next `count` sent ones, and takes them off those. Nil when there is none; of an entry that is sent only in
  /// part that is noted.
  mutating func takeSent(_ count: inout Int) -> Outgoing? {
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
    return found
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
