import Ring
import SimNet
import SimRing

/// The links that a network fault concerns: between two hosts, both ways or one way, all of their paths or one.
public struct NetworkPath: Hashable, Sendable {
  public var from: HostID
  public var to: HostID

  /// Only the direction from `from` to `to`.
  public var isOneWay: Bool

  /// Narrows it to the path between these addresses (ports are ignored); nil for all.
  public var fromAddress: SocketAddress?
  public var toAddress: SocketAddress?

  public init(
    between from: HostID, and to: HostID, oneWay: Bool = false, at fromAddress: SocketAddress? = nil,
    toAddress: SocketAddress? = nil
  ) {
    self.from = from
    self.to = to
    isOneWay = oneWay
    self.fromAddress = fromAddress
    self.toAddress = toAddress
  }

  var text: String {
    func end(_ host: HostID, _ address: SocketAddress?) -> String { address?.host ?? "host \(host.rawValue)" }
    return end(from, fromAddress) + (isOneWay ? " > " : " <> ") + end(to, toAddress)
  }

  /// Calls `body` with each direction.
  func forEachDirection(
    _ body: (_ from: HostID, _ fromAddress: SocketAddress?, _ to: HostID, _ toAddress: SocketAddress?) -> Void
  ) {
    body(from, fromAddress, to, toAddress)
    if !isOneWay { body(to, toAddress, from, fromAddress) }
  }

  func counters(_ network: Network, _ count: (LinkCounters) -> UInt64) -> UInt64 {
    var sum: UInt64 = 0
    forEachDirection { from, fromAddress, to, toAddress in
      sum += count(network.linkCounters(from: from, at: fromAddress, to: to, at: toAddress))
    }
    return sum
  }

  /// A fault that counts what one of the links' counters has grown by since now.
  func fault(
    _ world: World, counting count: @escaping (LinkCounters) -> UInt64, lift: @escaping () -> Void
  ) -> SimpleFault {
    let network = world.network
    let before = counters(network, count)
    return SimpleFault(fired: { self.counters(network, count) - before }, lift: lift)
  }

  /// A fault that changes what the links are like.
  func overlay(
    _ world: World, counting count: @escaping (LinkCounters) -> UInt64,
    _ change: @escaping (inout LinkOptions) -> Void
  ) -> SimpleFault {
    let network = world.network
    var overlays: [OverlayID] = []
    forEachDirection { from, fromAddress, to, toAddress in
      overlays.append(network.addOverlay(from: from, at: fromAddress, to: to, at: toAddress, change))
    }
    return fault(world, counting: count) {
      for overlay in overlays { network.removeOverlay(overlay) }
    }
  }
}
