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

  @Test func afterAWaitOthersWriteForTwentyTimesAsLong() {
    var writes = CachedWrites()
    writes.took(from: instant(0), to: instant(2_000), bytes: 4096)
    #expect(!writes.isOwn(at: instant(2_000)))
    #expect(!writes.isOwn(at: instant(41_999)))
    #expect(writes.isOwn(at: instant(42_000)))
  }
}
