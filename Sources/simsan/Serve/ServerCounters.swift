import CAllocation
import Foundation
import Glibc
import HostRing
import Ring
import Target

/// What a server, or a shard of it, has done up to a moment: where its time goes, for whoever runs it.
struct ServerCounters: Sendable {
  var time: Instant
  var target: TargetStatistics
  var ring: HostRingCounters
  /// Calls of the C allocator by the shard's thread, which Swift's allocations go through.
  var allocations: UInt64
  /// CPU time of the shard's thread, user and system.
  var cpu: Interval

  /// The counters of now. On the shard's own thread.
  ///
  /// - Parameter reporting: Allocations that earlier reports took, which do not count.
  init(_ machine: TargetMachine, _ ring: any HostRing, reporting: UInt64 = 0) {
    time = ring.now
    target = machine.statistics
    self.ring = ring.counters
    allocations = simsan_allocation_count() - min(reporting, simsan_allocation_count())
    var used = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used)
    cpu = .seconds(UInt64(clamping: used.tv_sec)) + Interval(nanoseconds: UInt64(clamping: used.tv_nsec))
  }

  /// What two shards have done together.
  static func + (left: ServerCounters, right: ServerCounters) -> ServerCounters {
    var sum = left
    sum.target = left.target + right.target
    sum.ring = left.ring + right.ring
    sum.allocations += right.allocations
    sum.cpu = left.cpu + right.cpu
    return sum
  }

  /// One line on what happened since `earlier`.
  func line(since earlier: ServerCounters) -> String {
    let change = Change(earlier, self)
    let commands = change { $0.target.commands }
    guard commands > 0 else { return "\(change.clock)  no commands, \(change.cores)" }
    return "\(change.clock)  \(number(change.perSecond(commands), 0)) commands/s, \(change.cores), a command: "
      + "\(number(change.cpu * 1e6 / commands, 2)) us CPU, "
      + "\(change.ratio({ $0.ring.systemCalls.total }, to: commands)) system calls, "
      + "\(change.ratio({ $0.allocations }, to: commands)) allocations"
  }

  /// All counters since `earlier`, a line each.
  func table(since earlier: ServerCounters) -> String {
    let change = Change(earlier, self)
    let commands = change { $0.target.commands }
    let receives = change { $0.target.receives }
    let sends = change { $0.target.sends }
    let turns = change { $0.ring.turns }
    let moved = change { $0.target.bytesReceived } + change { $0.target.bytesSent }
    let rows: [(name: String, value: String, remark: String)] = [
      ("time", "\(number(change.seconds, 1)) s", change.cores),
      ("sessions now", number(Double(target.sessions), 0), "\(target.connections) connections, \(target.tasks) tasks"),
      ("logins", number(change { $0.target.logins }, 0), "\(number(change { $0.target.loginFailures }, 0)) refused"),
      (
        "commands", number(commands, 0),
        "\(number(change.perSecond(commands), 0)) a second, \(ratio(change.cpu * 1e6, commands)) us of CPU each"
      ),
      (
        "steps", number(change { $0.target.steps }, 0),
        "\(change.ratio({ $0.target.commands }, to: \.target.steps)) commands a step"
      ),
      (
        "system calls", number(change { $0.ring.systemCalls.total }, 0),
        "\(change.ratio({ $0.ring.systemCalls.total }, to: commands)) a command\(change.systemCalls(to: commands))"
      ),
      (
        "turns", number(turns, 0),
        "\(number(change { $0.ring.sleeps }, 0)) slept; \(number(change { $0.ring.looksOn }, 0)) looked on, "
          + "\(number(change { $0.ring.looksInVain }, 0)) in vain"
      ),
      (
        "receives", number(receives, 0),
        "\(change.ratio({ $0.target.pdusReceived }, to: receives)) PDUs, "
          + "\(change.ratio({ $0.target.bytesReceived }, to: receives)) bytes each"
      ),
      (
        "sends", number(sends, 0),
        "\(change.ratio({ $0.target.pdusSent }, to: sends)) PDUs, "
          + "\(change.ratio({ $0.target.bytesSent }, to: sends)) bytes each"
      ),
      (
        "bytes copied", number(change { $0.target.bytesCopied }, 0),
        "\(change.ratio({ $0.target.bytesCopied }, to: moved)) for each byte received or sent"
      ),
      (
        "allocations", simsan_allocations_are_counted() != 0 ? number(change { $0.allocations }, 0) : "not counted",
        "\(change.ratio({ $0.allocations }, to: commands)) a command"
      ),
      (
        "buffers", number(Double(target.bufferBytes), 0),
        "bytes in use, \(number(Double(target.bufferBytesMax), 0)) at most"
      ),
      (
        "went wrong", number(change { $0.target.protocolErrors } + change { $0.target.rejects }, 0),
        "protocol errors and rejects; \(number(change { $0.target.headerDigestErrors }, 0)) header and "
          + "\(number(change { $0.target.dataDigestErrors }, 0)) data digest errors, "
          + "\(number(change { $0.target.connectionsLost }, 0)) connections lost"
      ),
    ]
    let nameWidth = rows.map(\.name.count).max() ?? 0
    let valueWidth = rows.map(\.value.count).max() ?? 0
    return rows.map { row in
      let name = row.name.padding(toLength: nameWidth, withPad: " ", startingAt: 0)
      return "\(name)  \(String(repeating: " ", count: valueWidth - row.value.count))\(row.value)  \(row.remark)"
    }.joined(separator: "\n")
  }
}

