import Ring
import SimClock
import SimRing

/// Arms faults in one world, now or later, for good or for a time, and keeps the ledger of them.
public final class FaultPlan: EventHandler {
  enum EventKind: UInt8 {
    case inject
    case lift
    case wake
  }

  struct Entry {
    let unit: any FaultUnit
    var injectedAt: Instant?
    var active: (any ActiveFault)?
    var isLifted = false

    var name: String { type(of: unit).name }
    var fired: UInt64 { active?.fired ?? 0 }
  }

  /// What one armed fault has done, for reports.
  public struct LedgerLine: Hashable, Sendable {
    public var name: String
    public var parameters: String
    public var injectedAt: Instant?
    public var isLifted: Bool
    public var fired: UInt64
  }

  public let world: World
  var entries: [Entry] = []

  /// Called when a ``ProcessCrash`` or ``HostPowerOff`` that was armed for a time is over: the layer above makes a new
  /// machine and starts it.
  public var restart: ((ProcessID) -> Void)?

  /// A plan for `world`, which hands it the events of faults from now on.
  ///
  /// The world keeps the plan, and the plan, with what is still in force, the world: whoever has made both and goes on without
  /// them sets `world.faultHandler` to nil at the end.
  public init(_ world: World) {
    self.world = world
    world.faultHandler = self
  }

  /// Arms a fault.
  ///
  /// - Parameters:
  ///   - delay: How long from now it begins; at once when that is zero.
  ///   - duration: How long it lasts; until it is lifted when that is nil.
  @discardableResult
  public func arm(_ unit: some FaultUnit, after delay: Interval = .zero, for duration: Interval? = nil) -> FaultHandle {
    let index = entries.count
    entries.append(Entry(unit: unit))
    if delay == .zero { inject(index) } else { schedule(.inject, index, at: world.now + delay) }
    if let duration { schedule(.lift, index, at: world.now + delay + duration) }
    return FaultHandle(plan: self, index: index)
  }

  func schedule(_ kind: EventKind, _ index: Int, at time: Instant) {
    world.timeline.schedule(
      Event(
        time: time.nanoseconds, room: .fault, kind: kind.rawValue, subject: UInt32(truncatingIfNeeded: index),
        generation: 0))
  }

  public func handle(_ event: Event) {
    let index = Int(event.subject)
    guard index < entries.count, let kind = EventKind(rawValue: event.kind) else { return }
    switch kind {
    case .inject: inject(index)
    case .lift: lift(index)
    case .wake: if !entries[index].isLifted { entries[index].active?.wake(FaultContext(plan: self, index: index)) }
    }
  }

  private func inject(_ index: Int) {
    guard entries[index].active == nil, !entries[index].isLifted else { return }
    world.record(1, subject: UInt32(truncatingIfNeeded: index))
    entries[index].injectedAt = world.now
    let active = entries[index].unit.inject(into: world)
    entries[index].active = active
    active.wake(FaultContext(plan: self, index: index))
  }

  func lift(_ index: Int) {
    guard !entries[index].isLifted else { return }
    entries[index].isLifted = true
    world.record(2, subject: UInt32(truncatingIfNeeded: index))
    entries[index].active?.lift()
    if let crash = entries[index].active as? any RestartingFault {
      for process in crash.processes { restart?(process) }
    }
  }

  /// Lifts every fault that is in force, and withdraws those that have not begun: for the calm end of a run.
  public func liftAll() {
    for index in entries.indices { lift(index) }
  }

  // MARK: The ledger

  /// Every fault that was armed, in that order.
  public var ledger: [LedgerLine] {
    entries.map { entry in
      LedgerLine(
        name: entry.name, parameters: entry.unit.parameters, injectedAt: entry.injectedAt, isLifted: entry.isLifted,
        fired: entry.fired)
    }
  }

  /// The faults that were armed and never struck: a run that has some has not tested what it was meant to.
  public var neverFired: [LedgerLine] { ledger.filter { $0.fired == 0 } }
}

/// One armed fault.
public struct FaultHandle {
  let plan: FaultPlan
  let index: Int

  /// The unit's name.
  public var name: String { plan.entries[index].name }

  /// How often it has struck.
  public var fired: UInt64 { plan.entries[index].fired }

  /// Whether it is in force now.
  public var isActive: Bool { plan.entries[index].active != nil && !plan.entries[index].isLifted }

  /// Takes it back; one that has not begun never does.
  public func lift() { plan.lift(index) }
}

/// A fault whose end is the start of processes that it has ended.
protocol RestartingFault: ActiveFault {
  var processes: [ProcessID] { get }
}

/// All units by name, for the scenario language and for drawing some of them.
public enum FaultCatalogue {
  /// The units that exist.
  public static let units: [any FaultUnit.Type] = [
    NetworkPartition.self, NetworkUnreachable.self, NetworkFlap.self, NetworkReset.self, NetworkLoss.self,
    NetworkBitFlip.self, NetworkSlow.self, NetworkSplit.self, NetworkShort.self, DiskIOError.self, DiskSlow.self,
    DiskStuck.self, DiskShort.self, DiskFull.self, DiskReadOnly.self, DiskRemoved.self, DiskResized.self,
    DiskLostWrite.self,
    DiskMisdirectedWrite.self, DiskLatentError.self, DiskBitRot.self, DiskFlushError.self, DiskTorn.self,
    ProcessCrash.self,
    ProcessPause.self, ProcessShortage.self, HostPowerOff.self, ClockJump.self, ClockDrift.self,
  ]

  /// Their names, in the catalogue's order.
  public static var names: [String] { units.map { $0.name } }
}
