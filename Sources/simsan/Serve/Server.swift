import CAllocation
import Conformance
import FaultInject
import Glibc
import HostRing
import Ring
import SimClock
import Target

/// The targets of a world file on host rings: one for each shard, and one that only listens.
struct Server {
  /// It listens, and takes logins until they have named a target, discovery, and signals. It has no media: whatever hangs, it
  /// goes on.
  private let reception: Shard
  /// They serve the targets.
  private let shards: [Shard]
  private let faults: [FaultRule]

  /// What an operator wants to read at the start.
  private(set) var description: [String] = []

  /// Bytes of memory for buffers; what is not used is not committed.
  private static let usualMemory: UInt64 = 256 << 20

  /// The same for the reception, at most.
  private static let receptionMemory: UInt64 = 64 << 20

  /// ``TargetLimits/localBytesAheadMax`` where initiators are paced (``HostRings/pacesInitiators``). What they send with one call
  /// is then not so much that the kernel begins to pace it: that happens within a call of more than 16 segments.
  private static let pacedBytesAheadMax = 768 << 10

  /// Opens the media, listens, and makes the machine.
  ///
  /// - Parameters:
  ///   - count: How many shards; nil for what suits the host.
  ///   - memory: Bytes of memory for the buffers of each shard.
  ///   - busyPoll: ``HostRing/busyPoll``.
  ///   - faults: What goes wrong in each shard, drawn from a stream of its own.
  ///   - seed: What these streams derive from.
  ///   - listens: False to find out whether all is right while another server runs.
  init(
    _ file: WorldFile, portals: [SocketAddress], ring name: String?, shards count: Int?, memory: UInt64?,
    busyPoll: Interval? = nil, faults: [FaultRule] = [], seed: UInt64 = 1, listens: Bool = true
  ) throws(UsageError) {
    try Self.refuseSharedFiles(in: file)
    let memory = memory ?? file.world.targets.compactMap(\.limits.memory).max() ?? Self.usualMemory
    let targets = try Self.place(file.world.targets, on: count)
    let count = max(count ?? 1, TargetBuilder.shardCount(targets))
    var rings: [any HostRing] = []
    var arenas: [Arena] = []
    // The reception's is the first.
    for number in 0...count {
      let length = number == 0 ? min(memory, Self.receptionMemory) : memory
      guard let arena = try? Arena(allocating: Int(clamping: length)) else {
        throw UsageError(TargetBuilder.whyNoBuffers(memory, saidBy: "--memory or limits.memory"))
      }
      arenas.append(arena)
      let ring = try makeRing(name, arena: arena)
      ring.busyPoll = number == 0 ? .zero : busyPoll
      let random = RandomStreams(seed: seed).stream("serve.faults.\(number)")
      rings.append(
        faults.isEmpty ? ring : FaultyRing(ring, arena: arena, faults: faults.map(\.fault), random: random))
      if number == 0 { description.append("ring \(ring.kind.rawValue)\(ring.kind == .epoll ? " and libaio" : "")") }
    }
    if count > 1 { description.append("shards \(count), a thread each") }
    for rule in faults { description.append("fault \(rule.text)") }
    let names = file.world.targets.map(\.iqn)
    if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw UsageError("\(file.path): expected targets of different names, found \(twice) twice")
    }
    var completed: [TargetDescription] = []
    var media: [[(handle: Handle, alignment: Int)?]] = []
    var listeners: [Portal] = []
    var reached: [[Int]] = []
    // What was asked for in the place of all portals is one group.
    let commonGroup = portals.isEmpty ? nil : targets.first?.portalGroupTag
    for target in targets {
      var target = target
      target.portalGroupTag = commonGroup ?? target.portalGroupTag
      let shard = target.shard ?? 0
      let number = shard + 1
      target.shard = number
      var own: [(handle: Handle, alignment: Int)?] = []
      for index in target.units.indices {
        own.append(
          try Self.open(&target.units[index], of: target.iqn, in: file, on: rings[number], exclusive: listens))
      }
      completed.append(target)
      media.append(own)
      let known = listeners.count
      let wanted = portals.isEmpty ? target.portals : portals
      reached.append(listens ? try Self.listen(for: target, at: wanted, on: rings[0], &listeners) : [])
      for portal in listeners[known...] { description.append("portal \(portal.address),\(portal.groupTag)") }
      description.append("target \(target.iqn)" + (count > 1 ? ", shard \(shard)" : ""))
      description += target.units.map(Self.words)
    }
    var configurations: [TargetConfiguration]
    do {
      configurations = try TargetBuilder.configurations(
        completed, media: media, portals: listeners, reached: reached, on: rings.map(\.machine))
    } catch {
      throw UsageError(error.message)
    }
    if HostRings.pacesInitiators {
      for shard in configurations.indices { configurations[shard].limits.localBytesAheadMax = Self.pacedBytesAheadMax }
    }
    func machine(_ number: Int) throws(UsageError) -> Shard {
      do throws(RingError) {
        let machine = try TargetMachine(configuration: configurations[number], arena: arenas[number])
        return Shard(ring: rings[number], machine: machine)
      } catch {
        throw UsageError("\(file.path): \(TargetBuilder.whyNotMade(configurations[number], error))")
      }
    }
    reception = try machine(0)
    shards = try (1...count).map { number throws(UsageError) in try machine(number) }
    self.faults = faults
  }

  /// Gives every target a shard: its own, or the one with the fewest targets so far.
  ///
  /// - Parameter count: How many shards; nil for one for each core that the process may run on, if there are targets for
  ///   them.
  private static func place(_ targets: [TargetDescription], on count: Int?) throws(UsageError) -> [TargetDescription] {
    if let count, let far = targets.first(where: { ($0.shard ?? 0) >= count }) {
      throw UsageError(
        "--shards: expected at least \((far.shard ?? 0) + 1), as target \(far.iqn) has shard = \(far.shard ?? 0); "
          + "found \(count)")
    }
    let usual = min(HostThread.usableCores, targets.count, TargetDescription.shardMax + 1)
    let count = count ?? max(usual, TargetBuilder.shardCount(targets))
    var load = [Int](repeating: 0, count: count)
    for target in targets { if let shard = target.shard { load[shard] += 1 } }
    return targets.map { target in
      guard target.shard == nil else { return target }
      var placed = target
      let shard = load.indices.min { load[$0] < load[$1] } ?? 0
      load[shard] += 1
      placed.shard = shard
      return placed
    }
  }

  /// Says what is served, and serves until SIGTERM, SIGINT or SIGHUP; says "ready" when it takes signals.
  ///
  /// - Parameter interval: How often to print a line of counters; nil for never. SIGUSR1 has all of them printed.
  func run(countersEvery interval: Interval? = nil) throws(UsageError) {
    for line in description { try? say(line) }
    // Who is told to end twice, as by a terminal and by what runs in it, still says what it has done.
    defer { StopSignal.disarm() }
    let log = try ServerLog()
    defer { log.end() }
    let reporter = EventReporter(reception.machine, to: log)
    var threads = try ShardThreads(shards, log: log)
    var reporting: UInt64 = 0
    func counters() -> ServerCounters {
      threads.counters().reduce(ServerCounters(reception.machine, reception.ring, reporting: reporting), +)
    }
    let start = counters()
    var last = start
    var wasIdle = false
    let loop = HostLoop(ring: reception.ring, machine: reception.machine) { [reception] in
      reporter.report(at: reception.ring.now)
    }
    let ready = {
      log.say("ready")
      tellServiceManager("READY=1")
    }
    loop.runUntilSignal(ready: ready, reportEvery: interval) { wasAsked in
      let before = simsan_allocation_count()
      defer { reporting += simsan_allocation_count() - before }
      let now = counters()
      if wasAsked {
        log.say(now.table(since: start))
        for session in reception.machine.sessions + threads.sessions() { log.say(session.text) }
        for complaint in threads.complaints { log.say(complaint) }
      } else {
        // A server that stays idle says so once.
        let isIdle = now.target.commands == last.target.commands
        if !isIdle || !wasIdle { log.say(now.line(since: last)) }
        wasIdle = isIdle
        last = now
      }
    }
    tellServiceManager("STOPPING=1")
    let end = counters()
    let ended = [reception] + threads.stop()
    if interval != nil { log.say(end.table(since: start)) }
    for complaint in threads.complaints { log.say(complaint) }
    // Of each shard a number for each rule.
    let fired = ended.compactMap { ($0.ring as? FaultyRing)?.fired }
    for (index, rule) in faults.enumerated() {
      log.say("fault \(rule.text): struck \(fired.reduce(0) { $0 + $1[index] }) times")
    }
    let statistics = end.target
    log.say(
      "stopped: \(statistics.logins) logins, \(statistics.commands) commands, \(statistics.bytesReceived) bytes received, "
        + "\(statistics.bytesSent) bytes sent")
  }

  /// ``TargetBuilder/portal(at:of:among:)``.
  private static func portal(
    at address: SocketAddress, of target: TargetDescription, among portals: [Portal]
  ) throws(UsageError) -> Int? {
    do throws(LuaFailure) { return try TargetBuilder.portal(at: address, of: target, among: portals) } catch {
      throw UsageError(error.message)
    }
  }

  /// Listens for a target at `wanted`, or everywhere when that is empty; where another target's portal is, it is that one.
  /// The places of its portals among `portals`.
  private static func listen(
    for target: TargetDescription, at wanted: [SocketAddress], on ring: any HostRing, _ portals: inout [Portal]
  ) throws(UsageError) -> [Int] {
    var places: [Int] = []
    for address in wanted.isEmpty ? TargetDescription.usualPortals : wanted {
      if let place = try portal(at: address, of: target, among: portals) {
        places.append(place)
        continue
      }
      if address.port != 0, let other = portals.first(where: { address.overlaps($0.address) }) {
        throw UsageError(
          "cannot listen at \(address) and at \(other.address): one of them takes in the other; name only that")
      }
      do throws(RingError) {
        let (listener, bound) = try patiently(on: ring, whileTaken: { $0 == .addressInUse }) { () throws(RingError) in
          try ring.listen(at: address, backlog: 1024)
        }
        places.append(portals.count)
        portals.append(Portal(listener: listener, address: bound, groupTag: target.portalGroupTag))
      } catch {
        // A host without IPv6 serves what it can, unless the address was asked for.
        if wanted.isEmpty, !address.isIPv4, !portals.isEmpty { continue }
        throw UsageError("cannot listen at \(address): \(whyNotListened(error))")
      }
    }
    return places
  }

  /// Waits a while for what is taken: the kernel ends a killed server's io_uring, and with it the listeners and files, only some
  /// time after the process has gone, and whoever started it again must not be refused for that.
  private static func patiently<Taken, Failure: Error>(
    on ring: any HostRing, whileTaken isTaken: (Failure) -> Bool, _ take: () throws(Failure) -> Taken
  ) throws(Failure) -> Taken {
    let end = ring.now + .seconds(3)
    while true {
      do throws(Failure) { return try take() } catch {
        guard isTaken(error), ring.now < end else { throw error }
        usleep(20_000)
      }
    }
  }

  /// In words, why there is no listener at an address.
  static func whyNotListened(_ error: RingError) -> String {
    switch error {
    case .addressInUse: "it is taken by another program; choose another with --portal"
    case .addressUnavailable: "it is no address of this host; choose another with --portal"
    case .notPermitted:
      "not allowed to this process; a port below 1024 needs root, CAP_NET_BIND_SERVICE or a smaller "
        + "net.ipv4.ip_unprivileged_port_start (sysctl), or choose another with --portal"
    case .noResources: "the system gives no socket: too many open files (ulimit -n), or no memory"
    default: "\(error)"
    }
  }

  /// Refuses units that share a file: what one of them reserves or compares, the other would know nothing of. Several may read
  /// the same.
  private static func refuseSharedFiles(in file: WorldFile) throws(UsageError) {
    var users: [(file: FileIdentity, place: String, isReadOnly: Bool)] = []
    for target in file.world.targets {
      for unit in target.units {
        guard case .file(let name) = unit.backing else { continue }
        let path = file.path(of: name)
        guard let identity = FileIdentity(of: path) else { continue }
        let place = "target \(target.iqn), LUN \(unit.lun)"
        if let other = users.first(where: { $0.file == identity && !($0.isReadOnly && unit.isReadOnly) }) {
          throw UsageError(
            "\(place): \(path): expected a file of its own, found that of \(other.place); "
              + "with read_only = true both may have it")
        }
        users.append((identity, place, unit.isReadOnly))
      }
    }
  }

  /// Opens the medium of a unit, and checks and completes its size.
  private static func open(
    _ unit: inout UnitDescription, of iqn: String, in file: WorldFile, on ring: any HostRing, exclusive: Bool
  ) throws(UsageError) -> (handle: Handle, alignment: Int)? {
    let place = "target \(iqn), LUN \(unit.lun)"
    switch unit.backing {
    case .memory, .null: return nil
    case .disk:
      throw UsageError(
        "\(place): expected file = \"…\", memory = true or null = true; a simulated disk cannot be served")
    case .file(let name):
      let path = file.path(of: name)
      let handle: Handle
      let info: MediumInfo
      do throws(MediumError) {
        (handle, info) = try patiently(on: ring, whileTaken: { $0.number == EBUSY }) { () throws(MediumError) in
          try ring.openMedium(path: path, readOnly: unit.isReadOnly, direct: unit.isDirect, exclusive: exclusive)
        }
      } catch {
        throw UsageError("\(place): \(error)")
      }
      let size = UInt64(info.size)
      if let wanted = unit.size {
        guard size >= wanted else {
          throw UsageError(
            "\(place): \(path): expected at least \(Quantity.text(bytes: wanted)) (\(wanted) bytes), found \(size) bytes; "
              + (info.isBlockDevice ? "leave size out" : "make it longer with: truncate -s \(wanted) \(path)"))
        }
      } else {
        let block = UInt64(unit.blockSize)
        guard size >= block else {
          throw UsageError(
            "\(place): \(path): expected at least one block of \(block) bytes, found \(size) bytes; "
              + "set size in the world file and make the file as long")
        }
        unit.size = size / block * block
      }
      return (handle, info.alignment)
    }
  }

  private static func words(_ unit: UnitDescription) -> String {
    var text = "  LUN \(unit.lun)  \(Quantity.text(bytes: unit.size ?? UnitDescription.defaultSize))"
    text += ", blocks of \(unit.blockSize), "
    switch unit.backing {
    case .file(let name): text += "file \(name)\(unit.isDirect ? " (direct)" : "")"
    case .memory: text += "memory"
    case .null: text += "null"
    case .disk: text += "disk"
    }
    if unit.isReadOnly { text += ", read-only" }
    if unit.isThin { text += ", thin" }
    if unit.isRemovable { text += ", removable" }
    return text + (unit.isWriteBack ? ", write-back" : ", write-through")
  }
}

/// What a path leads to: all names of a file are one, and all nodes of a block device.
private struct FileIdentity: Equatable {
  private let isBlockDevice: Bool
  private let device: dev_t
  private let number: ino_t

  /// Nil when it leads nowhere.
  init?(of path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    isBlockDevice = status.st_mode & S_IFMT == S_IFBLK
    device = isBlockDevice ? status.st_rdev : status.st_dev
    number = isBlockDevice ? 0 : status.st_ino
  }
}
