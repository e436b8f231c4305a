import Ring
import SimClock
import SimNet
import SimRing
import Target

/// The world that a scenario wants, or that `simsan serve` deploys.
public struct WorldDescription: Sendable {
  public var targets: [TargetDescription] = []
  public var hosts: [HostDescription] = []
  public var links: [LinkDescription] = []

  public init() {}

  /// The names of all hosts that it mentions, targets first, in the order in which they are mentioned.
  public var hostNames: [String] {
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
  public var keys = KeyDescription()
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
public struct KeyDescription: Sendable {
  public var maxRecvDataSegmentLength: UInt32?
  public var maxBurstLength: UInt32?
  public var firstBurstLength: UInt32?
  public var maxOutstandingR2T: UInt32?
  public var initialR2T: Bool?
  public var immediateData: Bool?
  /// False: only None is agreed to.
  public var crc32c: Bool?

  public init() {}
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
  public var disk = DiskDescription()

  public static let defaultSize: UInt64 = 64 << 20

  public init() {}
}

/// The `disk = { … }` of a logical unit: the simulated medium.
public struct DiskDescription: Sendable {
  public var latency: Interval?
  public var jitter: Interval?
  /// Bits a second.
  public var bandwidth: UInt64?
  public var flushLatency: Interval?
  /// The unit that a power cut never tears, in bytes.
  public var atomicUnit: Int?

  public init() {}
}

/// A `host { … }` table.
public struct HostDescription: Sendable {
  public var name = ""
  public var address: SocketAddress?
  public var sendBuffer: UInt64?
  public var receiveBuffer: UInt64?
  public var nagle = false
  public var acknowledgementDelay: Interval?
  /// An initiator works on it although targets do.
  public var hasInitiator = false
  /// The `work = { … }` of a host: what the threads of its programs take for their steps, and the kernel for its connections.
  public var threadWork = ThreadWork()
  public var networkWork = NetworkWork()

  public init() {}
}

/// A `link { … }` table: what lies between two hosts, in both directions.
public struct LinkDescription: Sendable {
  /// Two host names.
  public var between: [String] = []
  public var latency: Interval?
  public var jitter: Interval?
  /// Bits a second.
  public var bandwidth: UInt64?
  public var burst: UInt64?
  public var mtu: Int?
  public var queue: UInt64?
  public var loss: Ratio?
  public var corruption: Ratio?
  public var shortReceive: Ratio?
  /// Into what pieces a stream is cut.
  public var segmentation: Segmentation?

  public init() {}
}
