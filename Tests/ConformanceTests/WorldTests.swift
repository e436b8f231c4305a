import Testing

@testable import Conformance

/// Worlds of several hosts and targets: whom a script means, and what cannot be meant.
@Suite struct WorldTests: Playing {
  private static let targets = """
    world = { target { iqn = 'iqn.2026-11.example:one' },
              target { iqn = 'iqn.2026-11.example:two', luns = { { lun = 5 }, { lun = 6, memory = true } } } },
    """

  @Test func theFirstUnitIsThatOfTheTargetThatIsNamed() throws {
    let result = try play(
      body: """
        local one, two = t:login {}, t:login { target = 'iqn.2026-11.example:two' }
        expect(one.lun):equals(0)
        expect(two.lun):equals(5)
        fault.disk.io_error { target = 'iqn.2026-11.example:TWO', of = 'read' }
        expect(two:read { lba = 0 }):check_condition("MEDIUM ERROR")
        expect(one:read { lba = 0 }):good()
        """, fields: Self.targets)
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  @Test(arguments: [
    (
      "fault.disk.full { target = 'iqn.2026-11.example:tow' }",
      "fault.disk.full.target: expected one of iqn.2026-11.example:one, iqn.2026-11.example:two, found string "
        + "\"iqn.2026-11.example:tow\"; did you mean 'iqn.2026-11.example:two'?"
    ),
    ("fault.disk.full { lun = 5 }", "lun: expected a logical unit of iqn.2026-11.example:one: 0, found number 5"),
    (
      "fault.disk.full { target = 'iqn.2026-11.example:two', lun = 6 }",
      "fault.disk.full.lun: expected a logical unit that is on a disk, found number 6"
    ),
    ("fault.disk.bit_rot { lba = 131072 }", "lba: expected a whole number from 0 to 131071, found number 131072"),
    ("fault.disk.bit_rot { lba = 131071, blocks = 2 }", "blocks: expected a whole number from 1 to 1, found number 2"),
  ])
  func aFaultThatMeansNoDiskIsRefused(body: String, message: String) throws {
    #expect(try failure(body, fields: Self.targets).message.contains(message))
  }

  @Test(arguments: [
    (
      "host { name = 'a' }, host { name = 'a', nagle = true }",
      "host: expected one description of each host, found two of \"a\""
    ),
    (
      "host { name = 'a', address = '10.0.0.9' }, host { name = 'b', address = '10.0.0.9' }",
      "host.address: expected one of its own for \"b\", found 10.0.0.9, which \"a\" has"
    ),
    (
      "target {}, target { luns = { { memory = true } } }",
      "target: expected targets of different names on \"target\", found iqn.2026-11.example:target twice"
    ),
    (
      "target { iqn = 'iqn.2026-11.example:one' }, target { iqn = 'iqn.2026-11.example:two', portal_group = 2 }",
      "target iqn.2026-11.example:two: expected portal_group = 1, as for another target at 0.0.0.0:3260; found 2"
    ),
  ])
  func whatWouldBeOverlookedIsRefused(world: String, message: String) throws {
    #expect(try failure("t:login {}", fields: "world = { \(world) },").message.contains(message))
  }

  @Test(arguments: [
    (
      "local w = { target {} } for i = 1, 256 do w[i + 1] = host { name = 'h' .. i } end",
      "scenario.world: expected hosts with at most 512 addresses, found more with \"h256\""
    ),
    (
      "local w = {} for i = 0, 2 do local p = {} for j = 1, 200 do p[j] = ('10.%d.0.%d'):format(i, j) end "
        + "w[i + 1] = target { iqn = 'iqn.2026-11.example:' .. i, portals = p } end",
      "found more with \"target\""
    ),
  ])
  func whatTakesTooManyAddressesIsRefused(world: String, message: String) throws {
    let text = "\(world)\nscenario { title = 'x', world = w, play = function(t) end }"
    let failures = try play(text)[0].failures
    #expect(failures.first?.message.contains(message) == true, "\(failures)")
  }

  /// The first host of a world is usually 10.0.0.1, and fd00::1.
  @Test(arguments: ["10.0.0.1", "[fd00::1]"]) func aHostThatIsGivenAnAddressHasItAlone(address: String) throws {
    let result = try play(
      body: "expect(t:login { target = 'iqn.2026-11.example:two' }:read { lba = 0 }):good()",
      fields: """
        world = { target { iqn = 'iqn.2026-11.example:one' },
                  target { iqn = 'iqn.2026-11.example:two', host = 'other', portals = { '\(address):3260' } } },
        """)
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  /// What links, hosts and disks are said to be like is in the time of a command, in milliseconds.
  @Test(arguments: [
    ("link { between = { 'target', 'initiator' }, latency = '10ms', jitter = '1us' }", "test_unit_ready()", 20...21),
    ("link { between = { 'target', 'initiator' }, bandwidth = '100kB/s' }", "read { blocks = 4 }", 20...23),
    (
      "link { between = { 'target', 'initiator' }, bandwidth = '100kB/s', burst = '4KiB' }", "read { blocks = 4 }",
      0...1
    ),
    (
      "link { between = { 'target', 'initiator' }, mtu = 1066 }, host { name = 'target', work = { segment_out = '1ms' } }",
      "read { blocks = 8 }", 5...6
    ),
    (
      "link { between = { 'target', 'initiator' }, latency = '5ms' }, host { name = 'initiator', receive_buffer = '4KiB' }",
      "read { blocks = 64 }", 75...100
    ),
    ("target { luns = { { disk = { bandwidth = '800kbit/s', latency = '0s', jitter = '0s' } } } }", "read {}", 5...6),
    ("target { luns = { { disk = { latency = '30ms', jitter = '0s' } } } }", "read {}", 30...31),
  ])
  func aWorldTakesItsTime(world: String, command: String, milliseconds: ClosedRange<Int>) throws {
    let target = world.hasPrefix("target") ? "" : "target {}, "
    let result = try play(
      body: """
        local s = t:login {}
        local start = now()
        expect(s:\(command)):good()
        local took = math.floor((now() - start) * 1000)
        expect(took):at_least(\(milliseconds.lowerBound))
        expect(took):at_most(\(milliseconds.upperBound))
        """, fields: "world = { \(target)\(world) },")
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  /// What a power cut leaves of a write is told apart by sectors.
  @Test func nothingIsTornWithinASector() throws {
    #expect(
      try failure("fault.disk.torn { atomic_unit = 700 }").message.contains(
        "fault.disk.torn.atomic_unit: expected a multiple of 512 bytes, found number 700"))
  }
}
