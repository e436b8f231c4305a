import CHost
import Glibc
import Ring

/// A ring on the real world: sockets, files and block devices, and the monotonic clock.
public protocol HostRing: Ring {
  /// Which of the ways into the kernel it goes.
  var kind: HostRingKind { get }

  /// What messages to this ring's machine are posted to.
  var machine: MachineID { get }

  /// What it has done so far.
  var counters: HostRingCounters { get }

  /// How long a turn that finds nothing asks the kernel again and again before it sleeps, so that what comes soon is not
  /// kept waiting for a thread to wake.
  ///
  /// Nil, the default: on the whole at most twice as long as the ring works, and only while that helps. Zero is to sleep at
  /// once. A fixed time is looked on for after every wake-up, whatever it brings.
  var busyPoll: Interval? { get set }

  /// Opens a regular file or a block device as a medium of a fixed size: what it has now.
  ///
  /// - Parameters:
  ///   - readOnly: Refuse every kind of write.
  ///   - direct: Bypass the page cache (O_DIRECT). Offsets, lengths and memory must then meet the alignment.
  ///   - exclusive: Refuse what somebody else has opened so, be it another program or this one, unless both only read it, and
  ///     a block device that is mounted, unless it is only read.
  func openMedium(
    path: String, readOnly: Bool, direct: Bool, exclusive: Bool
  ) throws(MediumError) -> (handle: Handle, info: MediumInfo)

  /// Has ``Ring/reap(into:until:)`` return at once, now or the next time. May be called on any thread.
  func interrupt()

  /// What ``interrupt()`` writes to: an eventfd, for signal handlers, which can do no more.
  var interruptDescriptor: Int32 { get }
}

extension HostRing {
  /// Opens a medium that nobody else is to use meanwhile.
  public func openMedium(
    path: String, readOnly: Bool, direct: Bool
  ) throws(MediumError) -> (handle: Handle, info: MediumInfo) {
    try openMedium(path: path, readOnly: readOnly, direct: direct, exclusive: true)
  }
}

/// The two ways into the kernel.
public enum HostRingKind: String, Sendable, CaseIterable {
  case ioUring = "io_uring"
  case epoll = "epoll"
}

/// Makes host rings.
public enum HostRings {
  /// A ring of `kind`; without one, io_uring where the kernel allows it, else epoll with libaio.
  ///
  /// A ring belongs to the thread that first reaps from it, which need not be the one that makes it.
  public static func make(_ kind: HostRingKind? = nil, arena: Arena) throws(HostRingError) -> any HostRing {
    switch kind {
    case .ioUring: return try IOUringRing(arena: arena)
    case .epoll: return try EpollRing(arena: arena)
    case nil:
      if let ring = try? IOUringRing(arena: arena) { return ring }
      return try EpollRing(arena: arena)
    }
  }

  /// Whether initiators on this host are paced: TCP's usual congestion control here sets timers between what they send.
  public static var pacesInitiators: Bool { simsan_paces() != 0 }

  /// Whether the kernel allows rings of that kind to this process.
  public static func allows(_ kind: HostRingKind) -> Bool {
    (try? make(kind, arena: Arena(allocating: Arena.pageLength))) != nil
  }
}
