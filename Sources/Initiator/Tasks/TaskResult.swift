import ISCSI
import Ring

/// How a task ended.
public struct TaskResult: Sendable {
  public var task: TaskID
  public var session: SessionID
  public var initiatorTaskTag: UInt32

  /// The task's CmdSN; not counted on by an immediate one.
  public var cmdSN: UInt32

  /// When the script asked for it; when it was sent (nil: never); when it ended.
  public var requested: Instant
  public var sent: Instant?
  public var ended: Instant
  public var outcome: Outcome

  /// How a task can end.
  public enum Outcome: Sendable {
    case command(CommandOutcome)
    /// The response code; see ``TaskManagementResponse``.
    case taskManagement(response: UInt8)
    /// The text that came back, of all PDUs together.
    case text(bytes: [UInt8], pairs: [KeyValue])
    case ping(data: [UInt8])
    /// The response code, see ``LogoutResponse``, and times in seconds.
    case logout(response: UInt8, time2Wait: UInt16, time2Retain: UInt16)
    /// The target rejected the request.
    case rejected(reason: UInt8)
    /// A task management function ended it.
    case aborted(by: TaskID)
    /// Its connection was lost, or its session ended.
    case connectionLost
  }
}

/// The status of a SCSI command and what came with it.
public struct CommandOutcome: Sendable {
  /// See ``SCSIResponseCode``; 0 when the status came in a Data-In.
  public var response: UInt8 = 0

  /// SAM-5 §5.3.
  public var status: UInt8 = 0
  public var sense: [UInt8] = []

  /// What follows the sense data in the data segment of the response.
  public var responseData: [UInt8] = []

  /// What was read: as far as the data reach, at most the expected length.
  public var dataIn: [UInt8] = []

  /// Bytes of data-out that were sent.
  public var dataOutLength = 0
  public var isOverflow = false
  public var isUnderflow = false
  public var residualCount: UInt32 = 0
  public var isBidirectionalOverflow = false
  public var isBidirectionalUnderflow = false
  public var bidirectionalReadResidualCount: UInt32 = 0

  /// The status came in a Data-In.
  public var statusCameWithData = false

  public init() {}
}
