/// Hands out page-aligned buffers of an arena, in powers of two.
///
/// A buddy allocator: what is given back merges with its free neighbour, so that small buffers never starve large ones
/// for good. Merging is put off while a class holds few free blocks: the path of a read takes a block from a list and
/// puts it back, and splits and merges nothing.
public struct BuddyAllocator: ~Copyable {
  private static let minimumShift = 12

  /// How many free blocks of a class stay unmerged.
  private static let keptPerClass = 64

  private let classCount: Int
  private let pageCount: Int

  /// The free blocks of a class, as a doubly linked list through ``Page/next`` and ``Page/previous``.
  private struct FreeList {
    var head: Int32 = -1
    var count: Int32 = 0
  }

  /// What is known of a page, if it is the first one of a block.
  private struct Page {
    var next: Int32 = -1
    var previous: Int32 = -1
    /// The block's class, plus ``BuddyAllocator/freeBit`` when it is free. ``BuddyAllocator/interior`` in the pages behind
    /// the first one.
    var state = BuddyAllocator.interior
  }

  private static let freeBit: UInt8 = 0x80
  private static let interior: UInt8 = 0x7F

  // Every command with data comes through here twice: no array, whose bounds and owners would be looked at in each line.
  // A class is below `classCount`, as it is computed from a length that is at most that of the arena, or comes out of a
  // page's state; a page is below `pageCount`, as it comes out of a list, is the buddy or a part of a block in a list, or
  // has been looked at in `free`.
  private let lists: UnsafeMutablePointer<FreeList>
  private let pages: UnsafeMutablePointer<Page>

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
    lists = .allocate(capacity: classCount)
    lists.initialize(repeating: FreeList(), count: classCount)
    pages = .allocate(capacity: pageCount)
    pages.initialize(repeating: Page(), count: pageCount)
    push(0, classCount - 1)
  }

  deinit {
    lists.deallocate()
    pages.deallocate()
  }

  /// The largest buffer that could ever be had, in bytes.
  public var lengthMax: Int { pageCount << Self.minimumShift }

  /// A buffer of at least `length` bytes; the extent's length is exactly `length`. Nil when there is none.
  public mutating func allocate(_ length: Int) -> Extent? {
    guard length > 0, length <= lengthMax else { return nil }
    let wanted = Self.sizeClass(length)
    var found = wanted
    while found < classCount, lists[found].head < 0 { found += 1 }
    guard found < classCount else {
      return mergeAll() ? allocate(length) : nil
    }
    let page = pop(found)
    while found > wanted {
      found -= 1
      push(page + 1 << found, found)
    }
    pages[page].state = UInt8(wanted)
    bytesInUse += 1 << (wanted + Self.minimumShift)
    buffersInUse += 1
    bytesInUseMax = max(bytesInUseMax, bytesInUse)
    return Extent(offset: page << Self.minimumShift, length: length)
  }

  /// Takes back a buffer, named by any extent that starts where it starts. Traps when none was handed out there, which
  /// is a defect of the machine and cannot be brought about by a peer.
  public mutating func free(_ extent: Extent) {
    let page = extent.offset >> Self.minimumShift
    precondition(
      extent.offset & (1 << Self.minimumShift - 1) == 0 && page >= 0 && page < pageCount
        && Int(pages[page].state) < classCount, "not a buffer")
    let size = Int(pages[page].state)
    bytesInUse -= 1 << (size + Self.minimumShift)
    buffersInUse -= 1
    push(page, size)
    if lists[size].count > Self.keptPerClass { merge(page, size) }
  }

  private static func sizeClass(_ length: Int) -> Int {
    let pages = (length - 1) >> minimumShift
    return pages == 0 ? 0 : Int.bitWidth - pages.leadingZeroBitCount
  }

  private mutating func push(_ page: Int, _ size: Int) {
    let head = lists[size].head
    pages[page] = Page(next: head, previous: -1, state: UInt8(size) | Self.freeBit)
    if head >= 0 { pages[Int(head)].previous = Int32(page) }
    lists[size].head = Int32(page)
    lists[size].count += 1
  }

  private mutating func pop(_ size: Int) -> Int {
    let page = Int(lists[size].head)
    unlink(page, size)
    return page
  }

  private mutating func unlink(_ page: Int, _ size: Int) {
    let after = pages[page].next
    let before = pages[page].previous
    if before >= 0 { pages[Int(before)].next = after } else { lists[size].head = after }
    if after >= 0 { pages[Int(after)].previous = before }
    lists[size].count -= 1
    pages[page].state = Self.interior
  }

  /// Merges the free block at `page` with its free buddies, as far up as it goes.
  private mutating func merge(_ page: Int, _ size: Int) {
    var page = page
    var size = size
    while size < classCount - 1 {
      let buddy = page ^ 1 << size
      guard pages[buddy].state == UInt8(size) | Self.freeBit else { return }
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
      var page = lists[size].head
      while page >= 0 {
        let buddy = Int(page) ^ 1 << size
        if pages[buddy].state == UInt8(size) | Self.freeBit {
          merge(Int(page), size)
          merged = true
          page = lists[size].head
        } else {
          page = pages[Int(page)].next
        }
      }
    }
    return merged
  }
}
