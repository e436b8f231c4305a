import CHost
import Glibc
import Ring

/// The real world by epoll and libaio, for where the kernel forbids io_uring.
///
/// Sockets are watched edge-triggered. What an operation asks for is tried at once, unless it is known that it cannot be
/// done: a receive that came back short has drained the socket, and is not tried again before the kernel says that more
/// has come. So a busy connection costs a receive, a send, and its share of one epoll_wait a turn.
///
/// Reads and writes of media go through libaio. Where a file is not opened for direct I/O, the kernel reads from the page
/// cache while it is submitted. What would wait there (a read of what is not in the cache, a write with force unit access)
/// is done by a worker, and so are discards, zeroing and seeking.
final class EpollRing: CoreRing {
  static let kind = HostRingKind.epoll

  let core: HostCore
  private let epoll: Int32
  private var aio: AIOQueue
  private var events: [simsan_event]
  /// Turns in a row that found completions without asking the kernel.
  private var turnsWithoutPoll = 0

  private static let eventCount = 64
  /// So many turns may pass before the kernel is asked all the same, so that a busy socket does not starve others.
  private static let turnsWithoutPollMax = 8
  private static let inboxMark = UInt64.max
  private static let aioMark = UInt64.max - 1

  /// - Parameter arena: The memory of the machine that it serves.
  init(arena: Arena) throws(HostRingError) {
    core = try HostCore(arena: arena, blocks: false)
    aio = try AIOQueue(depth: HostCore.mediaDepth)
    events = Array(repeating: simsan_event(), count: Self.eventCount)
    epoll = simsan_epoll_create()
    guard epoll >= 0 else { throw HostRingError("epoll", -epoll) }
    for (eventfd, mark) in [(core.inbox.eventfd, Self.inboxMark), (aio.eventfd, Self.aioMark)] {
      let result = simsan_epoll_add(epoll, eventfd, UInt32(SIMSAN_EVENT_IN), 0, mark)
      guard result == 0 else { throw HostRingError("epoll", -result) }
    }
  }

  deinit { simsan_close(epoll) }

  func listen(
    at address: SocketAddress, backlog: Int
  ) throws(RingError) -> (listener: Handle, address: SocketAddress) {
    let (index, handle, bound) = try core.listen(address, backlog)
    guard watch(index) else { throw .noResources }
    return (handle, bound)
  }

  /// False when the kernel does not watch any more (fs.epoll.max_user_watches): the slot and its descriptor are gone.
  private func watch(_ index: Int) -> Bool {
    let slot = core.slots[index]
    core.counters.systemCalls.others += 1
    let interest =
      slot.pointee.kind == .listener
      ? UInt32(SIMSAN_EVENT_IN)
      : UInt32(SIMSAN_EVENT_IN) | UInt32(SIMSAN_EVENT_OUT) | UInt32(SIMSAN_EVENT_READ_HANGUP)
    let result = simsan_epoll_add(
      epoll, slot.pointee.descriptor, interest, 1,
      Handle(slot: index, generation: slot.pointee.generation).rawValue)
    if result < 0 { release(index) }
    return result == 0
  }

  /// A handle of a socket that has come; ``Handle/none`` when it cannot be watched, and is closed.
  private func adopt(_ descriptor: Int32) -> Handle {
    simsan_set_blocking(descriptor, 0)
    let (handle, index) = core.slots.take(descriptor, .socket)
    core.slots[index].pointee.isWritable = true
    return watch(index) ? handle : .none
  }

  // MARK: Submitting

  func submit(_ batch: inout Operations) {
    core.counters.operations += UInt64(batch.items.count)
    for index in batch.items.indices {
      let operation = batch.items[index]
      let first = Int(operation.firstExtent)
      carryOut(operation, batch.extents[first..<(first + Int(operation.extentCount))], batch.addresses)
    }
    batch.removeAll()
    submitMedia()
  }

  private func carryOut(_ operation: Operation, _ extents: ArraySlice<Extent>, _ addresses: [SocketAddress]) {
    switch operation.kind {
    case .receive: receive(operation, extents)
    case .send: send(operation, extents)
    case .accept: accept(operation)
    case .connect: connect(operation, addresses[Int(operation.offset)])
    case .shutdown: core.shutdown(operation)
    case .close: close(operation)
    case .describe: core.describe(operation, extents)
    case .read, .write, .flush: medium(operation, extents)
    case .discard, .writeZeroes, .seek: core.offload(operation)
    case .timer: core.timers.add(operation.offset, operation.token)
    case .cancel: cancel(operation)
    case .post:
      core.post(operation, extents) { index in
        simsan_epoll_remove(epoll, core.slots[index].pointee.descriptor)
      }
    case .mailbox: core.mailbox(operation, extents) { adopt($0) }
    case .noDelay: core.noDelay(operation)
    }
  }

