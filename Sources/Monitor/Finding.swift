import ISCSI
import Ring

/// One end of a connection.
public enum Side: UInt8, Sendable, CaseIterable {
  case initiator
  case target

  var other: Side { self == .initiator ? .target : .initiator }
}

/// A rule that one end of a connection has broken.
public struct Finding: Equatable, Sendable {
  public var rule: ViolationRule

  /// Who has broken it.
  public var side: Side

  /// The connection, as the monitor was told of it.
  public var connection: UInt64
  public var time: Instant

  /// What was expected and what came.
  public var detail: String

  /// The header of the PDU at fault, where there is one.
  public var header: BasicHeader?
}
