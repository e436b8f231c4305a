import FaultInject
import Initiator
import Ring
import SimClock
import SimDisk
import SimNet
import SimRing
import Target

/// A world as a scenario describes it, inside the simulation.
public final class SimulatedPlayground: Playground {
  let world: World
  let faults: FaultPlan
  /// Watches what goes over all connections.
  let witness = TrafficWitness()
  public private(set) var drivers: [InitiatorDriver] = []
  public private(set) var targets: [TargetFacts] = []

  private var hosts: [(name: String, id: HostID)] = []
  /// What the threads of a host's programs take, by its name.
  private var threadWork: [(host: String, work: ThreadWork)] = []
  private(set) var programs: [TargetProgram] = []

  /// The target program of one host, through all its lives.
  final class TargetProgram {
    let host: String
    let hostID: HostID
    /// Its threads, a process of the simulation each: shards of the target, of which the first listens.
    let processes: [ProcessID]
    let descriptions: [TargetDescription]
    /// Of each target, the disks of its units; nil for one that needs none.
    let disks: [[DiskID?]]
    /// Of each process its machine; empty while the program does not run.
    fileprivate(set) var machines: [TargetMachine] = []
    /// Buffers in use when nobody is connected.
    fileprivate(set) var idleBuffers = 0

    var isRunning: Bool { !machines.isEmpty }

    /// What its machines use and have done, together; nil while it does not run.
    var statistics: TargetStatistics? {
      guard let first = machines.first else { return nil }
      return machines.dropFirst().reduce(first.statistics) { $0 + $1.statistics }
    }

    init(
      host: String, hostID: HostID, processes: [ProcessID], descriptions: [TargetDescription], disks: [[DiskID?]]
    ) {
      self.host = host
      self.hostID = hostID
      self.processes = processes
      self.descriptions = descriptions
      self.disks = disks
    }
  }

  /// The host where initiators are that name none.
  static let usualInitiatorHost = "initiator"

  /// Builds the world and starts its targets.
  ///
  /// - Throws: What is wrong with the description.
  init(_ description: WorldDescription, seed: UInt64, recording: Range<UInt64>? = nil) throws(LuaFailure) {
    world = World(seed: seed)
    world.checksBuffers = true
    if let recording { world.trace.record(recording) }
    faults = FaultPlan(world)
    world.network.tap = witness
    var description = description
    if description.targets.isEmpty { description.targets = [Self.usualTarget()] }
    try Self.refuseDoubles(in: description)
    let targetHosts = description.targets.map(\.host)
    let initiators = description.hosts.filter(\.hasInitiator).map(\.name)
    var names = description.hostNames
    if names.allSatisfy({ targetHosts.contains($0) && !initiators.contains($0) }) {
      names.append(Self.usualInitiatorHost)
    }
    for (name, own) in zip(names, try Self.addresses(of: names, in: description)) {
      addHost(name, addresses: own, in: description)
    }
    for link in description.links { try configure(link) }
    for (name, id) in hosts {
      let own = description.targets.filter { $0.host == name }
      if !own.isEmpty { try addTargets(own, on: name, id) }
      if own.isEmpty || initiators.contains(name) { try addInitiator(on: name, id) }
    }
    for program in programs { try start(program) }
  }

  deinit {
    // The world keeps the plan, and the plan, with what is still in force, the world.
    world.faultHandler = nil
  }

  private static func usualTarget() -> TargetDescription {
    var target = TargetDescription()
    target.units = [UnitDescription()]
    return target
  }

  // MARK: Building

  /// Refuses what would be overlooked in silence, or never be reached.
  private static func refuseDoubles(in description: WorldDescription) throws(LuaFailure) {
    for (index, host) in description.hosts.enumerated() {
      let others = description.hosts[..<index]
      if others.contains(where: { $0.name == host.name }) {
        throw LuaFailure("host: expected one description of each host, found two of \"\(host.name)\"")
      }
      guard let address = host.address else { continue }
      if let other = others.first(where: { $0.address?.hasSameHost(as: address) == true }) {
        throw LuaFailure(
          "host.address: expected one of its own for \"\(host.name)\", found \(address.host), which \"\(other.name)\" has"
        )
      }
    }
    for (index, target) in description.targets.enumerated() {
      let others = description.targets[..<index]
      if others.contains(where: { $0.host == target.host && $0.iqn == target.iqn }) {
        throw LuaFailure("target: expected targets of different names on \"\(target.host)\", found \(target.iqn) twice")
      }
    }
  }

