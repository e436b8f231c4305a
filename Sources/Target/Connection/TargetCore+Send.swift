import ISCSI
import Ring

/// The send queue of a connection: PDUs are put together in staging buffers, large data are sent from where they lie, and
/// one vectored send a step carries all of it.
extension TargetCore {
  /// Data up to this length are copied behind their header: one longer run costs less than two entries of a vector.
  static var copiedLengthMax: Int { 1024 }

  /// The size of a staging buffer: some three hundred headers.
  static var stagingLength: Int { 16_384 }

  /// Entries and bytes of one send.
  static var sendExtentsMax: Int { 256 }

  /// Above so many queued entries, nothing more is received: an initiator that does not take its answers gets to send no
  /// further requests.
  static var queuedEntriesMax: Int { 8192 }

  mutating func markDirty(_ connection: UnsafeMutablePointer<Connection>) {
    guard !connection.pointee.isDirty else { return }
    connection.pointee.isDirty = true
    dirty.append(connection.pointee.index)
  }

  /// Room for `count` bytes in the staging buffer, at most a quarter of it; they are queued. Nil when there is no memory:
  /// the connection is given up, as it could not be told of it either.
  @inline(__always)
  mutating func stage(_ connection: UnsafeMutablePointer<Connection>, _ count: Int) -> UnsafeMutableRawPointer? {
    if connection.pointee.stagingUsed + count > connection.pointee.staging.length {
      guard newStaging(connection) else { return nil }
    }
    let extent = Extent(offset: connection.pointee.staging.offset + connection.pointee.stagingUsed, length: count)
    connection.pointee.stagingUsed += count
    enqueue(connection, extent, .nothing)
    return context.arena.base + extent.offset
  }

  private mutating func newStaging(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
    guard connection.pointee.phase != .closing, let buffer = context.buffers.allocate(Self.stagingLength) else {
      close(connection, reset: true, because: .noMemory)
      return false
    }
    if connection.pointee.staging.length > 0 {
      let old = connection.pointee.staging
      connection.pointee.queue.push(Outgoing(extent: old.prefix(0), release: .buffer))
    }
    connection.pointee.staging = buffer
    connection.pointee.stagingUsed = 0
    return true
  }

  /// Queues bytes.
  @inline(__always)
  mutating func enqueue(
    _ connection: UnsafeMutablePointer<Connection>, _ extent: Extent, _ release: Outgoing.Release
  ) {
    connection.pointee.queue.append(extent, release)
    markDirty(connection)
  }

  /// Begins a PDU: 48 bytes of header, cleared but for the opcode and the F bit. Everything up to ``finishPDU(_:_:)``
  /// must stay on this connection.
  ///
  /// - Parameter copiedLength: The length of its data segment, if that is put behind the header with
  ///   ``finishPDU(_:_:copied:)``: at most ``copiedLengthMax``.
  @inline(__always)
  mutating func beginPDU(
    _ connection: UnsafeMutablePointer<Connection>, _ opcode: Opcode, isFinal: Bool = true, copiedLength: Int = 0
  ) -> MutableHeaderView? {
    // Header, digest and data stand together, so that each can be written right behind the one before.
    var length = HeaderView.length + (connection.pointee.headerDigest ? 4 : 0)
    if copiedLength > 0 {
      length += copiedLength + (-copiedLength & 3) + (connection.pointee.dataDigest ? 4 : 0)
    }
    guard let base = stage(connection, length) else { return nil }
    statistics.pdusSent &+= 1
    let header = MutableHeaderView(base)
    header.begin(opcode, isFinal: isFinal)
    return header
  }

  /// Ends a PDU without a data segment.
  @inline(__always)
  mutating func finishPDU(_ connection: UnsafeMutablePointer<Connection>, _ header: MutableHeaderView) {
    if connection.pointee.headerDigest { sealHeader(header) }
  }

  private func sealHeader(_ header: MutableHeaderView) {
    let digest = Digest.crc32c(UnsafeRawBufferPointer(start: header.base, count: HeaderView.length))
    header.base.storeBytes(of: digest.littleEndian, toByteOffset: HeaderView.length, as: UInt32.self)
  }

  /// Ends a PDU with a short data segment of the arena, for which it was begun: it is copied behind the header.
  @inline(__always)
  mutating func finishPDU(
    _ connection: UnsafeMutablePointer<Connection>, _ header: MutableHeaderView, copied data: Extent
  ) {
    header.dataSegmentLength = data.length
    finishPDU(connection, header)
    let base = header.base + HeaderView.length + (connection.pointee.headerDigest ? 4 : 0)
    UnsafeMutableRawBufferPointer(start: base, count: data.length).copyMemory(
      from: UnsafeRawBufferPointer(context.arena.bytes(data)))
    statistics.bytesCopied &+= UInt64(data.length)
    seal(base, data.length, -data.length & 3, connection.pointee.dataDigest)
  }

