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
}
