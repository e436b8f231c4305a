import Ring
import SimNet
import SimRing

/// Resets the connections of a path that exist now, as a middlebox does: both ends are told, or, one way, the second alone, so
/// that the first learns of it when it sends. Fires per connection.
public struct NetworkReset: FaultUnit {
  public static let name = "network.reset"
  public var path: NetworkPath

  public init(_ path: NetworkPath) { self.path = path }

  public var parameters: String { path.text }

  public func inject(into world: World) -> any ActiveFault {
    let count = world.resetConnections(
      of: path.from, at: path.fromAddress, with: path.to, at: path.toAddress, ofPeersAlone: path.isOneWay)
    return SimpleFault(fired: { UInt64(count) }, lift: {})
  }
}
