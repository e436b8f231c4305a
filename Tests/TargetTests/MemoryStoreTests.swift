import Ring
import Testing

@testable import Target

/// The blocks of a unit in memory, held against an array, while some of them are lent.
@Suite struct MemoryStoreTests {
  /// A short store, and one that is copied to past the caches and has large pages.
  @Test(arguments: [3 << 16, Int(MemoryStore.smallLengthMax) + (5 << 20)])
  func aStoreReadsAsItWasWritten(_ length: Int) throws {
    let arena = Arena(capacity: 0)
    let store = try MemoryStore(length: UInt64(length), in: arena)
    var model = [UInt8](repeating: 0, count: length)
    var random = Draw(state: UInt64(length))
    var wrong = 0
    var loans: [(loan: Extent, bytes: [UInt8])] = []
    var lent = 0
    func range() -> Range<Int> {
      // Often at the edges of chunks, and sometimes over several.
      let edge = Int.random(in: 0...(length / store.chunkLength), using: &random) * store.chunkLength
      let start = min(max(0, edge + Int.random(in: -5000...5000, using: &random)), length - 1)
      let most = Int.random(in: 0..<8, using: &random) == 0 ? 2 * store.chunkLength : 9000
      return start..<min(length, start + Int.random(in: 1...most, using: &random))
    }
    /// Ends the loan of that number, and sees whether its bytes are as they were.
    func end(_ index: Int) {
      let (loan, bytes) = loans.remove(at: index)
      if Array(arena.bytes(loan)) != bytes { wrong += 1 }
      store.giveBack(loan)
    }
    for number in 0..<300 {
      let place = range()
      if number % 5 == 0, let loan = store.lend(at: UInt64(place.lowerBound), place.count) {
        lent += 1
        loans.append((loan, Array(model[place])))
      }
      if loans.count > 5 || number % 50 > 40 && !loans.isEmpty { end(Int.random(in: loans.indices, using: &random)) }
      switch number % 3 {
      case 0:
        // Every write has bytes of its own, and each block begins with its place.
        var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: place.count)
        for at in stride(from: 0, to: place.count, by: 512) { bytes[at] = UInt8(truncatingIfNeeded: at / 512 &* 7) }
        bytes.withUnsafeBytes { store.write(at: UInt64(place.lowerBound), from: $0) }
        model.replaceSubrange(place, with: bytes)
      case 1:
        var bytes = [UInt8](repeating: 0xEE, count: place.count)
        bytes.withUnsafeMutableBytes { store.read(at: UInt64(place.lowerBound), into: $0) }
        if bytes != Array(model[place]) { wrong += 1 }
      default:
        guard number % 5 == 0 else { continue }
        store.discard(at: UInt64(place.lowerBound), length: UInt64(place.count))
        model.replaceSubrange(place, with: repeatElement(0, count: place.count))
      }
    }
    while !loans.isEmpty { end(0) }
    #expect(lent > 20, "of 60; what changed while it was lent is not lent again")
    #expect(store.piecesLent == 0)
    // All of it, by samples.
    var block = [UInt8](repeating: 0xEE, count: 512)
    for at in stride(from: 0, to: length - 512, by: store.chunkLength / 16) {
      block.withUnsafeMutableBytes { store.read(at: UInt64(at), into: $0) }
      if block != Array(model[at..<(at + 512)]) { wrong += 1 }
    }
    #expect(wrong == 0)
  }

  /// Nobody gets more than the book has room for; what is given back may be lent again.
  @Test func soMuchIsLentAndNoMore() throws {
    let piece = LoanBook.pieceLength
    let length = (LoanBook.piecesMax + 8) * piece
    let store = try MemoryStore(length: UInt64(length), in: Arena(capacity: 0))
    var loans: [Extent] = []
    for number in 0..<LoanBook.piecesMax {
      loans.append(try #require(store.lend(at: UInt64(number * piece), 512)))
    }
    #expect(store.piecesLent == LoanBook.piecesMax)
    #expect(store.lend(at: UInt64(LoanBook.piecesMax * piece), 512) == nil)
    store.giveBack(loans.removeLast())
    #expect(store.lend(at: UInt64(LoanBook.piecesMax * piece), 2 * piece) == nil, "all or nothing")
    loans.append(try #require(store.lend(at: UInt64(LoanBook.piecesMax * piece), piece)))
    for loan in loans { store.giveBack(loan) }
    #expect(store.piecesLent == 0)
  }

  /// Loans of one piece are counted: its shadow takes its place with the last of them.
  @Test func aShadowStaysUntilTheLastLoanEnds() throws {
    let arena = Arena(capacity: 0)
    let store = try MemoryStore(length: 1 << 20, in: arena)
    let old = [UInt8](repeating: 1, count: 4096)
    let new = [UInt8](repeating: 2, count: 4096)
    old.withUnsafeBytes { store.write(at: 0, from: $0) }
    let first = try #require(store.lend(at: 0, 4096))
    let second = try #require(store.lend(at: 512, 1024))
    new.withUnsafeBytes { store.write(at: 0, from: $0) }
    #expect(store.lend(at: 8192, 512) == nil, "of the same piece")
    store.giveBack(first)
    #expect(arena.bytes(second).allSatisfy { $0 == 1 })
    var read = old
    read.withUnsafeMutableBytes { store.read(at: 0, into: $0) }
    #expect(read == new)
    store.giveBack(second)
    let third = try #require(store.lend(at: 0, 4096))
    #expect(arena.bytes(third).allSatisfy { $0 == 2 })
    store.giveBack(third)
  }

  /// What was discarded reads as zeroes, whether the system took its pages or a loan kept them.
  @Test func whatIsLentIsNotGivenBackToTheSystem() throws {
    let arena = Arena(capacity: 0)
    let store = try MemoryStore(length: 1 << 20, in: arena)
    let chunk = UInt64(store.chunkLength)
    let bytes = [UInt8](repeating: 7, count: 2 * store.chunkLength)
    bytes.withUnsafeBytes { store.write(at: 0, from: $0) }
    let loan = try #require(store.lend(at: 512, 512))
    store.discard(at: 0, length: 2 * chunk)
    #expect(store.extent(at: 0) == (true, chunk), "only what is lent stays")
    #expect(arena.bytes(loan).allSatisfy { $0 == 7 })
    var read = [UInt8](repeating: 0xEE, count: store.chunkLength)
    read.withUnsafeMutableBytes { store.read(at: 0, into: $0) }
    #expect(read.allSatisfy { $0 == 0 })
    store.giveBack(loan)
    #expect(store.extent(at: 0).isMapped, "its memory was in use")
    store.discard(at: 0, length: 2 * chunk)
    #expect(store.extent(at: 0) == (false, 1 << 20))
    read.withUnsafeMutableBytes { store.read(at: chunk, into: $0) }
    #expect(read.allSatisfy { $0 == 0 })
  }

  @Test func aStoreBeyondTheAddressSpaceIsRefused() {
    for length in [UInt64(1) << 46 + 1, 1 << 62] {
      #expect(throws: RingError.noResources) { try MemoryStore(length: length, in: Arena(capacity: 0)) }
    }
  }
}
