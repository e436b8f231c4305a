import Ring
import SimClock
import SimDisk
import SimNet

/// Starting operations: what can be done at once is done, the rest is kept.
extension SimRing {
  func begin(_ operation: Operation, _ extents: UnsafeBufferPointer<Extent>, _ addresses: [SocketAddress]) {
    timeline.record(
      .operation, detail: operation.kind.rawValue, subject: process.rawValue, operation.token.rawValue,
      operation.offset ^ operation.length &* 3 ^ operation.handle.rawValue &* 5
        ^ (operation.forceUnitAccess ? 1 << 62 : 0))
    switch operation.kind {
    case .accept: beginAccept(operation, extents)
    case .connect: beginConnect(operation, extents, addresses)
    case .receive: beginReceive(operation, extents)
    case .send: beginSend(operation, extents)
    case .shutdown: beginShutdown(operation, extents)
    case .noDelay:
      guard let index = index(of: operation.handle, .socket) else { return finish(operation.token, .staleHandle) }
      finish(operation.token, network.setNoDelay(handles[index].socket, operation.length != 0))
    case .close: beginClose(operation)
    case .describe: describe(operation, extents)
    case .read, .write, .flush, .discard, .writeZeroes, .seek: beginMediaAccess(operation, extents)
    case .timer: beginTimer(operation, extents)
    case .cancel: cancel(operation)
    case .post: post(operation, extents)
    case .mailbox:
      mailboxes.append(keep(operation, extents))
      deliverMessages()
    }
  }

  func bytes(_ extent: Extent) -> UnsafeMutableRawBufferPointer {
    arena?.bytes(extent) ?? UnsafeMutableRawBufferPointer(start: nil, count: 0)
  }

  static func length(_ extents: UnsafeBufferPointer<Extent>) -> Int {
    var length = 0
    for extent in extents { length += extent.length }
    return length
  }

  /// Folds the digest of one buffer into that of a whole payload.
  static func fold(_ digest: UInt64, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
    (digest &* 0x9E37_79B9_7F4A_7C15) ^ TraceHash.digest(bytes)
  }

  /// Calls `body` with the first `count` bytes of `extents`, buffer by buffer, and returns their digest.
  @inline(__always)
  func forEach(
    _ extents: UnsafeBufferPointer<Extent>, count: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void
  ) -> UInt64 {
    var left = count
    var digest: UInt64 = 0
    for extent in extents where left > 0 {
      let piece = bytes(extent.prefix(left))
      body(piece)
      digest = Self.fold(digest, UnsafeRawBufferPointer(piece))
      left -= extent.length
    }
    return digest
  }

  // MARK: Sockets

  private func beginAccept(_ operation: Operation, _ extents: UnsafeBufferPointer<Extent>) {
    guard let index = index(of: operation.handle, .listener) else { return finish(operation.token, .staleHandle) }
    handles[index].accepts.append(keep(operation, extents))
    accept(index)
  }

  /// Hands waiting connections to waiting accepts.
  func accept(_ listener: Int) {
    if shortages > 0 {
      guard network.hasWaiting(handles[listener].listener) else { return }
      // As with EMFILE: accepting fails, and the connection goes on waiting.
      let failing = handles[listener].accepts
      handles[listener].accepts.removeAll()
      for slot in failing {
        shortageCount += 1
        complete(slot, .noResources)
      }
      return
    }
    while let first = handles[listener].accepts.first,
      let socket = network.accept(handles[listener].listener)
    {
      handles[listener].accepts.removeFirst()
      guard let index = adopt(socket) else {
        network.close(socket, reset: true)
        complete(first, .noResources)
        return
      }
      complete(first, .none, result: handle(of: index).rawValue)
    }
  }

  /// Makes a handle for a socket of the network.
  private func adopt(_ socket: SocketID) -> Int? {
    guard let index = makeHandle(.socket) else { return nil }
    handles[index].socket = socket
    network.setOwner(of: socket, to: owner(of: index))
    return index
  }

