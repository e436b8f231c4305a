import ISCSI
import Initiator
import SCSI

/// Watches what nexuses have to do with each other: that a reservation keeps others out and nobody else does, and that a reset is
/// told to everybody.
///
/// It says only what is certain. Where two things that change a reservation are under way at a time, or a nexus may be gone
/// that holds one, nothing is known until a RESERVE succeeds by itself.
struct NexusModel {
  /// What a command has to do with it.
  private enum Kind {
    /// RESERVATION CONFLICT keeps it out.
    case reserved
    case reserve
    case release
    /// It tells of a unit attention, or passes by it, and is let in everywhere.
    case free

    /// Whether it may change who has reserved the unit.
    var changes: Bool { self == .reserve || self == .release }

    /// Whether a reservation of another keeps it out.
    var isKeptOut: Bool { self == .reserved || self == .reserve }
  }

  /// What is known of a reservation.
  private enum Holder: Equatable {
    case unknown
    case nobody
    case nexus(Nexus)
  }

  /// A command that was watched.
  private struct Watched {
    var unit: Int
    var nexus: Nexus
    var kind: Kind
    var layout: CDBLayout
    /// How much had changed on its unit, see ``Unit/changes``.
    var changes: Int
    /// No other of its nexus was under way when it began.
    var wasAlone: Bool
    /// When a reset was not told yet when it began.
    var isDue: Bool
    /// Whatever it ends with says nothing: the program that had it is over.
    var isOver = false
  }

  private struct Unit {
    var target: Int
    var lun: Int
    var holder: Holder
    /// How many things that may change the reservation have begun or ended, and how many are under way.
    var changes = 0
    var changing = 0
    /// Who has not been told of a reset, and what ``changes`` was when somebody was told of something last.
    var untold: Set<Nexus> = []
    var told: [Nexus: Int] = [:]
    /// The watched commands under way.
    var open: [Int] = []
  }

  private var units: [Unit] = []
  private var watched: [Watched] = []
  /// The places in it of those that have ended.
  private var free: [Int] = []
  /// Who is logged in to which target.
  private var present: [(target: Int, nexus: Nexus)] = []
  /// Targets of which nothing is known: something was sent to them by hand.
  private var blind: Set<Int> = []

  /// - Parameter isFresh: Nobody else has reserved anything.
  mutating func add(_ targets: [TargetFacts], isFresh: Bool) {
    for (index, target) in targets.enumerated() {
      for facts in target.units {
        units.append(Unit(target: index, lun: facts.lun, holder: isFresh ? .nobody : .unknown))
      }
    }
  }

  /// What a command has to do with reservations and unit attentions; nil for one that is not watched.
  private static func kind(of layout: CDBLayout) -> Kind? {
    switch layout.name.prefix(while: { !$0.isNumber }) {
    case "reserve": return .reserve
    case "release": return .release
    case "inquiry", "report_luns", "request_sense": return .free
    // SPC-2 §5.5.1. Others may be let in, or are not said.
    case "test_unit_ready", "read", "write", "write_and_verify", "verify", "write_same", "unmap", "compare_and_write",
      "orwrite", "synchronize_cache", "mode_select":
      return .reserved
    default: return nil
    }
  }

  // MARK: Commands

  /// A command is asked for. Its number, for ``end(_:_:)``; nil when there is nothing to watch.
  mutating func begin(_ cdb: [UInt8], target: Int, lun: Int, by nexus: Nexus) -> Int? {
    guard !blind.contains(target), let unit = find(target, lun), let layout = CDBLayout.of(cdb),
      let kind = Self.kind(of: layout)
    else { return nil }
    if kind.changes { beginChange(unit) }
    let wasAlone = !units[unit].open.contains { watched[$0].nexus == nexus }
    let entry = Watched(
      unit: unit, nexus: nexus, kind: kind, layout: layout, changes: units[unit].changes, wasAlone: wasAlone,
      isDue: units[unit].untold.contains(nexus))
    let index = free.popLast() ?? watched.count
    if index == watched.count { watched.append(entry) } else { watched[index] = entry }
    units[unit].open.append(index)
    return index
  }

  private func find(_ target: Int, _ lun: Int) -> Int? {
    units.firstIndex { $0.target == target && $0.lun == lun }
  }

  private mutating func beginChange(_ unit: Int) {
    units[unit].changes += 1
    units[unit].changing += 1
  }

  /// Ends a change that began when `changes` was what it is given; what is known afterwards, if nothing else has changed.
  private mutating func endChange(_ unit: Int, since changes: Int, _ holder: Holder) {
    units[unit].changing -= 1
    units[unit].holder = units[unit].changing == 0 && units[unit].changes == changes ? holder : .unknown
    units[unit].changes += 1
  }

