import CHost
import Glibc
import Ring

/// Reads, writes and flushes of media through libaio: a fixed number of requests in the kernel, and a queue before it.
struct AIOQueue: ~Copyable {
  /// One operation on a medium.
  struct Request {
    var token = Token(0)
    /// The medium's slot.
    var slot = 0
    var kind = Operation.Kind.read
    var isStable = false
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
  private var prepared: [UInt32] = []
  private var overflow: [(Operation, [Extent], Int, Int32)] = []
  private var arena: Arena?
  private var doneSlots: [UInt32]
  private var doneResults: [Int64]

  init(depth: Int) throws(HostRingError) {
    self.depth = depth
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

  var hasPrepared: Bool { !prepared.isEmpty || (!overflow.isEmpty && !freeList.isEmpty) }

  /// Queues an operation.
  mutating func add(
    _ operation: Operation, _ extents: ArraySlice<Extent>, _ arena: Arena, slot: Int, _ descriptor: Int32
  ) {
    self.arena = arena
    guard overflow.isEmpty, let number = freeList.popLast() else {
      overflow.append((operation, Array(extents), slot, descriptor))
      return
    }
    prepare(number, operation, extents, arena, slot, descriptor)
  }

  private mutating func prepare(
    _ number: UInt32, _ operation: Operation, _ extents: ArraySlice<Extent>, _ arena: Arena, _ slot: Int,
    _ descriptor: Int32
  ) {
    let index = Int(number)
    requests[index].token = operation.token
    requests[index].slot = slot
    requests[index].kind = operation.kind
    requests[index].isStable = operation.forceUnitAccess
    requests[index].descriptor = descriptor
    requests[index].offset = operation.offset
    requests[index].isInUse = true
    requests[index].canceller = nil
    requests[index].vector.fill(extents, arena)
    let code =
      switch operation.kind {
      case .read: SIMSAN_AIO_READ
      case .write: operation.forceUnitAccess ? SIMSAN_AIO_WRITE_FUA : SIMSAN_AIO_WRITE
      default: SIMSAN_AIO_FLUSH
      }
    simsan_aio_prepare(
      context, number, Int32(code), descriptor, requests[index].vector.entries, UInt32(requests[index].vector.count),
      operation.offset)
    prepared.append(number)
  }

  /// Notes a cancel of an operation that cannot be taken back. False when there is no such operation.
  mutating func noteCanceller(_ canceller: Token, of target: Token) -> Bool {
    guard let index = requests.firstIndex(where: { $0.isInUse && $0.token == target }) else { return false }
    requests[index].canceller = canceller
    return true
  }

  /// Hands the prepared requests to the kernel. What it does not take is done at once.
  mutating func submit(_ done: (Request, Int64) -> Void) {
    fillFromOverflow()
    while !prepared.isEmpty {
      let taken = simsan_aio_submit(context, prepared, UInt32(prepared.count))
      if taken > 0 {
        prepared.removeFirst(Int(taken))
        continue
      }
      if taken == -EAGAIN || taken == -EINTR {
        // The kernel has as much as it takes; it goes on when some of that has completed.
        if freeList.count + prepared.count < depth { return }
      }
      // Not to be had asynchronously (a flush before Linux 4.18, for one): done here and now.
      let number = prepared.removeFirst()
      finish(number, performAtOnce(requests[Int(number)], taken), done)
    }
  }

  private func performAtOnce(_ request: Request, _ error: Int32) -> Int64 {
    guard error == -EINVAL || error == -EOPNOTSUPP || error == -EAGAIN else { return Int64(error) }
    if request.kind == .flush { return Int64(simsan_flush_data(request.descriptor)) }
    let result =
      request.kind == .read
      ? preadv(request.descriptor, request.vector.entries, Int32(request.vector.count), off_t(request.offset))
      : pwritev(request.descriptor, request.vector.entries, Int32(request.vector.count), off_t(request.offset))
    guard result >= 0 else { return -Int64(errno) }
    if request.isStable {
      let flushed = simsan_flush_data(request.descriptor)
      if flushed < 0 { return Int64(flushed) }
    }
    return Int64(result)
  }

  private mutating func fillFromOverflow() {
    guard let arena else { return }
    var taken = 0
    while taken < overflow.count, let number = freeList.popLast() {
      let (operation, extents, slot, descriptor) = overflow[taken]
      prepare(number, operation, extents[...], arena, slot, descriptor)
      taken += 1
    }
    overflow.removeFirst(taken)
  }

  private mutating func finish(_ number: UInt32, _ result: Int64, _ done: (Request, Int64) -> Void) {
    requests[Int(number)].isInUse = false
    freeList.append(number)
    done(requests[Int(number)], result)
  }

  /// Takes what the kernel has completed.
  mutating func reap(_ done: (Request, Int64) -> Void) {
    simsan_eventfd_drain(eventfd)
    while true {
      let count = simsan_aio_reap(context, &doneSlots, &doneResults, UInt32(depth))
      guard count > 0 else { return }
      for index in 0..<Int(count) { finish(doneSlots[index], doneResults[index], done) }
      if count < depth { return }
    }
  }
}

/// Why a host ring cannot be had.
public struct HostRingError: Error, CustomStringConvertible, Sendable {
  public var what: String
  public var number: Int32

  init(_ what: String, _ number: Int32) {
    self.what = what
    self.number = number
  }

  public var description: String { "\(what): \(String(cString: strerror(number)))" }
}
