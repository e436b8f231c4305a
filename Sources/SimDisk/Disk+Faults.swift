import Ring
import SimClock

/// A fault of a medium while it is in force.
public struct DiskFault: Hashable, Sendable {
  /// What becomes of an access.
  public enum Effect: Hashable, Sendable {
    /// The access fails with this error and moves nothing. A failed flush loses what the cache held.
    case fail(RingError)
    /// The access takes this much longer.
    case slow(Interval)
    /// The access never completes while the fault is in force.
    case stuck
    /// Reads and writes move fewer bytes than asked, a drawn number of atomic units.
    case short
    /// A write is reported as done, and the medium shows what was there before.
    case lost
    /// A write is reported as done, and the medium shows it this many bytes further on instead.
    case misdirected(UInt64)
  }

  public var effect: Effect

  /// The accesses that it applies to.
  public var reads = true
  public var writes = true
  public var flushes = false

  /// The bytes that it applies to; a flush counts as all bytes.
  public var range: Range<UInt64> = 0..<UInt64.max

  /// How often it strikes, of the accesses that it applies to.
  public var chance: Ratio = .always

  /// How often it strikes at most.
  public var limit: UInt64 = .max

  public init(_ effect: Effect) { self.effect = effect }
}

struct FaultRule {
  var id: DiskFaultID
  var fault: DiskFault
}

/// Names a fault of a medium that is in force.
public struct DiskFaultID: Hashable, Sendable {
  var rawValue: UInt32
}

/// What the faults in force make of one access.
public struct DiskVerdict: Hashable, Sendable {
  public var error = RingError.none
  public var delay = Interval.zero
  /// The faults that hold the access; it goes on when all of them have been lifted.
  public var holders: [DiskFaultID] = []
  public var isStuck: Bool { !holders.isEmpty }
  public var isLost = false
  /// The bytes to which the access is cut.
  public var length: UInt64
  /// How many bytes further on the write goes.
  public var displacement: UInt64 = 0
  /// The fault that decides the fate of a lost or misdirected write.
  public var fault = DiskFaultID(rawValue: .max)

  /// No fault: all of `length` bytes.
  public init(length: UInt64) { self.length = length }
}

extension Disk {
  /// Puts a fault in force.
  public func inject(_ fault: DiskFault) -> DiskFaultID {
    let id = makeFaultID()
    rules.append(FaultRule(id: id, fault: fault))
    return id
  }

  func makeFaultID() -> DiskFaultID {
    strikes.append(0)
    return DiskFaultID(rawValue: UInt32(strikes.count - 1))
  }

  func strike(_ id: DiskFaultID) { strikes[Int(id.rawValue)] += 1 }

  /// Takes a fault back, and with it what it has made of the contents.
  public func lift(_ id: DiskFaultID) {
    rules.removeAll { $0.id == id }
    tearings.removeAll { $0.id == id }
    resizings.removeAll { $0.id == id }
    damage.remove(of: id)
    stableDamage.remove(of: id)
  }

  /// How often a fault has struck: accesses, among them those behind an end that it has moved, reads of what it has damaged,
  /// torn writes.
  public func fired(_ id: DiskFaultID) -> UInt64 { strikes[Int(id.rawValue)] }

  /// What the faults in force make of an access that starts now. One that is held meets the others when it goes on, and is
  /// judged anew then.
  public func judge(_ access: Access, at offset: UInt64, length: UInt64) -> DiskVerdict {
    var verdict = DiskVerdict(length: length)
    for rule in rules where rule.fault.effect == .stuck && strikes(rule, access, at: offset, length) {
      verdict.holders.append(rule.id)
      strike(rule.id)
    }
    guard !verdict.isStuck else { return verdict }
    for rule in rules where rule.fault.effect != .stuck && strikes(rule, access, at: offset, length) {
      let id = rule.id
      switch rule.fault.effect {
      case .fail(let error): verdict.error = error
      case .slow(let time): verdict.delay = verdict.delay + time
      case .stuck: continue
      case .short:
        let unit = max(options.atomicUnit, options.alignment, 1)
        guard access == .read || access == .write, verdict.length > unit else { continue }
        verdict.length = (1 + faultRandom.next(below: (verdict.length - 1) / unit)) * unit
      case .lost:
        guard access == .write else { continue }
        verdict.isLost = true
        verdict.fault = id
      case .misdirected(let displacement):
        guard access == .write, displacement > 0 else { continue }
        verdict.displacement = displacement
        verdict.fault = id
      }
      strike(id)
    }
    return verdict
  }

  /// Whether a fault strikes an access; where that is by chance it is drawn.
  private func strikes(_ rule: FaultRule, _ access: Access, at offset: UInt64, _ length: UInt64) -> Bool {
    let fault = rule.fault
    switch access {
    case .read, .seek: if !fault.reads { return false }
    case .write, .writeZeroes: if !fault.writes { return false }
    // What gives storage back needs no room.
    case .discard: if !fault.writes || fault.effect == .fail(.noSpace) { return false }
    case .flush: if !fault.flushes { return false }
    }
    if access != .flush {
      let (end, overflow) = offset.addingReportingOverflow(max(length, 1))
      guard offset < fault.range.upperBound, overflow || end > fault.range.lowerBound else { return false }
    }
    return fired(rule.id) < fault.limit && faultRandom.chance(fault.chance)
  }

  /// Pulls the medium out, until ``insert()`` was called as often.
  public func remove() { removals += 1 }

  /// Puts the medium back, when it was called as often as ``remove()``.
  public func insert() { removals = max(0, removals - 1) }

  /// Gives the medium another size, of at most ``sizeMax``; what lies beyond a smaller one is kept, and shows again when the
  /// fault is lifted. Of several such faults the newest is in force.
  public func injectSize(_ size: UInt64) -> DiskFaultID {
    let id = makeFaultID()
    resizings.append((id, min(size, sizeMax)))
    return id
  }

  /// From now on a crash tears every unflushed write, at this unit. Of several such faults the newest is in force.
  public func injectTearing(atomicUnit: UInt64) -> DiskFaultID {
    let id = makeFaultID()
    tearings.append((id, max(atomicUnit, 1)))
    return id
  }

  /// Has the medium refuse to be written, or take it again.
  public func setReadOnly(_ isReadOnly: Bool) { options.isReadOnly = isReadOnly }
}
