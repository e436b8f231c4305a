import Ring

/// What all rooms of one simulation share: virtual time, the events to come, the random streams and the trace.
public final class Timeline {
  /// Virtual time. Stands still while events of one instant are handled.
  public private(set) var now: Instant = .zero

  public let random: RandomStreams

  public var trace = Trace()

  private var queue = EventQueue()

  public init(seed: UInt64) { random = RandomStreams(seed: seed) }

  /// When the next event is due; nil when nothing will ever happen by itself.
  public var nextTime: Instant? { queue.nextTime.map { Instant(nanoseconds: $0) } }

  /// The next event, which stays in the queue.
  public var next: Event? { queue.first }

  /// The number of events to come, withdrawn ones included.
  public var eventCount: Int { queue.count }

  /// Adds an event. One whose time has passed is due at once.
  public func schedule(_ event: Event) {
    var event = event
    if event.time < now.nanoseconds { event.time = now.nanoseconds }
    queue.push(event)
  }

  /// Takes out the next event that is due now.
  public func popDue() -> Event? { queue.pop(dueAt: now.nanoseconds) }

  /// Moves time forward to `time`; never back. The caller has handled the events before it.
  public func advance(to time: Instant) {
    assert(nextTime.map { $0 >= time } ?? true, "an event was passed over")
    if time > now { now = time }
  }

  /// Folds a step into the trace, at the present time.
  public func record(
    _ kind: TraceRecord.Kind, detail: UInt8, subject: UInt32, _ first: UInt64 = 0, _ second: UInt64 = 0,
    payload: UInt64 = 0
  ) {
    trace.append(
      TraceRecord(
        time: now.nanoseconds, kind: kind, detail: detail, subject: subject, first: first, second: second,
        payload: payload))
  }
}