  private func beginConnect(
    _ operation: Operation, _ extents: UnsafeBufferPointer<Extent>, _ addresses: [SocketAddress]
  ) {
    if shortages > 0 { shortageCount += 1 }
    guard shortages == 0, operation.offset < UInt64(addresses.count), let index = makeHandle(.socket) else {
      return finish(operation.token, .noResources)
    }
    handles[index].connect = keep(operation, extents)
    handles[index].socket = network.connect(
      from: host, to: addresses[Int(operation.offset)], owner: owner(of: index))
  }

  private func connected(_ index: Int) {
    let operation = handles[index].connect
    guard operation >= 0, let result = network.connectResult(handles[index].socket) else { return }
    handles[index].connect = -1
    if result == .none {
      complete(operation, .none, result: handle(of: index).rawValue)
    } else {
      network.close(handles[index].socket)
      freeHandle(index)
      complete(operation, result)
    }
  }

  private func beginReceive(_ operation: Operation, _ extents: UnsafeBufferPointer<Extent>) {
    guard let index = index(of: operation.handle, .socket) else { return finish(operation.token, .staleHandle) }
    guard handles[index].receive < 0 else {
      world.note(.secondReceive, process, operation)
      return finish(operation.token, .other)
    }
    switch receive(index, operation, extents) {
    case .wouldBlock: handles[index].receive = keep(operation, extents)
    case .count(let count): finish(operation.token, .none, result: UInt64(count))
    case .failed(let error): finish(operation.token, error)
    }
  }

  private func receive(_ index: Int, _ operation: Operation, _ extents: UnsafeBufferPointer<Extent>) -> StreamResult {
    let limit = Self.length(extents)
    guard limit > 0 else { return .count(0) }
    let socket = handles[index].socket
    let result = network.receivable(socket, limit: limit)
    if case .count(let count) = result, count > 0 {
      let digest = forEach(extents, count: count) { network.take(socket, into: $0) }
      countReceived(count)
      recordPayload(operation, UInt64(count), digest)
    }
    return result
  }

  /// Folds into the trace that an operation has moved `count` bytes with this digest.
  func recordPayload(_ operation: Operation, _ count: UInt64, _ digest: UInt64) {
    timeline.record(
      .event, detail: 0x80 | operation.kind.rawValue, subject: process.rawValue, operation.token.rawValue, count,
      payload: digest)
  }

  private func beginSend(_ operation: Operation, _ extents: UnsafeBufferPointer<Extent>) {
    guard let index = index(of: operation.handle, .socket) else { return finish(operation.token, .staleHandle) }
    guard handles[index].send < 0 else {
      world.note(.secondSend, process, operation)
      return finish(operation.token, .other)
    }
    switch send(index, operation, extents) {
    case .wouldBlock: handles[index].send = keep(operation, extents)
    case .count(let count): finish(operation.token, .none, result: UInt64(count))
    case .failed(let error): finish(operation.token, error)
    }
  }

  private func send(_ index: Int, _ operation: Operation, _ extents: UnsafeBufferPointer<Extent>) -> StreamResult {
    let length = Self.length(extents)
    guard length > 0 else { return .count(0) }
    let socket = handles[index].socket
    let result = network.sendable(socket, length: length)
    if case .count(let count) = result {
      let digest = forEach(extents, count: count) { network.put(socket, UnsafeRawBufferPointer($0)) }
      network.transmit(socket, moreToCome: operation.moreToCome)
      recordPayload(operation, UInt64(count), digest)
    }
    return result
  }

  /// What was submitted before is sent before.
  private func beginShutdown(_ operation: Operation, _ extents: UnsafeBufferPointer<Extent>) {
    guard let index = index(of: operation.handle, .socket) else { return finish(operation.token, .staleHandle) }
    if handles[index].send >= 0 {
      handles[index].shutdowns.append(keep(operation, extents))
    } else {
      finish(operation.token, network.shutdown(handles[index].socket))
    }
  }

  /// A send has ended for which shutdowns may have waited.
  private func finishShutdowns(_ index: Int) {
    for slot in handles[index].shutdowns { complete(slot, network.shutdown(handles[index].socket)) }
    handles[index].shutdowns.removeAll(keepingCapacity: true)
  }

