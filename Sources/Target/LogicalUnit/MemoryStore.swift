import CMemory
import Ring

/// Blocks in memory, committed where something was written; zeroes elsewhere. They lie in an annex of the arena, so that
/// answers can be sent from where they are.
///
/// Nothing that was never written can be read from it.
final class MemoryStore {
  /// The bytes of a chunk, which is mapped or is not: a power of two.
  let chunkLength: Int
  private let shift: Int
  /// Which chunks something was written to since they were discarded; the others are zeroes.
  private var isMapped: [Bool]
  /// More than the caches hold: what is written to it is seldom read from them, and not even its page tables stay there.
  private let isLarge: Bool

  private let arena: Arena
  /// Where the blocks are in it.
  private let place: Extent
  private let base: UnsafeMutableRawPointer
  private var loans: LoanBook

  /// The longest store that is taken for one that stays in the caches, in bytes.
  static let smallLengthMax: UInt64 = 64 << 20

  /// The length of a large page, in bytes: what x86-64 and most kernels of aarch64 have.
  private static let largePageLength = 2 << 20

  /// Shorter pieces are copied through the caches in any case.
  private static let streamedLengthMin = 512

  /// Room for `length` bytes. Chunks grow with it, so that the table stays below a million entries; those of a large store
  /// are large pages.
  ///
  /// Errors: no resources, when the system gives no address space for it.
  init(length: UInt64, in arena: Arena) throws(RingError) {
    isLarge = length > Self.smallLengthMax
    var shift = isLarge ? Self.largePageLength.trailingZeroBitCount : 16
    while length >> UInt64(shift) > 1 << 20 { shift += 1 }
    self.shift = shift
    chunkLength = 1 << shift
    // What does not fit is too long for an annex as well.
    guard let wanted = Int(exactly: length), wanted <= Arena.annexSpan / 2 else { throw .noResources }
    let whole = ((wanted + chunkLength - 1) >> shift) << shift
    isMapped = Array(repeating: false, count: whole >> shift)
    loans = LoanBook(storeLength: whole)
    self.arena = arena
    let annex = try arena.addAnnex(length: whole + loans.shadowsLength)
    let bytes = arena.bytes(annex)
    // allow(trap): an annex is not empty.
    base = bytes.baseAddress!
    place = annex.prefix(whole)
    if isLarge { simsan_memory_prefer_large_pages(base, whole) }
  }

  // MARK: Reading

  /// Lends the bytes at `offset` to an answer, which is sent from where they are: what it gets does not change until it has
  /// given them back with ``giveBack(_:)``. The caller has checked the range.
  ///
  /// Nil when they are not to be had in one piece, or so much is lent already: then they are read.
  func lend(at offset: UInt64, _ length: Int) -> Extent? {
    let start = Int(truncatingIfNeeded: offset)
    guard loans.open(start, length) else { return nil }
    // They are sent at the end of the step, when they may have come out of the main memory.
    simsan_memory_prefetch(base + start, length)
    return place.slice(start, length)
  }

  /// The answer does not need them any more.
  func giveBack(_ loan: Extent) {
    loans.close(loan.offset - place.offset, loan.length) { shadow, piece in
      (base + piece).copyMemory(from: base + place.length + shadow, byteCount: LoanBook.pieceLength)
    }
  }

  /// Pieces that are lent; 0 at rest.
  var piecesLent: Int { loans.count }

  /// Fills `bytes` from `offset`. The caller has checked the range.
  func read(at offset: UInt64, into bytes: UnsafeMutableRawBufferPointer) {
    guard let to = bytes.baseAddress else { return }
    let start = Int(truncatingIfNeeded: offset)
    var done = 0
    while done < bytes.count {
      let (from, count) = run(start + done, bytes.count - done) { $0.shadow(of: $1) }
      (to + done).copyMemory(from: from, byteCount: count)
      done += count
    }
  }

  // MARK: Changing

  /// Stores `bytes` at `offset`. The caller has checked the range.
  func write(at offset: UInt64, from bytes: UnsafeRawBufferPointer) {
    guard let from = bytes.baseAddress else { return }
    let start = Int(truncatingIfNeeded: offset)
    map(start, bytes.count)
    var done = 0
    while done < bytes.count {
      let (to, count) = changeable(start + done, bytes.count - done)
      if isLarge, count >= Self.streamedLengthMin {
        simsan_memory_stream(to, from + done, count)
      } else {
        to.copyMemory(from: from + done, byteCount: count)
      }
      done += count
    }
  }

  /// Makes a range read as zeroes, and gives back the chunks that lie wholly within it, unless something of them is lent.
  /// The caller has checked the range.
  func discard(at offset: UInt64, length: UInt64) {
    var room = Int.max
    _ = discard(at: offset, length: length, room: &room)
  }

  /// The same, as far as `room` goes: bytes of chunks that something was written to, of which what is done is taken off. The
  /// result is how much of the range is done.
  func discard(at offset: UInt64, length: UInt64, room: inout Int) -> UInt64 {
    let start = Int(truncatingIfNeeded: offset)
    var at = start
    let end = start + Int(truncatingIfNeeded: length)
    while at < end, room > 0 {
      let chunk = at >> shift
      let next = min((chunk + 1) << shift, end)
      if isMapped[chunk] {
        room -= next - at
        if next - at == chunkLength, !loans.isLent(at, chunkLength) {
          simsan_memory_discard(base + at, chunkLength)
          isMapped[chunk] = false
        } else {
          clear(at, next - at)
        }
      }
      at = next
    }
    return UInt64(at - start)
  }

  private func clear(_ start: Int, _ length: Int) {
    var done = 0
    while done < length {
      let (to, count) = changeable(start + done, length - done)
      to.initializeMemory(as: UInt8.self, repeating: 0, count: count)
      done += count
    }
  }

  /// Notes that something is written there.
  private func map(_ start: Int, _ length: Int) {
    guard length > 0 else { return }
    for chunk in start >> shift...(start + length - 1) >> shift { isMapped[chunk] = true }
  }

  // MARK: Where the bytes are

  /// The memory of the byte at `start`, and how many of `length` bytes follow it there. While something is lent that is
  /// decided piece by piece, by `shadow`.
  private func run(
    _ start: Int, _ length: Int, shadow: (inout LoanBook, Int) -> Int?
  ) -> (memory: UnsafeMutableRawPointer, count: Int) {
    guard loans.count > 0 else { return (base + start, length) }
    let within = start & (LoanBook.pieceLength - 1)
    let count = min(length, LoanBook.pieceLength - within)
    guard let shadow = shadow(&loans, start - within) else { return (base + start, count) }
    return (base + place.length + shadow + within, count)
  }

  /// The memory to change from `start` on, and how much of it: what is lent stays as it is, and a shadow of it changes.
  private func changeable(_ start: Int, _ length: Int) -> (memory: UnsafeMutableRawPointer, count: Int) {
    run(start, length) { loans, piece in
      guard let (shadow, isNew) = loans.makeShadow(of: piece) else { return nil }
      if isNew {
        (base + place.length + shadow).copyMemory(from: base + piece, byteCount: LoanBook.pieceLength)
      }
      return shadow
    }
  }

  /// True when the chunk of `offset` holds something, and the first byte after the run of chunks that are like it.
  func extent(at offset: UInt64) -> (isMapped: Bool, end: UInt64) {
    var chunk = Int(offset >> UInt64(shift))
    let wanted = isMapped[chunk]
    repeat { chunk += 1 } while chunk < isMapped.count && isMapped[chunk] == wanted
    return (wanted, UInt64(chunk) << UInt64(shift))
  }
}
