import Ring
import SimClock
import SimDisk
import SimNet

/// Carries out the operations of one machine on the virtual time, sockets and media of a ``World``.
///
/// The world steps the machine of a process by itself; a ring without a machine is driven by hand, as a test does it:
/// ``reap(into:until:)`` then lets virtual time pass until something has completed.
public final class SimRing: Ring {
  /// An operation that has not completed yet.
  struct Pending {
    var operation = Operation.none
    var generation: UInt32 = 0
    var isLive = false
    /// The order of submission, over the life of the ring.
    var sequence: UInt64 = 0
    var extents: [Extent] = []
    /// Media: what the faults in force have decided.
    var verdict = DiskVerdict(length: 0)
    var mark: UInt64 = 0
    /// With `World.checksBuffers`: what its memory held when it was handed over.
    var seal = Seal.none
    /// A cancel that came too late and waits for this operation to complete.
    var canceller: Token?
  }

  /// What is known of memory that the ring owns.
  enum Seal {
    case none
    /// It is all ``rubbish``.
    case rubbish
    /// The digest of what it holds.
    case digest(UInt64)
  }

  /// What a handle names.
  struct HandleSlot {
    enum Kind: UInt8 {
      case free
      case socket
      case listener
      case medium
    }

    var generation: UInt32 = 0
    var kind = Kind.free
    var socket = SocketID.none
    var listener = ListenerID.none
    var disk = 0
    /// The outstanding operations of a socket, by slot; -1 for none.
    var receive = -1
    var send = -1
    var connect = -1
    /// The shutdowns that wait for the send before them, oldest first.
    var shutdowns: [Int] = []
    /// The outstanding accepts of a listener, oldest first.
    var accepts: [Int] = []
  }

  /// A message on its way to a machine.
  struct Message {
    var bytes: [UInt8]
    var socket: SocketID
  }

  unowned let world: World
  let timeline: Timeline
  let network: Network

  public let process: ProcessID
  public let host: HostID

  /// Counts the lives of the process; events of an earlier life are ignored.
  var incarnation: UInt32 = 0

  /// The memory that the operations of the present machine refer to.
  public internal(set) var arena: Arena?

  var handles: [HandleSlot] = []
  var freeHandles: [Int] = []
  var pending: [Pending] = []
  var freePending: [Int] = []
  var tokens = TokenMap()
  var nextSequence: UInt64 = 0
  var clock = SkewedClock()
  /// How many faults presently leave the process without descriptors, and how often it met that.
  var shortages = 0
  var shortageCount: UInt64 = 0
  /// By the process's own clock. One that was cancelled has gone from its slot, and is passed over.
  var timers = EventQueue()
  /// When the earliest timer event that is under way is due, in nanoseconds.
  var timerEventTime: UInt64 = .max
  var ready: [Completion] = []
  var messages: [Message] = []
  var mailboxes: [Int] = []
  /// The bytes that were received since ``takeReceivedCount()``, which a step pays for.
  private var receivedCount: UInt64 = 0

  init(world: World, process: ProcessID, host: HostID) {
    self.world = world
    self.timeline = world.timeline
    self.network = world.network
    self.process = process
    self.host = host
  }

  // MARK: Ring

  /// Virtual time, as the process's own clock shows it.
  public var now: Instant { clock.local(at: timeline.now) }

  public func listen(
    at address: SocketAddress, backlog: Int
  ) throws(RingError) -> (listener: Handle, address: SocketAddress) {
    guard let index = makeHandle(.listener) else { throw .noResources }
    do {
      let (listener, address) = try network.listen(
        on: host, at: address, backlog: backlog, owner: owner(of: index))
      handles[index].listener = listener
      return (handle(of: index), address)
    } catch {
      freeHandle(index)
      throw error
    }
  }

  /// Opens a medium of this host, or of any.
  public func open(_ disk: DiskID) -> Handle {
    guard let index = makeHandle(.medium) else { return .none }
    handles[index].disk = Int(disk.rawValue)
    return handle(of: index)
  }

  public func submit(_ batch: inout Operations) {
    // The batch keeps its storage only while nobody else holds on to it.
    for index in batch.items.indices { begin(batch.items[index], in: batch) }
    batch.removeAll()
    world.deliverSignals()
  }

