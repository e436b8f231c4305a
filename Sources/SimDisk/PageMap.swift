/// Bytes by page number, of which only the pages that were written exist.
///
/// A radix tree of 512-way nodes, so that a medium of any size costs only what is written on it, and that a range of
/// any size is given back or zeroed by cutting off whole branches.
final class PageMap {
  static let pageLength = 4096
  private static let fanOut = 512
  private static let bitsPerLevel = 9
  private static let pagesPerChunk = 64

  /// What stands in a node for a whole branch below it.
  private static let hole: Int32 = 0
  private static let zeroes: Int32 = 1
  /// Larger entries name a node or a page, plus this.
  private static let base: Int32 = 2

  /// The levels of the tree; those above the lowest hold nodes, the lowest holds pages.
  private let levels: Int

  private var nodes: [Int32] = []
  private var freeNodes: [Int32] = []
  private var chunks: [UnsafeMutableRawPointer] = []
  private var freePages: [Int32] = []

  /// Pages that hold data.
  private(set) var pageCount = 0

  /// A map of `pageCountMax` pages, all of them holes.
  init(pageCountMax: UInt64) {
    var levels = 1
    while levels < 6, pageCountMax > 1 << UInt64(levels * Self.bitsPerLevel) { levels += 1 }
    self.levels = levels
    nodes = Array(repeating: Self.hole, count: Self.fanOut)
  }

  deinit {
    for chunk in chunks { chunk.deallocate() }
  }

  private func slot(_ page: UInt64, _ level: Int) -> Int {
    Int(truncatingIfNeeded: page >> UInt64(level * Self.bitsPerLevel)) & (Self.fanOut - 1)
  }

  private func address(_ entry: Int32) -> UnsafeMutableRawPointer {
    let index = Int(entry - Self.base)
    return chunks[index / Self.pagesPerChunk] + index % Self.pagesPerChunk * Self.pageLength
  }

  private func nodeStart(_ entry: Int32) -> Int { Int(entry - Self.base) * Self.fanOut }

  /// The page's bytes; nil for a hole or zeroes.
  func page(_ page: UInt64) -> UnsafeMutableRawPointer? {
    var node = 0
    var level = levels - 1
    while true {
      let entry = nodes[node + slot(page, level)]
      guard entry >= Self.base else { return nil }
      if level == 0 { return address(entry) }
      node = nodeStart(entry)
      level -= 1
    }
  }

  /// The page's bytes, made of zeroes if it had none.
  func makePage(_ page: UInt64) -> UnsafeMutableRawPointer {
    var node = 0
    var level = levels - 1
    while level > 0 {
      node = nodeStart(child(node + slot(page, level)))
      level -= 1
    }
    let position = node + slot(page, 0)
    if nodes[position] < Self.base {
      nodes[position] = takePage()
      address(nodes[position]).initializeMemory(as: UInt8.self, repeating: 0, count: Self.pageLength)
    }
    return address(nodes[position])
  }

  /// The node below `position`, made if there is none.
  private func child(_ position: Int) -> Int32 {
    let entry = nodes[position]
    guard entry < Self.base else { return entry }
    let new: Int32
    if let free = freeNodes.popLast() {
      new = free
      for index in 0..<Self.fanOut { nodes[nodeStart(new) + index] = entry }
    } else {
      new = Int32(nodes.count / Self.fanOut) + Self.base
      nodes.append(contentsOf: repeatElement(entry, count: Self.fanOut))
    }
    nodes[position] = new
    return new
  }

  private func takePage() -> Int32 {
    pageCount += 1
    if let free = freePages.popLast() { return free }
    let first = Int32(chunks.count * Self.pagesPerChunk) + Self.base
    chunks.append(.allocate(byteCount: Self.pagesPerChunk * Self.pageLength, alignment: Self.pageLength))
    for index in (1..<Self.pagesPerChunk).reversed() { freePages.append(first + Int32(index)) }
    return first
  }

  /// Makes whole pages holes, or zeroes with storage.
  func clear(_ pages: Range<UInt64>, allocated: Bool) {
    clear(node: 0, level: levels - 1, first: 0, pages, allocated ? Self.zeroes : Self.hole)
  }

  private func clear(node: Int, level: Int, first: UInt64, _ pages: Range<UInt64>, _ value: Int32) {
    let width: UInt64 = 1 << UInt64(level * Self.bitsPerLevel)
    var index = pages.lowerBound > first ? Int((pages.lowerBound - first) / width) : 0
    while index < Self.fanOut {
      let start = first + UInt64(index) * width
      guard start < pages.upperBound else { return }
      let position = node + index
      if pages.lowerBound <= start, start + width <= pages.upperBound {
        free(nodes[position], level: level)
        nodes[position] = value
      } else if nodes[position] != value {
        // A single page is always wholly within, so there is a level below.
        clear(node: nodeStart(child(position)), level: level - 1, first: start, pages, value)
      }
      index += 1
    }
  }

