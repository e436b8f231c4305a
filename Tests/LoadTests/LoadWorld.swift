import Load
import Ring
import SimNet
import SimRing
import Target

/// A load and the targets that it goes to, in the simulation.
struct LoadWorld {
  let world = World(seed: 1)
  /// The targets, each on a host of its own; the load's sessions go to them in turn.
  private(set) var targets: [(host: HostID, process: ProcessID, machine: TargetMachine)] = []
  let host: HostID
  let process: ProcessID
  let load: LoadMachine
  let watched: WatchedMachine

  /// - Parameters:
  ///   - delay: By how much later than the ring looks for timers the load looks at the clock.
  ///   - isReadOnly: Whether the targets refuse to write.
  ///   - change: What is to be other than in a load of 4 KiB reads at depth 8 for 40 ms, and its targets.
  init(
    targets count: Int = 1, listens: Bool = true, bandwidth: UInt64? = nil, delay: Interval = Interval(nanoseconds: 0),
    isReadOnly: Bool = false,
    _ change: (inout LoadConfiguration, inout TargetLimits) -> Void
  ) throws {
    if let bandwidth { world.network.defaultLink.bandwidth = bandwidth }
    let places = (0..<count).map { index in
      LoadTarget(
        address: SocketAddress(10, 0, 0, UInt8(1 + index), port: 3260), name: "iqn.2026-11.example:load-test-\(index)",
        lun: 0)
    }
    var configuration = LoadConfiguration(targets: places)
    var limits = TargetLimits()
    configuration.depth = 8
    configuration.warmUp = .milliseconds(5)
    configuration.duration = .milliseconds(40)
    configuration.patience = .seconds(2)
    change(&configuration, &limits)
    for (index, place) in places.enumerated() {
      let host = world.addHost("target \(index)", addresses: [place.address])
      let process = world.addProcess("target \(index)", on: host)
      var unit = LogicalUnitConfiguration(blockCount: 1 << 14, backing: .memory)
      unit.isReadOnly = isReadOnly
      var target = TargetConfiguration(nodes: [TargetNode(name: place.name, logicalUnits: [unit])], portals: [])
      target.limits = limits
      if listens {
        let listener = try world.ring(of: process).listen(at: place.address, backlog: 128).listener
        target.portals = [Portal(listener: listener, address: place.address)]
      }
      let machine = try TargetMachine(configuration: target, arena: Arena(capacity: 64 << 20))
      world.start(process, machine)
      targets.append((host, process, machine))
    }
    host = world.addHost("load", addresses: [SocketAddress(10, 0, 1, 1, port: 0)])
    load = try LoadMachine(configuration: configuration)
    process = world.addProcess("load", on: host)
    watched = WatchedMachine(load, delay: delay)
    world.start(process, watched)
  }

  /// Runs until the load is in `state`; false when it is not within a minute.
  func run(until state: LoadState) -> Bool {
    world.run(until: { load.state == state }, orUntil: world.now + .seconds(60))
  }

  func run(for time: Interval) { world.run(until: world.now + time) }
}

/// A machine whose sends are counted, and which is told a later time than that of the completions. So it is on real rings, where
/// some pass between the look for timers that are due and the step.
final class WatchedMachine: Machine {
  private let inner: any Machine
  private let delay: Interval
  private(set) var sends = 0

  init(_ inner: any Machine, delay: Interval) {
    self.inner = inner
    self.delay = delay
  }

  var arena: Arena { inner.arena }

  func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    inner.step(completions, now: now + delay, into: &operations)
    for operation in operations.items where operation.kind == .send { sends += 1 }
  }
}
