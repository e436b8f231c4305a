import FaultInject
import HostRing
import Ring
import SimClock

/// A host ring behind a filter in which operations go wrong, as `--fault` says.
final class FaultyRing: HostRing {
  private let inner: any HostRing
  private let filter: FaultRing
  private let faults: [FaultRing.FaultID]

  /// - Parameter arena: That of the machine that it serves.
  init(_ inner: any HostRing, arena: Arena, faults: [RingFault], random: RandomStream) {
    self.inner = inner
    let filter = FaultRing(inner, arena: arena, random: random)
    self.filter = filter
    self.faults = faults.map { filter.add($0) }
  }

  /// How often each fault has struck, in their order.
  var fired: [UInt64] { faults.map { filter.fired($0) } }

  var kind: HostRingKind { inner.kind }
  var machine: MachineID { inner.machine }
  var counters: HostRingCounters { inner.counters }
  var busyPoll: Interval? {
    get { inner.busyPoll }
    set { inner.busyPoll = newValue }
  }

  func openMedium(
    path: String, readOnly: Bool, direct: Bool, exclusive: Bool
  ) throws(MediumError) -> (handle: Handle, info: MediumInfo) {
    try inner.openMedium(path: path, readOnly: readOnly, direct: direct, exclusive: exclusive)
  }

  func interrupt() { inner.interrupt() }
  var interruptDescriptor: Int32 { inner.interruptDescriptor }

  var now: Instant { inner.now }

  func listen(
    at address: SocketAddress, backlog: Int
  ) throws(RingError) -> (listener: Handle, address: SocketAddress) {
    try filter.listen(at: address, backlog: backlog)
  }

  func submit(_ batch: inout Operations) { filter.submit(&batch) }

  func reap(into completions: inout [Completion], until deadline: Instant) {
    filter.reap(into: &completions, until: deadline)
  }
}
