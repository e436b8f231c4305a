import FaultInject
import ISCSI
import Ring
import SimClock
import SimNet
import SimRing

/// `fault.*`: what goes wrong in the world, and the handle that takes it back.
///
/// Every fault takes `for_` (how long; until it is lifted if not given), `after` (when it begins) and `may_miss` (a fault
/// that never strikes fails the case, unless this is set).
extension HostLibrary {
  static let faults: [HostFunction] =
    networkFaults + diskFaults + processFaults + [
      HostFunction("lift", of: .fault) { (player, call) throws(LuaFailure) in
        try fault(player, call).lift()
        return .nothing
      },
      HostFunction("fired", of: .fault) { (player, call) throws(LuaFailure) in
        .result(.integer(Int64(clamping: try fault(player, call).fired())))
      },
    ]

  // MARK: Network

  private static let networkFaults: [HostFunction] = [
    network("partition") { (_, path) throws(LuaFailure) in NetworkPartition(path) },
    network("unreachable") { (_, path) throws(LuaFailure) in NetworkUnreachable(path) },
    network("flap") { (fields, path) throws(LuaFailure) in
      NetworkFlap(
        path, down: try fields.time("down") ?? Interval.milliseconds(100),
        up: try fields.time("up") ?? Interval.milliseconds(100))
    },
    network("reset") { (_, path) throws(LuaFailure) in NetworkReset(path) },
    network("loss") { (fields, path) throws(LuaFailure) in
      NetworkLoss(path, chance: try chance(&fields, Ratio(1, in: 100)))
    },
    network("bit_flip") { (fields, path) throws(LuaFailure) in
      if let count: Int = try fields.integer("next", in: 1...1_000_000) { return NetworkBitFlip(path, .next(count)) }
      return NetworkBitFlip(path, .chance(try chance(&fields, Ratio(1, in: 100))))
    },
    network("slow") { (fields, path) throws(LuaFailure) in
      NetworkSlow(
        path, latency: try fields.time("latency") ?? .zero, jitter: try fields.time("jitter") ?? .zero,
        bandwidth: try fields.rate("bandwidth") ?? 0)
    },
    network("split") { (fields, path) throws(LuaFailure) in
      if let every: UInt64 = try fields.integer("every", in: 1...(1 << 30)) { return NetworkSplit(path, .every(every)) }
      var points: [UInt64] = []
      for value in try fields.list("at") ?? [] {
        guard let point = value.int, point > 0 else { throw fields.wrong("at", value, "offsets in the stream") }
        points.append(UInt64(point))
      }
      return NetworkSplit(path, points.isEmpty ? .drawn : .points(points.sorted()))
    },
    network("short") { (fields, path) throws(LuaFailure) in
      NetworkShort(path, chance: try chance(&fields, Ratio(1, in: 2)))
    },
  ]

  private static func network(
    _ name: String, _ make: @escaping @Sendable (inout Fields, NetworkPath) throws(LuaFailure) -> any FaultUnit
  ) -> HostFunction {
    function("network.\(name)") { (_, fields, simulation) throws(LuaFailure) in
      var names = try fields.strings("between") ?? []
      if names.isEmpty {
        names = [simulation.drivers.first?.host ?? "", simulation.programs.first?.host ?? ""]
      }
      guard names.count == 2 else {
        throw fields.wrong(
          "between", fields.any("between"), "two hosts, or addresses of hosts, such as { \"a\", \"target\" }")
      }
      let (from, to) = (try simulation.place(names[0]), try simulation.place(names[1]))
      let path = NetworkPath(
        between: from.host, and: to.host, oneWay: try fields.flag("one_way") ?? false, at: from.address,
        toAddress: to.address)
      return try make(&fields, path)
    }
  }

  private static func chance(_ fields: inout Fields, _ usual: Ratio) throws(LuaFailure) -> Ratio {
    try WorldReader.ratio(&fields, "chance") ?? usual
  }

  // MARK: Disks

