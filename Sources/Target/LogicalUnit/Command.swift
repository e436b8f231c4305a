import Ring

/// The device server's view of one task: what the initiator asked, where the data are, and how it ended.
///
/// It lives in a slot of the target's task table for as long as the task lives, and is handed to the logical unit by
/// reference at each event. It knows nothing of iSCSI.
struct Command {
  /// The longest CDB that is taken over whole; a longer one is refused before it gets here.
  static let cdbLengthMax = 32

  /// The longest sense data that is returned (SPC-4 §4.5.1 allows 252).
  static let senseLengthMax = 64

  /// The slot's index in the task table; what the logical unit calls the task.
  var task: TaskIndex = 0

  /// The slot's use count, part of the tokens of its medium operations.
  var generation: UInt32 = 0

  /// The I_T nexus that it came through.
  var nexus: NexusIndex = 0

  /// SAM-5 §8.6.
  var attribute: TaskAttribute = .simple

  /// The CDB, padded with zeroes.
  var cdb = InlineArray<32, UInt8>(repeating: 0)

  /// The bytes of the CDB that were sent: 16, or more with an extended CDB.
  var cdbLength = 16

  /// How many bytes the initiator expects to send (0 when it sends none).
  var expectedDataOut = 0

  /// How many bytes the initiator expects to receive (0 when it receives none).
  var expectedDataIn = 0

  /// The buffer that belongs to this task; given back by the target when the task ends. Empty when it has none.
  var buffer = Extent.empty

  /// After `.wantsData`: the bytes of data-out that arrived in `buffer`.
  var dataOutLength = 0

  /// What goes back to the initiator: the whole length that the command would transfer, before it is cut to what the
  /// initiator expects. Within `buffer`, or `loan`, or shared memory that nobody writes (the zeroes of a null device).
  var dataIn = Extent.empty

  /// Blocks that the logical unit has lent, to be sent from where they lie; given back by the target when the task ends.
  /// Empty when it has none.
  var loan = Extent.empty

  /// SAM-5 §5.3.
  var status: UInt8 = 0

  /// Sense data of a CHECK CONDITION.
  var sense = InlineArray<64, UInt8>(repeating: 0)
  var senseLength = 0

  /// The logical unit has it in its task set.
  var isInTaskSet = false

  /// Set when the task was aborted while the medium worked: the device server does not go on with it.
  var isAborted = false

  /// The bytes of memory that it had then.
  var abortedLength = 0

  // MARK: Scratch of the command's own state machine

  /// Which step the command is at; each command family numbers its own.
  var phase: UInt8 = 0
  /// A ``phase`` of any command that takes data-out: it has asked for them, and goes on with them when it is submitted again.
  /// The phases that a command has for itself begin at 2.
  static var gathering: UInt8 { 1 }
  /// A ``phase`` of commands that have ended: their CHECK CONDITION says that a flush failed.
  static var tellsFlushFailure: UInt8 { .max }
  /// A ``phase`` of any command that reads: something in the range cannot be read. What?
  static var locating: UInt8 { .max - 1 }
  var lba: UInt64 = 0
  var blockCount: UInt64 = 0
  /// Bytes done, of a command that works in pieces.
  var progress = 0
  /// Anything else that a command family has to remember.
  var scratch: UInt64 = 0
  /// How many flushes of its unit had failed when its own began.
  var failedFlushes: UInt64 = 0
  /// A second buffer, of a command that holds what it received against what it reads. The logical unit allocates it and
  /// gives it back itself: it is empty whenever the command is not pending.
  var auxiliary = Extent.empty

  /// Makes it ready for another command in the same slot.
  @inline(__always)
  mutating func renew() {
    generation &+= 1
    if cdbLength != 16 {
      cdbLength = 16
      for index in 16..<Self.cdbLengthMax { cdb[index] = 0 }
    }
    buffer = .empty
    dataOutLength = 0
    dataIn = .empty
    loan = .empty
    status = 0
    senseLength = 0
    isInTaskSet = false
    isAborted = false
    phase = 0
    lba = 0
    blockCount = 0
    progress = 0
    scratch = 0
  }
}

/// A task's slot in the task table.
typealias TaskIndex = UInt32

/// An I_T nexus, numbered densely while it exists.
typealias NexusIndex = UInt32

/// SAM-5 §8.6; the values are those of RFC 7143 §11.3.1.
enum TaskAttribute: UInt8, Sendable {
  case untagged = 0
  case simple = 1
  case ordered = 2
  case headOfQueue = 3
  case aca = 4

  /// The attribute of a command's ATTR field; nil for a reserved one. Written out: the compiler's own is a call.
  @inline(__always)
  init?(rawValue: UInt8) {
    switch rawValue {
    case 0: self = .untagged
    case 1: self = .simple
    case 2: self = .ordered
    case 3: self = .headOfQueue
    case 4: self = .aca
    default: return nil
    }
  }
}

/// What a command waits for, once the device server has dealt with an event of it.
enum Disposition: Equatable {
  /// It has ended: `status`, `sense` and `dataIn` of the command say how.
  case finished

  /// It needs so many bytes of data-out. The target allocates `buffer`, gathers as many of them as the initiator sends,
  /// and resumes it with ``CommandEvent/dataArrived``.
  case wantsData(Int)

  /// It has emitted one operation with ``Context/mediumToken(_:)``, on the medium or a timer, and is resumed when that completes.
  case pending

  /// It must wait for other tasks. The logical unit lists it in `takeReady()` when it may be submitted again.
  case blocked

  /// There is no memory for it now. The target submits it again when memory has been given back.
  case starved
}

/// Why a command is resumed.
enum CommandEvent {
  /// `dataOutLength` bytes of the data-out that it wanted are in `buffer`.
  case dataArrived

  /// Its medium operation completed.
  case medium(RingError, UInt64)
}
