import Monitor
import Ring
import SimNet

/// Stands at the sockets of a world's targets: has the protocol monitor read what they send, and what they take in, which is
/// what they know. What a link makes of the bytes on their way is nobody's fault there.
final class TrafficWitness: NetworkTap {
  let monitor = ProtocolMonitor(watching: [.target])

  /// Also writes down what all send, where somebody wants that.
  var capture: PacketCapture?

  func opened(connection: UInt64, client: SocketAddress, server: SocketAddress, at time: Instant) {
    monitor.opened(connection)
    capture?.opened(connection: connection, client: client, server: server, at: time)
  }

  func sent(connection: UInt64, byClient: Bool, bytes: UnsafeRawBufferPointer, at time: Instant) {
    if !byClient { monitor.read(bytes, of: connection, from: .target, at: time) }
    capture?.sent(connection: connection, byClient: byClient, bytes: bytes, at: time)
  }

  func received(connection: UInt64, byClient: Bool, bytes: UnsafeRawBufferPointer, at time: Instant) {
    if !byClient { monitor.read(bytes, of: connection, from: .initiator, at: time) }
    capture?.received(connection: connection, byClient: byClient, bytes: bytes, at: time)
  }

  func ended(connection: UInt64, byClient: Bool, wasReset: Bool, at time: Instant) {
    if !byClient { monitor.closed(connection) }
    capture?.ended(connection: connection, byClient: byClient, wasReset: wasReset, at: time)
  }
}