  /// Ends a PDU with a data segment of the arena that is sent from where it lies.
  @inline(__always)
  mutating func finishPDU(
    _ connection: UnsafeMutablePointer<Connection>, _ header: MutableHeaderView, data: Extent,
    release: Outgoing.Release
  ) {
    header.dataSegmentLength = data.length
    finishPDU(connection, header)
    enqueue(connection, data, release)
    let trailer = (-data.length & 3) + (connection.pointee.dataDigest ? 4 : 0)
    if trailer > 0 { stageTrailer(connection, data, trailer) }
  }

  /// Queues the pad bytes and the data digest of a data segment of the arena: `trailer` bytes.
  private mutating func stageTrailer(_ connection: UnsafeMutablePointer<Connection>, _ data: Extent, _ trailer: Int) {
    guard let base = stage(connection, trailer) else { return }
    let padding = -data.length & 3
    for index in 0..<padding { base.storeBytes(of: 0, toByteOffset: index, as: UInt8.self) }
    if connection.pointee.dataDigest {
      var digest = Digest.crc32c(UnsafeRawBufferPointer(context.arena.bytes(data)))
      digest = Digest.crc32c(UnsafeRawBufferPointer(start: base, count: padding), continuing: digest)
      base.storeBytes(of: digest.littleEndian, toByteOffset: padding, as: UInt32.self)
    }
  }

  /// Ends a PDU with a data segment from outside the arena; it is copied. At most a quarter of a staging buffer goes
  /// behind the header; more goes into a buffer of its own.
  mutating func finishPDU(
    _ connection: UnsafeMutablePointer<Connection>, _ header: MutableHeaderView, copying data: UnsafeRawBufferPointer
  ) {
    header.dataSegmentLength = data.count
    finishPDU(connection, header)
    guard let start = data.baseAddress, data.count > 0 else { return }
    let padding = -data.count & 3
    let total = data.count + padding + (connection.pointee.dataDigest ? 4 : 0)
    statistics.bytesCopied &+= UInt64(data.count)
    if total <= Self.stagingLength / 4 {
      guard let base = stage(connection, total) else { return }
      base.copyMemory(from: start, byteCount: data.count)
      seal(base, data.count, padding, connection.pointee.dataDigest)
      return
    }
    guard let buffer = context.buffers.allocate(total) else {
      close(connection, reset: true, because: .noMemory)
      return
    }
    let base = context.arena.base + buffer.offset
    base.copyMemory(from: start, byteCount: data.count)
    seal(base, data.count, padding, connection.pointee.dataDigest)
    connection.pointee.queue.push(Outgoing(extent: buffer, release: .buffer))
    markDirty(connection)
  }

  /// Writes the pad bytes and the data digest behind `count` bytes of data.
  @inline(__always)
  private func seal(_ base: UnsafeMutableRawPointer, _ count: Int, _ padding: Int, _ hasDigest: Bool) {
    for index in 0..<padding { base.storeBytes(of: 0, toByteOffset: count + index, as: UInt8.self) }
    if hasDigest, count > 0 {
      let digest = Digest.crc32c(UnsafeRawBufferPointer(start: base, count: count + padding))
      base.storeBytes(of: digest.littleEndian, toByteOffset: count + padding, as: UInt32.self)
    }
  }

  // MARK: Sending

  /// Emits what the connections that were touched in this step have to send and to receive.
  mutating func flushDirty() {
    var at = 0
    while at < dirty.count {
      if let connection = connections[dirty[at]] {
        connection.pointee.isDirty = false
        startSending(connection)
        startReceiving(connection)
      }
      at += 1
    }
    dirty.removeAll(keepingCapacity: true)
  }

  private mutating func startSending(_ connection: UnsafeMutablePointer<Connection>) {
    guard connection.pointee.phase != .closing, connection.pointee.phase != .free, !connection.pointee.isSending else {
      return
    }
    if !connection.pointee.queue.isEmpty, sendQueued(connection) {
      connection.pointee.isSending = true
      connection.pointee.lastSent = context.now
      return
    }
    if connection.pointee.becameIdle { becameIdle(connection) }
    if connection.pointee.phase == .leaving { post(connection) }
    if connection.pointee.endsAfterSending, !connection.pointee.hasShutDown {
      connection.pointee.hasShutDown = true
      context.operations.shutdown(connection.pointee.socket, token: connection.pointee.token(.shutdown))
    }
  }

