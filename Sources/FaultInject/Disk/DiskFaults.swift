import Ring
import SimClock
import SimDisk
import SimRing

/// Accesses fail as medium errors. Fires per access.
public struct DiskIOError: FaultUnit {
  public static let name = "disk.io_error"
  public var access: DiskAccess

  public init(_ access: DiskAccess) { self.access = access }

  public var parameters: String { access.text }

  public func inject(into world: World) -> any ActiveFault { access.inject(.fail(.mediumError), into: world) }
}

/// Flushes fail; what was cached is indeterminate afterwards. Fires per flush.
public struct DiskFlushError: FaultUnit {
  public static let name = "disk.flush_error"
  public var disk: DiskID
  public var chance: Ratio

  public init(_ disk: DiskID, chance: Ratio = .always) {
    self.disk = disk
    self.chance = chance
  }

  public var parameters: String { "disk \(disk.rawValue), \(chance)" }

  public func inject(into world: World) -> any ActiveFault {
    DiskAccess(to: disk, reads: false, writes: false, flushes: true, chance: chance)
      .inject(.fail(.mediumError), into: world)
  }
}

/// Accesses take longer. Fires per access.
public struct DiskSlow: FaultUnit {
  public static let name = "disk.slow"
  public var access: DiskAccess
  public var delay: Interval

  public init(_ access: DiskAccess, delay: Interval) {
    self.access = access
    self.delay = delay
  }

  public var parameters: String { "\(access.text), +\(delay.nanoseconds / 1000) us" }

  public func inject(into world: World) -> any ActiveFault { access.inject(.slow(delay), into: world) }
}

/// Accesses do not complete until the fault is lifted. Fires per access.
public struct DiskStuck: FaultUnit {
  public static let name = "disk.stuck"
  public var access: DiskAccess

  public init(_ access: DiskAccess) { self.access = access }

  public var parameters: String { access.text }

  public func inject(into world: World) -> any ActiveFault { access.inject(.stuck, into: world) }
}

/// Reads and writes move fewer bytes than asked. Fires per access.
public struct DiskShort: FaultUnit {
  public static let name = "disk.short"
  public var access: DiskAccess

  public init(_ access: DiskAccess) { self.access = access }

  public var parameters: String { access.text }

  public func inject(into world: World) -> any ActiveFault { access.inject(.short, into: world) }
}

/// Writes fail because no room is left. Fires per write.
public struct DiskFull: FaultUnit {
  public static let name = "disk.full"
  public var disk: DiskID

  public init(_ disk: DiskID) { self.disk = disk }

  public var parameters: String { "disk \(disk.rawValue)" }

  public func inject(into world: World) -> any ActiveFault {
    DiskAccess(to: disk, reads: false).inject(.fail(.noSpace), into: world)
  }
}

/// Writes fail because the medium has turned read-only. Fires per write.
public struct DiskReadOnly: FaultUnit {
  public static let name = "disk.read_only"
  public var disk: DiskID

  public init(_ disk: DiskID) { self.disk = disk }

  public var parameters: String { "disk \(disk.rawValue)" }

  public func inject(into world: World) -> any ActiveFault {
    DiskAccess(to: disk, reads: false).inject(.fail(.readOnly), into: world)
  }
}

/// The medium is pulled out, and put back when the fault is lifted. Fires per access that finds it gone.
public struct DiskRemoved: FaultUnit {
  public static let name = "disk.removed"
  public var disk: DiskID

  public init(_ disk: DiskID) { self.disk = disk }

  public var parameters: String { "disk \(disk.rawValue)" }

  public func inject(into world: World) -> any ActiveFault {
    let medium = world.disk(disk)
    medium.remove()
    let before = medium.counters.refusedAsRemoved
    return SimpleFault(fired: { medium.counters.refusedAsRemoved - before }, lift: { medium.insert() })
  }
}

/// The medium has another size; what lay behind a nearer end is there again when the fault is lifted. Fires per access behind
/// it.
public struct DiskResized: FaultUnit {
  public static let name = "disk.resized"
  public var disk: DiskID

