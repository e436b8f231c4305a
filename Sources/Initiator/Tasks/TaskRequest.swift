import ISCSI

/// What can be told of every request that is no SCSI command.
public protocol TaskRequest: Hashable, Sendable {
  var isImmediate: Bool { get set }

  /// Fields of its PDU that differ.
  var overrides: [FieldOverride] { get set }
  var wire: WireOptions { get set }
}

/// A task management function.
public struct TaskManagementRequest: TaskRequest {
  /// See ``TaskManagementFunction``; 7 bits.
  public var function: UInt8
  public var lun: UInt64 = 0

  /// The task meant, of this machine; sets Referenced Task Tag, RefCmdSN and (of TASK REASSIGN) ExpDataSN.
  public var task: TaskID?
  public var isImmediate = true
  public var overrides: [FieldOverride] = []
  public var wire = WireOptions()

  public init(_ function: TaskManagementFunction) { self.function = function.rawValue }
  public init(function: UInt8) { self.function = function }
}

/// A text negotiation, or SendTargets.
public struct TextRequest: TaskRequest {
  public var pairs: [KeyValue] = []

  /// Sent instead of ``pairs``: bytes as they are.
  public var rawText: [UInt8]?
  public var isImmediate = false

  /// Begins even while another negotiation is under way on the connection, which RFC 7143 §11.10 forbids. Otherwise it
  /// waits for the end of that one.
  public var ignoresOthers = false

  /// The longest data segment, instead of the target's MaxRecvDataSegmentLength.
  public var segmentLength: Int?

  /// Fields of the first Text Request that differ.
  public var overrides: [FieldOverride] = []
  public var wire = WireOptions()

  public init(_ pairs: [KeyValue] = []) { self.pairs = pairs }
}

/// A NOP-Out that asks for a NOP-In.
public struct PingRequest: TaskRequest {
  public var data: [UInt8] = []
  public var lun: UInt64 = 0
  public var isImmediate = false
  public var overrides: [FieldOverride] = []
  public var wire = WireOptions()

  public init() {}
}

/// A logout.
public struct LogoutRequest: TaskRequest {
  /// See ``LogoutReason``; 7 bits.
  public var reason: UInt8

  /// The CID to close; that of the connection itself when not set.
  public var connectionID: UInt16?
  public var isImmediate = true
  public var overrides: [FieldOverride] = []
  public var wire = WireOptions()

  public init(_ reason: LogoutReason = .closeSession) { self.reason = reason.rawValue }
  public init(reason: UInt8) { self.reason = reason }
}
