import Testing

@testable import Conformance

/// Worlds of several hosts and targets.
@Suite struct WorldTests: Playing {
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
}
