/// Names one outstanding operation. The machine that emits an operation chooses its token, and uses a token for one
/// outstanding operation at a time; the ring hands it back unread in the completion.
public struct Token: Hashable, Sendable {
  public var rawValue: UInt64

  @inlinable
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// Names a socket, a listener or a medium that a ring has opened for a machine.
///
/// Opaque to the machine. A ring never hands out the same value twice within 2^32 opens of one slot, so that an
/// operation on a handle that was closed fails with ``RingError/staleHandle`` and never reaches a newer socket.
public struct Handle: Hashable, Sendable {
  public var rawValue: UInt64

  @inlinable
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// No handle.
  public static let none = Handle(.max)
}

/// Names a machine that messages can be posted to; handed to the machines when they are made.
public struct MachineID: Hashable, Sendable {
  public var rawValue: UInt32

  @inlinable
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// What a machine asks of its ring: a small value shaped like an io_uring submission.
///
/// Made by the `Operations` methods, which say what each kind means. Every operation gets exactly one completion.
public struct Operation: Sendable {
  public enum Kind: UInt8, Sendable {
    case accept
    case connect
    case receive
    case send
    case shutdown
    case close
    case describe
    case read
    case write
    case flush
    case discard
    case writeZeroes
    case seek
    case timer
    case cancel
    case post
    case mailbox
    case noDelay
  }

  public var kind: Kind

  /// `write`: the data are on stable media before the completion (FUA).
  public var forceUnitAccess = false

  /// `send`: more will follow at once, so a partial segment may wait (MSG_MORE).
  public var moreToCome = false

  /// `seek`: look for a hole (true) or for data (false).
  public var seekHole = false

  public var token: Token

  /// What it is done to; ``Handle/none`` where that makes no sense.
  public var handle: Handle

  /// Index of the first of its extents in ``Operations/extents``.
  public var firstExtent: UInt32 = 0

  /// The number of its extents.
  public var extentCount: UInt32 = 0

  /// Media: the first byte. `timer`: the deadline in nanoseconds. `cancel`: the token to cancel. `connect`: the index of
  /// the address in ``Operations/addresses``. `post`: the machine.
  public var offset: UInt64 = 0

  /// `discard`, `writeZeroes`: the number of bytes. `noDelay`: 1 for on, 0 for off. `close`: 1 for a reset.
  public var length: UInt64 = 0

  /// A cancel of nothing: what a slot for operations holds before its first use.
  public static let none = Operation(kind: .cancel, token: Token(0), handle: .none)

  @inlinable
  init(kind: Kind, token: Token, handle: Handle) {
    self.kind = kind
    self.token = token
    self.handle = handle
  }
}

/// The outcome of one operation.
public struct Completion: Hashable, Sendable {
  /// The operation's token.
  public var token: Token

  /// What went wrong; ``RingError/none`` when nothing did.
  public var error: RingError

  /// Bytes moved, a handle's raw value, or a position; zero on an error. The `Operations` methods say which.
  public var result: UInt64

  /// `mailbox`: the socket that came with the message; ``Handle/none`` otherwise.
  public var handle: Handle

  @inlinable
  public init(token: Token, error: RingError = .none, result: UInt64 = 0, handle: Handle = .none) {
    self.token = token
    self.error = error
    self.result = result
    self.handle = handle
  }
}

/// Why an operation failed. The same in all rings: a ring maps what its world says onto these.
public enum RingError: UInt8, Error, Sendable {
  /// It did not fail.
  case none
  /// It was cancelled before it took effect.
  case cancelled
  /// `cancel`: no such operation is outstanding.
  case notFound
  /// The handle was closed, or is of the wrong kind for this operation.
  case staleHandle
  /// The peer reset the connection, or it was aborted.
  case connectionReset
  /// Nobody listens there.
  case connectionRefused
  /// The peer did not answer in time.
  case timedOut
  /// There is no route to the peer.
  case unreachable
  /// Sending on a connection whose sending side is shut down or gone.
  case brokenPipe
  /// The address is none of this host, or of a family that it does not have.
  case addressUnavailable
  /// Media: beyond the end; nothing was moved.
  case outOfRange
  /// Media: the medium reported a failure; what was written is indeterminate.
  case mediumError
  /// Media: no room is left for the data.
  case noSpace
  /// Media: may not be written.
  case readOnly
  /// Media: memory and offsets do not meet the alignment of the medium.
  case misaligned
  /// The medium was removed.
  case removed
  /// The world cannot do this (for instance, a file system without holes).
  case unsupported
  /// The process or the kernel ran out of memory, descriptors or slots.
  case noResources
  /// Anything else; the ring has logged what the system said.
  case other
  /// The system does not allow it to this process.
  case notPermitted
  /// The address is taken.
  case addressInUse
}

extension RingError: CustomStringConvertible {
  /// In words, as messages have it.
  public var description: String {
    switch self {
    case .none: "no error"
    case .cancelled: "cancelled"
    case .notFound: "not found"
    case .staleHandle: "stale handle"
    case .connectionReset: "connection reset"
    case .connectionRefused: "connection refused"
    case .timedOut: "timed out"
    case .unreachable: "unreachable"
    case .brokenPipe: "broken pipe"
    case .addressUnavailable: "address unavailable"
    case .outOfRange: "out of range"
    case .mediumError: "medium error"
    case .noSpace: "no space"
    case .readOnly: "read-only"
    case .misaligned: "misaligned"
    case .removed: "removed"
    case .unsupported: "unsupported"
    case .noResources: "no resources"
    case .other: "another error"
    case .notPermitted: "not permitted"
    case .addressInUse: "address in use"
    }
  }

  /// In words, why there is no connection to an address, and what may be done about it.
  public var whyNotConnected: String {
    switch self {
    case .connectionRefused: "nobody listens there; is the target running, and is this its port?"
    case .timedOut: "there is no answer; is the address right, and does no firewall keep it away?"
    case .unreachable: "there is no route to it"
    case .connectionReset: "the connection was reset at once"
    default: "\(self)"
    }
  }
}
