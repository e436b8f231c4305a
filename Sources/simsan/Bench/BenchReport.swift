import Conformance
import Foundation
import HostRing
import Load
import Ring

/// What `simsan bench` shows: a line that changes on a terminal, or one a second; a table at the end; JSON.
final class BenchReport {
  private let options: BenchOptions
  private let ring: HostRingKind
  private let isQuiet: Bool
  private var isStopped = false
  private var before: LoadResult?
  private var start: (own: ProcessTime?, server: ProcessTime?)?
  private var end: (own: ProcessTime?, server: ProcessTime?)?

  init(_ options: BenchOptions, ring: HostRingKind) {
    self.options = options
    self.ring = ring
    isQuiet = options.json == "-"
  }

  private var load: LoadConfiguration { options.load }

  func began() throws(OutputLost) {
    guard !isQuiet else { return }
    var text = "\(options.operation), \(Quantity.text(bytes: UInt64(load.length))), depth \(load.depth), "
    text += load.sessions == 1 ? "1 session" : "\(load.sessions) sessions"
    if load.targets.count > 1 { text += " to \(load.targets.count) units" }
    if load.headerDigest || load.dataDigest {
      text +=
        ", digests of \([load.headerDigest ? "headers" : nil, load.dataDigest ? "data" : nil].compactMap { $0 }.joined(separator: " and "))"
    }
    if let rate = load.rate { text += ", \(rate) commands a second" }
    try say("\(text); ring \(ring.rawValue)")
  }

  /// Notes when measuring begins and ends, to know the CPU time in between.
  func note(_ machine: LoadMachine) {
    switch machine.state {
    case .measuring where start == nil: start = times
    case .ending, .ended: if start != nil, end == nil { end = times }
    default: break
    }
  }

  private var times: (own: ProcessTime?, server: ProcessTime?) {
    (ProcessTime(of: getpid()), options.serverPID.flatMap { ProcessTime(of: $0) })
  }

  func progress(_ machine: LoadMachine) throws(OutputLost) {
    guard !isQuiet, !isStopped else { return }
    let result = machine.currentResult
    switch machine.state {
    case .connecting: try show("\(result.readySessions) of \(load.sessions) sessions are ready")
    case .warmingUp: try show("warming up")
    case .measuring:
      let seconds = self.seconds(result.measured) - (before.map { self.seconds($0.measured) } ?? 0)
      guard seconds > 0.05 else { return }
      let rate = Double(result.commands - (before?.commands ?? 0)) / seconds
      let bytes = Double(result.bytes - (before?.bytes ?? 0)) / seconds
      var text = String(
        format: "%5.1f s  %9.0f commands/s  %8.1f MB/s", self.seconds(result.measured), rate, bytes / 1e6)
      text += "  p99 \(Self.time(result.latency.percentile(990)))"
      if result.failedCommands > 0 { text += "  \(result.failedCommands) failed" }
      try show(text)
      before = result
    case .ending: try show("waiting for the last commands")
    case .ended: break
    }
  }

  /// Says that it goes on to its end, in a line of its own: who does not wait for that ends the program where it stands.
  func wasStopped() throws(OutputLost) {
    isStopped = true
    if isTerminal, !isQuiet { try say("\(lineStart)waiting for the last commands; a second signal ends it at once") }
  }

  func ended(_ result: LoadResult) throws {
    if isTerminal, !isQuiet { try put(lineStart) }
    if !isQuiet { for line in table(result) { try say(line) } }
    if let error = result.firstError { complain("simsan bench: \(error)") }
    guard let json = options.json else { return }
    try deliver(Data((self.json(result) + "\n").utf8), to: json)
  }

