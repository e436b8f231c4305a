import CMemory

/// A run of bytes in an ``Arena``.
public struct Extent: Hashable, Sendable {
  /// The first byte, counted from the arena's start.
  public var offset: Int

  /// The number of bytes.
  public var length: Int

  @inlinable
  public init(offset: Int, length: Int) {
    self.offset = offset
    self.length = length
  }

  public static let empty = Extent(offset: 0, length: 0)

  /// The first byte after it.
  @inlinable
  public var end: Int { offset + length }

  /// Its first `count` bytes, or all of it if it is shorter.
  @inlinable
  public func prefix(_ count: Int) -> Extent { Extent(offset: offset, length: min(length, count)) }

  /// What is left after `count` bytes; empty if there are no more.
  @inlinable
  public func dropFirst(_ count: Int) -> Extent {
    let count = min(length, count)
    return Extent(offset: offset + count, length: length - count)
  }

  /// `count` bytes from `start` within it. The caller has checked that they are within.
  @inlinable
  public func slice(_ start: Int, _ count: Int) -> Extent {
    assert(start >= 0 && count >= 0 && start + count <= length)
    return Extent(offset: offset + start, length: count)
  }
}

/// All the memory that a machine's operations refer to: one page-aligned region for buffers, and annexes beside it, so
/// that memory is named by a number and costs no reference counting.
///
/// The pages are committed by the system when they are first touched; an arena that is mostly unused costs little.
public final class Arena {
  /// The first byte of the region for buffers.
  public let base: UnsafeMutableRawPointer

  /// The size of the region for buffers in bytes: a power of two, at least ``pageLength``.
  public let capacity: Int

  /// The alignment and the least buffer, in bytes.
  public static let pageLength = 4096

  /// The offsets of one annex: the first annex starts at this one, the next at twice of it. No region is longer.
  public static let annexSpan = 1 << 47

  /// As many as offsets can tell apart, and some fewer.
  private static let annexesMax = 65_000

  private var annexes: [(base: UnsafeMutableRawPointer, length: Int)] = []

  /// Makes an arena of `capacity` bytes, rounded up to a power of two.
  ///
  /// Errors: no resources, when the system does not give so much memory.
  public init(allocating capacity: Int) throws(RingError) {
    var size = Self.pageLength
    while size < min(capacity, Self.annexSpan) { size <<= 1 }
    // Swift's own allocation would trap.
    guard capacity <= size, let base = simsan_memory_allocate(size, Self.pageLength) else { throw .noResources }
    self.capacity = size
    self.base = base
  }

  /// Makes an arena of `capacity` bytes, rounded up to a power of two: a length that the program itself has chosen, and
  /// without which it can do nothing. A length that somebody asks for is for ``init(allocating:)``.
  public convenience init(capacity: Int) {
    do throws(RingError) { try self.init(allocating: capacity) } catch {
      // allow(trap): no file and no peer says how long it is, and Swift's own allocations trap as well
      fatalError("the system does not give \(capacity) bytes of memory")
    }
  }

  deinit {
    simsan_memory_free(base)
    for annex in annexes { simsan_memory_release(annex.base, annex.length) }
  }

  /// Reserves more memory that operations may refer to, for something else than buffers: it reads as zeroes until it is
  /// written, and lives as long as the arena. It starts at a large page.
  ///
  /// Errors: no resources, when the system gives no address space of that length.
  public func addAnnex(length: Int) throws(RingError) -> Extent {
    guard length > 0, length <= Self.annexSpan, annexes.count < Self.annexesMax,
      let base = simsan_memory_reserve(length)
    else { throw .noResources }
    annexes.append((base, length))
    return Extent(offset: annexes.count * Self.annexSpan, length: length)
  }

  /// The bytes of `extent`. Traps when they are not within the arena, which no peer can bring about: extents come from
  /// the allocator or from ``addAnnex(length:)``, and are only ever made smaller.
  @inlinable
  public func bytes(_ extent: Extent) -> UnsafeMutableRawBufferPointer {
    if extent.offset >= Self.annexSpan { return annexBytes(extent) }
    precondition(extent.offset >= 0 && extent.length >= 0 && extent.length <= capacity - extent.offset)
    return UnsafeMutableRawBufferPointer(start: base + extent.offset, count: extent.length)
  }

  @usableFromInline
  func annexBytes(_ extent: Extent) -> UnsafeMutableRawBufferPointer {
    let annex = annexes[extent.offset / Self.annexSpan - 1]
    let within = extent.offset & (Self.annexSpan - 1)
    precondition(extent.length >= 0 && extent.length <= annex.length - within)
    return UnsafeMutableRawBufferPointer(start: annex.base + within, count: extent.length)
  }
}
