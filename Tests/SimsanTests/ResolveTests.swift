import HostRing
import Ring
import Testing

@testable import simsan

/// Where a host of that name is.
@Suite struct ResolveTests {
  /// Whether localhost is an IPv6 address before it is another; where it is one address there is nothing to choose.
  private static let isSeveral = (try? resolve("localhost", port: 1)).map { !$0.isIPv4 } ?? false

  @Test(.enabled(if: isSeveral)) func ofSeveralAddressesOneIsTakenWhereSomebodyListens() throws {
    let ring = try HostRings.make(.epoll, arena: Arena(capacity: 4096))
    let (_, address) = try ring.listen(at: SocketAddress(127, 0, 0, 1, port: 0), backlog: 4)
    #expect(try resolve("localhost", port: address.port) == address)
  }

  @Test func anAddressIsTakenAsItIs() throws {
    #expect(try resolve("127.0.0.1", port: 1) == SocketAddress(127, 0, 0, 1, port: 1))
    #expect(try resolve("::1", port: 2) == SocketAddress(high: 0, low: 1, port: 2))
  }
}
