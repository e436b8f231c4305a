import CHost
import Glibc
import Ring

/// What a host ring has done so far.
public struct HostRingCounters: Sendable, Equatable {
  /// Turns of the loop: calls of `reap`.
  public var turns: UInt64 = 0
  public var operations: UInt64 = 0
  public var completions: UInt64 = 0
  /// System calls made on the path of operations.
  public var systemCalls: UInt64 = 0

  public init() {}
}

/// What both host rings have in common: handles, timers, messages, addresses, and media that are opened by path.
final class HostCore {
  let arena: Arena
  let inbox = Inbox()
  let machine: MachineID
  var slots = HostSlotTable()
  var timers = TimerQueue()
  var ready: [Completion] = []
  var counters = HostRingCounters()
  var busyPoll = Interval.zero
  private var mailboxes: [(token: Token, extent: Extent)] = []
  private var messages: [Inbox.Message] = []
  /// The inbox has signalled that something is in it.
  var hasMail = false
  private var wasInterrupted = false
  private let start: UInt64
  /// Whether its sockets block: with io_uring.
  let blocks: Bool

  init(arena: Arena, blocks: Bool) {
    self.arena = arena
    self.blocks = blocks
    machine = PostOffice.register(inbox)
    start = simsan_monotonic_nanoseconds()
  }

  deinit { PostOffice.remove(machine) }

  var now: Instant { Instant(nanoseconds: simsan_monotonic_nanoseconds() - start) }

  @inline(__always)
  func complete(_ token: Token, _ error: RingError = .none, _ result: UInt64 = 0, _ handle: Handle = .none) {
    ready.append(Completion(token: token, error: error, result: result, handle: handle))
  }

  /// Asks the kernel until something has come, as long as ``busyPoll`` says and not beyond `deadline`. False when
  /// nothing has, and the ring is to sleep.
  @inline(__always)
  func pollBusily(until deadline: Instant, _ ask: () -> Bool) -> Bool {
    guard busyPoll > .zero, deadline > .zero else { return false }
    let end = min(deadline, now + busyPoll)
    repeat {
      if ask() { return true }
    } while now < end
    return false
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

  func openMedium(path: String, readOnly: Bool, direct: Bool) throws(MediumError) -> (Handle, MediumInfo) {
    var medium = simsan_medium()
    let descriptor = simsan_open_medium(path, readOnly ? 1 : 0, direct ? 1 : 0, &medium)
    guard descriptor >= 0 else { throw MediumError(path: path, number: -descriptor) }
    let (handle, index) = slots.take(descriptor, .medium)
    slots[index].pointee.medium = medium
    slots[index].pointee.isReadOnly = readOnly
    return (
      handle,
      MediumInfo(
        size: medium.size, alignment: Int(medium.alignment), isReadOnly: readOnly,
        isBlockDevice: medium.is_block_device != 0)
    )
  }

  // MARK: Operations that need no kernel

  func describe(_ operation: Operation, _ extents: ArraySlice<Extent>) {
    guard let slot = slots.find(operation.handle, .socket) else { return complete(operation.token, .staleHandle) }
    var local = simsan_address()
    var remote = simsan_address()
    counters.systemCalls += 2
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

  /// The socket of a `post`, taken out of this ring; nil when it may not move, which has been answered.
  func post(_ operation: Operation, _ extents: ArraySlice<Extent>, release: (Int) -> Void) {
    guard let inbox = PostOffice.inbox(of: MachineID(UInt32(truncatingIfNeeded: operation.offset))) else {
      return complete(operation.token, .unreachable)
    }
    var socket: Int32 = -1
    if operation.handle != .none {
      guard let slot = slots.find(operation.handle, .socket) else { return complete(operation.token, .staleHandle) }
      guard !slot.pointee.receive.isThere, !slot.pointee.send.isThere, slot.pointee.connect == nil,
        slot.pointee.inFlight == 0
      else { return complete(operation.token, .other) }
      socket = slot.pointee.descriptor
      let index = Int(operation.handle.rawValue & 0xFFFF_FFFF)
      release(index)
      slots.give(index)
    }
    var bytes: [UInt8] = []
    for extent in extents { bytes += arena.bytes(extent) }
    inbox.put(Inbox.Message(bytes: bytes, socket: socket))
    complete(operation.token)
  }

  func mailbox(_ operation: Operation, _ extents: ArraySlice<Extent>) {
    mailboxes.append((operation.token, extents.first ?? .empty))
  }

  /// Puts messages that have come into mailboxes that wait. `adopt` makes a handle of a socket.
  func deliverMessages(adopt: (Int32) -> Handle) {
    if hasMail {
      hasMail = false
      counters.systemCalls += 1
      let new = inbox.takeAll()
      if new.isEmpty { wasInterrupted = true }
      messages += new
    }
    while !mailboxes.isEmpty, !messages.isEmpty {
      let (token, extent) = mailboxes.removeFirst()
      let message = messages.removeFirst()
      let bytes = arena.bytes(extent)
      let count = min(bytes.count, message.bytes.count)
      UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]).copyBytes(from: message.bytes[..<count])
      complete(token, .none, UInt64(message.bytes.count), message.socket >= 0 ? adopt(message.socket) : .none)
    }
  }

