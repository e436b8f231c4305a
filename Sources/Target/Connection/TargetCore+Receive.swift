import ISCSI
import Ring

/// Receiving: bytes become PDUs. One receive may bring many PDUs, or a part of one; a large data segment goes straight
/// into the buffer of its task.
extension TargetCore {
  /// The receive buffer of a quiet connection, in bytes: what an idle session costs.
  static var idleBufferLength: Int { 8192 }

  /// The receive buffer of a busy connection, in bytes.
  static var busyBufferLength: Int { 262_144 }

  /// Data segments from this length on do not go through the receive buffer.
  static var directLengthMin: Int { 8192 }

  /// Behind a data segment from this length on, only ``lookaheadLength`` is received: another one is expected, and a system
  /// call costs less than to copy its beginning out of the receive buffer.
  static var bulkLengthMin: Int { 65_536 }

  /// What is received behind a large data segment, in bytes: the headers of some PDUs.
  static var lookaheadLength: Int { 1024 }

  // MARK: The receive operation

  /// Emits a receive, unless one is outstanding or the initiator must be slowed down.
  mutating func startReceiving(_ connection: UnsafeMutablePointer<Connection>) {
    switch connection.pointee.phase {
    case .login, .fullFeature, .draining: break
    case .reinstating:
      // What has come already is parsed when the other session has ended; its buffer must be the target's then.
      guard connection.pointee.available == 0 else { return }
    case .free, .accepted, .leaving, .closing: return
    }
    // Nor when twice the share is queued, above which commands wait: until then functions that abort those get through.
    guard !connection.pointee.isReceiving, connection.pointee.queue.count < Self.queuedEntriesMax,
      connection.pointee.queue.bytes <= 2 * share
    else { return }
    // What a connection that ends has not consumed is thrown away.
    if connection.pointee.start == connection.pointee.end || connection.pointee.phase == .draining {
      connection.pointee.start = 0
      connection.pointee.end = 0
    }
    var space = Extent(
      offset: connection.pointee.buffer.offset + connection.pointee.end,
      length: connection.pointee.buffer.length - connection.pointee.end)
    // Others are there to be served while this initiator works. The other policies have to see when a socket is empty.
    if receivesInStep <= 1, connection.pointee.sendPolicy == .batching {
      space.length = min(space.length, connection.pointee.pace.limit)
    }
    if connection.pointee.isBulk { space.length = min(space.length, Self.lookaheadLength) }
    let token = connection.pointee.token(.receive)
    let inflow = connection.pointee.inflow
    // Full of requests that wait for the end of another session: they are taken first.
    guard space.length > 0 else { return }
    connection.pointee.isReceiving = true
    if inflow.use == .dataOut || inflow.use == .command, inflow.remaining > 0 {
      connection.pointee.receiveRoom = inflow.remaining + space.length
      context.operations.receive(
        on: connection.pointee.socket, into: inflow.destination.prefix(inflow.remaining), then: space, token: token)
    } else {
      connection.pointee.receiveRoom = space.length
      context.operations.receive(on: connection.pointee.socket, into: space, token: token)
    }
    // Due at once, behind what has come already.
    if connection.pointee.isLooking, !connection.pointee.hasLookTimer {
      connection.pointee.hasLookTimer = true
      context.operations.timer(at: context.now, token: connection.pointee.token(.look))
    }
  }

  /// What has come already has been received: a receive that still waits finds the socket empty.
  mutating func lookTimerFired(_ connection: UnsafeMutablePointer<Connection>) {
    connection.pointee.hasLookTimer = false
    guard connection.pointee.isLooking, connection.pointee.isReceiving else { return }
    connection.pointee.isLooking = false
    connection.pointee.becameIdle = true
    markDirty(connection)
  }