  // MARK: Sockets

  private func receive(_ operation: Operation, _ extents: ArraySlice<Extent>) {
    guard let slot = core.slots.find(operation.handle, .socket) else {
      return core.complete(operation.token, .staleHandle)
    }
    // One at a time; a machine that knows no better is told so.
    guard !slot.pointee.receive.isThere else { return core.complete(operation.token, .other) }
    slot.pointee.receive.vector.fill(extents, core.arena)
    slot.pointee.receive.token = operation.token
    slot.pointee.receive.isThere = true
    if slot.pointee.isReadable { tryReceive(slot) }
  }

  private func tryReceive(_ slot: UnsafeMutablePointer<HostSlot>) {
    guard slot.pointee.receive.isThere else { return }
    core.counters.systemCalls.receives += 1
    let count = simsan_receive(
      slot.pointee.descriptor, slot.pointee.receive.vector.entries, slot.pointee.receive.vector.count)
    if count == -Int(EAGAIN) || count == -Int(EINTR) {
      slot.pointee.isReadable = count == -Int(EINTR)
      return
    }
    slot.pointee.receive.isThere = false
    if count < 0 {
      return core.complete(slot.pointee.receive.token, RingError(socketError: Int32(truncatingIfNeeded: -count)))
    }
    // Short: nothing is left, unless the end of the stream is.
    if count < slot.pointee.receive.vector.length, !slot.pointee.hasHungUp { slot.pointee.isReadable = false }
    core.complete(slot.pointee.receive.token, .none, UInt64(count))
  }

  private func send(_ operation: Operation, _ extents: ArraySlice<Extent>) {
    guard let slot = core.slots.find(operation.handle, .socket) else {
      return core.complete(operation.token, .staleHandle)
    }
    guard !slot.pointee.send.isThere else { return core.complete(operation.token, .other) }
    slot.pointee.send.vector.fill(extents, core.arena)
    slot.pointee.send.token = operation.token
    slot.pointee.send.moreToCome = operation.moreToCome
    slot.pointee.send.isThere = true
    if slot.pointee.isWritable { trySend(slot) }
  }

  private func trySend(_ slot: UnsafeMutablePointer<HostSlot>) {
    guard slot.pointee.send.isThere else { return }
    core.counters.systemCalls.sends += 1
    let count = simsan_send(
      slot.pointee.descriptor, slot.pointee.send.vector.entries, slot.pointee.send.vector.count,
      slot.pointee.send.moreToCome ? 1 : 0)
    if count == -Int(EAGAIN) || count == -Int(EINTR) {
      slot.pointee.isWritable = count == -Int(EINTR)
      return
    }
    slot.pointee.send.isThere = false
    if count < 0 {
      core.complete(slot.pointee.send.token, RingError(socketError: Int32(truncatingIfNeeded: -count)))
    } else {
      core.complete(slot.pointee.send.token, .none, UInt64(count))
    }
    core.sendEnded(slot)
  }

  private func accept(_ operation: Operation) {
    guard let slot = core.slots.find(operation.handle, .listener) else {
      return core.complete(operation.token, .staleHandle)
    }
    slot.pointee.accepts.append(HostSlot.Pending(isThere: true, token: operation.token))
    if slot.pointee.isReadable { tryAccept(slot) }
  }

  private func tryAccept(_ slot: UnsafeMutablePointer<HostSlot>) {
    while let waiting = slot.pointee.accepts.first {
      core.counters.systemCalls.others += 1
      let descriptor = simsan_accept(slot.pointee.descriptor)
      if descriptor == -EAGAIN {
        slot.pointee.isReadable = false
        return
      }
      if descriptor == -EINTR { continue }
      slot.pointee.accepts.removeFirst()
      if descriptor >= 0 {
        let handle = adopt(descriptor)
        let isWatched = handle != .none
        core.complete(waiting.token, isWatched ? .none : .noResources, isWatched ? handle.rawValue : 0)
      } else {
        core.complete(waiting.token, RingError(socketError: -descriptor))
      }
    }
  }

