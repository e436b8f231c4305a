import ISCSI

/// A request that has not been answered yet, and how far it has come.
final class WatchedTask {
  /// That of the request.
  let opcode: Opcode
  let tag: UInt32
  /// The connection of its allegiance.
  let connection: UInt64
  /// Of a text negotiation, that of its last request.
  var cmdSN: UInt32
  var isImmediate: Bool
  /// Which PDU of all began it.
  let order: UInt64
  let lun: UInt64

  /// Initiator and target have both been right so far: else what follows proves nothing.
  var isOrderly = true

  // MARK: Command

  var isRead = false
  var isWrite = false
  var isBidirectional: Bool { isRead && isWrite }
  /// Bytes of data-in, and of data-out.
  var expectedIn = 0
  var expectedOut = 0
  /// Bytes of data-in that have come, and where the next do.
  var received = 0
  var nextOffset = 0
  var nextDataSN: UInt32 = 0
  /// Bytes of the present sequence.
  var burstLength = 0
  /// Bytes of data-out that have come.
  var sent = 0
  var nextR2TSN: UInt32 = 0
  /// The R2Ts whose data have not all come.
  var r2ts: [OutstandingR2T] = []
  /// Where an R2T can begin, when they come in order: behind all that has come unasked, or was asked for.
  var nextR2TOffset = 0
  /// The unsolicited data that follow the command, while they do.
  var unsolicited: DataOutSequence?

  // MARK: Task management and logout

  /// The function, or the reason.
  var code: UInt8 = 0
  var referencedTag: UInt32 = 0
  var connectionID: UInt16 = 0

  // MARK: Text and ping

  /// F of the last Text Request.
  var saidFinal = false
  /// A Text Request has come that has no answer.
  var isAsked = true
  /// What a ping is to bring back, or the text so far of the initiator.
  var text: [UInt8] = []
  /// The text so far of the target.
  var answer: [UInt8] = []

  init(_ opcode: Opcode, _ header: BasicHeader, on connection: UInt64, order: UInt64) {
    self.opcode = opcode
    self.connection = connection
    self.order = order
    (tag, cmdSN, isImmediate, lun) = header.read { ($0.initiatorTaskTag, $0.cmdSN, $0.isImmediate, $0.lun) }
  }
}

/// A run of Data-Out that ends with F.
struct DataOutSequence {
  /// Where the next is to begin, and where the last is to end.
  var offset: Int
  var end: Int
  var nextDataSN: UInt32 = 0
}

/// An R2T that has not been answered in full.
struct OutstandingR2T {
  var tag: UInt32
  /// Where the data begin that it asks for.
  var start: Int
  var data: DataOutSequence
}
