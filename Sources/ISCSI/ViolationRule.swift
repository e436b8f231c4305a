/// The rules of RFC 7143 that are watched, in what a target sends and in what an initiator does. The raw value is the name in
/// reports.
public enum ViolationRule: String, Sendable, CaseIterable {
  // MARK: Form of a PDU, RFC 7143 §11

  /// An opcode that is not a target's.
  case unexpectedOpcode = "unexpected opcode"
  /// §11: reserved bits are zero.
  case reservedBitsSet = "reserved bits set"
  /// Bit 7 of byte 1 is 1 in PDUs that have no F bit.
  case constantBitMissing = "constant bit missing"
  /// No PDU of a target has additional headers.
  case additionalHeaders = "additional headers"
  /// §11.1: padding SHOULD be sent as zero.
  case paddingNotZero = "padding not zero"
  /// §13.12: DataSegmentLength is above what the initiator declared.
  case dataSegmentTooLong = "data segment too long"
  /// A data segment where there may be none, or a missing or malformed one.
  case dataSegmentMalformed = "data segment malformed"
  /// §7.8.
  case headerDigestError = "header digest error"
  case dataDigestError = "data digest error"
  /// The PDU may not come in this phase of the connection.
  case outOfPhase = "out of phase"
  /// A code that the standard does not define.
  case undefinedCode = "undefined code"

  // MARK: Numbering, §4.2.2

  case statSNOutOfOrder = "StatSN out of order"
  /// ExpCmdSN acknowledges a command that was never sent.
  case expCmdSNAhead = "ExpCmdSN ahead"
  /// MaxCmdSN below ExpCmdSN - 1.
  case windowNegative = "window negative"
  /// §4.2.2.1: MaxCmdSN never goes back on one connection.
  case maxCmdSNShrank = "MaxCmdSN shrank"
  /// ExpCmdSN went back on one connection.
  case expCmdSNShrank = "ExpCmdSN shrank"
  /// A response came while ExpCmdSN did not acknowledge its command.
  case responseBeforeAcknowledgement = "response before acknowledgement"

  // MARK: Tasks

  /// No task has this Initiator Task Tag, on this connection.
  case unknownTag = "unknown tag"
  /// The PDU does not answer this kind of request.
  case wrongKindOfResponse = "wrong kind of response"
  case lunMismatch = "LUN mismatch"

  // MARK: Data-In and status, §11.4, §11.7

  case dataSNOutOfOrder = "DataSN out of order"
  case bufferOffsetOutOfOrder = "buffer offset out of order"
  /// Data beyond the expected length, or for a command that does not read.
  case dataBeyondLength = "data beyond length"
  /// A sequence of Data-In is longer than MaxBurstLength.
  case burstTooLong = "burst too long"
  /// The status came in a SCSI Response before a Data-In with F.
  case sequenceNotEnded = "sequence not ended"
  /// S without F.
  case statusWithoutFinal = "status without final"
  /// A status that needs a SCSI Response came in a Data-In.
  case statusInDataIn = "status in Data-In"
  case residualWrong = "residual wrong"
  /// O and U both set.
  case residualFlagsConflict = "residual flags conflict"
  case expDataSNWrong = "ExpDataSN wrong"
  /// The A bit below error recovery level 1.
  case acknowledgeBitSet = "acknowledge bit set"
  case senseMalformed = "sense malformed"

  // MARK: R2T, §11.8

  case r2tUnexpected = "R2T unexpected"
  case r2tSNOutOfOrder = "R2TSN out of order"
  /// Beyond the expected length, or of no length.
  case r2tOutOfBounds = "R2T out of bounds"
  /// More than MaxBurstLength.
  case r2tTooLong = "R2T too long"
  /// More than MaxOutstandingR2T at once.
  case r2tTooMany = "R2T too many"
  case r2tOutOfOrder = "R2T out of order"
  /// The reserved tag where a valid one is due, or the other way round.
  case transferTag = "transfer tag"

  // MARK: Login and text, §6, §11.10 to §11.13

  case loginFieldMismatch = "login field mismatch"
  case loginStage = "login stage"
  case loginDoesNotProgress = "login does not progress"
  case textMalformed = "text malformed"
  case illegalAnswer = "illegal answer"
  case textDoesNotEnd = "text does not end"
  /// §13.9: a leading login of a normal session is told the portal group tag.
  case portalGroupTagMissing = "portal group tag missing"
  case unansweredKey = "unanswered key"
  case unsolicitedAnswer = "unsolicited answer"
  case repeatedKey = "repeated key"
  case authentication = "authentication"