  private func connect(_ operation: Operation, _ address: SocketAddress) {
    var system = simsan_address(address)
    let descriptor = simsan_socket(&system)
    core.counters.systemCalls.others += 3
    guard descriptor >= 0 else { return core.complete(operation.token, RingError(socketError: -descriptor)) }
    let result = simsan_connect(descriptor, &system)
    guard result == 0 || result == -EINPROGRESS else {
      simsan_close(descriptor)
      return core.complete(operation.token, RingError(socketError: -result))
    }
    let (handle, index) = core.slots.take(descriptor, .socket)
    guard watch(index) else { return core.complete(operation.token, .noResources) }
    if result == 0 {
      core.slots[index].pointee.isWritable = true
      core.complete(operation.token, .none, handle.rawValue)
    } else {
      core.slots[index].pointee.connect = HostSlot.Pending(isThere: true, token: operation.token)
    }
  }

  private func finishConnect(_ index: Int, _ slot: UnsafeMutablePointer<HostSlot>, _ token: Token) {
    slot.pointee.connect = nil
    let error = simsan_socket_error(slot.pointee.descriptor)
    if error == 0 {
      core.complete(token, .none, Handle(slot: index, generation: slot.pointee.generation).rawValue)
    } else {
      release(index)
      core.complete(token, RingError(socketError: -error))
    }
  }

  private func release(_ index: Int) {
    core.counters.systemCalls.others += 1
    simsan_close(core.slots[index].pointee.descriptor)
    core.slots.give(index)
  }

  // MARK: Closing and cancelling

  private func close(_ operation: Operation) {
    let index = operation.handle.slot
    if let slot = core.slots.find(operation.handle, .socket) {
      if slot.pointee.receive.isThere { core.complete(slot.pointee.receive.token, .cancelled) }
      if slot.pointee.send.isThere { core.complete(slot.pointee.send.token, .cancelled) }
      if let token = slot.pointee.shutdown { core.complete(token, .cancelled) }
      if operation.length != 0 { simsan_linger_zero(slot.pointee.descriptor) }
      release(index)
    } else if let slot = core.slots.find(operation.handle, .listener) {
      for waiting in slot.pointee.accepts { core.complete(waiting.token, .cancelled) }
      release(index)
    } else if let slot = core.slots.find(operation.handle, .medium) {
      slot.pointee.kind = .closing
      slot.pointee.closeToken = operation.token
      closeIfDone(index, slot)
      return
    } else {
      return core.complete(operation.token, .staleHandle)
    }
    core.complete(operation.token)
  }

  private func closeIfDone(_ index: Int, _ slot: UnsafeMutablePointer<HostSlot>) {
    guard slot.pointee.kind == .closing, slot.pointee.inFlight == 0, let token = slot.pointee.closeToken else { return }
    release(index)
    core.complete(token)
  }

  private func cancel(_ operation: Operation) {
    let target = Token(operation.offset)
    if core.cancelLocally(target) || cancelOnSocket(target) { return core.complete(operation.token) }
    if let index = aio.withdraw(target) {
      let slot = core.slots[index]
      slot.pointee.inFlight -= 1
      core.complete(target, .cancelled)
      core.complete(operation.token)
      return closeIfDone(index, slot)
    }
    // What a medium works on cannot be taken back: it completes, and then the cancel, too late.
    if core.noteCanceller(operation.token, of: target) { return }
    if !aio.noteCanceller(operation.token, of: target) { core.complete(operation.token, .notFound) }
  }

  private func cancelOnSocket(_ target: Token) -> Bool {
    for index in 0..<core.slots.count {
      let slot = core.slots[index]
      switch slot.pointee.kind {
      case .socket:
        if slot.pointee.receive.isThere, slot.pointee.receive.token == target {
          slot.pointee.receive.isThere = false
        } else if slot.pointee.send.isThere, slot.pointee.send.token == target {
          slot.pointee.send.isThere = false
          core.complete(target, .cancelled)
          core.sendEnded(slot)
          return true
        } else if slot.pointee.connect?.token == target {
          slot.pointee.connect = nil
          release(index)
        } else {
          continue
        }
      case .listener:
        guard let at = slot.pointee.accepts.firstIndex(where: { $0.token == target }) else { continue }
        slot.pointee.accepts.remove(at: at)
      case .free, .medium, .closing:
        continue
      }
      core.complete(target, .cancelled)
      return true
    }
    return false
  }

  // MARK: Media