  /// The most addresses of all hosts: from each of them there is a link to each.
  private static let addressesMax = 512

  /// The addresses of each host.
  private static func addresses(
    of names: [String], in description: WorldDescription
  ) throws(LuaFailure) -> [[SocketAddress]] {
    let given = description.hosts.compactMap(\.address) + description.targets.flatMap(\.portals)
    var result: [[SocketAddress]] = []
    var total = 0
    for (index, name) in names.enumerated() {
      var own = description.hosts.first { $0.name == name }.flatMap(\.address).map { [$0] } ?? []
      for target in description.targets where target.host == name && own.count <= addressesMax {
        for portal in target.portals where !portal.isWildcard && !own.contains(where: { $0.hasSameHost(as: portal) }) {
          own.append(portal)
        }
      }
      if own.isEmpty { own = usualAddresses(index, of: names.count, given: given) }
      total += own.count
      guard total <= addressesMax else {
        throw LuaFailure(
          "scenario.world: expected hosts with at most \(addressesMax) addresses, found more with \"\(name)\" "
            + "(one that is given none has two)")
      }
      result.append(own)
    }
    return result
  }

  /// The addresses of a host that is given none: such as no other is `given`.
  private static func usualAddresses(_ index: Int, of count: Int, given: [SocketAddress]) -> [SocketAddress] {
    var place = index
    while true {
      let number = UInt8(truncatingIfNeeded: place % 250 + 1)
      let addresses = [
        SocketAddress(10, 0, UInt8(truncatingIfNeeded: place / 250), number, port: 0),
        SocketAddress(high: 0xFD00_0000_0000_0000, low: UInt64(place) + 1, port: 0),
      ]
      if !addresses.contains(where: { address in given.contains { $0.hasSameHost(as: address) } }) { return addresses }
      place += count
    }
  }

  private func addHost(_ name: String, addresses: [SocketAddress], in description: WorldDescription) {
    let own = description.hosts.first { $0.name == name }
    var options = HostOptions()
    if let bytes = own?.sendBuffer { options.sendBufferLength = Int(clamping: bytes) }
    if let bytes = own?.receiveBuffer { options.receiveBufferLength = Int(clamping: bytes) }
    options.nagle = own?.nagle ?? false
    options.acknowledgementDelay = own?.acknowledgementDelay ?? .zero
    if let own {
      options.work = own.networkWork
      threadWork.append((name, own.threadWork))
    }
    hosts.append((name, world.addHost(name, addresses: addresses, options: options)))
  }

  private func configure(_ link: LinkDescription) throws(LuaFailure) {
    let ends = (try host(link.between[0]), try host(link.between[1]))
    func change(_ options: inout LinkOptions) {
      if let latency = link.latency { options.latency = latency }
      if let jitter = link.jitter { options.jitter = jitter }
      if let bandwidth = link.bandwidth { options.bandwidth = bandwidth }
      if let burst = link.burst { options.burst = Int(clamping: burst) }
      if let mtu = link.mtu { options.mtu = mtu }
      if let queue = link.queue { options.queueLength = Int(clamping: queue) }
      if let loss = link.loss { options.loss = loss }
      if let corruption = link.corruption { options.corruption = corruption }
      if let short = link.shortReceive { options.shortReceive = short }
      if let segmentation = link.segmentation { options.segmentation = segmentation }
    }
    world.network.configureLink(from: ends.0, to: ends.1, change)
    world.network.configureLink(from: ends.1, to: ends.0, change)
  }

