import Ring
import SimClock

/// What a simulated medium is like.
public struct DiskOptions: Hashable, Sendable {
  /// The size in bytes.
  public var size: UInt64

  /// What is written as a whole or not at all when the power fails, in bytes: a power of two, usually a sector.
  public var atomicUnit: UInt64 = 512

  /// What becomes of unflushed writes in a crash.
  public enum Survival: UInt8, Hashable, Sendable {
    /// Each survives whole, in part or not at all, as drawn.
    case drawn
    /// Each survives in part, as far as it has parts.
    case torn
    /// None does.
    case none
    /// All do.
    case all
  }

  public var survival = Survival.drawn

  /// Whether completed writes may sit in a volatile cache until a flush. Without it every write is stable when it
  /// completes.
  public var isCached = true

  /// How many bytes the volatile cache holds; older ones are written back by themselves.
  public var cacheLength: UInt64 = 8 << 20

  /// The time of a read or a write, without its transfer.
  public var latency: Interval = .microseconds(60)

  /// Up to how much longer, drawn per operation.
  public var jitter: Interval = .microseconds(40)

  /// The time of a write that only reaches the cache, without its transfer.
  public var cachedLatency: Interval = .microseconds(10)

  /// The time of a flush.
  public var flushLatency: Interval = .microseconds(500)

  /// Bytes a second that the medium transfers; zero for no limit.
  public var throughput: UInt64 = 3_000_000_000

  /// What offsets and lengths have to be multiples of; 1 for no such demand.
  public var alignment: UInt64 = 1

  /// Writing fails.
  public var isReadOnly = false

  public init(size: UInt64 = 64 << 20) { self.size = size }
}

/// A simulated medium: sparse contents, a volatile write cache, and what survives a crash.
///
/// Two images are kept: what a read returns now, and what is stable. A write goes to the first, and into a log;
/// flushing plays the log into the second. After a crash the second, with any subset of the log played into it, is
/// what is left. A medium of any size costs only what was written on it.
public final class Disk {
  /// What can be asked of a medium.
  public enum Access: UInt8, Sendable {
    case read
    case write
    case flush
    case discard
    case writeZeroes
    case seek
  }

  public let name: String
  public internal(set) var options: DiskOptions

  /// The most bytes that it can be resized to.
  public let sizeMax: UInt64

  let timeline: Timeline
  let current: PageMap
  let stable: PageMap
  var log = WriteLog()
  var latencyRandom: RandomStream
  var crashRandom: RandomStream
  var faultRandom: RandomStream
  private var cancelRandom: RandomStream
  private var endRandom: RandomStream

  /// When the medium's transfer path is free, in nanoseconds.
  private var busyUntil: UInt64 = 0

  /// What has happened to it.
  public struct Counters: Hashable, Sendable {
    public var crashes: UInt64 = 0
    /// Writes of which a part survived a crash.
    public var writesTorn: UInt64 = 0
    /// Accesses that found the medium pulled out.
    public var refusedAsRemoved: UInt64 = 0
  }

  public internal(set) var counters = Counters()

  /// Faults that are in force; see `Disk+Faults.swift`.
  var rules: [FaultRule] = []
  /// Those that tear what a crash leaves of writes, and the units at which they do; the last is in force.
  var tearings: [(id: DiskFaultID, unit: UInt64)] = []
  /// Those that give it another size; the last is in force.
  var resizings: [(id: DiskFaultID, size: UInt64)] = []
  /// How often each fault that ever was has struck, by its number.
  var strikes: [UInt64] = []
  /// What the faults have made of parts of the contents, over the pristine ones: of what a read returns now, and of what
  /// is stable; see `Disk+Damage.swift`.
  var damage = DamageList()
  var stableDamage = DamageList()

  /// Whether the medium has been pulled out.
  public internal(set) var removals = 0

  public init(name: String, options: DiskOptions, timeline: Timeline) {
    self.name = name
    var options = options
    options.size = min(options.size, 1 << 62)
    self.options = options
    self.timeline = timeline
    sizeMax = max(options.size.multipliedReportingOverflow(by: 16).partialValue, options.size, 1 << 39)
    let pages = sizeMax / UInt64(PageMap.pageLength) + 1
    current = PageMap(pageCountMax: pages)
    stable = PageMap(pageCountMax: pages)
    latencyRandom = timeline.random.stream("disk.\(name).latency")
    crashRandom = timeline.random.stream("disk.\(name).crash")
    faultRandom = timeline.random.stream("disk.\(name).fault")
    cancelRandom = timeline.random.stream("disk.\(name).cancel")
    endRandom = timeline.random.stream("disk.\(name).end")
  }

  deinit { log.deallocate() }

  /// The bytes that it has now.
  public var size: UInt64 { resizings.last?.size ?? options.size }

  /// The bytes of storage that the contents take.
  public var allocatedLength: UInt64 { UInt64(current.pageCount) * UInt64(PageMap.pageLength) }

  /// The bytes of writes that a crash could lose now.
  public var unflushedLength: UInt64 { log.dataLength }

