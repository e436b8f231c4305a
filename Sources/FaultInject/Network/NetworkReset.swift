import Ring
import SimNet
import SimRing

/// Resets the connections between two hosts that exist now, as a middlebox does. Fires per connection.
public struct NetworkReset: FaultUnit {
  public static let name = "network.reset"
  public var host: HostID

  /// Nil for the connections of `host` with anybody.
  public var other: HostID?

  public init(of host: HostID, with other: HostID? = nil) {
    self.host = host
    self.other = other
  }

  public var parameters: String {
    "host \(host.rawValue)" + (other.map { " with host \($0.rawValue)" } ?? "")
  }

  public func inject(into world: World) -> any ActiveFault {
    let count = UInt64(world.resetConnections(of: host, with: other))
    return SimpleFault(fired: { count }, lift: {})
  }
}