  mutating func received(_ connection: UnsafeMutablePointer<Connection>, _ completion: Completion) {
    connection.pointee.isReceiving = false
    if connection.pointee.phase == .closing {
      releaseIfDone(connection)
      return
    }
    guard completion.error == .none, completion.result > 0 else {
      // The end of the stream, in good order when this side had ended already.
      let wasDraining = connection.pointee.phase == .draining
      connectionLost(
        connection, reset: completion.error != .none && !wasDraining,
        because: completion.error == .none ? .closedByInitiator : .broken(completion.error))
      return
    }
    statistics.receives &+= 1
    statistics.bytesReceived &+= completion.result
    connection.pointee.lastReceived = context.now
    var count = Int(truncatingIfNeeded: completion.result)
    if connection.pointee.phase == .draining {
      connection.pointee.start = 0
      connection.pointee.end = 0
      markDirty(connection)
      return
    }
    if connection.pointee.inflow.use == .dataOut || connection.pointee.inflow.use == .command {
      let taken = min(count, connection.pointee.inflow.remaining)
      connection.pointee.inflow.remaining -= taken
      connection.pointee.inflow.destination = connection.pointee.inflow.destination.dropFirst(taken)
      count -= taken
      connection.pointee.lastDataOut = context.now
    }
    let wasFull = count == connection.pointee.buffer.length - connection.pointee.end
    connection.pointee.end += count
    receivesInStep += 1
    let commands = statistics.commands
    let statSN = connection.pointee.statSN
    parse(connection)
    switch connection.pointee.phase {
    case .closing, .free: return
    case .leaving:
      // Its buffer is a message now.
      markDirty(connection)
      return
    default: break
    }
    let arrived = Int(truncatingIfNeeded: statistics.commands &- commands)
    connection.pointee.pace.received(count, commands: arrived, outstanding: outstanding(connection))
    holdAnswers(connection, count: count, arrived: arrived, statSN: statSN)
    if connection.pointee.sendPolicy == .adaptiveNagle {
      if connection.pointee.nagle.received(arrived) { setNoDelay(connection, false) }
      let isFull = Int(truncatingIfNeeded: completion.result) >= connection.pointee.receiveRoom
      connection.pointee.becameIdle = !isFull
      connection.pointee.isLooking = isFull
    }
    adjustBuffer(connection, wasFull: wasFull, count: count)
    markDirty(connection)
  }

  /// The commands that the initiator waits for, as far as it has said.
  private func outstanding(_ connection: UnsafeMutablePointer<Connection>) -> Int {
    guard let session = connection.pointee.session else { return 0 }
    let unacknowledged = connection.pointee.statSN &- connection.pointee.expStatSN
    // What is more than the window is an initiator's error, or its reckoning before the login: it waits for nothing.
    guard unacknowledged <= limits.commandWindow else { return 0 }
    return Int(unacknowledged) + session.pointee.taskCount
  }

  /// Gives a connection that fills its buffer a larger one, and one that has gone quiet a small one.
  private mutating func adjustBuffer(_ connection: UnsafeMutablePointer<Connection>, wasFull: Bool, count: Int) {
    let length = connection.pointee.buffer.length
    // A login is answered request by request: nobody has much to say before it is complete, and ``Handover`` counts on it.
    // What is scarce is left to commands, which cannot do without.
    if wasFull, length < Self.busyBufferLength, connection.pointee.phase == .fullFeature,
      context.buffers.bytesInUse < context.buffers.lengthMax / 2
    {
      moveBuffer(connection, min(length * 4, Self.busyBufferLength))
    } else if length > Self.idleBufferLength, count < Self.idleBufferLength / 2, connection.pointee.available == 0,
      !connection.pointee.inflow.isActive
    {
      moveBuffer(connection, Self.idleBufferLength)
    } else if connection.pointee.start > 0 {
      compact(connection)
    }
  }

  /// Moves what has not been consumed to a buffer of another length, if there is memory for it.
  @discardableResult
  private mutating func moveBuffer(_ connection: UnsafeMutablePointer<Connection>, _ length: Int) -> Bool {
    let old = connection.pointee.buffer
    let available = connection.pointee.available
    guard length >= available, let new = context.buffers.allocate(length) else {
      compact(connection)
      return false
    }
    (context.arena.base + new.offset).copyMemory(
      from: context.arena.base + old.offset + connection.pointee.start, byteCount: available)
    statistics.bytesCopied &+= UInt64(available)
    free(old)
    connection.pointee.buffer = new
    connection.pointee.start = 0
    connection.pointee.end = available
    return true
  }

