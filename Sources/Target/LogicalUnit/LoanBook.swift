/// Which pieces of a ``MemoryStore`` are lent to answers that are being sent, and where their shadows are.
///
/// A piece that is lent does not change: the bytes may be anywhere between here and the peer. Whoever wants to change it
/// changes its shadow, a copy that takes its place when the last loan has ended. So nobody waits for a peer that is slow
/// to take its answers, and what such a peer costs is bounded by what is ever lent at once.
///
/// It counts, and says what is to be copied; it touches no block.
struct LoanBook: ~Copyable {
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
  private let buckets: UnsafeMutablePointer<Int32>
  private let bucketMask: Int

  /// Room for `recordsMax` records, of which the first `touched` were ever used. Indices come from here only.
  private let records: UnsafeMutablePointer<Record>
  private let recordsMax: Int
  private var touched: Int32 = 0
  private var firstFree: Int32 = -1

  /// Pieces that are lent, and those of them that have a shadow.
  private(set) var count = 0
  private var shadowCount = 0

  /// The bytes that the shadows may take.
  var shadowsLength: Int { recordsMax * Self.pieceLength }

  /// The book of a store of `storeLength` bytes, a multiple of ``pieceLength``.
  init(storeLength: Int) {
    recordsMax = max(min(storeLength >> Self.shift, Self.piecesMax), 1)
    records = .allocate(capacity: recordsMax)
    var size = 1
    while size < recordsMax { size <<= 1 }
    bucketMask = size - 1
    buckets = .allocate(capacity: size)
    buckets.initialize(repeating: -1, count: size)
  }

  deinit {
    records.deallocate()
    buckets.deallocate()
  }

  private func bucket(_ piece: Int) -> UnsafeMutablePointer<Int32> { buckets + (piece & bucketMask) }

  private func find(_ piece: Int) -> Int32 {
    var record = bucket(piece).pointee
    while record >= 0, records[Int(record)].piece != piece { record = records[Int(record)].next }
    return record
  }

  /// Lends all pieces of a range of the store, or none: false when one of them has a shadow, or too many are lent.
  mutating func open(_ start: Int, _ length: Int) -> Bool {
    guard length > 0 else { return false }
    let first = start >> Self.shift
    let last = (start + length - 1) >> Self.shift
    guard recordsMax - count > last - first else { return false }
    if shadowCount > 0 {
      for piece in first...last where shadow(of: piece << Self.shift) != nil { return false }
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

  /// The caller has seen that there is a record left.
  private mutating func add(_ piece: Int) {
    let bucket = bucket(piece)
    let record: Int32
    if firstFree >= 0 {
      record = firstFree
      firstFree = records[Int(record)].next
    } else {
      record = touched
      touched += 1
    }
    (records + Int(record)).initialize(to: Record(piece: piece, loans: 1, next: bucket.pointee))
    bucket.pointee = record
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
      if records[record].hasShadow {
        shadowCount -= 1
        settle(record << Self.shift, piece << Self.shift)
      }
      remove(piece, record)
    }
  }

  private mutating func remove(_ piece: Int, _ record: Int) {
    let bucket = bucket(piece)
    let next = records[record].next
    if Int(bucket.pointee) == record {
      bucket.pointee = next
    } else {
      var before = Int(bucket.pointee)
      while Int(records[before].next) != record { before = Int(records[before].next) }
      records[before].next = next
    }
    records[record].next = firstFree
    firstFree = Int32(truncatingIfNeeded: record)
    count -= 1
  }

  /// Whether something of a range of the store is lent.
  func isLent(_ start: Int, _ length: Int) -> Bool {
    guard count > 0, length > 0 else { return false }
    return (start >> Self.shift...(start + length - 1) >> Self.shift).contains { find($0) >= 0 }
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
    if isNew {
      records[record].hasShadow = true
      shadowCount += 1
    }
    return (record << Self.shift, isNew)
  }
}
