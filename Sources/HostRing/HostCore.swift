import CHost
import Glibc
import Ring

/// What both host rings have in common: handles, timers, messages, addresses, and media that are opened by path.
final class HostCore {
  let arena: Arena
  let inbox: Inbox
  let machine: MachineID
  var slots = HostSlotTable()
  var timers = TimerQueue()
  var ready: [Completion] = []
  var counters = HostRingCounters()
  var busyPoll: Interval?
  private var spin = SpinBudget()
  private var cachedWrites = CachedWrites()
  private var deviceOperations = 0
  /// For what is read and written at once.
  private var scratch = IOVector()
  private var mailboxes: [(token: Token, extent: Extent)] = []
  private var messages: [Inbox.Message] = []
  /// The inbox has signalled that something is in it.
  var hasMail = false
  private var wasInterrupted = false
  private let worker: Worker
  /// What the worker has been given; the index is the job's tag. Free places have no token.
  private var offloaded: [Offloaded] = []
  /// What the worker has done, while it is being taken.
  private var workDone: [Worker.Job] = []

  private struct Offloaded {
    var token: Token?
    var slot = 0
    /// A cancel that came too late, and completes behind it.
    var canceller: Token?
  }
  private let start: UInt64
  /// Whether its sockets block: with io_uring.
  let blocks: Bool

  init(arena: Arena, blocks: Bool) throws(HostRingError) {
    self.arena = arena
    self.blocks = blocks
    inbox = try Inbox()
    worker = Worker(eventfd: inbox.eventfd)
    machine = PostOffice.register(inbox)
    start = simsan_monotonic_nanoseconds()
  }

  deinit {
    PostOffice.remove(machine)
    // Before the descriptors and the memory that it works on are gone. Where it hangs, they stay.
    if !worker.stop() {
      _ = Unmanaged.passRetained(arena)
      for index in 0..<slots.count where slots[index].pointee.inFlight > 0 { slots[index].pointee.descriptor = -1 }
    }
    scratch.free()
    for message in messages where message.socket >= 0 { simsan_close(message.socket) }
  }

  var now: Instant { Instant(nanoseconds: simsan_monotonic_nanoseconds() - start) }

  @inline(__always)
  func complete(_ token: Token, _ error: RingError = .none, _ result: UInt64 = 0, _ handle: Handle = .none) {
    ready.append(Completion(token: token, error: error, result: result, handle: handle))
  }

  /// Takes what the kernel has, and waits for it until `deadline`: looks on for a while (``HostRing/busyPoll``), and
  /// sleeps when nothing has come.
  ///
  /// - Parameter ask: Asks the kernel, which may wait for so many nanoseconds, -1 without end; says whether something came.
  @inline(__always)
  func lookOut(until deadline: Instant, _ ask: (_ nanoseconds: Int64) -> Bool) {
    guard deadline > .zero else {
      _ = ask(0)
      return
    }
    if looksOn {
      if ask(0) { return }
      counters.looksOn &+= 1
      let idle = now
      let lookOn = idle + (busyPoll ?? spin.budget(at: idle))
      let end = min(deadline, lookOn)
      var time = idle
      while time < end {
        if ask(0) {
          spin.succeeded(at: time)
          return
        }
        time = now
      }
      if deadline < lookOn {
        // It is time for something else, which says nothing about what comes.
        spin.interrupted(at: time)
        return
      }
      spin.failed()
      counters.looksInVain &+= 1
    }
    counters.sleeps &+= 1
    _ = ask(wait(until: deadline))
    if busyPoll == nil { spin.woke(at: now) }
  }

  private var looksOn: Bool {
    if let busyPoll { busyPoll > .zero } else { spin.takesChance() }
  }

  // MARK: A turn

  /// Completes the timers that are due, in the order of their deadlines.
  func completeDueTimers() {
    guard timers.earliest != nil else { return }
    let now = now
    while let token = timers.takeDue(now) { complete(token) }
  }

  /// Appends what has completed to `completions`. False when nothing has.
  func handOver(to completions: inout [Completion]) -> Bool {
    guard !ready.isEmpty else { return false }
    counters.completions += UInt64(ready.count)
    completions.append(contentsOf: ready)
    ready.removeAll(keepingCapacity: true)
    return true
  }

  /// How long to wait for `deadline`, in nanoseconds as the kernel is told: 0 not at all, -1 without end.
  func wait(until deadline: Instant) -> Int64 {
    switch deadline {
    case .zero: 0
    case .distantFuture: -1
    default: Int64(clamping: (deadline - now).nanoseconds)
    }
  }

  // MARK: Opening