/// What lies between two moments.
private struct Change {
  let earlier: ServerCounters
  let later: ServerCounters

  init(_ earlier: ServerCounters, _ later: ServerCounters) {
    self.earlier = earlier
    self.later = later
  }

  var seconds: Double { Double((later.time - earlier.time).nanoseconds) / 1e9 }
  var cpu: Double { Double(later.cpu.nanoseconds - min(earlier.cpu.nanoseconds, later.cpu.nanoseconds)) / 1e9 }
  var cores: String { "\(number(seconds > 0 ? cpu / seconds * 100 : 0, 0)) % of a core" }
  /// The time since the start.
  var clock: String { "\(number(Double(later.time.nanoseconds) / 1e9, 1)) s" }

  func callAsFunction(_ counter: (ServerCounters) -> UInt64) -> Double {
    Double(counter(later) &- counter(earlier))
  }

  func perSecond(_ count: Double) -> Double { seconds > 0 ? count / seconds : 0 }

  func ratio(_ counter: (ServerCounters) -> UInt64, to other: Double) -> String { simsan.ratio(self(counter), other) }

  /// What system calls were for, with what each purpose had of `other`; nothing when there were none.
  func systemCalls(to other: Double) -> String {
    let kinds: [(String, KeyPath<HostRingCounters.SystemCalls, UInt64>)] = [
      ("to wait", \.waits), ("to receive", \.receives), ("to send", \.sends), ("for media", \.media),
      ("for the rest", \.others),
    ]
    let told = kinds.filter { kind in self { $0.ring.systemCalls[keyPath: kind.1] } > 0 }
      .map { kind in "\(ratio({ $0.ring.systemCalls[keyPath: kind.1] }, to: other)) \(kind.0)" }
    return told.isEmpty ? "" : ": " + told.joined(separator: ", ")
  }

  func ratio(_ counter: (ServerCounters) -> UInt64, to other: (ServerCounters) -> UInt64) -> String {
    ratio(counter, to: self(other))
  }
}

private func ratio(_ left: Double, _ right: Double) -> String {
  guard right > 0 else { return "–" }
  return number(left / right, left / right < 100 ? 2 : 0)
}

/// A number with separators and so many decimals.
private func number(_ value: Double, _ decimals: Int) -> String {
  let text = String(format: "%.\(decimals)f", value)
  let whole = text.prefix { $0 != "." }
  var grouped = ""
  for (index, digit) in whole.enumerated() {
    if index > 0, digit.isNumber, (whole.count - index) % 3 == 0 { grouped += "," }
    grouped.append(digit)
  }
  return grouped + text.dropFirst(whole.count)
}
