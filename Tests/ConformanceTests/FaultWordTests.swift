import FaultInject
import Testing

@testable import Conformance

/// The words of the scenario language for what goes wrong: each arms the unit of its name, with what it was told.
@Suite struct FaultWordTests: Playing {
  /// What the ledger says of what a script has armed.
  private func ledger(_ body: String, world: String = "") throws -> [FaultPlan.LedgerLine] {
    let script = try Script(
      file: "a.lua", text: "scenario { title = 'x', \(world) play = function(t)\n\(body)\nend }")
    var description = WorldDescription()
    if case .fixed(let fixed) = script.scenarios[0].world { description = fixed }
    let playground = try SimulatedPlayground(description, seed: 1)
    let player = Player(
      Case.expand(script.scenarios[0], file: script.file)[0], script: script, playground: playground, seed: 1)
    player.play()
    #expect(player.failures.isEmpty, "\(player.failures)")
    return playground.faults.ledger
  }

  @Test func everyUnitIsAWordOrAVerbOfTheTarget() {
    let words = HostLibrary.all.map(\.path).filter { $0.hasPrefix("fault.") }
    // t:kill() and t:crash() do these.
    let verbs = ["process.crash", "host.power_off"]
    #expect(words.sorted() == FaultCatalogue.names.filter { !verbs.contains($0) }.map { "fault.\($0)" }.sorted())
  }

  @Test(arguments: [
    ("network.partition {", "host 1 <> host 0"),
    ("network.partition { between = { 'target', 'initiator' }, one_way = true", "host 0 > host 1"),
    ("network.partition { between = { 'initiator', '10.0.0.1' }", "host 1 <> 10.0.0.1"),
    ("network.partition { between = { 'fd00::2', 'target' }", "fd00::2 <> host 0"),
    ("network.unreachable {", "host 1 <> host 0"),
    ("network.flap {", "host 1 <> host 0, 100000 us down, 100000 us up"),
    ("network.flap { down = '5ms', up = '7ms'", "host 1 <> host 0, 5000 us down, 7000 us up"),
    ("network.reset { one_way = true", "host 1 > host 0"),
    ("network.loss {", "host 1 <> host 0, 1 in 100"),
    ("network.loss { chance = '1/7'", "host 1 <> host 0, 1 in 7"),
    ("network.bit_flip {", "host 1 <> host 0, 1 in 100"),
    ("network.bit_flip { next = 3", "host 1 <> host 0, the next 3"),
    ("network.bit_flip { chance = '2/3'", "host 1 <> host 0, 2 in 3"),
    (
      "network.slow { latency = '3ms', jitter = '2ms', bandwidth = '1Mbit/s'",
      "host 1 <> host 0, +3000 us, jitter +2000 us, 1000000 bit/s"
    ),
    ("network.split {", "host 1 <> host 0, drawn"),
    ("network.split { every = 10", "host 1 <> host 0, every 10 bytes"),
    ("network.split { at = { 30, 10 }", "host 1 <> host 0, at [10, 30]"),
    ("network.short {", "host 1 <> host 0, 1 in 2"),
    ("disk.io_error {", "disk 0 reads writes of 0..<67108864"),
    (
      "disk.io_error { of = { 'flush' }, lba = 2, blocks = 3, chance = '1/2', times = 4",
      "disk 0 flushes of 1024..<2560, 1 in 2, at most 4"
    ),
    ("disk.slow { of = 'read', delay = '7ms'", "disk 0 reads of 0..<67108864, +7000 us"),
    ("disk.slow {", "disk 0 reads writes of 0..<67108864, +100000 us"),
    ("disk.stuck { of = 'write'", "disk 0 writes of 0..<67108864"),
    ("disk.short { times = 1", "disk 0 reads writes of 0..<67108864, at most 1"),
    ("disk.flush_error { chance = '1/2'", "disk 0, 1 in 2"),
    ("disk.flush_error {", "disk 0, 1 in 1"),
    ("disk.full {", "disk 0"),
    ("disk.read_only {", "disk 0"),
    ("disk.removed {", "disk 0"),
    ("disk.resized { size = '32KiB'", "disk 0, 32768 bytes"),
    ("disk.lost_write { lba = 1", "disk 0 reads writes of 512..<67108864"),
    ("disk.misdirected_write { displacement = 512", "disk 0 reads writes of 0..<67108864, 512 bytes further on"),
    ("disk.misdirected_write {", "disk 0 reads writes of 0..<67108864, 4096 bytes further on"),
    ("disk.latent_error { lba = 3, blocks = 2", "disk 0, 1536..<2560"),
    ("disk.bit_rot { lba = 3, blocks = 2, count = 5", "disk 0, 5 bits of 1536..<2560"),
    ("disk.torn {", "disk 0, at 512 bytes"),
    ("disk.torn { atomic_unit = 4096", "disk 0, at 4096 bytes"),
    ("process.pause {", "process 0"),
    ("process.no_resources {", "process 0"),
    ("clock.jump { by = '5s'", "process 0, 5000000 us"),
    ("clock.drift { ppm = -30", "process 0, -30 ppm"),
  ])
  func aWordSaysWhatHappensAndWhere(call: String, parameters: String) throws {
    let comma = call.hasSuffix("{") ? "" : ","
    let ledger = try ledger("fault.\(call)\(comma) may_miss = true }")
    #expect(ledger.map(\.parameters) == [parameters])
    #expect(ledger.first.map { call.hasPrefix($0.name + " ") } == true)
    #expect(ledger.first?.isLifted == true)
  }

  /// The second target's second unit, and the second thread of its program.
  @Test func aPlaceIsSaidByTargetUnitHostAndThread() throws {
    let world = """
      world = { target { iqn = 'iqn.2026-11.example:one' },
        target { host = 'b', iqn = 'iqn.2026-11.example:two', shard = 1, luns = { {}, { lun = 7, block_size = 4096 } } } },
      """
    let ledger = try ledger(
      """
      fault.disk.latent_error { target = 'iqn.2026-11.example:two', lun = 7, lba = 1, blocks = 1, may_miss = true }
      fault.process.pause { host = 'b', shard = 1, for_ = '1s' }
      """, world: world)
    #expect(ledger.map(\.parameters) == ["disk 2, 4096..<8192", "process 2"])
  }

  @Test(arguments: [
    ("t:kill()", "connection refused"), ("fault.network.unreachable {}", "unreachable"),
    ("fault.network.partition {}", "timed out"),
  ])
  func whyThereIsNoConnectionIsSaid(trouble: String, reason: String) throws {
    let result = try play(body: "\(trouble)\nexpect(t:try_connect { within = '5min' }):closed('\(reason)')")
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  @Test(arguments: [
    (
      "network.partition { between = { 'initiator', '10.9.9.9' } }",
      "expected a host or an address of one, found 10.9.9.9, which no host has"
    ),
    ("network.partition { between = { 'a', 'target' } }", "expected one of the hosts target, initiator, found \"a\""),
    ("network.partition { between = { 'target' } }", "two hosts, or addresses of hosts, such as { \"a\", \"target\" }"),
    ("disk.resized {}", "expected a size such as \"32MiB\""),
    ("clock.jump {}", "expected a time such as \"30s\""),
    ("clock.drift {}", "expected parts in a million"),
  ])
  func aMistakeSaysWhatIsMeant(call: String, message: String) throws {
    let found = try failure("fault.\(call)").message
    #expect(found.contains(message), "\(found)")
  }
}