  /// Whether the inbox signalled and nothing was in it: somebody wants the loop to look around.
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

  // MARK: Media

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
    let alignment = UInt64(slot.pointee.medium.alignment)
    guard alignment > 1 else { return nil }
    if operation.offset % alignment != 0 { return .misaligned }
    for extent in extents
    where UInt64(extent.length) % alignment != 0
      || UInt64(UInt(bitPattern: arena.base) + UInt(extent.offset)) % alignment != 0
    {
      return .misaligned
    }
    return nil
  }

  /// Discards, zeroes or seeks, at once. Where the file system knows no holes, zeroes are written.
  func performAtOnce(_ operation: Operation) {
    guard let slot = slots.find(operation.handle, .medium) else { return complete(operation.token, .staleHandle) }
    if let refusal = refusal(slot, operation, [], operation.kind == .seek ? 0 : operation.length) {
      return complete(operation.token, refusal)
    }
    let descriptor = slot.pointee.descriptor
    let isBlockDevice = slot.pointee.medium.is_block_device
    counters.systemCalls += 1
    if operation.kind == .seek {
      let found = simsan_seek(descriptor, operation.offset, operation.seekHole ? 1 : 0)
      if found == -Int64(ENXIO) { return complete(operation.token, .none, slot.pointee.medium.size) }
      guard found >= 0 else {
        return complete(operation.token, RingError(mediumError: Int32(truncatingIfNeeded: -found)))
      }
      return complete(operation.token, .none, min(UInt64(found), slot.pointee.medium.size))
    }
    guard operation.length > 0 else { return complete(operation.token) }
    var result =
      operation.kind == .discard
      ? simsan_discard(descriptor, isBlockDevice, operation.offset, operation.length)
      : simsan_write_zeroes(descriptor, isBlockDevice, operation.offset, operation.length)
    if result == -EOPNOTSUPP || result == -ENOSYS { result = writeZeroesByHand(descriptor, operation) }
    complete(operation.token, RingError(mediumError: -result))
  }

  private func writeZeroesByHand(_ descriptor: Int32, _ operation: Operation) -> Int32 {
    let pieceLength: UInt64 = 1 << 20
    let zeroes = UnsafeMutableRawPointer.allocate(byteCount: Int(pieceLength), alignment: 4096)
    defer { zeroes.deallocate() }
    zeroes.initializeMemory(as: UInt8.self, repeating: 0, count: Int(pieceLength))
    var done: UInt64 = 0
    while done < operation.length {
      let written = simsan_pwrite(
        descriptor, zeroes, Int(min(pieceLength, operation.length - done)), operation.offset + done)
      guard written > 0 else { return written == 0 ? -EIO : Int32(truncatingIfNeeded: written) }
      done += UInt64(written)
    }
    return 0
  }
}

/// What is to be known of a medium that was opened.
public struct MediumInfo: Sendable, Equatable {
  /// Bytes.
  public var size: UInt64
  /// What offsets, lengths and memory must be multiples of, in bytes; 1 for any.
  public var alignment: Int
  public var isReadOnly: Bool
  public var isBlockDevice: Bool
}

/// Why a medium could not be opened, for people.
public struct MediumError: Error, CustomStringConvertible, Sendable {
  public var path: String
  public var number: Int32

  public var description: String {
    switch number {
    case ENOENT: "\(path): there is no such file; make it, for instance with: truncate -s 1G \(path)"
    case EISDIR: "\(path): is a directory, not a file or block device"
    case ENODEV: "\(path): is neither a regular file nor a block device"
    case EACCES, EPERM: "\(path): permission denied; check its owner and mode"
    case EROFS: "\(path): the file system is read-only; say read_only = true"
    case EINVAL: "\(path): cannot be opened for direct I/O; its file system does not offer it"
    case EBUSY: "\(path): is in use by somebody else"
    default: "\(path): \(String(cString: strerror(number)))"
    }
  }
}

extension SocketAddress {
  init(_ system: simsan_address) {
    var copy = system
    let (high, low) = withUnsafeBytes(of: &copy.bytes) {
      (
        UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
        UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
    self.init(high: high, low: low, port: system.port, zone: system.zone)
  }
}

extension simsan_address {
  init(_ address: SocketAddress) {
    self.init()
    withUnsafeMutableBytes(of: &bytes) {
      $0.storeBytes(of: address.high.bigEndian, toByteOffset: 0, as: UInt64.self)
      $0.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    zone = address.zone
    port = address.port
    is_ipv4 = address.isIPv4 ? 1 : 0
  }
}
