/// Reason of a Reject, RFC 7143 §11.17.1.
public enum RejectReason: UInt8, Sendable, CaseIterable {
  /// The original PDU may be sent again.
  case dataDigestError = 0x02
  case snackReject = 0x03
  case protocolError = 0x04
  case commandNotSupported = 0x05
  case immediateCommandReject = 0x06
  case taskInProgress = 0x07
  case invalidDataAck = 0x08
  case invalidPDUField = 0x09
  case longOperationReject = 0x0A
  /// Of RFC 3720; RFC 7143 does not use it any more.
  case negotiationReset = 0x0B
  case waitingForLogout = 0x0C

  /// What it is called in scenarios and messages.
  public var name: String {
    switch self {
    case .dataDigestError: "data digest error"
    case .snackReject: "snack reject"
    case .protocolError: "protocol error"
    case .commandNotSupported: "command not supported"
    case .immediateCommandReject: "immediate command reject"
    case .taskInProgress: "task in progress"
    case .invalidDataAck: "invalid data ack"
    case .invalidPDUField: "invalid pdu field"
    case .longOperationReject: "long operation reject"
    case .negotiationReset: "negotiation reset"
    case .waitingForLogout: "waiting for logout"
    }
  }

  /// A reason as messages tell it, known or not: `0x05, command not supported`.
  public static func words(_ reason: UInt8) -> String {
    let number = "0x" + (reason < 16 ? "0" : "") + String(reason, radix: 16)
    return number + (RejectReason(rawValue: reason).map { ", \($0.name)" } ?? "")
  }
}
