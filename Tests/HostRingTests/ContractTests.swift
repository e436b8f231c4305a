import HostRing
import Ring
import Testing

/// Every operation gets one completion, and gets it as soon as what it waits for is there.
@Suite(.serialized) struct ContractTests {
  private static let kinds = HostRingKind.allCases.filter { HostRings.allows($0) }

  @Test(arguments: kinds) func aMailboxTakesAMessageThatIsHereAlready(_ kind: HostRingKind) throws {
    let ring = try HostRings.make(kind, arena: Arena(capacity: 8192))
    // Both messages come at once, and one mailbox waits.
    let first = ring.perform(3) {
      $0.post(to: ring.machine, Extent(offset: 0, length: 4), token: Token(1))
      $0.post(to: ring.machine, Extent(offset: 0, length: 5), token: Token(2))
      $0.mailbox(into: Extent(offset: 4096, length: 8), token: Token(3))
    }
    #expect(first.contains(Completion(token: Token(3), result: 4)))
    let began = ring.now
    let second = ring.perform(1) { $0.mailbox(into: Extent(offset: 4096, length: 8), token: Token(4)) }
    #expect(second == [Completion(token: Token(4), result: 5)])
    #expect(ring.now - began < .seconds(1), "and does not sleep beside it")
  }
}