  private func table(_ result: LoadResult) -> [String] {
    let seconds = seconds(result.measured)
    let rate = seconds > 0 ? Double(result.commands) / seconds : 0
    var lines = [
      String(
        format: "commands   %.0f a second, %.1f MB/s; %llu in %.2f s", rate,
        seconds > 0 ? Double(result.bytes) / seconds / 1e6 : 0, result.commands, seconds)
    ]
    if result.failedCommands > 0 { lines.append("failed     \(result.failedCommands) commands") }
    if result.unansweredCommands > 0 { lines.append("unanswered \(result.unansweredCommands) commands") }
    if result.lostSessions > 0 { lines.append("lost       \(result.lostSessions) of \(load.sessions) sessions") }
    let names: [(String, UInt64)] = [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999)]
    let latencies = names.map { "\($0.0) \(Self.time(result.latency.percentile($0.1)))" }
    if result.latency.count > 0 {
      lines.append("latency    \(latencies.joined(separator: ", ")), at most \(Self.time(result.latency.max))")
    }
    if load.sessions > 1, let percent = result.slowestSessionPercent {
      lines.append("sessions   the slowest had \(percent) % of the mean")
    }
    if let own = usage(\.own) { lines.append(String(format: "CPU        this program %.0f %% of a core", own * 100)) }
    if let server = usage(\.server), result.commands > 0 {
      lines.append(
        String(
          format: "           the server %.0f %% of a core, %.2f us a command", server * 100,
          server * seconds * 1e6 / Double(result.commands)))
    }
    return lines
  }

  private func json(_ result: LoadResult) -> String {
    let seconds = seconds(result.measured)
    var fields: [(String, String)] = [
      ("operation", "\"\(options.operation)\""), ("size", "\(load.length)"), ("depth", "\(load.depth)"),
      ("sessions", "\(load.sessions)"), ("targets", "\(load.targets.count)"), ("ring", "\"\(ring.rawValue)\""),
      ("header_digest", "\(load.headerDigest)"), ("data_digest", "\(load.dataDigest)"),
      ("seconds", String(format: "%.6f", seconds)), ("commands", "\(result.commands)"), ("bytes", "\(result.bytes)"),
      ("commands_per_second", String(format: "%.1f", seconds > 0 ? Double(result.commands) / seconds : 0)),
      ("failed_commands", "\(result.failedCommands)"), ("late_commands", "\(result.lateCommands)"),
      ("unanswered_commands", "\(result.unansweredCommands)"), ("lost_sessions", "\(result.lostSessions)"),
    ]
    let hasLatencies = result.latency.count > 0
    for (name, permille): (String, UInt64) in [("p50", 500), ("p90", 900), ("p99", 990), ("p999", 999)] {
      fields.append(("\(name)_ns", hasLatencies ? "\(result.latency.percentile(permille))" : "null"))
    }
    fields.append(("max_ns", hasLatencies ? "\(result.latency.max)" : "null"))
    fields.append(("slowest_session_percent", result.slowestSessionPercent.map { "\($0)" } ?? "null"))
    fields.append(("cpu_cores", usage(\.own).map { String(format: "%.4f", $0) } ?? "null"))
    fields.append(("server_cpu_cores", usage(\.server).map { String(format: "%.4f", $0) } ?? "null"))
    let error = result.firstError.flatMap { try? JSONEncoder().encode($0) }
    fields.append(("first_error", error.map { String(decoding: $0, as: UTF8.self) } ?? "null"))
    return "{ " + fields.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ") + " }"
  }

  /// The part of a core that was used while it was measured.
  private func usage(_ path: KeyPath<(own: ProcessTime?, server: ProcessTime?), ProcessTime?>) -> Double? {
    guard let start, let end, let from = start[keyPath: path], let to = end[keyPath: path], to.wall > from.wall else {
      return nil
    }
    return (to.cpu - from.cpu) / (to.wall - from.wall)
  }

  private func seconds(_ interval: Interval) -> Double { Double(interval.nanoseconds) / 1e9 }

  /// A latency in the unit that suits it.
  static func time(_ nanoseconds: UInt64) -> String {
    switch nanoseconds {
    case ..<10_000_000: String(format: "%.1f us", Double(nanoseconds) / 1e3)
    default: String(format: "%.1f ms", Double(nanoseconds) / 1e6)
    }
  }

  private func show(_ text: String) throws(OutputLost) {
    if isTerminal { try put(lineStart + text) } else { try say(text) }
  }
}

/// The CPU time of a process, all its threads together, at a moment; in seconds.
struct ProcessTime {
  var cpu: Double
  var wall: Double

  /// Nil when there is no such process.
  init?(of pid: Int32) {
    // Field 2, the name, may hold anything but ends at the last parenthesis; utime and stime are fields 14 and 15.
    guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
      let close = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[text.index(after: close)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
    cpu = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    wall = ProcessInfo.processInfo.systemUptime
  }
}
