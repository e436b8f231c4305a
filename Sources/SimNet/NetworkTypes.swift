import Ring
import SimClock

/// A simulated host.
public struct HostID: Hashable, Sendable {
  public var rawValue: UInt32

  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// One end of a connection, or an attempt at one. Checked against the slot's generation at every use.
public struct SocketID: Hashable, Sendable {
  var slot: UInt32
  var generation: UInt32

  /// Names no socket.
  public static let none = SocketID(slot: .max, generation: .max)
}

/// A listener. Checked against the slot's generation at every use.
public struct ListenerID: Hashable, Sendable {
  var slot: UInt32
  var generation: UInt32

  /// Names no listener.
  public static let none = ListenerID(slot: .max, generation: .max)
}

/// How a byte stream is cut into segments.
public enum Segmentation: Hashable, Sendable {
  /// As large as the MTU allows.
  case full
  /// Of a length drawn from 1 up to what the MTU allows.
  case drawn
  /// `every(n)`: after each n bytes of the stream.
  case every(UInt64)
  /// Before these positions of the stream, counted from its first byte, in ascending order.
  case points([UInt64])
}

/// What a link does to the bytes that cross it in one direction.
public struct LinkOptions: Hashable, Sendable {
  /// How long a segment takes, beside its transmission time.
  public var latency: Interval = .microseconds(50)

  /// Up to how much longer, drawn per segment. Segments do not overtake each other.
  public var jitter: Interval = .microseconds(5)

  /// Bits a second; zero for no limit.
  public var bandwidth: UInt64 = 10_000_000_000

  /// The largest packet in bytes, headers (66 bytes) included.
  public var mtu = 9000

  /// How many bytes pass without taking their time when nothing has passed for long enough, as a shaper with a bucket lets
  /// them; the bucket fills again at ``bandwidth``. None on a real wire.
  public var burst = 0

  /// How many bytes may wait for transmission before the senders have to wait.
  public var queueLength = 1 << 20

  /// How often a segment is lost, to be sent again after a time-out or when the gap is noticed.
  public var loss: Ratio = .never

  /// How often a segment arrives with one bit inverted and nobody notices.
  public var corruption: Ratio = .never

  public var segmentation: Segmentation = .full

  /// How often a receive returns a part of what is there, of a drawn length.
  public var shortReceive: Ratio = .never

  /// How often a send takes over a part of what it could, of a drawn length.
  public var shortSend: Ratio = .never

  public init() {}
}

/// What has happened on a link in one direction.
public struct LinkCounters: Hashable, Sendable {
  /// Packets that entered.
  public var packets: UInt64 = 0
  /// Packets lost because the link was cut, or refused because it had no route.
  public var cutOff: UInt64 = 0
  /// Packets lost by chance.
  public var lost: UInt64 = 0
  /// Segments in which a bit was inverted by chance, and those in which one had to be.
  public var corrupted: UInt64 = 0
  public var forcedCorruptions: UInt64 = 0
  /// Segments that ended at a drawn or forced cut.
  public var splits: UInt64 = 0
  /// Receives and sends that were cut short.
  public var shortReceives: UInt64 = 0
  public var shortSends: UInt64 = 0

  mutating func add(_ other: LinkCounters) {
    packets += other.packets
    cutOff += other.cutOff
    lost += other.lost
    corrupted += other.corrupted
    forcedCorruptions += other.forcedCorruptions
    splits += other.splits
    shortReceives += other.shortReceives
    shortSends += other.shortSends
  }
}

/// Names a change of links that is in force, or corruptions to come.
public struct OverlayID: Hashable, Sendable {
  var rawValue: UInt64
}

/// What the TCP of a host does.
public struct HostOptions: Hashable, Sendable {
  /// The most bytes of a connection that were taken over from the sender and not yet acknowledged.
  public var sendBufferLength = 256 << 10

  /// The most bytes of a connection that have arrived and nobody has read.
  public var receiveBufferLength = 256 << 10

  /// How often a connection request is repeated, after 1, 2, 4, ... seconds, before it times out.
  public var connectRetries = 6

  /// The time after which unacknowledged bytes are first sent again; it doubles with each repetition.
  public var retransmitTimeout: Interval = .milliseconds(200)

  /// The longest time between two repetitions.
  public var retransmitTimeoutMax: Interval = .seconds(120)

  /// How often the same bytes are sent again before the connection is given up as timed out.
  public var retransmitLimit = 15

  /// Holds back a partial segment while another is unacknowledged (RFC 896); most storage software turns this off.
  public var nagle = false

  /// How long an acknowledgement of less than two full segments waits for data to ride on (RFC 1122 §4.2.3.2); not at
  /// all when zero. With ``nagle`` at the other end this is the well-known stall.
  public var acknowledgementDelay: Interval = .zero

  /// What sending and receiving take, as the model of the pipeline has it.
  public var work = NetworkWork()

  public init() {}
}

/// What happened to a socket or listener, for its owner to act on.
public struct Signal: Hashable, Sendable {
  public enum Kind: UInt8, Sendable {
    /// A connection waits to be accepted. `owner` is the listener's.
    case accepted
    /// A connect has succeeded or failed.
    case connected
    /// Bytes, the end of the stream or an error are there to be read.
    case readable
    /// The send buffer has room again, or sending has failed.
    case writable
  }

  public var kind: Kind

  /// What ``Network/setOwner(of:to:)`` or `listen` said.
  public var owner: UInt64
}

/// The outcome of a non-blocking call on a socket.
public enum StreamResult: Hashable, Sendable {
  /// Bytes moved; zero is the end of the stream.
  case count(Int)
  /// Not now; a ``Signal`` follows.
  case wouldBlock
  case failed(RingError)
}

/// Sees the bytes of all connections pass, for a protocol monitor or a capture file. It cannot change them.
public protocol NetworkTap: AnyObject {
  /// A connection was made. `connection` numbers it within the run.
  func opened(connection: UInt64, client: SocketAddress, server: SocketAddress, at time: Instant)

  /// `bytes` were taken over for sending by the client's or the server's socket.
  func sent(connection: UInt64, byClient: Bool, bytes: UnsafeRawBufferPointer, at time: Instant)

  /// `bytes` were read by the other end.
  func received(connection: UInt64, byClient: Bool, bytes: UnsafeRawBufferPointer, at time: Instant)

  /// One side shut down, closed or reset its sending direction, or was reset.
  func ended(connection: UInt64, byClient: Bool, wasReset: Bool, at time: Instant)
}
