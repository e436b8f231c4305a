import ISCSI

/// A rule that the target broke and the initiator noticed in passing.
public struct Violation: Equatable, Sendable {
  public var rule: ViolationRule
  public var connection: ConnectionID

  /// What was expected and what came.
  public var detail: String

  /// The PDU at fault, where one is.
  public var pdu: ProtocolDataUnit?
}
