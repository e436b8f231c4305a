import ISCSI
import Ring

/// A logical unit to put a load on.
public struct LoadTarget: Sendable {
  /// The portal.
  public var address: SocketAddress
  /// The target's iSCSI name.
  public var name: String
  /// The LUN field (SAM-5 §4.7), the first byte highest.
  public var lun: UInt64

  public init(address: SocketAddress, name: String, lun: UInt64) {
    self.address = address
    self.name = name
    self.lun = lun
  }
}

/// What a load consists of.
public struct LoadConfiguration: Sendable {
  /// In which order the units of ``length`` bytes are taken.
  public enum Order: Sendable { case random, sequential }

  /// Where the sessions go: in turn to each of them.
  public var targets: [LoadTarget]
  /// Sessions, of one connection each.
  public var sessions = 1
  /// Commands outstanding in each session.
  public var depth = 32
  /// Bytes of a command, a multiple of the block length.
  public var length = 4096
  public var order = Order.random
  /// How many of a hundred commands are reads; the others are writes.
  public var readPercent = 100
  /// The bytes from the start of the unit that are used; nil for all.
  public var range: UInt64?
  /// CRC32C digests that are asked for; a target that does not agree fails the run.
  public var headerDigest = false
  public var dataDigest = false
  /// What the targets want of everybody, with a challenge if they are to authenticate themselves; nil for nothing.
  public var credentials: CHAPCredentials?
  /// Commands a second of all sessions together, by a fixed schedule; nil for as many as the depth allows.
  public var rate: UInt64?
  /// How long the load is on before it is measured, and how long it is measured.
  public var warmUp = Interval.milliseconds(500)
  public var duration = Interval.seconds(4)
  /// How long the sessions may take to be ready, and the last commands to end.
  public var patience = Interval.seconds(20)
  /// Where the random numbers start.
  public var seed: UInt64 = 1
  /// The initiator's name; each session has an ISID of its own.
  public var initiatorName = "iqn.2026-11.example:load"

  public init(targets: [LoadTarget]) { self.targets = targets }

  /// The most sessions, commands outstanding in one, and bytes of a command.
  public static let sessionsMax = 4096
  public static let depthMax = 4096
  public static let lengthMax = 16 << 20
}
