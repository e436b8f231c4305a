import CMemory

/// Blocks in memory, committed piece by piece where something was written; zeroes elsewhere.
///
/// Nothing that was never written can be read from it, whatever the allocator had in that memory before.
final class MemoryStore {
  /// The bytes of a chunk: a power of two.
  let chunkLength: Int
  private let shift: Int
  private var chunks: [UnsafeMutableRawPointer?]
  /// More than the caches hold: what is written to it is seldom read from them, and not even its page tables stay there.
  private let isLarge: Bool

  /// The longest store that is taken for one that stays in the caches, in bytes.
  static let smallLengthMax: UInt64 = 64 << 20

  /// The length of a large page, in bytes: what x86-64 and most kernels of aarch64 have.
  private static let largePageLength = 2 << 20

  /// Shorter pieces are copied through the caches in any case.
  private static let streamedLengthMin = 512

  /// Room for `length` bytes. Chunks grow with it, so that the table stays below a million entries; those of a large store
  /// are large pages.
  init(length: UInt64) {
    isLarge = length > Self.smallLengthMax
    var shift = isLarge ? Self.largePageLength.trailingZeroBitCount : 16
    while length >> UInt64(shift) > 1 << 20 { shift += 1 }
    self.shift = shift
    chunkLength = 1 << shift
    chunks = Array(repeating: nil, count: Int((length + UInt64(chunkLength) - 1) >> UInt64(shift)))
  }

  deinit {
    for chunk in chunks { chunk?.deallocate() }
  }

  /// The first byte at `offset`, how many follow in the same chunk, and the chunk's number.
  private func locate(_ offset: UInt64) -> (chunk: Int, within: Int, available: Int) {
    let within = Int(truncatingIfNeeded: offset & UInt64(chunkLength - 1))
    return (Int(offset >> UInt64(shift)), within, chunkLength - within)
  }

  /// Fills `bytes` from `offset`. The caller has checked the range.
  func read(at offset: UInt64, into bytes: UnsafeMutableRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    var done = 0
    while done < bytes.count {
      let (chunk, within, available) = locate(offset + UInt64(done))
      let count = min(available, bytes.count - done)
      if let source = chunks[chunk] {
        (base + done).copyMemory(from: source + within, byteCount: count)
      } else {
        (base + done).initializeMemory(as: UInt8.self, repeating: 0, count: count)
      }
      done += count
    }
  }

  /// Stores `bytes` at `offset`. The caller has checked the range.
  func write(at offset: UInt64, from bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    var done = 0
    while done < bytes.count {
      let (chunk, within, available) = locate(offset + UInt64(done))
      let count = min(available, bytes.count - done)
      let memory = commit(chunk, whole: count == chunkLength) + within
      if isLarge, count >= Self.streamedLengthMin {
        simsan_memory_stream(memory, base + done, count)
      } else {
        memory.copyMemory(from: base + done, byteCount: count)
      }
      done += count
    }
  }

  private func commit(_ chunk: Int, whole: Bool) -> UnsafeMutableRawPointer {
    if let memory = chunks[chunk] { return memory }
    let alignment = isLarge ? Self.largePageLength : 4096
    let memory = UnsafeMutableRawPointer.allocate(byteCount: chunkLength, alignment: alignment)
    if isLarge { simsan_memory_prefer_large_pages(memory, chunkLength) }
    if !whole { memory.initializeMemory(as: UInt8.self, repeating: 0, count: chunkLength) }
    chunks[chunk] = memory
    return memory
  }

  /// Makes a range read as zeroes, and gives back the chunks that lie wholly within it. The caller has checked the range.
  func discard(at offset: UInt64, length: UInt64) {
    var done: UInt64 = 0
    while done < length {
      let (chunk, within, available) = locate(offset + done)
      let count = Int(min(UInt64(available), length - done))
      if let memory = chunks[chunk] {
        if count == chunkLength {
          memory.deallocate()
          chunks[chunk] = nil
        } else {
          (memory + within).initializeMemory(as: UInt8.self, repeating: 0, count: count)
        }
      }
      done += UInt64(count)
    }
  }

  /// True when the chunk of `offset` holds something, and the first byte after the run of chunks that are like it.
  func extent(at offset: UInt64) -> (isMapped: Bool, end: UInt64) {
    var chunk = Int(offset >> UInt64(shift))
    let isMapped = chunks[chunk] != nil
    repeat { chunk += 1 } while chunk < chunks.count && (chunks[chunk] != nil) == isMapped
    return (isMapped, UInt64(chunk) << UInt64(shift))
  }
}