  /// The network has news of a socket or listener.
  func handle(_ signal: Signal) {
    let index = Int(signal.owner & 0xFFFF_FFFF)
    guard index < handles.count else { return }
    switch signal.kind {
    case .accepted: if handles[index].kind == .listener { accept(index) }
    case .connected: if handles[index].kind == .socket { connected(index) }
    case .readable:
      let slot = handles[index].receive
      guard handles[index].kind == .socket, slot >= 0 else { return }
      checkSeal(slot)
      let operation = pending[slot].operation
      let extents = pending[slot].extents
      let result = extents.withUnsafeBufferPointer { receive(index, operation, $0) }
      if case .wouldBlock = result { return }
      handles[index].receive = -1
      complete(slot, result)
    case .writable:
      let slot = handles[index].send
      guard handles[index].kind == .socket, slot >= 0 else { return }
      checkSeal(slot)
      let operation = pending[slot].operation
      let extents = pending[slot].extents
      let result = extents.withUnsafeBufferPointer { send(index, operation, $0) }
      if case .wouldBlock = result { return }
      handles[index].send = -1
      complete(slot, result)
      finishShutdowns(index)
    }
  }

  private func complete(_ slot: Int, _ result: StreamResult) {
    switch result {
    case .count(let count): complete(slot, .none, result: UInt64(count))
    case .failed(let error): complete(slot, error)
    case .wouldBlock: break
    }
  }

  private func beginClose(_ operation: Operation) {
    if let index = index(of: operation.handle, .socket) {
      cancelAll(index)
      network.close(handles[index].socket, reset: operation.length != 0)
      freeHandle(index)
    } else if let index = index(of: operation.handle, .listener) {
      for slot in handles[index].accepts { complete(slot, .cancelled) }
      handles[index].accepts.removeAll(keepingCapacity: true)
      network.close(handles[index].listener)
      freeHandle(index)
    } else if let index = index(of: operation.handle, .medium) {
      cancelMediaAccesses(operation.handle)
      freeHandle(index)
    } else {
      return finish(operation.token, .staleHandle)
    }
    finish(operation.token, .none)
  }

  /// Completes what is outstanding on a socket as cancelled, in the order of submission.
  private func cancelAll(_ index: Int) {
    var outstanding = [handles[index].receive, handles[index].send].filter { $0 >= 0 } + handles[index].shutdowns
    handles[index].receive = -1
    handles[index].send = -1
    handles[index].shutdowns.removeAll(keepingCapacity: true)
    outstanding.sort { pending[$0].sequence < pending[$1].sequence }
    for slot in outstanding { complete(slot, .cancelled) }
  }

