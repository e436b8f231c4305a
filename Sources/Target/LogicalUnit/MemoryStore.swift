/// Blocks in memory, committed piece by piece where something was written; zeroes elsewhere.
///
/// Nothing that was never written can be read from it, whatever the allocator had in that memory before.
final class MemoryStore {
  /// The bytes of a chunk: a power of two.
  let chunkLength: Int
  private let shift: Int
  private var chunks: [UnsafeMutableRawPointer?]

  /// Room for `length` bytes. Chunks grow with it, so that the table stays below a million entries.
  init(length: UInt64) {
    var shift = 16
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
      commit(chunk, whole: count == chunkLength).advanced(by: within)
        .copyMemory(from: base + done, byteCount: count)
      done += count
    }
  }

  private func commit(_ chunk: Int, whole: Bool) -> UnsafeMutableRawPointer {
    if let memory = chunks[chunk] { return memory }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: chunkLength, alignment: 4096)
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
