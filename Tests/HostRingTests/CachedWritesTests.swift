import Foundation
import Ring
import Testing

@testable import HostRing

@Suite struct CachedWritesTests {
  private func instant(_ microseconds: UInt64) -> Instant { .zero + .microseconds(microseconds) }

  @Test func theRingWritesAsLongAsNothingWaits() {
    var writes = CachedWrites()
    #expect(writes.isOwn(at: .zero))
    writes.took(from: instant(0), to: instant(900), bytes: 4096)
    #expect(writes.isOwn(at: instant(900)))
    writes.took(from: instant(1000), to: instant(10_000), bytes: 16 << 20)
    #expect(writes.isOwn(at: instant(10_000)), "16 MiB may take 9 ms")
  }

  /// Whoever has the file system may not answer, and the ring's other units are none of his.
  @Test func aFileSystemOfSomebodyElseIsLeftToOtherThreads() throws {
    // On a disk if the temporary folder is: what is in memory is always the ring's own.
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-cached-\(UUID().uuidString)").path
    try #require(FileManager.default.createFile(atPath: path, contents: Data(count: 4096)))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let core = try HostCore(arena: Arena(capacity: 4096), blocks: false)
    let medium = try core.openMedium(path: path, readOnly: false, direct: false, exclusive: true).0
    let found = core.slots.find(medium, .medium)
    let slot = try #require(found)
    slot.pointee.medium.is_memory = 0
    let extents = [Extent(offset: 0, length: 512)]
    var batch = Operations()
    batch.write(to: medium, at: 0, from: extents, token: Token(1))
    for isRemote in [false, true] {
      slot.pointee.medium.is_remote = isRemote ? 1 : 0
      #expect(core.carryOutAtOnce(slot, batch.items[0], extents[...], 512) == !isRemote)
    }
  }

  @Test func afterAWaitOthersWriteForTwentyTimesAsLong() {
    var writes = CachedWrites()
    writes.took(from: instant(0), to: instant(2_000), bytes: 4096)
    #expect(!writes.isOwn(at: instant(2_000)))
    #expect(!writes.isOwn(at: instant(41_999)))
    #expect(writes.isOwn(at: instant(42_000)))
  }
}
