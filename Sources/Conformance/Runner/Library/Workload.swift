import ISCSI
import Initiator
import Ring

/// `workload { on = s, ops = 10000, depth = 32, mix = { write = 60, read = 30, flush = 10 } }`: commands drawn by chance,
/// so many at a time. What is read is held against the durability model.
final class Workload {
  private let player: Player
  private let sessions: [ScriptSession]
  private let total: Int
  private let depth: Int
  private let mix: (write: Int, read: Int, flush: Int)
  /// Percent of the writes that have FUA.
  private let fua: Int
  private let blocks: ClosedRange<Int>
  private let lbas: ClosedRange<Int>
  private let site: String
  private let lun: Int
  private let endsWhenLost: Bool
  private let toleratesErrors: Bool
  private let patience: Interval

  private var started = 0
  private var running: [ScriptTask] = []
  private var counts = (reads: 0, writes: 0, flushes: 0, errors: 0, lost: 0)
  private var lostSince: Instant?

  init(_ fields: inout Fields, _ player: Player) throws(LuaFailure) {
    self.player = player
    var sessions: [ScriptSession] = []
    for value in try fields.list("on") ?? [] {
      sessions.append(try HostLibrary.session(player, value, "workload.on"))
    }
    guard let first = sessions.first else { throw fields.wrong("on", .none, "a session, or a list of them") }
    self.sessions = sessions
    total = try fields.integer("ops", in: 1...10_000_000) ?? 1000
    depth = try fields.integer("depth", in: 1...1024) ?? 8
    lun = try fields.integer("lun", in: 0...16383) ?? first.lun
    var mix = try Fields(fields.any("mix"), path: "workload.mix")
    let write: Int = try mix.integer("write", in: 0...1000) ?? 0
    let read: Int = try mix.integer("read", in: 0...1000) ?? 0
    let flush: Int = try mix.integer("flush", in: 0...1000) ?? 0
    try mix.finish()
    self.mix = write + read + flush == 0 ? (50, 50, 0) : (write, read, flush)
    fua = try fields.integer("fua", in: 0...100) ?? 0
    blocks = try Self.range(&fields, "blocks") ?? 1...8
    guard let unit = player.unit(first.target, lun), unit.blockCount > UInt64(blocks.upperBound) else {
      throw fields.wrong("lun", .integer(Int64(lun)), "a logical unit of the target that is large enough")
    }
    let last = Int(clamping: unit.blockCount) - blocks.upperBound
    let wanted = try Self.range(&fields, "lba") ?? 0...last
    guard wanted.lowerBound <= last else {
      throw fields.wrong("lba", .integer(Int64(wanted.lowerBound)), "blocks of the logical unit")
    }
    lbas = wanted.lowerBound...min(max(wanted.upperBound, wanted.lowerBound), last)
    site = try fields.string("site") ?? "workload"
    endsWhenLost = try fields.flag("until_lost") ?? false
    toleratesErrors = try fields.flag("tolerate_errors") ?? false
    patience = try fields.time("patience") ?? .seconds(120)
  }

  /// A number, or `{ least, greatest }`.
  private static func range(_ fields: inout Fields, _ name: String) throws(LuaFailure) -> ClosedRange<Int>? {
    guard let values = try fields.list(name) else { return nil }
    guard (1...2).contains(values.count), let low = values[0].int,
      let high = (values.count > 1 ? values[1] : values[0]).int,
      low >= 0, high >= low, high < 1 << 40, name != "blocks" || (low > 0 && high <= 8192)
    else { throw fields.wrong(name, fields.any(name), "a number, or { least, greatest }") }
    return Int(low)...Int(high)
  }