  func listen(_ address: SocketAddress, _ backlog: Int) throws(RingError) -> (index: Int, Handle, SocketAddress) {
    var system = simsan_address(address)
    let descriptor = simsan_listen(&system, Int32(clamping: backlog))
    guard descriptor >= 0 else { throw RingError(socketError: -descriptor) }
    if blocks { simsan_set_blocking(descriptor, 1) }
    let (handle, index) = slots.take(descriptor, .listener)
    return (index, handle, SocketAddress(system))
  }

  func openMedium(
    path: String, readOnly: Bool, direct: Bool, exclusive: Bool
  ) throws(MediumError) -> (Handle, MediumInfo) {
    var medium = simsan_medium()
    let descriptor = simsan_open_medium(path, readOnly ? 1 : 0, direct ? 1 : 0, exclusive ? 1 : 0, &medium)
    guard descriptor >= 0 else { throw MediumError(path: path, number: -descriptor) }
    let (handle, index) = slots.take(descriptor, .medium)
    slots[index].pointee.medium = medium
    slots[index].pointee.isReadOnly = readOnly
    slots[index].pointee.isDirect = direct
    return (
      handle,
      MediumInfo(
        size: medium.size, alignment: Int(medium.alignment), isReadOnly: readOnly,
        isBlockDevice: medium.is_block_device != 0)
    )
  }

  // MARK: Operations that both rings carry out alike