  /// Why an access cannot be carried out at all; `none` when it can.
  public func check(_ access: Access, at offset: UInt64, length: UInt64) -> RingError {
    if removals > 0 {
      counters.refusedAsRemoved += 1
      return .removed
    }
    switch access {
    case .flush: return .none
    case .seek: return offset > size ? .outOfRange : .none
    case .read, .write, .discard, .writeZeroes:
      let (end, overflow) = offset.addingReportingOverflow(length)
      if overflow || end > size {
        guard let resizing = resizings.last, !overflow, end <= options.size else { return .outOfRange }
        // It was there when the medium was opened: to who opened it, it cannot be read or written.
        strike(resizing.id)
        return .mediumError
      }
      if options.alignment > 1, offset % options.alignment != 0 || length % options.alignment != 0 {
        return .misaligned
      }
      if access != .read, options.isReadOnly { return .readOnly }
      return .none
    }
  }

  /// How long an access that starts now takes; the time of its transfer is reserved.
  public func duration(_ access: Access, length: UInt64, forceUnitAccess: Bool) -> Interval {
    var time: Interval
    switch access {
    case .read: time = options.latency
    case .write: time = options.isCached && !forceUnitAccess ? options.cachedLatency : options.latency
    case .flush: time = options.isCached ? options.flushLatency : options.cachedLatency
    case .discard, .writeZeroes: time = options.latency
    case .seek: time = options.cachedLatency
    }
    if options.jitter > .zero {
      time = time + Interval(nanoseconds: latencyRandom.next(below: options.jitter.nanoseconds &+ 1))
    }
    guard access == .read || access == .write, options.throughput > 0 else { return time }
    let now = timeline.now.nanoseconds
    let (scaled, overflow) = length.multipliedReportingOverflow(by: 1_000_000_000)
    let transfer = overflow ? UInt64.max / 4 : scaled / options.throughput
    let (done, late) = max(busyUntil, now).addingReportingOverflow(transfer)
    busyUntil = late ? .max / 2 : done
    return time + Interval(nanoseconds: busyUntil - min(now, busyUntil))
  }

  /// Draws whether an access that is cancelled still waits and can be withdrawn.
  public func canWithdraw() -> Bool { cancelRandom.chance(1, of: 2) }

  /// Draws whether a write that is under way when its process ends takes effect.
  public func outlivesProcess() -> Bool { endRandom.chance(1, of: 2) }

  // MARK: Access, at the time when it takes effect

  /// Reads into `bytes`. The caller has checked the range.
  public func read(at offset: UInt64, into bytes: UnsafeMutableRawBufferPointer) {
    current.read(at: offset, into: bytes)
    if !damage.isEmpty { applyDamage(at: offset, to: bytes) }
  }

  /// Begins a write of `length` bytes at `offset`, whose data follow with ``appendWrite(_:)``; then ``endWrite()``.
  public func beginWrite(at offset: UInt64, length: UInt64, forceUnitAccess: Bool) {
    damage.cut(offset, length, writtenAs: log.endNumber)
    log.append(.data, offset: offset, length: 0, isStable: forceUnitAccess)
  }

  /// Adds data to the write that was begun last.
  public func appendWrite(_ bytes: UnsafeRawBufferPointer) {
    guard log.count > 0, bytes.count > 0 else { return }
    let index = log.count - 1
    current.write(at: log[index].offset + log[index].length, bytes)
    log[index].length += UInt64(bytes.count)
    log.append(data: bytes)
  }

  /// Ends the write that was begun last: it is cached, or stable where there is no cache.
  public func endWrite() {
    if options.isCached { trimCache() } else { destage(upTo: log.endNumber) }
  }

  /// Writes `bytes`: the three calls in one.
  public func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer, forceUnitAccess: Bool = false) {
    beginWrite(at: offset, length: UInt64(bytes.count), forceUnitAccess: forceUnitAccess)
    appendWrite(bytes)
    endWrite()
  }

  /// Makes a range read as zeroes, with (`allocated`) or without storage; with `isCutOff` the power fails while it does.
  public func clear(at offset: UInt64, length: UInt64, allocated: Bool, isCutOff: Bool = false) {
    damage.cut(offset, length, writtenAs: log.endNumber)
    current.clear(at: offset, length: length, allocated: allocated)
    log.append(allocated ? .zeroes : .discard, offset: offset, length: length, isStable: false)
    if !isCutOff { endWrite() }
  }

  /// The mark of a flush that is submitted now: it covers the writes that have taken effect before.
  public var flushMark: UInt64 { log.endNumber }

  /// Makes everything before `mark` stable.
  public func flush(upTo mark: UInt64) { destage(upTo: mark) }

  /// The first byte at or after `offset` that has no storage (or has some); the size if there is none.
  public func seek(from offset: UInt64, toHole: Bool) -> UInt64 {
    let length = UInt64(PageMap.pageLength)
    let end = (size + length - 1) / length
    guard offset < size else { return size }
    let page = current.first(allocated: !toHole, from: offset / length, below: end)
    return min(max(page * length, offset), size)
  }
}