  private func begin(_ operation: Operation, in batch: borrowing Operations) {
    let addresses = batch.addresses
    let first = Int(operation.firstExtent)
    let end = first + Int(operation.extentCount)
    batch.extents.withUnsafeBufferPointer {
      begin(operation, UnsafeBufferPointer(rebasing: $0[first..<end]), addresses)
    }
  }

  public func reap(into completions: inout [Completion], until deadline: Instant) {
    if !world.isHandling {
      world.handleDue()
      let deadline = clock.world(at: deadline)
      while ready.isEmpty, timeline.now < deadline {
        guard let next = timeline.nextTime, next <= deadline else {
          // Nothing will happen before the deadline; a wait without end would never return.
          if deadline < .distantFuture { timeline.advance(to: deadline) }
          break
        }
        world.advanceOneInstant()
      }
    }
    drain(into: &completions)
  }

  func drain(into completions: inout [Completion]) {
    for completion in ready {
      timeline.record(
        .completion, detail: completion.error.rawValue, subject: process.rawValue, completion.token.rawValue,
        completion.result)
    }
    completions.append(contentsOf: ready)
    ready.removeAll(keepingCapacity: true)
  }

  /// What a machine has not given back to its ring, or waits for.
  public struct Holdings: Hashable, Sendable {
    /// Sockets that were accepted or connected, and not closed.
    public var sockets = 0
    /// Operations that have not completed, but for accepts and receives of messages, which an idle machine has.
    public var operations = 0
    /// Timers that have not gone off.
    public var timers = 0

    public init() {}
  }

  /// What the machine of this ring holds now.
  public var holdings: Holdings {
    var result = Holdings()
    for handle in handles where handle.kind == .socket { result.sockets += 1 }
    for each in pending where each.isLive {
      switch each.operation.kind {
      case .accept, .mailbox: break
      case .timer: result.timers += 1
      default: result.operations += 1
      }
    }
    return result
  }

  func countReceived(_ count: Int) { receivedCount &+= UInt64(count) }

  func takeReceivedCount() -> UInt64 {
    defer { receivedCount = 0 }
    return receivedCount
  }

  // MARK: Handles

  /// A handle is (generation, process, slot), so that one of another process is as stale as an old one.
  private static let slotBits: UInt64 = 20
  private static let processBits: UInt64 = 12

  func makeHandle(_ kind: HandleSlot.Kind) -> Int? {
    let index: Int
    if let free = freeHandles.popLast() {
      index = free
    } else {
      guard handles.count < 1 << Self.slotBits else { return nil }
      index = handles.count
      handles.append(HandleSlot())
    }
    handles[index].kind = kind
    return index
  }

  func freeHandle(_ index: Int) {
    handles[index].kind = .free
    handles[index].generation &+= 1
    handles[index].socket = .none
    handles[index].listener = .none
    handles[index].receive = -1
    handles[index].send = -1
    handles[index].connect = -1
    handles[index].shutdowns.removeAll(keepingCapacity: true)
    handles[index].accepts.removeAll(keepingCapacity: true)
    freeHandles.append(index)
  }

  func handle(of index: Int) -> Handle {
    Handle(
      UInt64(handles[index].generation) << 32
        | (UInt64(process.rawValue) & (1 << Self.processBits - 1)) << Self.slotBits | UInt64(index))
  }

  /// The slot of a handle of this kind; nil when it is stale.
  func index(of handle: Handle, _ kind: HandleSlot.Kind) -> Int? {
    let index = Int(handle.rawValue & (1 << Self.slotBits - 1))
    guard index < handles.count, handles[index].kind == kind, self.handle(of: index) == handle else { return nil }
    return index
  }

  /// What the network calls this handle's owner.
  func owner(of index: Int) -> UInt64 { UInt64(process.rawValue) << 32 | UInt64(index) }

  // MARK: Outstanding operations

  /// Keeps an operation until it completes. The slot's number.
  func keep(_ operation: Operation, _ extents: UnsafeBufferPointer<Extent>) -> Int {
    let index: Int
    if let free = freePending.popLast() {
      index = free
    } else {
      index = pending.count
      pending.append(Pending())
    }
    pending[index].operation = operation
    pending[index].seal = .none
    pending[index].isLive = true
    pending[index].sequence = nextSequence
    nextSequence += 1
    pending[index].extents.append(contentsOf: extents)
    if !tokens.insert(operation.token.rawValue, index) { world.note(.tokenReused, process, operation) }
    if world.checksBuffers { seal(index) }
    return index
  }

