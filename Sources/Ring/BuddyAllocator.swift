/// Hands out page-aligned buffers of an arena, in powers of two.
///
/// A buddy allocator: what is given back merges with its free neighbour, so that small buffers never starve large ones
/// for good. Merging is put off while a class holds few free blocks: the path of a read takes a block from a list and
/// puts it back, and splits and merges nothing.
public struct BuddyAllocator {
  private static let minimumShift = 12

  /// How many free blocks of a class stay unmerged.
  private static let keptPerClass = 64

  private let classCount: Int
  private let pageCount: Int

  /// The free blocks of each class, by page number, as a doubly linked list through `next` and `previous`.
  private var heads: [Int32]
  private var counts: [Int32]
  private var next: [Int32]
  private var previous: [Int32]

  /// For the first page of a block: its class, plus ``freeBit`` when it is free. 0xFF elsewhere.
  private var state: [UInt8]
  private static let freeBit: UInt8 = 0x80
  private static let interior: UInt8 = 0x7F

  /// Bytes handed out and not yet given back.
  public private(set) var bytesInUse = 0

  /// Buffers handed out and not yet given back.
  public private(set) var buffersInUse = 0

  /// The most bytes that were ever in use.
  public private(set) var bytesInUseMax = 0

  /// An allocator of the whole of an arena of `capacity` bytes, a power of two of at least a page.
  public init(capacity: Int) {
    precondition(capacity >= 1 << Self.minimumShift && capacity & (capacity - 1) == 0 && capacity <= 1 << 40)
    pageCount = capacity >> Self.minimumShift
    classCount = pageCount.trailingZeroBitCount + 1
    heads = Array(repeating: -1, count: classCount)
    counts = Array(repeating: 0, count: classCount)
    next = Array(repeating: -1, count: pageCount)
    previous = Array(repeating: -1, count: pageCount)
    state = Array(repeating: Self.interior, count: pageCount)
    push(0, classCount - 1)
  }

  /// The largest buffer that could ever be had, in bytes.
  public var lengthMax: Int { pageCount << Self.minimumShift }

  /// A buffer of at least `length` bytes; the extent's length is exactly `length`. Nil when there is none.
  public mutating func allocate(_ length: Int) -> Extent? {
    guard length > 0, length <= lengthMax else { return nil }
    let wanted = Self.sizeClass(length)
    var found = wanted
    while found < classCount, heads[found] < 0 { found += 1 }
    guard found < classCount else {
      return mergeAll() ? allocate(length) : nil
    }
    let page = pop(found)
    while found > wanted {
      found -= 1
      push(page + 1 << found, found)
    }
    state[page] = UInt8(wanted)
    bytesInUse += 1 << (wanted + Self.minimumShift)
    buffersInUse += 1
    bytesInUseMax = max(bytesInUseMax, bytesInUse)
    return Extent(offset: page << Self.minimumShift, length: length)
  }

  /// Takes back a buffer, named by any extent that starts where it starts. Traps when none was handed out there, which
  /// is a defect of the machine and cannot be brought about by a peer.
  public mutating func free(_ extent: Extent) {
    let page = extent.offset >> Self.minimumShift
    precondition(extent.offset & (1 << Self.minimumShift - 1) == 0 && Int(state[page]) < classCount, "not a buffer")
    let size = Int(state[page])
    bytesInUse -= 1 << (size + Self.minimumShift)
    buffersInUse -= 1
    push(page, size)
    if counts[size] > Self.keptPerClass { merge(page, size) }
  }

  private static func sizeClass(_ length: Int) -> Int {
    let pages = (length - 1) >> minimumShift
    return pages == 0 ? 0 : Int.bitWidth - pages.leadingZeroBitCount
  }

  private mutating func push(_ page: Int, _ size: Int) {
    state[page] = UInt8(size) | Self.freeBit
    let head = heads[size]
    next[page] = head
    previous[page] = -1
    if head >= 0 { previous[Int(head)] = Int32(page) }
    heads[size] = Int32(page)
    counts[size] += 1
  }

  private mutating func pop(_ size: Int) -> Int {
    let page = Int(heads[size])
    unlink(page, size)
    return page
  }

  private mutating func unlink(_ page: Int, _ size: Int) {
    let after = next[page]
    let before = previous[page]
    if before >= 0 { next[Int(before)] = after } else { heads[size] = after }
    if after >= 0 { previous[Int(after)] = before }
    counts[size] -= 1
    state[page] = Self.interior
  }

  /// Merges the free block at `page` with its free buddies, as far up as it goes.
  private mutating func merge(_ page: Int, _ size: Int) {
    var page = page
    var size = size
    while size < classCount - 1 {
      let buddy = page ^ 1 << size
      guard state[buddy] == UInt8(size) | Self.freeBit else { return }
      unlink(page, size)
      unlink(buddy, size)
      page = min(page, buddy)
      size += 1
      push(page, size)
    }
  }

  /// Merges everything that can be merged. True if anything was.
  private mutating func mergeAll() -> Bool {
    var merged = false
    for size in 0..<(classCount - 1) {
      var page = heads[size]
      while page >= 0 {
        let buddy = Int(page) ^ 1 << size
        if state[buddy] == UInt8(size) | Self.freeBit {
          merge(Int(page), size)
          merged = true
          page = heads[size]
        } else {
          page = next[Int(page)]
        }
      }
    }
    return merged
  }
}
