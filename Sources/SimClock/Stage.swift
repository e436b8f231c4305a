import Ring

/// A server with a queue in front of it, as the pipeline of one operation has eight: it works on one thing at a time, in
/// the order of arrival, and takes a while to begin when it had nothing to do (a scheduler's or an interrupt's latency).
///
/// What it costs is said with each thing, so that the time of leaving is known on arrival and no event is needed for it.
/// So throughput tends to one over the work, and the delay is paid once for each time that it was idle.
public struct Stage: Sendable {
  /// What a stage has done; times in nanoseconds.
  public struct Counters: Hashable, Sendable {
    /// The things that were worked on.
    public var entries: UInt64 = 0
    /// How often it was idle when one came.
    public var starts: UInt64 = 0
    /// The time that it worked, delays not included.
    public var busy: UInt64 = 0

    public init() {}
  }

  public private(set) var counters = Counters()

  /// When it has done everything that it was given, in nanoseconds of virtual time.
  public private(set) var busyUntil: UInt64 = 0

  public init() {}

  /// Takes in what arrives at `now` and takes `work`, all in nanoseconds. When it leaves; saturates.
  ///
  /// - Parameter delay: Passes first when the stage was idle.
  public mutating func enter(at now: UInt64, work: UInt64, delay: UInt64) -> UInt64 {
    counters.entries += 1
    var start = busyUntil
    // Idle, not just done: what arrives at the moment of leaving finds it awake.
    if busyUntil < now || busyUntil == 0 {
      counters.starts += 1
      start = Self.sum(now, delay)
    }
    busyUntil = Self.sum(start, work)
    counters.busy = Self.sum(counters.busy, work)
    return busyUntil
  }

  /// As ``enter(at:work:delay:)``, for a stage that has no processor of its own: what it does waits for what other stages
  /// have given `core` before, and the delay passes only when that was idle.
  public mutating func enter(at now: UInt64, work: UInt64, delay: UInt64, on core: inout Stage) -> UInt64 {
    counters.entries += 1
    if busyUntil < now || busyUntil == 0 { counters.starts += 1 }
    busyUntil = core.enter(at: now, work: work, delay: delay)
    counters.busy = Self.sum(counters.busy, work)
    return busyUntil
  }

  /// Forgets what it has been given, as in a power failure.
  public mutating func abandon() { busyUntil = 0 }

  /// What `bytes` cost at `rate` nanoseconds a kibibyte; saturates.
  public static func work(_ bytes: UInt64, perKibibyte rate: Interval) -> UInt64 {
    let (product, overflow) = bytes.multipliedReportingOverflow(by: rate.nanoseconds)
    return overflow ? .max : product / 1024
  }

  /// Saturates, since worlds may name times at the edge of what a number holds.
  public static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
  }
}
