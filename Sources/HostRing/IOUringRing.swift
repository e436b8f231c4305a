import CHost
import Glibc
import Ring

/// The real world by io_uring: one system call a turn submits everything, waits, and brings what has completed. Only of many
/// operations on a device the first ones are submitted before.
final class IOUringRing: CoreRing {
  static let kind = HostRingKind.ioUring

  let core: HostCore
  private let uring: OpaquePointer
  private var requests = RequestTable()
  private var media = MediaQueues<(operation: Operation, extents: [Extent])>(depth: HostCore.mediaDepth)
  private var completed: [simsan_uring_completion]

  private static let entries: UInt32 = 1024
  /// Requests that the kernel has been given and not brought back, the unattended ones aside.
  private var inFlight = 0
  private var mustWatchInbox = true

  /// User data of requests whose completion nobody waits for.
  private static let unattended = UInt64.max
  private static let inboxMark = UInt64.max - 1

  /// - Parameter arena: The memory of the machine that it serves.
  init(arena: Arena) throws(HostRingError) {
    core = try HostCore(arena: arena, blocks: true)
    var error: Int32 = 0
    // What hangs in a medium has a thread of the kernel's, and so has a flush: the others are not to wait for one.
    guard let uring = simsan_uring_create(Self.entries, UInt32(HostCore.mediaDepth), &error) else {
      throw HostRingError("io_uring", error)
    }
    self.uring = uring
    completed = Array(repeating: simsan_uring_completion(), count: 512)
  }

  deinit {
    // The kernel may still be writing into the arena: what can be cancelled is, and the rest is waited for. One by one, since a
    // cancel of all came with Linux 5.19.
    for number in requests.inUse { withdraw(number) }
    mustWatchInbox = false
    var patience = 1000
    while inFlight > 0, patience > 0 {
      let count = simsan_uring_turn(uring, 10_000_000, &completed, UInt32(completed.count))
      // The ring of a thread that has ended, and with it whatever was under way.
      if count < 0 { break }
      take(count)
      mustWatchInbox = false
      patience -= 1
    }
    // What hangs may still go on some time.
    if inFlight > 0, patience == 0 { _ = Unmanaged.passRetained(core.arena) }
    simsan_uring_destroy(uring)
  }

  func listen(
    at address: SocketAddress, backlog: Int
  ) throws(RingError) -> (listener: Handle, address: SocketAddress) {
    let (_, handle, bound) = try core.listen(address, backlog)
    return (handle, bound)
  }

  private func adopt(_ descriptor: Int32) -> Handle {
    simsan_set_blocking(descriptor, 1)
    return core.slots.take(descriptor, .socket).handle
  }

  private func watchInbox() {
    guard mustWatchInbox else { return }
    mustWatchInbox = false
    prepare(SIMSAN_URING_POLL, core.inbox.eventfd, Self.inboxMark)
  }

