import Ring
import SimClock
import SimNet
import SimRing
import Target

/// The world that a scenario wants, or that `simsan serve` deploys.
public struct WorldDescription: Sendable {
  public var targets: [TargetDescription] = []
  var hosts: [HostDescription] = []
  var links: [LinkDescription] = []

  public init() {}

  /// The names of all hosts that it mentions, targets first, in the order in which they are mentioned.
  var hostNames: [String] {
    var names: [String] = []
    for name in targets.map(\.host) + hosts.map(\.name) + links.flatMap(\.between) where !names.contains(name) {
      names.append(name)
    }
    return names
  }
}

/// A `target { … }` table: an iSCSI target node, where it listens, and its logical units.
public struct TargetDescription: Sendable {
  /// The simulated host that it runs on. All targets of one host are one program, and crash together.
  public var host = "target"
  public var iqn = "iqn.2026-11.example:target"
  public var alias: String?
  /// Where it listens: `address[:port]`; empty for port 3260 of every address.
  public var portals: [SocketAddress] = []
  public var portalGroupTag: UInt16 = 1
  public var units: [UnitDescription] = []
  /// The initiators that may log in; nil for all.
  public var initiators: [String]?
  /// How its answers go out.
  public var sendPolicy = SendPolicy.batching
  /// Which of its program's threads serves it, from 0; nil for the first in the simulation, and for any with
  /// `simsan serve`.
  public var shard: Int?
  /// What differs from the target's own defaults, by the names of RFC 7143's keys.
  var keys = KeyDescription()
  /// Bounds of the implementation.
  public var limits = LimitDescription()

  /// Port 3260 of every address, IPv4 and IPv6.
  public static let usualPortals = [
    SocketAddress(0, 0, 0, 0, port: 3260), SocketAddress(high: 0, low: 0, port: 3260),
  ]

  /// The highest shard, and so many that no host has as many cores.
  public static let shardMax = 63

  public init() {}
}

/// The `keys = { … }` of a target: what it offers when it negotiates.
struct KeyDescription: Sendable {
  var maxRecvDataSegmentLength: UInt32?
  var maxBurstLength: UInt32?
  var firstBurstLength: UInt32?
  var maxOutstandingR2T: UInt32?
  var initialR2T: Bool?
  var immediateData: Bool?
  /// False: only None is agreed to.
  var crc32c: Bool?
}

/// The `limits = { … }` of a target.
public struct LimitDescription: Sendable {
  public var commandWindow: UInt32?
  public var connections: Int?
  public var pendingLogins: Int?
  public var loginTimeout: Interval?
  public var pingInterval: Interval?
  public var pingTimeout: Interval?
  public var tasks: Int?
  /// Bytes of memory for buffers.
  public var memory: UInt64?

  public init() {}
}

/// One entry of a target's `luns = { … }`.
public struct UnitDescription: Sendable {
  /// Where its blocks are.
  public enum Backing: Sendable, Equatable {
    /// A simulated disk in the simulation; not to be served.
    case disk
    case file(String)
    case memory
    case null
  }

  public var lun: UInt16 = 0
  /// Bytes; nil takes a file's own size.
  public var size: UInt64?
  public var blockSize = 512
  public var physicalBlockSize: Int?
  public var backing = Backing.disk
  public var isReadOnly = false
  public var isThin = false
  public var isRemovable = false
  public var isWriteBack = true
  /// O_DIRECT.
  public var isDirect = false
  public var serial: String?
  public var vendor: String?
  public var product: String?
  public var revision: String?
  /// What the simulated disk is like.
  var disk = DiskDescription()

  public static let defaultSize: UInt64 = 64 << 20

  public init() {}
}

/// The `disk = { … }` of a logical unit: the simulated medium.
struct DiskDescription: Sendable {
  var latency: Interval?
  var jitter: Interval?
  /// Bits a second.
  var bandwidth: UInt64?
  var flushLatency: Interval?
  /// The unit that a power cut never tears, in bytes.
  var atomicUnit: Int?
}

/// A `host { … }` table.
struct HostDescription: Sendable {
  var name = ""
  var address: SocketAddress?
  var sendBuffer: UInt64?
  var receiveBuffer: UInt64?
  var nagle = false
  var acknowledgementDelay: Interval?
  /// An initiator works on it although targets do.
  var hasInitiator = false
  /// The `work = { … }` of a host: what the threads of its programs take for their steps, and the kernel for its connections.
  var threadWork = ThreadWork()
  var networkWork = NetworkWork()
}

/// A `link { … }` table: what lies between two hosts, in both directions.
struct LinkDescription: Sendable {
  /// Two host names.
  var between: [String] = []
  var latency: Interval?
  var jitter: Interval?
  /// Bits a second.
  var bandwidth: UInt64?
  var burst: UInt64?
  var mtu: Int?
  var queue: UInt64?
  var loss: Ratio?
  var corruption: Ratio?
  var shortReceive: Ratio?
  /// Into what pieces a stream is cut.
  var segmentation: Segmentation?
}