  /// The slots of the outstanding operations that meet `condition`, in the order of submission.
  func outstanding(_ condition: (Pending) -> Bool) -> [Int] {
    pending.indices.filter { pending[$0].isLive && condition(pending[$0]) }
      .sorted { pending[$0].sequence < pending[$1].sequence }
  }

  /// What the memory of a receive or read is filled with while the ring owns it.
  static let rubbish: UInt8 = 0xDB

  /// Notes what the memory of an operation holds, after spoiling it if the operation is to fill it.
  private func seal(_ index: Int) {
    switch pending[index].operation.kind {
    case .receive, .read, .mailbox:
      for extent in pending[index].extents {
        bytes(extent).initializeMemory(as: UInt8.self, repeating: Self.rubbish)
      }
      pending[index].seal = .rubbish
    case .send, .write: pending[index].seal = .digest(memoryDigest(index))
    default: break
    }
  }

  private func memoryDigest(_ index: Int) -> UInt64 {
    var digest: UInt64 = 0
    for extent in pending[index].extents { digest = Self.fold(digest, UnsafeRawBufferPointer(bytes(extent))) }
    return digest
  }

  /// Whether there is nothing but ``rubbish``. Buffers are long, and a step of a program has one or two of them.
  private static func isRubbish(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let pattern = UInt64(rubbish) &* 0x0101_0101_0101_0101
    var difference: UInt64 = 0
    var offset = 0
    while offset &+ 8 <= bytes.count {
      difference |= bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ pattern
      offset &+= 8
    }
    while offset < bytes.count {
      difference |= UInt64(bytes[offset] ^ rubbish)
      offset &+= 1
    }
    return difference == 0
  }

  /// Called before an outstanding operation touches its memory.
  func checkSeal(_ index: Int) {
    let isIntact =
      switch pending[index].seal {
      case .none: true
      case .rubbish: pending[index].extents.allSatisfy { Self.isRubbish(UnsafeRawBufferPointer(bytes($0))) }
      case .digest(let digest): memoryDigest(index) == digest
      }
    guard !isIntact else { return }
    pending[index].seal = .none
    world.note(.bufferChanged, process, pending[index].operation)
  }

  /// Completes an outstanding operation.
  func complete(_ index: Int, _ error: RingError, result: UInt64 = 0, handle: Handle = .none) {
    let token = pending[index].operation.token
    let canceller = pending[index].canceller
    tokens.remove(token.rawValue, index)
    pending[index].isLive = false
    pending[index].generation &+= 1
    pending[index].extents.removeAll(keepingCapacity: true)
    pending[index].canceller = nil
    freePending.append(index)
    finish(token, error, result: result, handle: handle)
    if let canceller { finish(canceller, .notFound) }
  }

  /// Puts a completion on the way to the machine.
  func finish(_ token: Token, _ error: RingError, result: UInt64 = 0, handle: Handle = .none) {
    ready.append(Completion(token: token, error: error, result: error == .none ? result : 0, handle: handle))
    world.wake(process)
  }

  /// Forgets everything that belonged to the present machine, whose process has ended.
  func forget() {
    incarnation &+= 1
    for index in pending.indices where pending[index].isLive {
      pending[index].isLive = false
      pending[index].generation &+= 1
      pending[index].extents.removeAll(keepingCapacity: true)
      pending[index].canceller = nil
      freePending.append(index)
    }
    for index in handles.indices where handles[index].kind != .free { freeHandle(index) }
    tokens.removeAll()
    timers.removeAll()
    timerEventTime = .max
    ready.removeAll(keepingCapacity: true)
    mailboxes.removeAll(keepingCapacity: true)
    messages.removeAll()
    arena = nil
  }
}

extension SimRing {
  /// The process dies: its kernel closes what it had open, in the order of the slots.
  func closeSockets() {
    for index in handles.indices {
      switch handles[index].kind {
      case .socket: network.close(handles[index].socket)
      case .listener: network.close(handles[index].listener)
      case .free, .medium: break
      }
    }
    for message in messages where message.socket != .none { network.close(message.socket) }
  }
}
