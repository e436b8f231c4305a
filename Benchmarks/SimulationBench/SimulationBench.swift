import Initiator
import ISCSI
import Ring
import SimClock
import SimDisk
import SimNet
import SimRing
import Target

/// How many commands a second of real time the simulation plays: one target, `initiators` sessions, random 4 KiB reads and
/// writes at a depth each, over simulated sockets and a simulated disk. Prints one line a world, with the trace hash, which
/// is the same for every run of the same program.
///
///     swift run -c release simulation-bench
@main
struct SimulationBench {
  static func main() {
    for (initiators, depth, disk) in [(1, 1, false), (1, 32, false), (1, 32, true), (16, 8, true)] {
      let clock = ContinuousClock()
      var line = ""
      let elapsed = clock.measure { line = run(initiators: initiators, depth: depth, disk: disk, commands: 40_000) }
      let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
      print(
        "\(initiators) initiators, depth \(depth), \(disk ? "disk  " : "memory")  \(Int(40_000 / seconds)) commands/s  \(line)"
      )
    }
  }

  static func run(initiators: Int, depth: Int, disk: Bool, commands: Int) -> String {
    let world = World(seed: 1)
    let address = SocketAddress(10, 0, 0, 1, port: 3260)
    let server = world.addHost("target", addresses: [address])
    let process = world.addProcess("target", on: server)
    let ring = world.ring(of: process)
    guard let listener = try? ring.listen(at: address, backlog: 128).listener else { return "no listener" }
    let medium = disk ? ring.open(world.addDisk("lun0", on: server)) : nil
    let unit = LogicalUnitConfiguration(
      blockCount: 1 << 17, backing: medium.map { .medium($0, alignment: 1) } ?? .memory)
    guard
      let target = try? TargetMachine(
        configuration: TargetConfiguration(
          nodes: [TargetNode(name: Load.target, logicalUnits: [unit])],
          portals: [Portal(listener: listener, address: address)]),
        arena: Arena(capacity: 64 << 20))
    else { return "no address space" }
    world.start(process, target)
    var loads: [Load] = []
    for index in 0..<initiators {
      let host = world.addHost("i\(index)", addresses: [SocketAddress(10, 0, 1, UInt8(index + 1), port: 0)])
      let client = world.addProcess("i\(index)", on: host)
      let load = Load(index: index, depth: depth, commands: commands / initiators, address: address)
      loads.append(load)
      world.start(client, load)
    }
    let ended = world.run(
      until: { loads.allSatisfy { $0.done >= commands / initiators } }, orUntil: Instant(nanoseconds: 1_000_000_000_000)
    )
    let failures = loads.reduce(0) { $0 + $1.failures }
    return
      "\(world.eventCount) events, \(world.now.nanoseconds / 1000) us of virtual time, \(failures) unit attentions or failures"
      + (ended ? "" : ", NOT FINISHED") + ", \(world.hash)"
  }
}

/// An initiator that keeps `depth` commands outstanding.
final class Load: Machine {
  static let target = "iqn.2026-11.example:bench"
  let machine = InitiatorMachine(arenaCapacity: 4 << 20)
  var arena: Arena { machine.arena }
  private let depth: Int
  private let commands: Int
  private var connection: ConnectionID?
  private let address: SocketAddress
  private let index: Int
  private var random: UInt64
  private var issued = 0
  private(set) var done = 0
  private(set) var failures = 0
  private let payload = [UInt8](repeating: 0xA5, count: 4096)

  init(index: Int, depth: Int, commands: Int, address: SocketAddress) {
    self.index = index
    self.depth = depth
    self.commands = commands
    self.address = address
    random = 0x9E37_79B9_7F4A_7C15 &* UInt64(index + 1)
    machine.tellsPDUs = false
  }

  func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    if connection == nil, let id = try? machine.connect(to: address) {
      connection = id
      var plan = LoginPlan()
      plan.initiatorName = "iqn.2026-11.example:i\(index)"
      plan.targetName = Self.target
      try? machine.login(plan, on: id)
    }
    machine.step(completions, now: now, into: &operations)
    for event in machine.takeEvents() {
      switch event.kind {
      case .fullFeaturePhase:
        for _ in 0..<depth { issue() }
      case .taskEnded(let result):
        done += 1
        if case .command(let outcome) = result.outcome, outcome.status == 0 {} else { failures += 1 }
        issue()
      case .violation, .digestError, .closed, .connectFailed:
        failures += 1
      default:
        break
      }
    }
    if machine.hasWork { machine.step([], now: now, into: &operations) }
  }

  private func issue() {
    guard issued < commands, let connection else { return }
    issued += 1
    random ^= random << 13
    random ^= random >> 7
    random ^= random << 17
    let lba = random % 16_000 * 8
    let isWrite = random >> 40 & 1 == 1
    var cdb = [UInt8](repeating: 0, count: 16)
    cdb[0] = isWrite ? 0x2A : 0x28
    for byte in 0..<4 { cdb[2 + byte] = UInt8(truncatingIfNeeded: lba >> UInt64(24 - 8 * byte)) }
    cdb[8] = 8
    var request = CommandRequest(cdb: cdb)
    if isWrite { request.dataOut = payload } else { request.expectedDataIn = 4096 }
    _ = try? machine.execute(request, on: connection)
  }
}