  private func free(_ entry: Int32, level: Int) {
    guard entry >= Self.base else { return }
    if level == 0 {
      freePages.append(entry)
      pageCount -= 1
      return
    }
    let start = nodeStart(entry)
    for index in 0..<Self.fanOut { free(nodes[start + index], level: level - 1) }
    freeNodes.append(entry)
  }

  /// The first page at or after `page` that has storage (or has none), below `end`; `end` if there is none.
  func first(allocated: Bool, from page: UInt64, below end: UInt64) -> UInt64 {
    var page = page
    while page < end {
      // Walk down to the entry that stands for this page; it may stand for many.
      var node = 0
      var level = levels - 1
      var entry = nodes[slot(page, level)]
      while entry >= Self.base, level > 0 {
        node = nodeStart(entry)
        level -= 1
        entry = nodes[node + slot(page, level)]
      }
      if (entry != Self.hole) == allocated { return page }
      let width: UInt64 = 1 << UInt64(level * Self.bitsPerLevel)
      page = (page / width + 1) * width
    }
    return end
  }

  /// Makes `pages` what they are in `other`, a map of the same size.
  func copy(_ pages: Range<UInt64>, from other: PageMap) {
    copy(node: 0, otherNode: 0, level: levels - 1, first: 0, pages, other)
  }

  private func copy(node: Int, otherNode: Int, level: Int, first: UInt64, _ pages: Range<UInt64>, _ other: PageMap) {
    let width: UInt64 = 1 << UInt64(level * Self.bitsPerLevel)
    var index = pages.lowerBound > first ? Int((pages.lowerBound - first) / width) : 0
    while index < Self.fanOut {
      let start = first + UInt64(index) * width
      guard start < pages.upperBound else { return }
      let entry = other.nodes[otherNode + index]
      if entry < Self.base {
        clear(max(start, pages.lowerBound)..<min(start + width, pages.upperBound), allocated: entry == Self.zeroes)
      } else if level == 0 {
        makePage(start).copyMemory(from: other.address(entry), byteCount: Self.pageLength)
      } else {
        let below = nodeStart(child(node + index))
        copy(node: below, otherNode: other.nodeStart(entry), level: level - 1, first: start, pages, other)
      }
      index += 1
    }
  }

  // MARK: Bytes

  /// Reads `bytes.count` bytes at `offset`.
  func read(at offset: UInt64, into bytes: UnsafeMutableRawBufferPointer) {
    forEachPage(offset, bytes.count) { page, start, done, count in
      let target = UnsafeMutableRawBufferPointer(rebasing: bytes[done..<done + count])
      if let source = self.page(page) {
        target.copyMemory(from: UnsafeRawBufferPointer(start: source + start, count: count))
      } else {
        target.initializeMemory(as: UInt8.self, repeating: 0)
      }
    }
  }

  /// Writes `bytes` at `offset`.
  func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) {
    forEachPage(offset, bytes.count) { page, start, done, count in
      UnsafeMutableRawBufferPointer(start: makePage(page) + start, count: count)
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[done..<done + count]))
    }
  }

  /// Makes a range of bytes zeroes; its whole pages lose their storage unless `allocated`.
  func clear(at offset: UInt64, length: UInt64, allocated: Bool) {
    let size = UInt64(Self.pageLength)
    let end = offset + length
    let first = (offset + size - 1) / size
    let last = end / size
    if first < last {
      clear(first..<last, allocated: allocated)
      zero(offset, first * size, allocated)
      zero(last * size, end, allocated)
    } else {
      // No whole page: a piece of one, or of two neighbours.
      let middle = min(end, (offset / size + 1) * size)
      zero(offset, middle, allocated)
      zero(middle, end, allocated)
    }
  }

  /// Makes a piece of one page zeroes.
  private func zero(_ start: UInt64, _ end: UInt64, _ allocated: Bool) {
    guard start < end else { return }
    let size = UInt64(Self.pageLength)
    let number = start / size
    guard let page = page(number) else {
      if allocated { clear(number..<number + 1, allocated: true) }
      return
    }
    (page + Int(start % size)).initializeMemory(as: UInt8.self, repeating: 0, count: Int(end - start))
  }

  /// Calls `body` with (page number, first byte in the page, bytes done before, bytes in this page).
  @inline(__always)
  private func forEachPage(_ offset: UInt64, _ length: Int, _ body: (UInt64, Int, Int, Int) -> Void) {
    let size = UInt64(Self.pageLength)
    var done = 0
    while done < length {
      let position = offset + UInt64(done)
      let start = Int(position % size)
      let count = min(length - done, Self.pageLength - start)
      body(position / size, start, done, count)
      done += count
    }
  }
}
