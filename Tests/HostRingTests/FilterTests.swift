import FaultInject
import HostRing
import Ring
import RingSuite
import SimClock
import Testing

/// A pair of host rings, each behind the filter that injects faults: a real server can misbehave on purpose.
private final class FilteredLoopback: RingWorld {
  private let pair: LoopbackPair
  private let filters: [FaultRing]

  init(_ kind: HostRingKind, _ fault: RingFault?) throws {
    let pair = try LoopbackPair(kind)
    self.pair = pair
    filters = [Side.left, .right].map {
      FaultRing(pair.ring($0), arena: pair.arena($0), random: RandomStream(seed: $0 == .left ? 1 : 2))
    }
    if let fault { for filter in filters { _ = filter.add(fault) } }
  }

  func ring(_ side: Side) -> any Ring { filters[side == .left ? 0 : 1] }
  func arena(_ side: Side) -> Arena { pair.arena(side) }
  func machine(_ side: Side) -> MachineID { pair.machine(side) }
  func address(of side: Side, ipv6: Bool) -> SocketAddress? { pair.address(of: side, ipv6: ipv6) }
  func silentAddress(for side: Side) throws -> SocketAddress { try pair.silentAddress(for: side) }

  func makeMedium(for side: Side, size: Int, readOnly: Bool) throws -> Handle {
    try pair.makeMedium(for: side, size: size, readOnly: readOnly)
  }
}

@Suite(.serialized) struct FilterTests {
  @Test("A filter without a fault changes the meaning of no operation on a real ring", arguments: RingSuite.all)
  func transparent(_ test: RingTest) throws {
    try test.run(FilteredLoopback(.epoll, nil))
  }

  @Test("Nor does one that cuts receives and sends short, which every ring may", arguments: RingSuite.all)
  func short(_ test: RingTest) throws {
    try test.run(FilteredLoopback(.epoll, RingFault(.cutShort, on: [.receive, .send], chance: Ratio(1, in: 2))))
  }

  @Test("Who interrupts the ring behind a filter ends the wait at the filter")
  func interrupt() throws {
    let arena = Arena(capacity: 4096)
    let inner = try HostRings.make(.epoll, arena: arena)
    let ring = FaultRing(inner, arena: arena, random: RandomStream(seed: 1))
    let start = ring.now
    inner.interrupt()
    var completions: [Completion] = []
    ring.reap(into: &completions, until: start + .seconds(2))
    #expect(completions.isEmpty)
    #expect(ring.now - start < .seconds(1))
  }

  @Test("A delay on a real ring lasts as long as it says")
  func delay() throws {
    let arena = Arena(capacity: 4096)
    let ring = FaultRing(try HostRings.make(.epoll, arena: arena), arena: arena, random: RandomStream(seed: 1))
    let fault = ring.add(RingFault(.delay(.milliseconds(30)), on: [.connect]))
    let (_, address) = try ring.listen(at: SocketAddress(127, 0, 0, 1, port: 0), backlog: 1)
    let start = ring.now
    var batch = Operations()
    batch.connect(to: address, token: Token(7))
    ring.submit(&batch)
    var completions: [Completion] = []
    while completions.isEmpty, ring.now - start < .seconds(5) {
      ring.reap(into: &completions, until: ring.now + .milliseconds(500))
    }
    #expect(completions.map(\.token) == [Token(7)] && completions.first?.error == RingError.none)
    #expect(ring.now - start >= .milliseconds(30))
    #expect(ring.fired(fault) == 1)
  }
}