  private static let diskFaults: [HostFunction] = [
    disk("io_error") { (fields, place) throws(LuaFailure) in DiskIOError(try access(&fields, place)) },
    disk("slow") { (fields, place) throws(LuaFailure) in
      DiskSlow(try access(&fields, place), delay: try fields.time("delay") ?? Interval.milliseconds(100))
    },
    disk("stuck") { (fields, place) throws(LuaFailure) in DiskStuck(try access(&fields, place)) },
    disk("short") { (fields, place) throws(LuaFailure) in DiskShort(try access(&fields, place)) },
    disk("flush_error") { (fields, place) throws(LuaFailure) in
      DiskFlushError(place.disk, chance: try chance(&fields, .always))
    },
    disk("full") { (_, place) throws(LuaFailure) in DiskFull(place.disk) },
    disk("read_only") { (_, place) throws(LuaFailure) in DiskReadOnly(place.disk) },
    disk("removed") { (_, place) throws(LuaFailure) in DiskRemoved(place.disk) },
    disk("resized") { (fields, place) throws(LuaFailure) in
      guard let size = try fields.size("size", in: 1...place.size * 2) else {
        throw fields.wrong("size", .none, "a size such as \"32MiB\"")
      }
      return DiskResized(place.disk, to: size)
    },
    disk("lost_write", corrupts: true) { (fields, place) throws(LuaFailure) in
      DiskLostWrite(try access(&fields, place))
    },
    disk("misdirected_write", corrupts: true) { (fields, place) throws(LuaFailure) in
      DiskMisdirectedWrite(
        try access(&fields, place), displacement: try fields.integer("displacement", in: 1...(1 << 40)) ?? 4096)
    },
    disk("latent_error") { (fields, place) throws(LuaFailure) in DiskLatentError(place.disk, try range(&fields, place))
    },
    disk("bit_rot", corrupts: true) { (fields, place) throws(LuaFailure) in
      DiskBitRot(place.disk, try range(&fields, place), count: try fields.integer("count", in: 1...1_000_000) ?? 1)
    },
    disk("torn") { (fields, place) throws(LuaFailure) in
      let unit = try WorldReader.atomicUnit(&fields) ?? DurabilityModel.sectorLength
      return DiskTorn(place.disk, atomicUnit: UInt64(unit))
    },
  ]

  /// A disk with the size of the blocks on it.
  private struct DiskPlace {
    var disk: DiskID
    var blockSize: UInt64
    var size: UInt64
  }

  private static func disk(
    _ name: String, corrupts: Bool = false,
    _ make: @escaping @Sendable (inout Fields, DiskPlace) throws(LuaFailure) -> any FaultUnit
  ) -> HostFunction {
    function("disk.\(name)") { (player, fields, simulation) throws(LuaFailure) in
      let wanted = try fields.string("target")
      let iqn = wanted.map { ISCSIName.normalized($0.utf8) ?? $0 }
      let nodes = simulation.programs.flatMap { program in
        zip(program.descriptions, program.disks).map { (host: program.host, target: $0, disks: $1) }
      }
      guard let node = nodes.first(where: { iqn == nil || $0.target.iqn == iqn }) else {
        let names = nodes.map(\.target.iqn)
        let value = wanted.map { LuaValue.text($0) } ?? .none
        var mistake = fields.wrong("target", value, "one of \(names.joined(separator: ", "))")
        mistake.message += Suggestion.clause(for: iqn ?? "", among: names)
        throw mistake
      }
      let units = Array(zip(node.target.units, node.disks))
      let lun: Int = try fields.integer("lun", in: 0...16383) ?? units.first.map { Int($0.0.lun) } ?? 0
      guard let (unit, medium) = units.first(where: { Int($0.0.lun) == lun }) else {
        let numbers = units.map { "\($0.0.lun)" }.joined(separator: ", ")
        throw fields.wrong("lun", .integer(Int64(lun)), "a logical unit of \(node.target.iqn): \(numbers)")
      }
      guard let disk = medium else {
        throw fields.wrong("lun", .integer(Int64(lun)), "a logical unit that is on a disk")
      }
      // What such a fault does to the contents is not the target's doing.
      let index = player.playground.targets.firstIndex { $0.iqn == node.target.iqn && $0.host == node.host }
      if corrupts, let index { player.durability.forgetAll(target: index) }
      let size = unit.size ?? UnitDescription.defaultSize
      return try make(&fields, DiskPlace(disk: disk, blockSize: UInt64(unit.blockSize), size: size))
    }
  }

