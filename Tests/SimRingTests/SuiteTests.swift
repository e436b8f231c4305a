import Ring
import RingSuite
import SimDisk
import SimNet
import SimRing
import Testing

/// Two simulated hosts with a process each, for the suite that all rings pass.
final class SimulatedPair: RingWorld {
  let world: World
  private let hosts: [HostID]
  private let processes: [ProcessID]
  private let arenas: [Arena]
  private var diskCount = 0

  /// `adjust` changes what links and hosts are like before they are made.
  init(seed: UInt64, _ adjust: (World) -> Void = { _ in }) {
    let world = World(seed: seed)
    self.world = world
    adjust(world)
    hosts = [1, 2].map { number in
      world.addHost(
        "host\(number)",
        addresses: [
          SocketAddress(10, 0, 0, number, port: 0), SocketAddress(high: 0xFD00 << 48, low: UInt64(number), port: 0),
        ])
    }
    processes = [world.addProcess("left", on: hosts[0]), world.addProcess("right", on: hosts[1])]
    arenas = [Arena(capacity: 32 << 20), Arena(capacity: 32 << 20)]
    for (process, arena) in zip(processes, arenas) { world.attach(arena, to: process) }
  }

  private func index(_ side: Side) -> Int { side == .left ? 0 : 1 }

  func ring(_ side: Side) -> any Ring { world.ring(of: processes[index(side)]) }

  func arena(_ side: Side) -> Arena { arenas[index(side)] }

  func machine(_ side: Side) -> MachineID { processes[index(side)].machine }

  func address(of side: Side, ipv6: Bool) -> SocketAddress? {
    world.network.addresses(of: hosts[index(side)]).first { $0.isIPv4 != ipv6 }
  }

  /// A host that answers nothing, as behind a firewall.
  func silentAddress(for side: Side) throws -> SocketAddress {
    let silent = world.addHost("silent", addresses: [SocketAddress(10, 0, 0, 99, port: 0)])
    world.network.cut(from: hosts[index(side)], to: silent)
    return SocketAddress(10, 0, 0, 99, port: 3260)
  }

  func makeMedium(for side: Side, size: Int, readOnly: Bool) throws -> Handle {
    var options = DiskOptions()
    options.size = UInt64(size)
    options.isReadOnly = readOnly
    diskCount += 1
    let disk = world.addDisk("disk\(diskCount)", on: hosts[index(side)], options: options)
    return world.ring(of: processes[index(side)]).open(disk)
  }
}

@Suite struct SuiteTests {
  @Test("The suite of all rings, on a calm link", arguments: RingSuite.all)
  func calm(_ test: RingTest) throws {
    let pair = SimulatedPair(seed: 1)
    try test.run(pair)
    #expect(pair.world.defects == [])
  }
}

extension SuiteTests {
  /// Everything that a link may do within the meaning of the operations.
  private static func adjust(_ world: World) {
    makeHostile(world)
    world.network.defaultLink.loss = .never
  }

  @Test("The suite of all rings, on a hostile link, twice with the same trace", arguments: RingSuite.all)
  func hostile(_ test: RingTest) throws {
    let first = SimulatedPair(seed: 7, Self.adjust)
    try test.run(first)
    let second = SimulatedPair(seed: 7, Self.adjust)
    try test.run(second)
    #expect(first.world.hash == second.world.hash)
    #expect(first.world.eventCount == second.world.eventCount)
  }
}