  func describe(_ operation: Operation, _ extents: ArraySlice<Extent>) {
    guard let slot = slots.find(operation.handle, .socket) else { return complete(operation.token, .staleHandle) }
    var local = simsan_address()
    var remote = simsan_address()
    counters.systemCalls.others += 2
    let length = SocketAddress.encodedLength
    guard let extent = extents.first, extent.length >= 2 * length,
      simsan_local_address(slot.pointee.descriptor, &local) == 0
    else { return complete(operation.token, .other) }
    // A peer that is gone already has no address; the connection ends at the next receive.
    guard simsan_remote_address(slot.pointee.descriptor, &remote) == 0 else {
      return complete(operation.token, .connectionReset)
    }
    let bytes = arena.bytes(extent)
    SocketAddress(local).encode(into: bytes)
    SocketAddress(remote).encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[length...]))
    complete(operation.token, .none, UInt64(2 * length))
  }

  /// Ends the stream of a socket, when what was submitted before has been sent.
  func shutdown(_ operation: Operation) {
    guard let slot = slots.find(operation.handle, .socket) else { return complete(operation.token, .staleHandle) }
    if slot.pointee.send.isThere { slot.pointee.shutdown = operation.token } else { shutDown(slot, operation.token) }
  }

  /// A send has ended for which a shutdown may have waited.
  func sendEnded(_ slot: UnsafeMutablePointer<HostSlot>) {
    guard let token = slot.pointee.shutdown else { return }
    slot.pointee.shutdown = nil
    shutDown(slot, token)
  }

  private func shutDown(_ slot: UnsafeMutablePointer<HostSlot>, _ token: Token) {
    counters.systemCalls.others += 1
    complete(token, RingError(socketError: -simsan_shutdown_write(slot.pointee.descriptor)))
  }

  func noDelay(_ operation: Operation) {
    guard let slot = slots.find(operation.handle, .socket) else { return complete(operation.token, .staleHandle) }
    counters.systemCalls.others += 1
    let result = simsan_no_delay(slot.pointee.descriptor, operation.length != 0 ? 1 : 0)
    complete(operation.token, RingError(socketError: -result))
  }

  /// Leaves a message for another machine. A socket that goes along is taken out of this ring; `release` undoes what the ring
  /// itself has to do with it.
  func post(_ operation: Operation, _ extents: ArraySlice<Extent>, release: (Int) -> Void) {
    guard let inbox = PostOffice.inbox(of: MachineID(UInt32(truncatingIfNeeded: operation.offset))) else {
      return complete(operation.token, .unreachable)
    }
    guard !inbox.isFull else { return complete(operation.token, .noResources) }
    var socket: Int32 = -1
    if operation.handle != .none {
      guard let slot = slots.find(operation.handle, .socket) else { return complete(operation.token, .staleHandle) }
      guard !slot.pointee.receive.isThere, !slot.pointee.send.isThere, slot.pointee.connect == nil,
        slot.pointee.inFlight == 0
      else { return complete(operation.token, .other) }
      socket = slot.pointee.descriptor
      let index = operation.handle.slot
      release(index)
      slots.give(index)
    }
    var bytes: [UInt8] = []
    for extent in extents { bytes += arena.bytes(extent) }
    inbox.put(Inbox.Message(bytes: bytes, socket: socket))
    counters.systemCalls.others += 1
    complete(operation.token)
  }

  /// A mailbox, which takes the first message that is here, or waits. `adopt` makes a handle of a socket.
  func mailbox(_ operation: Operation, _ extents: ArraySlice<Extent>, adopt: (Int32) -> Handle) {
    mailboxes.append((operation.token, extents.first ?? .empty))
    fillMailboxes(adopt)
  }

  /// Takes the messages that have come. `adopt` makes a handle of a socket.
  func deliverMessages(adopt: (Int32) -> Handle) {
    guard hasMail else { return }
    hasMail = false
    // Whoever signalled may have wanted no more than that: the loop looks around in any case.
    wasInterrupted = true
    counters.systemCalls.others += 1
    messages += inbox.takeAll()
    fillMailboxes(adopt)
  }

  /// Puts messages into mailboxes until there are none of the one or of the other: nothing signals that both are there, and
  /// the ring would sleep beside them.
  private func fillMailboxes(_ adopt: (Int32) -> Handle) {
    while !mailboxes.isEmpty, !messages.isEmpty {
      let (token, extent) = mailboxes.removeFirst()
      let message = messages.removeFirst()
      let bytes = arena.bytes(extent)
      let count = min(bytes.count, message.bytes.count)
      UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]).copyBytes(from: message.bytes[..<count])
      complete(token, .none, UInt64(message.bytes.count), message.socket >= 0 ? adopt(message.socket) : .none)
    }
  }

  /// Whether the inbox has signalled: somebody may want the loop to look around.
  func takeInterrupt() -> Bool {
    defer { wasInterrupted = false }
    return wasInterrupted
  }

  /// Cancels what only this side of the kernel knows: timers and mailboxes.
  func cancelLocally(_ target: Token) -> Bool {
    if timers.cancel(target) {
      complete(target, .cancelled)
      return true
    }
    if let at = mailboxes.firstIndex(where: { $0.token == target }) {
      mailboxes.remove(at: at)
      complete(target, .cancelled)
      return true
    }
    return false
  }

  /// Notes the cancel of something that the worker does, which completes first. False when it does no such thing, or another
  /// cancel of it waits already.
  func noteCanceller(_ canceller: Token, of target: Token) -> Bool {
    guard let index = offloaded.firstIndex(where: { $0.token == target && $0.canceller == nil }) else { return false }
    offloaded[index].canceller = canceller
    return true
  }

  // MARK: Media

  /// So many reads, writes, flushes and ranges of media the kernel has at a time. A single medium gets half of them, and one.
  static let mediaDepth = 512

  /// The bytes of `extents`. By index, as in all that the rings do with them: a debug build allocates for each element of
  /// a slice that it walks over.
  func length(_ extents: ArraySlice<Extent>) -> UInt64 {
    var length: UInt64 = 0
    for index in extents.indices { length += UInt64(extents[index].length) }
    return length
  }

  /// Checks a range against a medium; the error with which an operation on it is refused, or nil.
  func refusal(
    _ slot: UnsafeMutablePointer<HostSlot>, _ operation: Operation, _ extents: ArraySlice<Extent>, _ length: UInt64
  ) -> RingError? {
    let size = slot.pointee.medium.size
    guard operation.offset <= size, length <= size - operation.offset else { return .outOfRange }
    switch operation.kind {
    case .write, .discard, .writeZeroes:
      if slot.pointee.isReadOnly { return .readOnly }
    default: break
    }
    // Only what moves data between memory and medium has to be aligned.
    let alignment = UInt64(slot.pointee.medium.alignment)
    guard alignment > 1, operation.kind == .read || operation.kind == .write else { return nil }
    if operation.offset % alignment != 0 { return .misaligned }
    for index in extents.indices {
      let start = UInt64(UInt(bitPattern: arena.bytes(extents[index]).baseAddress))
      if start % alignment != 0 || UInt64(extents[index].length) % alignment != 0 { return .misaligned }
    }
    return nil
  }

  /// Completes a read, a write or a flush that moved `result` bytes, or failed with a negative errno.
  func completeMedium(_ token: Token, _ kind: Operation.Kind, _ result: Int64) {
    if result < 0 {
      complete(token, RingError(mediumError: Int32(truncatingIfNeeded: -result)))
    } else if result == 0, kind != .flush {
      // Nothing at all, within the medium: the file has been cut short behind our back.
      complete(token, .mediumError)
    } else {
      complete(token, .none, UInt64(result))
    }
  }

  /// Reads, writes or flushes at once what costs less to do than to hand to another thread: a file that lives in memory
  /// (4 KiB by io_uring: 7.3 us, and 5.0 so), where there is no device to wait for, and what is written to the page cache
  /// of a file system of this host, as long as nothing waits there. False, with nothing done, for everything else.
  ///
  /// - Parameter length: The bytes of `extents`; the caller has checked them, and the range.
  func carryOutAtOnce(
    _ slot: UnsafeMutablePointer<HostSlot>, _ operation: Operation, _ extents: ArraySlice<Extent>, _ length: UInt64
  ) -> Bool {
    let isMemory = slot.pointee.medium.is_memory != 0
    let isCachedWrite =
      !isMemory && slot.pointee.medium.is_remote == 0 && operation.kind == .write && !operation.forceUnitAccess
      && !slot.pointee.isDirect
    guard isMemory || isCachedWrite else { return false }
    let began = isCachedWrite ? now : .zero
    if isCachedWrite, !cachedWrites.isOwn(at: began) { return false }
    counters.systemCalls.media += 1
    scratch.fill(extents, arena)
    let kind: Worker.Job.Kind =
      switch operation.kind {
      case .read: .read
      case .write: .write
      default: .flush
      }
    let job = Worker.Job(
      kind: kind, descriptor: slot.pointee.descriptor, offset: operation.offset, vector: scratch.entries,
      count: scratch.count, tag: 0)
    let result = job.perform()
    if isCachedWrite { cachedWrites.took(from: began, to: now, bytes: length) }
    completeMedium(operation.token, operation.kind, result)
    return true
  }

  /// So many reads and writes of a device go to the kernel together, so that the device works on the first ones while the
  /// next ones are prepared: that takes 3 to 7 us each, and a virtual disk some 10 to carry one out. (4 KiB at depth 32
  /// with O_DIRECT: 1.1 times as many reads, 1.15 times as many writes. Batches of 8 are no better. With 1 and 2 a disk runs
  /// dry and has to be woken: as many reads, but 0.95 times as many writes.)
  private static let deviceBatch = 4

  /// Counts an operation that was prepared for a medium. True when what is prepared is to be handed to the kernel now.
  func completesDeviceBatch(_ slot: UnsafeMutablePointer<HostSlot>) -> Bool {
    // What goes by the page cache is done while it is handed over.
    guard slot.pointee.isDirect else { return false }
    deviceOperations &+= 1
    return deviceOperations % Self.deviceBatch == 0
  }

  /// Has the worker discard, zero or seek.
  func offload(_ operation: Operation) {
    guard let slot = slots.find(operation.handle, .medium) else { return complete(operation.token, .staleHandle) }
    if let refusal = refusal(slot, operation, [], operation.kind == .seek ? 0 : operation.length) {
      return complete(operation.token, refusal)
    }
    if operation.kind != .seek, operation.length == 0 { return complete(operation.token) }
    slot.pointee.inFlight += 1
    offloadChecked(operation)
  }

  /// The same for an operation that has been checked, and is counted as in flight.
  func offloadChecked(_ operation: Operation) {
    let index = operation.handle.slot
    let slot = slots[index]
    let kind: Worker.Job.Kind =
      switch operation.kind {
      case .discard: .discard
      case .seek: operation.seekHole ? .seekHole : .seekData
      default: .writeZeroes
      }
    let entry = Offloaded(token: operation.token, slot: index)
    let tag = offloaded.firstIndex { $0.token == nil } ?? offloaded.endIndex
    if tag < offloaded.endIndex { offloaded[tag] = entry } else { offloaded.append(entry) }
    worker.add(
      Worker.Job(
        kind: kind, descriptor: slot.pointee.descriptor, isBlockDevice: slot.pointee.medium.is_block_device,
        offset: operation.offset, length: operation.length, tag: tag))
  }

  /// Has the worker do a job of the ring's own: ``takeDone(_:own:)`` brings it back. Its tag is negative.
  func offload(_ job: Worker.Job) {
    assert(job.tag < 0)
    worker.add(job)
  }

  /// Completes what the worker has done. `closed` is told the slot of each, `own` gets the ring's own jobs.
  func takeDone(closed: (Int) -> Void, own: (Worker.Job) -> Void) {
    guard worker.isBusy else { return }
    worker.takeDone(&workDone)
    defer { workDone.removeAll(keepingCapacity: true) }
    for index in workDone.indices {
      let job = workDone[index]
      guard job.tag >= 0 else {
        own(job)
        continue
      }
      let entry = offloaded[job.tag]
      offloaded[job.tag] = Offloaded()
      guard let token = entry.token else { continue }
      let size = slots[entry.slot].pointee.medium.size
      slots[entry.slot].pointee.inFlight -= 1
      switch job.kind {
      case .seekHole, .seekData:
        // No more holes or data: the end of the medium.
        let position = job.result == -Int64(ENXIO) ? size : min(UInt64(max(0, job.result)), size)
        let error = job.result == -Int64(ENXIO) ? 0 : Int32(truncatingIfNeeded: max(0, -job.result))
        complete(token, RingError(mediumError: error), error == 0 ? position : 0)
      default:
        complete(token, RingError(mediumError: Int32(truncatingIfNeeded: -job.result)))
      }
      if let canceller = entry.canceller { complete(canceller, .notFound) }
      closed(entry.slot)
    }
  }
}
