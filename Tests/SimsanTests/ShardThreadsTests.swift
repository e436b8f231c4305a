import Foundation
import HostRing
import Ring
import Target
import Testing

@testable import simsan

/// A ring that is in a call of the system which does not return, until it is told to.
private final class HangingRing: HostRing {
  private let inner: any HostRing
  /// Signalled when it hangs, and to have it go on.
  let hangs = DispatchSemaphore(value: 0)
  let goesOn = DispatchSemaphore(value: 0)

  init(_ inner: any HostRing) { self.inner = inner }

  var kind: HostRingKind { inner.kind }
  var machine: MachineID { inner.machine }
  var counters: HostRingCounters { inner.counters }
  var busyPoll: Interval? {
    get { inner.busyPoll }
    set { inner.busyPoll = newValue }
  }
  var now: Instant { inner.now }
  var interruptDescriptor: Int32 { inner.interruptDescriptor }

  func interrupt() { inner.interrupt() }

  func openMedium(
    path: String, readOnly: Bool, direct: Bool, exclusive: Bool
  ) throws(MediumError) -> (handle: Handle, info: MediumInfo) {
    try inner.openMedium(path: path, readOnly: readOnly, direct: direct, exclusive: exclusive)
  }

  func listen(
    at address: SocketAddress, backlog: Int
  ) throws(RingError) -> (listener: Handle, address: SocketAddress) {
    try inner.listen(at: address, backlog: backlog)
  }

  func submit(_ batch: inout Operations) { inner.submit(&batch) }

  func reap(into completions: inout [Completion], until deadline: Instant) {
    hangs.signal()
    goesOn.wait()
    goesOn.signal()
    inner.reap(into: &completions, until: deadline)
  }
}

/// Shards on threads of their own.
@Suite struct ShardThreadsTests {
  private func shard() throws -> (shard: Shard, ring: HangingRing) {
    let arena = Arena(capacity: 1 << 20)
    let machine = try TargetMachine(configuration: TargetConfiguration(nodes: [], portals: []), arena: arena)
    let ring = HangingRing(try HostRings.make(arena: arena))
    return (Shard(ring: ring, machine: machine), ring)
  }

  @Test func oneThatHangsHoldsUpNeitherAReportNorTheEnd() throws {
    let (hanging, ring) = try shard()
    let (other, free) = try shard()
    defer { ring.goesOn.signal() }
    free.goesOn.signal()
    var threads = try ShardThreads([hanging, other], log: ServerLog())
    ring.hangs.wait()
    let start = SuspendingClock.now
    #expect(threads.counters().count <= 1)
    #expect(threads.complaints.first?.hasPrefix("shard 0 has not answered") == true)
    #expect(threads.stop().count == 1)
    #expect(SuspendingClock.now - start < .seconds(10))
  }

  @Test func oneThatGoesOnIsHeardOfAgain() throws {
    let (hanging, ring) = try shard()
    var threads = try ShardThreads([hanging], log: ServerLog())
    ring.hangs.wait()
    #expect(threads.counters().isEmpty)
    ring.goesOn.signal()
    for _ in 0..<10_000 where !threads.complaints.isEmpty { _ = threads.counters() }
    #expect(threads.complaints.isEmpty && threads.counters().count == 1)
    #expect(threads.stop().count == 1)
  }
}
