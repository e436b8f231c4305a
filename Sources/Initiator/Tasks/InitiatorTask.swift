import ISCSI
import Ring

/// A request on its way. An object, because what it carries is dear to copy.
final class InitiatorTask {
  let id: TaskID
  /// The connection of its allegiance.
  var connection: ConnectionID
  var tag: UInt32 = 0
  var cmdSN: UInt32 = 0
  var isImmediate: Bool
  var ignoresWindow = false
  var isSent = false
  let requested: Instant
  var sent: Instant?
  let kind: Kind

  /// What was sent first, for a retry.
  var firstPDU: ProtocolDataUnit?

  /// Whether a Data-In or R2T was asked for again, so that numbers may repeat.
  var wasRecovered = false

  init(
    id: TaskID, connection: ConnectionID, isImmediate: Bool, ignoresWindow: Bool, requested: Instant, kind: Kind
  ) {
    self.id = id
    self.connection = connection
    self.isImmediate = isImmediate
    self.ignoresWindow = ignoresWindow
    self.requested = requested
    self.kind = kind
  }

  enum Kind {
    case command(CommandState)
    case text(TextState)
    case taskManagement(TaskManagementRequest)
    case ping(PingRequest)
    case logout(LogoutRequest)

    var command: CommandState? { if case .command(let state) = self { state } else { nil } }
    var text: TextState? { if case .text(let state) = self { state } else { nil } }
    var taskManagement: TaskManagementRequest? { if case .taskManagement(let request) = self { request } else { nil } }
    var ping: PingRequest? { if case .ping(let request) = self { request } else { nil } }
    var logout: LogoutRequest? { if case .logout(let request) = self { request } else { nil } }
  }
}

/// The progress of a SCSI command.
final class CommandState {
  let request: CommandRequest

  /// What went out in the command's header, which a script may have changed.
  var lun: UInt64 = 0
  var isRead = false
  var isWrite = false
  var isBidirectional: Bool { isRead && isWrite }
  /// Bytes of data-in.
  var expectedLength = 0
  /// Bytes of data-out.
  var expectedDataOut = 0

  // MARK: Data-In
  var dataIn: [UInt8] = []
  /// Bytes that came, however they overlap.
  var received = 0
  /// Where the next Data-In starts, when they come in order.
  var nextOffset = 0
  var nextDataSN: UInt32 = 0
  /// Bytes of the current sequence.
  var burstLength = 0

  // MARK: Data-Out
  var sentLength = 0
  var nextR2TSN: UInt32 = 0
  /// Where the last R2T began, and where the next one does, when they come in order.
  var lastR2TOffset = 0
  var nextR2TOffset = 0
  var r2tCount = 0
  /// The R2Ts that are held back, each with its number from 1 on.
  var held: [(number: Int, r2t: ReadyToTransfer)] = []
  /// For each R2T whose data may not have left this side: ``Connection/queuedBytes`` behind them.
  var r2tsOnTheirWay: [UInt64] = []

  init(request: CommandRequest) { self.request = request }

  /// The R2Ts so far are outstanding no more: the target asks anew.
  func forgetR2Ts() {
    held = []
    r2tsOnTheirWay = []
  }
}

/// What was said in a text negotiation that is no task.
struct ScriptedText {
  var tag: UInt32
  var sent: [UInt8] = []
  var received: [UInt8] = []
}

/// The progress of a text negotiation.
final class TextState {
  let request: TextRequest
  /// All bytes, and how many of them were sent.
  let text: [UInt8]
  var sentLength = 0
  var received: [UInt8] = []
  var rounds = 0
  /// F of the last request.
  var saidFinal = false
  var targetTransferTag = reservedTag
  var lun: UInt64 = 0

  init(request: TextRequest, text: [UInt8]) {
    self.request = request
    self.text = text
  }
}