  // MARK: NOP-In, Reject, Asynchronous Message

  case pingEchoWrong = "ping echo wrong"
  case unsolicitedPingMalformed = "unsolicited ping malformed"
  case rejectMalformed = "reject malformed"
  case asyncMalformed = "async malformed"

  /// A PDU after a successful logout of the connection.
  case trafficAfterLogout = "traffic after logout"

  // MARK: What only an initiator can break

  /// A CmdSN beyond MaxCmdSN, §4.2.2.1.
  case outsideWindow = "outside the window"
  /// ExpStatSN goes back, or acknowledges what was never sent, §4.2.2.2.
  case expStatSNWrong = "ExpStatSN wrong"
  /// The Initiator Task Tag of a task that has not ended, or the reserved one, §11.2.1.8.
  case tagInUse = "tag in use"
  /// Data that come unasked though that was not agreed on, or for a command that does not write: §13.10, §13.11.
  case unsolicitedData = "unsolicited data"
  /// More than FirstBurstLength come unasked, §13.14.
  case firstBurstTooLong = "first burst too long"
  /// No R2T asks for it.
  case dataOutUnexpected = "Data-Out unexpected"
  /// F before all came that the R2T asked for, §11.8.
  case sequenceNotFull = "sequence not full"
  /// §11.16: there is none at error recovery level 0.
  case snackNotAgreed = "SNACK not agreed"

  /// The section of RFC 7143 that it stands in.
  public var section: String {
    switch self {
    case .unexpectedOpcode: "11.2.1.2"
    case .reservedBitsSet, .constantBitMissing, .undefinedCode, .wrongKindOfResponse: "11"
    case .additionalHeaders: "11.2.1.5"
    case .paddingNotZero: "11.1"
    case .dataSegmentTooLong: "13.12"
    case .dataSegmentMalformed: "11.2.1.6"
    case .headerDigestError, .dataDigestError: "7.8"
    case .outOfPhase, .loginStage, .loginDoesNotProgress: "6.3"
    case .statSNOutOfOrder: "4.2.2.2"
    case .expCmdSNAhead, .windowNegative, .maxCmdSNShrank, .expCmdSNShrank, .responseBeforeAcknowledgement: "4.2.2.1"
    case .unknownTag: "11.2.1.8"
    case .lunMismatch: "11.2.1.7"
    case .dataSNOutOfOrder: "11.7.5"
    case .bufferOffsetOutOfOrder, .dataBeyondLength: "11.7.6"
    case .burstTooLong, .r2tTooLong: "13.13"
    case .sequenceNotEnded: "11.7.1"
    case .statusWithoutFinal, .statusInDataIn: "11.7.3"
    case .residualWrong: "11.4.5"
    case .residualFlagsConflict: "11.4.1"
    case .expDataSNWrong: "11.4.8"
    case .acknowledgeBitSet: "11.7.2"
    case .senseMalformed: "11.4.7"
    case .r2tUnexpected: "11.8"
    case .r2tSNOutOfOrder: "11.8.2"
    case .r2tOutOfBounds: "11.8.4"
    case .r2tTooMany: "13.17"
    case .r2tOutOfOrder: "13.19"
    case .transferTag: "11.7.4, 11.8.5, 11.11.4"
    case .loginFieldMismatch: "11.13"
    case .textMalformed: "6.1"
    case .illegalAnswer, .textDoesNotEnd, .unansweredKey, .unsolicitedAnswer, .repeatedKey: "6.2"
    case .portalGroupTagMissing: "13.9"
    case .authentication: "12.1"
    case .pingEchoWrong, .unsolicitedPingMalformed: "11.19"
    case .rejectMalformed: "11.17"
    case .asyncMalformed: "11.9"
    case .trafficAfterLogout: "11.15"
    case .outsideWindow: "4.2.2.1"
    case .expStatSNWrong: "4.2.2.2"
    case .tagInUse: "11.2.1.8"
    case .unsolicitedData: "13.10, 13.11"
    case .firstBurstTooLong: "13.14"
    case .dataOutUnexpected, .sequenceNotFull: "11.8"
    case .snackNotAgreed: "11.16"
    }
  }

  /// The standard says SHOULD and not MUST: who does otherwise conforms to it.
  public var isAdvice: Bool { self == .paddingNotZero }
}
