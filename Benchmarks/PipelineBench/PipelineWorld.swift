import Load
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

/// One session that reads 512 bytes at random places of a null device, over the stages of a setup: the load of
/// `simsan bench`, with which the same is measured.
enum PipelineWorld {
  private static let name = "iqn.2026-11.example:pipeline"

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
      name: name, logicalUnits: [LogicalUnitConfiguration(blockCount: 1 << 20, backing: .null)])
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
    var configuration = LoadConfiguration(targets: [LoadTarget(address: address, name: name, lun: 0)])
    configuration.depth = depth
    configuration.length = 512
    // Longer than adaptive Nagle takes to switch, and a shaper to give away its burst.
    configuration.warmUp = .milliseconds(10)
    configuration.duration = .seconds(1000)
    guard let load = try? LoadMachine(configuration: configuration) else { return nil }
    let loadProcess = world.addProcess("client", on: client)
    world.setThreadWork(setup.client.thread, of: loadProcess)
    world.start(loadProcess, load)
    let limit = Instant(nanoseconds: 1_000_000_000_000)
    func isIn(_ state: LoadState) -> () -> Bool { { load.state == state || load.state == .ended } }
    // The commands of a step leave the client after it.
    guard world.run(until: isIn(.warmingUp), orUntil: limit) else { return nil }
    stamps.isArmed = true
    guard world.run(until: isIn(.measuring), orUntil: limit) else { return nil }
    stamps.beginMeans()
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
    let isDone = { load.currentResult.commands >= UInt64(commands) || load.state == .ended }
    guard world.run(until: isDone, orUntil: limit), let shares = stamps.shares else { return nil }
    let result = load.currentResult
    guard result.firstError == nil, result.failedCommands == 0 else { return nil }
    let after = counters()
    let count = Double(result.commands)
    let elapsed = Double((world.now - start).nanoseconds)
    let rate = count / elapsed
    func wire(_ bytes: Double, _ stage: Int) -> Double {
      guard setup.link.bandwidth > 0 else { return 0 }
      let segments = Double(after[stage].entries - before[stage].entries)
      return (bytes * count + segments * Prediction.headers) * 8e9 / Double(setup.link.bandwidth) / elapsed
    }
    func busy(_ stage: Int) -> Double { Double(after[stage].busy - before[stage].busy) / elapsed }
    // As many are outstanding all the time (Little's law).
    let mean = Double(depth) / rate
    return Result(
      rate: rate * 1e9, p50: Double(result.latency.percentile(500)) / 1000,
      p99: Double(result.latency.percentile(990)) / 1000,
      segments: Double(after[5].entries - before[5].entries) / count,
      shares: (mean - shares.network - shares.server, shares.network, shares.server),
      utilisation: [
        ("CP", busy(0)), ("CK", busy(1)), ("W1", wire(Prediction.request, 2)), ("SI", busy(2)), ("SP", busy(3)),
        ("SK", busy(4)), ("W2", wire(Prediction.response, 5)), ("CI", busy(5)), ("client", busy(6)),
        ("server", busy(7)),
      ])
  }
}