  /// Takes the ends, begins anew; the counts when all is done.
  func poll() throws(LuaFailure) -> [LuaValue]? {
    try takeEnds()
    let usable = sessions.filter { !$0.isLost }
    if usable.isEmpty {
      if endsWhenLost, running.isEmpty { return result }
      let since = lostSince ?? player.now
      lostSince = since
      if player.now >= since + patience {
        throw LuaFailure(
          "workload: its sessions have been lost for \(Quantity.text(patience)), and nobody logs in again")
      }
      player.wake(at: since + patience)
      return nil
    }
    lostSince = nil
    while started < total, running.count < depth {
      try begin(usable[player.draw("\(site).session", in: 0...(usable.count - 1))])
    }
    return started == total && running.isEmpty ? result : nil
  }

  private func takeEnds() throws(LuaFailure) {
    var left: [ScriptTask] = []
    for task in running {
      guard let result = task.result else {
        left.append(task)
        continue
      }
      // The data of thousands of reads are not kept.
      task.result = nil
      switch result.outcome {
      case .command(let outcome) where outcome.status == 0: break
      case .command(let outcome) where PDULanguage.isUnitAttention(outcome.sense): started -= 1
      case .connectionLost: counts.lost += 1
      default:
        counts.errors += 1
        if !toleratesErrors {
          throw LuaFailure(
            "workload: expected GOOD from \(task.what); came \(HostLibrary.describe(PDULanguage.record(result)))"
              + player.recorder.tail())
        }
      }
    }
    running = left
  }

  private func begin(_ session: ScriptSession) throws(LuaFailure) {
    let unit = player.unit(session.target, lun)
    let blockSize = unit?.blockSize ?? 512
    let choice = player.draw("\(site).mix", in: 1...(mix.write + mix.read + mix.flush))
    let lba = player.draw("\(site).lba", in: lbas)
    let count = player.draw("\(site).blocks", in: blocks)
    var request: CommandRequest
    let what: String
    let values = [("lba", UInt64(lba)), ("blocks", UInt64(count))]
    if choice <= mix.write {
      let isFUA = fua > 0 && player.draw("\(site).fua", in: 1...100) <= fua
      request = CommandRequest(cdb: encode("write16", values + [("fua", isFUA ? 1 : 0)]))
      request.dataOut = player.durability.pattern(lba: UInt64(lba), count: count, blockSize: blockSize)
      what = "write"
      counts.writes += 1
    } else if choice <= mix.write + mix.read {
      request = CommandRequest(cdb: encode("read16", values))
      request.expectedDataIn = count * blockSize
      what = "read"
      counts.reads += 1
    } else {
      request = CommandRequest(cdb: encode("synchronize_cache16", []))
      what = "synchronize_cache"
      counts.flushes += 1
    }
    request.lun = LogicalUnitNumber.encode(lun) ?? 0
    let access = Access.of(
      request.cdb, dataOut: request.dataOut, expectedDataIn: request.expectedDataIn, unit: unit)
    running.append(
      try player.execute(request, on: session, what: "\(what) of \(count) blocks at \(lba)", access: access) { _ in
        .none
      })
    started += 1
  }

  private func encode(_ name: String, _ values: [(String, UInt64)]) -> [UInt8] {
    CDBLayout.named(name)?.encode(values) ?? []
  }

  private var result: [LuaValue] {
    let pairs = [
      ("reads", counts.reads), ("writes", counts.writes), ("flushes", counts.flushes), ("errors", counts.errors),
      ("lost", counts.lost),
    ]
    return [.table(LuaTable(fields: pairs.map { ($0.0, .integer(Int64($0.1))) }))]
  }
}

extension HostLibrary {
  static let workloads: [HostFunction] = [
    HostFunction("workload") { (player, call) throws(LuaFailure) in
      var fields = try Fields(call[0], path: "workload")
      let within = try fields.time("within") ?? player.within
      let workload = try Workload(&fields, player)
      try fields.finish()
      return try player.wait(call, for: "the end of a workload", on: .anything, within: within) {
        () throws(LuaFailure) in
        try workload.poll()
      }
    }
  ]
}
