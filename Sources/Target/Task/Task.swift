import ISCSI
import Ring

/// A task slot: the device server's ``Command``, and what iSCSI has to remember about it.
struct Task {
  /// Where a task is in its life.
  enum Phase: UInt8 {
    /// The slot is not in use.
    case free
    /// It arrived ahead of its turn (RFC 7143 §4.2.2.1) and waits for the CmdSNs before it.
    case held
    /// The device server has it, or it waits for other tasks.
    case active
    /// It waits until its session holds less memory: until the initiator has taken more of what is queued for it, or others of
    /// its tasks have ended.
    case throttled
    /// It waits for memory.
    case starved
    /// It waits for data-out.
    case gathering
    /// The device server is done, and the rest of the unsolicited data is awaited before the response goes out.
    case swallowing
    /// The response is queued; the slot goes when the last byte of its data-in has been sent.
    case responding
    /// It was aborted or lost its connection, and waits for whoever still uses its memory.
    case ending
  }

  var phase = Phase.free

  /// The device server's side of it.
  var command = Command()

  /// The connection that it came through; responses go out there. The slot may have another connection by now, of another
  /// session.
  var connection: UnsafeMutablePointer<Connection>
  /// Its session, which is there until the task is answered; then the slot may have another.
  var session: UnsafeMutablePointer<Session>

  /// The logical unit, from when it is handed to one; nil if it is to meet none. It needs no session to be found: its
  /// answer may be on its way when the session is over.
  var unit: UncountedUnit?

  /// The LUN field as received.
  var lunField: UInt64 = 0

  var initiatorTaskTag: UInt32 = 0
  var cmdSN: UInt32 = 0
  var isImmediate = false

  /// The W bit with an expected data transfer length, and the R bit likewise.
  var expectedLength: UInt32 = 0
  var isWrite = false
  var isRead = false

  // MARK: Data-out

  /// The bytes of data-out that the target gathers: what the device server wants, cut to what the initiator sends.
  var wanted = 0

  /// The memory of unsolicited data that came before the device server wanted them; it becomes the command's buffer if it
  /// is large enough.
  var gathered = Extent.empty

  /// Its immediate data lie in the receive buffer still, ``TargetCore/lent``, and not in its own memory.
  var isLent = false

  /// Contiguous bytes received.
  var received = 0

  /// Unsolicited data (RFC 7143 §4.2.4.2): more Data-Out without R2T will come.
  var unsolicitedOpen = false

  /// Where unsolicited data ends at the latest: the first burst, or the expected length.
  var unsolicitedLimit = 0

  /// Where the data of the sequence that is coming start.
  var burstStart = 0

  /// Where solicited data starts: the end of the unsolicited data.
  var solicitedStart = 0

  /// Where the data asked for by R2T ends.
  var requestedEnd = 0

  /// The R2TSN of the next R2T.
  var nextR2TSN: UInt32 = 0

  /// R2Ts sent whose data have not all come.
  var outstandingR2Ts: UInt32 = 0

  /// The DataSN expected next in the current sequence.
  var nextDataSN: UInt32 = 0

  /// Data-out that was lost or damaged: the command ends with this sense when no more data can come.
  var dataError: DataError = .none

  /// The bytes that the device server wants, while there is no memory for them; 0 otherwise.
  var starvedLength = 0

  /// The data-out that the command would transfer, as the device server says; for the residual count.
  var deviceLength = 0

  // MARK: Data-in and the end

  /// Who may still use the task's memory.
  struct Users: OptionSet {
    let rawValue: UInt8
    /// The connection, which receives bytes straight into it.
    static let receiver = Users(rawValue: 1 << 0)
    /// Queued data, which lie there until they are sent.
    static let sender = Users(rawValue: 1 << 1)
    /// The device server has an operation on the medium outstanding.
    static let medium = Users(rawValue: 1 << 2)
  }

  var users: Users = []

  /// Counts the tasks that were aborted while the medium worked on them, up to this one.
  var abortSerial: UInt64 = 0