  private func addInitiator(on name: String, _ host: HostID) throws(LuaFailure) {
    // A scenario's initiator does what its script says at once: it has no thread that could be busy.
    guard
      programs.contains(where: { $0.host == name })
        || !threadWork.contains(where: { $0.host == name && $0.work != ThreadWork() })
    else {
      throw LuaFailure(
        "host.work: expected work of threads only where a target is, found it on \"\(name)\"", field: "work")
    }
    // A world may have hundreds of hosts.
    guard let arena = try? Arena(allocating: InitiatorMachine.usualArenaCapacity) else {
      let length = Quantity.text(bytes: UInt64(InitiatorMachine.usualArenaCapacity))
      throw LuaFailure(
        "the system does not give \(length) of memory for the buffers of the initiator on \"\(name)\"; describe fewer hosts "
          + "(ulimit -v and the sysctl vm.overcommit_memory say what there is)")
    }
    let process = world.addProcess("\(name).initiator", on: host)
    let machine = InitiatorMachine(arena: arena)
    world.attach(machine.arena, to: process)
    drivers.append(InitiatorDriver(host: name, machine: machine, ring: world.ring(of: process)))
  }

  private func addTargets(_ descriptions: [TargetDescription], on name: String, _ host: HostID) throws(LuaFailure) {
    var disks: [[DiskID?]] = []
    for (number, target) in descriptions.enumerated() {
      var own: [DiskID?] = []
      for unit in target.units {
        switch unit.backing {
        case .memory, .null: own.append(nil)
        case .disk, .file:
          var options = DiskOptions()
          options.size = unit.size ?? UnitDescription.defaultSize
          options.isReadOnly = false
          if let latency = unit.disk.latency { options.latency = latency }
          if let jitter = unit.disk.jitter { options.jitter = jitter }
          if let flush = unit.disk.flushLatency { options.flushLatency = flush }
          if let bandwidth = unit.disk.bandwidth { options.throughput = max(bandwidth / 8, 1) }
          if let atomic = unit.disk.atomicUnit { options.atomicUnit = UInt64(atomic) }
          own.append(world.addDisk("\(name).\(number).lun\(unit.lun)", on: host, options: options))
        }
      }
      disks.append(own)
    }
    let processes = (0..<TargetBuilder.shardCount(descriptions)).map { shard in
      world.addProcess(shard == 0 ? name : "\(name).shard\(shard)", on: host)
    }
    if let own = threadWork.first(where: { $0.host == name }) {
      for process in processes { world.setThreadWork(own.work, of: process) }
    }
    programs.append(
      TargetProgram(host: name, hostID: host, processes: processes, descriptions: descriptions, disks: disks))
    for target in descriptions {
      targets.append(
        TargetFacts(
          iqn: target.iqn, host: name, portals: portals(of: target, on: host), units: target.units.map(facts)))
    }
  }

  /// Where initiators reach the target: its portals, with wildcards replaced by the host's addresses.
  private func portals(of target: TargetDescription, on host: HostID) -> [SocketAddress] {
    let addresses = world.network.addresses(of: host)
    let listening = target.portals.isEmpty ? TargetDescription.usualPortals : target.portals
    var result: [SocketAddress] = []
    for portal in listening {
      if portal.isWildcard {
        for address in addresses where address.isIPv4 == portal.isIPv4 {
          var reachable = address
          reachable.port = portal.port
          result.append(reachable)
        }
      } else {
        result.append(portal)
      }
    }
    return result
  }

  private func facts(_ unit: UnitDescription) -> UnitFacts {
    UnitFacts(
      lun: Int(unit.lun), blockSize: unit.blockSize,
      blockCount: (unit.size ?? UnitDescription.defaultSize) / UInt64(unit.blockSize), startsZeroed: true,
      isCacheVolatile: unit.isWriteBack, isLostOnExit: unit.backing == .memory, forgetsWrites: unit.backing == .null)
  }

  // MARK: Lives of the targets