  /// A command has ended.
  ///
  /// - Throws: When it cannot have ended so.
  mutating func end(_ index: Int, _ outcome: TaskResult.Outcome) throws(LuaFailure) {
    let entry = watched[index]
    free.append(index)
    guard !entry.isOver else { return }
    let unit = entry.unit
    units[unit].open.removeAll { $0 == index }
    let isUndisturbed = units[unit].changes == entry.changes && units[unit].changing == (entry.kind.changes ? 1 : 0)
    let before = units[unit].holder
    guard case .command(let result) = outcome, result.response == 0, let status = Status(rawValue: result.status) else {
      // Nobody knows what has become of it.
      if entry.kind.changes { endChange(unit, since: entry.changes, .unknown) }
      return
    }
    if PDULanguage.isUnitAttention(result.sense) {
      units[unit].untold.remove(entry.nexus)
      units[unit].told[entry.nexus] = units[unit].changes
    }
    if entry.kind.changes {
      let after: Holder =
        switch (status, entry.kind) {
        case (.good, .reserve): .nexus(entry.nexus)
        case (.good, .release): before == .nexus(entry.nexus) ? .nobody : before
        default: before
        }
      endChange(unit, since: entry.changes, after)
    }
    guard !blind.contains(units[unit].target) else { return }
    if isUndisturbed { try checkReservation(entry, status, before) }
    if status == .good, entry.kind != .free, entry.isDue, entry.wasAlone,
      !units[unit].open.contains(where: { watched[$0].nexus == entry.nexus }),
      units[unit].untold.remove(entry.nexus) != nil
    {
      throw LuaFailure(
        "LUN \(units[unit].lun): \(entry.layout.standardName) ended with GOOD, but \(entry.nexus.words) has not been told that the unit was "
          + "reset\nexpected: CHECK CONDITION, UNIT ATTENTION")
    }
  }

  private func checkReservation(_ entry: Watched, _ status: Status, _ holder: Holder) throws(LuaFailure) {
    let lun = units[entry.unit].lun
    switch (status, holder) {
    case (.good, .nexus(let other)) where other != entry.nexus && entry.kind.isKeptOut:
      throw LuaFailure(
        "LUN \(lun): \(entry.layout.standardName) of \(entry.nexus.words) ended with GOOD, though \(other.words) has reserved the unit\n"
          + "expected: RESERVATION CONFLICT")
    case (.reservationConflict, .nobody), (.reservationConflict, .nexus(entry.nexus)):
      let who = holder == .nobody ? "nobody has" : "it has itself"
      throw LuaFailure(
        "LUN \(lun): \(entry.layout.standardName) of \(entry.nexus.words) ended with RESERVATION CONFLICT, though \(who) reserved the unit"
      )
    default: break
    }
  }

  // MARK: Resets, and who comes and goes

  /// A reset of one unit, or of all of a target's where `lun` is nil, is asked for. What ``endReset(_:isComplete:by:)`` takes.
  mutating func beginReset(target: Int, lun: Int?) -> [(unit: Int, changes: Int)] {
    let meant = units.indices.filter { units[$0].target == target && (lun == nil || units[$0].lun == lun) }
    for unit in meant { beginChange(unit) }
    return meant.map { ($0, units[$0].changes) }
  }

  mutating func endReset(_ begun: [(unit: Int, changes: Int)], isComplete: Bool, by nexus: Nexus) {
    for (unit, changes) in begun {
      endChange(unit, since: changes, isComplete ? .nobody : .unknown)
      guard isComplete else { continue }
      // Whether who has asked for it is told is left open. Others may have been told before it was answered.
      for other in present where other.target == units[unit].target && other.nexus != nexus {
        if units[unit].told[other.nexus] ?? -1 < changes { units[unit].untold.insert(other.nexus) }
      }
    }
  }

  /// A nexus has come into being. One of the same name was over before it.
  mutating func arrived(_ nexus: Nexus, target: Int) {
    left(nexus, target: target)
    present.append((target, nexus))
    for unit in units.indices where units[unit].target == target { units[unit].untold.remove(nexus) }
  }

  /// A nexus is over, or may be: what it holds may not be held any more.
  mutating func left(_ nexus: Nexus, target: Int) {
    present.removeAll { $0.target == target && $0.nexus == nexus }
    for unit in units.indices where units[unit].target == target && units[unit].holder == .nexus(nexus) {
      units[unit].holder = .unknown
      units[unit].changes += 1
    }
  }

  /// Whatever nexus an initiator port has with a target may be over: it logs in again, to a portal group that is yet to be told.
  mutating func leaves(name: String, isid: UInt64, target: Int) {
    for one in present where one.target == target && one.nexus.name == name && one.nexus.isid == isid {
      left(one.nexus, target: target)
    }
  }

  /// The program of some targets has ended: nobody holds anything.
  mutating func exit(_ targets: [Int]) {
    present.removeAll { targets.contains($0.target) }
    for unit in units.indices where targets.contains(units[unit].target) {
      for index in units[unit].open { watched[index].isOver = true }
      units[unit].open = []
      units[unit].changing = 0
      units[unit].changes += 1
      units[unit].holder = .nobody
      units[unit].untold = []
    }
  }

  /// Something was sent to a target by hand, or its network is not what it should be: nothing is known of it any more.
  mutating func forget(target: Int) { blind.insert(target) }
}
