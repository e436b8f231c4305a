import ISCSI
import Initiator
import Ring
import SimClock
import SimNet
import SimRing
import Target

/// What one cell gave.
struct Result {
  var rate: Double
  var p50: Double
  var p99: Double
  var segments: Double
  /// The parts of the mean round trip: client, network, server.
  var shares: (client: Double, network: Double, server: Double)
  /// The part of the time that each stage worked, by its name in the paper, and the one core of a host, by the host's.
  var utilisation: [(stage: String, part: Double)]
}

/// One session that reads 512 bytes at random places of a null device, over the stages of a setup.
enum PipelineWorld {
  static func run(_ setup: Setup, _ policy: SendPolicy, depth: Int, commands: Int) -> Result? {
    let world = World(seed: 1)
    world.network.defaultLink.latency = Interval(nanoseconds: setup.link.latencyNs)
    world.network.defaultLink.jitter = .zero
    world.network.defaultLink.bandwidth = setup.link.bandwidth
    world.network.defaultLink.burst = setup.link.burst
    world.network.defaultLink.mtu = setup.link.mtu
    let address = SocketAddress(10, 0, 0, 1, port: 3260)
    var options = HostOptions()
    // Linux's least: acknowledgements ride on what goes the other way.
    options.acknowledgementDelay = .milliseconds(40)
    options.work = setup.server.network
    let server = world.addHost("target", addresses: [address], options: options)
    options.work = setup.client.network
    let client = world.addHost("client", addresses: [SocketAddress(10, 0, 0, 2, port: 0)], options: options)
    let process = world.addProcess("target", on: server)
    guard let listener = try? world.ring(of: process).listen(at: address, backlog: 16).listener else { return nil }
    var node = TargetNode(
      name: PipelineLoad.target, logicalUnits: [LogicalUnitConfiguration(blockCount: 1 << 20, backing: .null)])
    node.sendPolicy = policy
    guard
      let target = try? TargetMachine(
        configuration: TargetConfiguration(nodes: [node], portals: [Portal(listener: listener, address: address)]),
        arena: Arena(capacity: 64 << 20))
    else { return nil }
    world.setThreadWork(setup.server.thread, of: process)
    world.start(process, target)
    let stamps = Stamps()
    world.network.tap = stamps
    let load = PipelineLoad(depth: depth, commands: commands, address: address) { stamps.isArmed = true }
    let loadProcess = world.addProcess("client", on: client)
    world.setThreadWork(setup.client.thread, of: loadProcess)
    world.start(loadProcess, load)
    let limit = Instant(nanoseconds: 1_000_000_000_000)
    guard world.run(until: { load.isArmed || load.failures > 0 }, orUntil: limit) else { return nil }
    func counters() -> [Stage.Counters] {
      [
        world.threadCounters(of: loadProcess), world.network.transmitCounters(of: client),
        world.network.softirqCounters(of: server), world.threadCounters(of: process),
        world.network.transmitCounters(of: server), world.network.softirqCounters(of: client),
        world.network.coreCounters(of: client), world.network.coreCounters(of: server),
      ]
    }
    let start = world.now
    let before = counters()
    guard world.run(until: { load.isDone || load.failures > 0 }, orUntil: limit), load.failures == 0,
      let shares = stamps.shares
    else { return nil }
    let after = counters()
    let elapsed = Double((world.now - start).nanoseconds)
    let rate = Double(commands) / elapsed
    func wire(_ bytes: Double, _ stage: Int) -> Double {
      guard setup.link.bandwidth > 0 else { return 0 }
      let segments = Double(after[stage].entries - before[stage].entries)
      return (bytes * Double(commands) + segments * Prediction.headers) * 8e9 / Double(setup.link.bandwidth) / elapsed
    }
    func busy(_ stage: Int) -> Double { Double(after[stage].busy - before[stage].busy) / elapsed }
    let latencies = load.latencies.sorted()
    let mean = Double(latencies.reduce(0, +)) / Double(latencies.count)
    return Result(
      rate: rate * 1e9, p50: Double(latencies[latencies.count / 2]) / 1000,
      p99: Double(latencies[latencies.count * 99 / 100]) / 1000,
      segments: Double(after[5].entries - before[5].entries) / Double(commands),
      shares: (mean - shares.network - shares.server, shares.network, shares.server),
      utilisation: [
        ("CP", busy(0)), ("CK", busy(1)), ("W1", wire(Prediction.request, 2)), ("SI", busy(2)), ("SP", busy(3)),
        ("SK", busy(4)), ("W2", wire(Prediction.response, 5)), ("CI", busy(5)), ("client", busy(6)),
        ("server", busy(7)),
      ])
  }
}

/// An initiator that keeps `depth` reads outstanding, until it has done `commands` of them.
final class PipelineLoad: Machine {
  static let target = "iqn.2026-11.example:pipeline"
  private let machine = InitiatorMachine(arenaCapacity: 4 << 20)
  var arena: Arena { machine.arena }
  private let depth: Int
  private let commands: Int
  private let address: SocketAddress
  private let arm: () -> Void
  private var connection: ConnectionID?
  private var random: UInt64 = 0x9E37_79B9_7F4A_7C15
  private var issued = 0
  private var begun: [Instant] = []
  private var isProbing = false
  private(set) var isArmed = false
  private(set) var failures = 0
  /// Of each command, in nanoseconds. Responses are in the order of the requests.
  private(set) var latencies: [UInt64] = []

  var isDone: Bool { latencies.count == commands }

  init(depth: Int, commands: Int, address: SocketAddress, arm: @escaping () -> Void) {
    self.depth = depth
    self.commands = commands
    self.address = address
    self.arm = arm
    machine.tellsPDUs = false
  }

  func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    if connection == nil {
      let id = machine.connect(to: address)
      connection = id
      var plan = LoginPlan()
      plan.initiatorName = "iqn.2026-11.example:load"
      plan.targetName = Self.target
      try? machine.login(plan, on: id)
    }
    machine.step(completions, now: now, into: &operations)
    for event in machine.takeEvents() {
      switch event.kind {
      case .fullFeaturePhase: read()
      case .taskEnded(let result):
        guard case .command(let outcome) = result.outcome else {
          failures += 1
          continue
        }
        if isArmed {
          if outcome.status != 0 { failures += 1 }
          latencies.append((now - begun[latencies.count]).nanoseconds)
          if issued < commands { issue(now) }
        } else if outcome.status == 0 {
          // The unit attention of power on is behind us, and nothing is outstanding.
          isArmed = true
          arm()
          for _ in 0..<min(depth, commands) { issue(now) }
        } else {
          read()
        }
      case .violation, .closed, .connectFailed: failures += 1
      default: break
      }
    }
    if machine.hasWork { machine.step([], now: now, into: &operations) }
  }

  private func issue(_ now: Instant) {
    issued += 1
    begun.append(now)
    read()
  }

  private func read() {
    guard let connection else { return }
    random ^= random << 13
    random ^= random >> 7
    random ^= random << 17
    let lba = random % (1 << 20)
    var cdb = [UInt8](repeating: 0, count: 16)
    cdb[0] = 0x28
    for byte in 0..<4 { cdb[2 + byte] = UInt8(truncatingIfNeeded: lba >> UInt64(24 - 8 * byte)) }
    cdb[8] = 1
    var request = CommandRequest(cdb: cdb)
    request.expectedDataIn = 512
    _ = try? machine.execute(request, on: connection)
  }
}
