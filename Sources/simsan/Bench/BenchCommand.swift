import Conformance
import Foundation
import HostRing
import ISCSI
import Load
import Ring

private let operations = ["randread", "randwrite", "seqread", "seqwrite", "randmixed", "seqmixed"]
private let digests = ["none", "header", "data", "both"]

let benchCommand = Command(
  name: "bench", summary: "put a load on targets, and measure commands a second and latencies", operands: "URL…",
  options: [
    Option(
      "--operation", "WORD",
      "randread (if not given), seqread, randwrite, seqwrite, randmixed or seqmixed; all but the reads need --overwrite"
    ),
    Option("--reads", "PERCENT", "how many of a mixed load are reads; 70 if not given"),
    Option("--overwrite", nil, "yes, what is on the units may be lost"),
    Option("--size", "SIZE", "bytes of a command, such as 4KiB, which is what is taken if not given"),
    Option("--depth", "N", "commands outstanding in each session; 32 if not given"),
    Option("--sessions", "N", "sessions, of one connection each, to each URL in turn; 1 if not given"),
    Option("--rate", "N", "commands a second of all sessions together; as many as the depth allows if not given"),
    Option("--time", "TIME", "how long to measure; 4s if not given"),
    Option("--warm-up", "TIME", "how long the load is on before; 500ms if not given"),
    Option("--range", "SIZE", "use only so much from the start of each unit"),
    Option("--digests", "WORD", "CRC32C digests: none (if not given), header, data or both"),
    Option(
      "--chap", "FILE",
      "log in with CHAP: a Lua file with return { name = \"…\", secret = \"…\" }\n"
        + "With target_secret = \"…\" the targets have to authenticate themselves, too."),
    Option("--seed", "N", "where the random numbers start; 1 if not given"),
    Option("--ring", "NAME", "io_uring or epoll; io_uring where the kernel allows it if not given"),
    Option("--busy-poll", "TIME", "look for answers so long before every sleep; see simsan serve"),
    Option("--server-pid", "PID", "a server on this machine whose CPU time is measured as well"),
    Option("--json", "FILE", "write the result there as well; - for standard output, and nothing else there"),
  ],
  discussion: """
    A URL is iscsi://HOST[:PORT]/IQN[/LUN]. A latency is the time from the step that sends a command to the step that sees \
    its status and the last of its data; what one receive brings is seen at one time. With --rate it counts from when the \
    command was due. Commands that are begun or due when measuring ends are waited for, up to 20 s, and count in the latencies \
    alone. SIGINT ends the measuring, and what there is is told; a second one ends the program at once. Exit status: 0 all is \
    well; 1 commands failed or were not answered, or sessions were lost; 2 the call was wrong.
    """
) { arguments in
  let options = try BenchOptions(arguments)
  let machine: LoadMachine
  do throws(RingError) { machine = try LoadMachine(configuration: options.load) } catch {
    throw UsageError(
      "the system does not give the memory for \(options.load.sessions) sessions; fewer: --sessions (ulimit -v says what "
        + "there is)")
  }
  let ring = try makeRing(options.ring, arena: machine.arena)
  ring.busyPoll = options.busyPoll
  let report = BenchReport(options, ring: ring.kind)
  try report.began()
  let loop = HostLoop(ring: ring, machine: machine)
  StopSignal.arm(ring)
  loop.step()
  var next = ring.now + .seconds(1)
  while machine.state != .ended {
    loop.turn(until: next)
    report.note(machine)
    if StopSignal.hasArrived {
      // The next one ends it, if the last commands are not to be waited for.
      StopSignal.disarm()
      machine.stop()
      loop.step()
      try report.wasStopped()
    }
    if ring.now >= next {
      try report.progress(machine)
      next = next + .seconds(1)
    }
  }
  StopSignal.disarm()
  let result = machine.currentResult
  try report.ended(result)
  let isWell = result.failedCommands == 0 && result.unansweredCommands == 0 && result.lostSessions == 0
  return isWell && result.commands > 0 ? 0 : 1
}

/// What `simsan bench` was asked for.
struct BenchOptions {
  var load: LoadConfiguration
  var operation: String
  var ring: String?
  var busyPoll: Interval?
  var serverPID: Int32?
  var json: String?

  init(_ arguments: Arguments) throws(UsageError) {
    guard !arguments.operands.isEmpty else {
      throw UsageError(
        "simsan bench: expected a URL such as iscsi://127.0.0.1:3260/iqn.2026-11.example:disk/0, found none")
    }
    var targets: [LoadTarget] = []
    for text in arguments.operands {
      let url = try TargetURL(text, place: "simsan bench")
      guard let lun = LogicalUnitNumber.encode(url.lun) else {
        throw UsageError("simsan bench: \(text): expected a LUN from 0 to 16383")
      }
      targets.append(LoadTarget(address: try resolve(url.host, port: url.port), name: url.iqn, lun: lun))
    }
    load = LoadConfiguration(targets: targets)
    operation = try arguments.word("--operation", among: operations) ?? "randread"
    load.order = operation.hasPrefix("seq") ? .sequential : .random
    switch operation.dropFirst(operation.hasPrefix("seq") ? 3 : 4) {
    case "read": load.readPercent = 100
    case "write": load.readPercent = 0
    default: load.readPercent = try arguments.number("--reads", in: 1...99) ?? 70
    }
    if load.readPercent < 100, !arguments.has("--overwrite") {
      throw UsageError(
        "simsan bench: --operation \(operation) overwrites what is on the units; add --overwrite if that may be lost")
    }
    if arguments.has("--reads"), !operation.hasSuffix("mixed") {
      throw UsageError("--reads: expected randmixed or seqmixed as --operation, found \(operation)")
    }
    load.length = try arguments.size("--size", in: 512...UInt64(LoadConfiguration.lengthMax)).map { Int($0) } ?? 4096
    load.depth = try arguments.number("--depth", in: 1...LoadConfiguration.depthMax) ?? 32
    load.sessions = try arguments.number("--sessions", in: 1...LoadConfiguration.sessionsMax) ?? 1
    load.rate = try arguments.number("--rate", in: 1...10_000_000)
    load.duration = try arguments.time("--time", example: "4s", atMost: Self.timeMax) ?? load.duration
    load.warmUp = try arguments.time("--warm-up", example: "500ms", atMost: Self.timeMax) ?? load.warmUp
    load.range = try arguments.size("--range", in: UInt64(load.length)...UInt64.max)
    let digest = try arguments.word("--digests", among: digests) ?? "none"
    load.headerDigest = digest == "header" || digest == "both"
    load.dataDigest = digest == "data" || digest == "both"
    load.credentials = try arguments.credentials("--chap")
    load.seed = try arguments.number("--seed", in: 0...UInt64.max) ?? 1
    ring = try arguments.word("--ring", among: ringNames)
    busyPoll = try arguments.time("--busy-poll", example: "50us", atMost: Self.timeMax)
    serverPID = try arguments.number("--server-pid", in: 1...Int32.max)
    if let pid = serverPID, ProcessTime(of: pid) == nil {
      throw UsageError("--server-pid: expected the number of a process on this machine, found \(pid)")
    }
    json = arguments["--json"]
  }

  /// A day.
  private static let timeMax = Interval.seconds(86_400)
}
