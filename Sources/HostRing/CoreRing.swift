import CHost
import Ring

/// A ring on a ``HostCore``, which does for it what does not depend on the way into the kernel.
protocol CoreRing: HostRing {
  static var kind: HostRingKind { get }
  var core: HostCore { get }
}

extension CoreRing {
  var kind: HostRingKind { Self.kind }
  var now: Instant { core.now }
  var machine: MachineID { core.machine }
  var counters: HostRingCounters { core.counters }

  var busyPoll: Interval? {
    get { core.busyPoll }
    set { core.busyPoll = newValue }
  }

  var interruptDescriptor: Int32 { core.inbox.eventfd }

  func interrupt() { simsan_eventfd_signal(core.inbox.eventfd) }

  func openMedium(
    path: String, readOnly: Bool, direct: Bool, exclusive: Bool
  ) throws(MediumError) -> (handle: Handle, info: MediumInfo) {
    try core.openMedium(path: path, readOnly: readOnly, direct: direct, exclusive: exclusive)
  }
}
