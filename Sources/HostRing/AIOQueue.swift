import CHost
import Glibc
import Ring

/// Reads, writes and flushes of media through libaio: a fixed number of requests in the kernel, and ``MediaQueues`` before it.
struct AIOQueue: ~Copyable {
  /// One operation on a medium.
  struct Request {
    var token = Token(0)
    /// The medium's slot.
    var slot = 0
    var kind = Operation.Kind.read
    /// A write that has to be on stable media when it is done.
    var isStable = false
    /// The kernel carries it out before the submission returns: on the page cache.
    var isBuffered = false
    var descriptor: Int32 = -1
    var offset: UInt64 = 0
    var vector = IOVector()
    var isInUse = false
    /// A cancel that came too late, and completes behind it.
    var canceller: Token?
  }

  let eventfd: Int32
  private let context: OpaquePointer
  private let depth: Int
  private var requests: [Request]
  private var freeList: [UInt32]
  private var media: MediaQueues<(extents: [Extent], request: Request)>
  private var prepared: [UInt32] = []
  private var arena: Arena?
  /// Prepared requests that are the worker's.
  private var forWorker: [UInt32] = []
  private var doneSlots: [UInt32]
  private var doneResults: [Int64]
  private var systemCalls: UInt64 = 0

  init(depth: Int) throws(HostRingError) {
    self.depth = depth
    media = MediaQueues(depth: depth)
    eventfd = simsan_eventfd()
    guard eventfd >= 0 else { throw HostRingError("eventfd", -eventfd) }
    var error: Int32 = 0
    guard let context = simsan_aio_create(UInt32(depth), eventfd, &error) else {
      throw HostRingError("libaio", error)
    }
    self.context = context
    requests = Array(repeating: Request(), count: depth)
    freeList = (0..<UInt32(depth)).reversed()
    doneSlots = Array(repeating: 0, count: depth)
    doneResults = Array(repeating: 0, count: depth)
  }

  deinit {
    // Waits for what the kernel still works on.
    simsan_aio_destroy(context)
    simsan_close(eventfd)
    for request in requests { request.vector.free() }
  }

  var hasPrepared: Bool { !prepared.isEmpty || !forWorker.isEmpty || media.mayHaveNext }

  /// The system calls since the last time that they were taken.
  mutating func takeSystemCalls() -> UInt64 {
    defer { systemCalls = 0 }
    return systemCalls
  }

  /// Queues an operation.
  mutating func add(
    _ operation: Operation, _ extents: ArraySlice<Extent>, _ arena: Arena, slot: Int,
    _ medium: UnsafeMutablePointer<HostSlot>
  ) {
    self.arena = arena
    var request = Request()
    request.token = operation.token
    request.slot = slot
    request.kind = operation.kind
    request.isStable = operation.forceUnitAccess
    request.isBuffered = !medium.pointee.isDirect
    request.descriptor = medium.pointee.descriptor
    request.offset = operation.offset
    request.isInUse = true
    if media.admit(of: slot, (Array(extents), request)) { prepare(request, extents, arena) }
  }

  private mutating func prepare(_ request: Request, _ extents: ArraySlice<Extent>, _ arena: Arena) {
    // There is one: there are as many as are admitted.
    guard let number = freeList.popLast() else { return }
    let index = Int(number)
    // The vector keeps its memory from use to use.
    let vector = requests[index].vector
    requests[index] = request
    requests[index].vector = vector
    requests[index].vector.fill(extents, arena)
    if request.isBuffered, request.kind == .write {
      // It would wait for a device in the middle of the submission.
      forWorker.append(number)
      return
    }
    prepared.append(number)
    let code =
      switch request.kind {
      case .read: request.isBuffered ? SIMSAN_AIO_READ_NOWAIT : SIMSAN_AIO_READ
      case .write: request.isStable ? SIMSAN_AIO_WRITE_FUA : SIMSAN_AIO_WRITE
      default: SIMSAN_AIO_FLUSH
      }
    simsan_aio_prepare(
      context, number, Int32(code), request.descriptor, requests[index].vector.entries,
      UInt32(requests[index].vector.count), request.offset)
  }

  /// Notes a cancel of an operation that cannot be taken back. False when there is no such operation, or another cancel of it
  /// waits already.
  mutating func noteCanceller(_ canceller: Token, of target: Token) -> Bool {
    let index = requests.firstIndex { $0.isInUse && $0.token == target && $0.canceller == nil }
    guard let index else { return false }
    requests[index].canceller = canceller
    return true
  }

  /// Takes back an operation that the kernel has not been given. Its medium's slot; nil when there is no such operation.
  mutating func withdraw(_ target: Token) -> Int? { media.withdraw { $0.request.token == target } }

  /// Hands the prepared requests to the kernel; what it cannot do without waiting goes to the worker.
  mutating func submit(_ offload: (Worker.Job) -> Void, _ done: (Request, Int64) -> Void) {
    takeFromQueues()
    for index in forWorker.indices { offload(job(forWorker[index])) }
    forWorker.removeAll(keepingCapacity: true)
    while !prepared.isEmpty {
      systemCalls += 1
      let taken = simsan_aio_submit(context, prepared, UInt32(prepared.count))
      if taken > 0 {
        prepared.removeFirst(Int(taken))
        continue
      }
      if taken == -EAGAIN || taken == -EINTR {
        // The kernel has as much as it takes; it goes on when some of that has completed.
        if freeList.count + prepared.count < depth { return }
      }
      let number = prepared.removeFirst()
      if taken == -EINVAL || taken == -EOPNOTSUPP || taken == -EAGAIN {
        // Not to be had asynchronously: a flush before Linux 4.18, a file system that cannot say that it would wait.
        offload(job(number))
      } else {
        finish(number, Int64(taken), done)
      }
    }
  }

  /// A request as a job of the worker. Its tag is negative, as those of the ring's own jobs are.
  private func job(_ number: UInt32) -> Worker.Job {
    let request = requests[Int(number)]
    let kind: Worker.Job.Kind =
      switch request.kind {
      case .read: .read
      case .write: request.isStable ? .writeStable : .write
      default: .flush
      }
    return Worker.Job(
      kind: kind, descriptor: request.descriptor, offset: request.offset, vector: request.vector.entries,
      count: request.vector.count, tag: -1 - Int(number))
  }

  /// The worker is done with a request.
  mutating func finish(_ job: Worker.Job, _ done: (Request, Int64) -> Void) {
    finish(UInt32(-1 - job.tag), job.result, done)
  }

  private mutating func takeFromQueues() {
    guard let arena else { return }
    while let (extents, request) = media.next() { prepare(request, extents[...], arena) }
  }

  private mutating func finish(_ number: UInt32, _ result: Int64, _ done: (Request, Int64) -> Void) {
    requests[Int(number)].isInUse = false
    freeList.append(number)
    media.finish(of: requests[Int(number)].slot)
    done(requests[Int(number)], result)
  }

  /// Takes what the kernel has completed.
  mutating func reap(_ offload: (Worker.Job) -> Void, _ done: (Request, Int64) -> Void) {
    systemCalls += 1
    simsan_eventfd_drain(eventfd)
    while true {
      systemCalls += 1
      let count = simsan_aio_reap(context, &doneSlots, &doneResults, UInt32(depth))
      guard count > 0 else { return }
      for index in 0..<Int(count) {
        let number = doneSlots[index]
        if doneResults[index] == -Int64(EAGAIN) || doneResults[index] == -Int64(EOPNOTSUPP) {
          // It would have waited.
          offload(job(number))
        } else {
          finish(number, doneResults[index], done)
        }
      }
      if count < depth { return }
    }
  }
}