  /// It is in the books of its session: its list of tasks, its tags, and its command window.
  var isListed = false

  /// It has been answered, and its session does not wait for it any more.
  var isAnswered = false

  /// What its session's ``Session/taskBytes`` or ``Session/waitingBytes`` count of it; nothing while it is not in the books.
  var countedBytes = 0

  /// The next task in a list: free slots, starved tasks.
  var next: Int32 = -1

  /// The neighbours in the session's list of tasks.
  var nextInSession: Int32 = -1
  var previousInSession: Int32 = -1

  init(of session: UnsafeMutablePointer<Session>, from connection: UnsafeMutablePointer<Connection>) {
    self.session = session
    self.connection = connection
  }
}

extension Task {
  /// Makes a used slot new: everything that a new task does not set itself. The bytes of CDB and sense data are written
  /// before they are read, but for what lies behind a short CDB.
  @inline(__always)
  fileprivate mutating func renew() {
    command.renew()
    unit = nil
    dataError = .none
    wanted = 0
    gathered = .empty
    isLent = false
    received = 0
    unsolicitedOpen = false
    unsolicitedLimit = 0
    burstStart = 0
    solicitedStart = 0
    requestedEnd = 0
    nextR2TSN = 0
    outstandingR2Ts = 0
    nextDataSN = 0
    starvedLength = 0
    deviceLength = 0
    users = []
    isListed = false
    isAnswered = false
  }
}

/// What went wrong with data-out; the sense data follow RFC 7143 §11.4.7.2.
enum DataError: UInt8 {
  case none
  /// Unexpected unsolicited data: ABORTED COMMAND 0C/0C.
  case unexpectedUnsolicited
  /// Incorrect amount of data: ABORTED COMMAND 0C/0D.
  case incorrectAmount
  /// A digest error, or a lost Data-Out PDU: ABORTED COMMAND 47/05.
  case serviceCRC
  /// There was no memory for immediate data: BUSY status.
  case noMemory
}

/// All task slots, named by index, with a list of the free ones.
struct TaskTable: ~Copyable {
  let slots: UnsafeMutablePointer<Task>
  let capacity: Int

  /// Slots that were ever used; the ones above are not initialised yet.
  private var touched = 0
  private var freeHead: Int32 = -1

  /// Slots in use.
  private(set) var inUse = 0

  init(capacity: Int) {
    self.capacity = capacity
    slots = .allocate(capacity: capacity)
  }

  deinit {
    slots.deinitialize(count: touched)
    slots.deallocate()
  }

  /// Takes a slot, made new but for its generation, for a task of a session; nil when all are in use, or the session has
  /// more than are left: one that takes what it gets has half of them, two have a third each, and there are some for the next.
  @inline(__always)
  mutating func take(
    for session: UnsafeMutablePointer<Session>, from connection: UnsafeMutablePointer<Connection>
  ) -> UnsafeMutablePointer<Task>? {
    guard session.pointee.taskCount <= capacity - inUse else { return nil }
    let slot: UnsafeMutablePointer<Task>
    if freeHead >= 0 {
      slot = slots + Int(freeHead)
      freeHead = slot.pointee.next
      slot.pointee.renew()
      slot.pointee.session = session
      slot.pointee.connection = connection
    } else {
      guard touched < capacity else { return nil }
      slot = slots + touched
      slot.initialize(to: Task(of: session, from: connection))
      slot.pointee.command.task = TaskIndex(touched)
      touched += 1
    }
    inUse += 1
    session.pointee.taskCount += 1
    return slot
  }

  /// Gives a slot back. Its session still counts it.
  mutating func give(_ slot: UnsafeMutablePointer<Task>) {
    slot.pointee.phase = .free
    slot.pointee.next = freeHead
    freeHead = Int32(slot.pointee.command.task)
    inUse -= 1
  }

  /// The slot of that index, if it was ever used.
  subscript(_ index: UInt32) -> UnsafeMutablePointer<Task>? {
    Int(index) < touched ? slots + Int(index) : nil
  }
}