  private func describe(_ operation: Operation, _ extents: UnsafeBufferPointer<Extent>) {
    guard let index = index(of: operation.handle, .socket),
      let addresses = network.addresses(of: handles[index].socket)
    else { return finish(operation.token, .staleHandle) }
    // As with getpeername(2): a peer that is gone has no address.
    guard network.isConnected(handles[index].socket) else { return finish(operation.token, .connectionReset) }
    let length = SocketAddress.encodedLength
    guard let extent = extents.first, extent.length >= 2 * length else { return finish(operation.token, .other) }
    let bytes = bytes(extent)
    guard bytes.count >= 2 * length else { return finish(operation.token, .other) }
    addresses.local.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<length]))
    addresses.remote.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[length..<2 * length]))
    finish(operation.token, .none, result: UInt64(2 * length))
  }

  // MARK: Time, cancelling, messages

  private func beginTimer(_ operation: Operation, _ extents: UnsafeBufferPointer<Extent>) {
    let slot = keep(operation, extents)
    timers.push(
      Event(
        time: operation.offset, room: .ring, kind: World.EventKind.timer.rawValue,
        subject: UInt32(truncatingIfNeeded: slot), generation: pending[slot].generation))
    scheduleTimers()
  }

  func scheduleTimers() {
    guard let deadline = timers.nextTime else { return }
    let time = max(clock.world(at: Instant(nanoseconds: deadline)), timeline.now).nanoseconds
    guard time < timerEventTime else { return }
    timerEventTime = time
    world.schedule(.timer, at: time, process, incarnation)
  }

  /// Completes the timers that are due.
  func fireTimers() {
    if timerEventTime <= timeline.now.nanoseconds { timerEventTime = .max }
    let now = now.nanoseconds
    while let due = timers.pop(dueAt: now) {
      let slot = Int(due.subject)
      if pending[slot].isLive, pending[slot].generation == due.generation { complete(slot, .none) }
    }
    scheduleTimers()
  }

  private func cancel(_ operation: Operation) {
    guard let slot = tokens[operation.offset], pending[slot].isLive, pending[slot].canceller == nil else {
      return finish(operation.token, .notFound)
    }
    let target = pending[slot].operation
    switch target.kind {
    case .receive:
      if let index = index(of: target.handle, .socket) { handles[index].receive = -1 }
    case .send:
      if let index = index(of: target.handle, .socket) {
        handles[index].send = -1
        complete(slot, .cancelled)
        finish(operation.token, .none)
        return finishShutdowns(index)
      }
    case .shutdown:
      if let index = index(of: target.handle, .socket) { handles[index].shutdowns.removeAll { $0 == slot } }
    case .accept:
      if let index = index(of: target.handle, .listener) { handles[index].accepts.removeAll { $0 == slot } }
    case .connect:
      for index in handles.indices where handles[index].connect == slot && handles[index].kind == .socket {
        network.close(handles[index].socket)
        freeHandle(index)
      }
    case .mailbox: mailboxes.removeAll { $0 == slot }
    case .read, .write, .flush, .discard, .writeZeroes, .seek:
      // Like a kernel's, these can be withdrawn only while they wait; whether this one does is drawn. One that a fault
      // holds for ever can.
      if !pending[slot].verdict.isStuck, let index = index(of: target.handle, .medium),
        !world.disks[handles[index].disk].canWithdraw()
      {
        pending[slot].canceller = operation.token
        return
      }
    case .noDelay, .close, .describe, .timer, .cancel, .post: break
    }
    complete(slot, .cancelled)
    finish(operation.token, .none)
  }

  private func post(_ operation: Operation, _ extents: UnsafeBufferPointer<Extent>) {
    guard let target = world.ring(for: MachineID(UInt32(truncatingIfNeeded: operation.offset))), target.arena != nil
    else { return finish(operation.token, .unreachable) }
    var socket = SocketID.none
    if operation.handle != .none {
      guard let index = index(of: operation.handle, .socket) else { return finish(operation.token, .staleHandle) }
      // A socket with work under way stays where it is.
      guard handles[index].receive < 0, handles[index].send < 0 else { return finish(operation.token, .other) }
      socket = handles[index].socket
      freeHandle(index)
    }
    var message: [UInt8] = []
    let digest = forEach(extents, count: Self.length(extents)) { message.append(contentsOf: $0) }
    recordPayload(operation, UInt64(message.count), digest)
    target.messages.append(Message(bytes: message, socket: socket))
    finish(operation.token, .none)
    target.deliverMessages()
  }

  /// Hands messages to waiting mailboxes.
  func deliverMessages() {
    while let slot = mailboxes.first, let message = messages.first {
      mailboxes.removeFirst()
      messages.removeFirst()
      checkSeal(slot)
      var handle = Handle.none
      if message.socket != .none {
        if let index = adopt(message.socket) {
          handle = self.handle(of: index)
        } else {
          network.close(message.socket, reset: true)
        }
      }
      let extents = pending[slot].extents
      let length = message.bytes.count
      var done = 0
      for extent in extents where done < length {
        let piece = bytes(extent.prefix(length - done))
        message.bytes.withUnsafeBytes {
          piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[done..<done + piece.count]))
        }
        done += piece.count
      }
      complete(slot, .none, result: UInt64(length), handle: handle)
    }
  }
}