  /// Readies a request for the kernel. The queue holds it until the next turn, or goes out when it is full.
  private func prepare(
    _ code: Int, _ descriptor: Int32, _ userData: UInt64, _ first: UnsafeMutableRawPointer? = nil,
    _ second: UInt64 = 0, offset: UInt64 = 0, flags: Int32 = 0
  ) {
    var result = simsan_uring_prepare(uring, Int32(code), descriptor, userData, first, second, offset, flags)
    while result == -EAGAIN || result == -EBUSY || result == -EINTR {
      // The completion queue is full: it is emptied first.
      take(simsan_uring_turn(uring, 0, &completed, UInt32(completed.count)))
      result = simsan_uring_prepare(uring, Int32(code), descriptor, userData, first, second, offset, flags)
    }
    if userData < Self.inboxMark {
      inFlight += 1
      if result < 0 { done(UInt32(truncatingIfNeeded: userData), Int64(result)) }
    }
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
    case .discard, .writeZeroes: range(operation)
    case .seek: core.offload(operation)
    case .timer: core.timers.add(operation.offset, operation.token)
    case .cancel: cancel(operation)
    case .post: core.post(operation, extents) { _ in }
    case .mailbox: core.mailbox(operation, extents) { adopt($0) }
    case .noDelay: core.noDelay(operation)
    }
  }

  private func receive(_ operation: Operation, _ extents: ArraySlice<Extent>) {
    guard let slot = core.slots.find(operation.handle, .socket) else {
      return core.complete(operation.token, .staleHandle)
    }
    // One at a time; a machine that knows no better is told so.
    guard !slot.pointee.receive.isThere else { return core.complete(operation.token, .other) }
    let (number, request) = requests.take(operation)
    request.pointee.fill(extents, core.arena)
    slot.pointee.receive.isThere = true
    slot.pointee.receive.request = number
    slot.pointee.inFlight += 1
    prepare(
      SIMSAN_URING_RECEIVE, slot.pointee.descriptor, UInt64(number), request.pointee.message,
      flags: slot.pointee.isReadable ? 0 : 1)
  }

  private func send(_ operation: Operation, _ extents: ArraySlice<Extent>) {
    guard let slot = core.slots.find(operation.handle, .socket) else {
      return core.complete(operation.token, .staleHandle)
    }
    guard !slot.pointee.send.isThere else { return core.complete(operation.token, .other) }
    let (number, request) = requests.take(operation)
    request.pointee.fill(extents, core.arena)
    slot.pointee.send.isThere = true
    slot.pointee.send.request = number
    slot.pointee.inFlight += 1
    prepare(
      SIMSAN_URING_SEND, slot.pointee.descriptor, UInt64(number), request.pointee.message,
      flags: operation.moreToCome ? 1 : 0)
  }

  private func accept(_ operation: Operation) {
    guard let slot = core.slots.find(operation.handle, .listener) else {
      return core.complete(operation.token, .staleHandle)
    }
    let (number, _) = requests.take(operation)
    slot.pointee.accepts.append(HostSlot.Pending(isThere: true, token: operation.token, request: number))
    slot.pointee.inFlight += 1
    prepare(SIMSAN_URING_ACCEPT, slot.pointee.descriptor, UInt64(number))
  }

  private func connect(_ operation: Operation, _ address: SocketAddress) {
    var system = simsan_address(address)
    let descriptor = simsan_socket(&system)
    guard descriptor >= 0 else { return core.complete(operation.token, RingError(socketError: -descriptor)) }
    simsan_set_blocking(descriptor, 1)
    let (handle, index) = core.slots.take(descriptor, .socket)
    var operation = operation
    operation.handle = handle
    let (number, request) = requests.take(operation)
    let slot = core.slots[index]
    slot.pointee.connect = HostSlot.Pending(isThere: true, token: operation.token, request: number)
    slot.pointee.inFlight += 1
    // The address goes where a message would: the request keeps it until the kernel has read it.
    let length = request.pointee.message.withMemoryRebound(to: UInt64.self, capacity: RequestTable.messageWords) {
      simsan_fill_sockaddr(&system, $0)
    }
    prepare(SIMSAN_URING_CONNECT, descriptor, UInt64(number), request.pointee.message, UInt64(length))
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
    admit(operation, extents, slot)
  }

  private func range(_ operation: Operation) {
    guard let slot = core.slots.find(operation.handle, .medium) else {
      return core.complete(operation.token, .staleHandle)
    }
    if let refusal = core.refusal(slot, operation, [], operation.length) {
      return core.complete(operation.token, refusal)
    }
    // Block devices are zeroed by an ioctl, which io_uring does not have.
    guard operation.length > 0, slot.pointee.medium.is_block_device == 0 else { return core.offload(operation) }
    admit(operation, [], slot)
  }

  private func admit(_ operation: Operation, _ extents: ArraySlice<Extent>, _ slot: UnsafeMutablePointer<HostSlot>) {
    slot.pointee.inFlight += 1
    if media.admit(of: operation.handle.slot, (operation, Array(extents))) { start(operation, extents, slot) }
  }

  /// Readies an operation on a medium that the kernel may have now.
  private func start(_ operation: Operation, _ extents: ArraySlice<Extent>, _ slot: UnsafeMutablePointer<HostSlot>) {
    let (number, request) = requests.take(operation)
    request.pointee.fill(extents, core.arena)
    let code =
      switch operation.kind {
      case .read: SIMSAN_URING_READ
      case .write: SIMSAN_URING_WRITE
      case .discard: SIMSAN_URING_PUNCH
      case .writeZeroes: SIMSAN_URING_ZERO
      default: SIMSAN_URING_FLUSH
      }
    let isRange = operation.kind == .discard || operation.kind == .writeZeroes
    prepare(
      Int(code), slot.pointee.descriptor, UInt64(number), request.pointee.vector.entries,
      isRange ? operation.length : UInt64(request.pointee.vector.count), offset: operation.offset,
      flags: operation.forceUnitAccess ? 1 : 0)
    if !isRange, core.completesDeviceBatch(slot) {
      core.counters.systemCalls.media += 1
      // What it does not take now goes out with the next turn.
      _ = simsan_uring_submit(uring)
    }
  }

  /// Readies what has waited for others that the kernel is done with.
  private func startWaiting() {
    while let (operation, extents) = media.next() {
      start(operation, extents[...], core.slots[operation.handle.slot])
    }
  }

  // MARK: Closing and cancelling

  private func close(_ operation: Operation) {
    let index = operation.handle.slot
    guard
      let slot = core.slots.find(operation.handle, .socket) ?? core.slots.find(operation.handle, .listener)
        ?? core.slots.find(operation.handle, .medium)
    else { return core.complete(operation.token, .staleHandle) }
    if slot.pointee.kind == .socket {
      if slot.pointee.receive.isThere { withdraw(slot.pointee.receive.request) }
      if slot.pointee.send.isThere { withdraw(slot.pointee.send.request) }
      if let connecting = slot.pointee.connect { withdraw(connecting.request) }
      if let token = slot.pointee.shutdown {
        slot.pointee.shutdown = nil
        core.complete(token, .cancelled)
      }
      if operation.length != 0 { simsan_linger_zero(slot.pointee.descriptor) }
    } else if slot.pointee.kind == .listener {
      for waiting in slot.pointee.accepts { withdraw(waiting.request) }
    }
    slot.pointee.kind = .closing
    slot.pointee.closeToken = operation.token
    closeIfDone(index, slot)
  }

  /// Asks the kernel to give up a request; its completion tells whether it did.
  private func withdraw(_ number: UInt32) {
    prepare(SIMSAN_URING_CANCEL, -1, Self.unattended, nil, UInt64(number))
  }

  private func closeIfDone(_ index: Int, _ slot: UnsafeMutablePointer<HostSlot>) {
    guard slot.pointee.kind == .closing, slot.pointee.inFlight == 0, let token = slot.pointee.closeToken else { return }
    core.counters.systemCalls.others += 1
    simsan_close(slot.pointee.descriptor)
    core.slots.give(index)
    core.complete(token)
  }

  private func cancel(_ operation: Operation) {
    let target = Token(operation.offset)
    if core.cancelLocally(target) { return core.complete(operation.token) }
    if let index = media.withdraw(where: { $0.operation.token == target }) {
      let slot = core.slots[index]
      slot.pointee.inFlight -= 1
      core.complete(target, .cancelled)
      core.complete(operation.token)
      return closeIfDone(index, slot)
    }
    if core.noteCanceller(operation.token, of: target) { return }
    guard let number = requests.find(target), requests[number].pointee.canceller == nil else {
      return core.complete(operation.token, .notFound)
    }
    // The answer goes out behind the request's own completion.
    requests[number].pointee.canceller = operation.token
    withdraw(number)
  }

  // MARK: Reaping

  func reap(into completions: inout [Completion], until deadline: Instant) {
    core.counters.turns += 1
    while true {
      watchInbox()
      turn(core.ready.isEmpty ? deadline : .zero)
      startWaiting()
      core.completeDueTimers()
      core.deliverMessages { adopt($0) }
      core.takeDone(closed: { closeIfDone($0, core.slots[$0]) }, own: { _ in })
      if core.handOver(to: &completions) { return }
      if core.takeInterrupt() || (deadline != .distantFuture && core.now >= deadline) { return }
    }
  }

  /// Submits what is ready, waits until `deadline` or the next timer, and takes what has completed.
  private func turn(_ deadline: Instant) {
    let until = min(deadline, core.timers.earliest ?? .distantFuture)
    core.lookOut(until: until) { turn(nanoseconds: $0) }
  }

  /// Submits, waits so long, without end when that is negative, and takes what has completed. False when nothing has.
  private func turn(nanoseconds: Int64) -> Bool {
    core.counters.systemCalls.waits += 1
    let count = simsan_uring_turn(uring, nanoseconds, &completed, UInt32(completed.count))
    take(count)
    return count > 0
  }

  private func take(_ count: Int32) {
    guard count > 0 else { return }
    for index in 0..<Int(count) {
      let completion = completed[index]
      switch completion.user_data {
      case Self.unattended:
        break
      case Self.inboxMark:
        core.hasMail = true
        mustWatchInbox = true
      default:
        done(UInt32(truncatingIfNeeded: completion.user_data), completion.result)
      }
    }
  }

  /// The kernel is done with a request.
  private func done(_ number: UInt32, _ result: Int64) {
    let request = requests[number]
    let kind = request.pointee.kind
    let token = request.pointee.token
    let index = request.pointee.handle.slot
    let slot = core.slots[index]
    let canceller = request.pointee.canceller
    let result = slot.pointee.told(kind, isStable: request.pointee.operation.forceUnitAccess, result)
    let failure = Int32(truncatingIfNeeded: result < 0 ? -result : 0)
    inFlight -= 1
    slot.pointee.inFlight -= 1
    var error = RingError.none
    switch kind {
    case .receive:
      slot.pointee.receive.isThere = false
      // Short: nothing is left, and the next one waits for more before it tries.
      slot.pointee.isReadable = result == Int64(request.pointee.vector.length)
      error = RingError(socketError: failure)
      core.complete(token, error, UInt64(max(0, result)))
    case .send:
      slot.pointee.send.isThere = false
      error = RingError(socketError: failure)
      core.complete(token, error, UInt64(max(0, result)))
      core.sendEnded(slot)
    case .accept:
      slot.pointee.accepts.removeAll { $0.request == number }
      error = RingError(socketError: failure)
      if result >= 0 {
        let descriptor = Int32(truncatingIfNeeded: result)
        simsan_prepare_accepted(descriptor)
        core.counters.systemCalls.others += 4
        core.complete(token, .none, core.slots.take(descriptor, .socket).handle.rawValue)
      } else {
        core.complete(token, error)
      }
    case .connect:
      slot.pointee.connect = nil
      error = RingError(socketError: failure)
      if result < 0, slot.pointee.kind == .socket {
        simsan_close(slot.pointee.descriptor)
        core.slots.give(index)
      }
      core.complete(token, error, result < 0 ? 0 : request.pointee.handle.rawValue)
    case .discard, .writeZeroes:
      media.finish(of: index)
      if failure == EOPNOTSUPP || failure == ENOSYS || failure == EINVAL {
        // Not by io_uring, or not on this file system. A cancel has come too late either way.
        slot.pointee.inFlight += 1
        core.offloadChecked(request.pointee.operation)
        requests.give(number)
        if let canceller { _ = core.noteCanceller(canceller, of: token) }
        return
      } else {
        error = RingError(mediumError: failure)
        core.complete(token, error)
      }
    case .read, .write:
      media.finish(of: index)
      // Nothing at all, within the medium: the file has been cut short behind our back.
      error = result == 0 ? .mediumError : RingError(mediumError: failure)
      core.complete(token, error, UInt64(max(0, result)))
    default:
      media.finish(of: index)
      error = RingError(mediumError: failure)
      core.complete(token, error)
    }
    requests.give(number)
    if let canceller { core.complete(canceller, error == .cancelled ? .none : .notFound) }
    closeIfDone(index, slot)
  }
}
