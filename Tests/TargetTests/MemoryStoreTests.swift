import Testing

@testable import Target

/// The blocks of a unit in memory, held against an array.
@Suite struct MemoryStoreTests {
  /// A short store, and one that is copied to past the caches and has large pages.
  @Test(arguments: [3 << 16, Int(MemoryStore.smallLengthMax) + (5 << 20)])
  func aStoreReadsAsItWasWritten(_ length: Int) {
    let store = MemoryStore(length: UInt64(length))
    var model = [UInt8](repeating: 0, count: length)
    var random = Draw(state: UInt64(length))
    var wrong = 0
    func range() -> Range<Int> {
      // Often at the edges of chunks, and sometimes over several.
      let edge = Int.random(in: 0...(length / store.chunkLength), using: &random) * store.chunkLength
      let start = min(max(0, edge + Int.random(in: -5000...5000, using: &random)), length - 1)
      let most = Int.random(in: 0..<8, using: &random) == 0 ? 2 * store.chunkLength : 9000
      return start..<min(length, start + Int.random(in: 1...most, using: &random))
    }
    for number in 0..<300 {
      let place = range()
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
    #expect(wrong == 0)
  }
}