  private func medium(_ operation: Operation, _ extents: ArraySlice<Extent>) {
    guard let slot = core.slots.find(operation.handle, .medium) else {
      return core.complete(operation.token, .staleHandle)
    }
    let length = core.length(extents)
    if operation.kind != .flush {
      if let refusal = core.refusal(slot, operation, extents, length) { return core.complete(operation.token, refusal) }
      if length == 0 { return core.complete(operation.token) }
    }
    if core.carryOutAtOnce(slot, operation, extents, length) { return }
    slot.pointee.inFlight += 1
    aio.add(operation, extents, core.arena, slot: operation.handle.slot, slot)
    if core.completesDeviceBatch(slot) { submitMedia() }
  }

  private func submitMedia() {
    guard aio.hasPrepared else { return }
    aio.submit(core.offload) { request, result in mediumDone(request, result) }
    core.counters.systemCalls.media += aio.takeSystemCalls()
  }

  private func mediumDone(_ request: AIOQueue.Request, _ result: Int64) {
    let slot = core.slots[request.slot]
    slot.pointee.inFlight -= 1
    let result = slot.pointee.told(request.kind, isStable: request.isStable, result)
    core.completeMedium(request.token, request.kind, result)
    if let canceller = request.canceller { core.complete(canceller, .notFound) }
    closeIfDone(request.slot, slot)
  }

  // MARK: Reaping

  func reap(into completions: inout [Completion], until deadline: Instant) {
    core.counters.turns += 1
    while true {
      if !core.ready.isEmpty, turnsWithoutPoll < Self.turnsWithoutPollMax {
        turnsWithoutPoll += 1
      } else {
        turnsWithoutPoll = 0
        poll(core.ready.isEmpty ? deadline : .zero)
      }
      core.completeDueTimers()
      core.deliverMessages { adopt($0) }
      core.takeDone(
        closed: { closeIfDone($0, core.slots[$0]) },
        own: { job in aio.finish(job) { request, result in mediumDone(request, result) } })
      submitMedia()
      if core.handOver(to: &completions) { return }
      if core.takeInterrupt() || (deadline != .distantFuture && core.now >= deadline) { return }
    }
  }

  /// Asks the kernel what has happened, and waits for it until `deadline` or the next timer.
  private func poll(_ deadline: Instant) {
    let until = min(deadline, core.timers.earliest ?? .distantFuture)
    core.lookOut(until: until) { poll(nanoseconds: $0) }
  }

  /// Waits so long, without end when that is negative. False when nothing has happened.
  private func poll(nanoseconds: Int64) -> Bool {
    core.counters.systemCalls.waits += 1
    let count = simsan_epoll_wait(epoll, &events, Int32(Self.eventCount), nanoseconds)
    guard count > 0 else { return false }
    for number in 0..<Int(count) { handle(events[number]) }
    return true
  }

  private func handle(_ event: simsan_event) {
    if event.data == Self.inboxMark {
      core.hasMail = true
      return
    }
    if event.data == Self.aioMark {
      aio.reap(core.offload) { request, result in mediumDone(request, result) }
      core.counters.systemCalls.media += aio.takeSystemCalls()
      return
    }
    let handle = Handle(event.data)
    let index = handle.slot
    let slot = core.slots[index]
    // A slot that was closed, and perhaps opened anew, by what was handled before in this turn.
    guard slot.pointee.generation == handle.generation else { return }
    let isBroken = event.events & (UInt32(SIMSAN_EVENT_ERROR) | UInt32(SIMSAN_EVENT_HANGUP)) != 0
    switch slot.pointee.kind {
    case .listener:
      slot.pointee.isReadable = true
      tryAccept(slot)
    case .socket:
      if let connecting = slot.pointee.connect {
        guard isBroken || event.events & UInt32(SIMSAN_EVENT_OUT) != 0 else { return }
        slot.pointee.isWritable = true
        finishConnect(index, slot, connecting.token)
        guard slot.pointee.kind == .socket else { return }
      }
      if isBroken || event.events & UInt32(SIMSAN_EVENT_READ_HANGUP) != 0 { slot.pointee.hasHungUp = true }
      if slot.pointee.hasHungUp || event.events & UInt32(SIMSAN_EVENT_IN) != 0 {
        slot.pointee.isReadable = true
        tryReceive(slot)
      }
      if isBroken || event.events & UInt32(SIMSAN_EVENT_OUT) != 0 {
        slot.pointee.isWritable = true
        trySend(slot)
      }
    case .free, .medium, .closing:
      break
    }
  }
}