  /// Listens, opens the disks, and starts the machine.
  func start(_ program: TargetProgram) throws(LuaFailure) {
    let rings = program.processes.map { world.ring(of: $0) }
    var media: [[(handle: Handle, alignment: Int)?]] = []
    var portals: [Portal] = []
    var reached: [[Int]] = []
    for (target, disks) in zip(program.descriptions, program.disks) {
      media.append(disks.map { disk in disk.map { (rings[target.shard ?? 0].open($0), 1) } })
      let wanted = target.portals.isEmpty ? TargetDescription.usualPortals : target.portals
      var places: [Int] = []
      for address in wanted {
        if let place = try TargetBuilder.portal(at: address, of: target, among: portals) {
          places.append(place)
          continue
        }
        do {
          let (listener, bound) = try rings[0].listen(at: address, backlog: 128)
          places.append(portals.count)
          portals.append(Portal(listener: listener, address: bound, groupTag: target.portalGroupTag))
        } catch {
          throw LuaFailure("target \(target.iqn): cannot listen at \(address): \(error)")
        }
      }
      reached.append(places)
    }
    let memory = program.descriptions.compactMap(\.limits.memory).max() ?? 64 << 20
    let configurations = try TargetBuilder.configurations(
      program.descriptions, media: media, portals: portals, reached: reached, on: program.processes.map(\.machine))
    program.machines = try configurations.map { (configuration) throws(LuaFailure) in
      guard let arena = try? Arena(allocating: Int(clamping: memory)) else {
        throw LuaFailure(TargetBuilder.whyNoBuffers(memory))
      }
      do throws(RingError) {
        return try TargetMachine(configuration: configuration, arena: arena)
      } catch {
        throw LuaFailure(TargetBuilder.whyNotMade(configuration, error))
      }
    }
    program.idleBuffers = program.statistics?.buffers ?? 0
    for (process, machine) in zip(program.processes, program.machines) { world.start(process, machine) }
  }

  /// The power of the host goes: no goodbye to the network, and a crash image on its disks.
  func powerOff(_ program: TargetProgram) {
    world.powerOff(program.hostID)
    program.machines = []
  }

  /// The program ends as if by SIGKILL; its host stays up.
  func kill(_ program: TargetProgram) {
    for process in program.processes { world.crash(process) }
    program.machines = []
  }

  /// Starts it again, on whatever is on its disks.
  func restart(_ program: TargetProgram) throws(LuaFailure) {
    if !world.network.isUp(program.hostID) { world.powerOn(program.hostID) }
    try start(program)
  }

  // MARK: Playground

  public var now: Instant { world.now }
  public var simulation: SimulatedPlayground? { self }
  public var traceHash: String { "\(world.hash)" }
  public var eventCount: UInt64 { world.eventCount }

  public func driver(on host: String?) -> InitiatorDriver? {
    guard let host else { return drivers.first }
    return drivers.first { $0.host == host }
  }

  public func corruptedSegments(towards driver: InitiatorDriver) -> UInt64 {
    guard let own = hosts.first(where: { $0.name == driver.host })?.id else { return 0 }
    return hosts.reduce(0) { sum, host in
      let counters = world.network.linkCounters(from: host.id, to: own)
      return sum + counters.corrupted + counters.forcedCorruptions
    }
  }

  /// The simulated host of that name.
  func host(_ name: String) throws(LuaFailure) -> HostID {
    guard let found = hosts.first(where: { $0.name == name }) else {
      let names = hosts.map(\.name)
      throw LuaFailure(
        "expected one of the hosts \(names.joined(separator: ", ")), found \"\(name)\""
          + Suggestion.clause(for: name, among: names))
    }
    return found.id
  }

  /// One end of a path: the simulated host of that name, or the one that has that address, at that alone.
  func place(_ name: String) throws(LuaFailure) -> (host: HostID, address: SocketAddress?) {
    if let address = SocketAddress(name, defaultPort: 0), !hosts.contains(where: { $0.name == name }) {
      for host in hosts where world.network.addresses(of: host.id).contains(where: { $0.hasSameHost(as: address) }) {
        return (host.id, address)
      }
      throw LuaFailure("expected a host or an address of one, found \(address.host), which no host has")
    }
    return (try host(name), nil)
  }

  /// How many instants may pass before the player is asked again, so that it can end a world that never comes to rest.
  private static let instantsMax = 100_000

  public func advance(until deadline: Instant) {
    for _ in 0..<Self.instantsMax {
      var happened = false
      for driver in drivers where driver.turn(until: world.now) { happened = true }
      if happened { return }
      guard let next = world.nextTime, next <= deadline else {
        world.run(until: deadline)
        return
      }
      world.advanceOneInstant()
    }
  }
}
