import FaultInject
import Ring
import SimClock
import SimDisk
import SimNet
import SimRing
import Testing

/// Two hosts with a process each, played by hand, and a plan of faults.
final class Bench {
  let world: World
  let plan: FaultPlan
  let hosts: [HostID]
  let processes: [ProcessID]
  let arenas = [Arena(capacity: 1 << 20), Arena(capacity: 1 << 20)]
  let disk: DiskID
  /// What stands in front of each ring.
  var fronts: [any Ring]
  private var nextToken: UInt64 = 1
  private(set) var completions: [[Completion]] = [[], []]

  init(seed: UInt64 = 1, survival: DiskOptions.Survival = .drawn) {
    let world = World(seed: seed)
    self.world = world
    world.network.defaultLink.jitter = .zero
    plan = FaultPlan(world)
    hosts = (1...2).map {
      world.addHost("h\($0)", addresses: [SocketAddress(10, 0, 0, UInt8($0), port: 0)])
    }
    processes = [world.addProcess("left", on: hosts[0]), world.addProcess("right", on: hosts[1])]
    var options = DiskOptions()
    options.size = 1 << 20
    options.survival = survival
    disk = world.addDisk("d", on: hosts[0], options: options)
    for index in 0..<2 { world.attach(arenas[index], to: processes[index]) }
    fronts = processes.map { world.ring(of: $0) }
  }

  deinit { world.faultHandler = nil }

  var path: NetworkPath { NetworkPath(between: hosts[0], and: hosts[1]) }

  func extent(_ offset: Int, _ length: Int) -> Extent { Extent(offset: offset, length: length) }

  func put(_ bytes: [UInt8], _ side: Int = 0, at offset: Int = 0) -> Extent {
    let extent = extent(offset, bytes.count)
    arenas[side].bytes(extent).copyBytes(from: bytes)
    return extent
  }

  func bytes(_ extent: Extent, _ side: Int = 0) -> [UInt8] { [UInt8](arenas[side].bytes(extent)) }

  /// Emits one operation of a side.
  func emit(_ side: Int, _ body: (inout Operations, Token) -> Void) -> Token {
    nextToken += 1
    var batch = Operations()
    body(&batch, Token(nextToken))
    fronts[side].submit(&batch)
    return Token(nextToken)
  }

  func completion(_ token: Token) -> Completion? { completions.joined().first { $0.token == token } }

  /// Lets `interval` pass.
  func run(_ interval: Interval) {
    let end = world.now + interval
    while world.now < end {
      for side in 0..<2 {
        fronts[side].reap(into: &completions[side], until: min(end, world.now + .microseconds(200)))
      }
    }
  }

  /// The completion of an operation, waited for.
  func perform(
    _ side: Int, within limit: Interval = .seconds(1), _ body: (inout Operations, Token) -> Void
  ) -> Completion? {
    let token = emit(side, body)
    let end = world.now + limit
    while completion(token) == nil, world.now < end { run(.microseconds(500)) }
    return completion(token)
  }

  /// A connection, as the handles of both sides.
  func connect() throws -> (left: Handle, right: Handle) {
    let address = SocketAddress(10, 0, 0, 2, port: 3260)
    let (listener, _) = try fronts[1].listen(at: address, backlog: 4)
    let accepting = emit(1) { $0.accept(on: listener, token: $1) }
    let connected = try #require(perform(0) { $0.connect(to: address, token: $1) })
    try #require(connected.error == .none)
    run(.milliseconds(2))
    let accepted = try #require(completion(accepting))
    return (Handle(connected.result), Handle(accepted.result))
  }

  func open() -> Handle { world.ring(of: processes[0]).open(disk) }
}
