/// Which pieces of a ``MemoryStore`` are lent to answers that are being sent, and where their shadows are.
///
/// A piece that is lent does not change: the bytes may be anywhere between here and the peer. Whoever wants to change it
/// changes its shadow, a copy that takes its place when the last loan has ended. So nobody waits for a peer that is slow
/// to take its answers, and what such a peer costs is bounded by what is ever lent at once.
///
/// It counts, and says what is to be copied; it touches no block.
struct LoanBook {
  /// The bytes of a piece, a power of two: what is copied at most when something in it changes while it is lent.
  static let pieceLength = 16 << 10
  private static let shift = pieceLength.trailingZeroBitCount

  /// The pieces that are lent at most at once: shadows take 64 MiB then.
  static let piecesMax = 4096

  /// A piece that is lent. Its shadow, if it has one, is the one of the record's number.
  private struct Record {
    var piece = 0
    var loans: Int32 = 0
    var hasShadow = false
    /// The next of the same bucket, or the next free one.
    var next: Int32 = -1
  }

  /// The first record of each bucket; -1 for none. A piece belongs to the bucket of its number modulo their count, a power
  /// of two.
  private var buckets: [Int32]
  private var records: [Record] = []
  private var firstFree: Int32 = -1

  /// As many records as there may be.
  private let recordsMax: Int

  /// Pieces that are lent.
  private(set) var count = 0

  /// The bytes that the shadows may take.
  var shadowsLength: Int { recordsMax * Self.pieceLength }

  /// The book of a store of `storeLength` bytes, a multiple of ``pieceLength``.
  init(storeLength: Int) {
    let pieces = min(storeLength >> Self.shift, Self.piecesMax)
    recordsMax = pieces
    var size = 1
    while size < pieces { size <<= 1 }
    buckets = Array(repeating: -1, count: size)
  }

  private func bucket(_ piece: Int) -> Int { piece & (buckets.count - 1) }

  private func find(_ piece: Int) -> Int32 {
    var record = buckets[bucket(piece)]
    while record >= 0, records[Int(record)].piece != piece { record = records[Int(record)].next }
    return record
  }

  /// Lends all pieces of a range of the store, or none: false when one of them has a shadow, or too many are lent.
  mutating func open(_ start: Int, _ length: Int) -> Bool {
    guard length > 0 else { return false }
    let first = start >> Self.shift
    let last = (start + length - 1) >> Self.shift
    guard recordsMax - count > last - first else { return false }
    if count > 0 {
      for piece in first...last {
        let record = find(piece)
        if record >= 0, records[Int(record)].hasShadow { return false }
      }
    }
    for piece in first...last {
      let record = find(piece)
      if record >= 0 {
        records[Int(record)].loans += 1
      } else {
        add(piece)
      }
    }
    return true
  }

  private mutating func add(_ piece: Int) {
    let bucket = bucket(piece)
    let new = Record(piece: piece, loans: 1, next: buckets[bucket])
    if firstFree >= 0 {
      buckets[bucket] = firstFree
      let place = Int(firstFree)
      firstFree = records[place].next
      records[place] = new
    } else {
      buckets[bucket] = Int32(truncatingIfNeeded: records.count)
      records.append(new)
    }
    count += 1
  }

  /// Ends a loan of a range that was lent. `settle` is told of each shadow whose piece is lent no more: where it is among
  /// the shadows, and the piece's first byte in the store.
  mutating func close(_ start: Int, _ length: Int, settle: (_ shadow: Int, _ piece: Int) -> Void) {
    guard length > 0 else { return }
    for piece in start >> Self.shift...(start + length - 1) >> Self.shift {
      let record = Int(find(piece))
      guard record >= 0 else { continue }
      records[record].loans -= 1
      guard records[record].loans == 0 else { continue }
      if records[record].hasShadow { settle(record << Self.shift, piece << Self.shift) }
      remove(piece, record)
    }
  }

  private mutating func remove(_ piece: Int, _ record: Int) {
    let bucket = bucket(piece)
    let next = records[record].next
    if buckets[bucket] == Int32(truncatingIfNeeded: record) {
      buckets[bucket] = next
    } else {
      var before = Int(buckets[bucket])
      while records[before].next != Int32(truncatingIfNeeded: record) { before = Int(records[before].next) }
      records[before].next = next
    }
    records[record].hasShadow = false
    records[record].next = firstFree
    firstFree = Int32(truncatingIfNeeded: record)
    count -= 1
  }

  /// Where the shadow of the piece at `start` is among the shadows; nil when it has none.
  func shadow(of start: Int) -> Int? {
    let record = find(start >> Self.shift)
    return record >= 0 && records[Int(record)].hasShadow ? Int(record) << Self.shift : nil
  }

  /// Where the shadow is to change in place of the piece at `start`, and whether it is new, so that the piece has to be
  /// copied there first. Nil when the piece is not lent and may change itself.
  mutating func makeShadow(of start: Int) -> (shadow: Int, isNew: Bool)? {
    let record = Int(find(start >> Self.shift))
    guard record >= 0 else { return nil }
    let isNew = !records[record].hasShadow
    records[record].hasShadow = true
    return (record << Self.shift, isNew)
  }
}
