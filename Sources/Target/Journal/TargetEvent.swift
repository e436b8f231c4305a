import ISCSI
import Ring

/// Something that whoever runs a target wants to read of: who has come and gone, and why, what was refused, what has failed.
public struct TargetEvent: Sendable, Equatable {
  /// What has happened.
  public enum Kind: Sendable, Equatable {
    /// A login is complete: a session begins, or goes on through another connection.
    case loggedIn
    /// A login was refused, with the status that the initiator was told.
    case loginRefused(LoginStatus)
    /// A connection has ended, and the session with it if there was one.
    case ended(ConnectionEnd)
    /// A connection was reset as soon as it was accepted.
    case turnedAway(NoRoom)
    /// A medium has failed in what a command asked of it: the command's name, its unit and its first block, and what the ring
    /// says.
    case mediumFailed(command: String, lun: UInt16, lba: UInt64, RingError)
    /// The medium of a unit has ended none of its operations for ``patience``.
    case mediumHangs(lun: UInt16)
    /// A medium that hung has ended one, after so long.
    case mediumAnswers(lun: UInt16, after: Interval)
  }

  /// What there was too little of for another connection.
  public enum NoRoom: Sendable, Equatable {
    /// There are as many connections as there may be.
    case connections
    /// The ring has no descriptor for another.
    case descriptors
    /// There is no memory for its buffers.
    case memory
  }

  /// After so long without a sign of life a medium is said to hang.
  public static let patience = MediumWatch.patience

  public var kind: Kind

  /// The name that the initiator has given; nil as long as it has given none.
  public var initiator: String?

  /// The name of the target that it has asked for, or that the medium belongs to; nil where none was asked for, as for discovery.
  public var target: String?

  /// Where the initiator is; nil where it is not known, and of media.
  public var remoteAddress: SocketAddress?

  /// Where it has come in; likewise.
  public var localAddress: SocketAddress?

  public init(_ kind: Kind) { self.kind = kind }
}

/// Why a connection has ended.
public enum ConnectionEnd: Sendable, Equatable {
  /// The initiator has logged out.
  case logout
  /// The initiator has closed it without a word.
  case closedByInitiator
  /// The ring says that it is broken.
  case broken(RingError)
  /// The same initiator port has logged in once more (RFC 7143 §6.3.4, §6.3.5).
  case replaced
  /// A logical unit's initiator has asked for TARGET COLD RESET.
  case targetReset
  /// The login has taken longer than ``TargetLimits/loginTimeout``.
  case loginTimedOut
  /// What came first is no Login Request. Its first bytes, at most ``shownMax``.
  case noLogin([UInt8])
  /// There were too many that had not logged in, or too many at all, and this was the oldest.
  case madeRoom
  /// A ping had no answer in ``TargetLimits/pingTimeout``.
  case silent
  /// It has taken nothing of what was sent to it for as long.
  case stuck
  /// It has not sent data that it had announced, or was asked for, for as long.
  case withheldData
  /// A header does not match its digest (RFC 7143 §7.8).
  case headerDigest
  /// A PDU of that opcode breaks the protocol.
  case protocolError(opcode: UInt8)
  /// More PDUs came ahead of their turn than are kept.
  case tooFarAhead
  /// There was no memory to go on with it.
  case noMemory
  /// The machine that serves the target took no more connections.
  case unserved

  /// The bytes of ``noLogin(_:)``.
  public static let shownMax = 32
}

/// A session as it is now.
public struct SessionSummary: Sendable, Equatable {
  public var initiator: String
  /// Nil for a discovery session without one.
  public var target: String?
  public var isDiscovery: Bool
  /// Nil while it has no connection.
  public var remoteAddress: SocketAddress?
  public var localAddress: SocketAddress?
  /// Its commands that have not been answered, or whose answers are not all sent.
  public var tasks: Int
}