  /// Moves what has not been consumed to the front of the buffer.
  mutating func compact(_ connection: UnsafeMutablePointer<Connection>) {
    let available = connection.pointee.available
    guard connection.pointee.start > 0 else { return }
    if available > 0 {
      let base = context.arena.base + connection.pointee.buffer.offset
      base.copyMemory(from: base + connection.pointee.start, byteCount: available)
      statistics.bytesCopied &+= UInt64(available)
    }
    connection.pointee.start = 0
    connection.pointee.end = available
  }

  // MARK: From bytes to PDUs

  /// Takes as many PDUs out of the receive buffer as are complete.
  mutating func parse(_ connection: UnsafeMutablePointer<Connection>) {
    while true {
      switch connection.pointee.phase {
      case .fullFeature: break
      case .login: if endsWithoutLogin(connection) { return }
      case .reinstating, .leaving, .free, .accepted, .closing: return
      case .draining:
        connection.pointee.start = 0
        connection.pointee.end = 0
        return
      }
      if connection.pointee.inflow.isActive {
        guard continueInflow(connection) else { return }
        continue
      }
      guard takePDU(connection) else { return }
    }
  }

  /// Takes one PDU, or begins to take its data. False when more bytes are needed first.
  private mutating func takePDU(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
    let available = connection.pointee.available
    guard available >= HeaderView.length else { return false }
    // In the buffer from `start` on are `available` bytes, at least a header.
    let base = context.arena.base + connection.pointee.buffer.offset + connection.pointee.start
    let header = HeaderView(base)
    let additionalLength = header.totalAHSLength * 4
    if connection.pointee.phase != .fullFeature,
      additionalLength > 0 || header.opcodeBits != Opcode.loginRequest.rawValue
    {
      // Whoever talks another protocol may mean anything by the lengths. Nothing but Login Requests may come yet, and they have
      // no additional segments: what is to follow is not waited for.
      statistics.pdusReceived &+= 1
      connection.pointee.start += HeaderView.length
      loginPhasePDU(connection, header, UnsafeRawBufferPointer(start: nil, count: 0))
      return false
    }
    let headerLength = HeaderView.length + additionalLength
    let digestLength = connection.pointee.headerDigest ? 4 : 0
    guard available >= headerLength + digestLength else {
      return need(connection, headerLength + digestLength)
    }
    if connection.pointee.headerDigest {
      let digest = Digest.crc32c(UnsafeRawBufferPointer(start: base, count: headerLength))
      let sent = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: headerLength, as: UInt32.self))
      guard digest == sent else {
        // RFC 7143 §7.8: what the header says cannot be trusted, not even its length.
        statistics.headerDigestErrors &+= 1
        connectionLost(connection, reset: true, because: .headerDigest)
        return false
      }
    }
    let dataLength = header.dataSegmentLength
    guard dataLength <= connection.pointee.receiveLengthMax else {
      // RFC 7143 §13.12 lets nobody send more than was declared. To skip up to 16 MiB would be to obey who does not.
      protocolError(connection, header)
      return false
    }
    let paddedLength = header.paddedDataSegmentLength
    let trailer = connection.pointee.dataDigest && dataLength > 0 ? 4 : 0
    let total = headerLength + digestLength + paddedLength + trailer
    connection.pointee.isBulk = false
    if available < total {
      let isDirect = dataLength >= Self.directLengthMin && connection.pointee.phase == .fullFeature
      var inflow = isDirect ? beginInflow(connection, header, additionalLength) : nil
      if inflow == nil {
        if makeRoom(connection, total) { return false }
        inflow = inflowWithoutMemory(connection, additionalLength)
      }
      guard let inflow else {
        close(connection, reset: true, because: .noMemory)
        return false
      }
      statistics.pdusReceived &+= 1
      connection.pointee.inflow = inflow
      connection.pointee.inflow.remaining = dataLength
      // What is thrown away comes through the receive buffer.
      connection.pointee.isBulk = dataLength >= Self.bulkLengthMin && inflow.use != .discard
      connection.pointee.inflow.trailer = paddedLength - dataLength + trailer
      connection.pointee.start += headerLength + digestLength
      return true
    }
    statistics.pdusReceived &+= 1
    connection.pointee.start += total
    let data = UnsafeRawBufferPointer(start: base + headerLength + digestLength, count: dataLength)
    if trailer > 0 {
      let digest = Digest.crc32c(UnsafeRawBufferPointer(start: data.baseAddress, count: paddedLength))
      let sent = UInt32(
        littleEndian: base.loadUnaligned(fromByteOffset: total - trailer, as: UInt32.self))
      guard digest == sent else {
        dataDigestError(connection, header)
        return true
      }
    }
    dispatch(
      connection, header, additional: UnsafeRawBufferPointer(start: base + HeaderView.length, count: additionalLength),
      data)
    return true
  }

  /// Makes sure that a PDU of `total` bytes fits into the receive buffer. Always false: there is nothing to take yet.
  private mutating func need(_ connection: UnsafeMutablePointer<Connection>, _ total: Int) -> Bool {
    if !makeRoom(connection, total) { close(connection, reset: true, because: .noMemory) }
    return false
  }

  /// The same; false when there is no memory for it.
  private mutating func makeRoom(_ connection: UnsafeMutablePointer<Connection>, _ total: Int) -> Bool {
    // `total` is bounded by the declared MaxRecvDataSegmentLength plus a header.
    if total > connection.pointee.buffer.length { return moveBuffer(connection, total) }
    if connection.pointee.start + total > connection.pointee.buffer.length { compact(connection) }
    return true
  }

  /// Goes on with a data segment that is received outside the buffer. False when more bytes are needed first.
  private mutating func continueInflow(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
    let base = context.arena.base + connection.pointee.buffer.offset
    let taken = min(connection.pointee.available, connection.pointee.inflow.remaining)
    if taken > 0 {
      if connection.pointee.inflow.use != .discard {
        (context.arena.base + connection.pointee.inflow.destination.offset).copyMemory(
          from: base + connection.pointee.start, byteCount: taken)
        connection.pointee.inflow.destination = connection.pointee.inflow.destination.dropFirst(taken)
        statistics.bytesCopied &+= UInt64(taken)
      }
      connection.pointee.inflow.remaining -= taken
      connection.pointee.start += taken
    }
    guard connection.pointee.inflow.remaining == 0 else { return false }
    let trailer = connection.pointee.inflow.trailer
    guard connection.pointee.available >= trailer else {
      return need(connection, trailer)
    }
    var isIntact = true
    if connection.pointee.dataDigest, connection.pointee.inflow.use != .discard {
      let padding = trailer - 4
      let start = base + connection.pointee.start
      var digest = Digest.crc32c(UnsafeRawBufferPointer(context.arena.bytes(connection.pointee.inflow.data)))
      digest = Digest.crc32c(UnsafeRawBufferPointer(start: start, count: padding), continuing: digest)
      isIntact = digest == UInt32(littleEndian: start.loadUnaligned(fromByteOffset: padding, as: UInt32.self))
    }
    connection.pointee.start += trailer
    let inflow = connection.pointee.inflow
    connection.pointee.inflow = Inflow()
    inflowCompleted(connection, inflow, isIntact: isIntact)
    return true
  }

  /// Decides whether a large data segment, of which not all has come, can be received straight into memory of its task.
  private mutating func beginInflow(
    _ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView, _ additionalLength: Int
  ) -> Inflow? {
    switch header.opcodeBits {
    case Opcode.dataOut.rawValue where additionalLength == 0:
      return beginDataOut(connection, header)
    case Opcode.scsiCommand.rawValue where additionalLength == 0:
      return beginCommand(connection, header)
    default:
      return nil
    }
  }

  /// How to go on with the PDU whose header is next, if there is no memory for its data: they are thrown away, and its command
  /// is answered with BUSY. Nil for PDUs that are not of commands.
  private func inflowWithoutMemory(
    _ connection: UnsafeMutablePointer<Connection>, _ additionalLength: Int
  ) -> Inflow? {
    // To look for room has moved it.
    let header = HeaderView(context.arena.base + connection.pointee.buffer.offset + connection.pointee.start)
    let isOfCommand =
      header.opcodeBits == Opcode.dataOut.rawValue || header.opcodeBits == Opcode.scsiCommand.rawValue
    guard connection.pointee.phase == .fullFeature, isOfCommand, additionalLength == 0 else { return nil }
    return Inflow(use: .discard, header: header)
  }

  private mutating func inflowCompleted(
    _ connection: UnsafeMutablePointer<Connection>, _ inflow: Inflow, isIntact: Bool
  ) {
    var copy = inflow.header
    withUnsafeMutablePointer(to: &copy) { pointer in
      let header = HeaderView(UnsafeRawPointer(pointer))
      if inflow.use == .discard {
        if header.opcodeBits == Opcode.dataOut.rawValue { return dataOutPDU(connection, header, nil) }
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        return commandArrived(connection, header, additional: none, immediate: nil, prepared: nil)
      }
      guard let task = tasks[inflow.task] else { return }
      task.pointee.users.remove(.receiver)
      switch inflow.use {
      case .dataOut:
        if task.pointee.phase == .ending {
          // It was aborted meanwhile.
          releaseTaskIfDone(task)
        } else if isIntact {
          dataOutArrived(connection, task, header, inflow.data.length)
        } else {
          dataDigestError(connection, header)
        }
      case .command:
        if isIntact {
          commandArrived(
            connection, header, additional: UnsafeRawBufferPointer(start: nil, count: 0), immediate: nil, prepared: task
          )
        } else {
          // The task was never admitted: it only held the memory.
          task.pointee.phase = .ending
          releaseTaskIfDone(task)
          dataDigestError(connection, header)
        }
      case .none, .discard:
        break
      }
    }
  }

  // MARK: Dispatch

  private mutating func dispatch(
    _ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView, additional: UnsafeRawBufferPointer,
    _ data: UnsafeRawBufferPointer
  ) {
    guard connection.pointee.phase == .fullFeature else {
      loginPhasePDU(connection, header, data)
      return
    }
    switch header.opcodeBits {
    case Opcode.scsiCommand.rawValue:
      commandArrived(connection, header, additional: additional, immediate: data, prepared: nil)
    case Opcode.dataOut.rawValue where additional.isEmpty:
      dataOutPDU(connection, header, data)
    default:
      guard additional.isEmpty else {
        // Only SCSI commands have additional header segments (RFC 7143 §11.2.2).
        reject(connection, header, .invalidPDUField)
        if header.opcodeBits == Opcode.dataOut.rawValue { dataOutDamaged(connection, header) }
        return
      }
      requestArrived(connection, header, data)
    }
  }

  /// The data segment does not match its digest (RFC 7143 §7.8): the PDU is rejected and counts as not received.
  private mutating func dataDigestError(_ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView) {
    statistics.dataDigestErrors &+= 1
    reject(connection, header, .dataDigestError)
    if header.opcodeBits == Opcode.dataOut.rawValue { dataOutDamaged(connection, header) }
  }

  /// Something after which the stream cannot be trusted: the connection is dropped.
  mutating func protocolError(_ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView) {
    statistics.protocolErrors &+= 1
    if connection.pointee.phase == .login {
      rejectLogin(connection, header, .initiatorError)
    } else {
      reject(connection, header, .protocolError)
      drain(connection, because: .protocolError(opcode: header.opcodeBits))
    }
  }
}