  /// `lba` and `blocks`; all if not given.
  private static func range(_ fields: inout Fields, _ place: DiskPlace) throws(LuaFailure) -> Range<UInt64> {
    // At least one: the world's description has no smaller unit.
    let count = place.size / place.blockSize
    let lba: UInt64 = try fields.integer("lba", in: 0...(count - 1)) ?? 0
    let blocks: UInt64 = try fields.integer("blocks", in: 1...(count - lba)) ?? (count - lba)
    return (lba * place.blockSize)..<((lba + blocks) * place.blockSize)
  }

  private static func access(_ fields: inout Fields, _ place: DiskPlace) throws(LuaFailure) -> DiskAccess {
    let kinds = try fields.strings("of") ?? ["read", "write"]
    for kind in kinds where !["read", "write", "flush"].contains(kind) {
      throw fields.wrong("of", .text(kind), "some of \"read\", \"write\", \"flush\"")
    }
    var access = DiskAccess(to: place.disk)
    access.reads = kinds.contains("read")
    access.writes = kinds.contains("write")
    access.flushes = kinds.contains("flush")
    access.range = try range(&fields, place)
    access.chance = try chance(&fields, .always)
    access.limit = try fields.integer("times", in: 1...UInt64(Int64.max)) ?? .max
    return access
  }

  // MARK: Processes and clocks

  private static let processFaults: [HostFunction] = [
    function("process.pause") { (_, fields, simulation) throws(LuaFailure) in
      ProcessPause(try process(&fields, simulation))
    },
    function("process.no_resources") { (_, fields, simulation) throws(LuaFailure) in
      ProcessShortage(try process(&fields, simulation))
    },
    function("clock.jump") { (_, fields, simulation) throws(LuaFailure) in
      guard let distance = try fields.time("by") else { throw fields.wrong("by", .none, "a time such as \"30s\"") }
      return ClockJump(try process(&fields, simulation), by: distance)
    },
    function("clock.drift") { (_, fields, simulation) throws(LuaFailure) in
      guard let ppm: Int = try fields.integer("ppm", in: -900_000...900_000) else {
        throw fields.wrong("ppm", .none, "parts in a million")
      }
      return ClockDrift(try process(&fields, simulation), partsPerMillion: ppm)
    },
  ]

  private static func process(_ fields: inout Fields, _ simulation: SimulatedPlayground) throws(LuaFailure) -> ProcessID
  {
    let host = try fields.string("host")
    let names = simulation.programs.map(\.host)
    guard let program = simulation.programs.first(where: { host == nil || $0.host == host }) else {
      throw fields.wrong("host", .text(host ?? ""), "one of \(names.joined(separator: ", "))")
    }
    let shard = try fields.integer("shard", in: 0...program.processes.count - 1) ?? 0
    return program.processes[shard]
  }

  // MARK: Shared

  private static func function(
    _ name: String,
    _ make: @escaping @Sendable (Player, inout Fields, SimulatedPlayground) throws(LuaFailure) -> any FaultUnit
  ) -> HostFunction {
    HostFunction("fault.\(name)") { (player, call) throws(LuaFailure) in
      let simulation = try player.simulation(for: call.function)
      var fields = try Fields(call[0], path: call.function)
      let duration = try fields.time("for_")
      let delay = try fields.time("after") ?? .zero
      let mayMiss = try fields.flag("may_miss") ?? false
      let unit = try make(player, &fields, simulation)
      try fields.finish()
      // Who is cut off, or stands still, hears late of what has become of a session.
      if !name.hasPrefix("disk.") {
        for target in player.playground.targets.indices { player.nexuses.forget(target: target) }
      }
      let fault = ScriptFault(
        simulation.faults.arm(unit, after: delay, for: duration), location: call.location, mayMiss: mayMiss)
      player.faults.append(fault)
      return .result(.handle(.fault, Int64(player.faults.count - 1)))
    }
  }

  private static func fault(_ player: Player, _ call: LuaCall) throws(LuaFailure) -> ScriptFault {
    player.faults[try place(call[0], .fault, in: player.faults, call.function)]
  }
}
