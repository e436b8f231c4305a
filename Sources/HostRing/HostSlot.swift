import CHost
import Glibc
import Ring

/// What a handle of a host ring stands for.
struct HostSlot {
  enum Kind: UInt8 {
    case free
    case listener
    case socket
    case medium
    /// Its close has been asked for and waits for what is outstanding.
    case closing
  }

  var kind = Kind.free
  var descriptor: Int32 = -1
  var generation: UInt32 = 0

  // MARK: Sockets

  /// There may be something to receive (or to accept), or room to send: try before waiting.
  var isReadable = false
  var isWritable = false
  /// The peer has ended, so that a short receive does not mean that nothing is left.
  var hasHungUp = false
  /// What waits: the requests' numbers with io_uring; with epoll just whether there is one.
  var receive = Pending()
  var send = Pending()
  var connect: Pending?
  var accepts: [Pending] = []
  /// A shutdown that waits for the send before it.
  var shutdown: Token?

  // MARK: Media

  var medium = simsan_medium()
  var isReadOnly = false
  /// Opened for direct I/O: the kernel works on its reads and writes while the loop goes on.
  var isDirect = false
  /// A failure that a stable write was told, and that the next flush is to fail with: a negative errno, or 0.
  var failureForFlush: Int64 = 0

  // MARK: Closing

  /// Requests that the kernel works on.
  var inFlight = 0
  var closeToken: Token?

  struct Pending {
    var isThere = false
    var token = Token(0)
    var vector = IOVector()
    var moreToCome = false
    /// The number of the request, with io_uring.
    var request: UInt32 = 0
  }
}

extension HostSlot {
  /// What the machine is told of an operation on a medium that the kernel has done with a result.
  ///
  /// Of data in the page cache that could not be written back, the kernel tells a descriptor once. That may be a stable
  /// write, of other data: the next flush fails with it as well, since it must not say of those that they are stable. So
  /// does a flush that is under way, which the kernel has then told nothing.
  mutating func told(_ kind: Operation.Kind, isStable: Bool, _ result: Int64) -> Int64 {
    guard result != -Int64(ECANCELED) else { return result }
    switch kind {
    case .write:
      if isStable, result < 0 { failureForFlush = result }
      return result
    case .flush:
      defer { failureForFlush = 0 }
      return result < 0 ? result : failureForFlush
    default:
      return result
    }
  }
}

/// Handles of a host ring: a slot, and the generation of what it stands for.
extension Handle {
  init(slot: Int, generation: UInt32) { self.init(UInt64(generation) << 32 | UInt64(slot)) }

  @inline(__always)
  var slot: Int { Int(rawValue & 0xFFFF_FFFF) }

  @inline(__always)
  var generation: UInt32 { UInt32(rawValue >> 32) }
}

/// The slots of a ring, at addresses that never change.
struct HostSlotTable: ~Copyable {
  private var chunks: [UnsafeMutablePointer<HostSlot>] = []
  private var freeList: [UInt32] = []
  private(set) var count = 0
  private static let chunkLength = 256

  deinit {
    for (number, chunk) in chunks.enumerated() {
      for index in 0..<min(Self.chunkLength, count - number * Self.chunkLength) {
        if chunk[index].descriptor >= 0 { simsan_close(chunk[index].descriptor) }
        chunk[index].receive.vector.free()
        chunk[index].send.vector.free()
      }
      chunk.deinitialize(count: Self.chunkLength)
      chunk.deallocate()
    }
  }

  /// The slot of an index below ``count``.
  @inline(__always)
  subscript(index: Int) -> UnsafeMutablePointer<HostSlot> {
    chunks[index / Self.chunkLength] + index % Self.chunkLength
  }

  /// The slot that a handle names, if it is open and of that kind.
  @inline(__always)
  func find(_ handle: Handle, _ kind: HostSlot.Kind) -> UnsafeMutablePointer<HostSlot>? {
    let index = handle.slot
    guard index < count else { return nil }
    let slot = self[index]
    guard slot.pointee.generation == handle.generation, slot.pointee.kind == kind else { return nil }
    return slot
  }

  mutating func take(_ descriptor: Int32, _ kind: HostSlot.Kind) -> (handle: Handle, index: Int) {
    let index: Int
    if let free = freeList.popLast() {
      index = Int(free)
    } else {
      if count == chunks.count * Self.chunkLength {
        let chunk = UnsafeMutablePointer<HostSlot>.allocate(capacity: Self.chunkLength)
        chunk.initialize(repeating: HostSlot(), count: Self.chunkLength)
        chunks.append(chunk)
      }
      index = count
      count += 1
    }
    let slot = self[index]
    // The vectors keep their memory from use to use.
    let vectors = (slot.pointee.receive.vector, slot.pointee.send.vector)
    let generation = slot.pointee.generation &+ 1
    slot.pointee = HostSlot()
    slot.pointee.receive.vector = vectors.0
    slot.pointee.send.vector = vectors.1
    slot.pointee.kind = kind
    slot.pointee.descriptor = descriptor
    slot.pointee.generation = generation
    return (Handle(slot: index, generation: generation), index)
  }

  /// Gives a slot back; its descriptor is closed, or somebody else's, by now.
  mutating func give(_ index: Int) {
    self[index].pointee.kind = .free
    self[index].pointee.descriptor = -1
    freeList.append(UInt32(index))
  }
}

/// A vector of buffers for the kernel, whose memory is kept from use to use.
struct IOVector {
  private(set) var entries: UnsafeMutablePointer<iovec>?
  private var capacity = 0
  private(set) var count = 0
  /// The bytes of all buffers.
  private(set) var length = 0

  /// The most buffers that the kernel takes (IOV_MAX); with more of them, the transfer is a short one.
  private static let countMax = 1024

  mutating func fill(_ extents: ArraySlice<Extent>, _ arena: Arena) {
    let extents = extents.prefix(Self.countMax)
    if extents.count > capacity {
      entries?.deallocate()
      capacity = max(4, extents.count)
      entries = .allocate(capacity: capacity)
    }
    count = 0
    length = 0
    guard let entries else { return }
    for index in extents.indices {
      let bytes = arena.bytes(extents[index])
      entries[count] = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
      count += 1
      length += bytes.count
    }
  }

  func free() { entries?.deallocate() }
}
