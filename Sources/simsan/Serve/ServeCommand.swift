import Conformance
import HostRing
import Ring

let serveCommand = Command(
  name: "serve", summary: "deploy the targets of a world file on real sockets and disks", operands: "WORLD.lua",
  options: [
    Option(
      "--ring", "NAME", "how to reach the kernel: io_uring or epoll; io_uring where the kernel allows it if not given"),
    Option("--portal", "ADDRESS", "listen here instead of where the file says; may be given several times"),
    Option(
      "--shards", "N",
      "serve with so many threads, each of which has targets of its own; one for each core if not given, as long as "
        + "there are targets for them"),
    Option(
      "--memory", "SIZE", "memory for the buffers of a thread; 256MiB if neither this nor the file says otherwise"),
    Option(
      "--busy-poll", "TIME",
      "look for work so long, such as 50us, before every sleep; 0us is to sleep at once. If not given, as long as "
        + "it pays: at most twice what the work before took, and not at all when that helps nothing"),
    Option("--counters", "TIME", "print a line of counters so often, such as 1s, and all of them at the end"),
    Option(
      "--fault", "RULE",
      "have operations go wrong, such as read:error,chance=1/100 or send:cut or write:delay=50ms,after=100,times=3; "
        + "may be given several times; see docs/faults.md"),
    Option("--seed", "N", "what the chance of faults derives from; 1 if not given"),
    Option("--check", nil, "check the file and what it names; listen nowhere and serve nothing"),
  ],
  discussion: """
    The file has one target { … } or several; see docs/writing-scenarios.md. A portal is ADDRESS[:PORT], such as \
    127.0.0.1:3260 or [::]:3260. Names of backing files are relative to the world file.
    SIGTERM, SIGINT and SIGHUP end it; SIGUSR1 has it print its counters and its sessions.
    """
) { arguments in
  guard let path = arguments.operands.first else { throw UsageError("simsan serve: expected a world file, found none") }
  let file = try WorldFile(path: path)
  let portals = try arguments.all("--portal").map { text throws(UsageError) in
    guard let address = SocketAddress(text) else {
      throw UsageError("--portal: expected ADDRESS[:PORT] such as 127.0.0.1:3260 or [::1]:3260, found \"\(text)\"")
    }
    return address
  }
  let interval = try arguments.time("--counters", example: "1s", atLeast: .milliseconds(10))
  let faults = try arguments.all("--fault").map { text throws(UsageError) in try FaultRule(text) }
  let server = try Server(
    file, portals: portals, ring: try arguments.word("--ring", among: ringNames),
    shards: try arguments.number("--shards", in: 1...TargetDescription.shardMax + 1),
    memory: try arguments.size("--memory", in: (16 << 20)...(1 << 36)),
    busyPoll: try arguments.time("--busy-poll", example: "50us", atMost: .seconds(1)), faults: faults,
    seed: try arguments.number("--seed", in: 0...UInt64.max) ?? 1, listens: !arguments.has("--check"))
  if arguments.has("--check") {
    for line in server.description { try say(line) }
    return 0
  }
  try server.run(countersEvery: interval)
  return 0
}
