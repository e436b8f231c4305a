/// One step of a run, as it is folded into the trace hash.
public struct TraceRecord: Hashable, Sendable {
  public enum Kind: UInt8, Sendable {
    /// An event of the queue was handled.
    case event
    /// A machine emitted an operation.
    case operation
    /// A ring completed an operation.
    case completion
    /// A machine was stepped.
    case step
    /// The layer above changed the world: started, crashed, cut a link.
    case intervention
  }

  /// Virtual time in nanoseconds.
  public var time: UInt64

  public var kind: Kind

  /// A finer kind: an `Operation.Kind`, a `RingError`, an event's kind; by ``kind``.
  public var detail: UInt8

  /// The process or host that it happened to.
  public var subject: UInt32

  public var first: UInt64
  public var second: UInt64

  /// The digest of the bytes that went with it, zero when there were none.
  public var payload: UInt64

  public init(
    time: UInt64, kind: Kind, detail: UInt8, subject: UInt32, first: UInt64, second: UInt64, payload: UInt64
  ) {
    self.time = time
    self.kind = kind
    self.detail = detail
    self.subject = subject
    self.first = first
    self.second = second
    self.payload = payload
  }
}

/// What happened in a run: a rolling hash always, checkpoints of it always, and on request the records of a part.
///
/// To find the first step in which two runs differ: ask ``firstDifference(_:_:)`` for the part in which it lies, run
/// both again with that part recorded, and ask ``firstDifferentRecord(_:_:)``.
public struct Trace: Sendable {
  /// The hash after a number of steps.
  public struct Checkpoint: Hashable, Sendable {
    public var count: UInt64
    public var hash: TraceHash
  }

  /// The steps between two checkpoints.
  public static let checkpointInterval: UInt64 = 4096

  public private(set) var hash = TraceHash()

  /// The steps so far.
  public private(set) var count: UInt64 = 0

  public private(set) var checkpoints: [Checkpoint] = []

  /// The recorded steps, from step ``recordedFrom`` on.
  public private(set) var records: [TraceRecord] = []

  /// The number of the first recorded step, counted from zero.
  public private(set) var recordedFrom: UInt64 = .max

  /// The number after the last step to record.
  private var recordedUntil: UInt64 = 0

  public init() {}

  /// Asks for the records of the steps of `range`, counted from zero. Has to be called before they happen.
  public mutating func record(_ range: Range<UInt64>) {
    recordedFrom = range.lowerBound
    recordedUntil = range.upperBound
    records = []
  }

  /// Folds a step in.
  public mutating func append(_ record: TraceRecord) {
    hash.fold(
      record.time,
      UInt64(record.kind.rawValue) << 40 | UInt64(record.detail) << 32 | UInt64(record.subject))
    hash.fold(record.first, record.second &+ record.payload &* 0xBA7C_9045_F12C_7F99)
    if count >= recordedFrom, count < recordedUntil { records.append(record) }
    count += 1
    if count % Self.checkpointInterval == 0 { checkpoints.append(Checkpoint(count: count, hash: hash)) }
  }

  /// The steps among which two runs first differ, as far as their checkpoints and ends tell; nil when they are the
  /// same.
  public static func firstDifference(_ left: Trace, _ right: Trace) -> Range<UInt64>? {
    guard left.hash != right.hash || left.count != right.count else { return nil }
    let common = min(left.checkpoints.count, right.checkpoints.count)
    for index in 0..<common where left.checkpoints[index] != right.checkpoints[index] {
      let end = left.checkpoints[index].count
      return end - checkpointInterval..<end
    }
    let start = common > 0 ? left.checkpoints[common - 1].count : 0
    return start..<max(start + 1, max(left.count, right.count))
  }

  /// The number of the first step whose records differ in two runs that recorded the same part; nil when none does.
  public static func firstDifferentRecord(_ left: Trace, _ right: Trace) -> UInt64? {
    let common = min(left.records.count, right.records.count)
    for index in 0..<common where left.records[index] != right.records[index] {
      return left.recordedFrom + UInt64(index)
    }
    return left.records.count == right.records.count ? nil : left.recordedFrom + UInt64(common)
  }

  /// The record of step `number`, if that was recorded.
  public subscript(number: UInt64) -> TraceRecord? {
    guard number >= recordedFrom, number - recordedFrom < UInt64(records.count) else { return nil }
    return records[Int(number - recordedFrom)]
  }
}
