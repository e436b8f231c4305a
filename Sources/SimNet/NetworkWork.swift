import Ring
import SimClock

/// What the kernel of a host does for its connections and how long that takes. Nothing by default: then segments go out
/// and come in at once, and no event is added.
///
/// Two stages, each with its own queue: transmission (what a send costs until the segment is at the link) and softirq
/// (what a segment costs until its bytes are in the receive buffer). They work beside each other and the host's threads,
/// unless the host has ``oneCore``. Segments and resets pass them; acknowledgements and connection requests cost nothing.
public struct NetworkWork: Hashable, Sendable {
  /// Of a send, once.
  public var send: Interval = .zero
  /// Of each segment that goes out.
  public var segmentOut: Interval = .zero
  /// Of 1024 bytes that go out.
  public var kibibyteOut: Interval = .zero
  /// Before a segment goes out from a transmission stage that was idle.
  public var transmitDelay: Interval = .zero
  /// Of each segment that comes in.
  public var segmentIn: Interval = .zero
  /// Of 1024 bytes that come in.
  public var kibibyteIn: Interval = .zero
  /// Before a segment is worked on that finds the softirq stage idle: the interrupt's latency.
  public var interruptDelay: Interval = .zero

  /// The stages and the threads of the host share one core, which does one thing after the other as they come: so a thread
  /// that has sent goes on when its segments have gone out, as in a system call. Delays pass only when the core was idle.
  public var oneCore = false

  public init() {}

  var transmits: Bool {
    send > .zero || segmentOut > .zero || kibibyteOut > .zero || transmitDelay > .zero
  }

  var receives: Bool { segmentIn > .zero || kibibyteIn > .zero || interruptDelay > .zero }
}

extension Network.Host {
  mutating func transmit(at now: UInt64, work time: UInt64) -> UInt64 {
    let delay = options.work.transmitDelay.nanoseconds
    guard options.work.oneCore else { return transmission.enter(at: now, work: time, delay: delay) }
    return transmission.enter(at: now, work: time, delay: delay, on: &core)
  }

  mutating func takeIn(at now: UInt64, work time: UInt64) -> UInt64 {
    let delay = options.work.interruptDelay.nanoseconds
    guard options.work.oneCore else { return softirq.enter(at: now, work: time, delay: delay) }
    return softirq.enter(at: now, work: time, delay: delay, on: &core)
  }
}

extension Network {
  /// What the transmission stage of a host has done; sends and segments are an entry each.
  public func transmitCounters(of host: HostID) -> Stage.Counters { hosts[Int(host.rawValue)].transmission.counters }

  /// What the softirq stage of a host has done; segments and resets are an entry each.
  public func softirqCounters(of host: HostID) -> Stage.Counters { hosts[Int(host.rawValue)].softirq.counters }

  /// What the core of a host has done; nothing where it has not ``NetworkWork/oneCore``.
  public func coreCounters(of host: HostID) -> Stage.Counters { hosts[Int(host.rawValue)].core.counters }

  /// When the one core of a host has done all that it was given, in nanoseconds; zero where its stages have one each.
  package func coreBusyUntil(_ host: HostID) -> UInt64 { hosts[Int(host.rawValue)].core.busyUntil }

  /// When `work` nanoseconds of a thread that begins a step now are done, in nanoseconds; saturates.
  package func leaveThread(_ host: HostID, work time: UInt64) -> UInt64 {
    let now = timeline.now.nanoseconds
    guard hosts[Int(host.rawValue)].options.work.oneCore else { return Stage.sum(now, time) }
    return hosts[Int(host.rawValue)].core.enter(at: now, work: time, delay: 0)
  }

  /// A send is made on a host, whether a segment goes out for it or not.
  func payForSend(_ host: UInt32) {
    let work = hosts[Int(host)].options.work
    guard work.send > .zero else { return }
    _ = hosts[Int(host)].transmit(at: timeline.now.nanoseconds, work: work.send.nanoseconds)
  }

  /// When a segment of `length` bytes that a pipe's sender transmits now is at the link, in nanoseconds.
  func leaveTransmission(_ pipe: Int, _ length: UInt64) -> UInt64 {
    let now = timeline.now.nanoseconds
    guard isLive(pipes[pipe].sender) else { return now }
    let host = Int(sockets[Int(pipes[pipe].sender.slot)].host)
    let work = hosts[host].options.work
    guard work.transmits else { return now }
    let time = Stage.sum(work.segmentOut.nanoseconds, Stage.work(length, perKibibyte: work.kibibyteOut))
    return hosts[host].transmit(at: now, work: time)
  }

  /// When a packet of `length` bytes that arrives at `host` now has passed the softirq stage; nil when that costs nothing.
  func leaveSoftirq(_ host: Int, _ length: UInt64) -> UInt64? {
    let work = hosts[host].options.work
    guard work.receives else { return nil }
    return hosts[host].takeIn(
      at: timeline.now.nanoseconds,
      work: Stage.sum(work.segmentIn.nanoseconds, Stage.work(length, perKibibyte: work.kibibyteIn)))
  }
}