  /// Bytes.
  public var size: UInt64

  public init(_ disk: DiskID, to size: UInt64) {
    self.disk = disk
    self.size = size
  }

  public var parameters: String { "disk \(disk.rawValue), \(size) bytes" }

  public func inject(into world: World) -> any ActiveFault {
    let medium = world.disk(disk)
    let id = medium.injectSize(size)
    let disk = disk
    return SimpleFault(fired: { medium.fired(id) }, lift: { world.lift(id, on: disk) })
  }
}

/// Writes are acknowledged and the medium keeps showing what was there before. Fires per write.
public struct DiskLostWrite: FaultUnit {
  public static let name = "disk.lost_write"
  public var access: DiskAccess

  public init(_ access: DiskAccess) { self.access = access }

  public var parameters: String { access.text }

  public func inject(into world: World) -> any ActiveFault { access.inject(.lost, into: world) }
}

/// Writes are acknowledged and show up elsewhere. Fires per write.
public struct DiskMisdirectedWrite: FaultUnit {
  public static let name = "disk.misdirected_write"
  public var access: DiskAccess

  /// How many bytes further on they show up.
  public var displacement: UInt64

  public init(_ access: DiskAccess, displacement: UInt64) {
    self.access = access
    self.displacement = displacement
  }

  public var parameters: String { "\(access.text), \(displacement) bytes further on" }

  public func inject(into world: World) -> any ActiveFault { access.inject(.misdirected(displacement), into: world) }
}

/// Part of the medium cannot be read until it is written again. Fires per read.
public struct DiskLatentError: FaultUnit {
  public static let name = "disk.latent_error"
  public var disk: DiskID
  public var range: Range<UInt64>

  public init(_ disk: DiskID, _ range: Range<UInt64>) {
    self.disk = disk
    self.range = range
  }

  public var parameters: String { "disk \(disk.rawValue), \(range.lowerBound)..<\(range.upperBound)" }

  public func inject(into world: World) -> any ActiveFault {
    let medium = world.disk(disk)
    let id = medium.injectLatentErrors(at: range.lowerBound, length: range.upperBound - range.lowerBound)
    let disk = disk
    return SimpleFault(fired: { medium.fired(id) }, lift: { world.lift(id, on: disk) })
  }
}

/// Some bits of the medium have inverted themselves. Fires per bit that a read sees.
public struct DiskBitRot: FaultUnit {
  public static let name = "disk.bit_rot"
  public var disk: DiskID
  public var range: Range<UInt64>

  /// How many bits.
  public var count: Int

  public init(_ disk: DiskID, _ range: Range<UInt64>, count: Int) {
    self.disk = disk
    self.range = range
    self.count = count
  }

  public var parameters: String { "disk \(disk.rawValue), \(count) bits of \(range.lowerBound)..<\(range.upperBound)" }

  public func inject(into world: World) -> any ActiveFault {
    let medium = world.disk(disk)
    let id = medium.injectBitRot(at: range.lowerBound, length: range.upperBound - range.lowerBound, count: count)
    let disk = disk
    return SimpleFault(fired: { medium.fired(id) }, lift: { world.lift(id, on: disk) })
  }
}

/// In a crash every unflushed write is torn, at this unit. Fires per torn write.
public struct DiskTorn: FaultUnit {
  public static let name = "disk.torn"
  public var disk: DiskID

  /// What survives or not as a whole, in bytes.
  public var atomicUnit: UInt64

  public init(_ disk: DiskID, atomicUnit: UInt64 = 512) {
    self.disk = disk
    self.atomicUnit = atomicUnit
  }

  public var parameters: String { "disk \(disk.rawValue), at \(atomicUnit) bytes" }

  public func inject(into world: World) -> any ActiveFault {
    let medium = world.disk(disk)
    let id = medium.injectTearing(atomicUnit: atomicUnit)
    let disk = disk
    return SimpleFault(fired: { medium.fired(id) }, lift: { world.lift(id, on: disk) })
  }
}
