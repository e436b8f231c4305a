import ISCSI
import Ring

/// Something that happened to an initiator; taken with ``InitiatorMachine/takeEvents()``, in order.
public struct InitiatorEvent: Sendable {
  /// When, by the ring's clock.
  public var time: Instant
  public var connection: ConnectionID
  public var kind: Kind

  /// What has happened.
  public enum Kind: Sendable {
    /// The TCP connection stands.
    case connected

    /// There will be no TCP connection.
    case connectFailed(RingError)

    /// A PDU was queued for sending, as it will appear on the wire.
    case pduSent(ProtocolDataUnit)

    /// A PDU arrived, whatever it is; told before what it leads to.
    case pduReceived(FramedPDU)

    /// A login that ``InitiatorMachine/login(_:on:)`` drove has ended, well or not.
    case loginEnded(LoginResult)

    /// The connection entered the full feature phase: after a driven login (then told before `loginEnded`), or after one
    /// that the script sent by itself.
    case fullFeaturePhase(NegotiatedParameters)

    /// A task ended, one way or the other.
    case taskEnded(TaskResult)

    /// An R2T arrived for a task whose Data-Out are held back.
    case readyToTransferHeld(TaskID, ReadyToTransfer)

    /// An Asynchronous Message.
    case asyncMessage(ProtocolDataUnit)

    /// A Reject; that of a task's request is told as that task's end as well.
    case rejected(reason: UInt8, rejected: BasicHeader?)

    /// The connection is gone. Told once, after the end of all of its tasks; what is begun behind the end of the stream
    /// ends when this side closes.
    case closed(CloseReason)

    /// The target broke a rule.
    case violation(Violation)

    /// A digest does not match: the target's fault, or that of the way. What it leads to is told behind it.
    case digestError(Violation)
  }
}

/// Why a connection is gone.
public enum CloseReason: Hashable, Sendable {
  /// This side closed it: the script, or the machine after a logout or an error.
  case local
  /// The target shut down its sending side.
  case endOfStream
  /// The target reset it.
  case reset
  /// Another error of the transport.
  case failed(RingError)
  /// A header digest error, or lengths that cannot be: what follows in the stream has no meaning.
  case framingLost
}