  /// Emits one send of what is queued, as far as the policy puts it together. False when there are no bytes in it: then what
  /// was queued is done with.
  private mutating func sendQueued(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
    let policy = connection.pointee.sendPolicy
    // Any but the usual policy sends an answer by itself.
    let room =
      policy == .batching
      ? connection.pointee.hold.room(of: connection.pointee.queue.bytes) : connection.pointee.answers.first ?? Int.max
    let (count, hasMore) = sendExtents.withUnsafeMutableBufferPointer { connection.pointee.queue.fill($0, room: room) }
    guard count > 0 else {
      consumeSent(connection, 0)
      return false
    }
    let moreToCome =
      switch policy {
      case .batching: room == .max && (holdsEnd(connection) || hasMore)
      // More answers wait. What has not come in yet is not waited for: nobody knows whether it will.
      case .cork: connection.pointee.answers.count > 1
      case .noDelay, .adaptiveNagle: false
      }
    context.operations.send(
      on: connection.pointee.socket, from: sendExtents[..<count], moreToCome: moreToCome,
      token: connection.pointee.token(.send))
    return true
  }

  /// All that is queued is being sent. True if it is to wait in TCP.
  @inline(__always)
  private mutating func holdsEnd(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
    guard connection.pointee.hold.takesEnd(at: context.now) else { return false }
    armHoldTimer(connection)
    return true
  }

  // MARK: Answers one by one

  /// What is queued up to here is a whole answer.
  @inline(__always)
  mutating func endAnswer(_ connection: UnsafeMutablePointer<Connection>) {
    guard connection.pointee.sendPolicy != .batching else { return }
    let length = connection.pointee.queue.bytes - connection.pointee.answers.bytes
    if length > 0 { connection.pointee.answers.append(length) }
  }

  mutating func setNoDelay(_ connection: UnsafeMutablePointer<Connection>, _ isOn: Bool) {
    context.operations.noDelay(connection.pointee.socket, isOn, token: connection.pointee.token(.noDelay))
  }

  /// All that came has been answered, and the socket was empty.
  private mutating func becameIdle(_ connection: UnsafeMutablePointer<Connection>) {
    connection.pointee.becameIdle = false
    switch connection.pointee.nagle.becameIdle() {
    case .nothing: break
    case .push: setNoDelay(connection, true)
    case .pushAndReturn:
      setNoDelay(connection, true)
      setNoDelay(connection, false)
    }
  }

  mutating func sent(_ connection: UnsafeMutablePointer<Connection>, _ completion: Completion) {
    connection.pointee.isSending = false
    if connection.pointee.phase == .closing {
      releaseIfDone(connection)
      return
    }
    guard completion.error == .none else {
      connectionLost(connection, reset: true, because: .broken(completion.error))
      return
    }
    connection.pointee.lastSent = context.now
    statistics.sends &+= 1
    statistics.bytesSent &+= completion.result
    consumeSent(connection, Int(truncatingIfNeeded: completion.result))
    if !connection.pointee.throttled.isEmpty { startThrottled(connection) }
    markDirty(connection)
  }

  /// Begins commands that waited for the queue to shrink, or for memory that others of their session have given back.
  mutating func startThrottled(_ connection: UnsafeMutablePointer<Connection>) {
    while connection.pointee.queue.bytes <= shareMax / 2, let session = connection.pointee.session,
      !holdsItsShare(session, connection), let index = connection.pointee.throttled.popFirst()
    {
      guard let task = tasks[index], task.pointee.phase == .throttled,
        task.pointee.connection == connection
      else { continue }
      count(task, 0)
      hand(task)
    }
  }

  /// Takes `count` sent bytes off the queue, and gives back what nobody needs any more.
  private mutating func consumeSent(_ connection: UnsafeMutablePointer<Connection>, _ count: Int) {
    if connection.pointee.answers.bytes > 0 { connection.pointee.answers.remove(count) }
    var left = count
    while let entry = connection.pointee.queue.takeSent(&left) { release(entry) }
    if connection.pointee.queue.isEmpty { connection.pointee.stagingUsed = 0 }
  }

  /// Does what an entry asks for when its bytes are no longer needed.
  mutating func release(_ entry: Outgoing) {
    if let index = entry.release.task {
      guard let task = tasks[index] else { return }
      task.pointee.users.remove(.sender)
      releaseTaskIfDone(task)
    } else if entry.release == .buffer {
      // The extent may be empty; its offset is where the buffer starts.
      context.buffers.free(entry.extent)
      memoryWasFreed = true
    }
  }
}
