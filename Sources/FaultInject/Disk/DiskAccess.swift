import Ring
import SimClock
import SimDisk
import SimRing

/// The accesses to a medium that a fault concerns, and how often it strikes.
public struct DiskAccess: Hashable, Sendable {
  public var disk: DiskID
  public var reads: Bool
  public var writes: Bool
  public var flushes: Bool
  public var range: Range<UInt64>
  public var chance: Ratio

  /// How often it strikes at most.
  public var limit: UInt64

  public init(
    to disk: DiskID, reads: Bool = true, writes: Bool = true, flushes: Bool = false,
    range: Range<UInt64> = 0..<UInt64.max, chance: Ratio = .always, limit: UInt64 = .max
  ) {
    self.disk = disk
    self.reads = reads
    self.writes = writes
    self.flushes = flushes
    self.range = range
    self.chance = chance
    self.limit = limit
  }

  var text: String {
    var kinds: [String] = []
    if reads { kinds.append("reads") }
    if writes { kinds.append("writes") }
    if flushes { kinds.append("flushes") }
    var text = "disk \(disk.rawValue) \(kinds.joined(separator: " "))"
    if range != 0..<UInt64.max { text += " of \(range.lowerBound)..<\(range.upperBound)" }
    if !chance.isAlways { text += ", \(chance)" }
    if limit != .max { text += ", at most \(limit)" }
    return text
  }

  /// Injects `effect` on these accesses.
  func inject(_ effect: DiskFault.Effect, into world: World) -> any ActiveFault {
    var fault = DiskFault(effect)
    fault.reads = reads
    fault.writes = writes
    fault.flushes = flushes
    fault.range = range
    fault.chance = chance
    fault.limit = limit
    let disk = disk
    let id = world.disk(disk).inject(fault)
    return SimpleFault(fired: { world.disk(disk).fired(id) }, lift: { world.lift(id, on: disk) })
  }
}
