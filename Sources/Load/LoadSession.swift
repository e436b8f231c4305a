import ISCSI
import Ring
import SCSI

/// One session of a load, of one connection. Its parts: login and setting up (+Login), what comes in (+Receive), commands
/// and what goes out (+Send).
final class LoadSession {
  enum Phase {
    case connecting
    case login
    /// TEST UNIT READY, until it is: unit attentions are taken.
    case testing
    /// READ CAPACITY(16).
    case sizing
    case ready
    /// The Logout Request is out.
    case loggingOut
    case ended
  }

  /// Whether it has still to get ready for commands.
  var isPending: Bool {
    switch phase {
    case .connecting, .login, .testing, .sizing: true
    case .ready, .loggingOut, .ended: false
    }
  }

  /// The longest data segment, either way, in bytes.
  static let segmentMax = 256 << 10

  let index: Int
  let target: LoadTarget
  let configuration: LoadConfiguration
  var phase = Phase.connecting
  var socket = Handle.none
  var isDirty = false
  private(set) var isClosing = false
  private var hasCloseOperation = false
  /// The machine has been told that it is over.
  private var hasEnded = false

  // MARK: Numbers

  var cmdSN: UInt32 = 1
  var maxCmdSN: UInt32 = 1
  var expStatSN: UInt32 = 0
  var loginStage = LoginStage.securityNegotiation
  var loginRounds = 0
  var tests = 0
  /// The operational keys have been sent.
  var hasOffered = false
  /// Nil where nobody authenticates itself.
  var authentication: CHAPExchange?

  // MARK: What was negotiated

  var headerDigest = false
  var dataDigest = false
  /// Digests are used from the end of the login on (RFC 7143 §6.2).
  var usesDigests = false
  /// The longest data segment that the target takes.
  var sendSegmentMax = 8192
  var firstBurstLength = 65536
  var immediateData = true
  var initialR2T = true

  // MARK: The unit

  var blockShift: UInt64 = 9
  /// How many units of the command's length the range has.
  var units: UInt64 = 0
  private var random: UInt64
  var nextUnit: UInt64 = 0

  // MARK: Commands, by tag

  var started: [Instant]
  var isActive: [Bool]
  var isReading: [Bool]
  var received: [Int]
  var freeTags: [UInt32]
  var outstanding: Int { configuration.depth - freeTags.count }

  // MARK: Receiving

  let waitingRoom: Extent
  /// The waiting room or, while much comes, a large one.
  var buffer: Extent
  /// The waiting room was filled: the commands that follow wait for the rest, to leave with those that follow from that.
  var hasMoreToReceive = false
  var start = 0
  var end = 0
  var isReceiving = false
  /// The data-in that are being thrown away as they come; nil when there are none.
  var skipping: Skipping?

  struct Skipping {
    /// The PDU's header, which counts when all is there.
    var header: BasicHeader
    /// Bytes of the data segment, and its padding, that are still to come.
    var left: Int
    /// The digest of those that have come; nil where none is used.
    var digest: UInt32?
  }

  // MARK: Sending

  let staging: (Extent, Extent)
  /// Which of the two is being filled; the other one may be on its way.
  var fillsSecond = false
  var staged = 0
  var filled: [Extent] = []
  var onItsWay: [Extent] = []
  var isSending = false
  var dataOut = DataOut()

  /// Data-Out PDUs that are being put together.
  struct DataOut {
    var tag: UInt32 = 0
    var transferTag: UInt32 = 0
    var offset = 0
    /// Where the sequence ends; nothing is left when ``offset`` is there.
    var end = 0
    var dataSN: UInt32 = 0
    var isActive: Bool { offset < end }
  }

  init(
    index: Int, target: LoadTarget, configuration: LoadConfiguration, receive: Extent, staging: (Extent, Extent)
  ) {
    self.index = index
    self.target = target
    self.configuration = configuration
    waitingRoom = receive
    buffer = receive
    self.staging = staging
    started = Array(repeating: .zero, count: configuration.depth)
    isActive = Array(repeating: false, count: configuration.depth)
    isReading = Array(repeating: false, count: configuration.depth)
    received = Array(repeating: 0, count: configuration.depth)
    freeTags = (0..<UInt32(configuration.depth)).reversed()
    if var credentials = configuration.credentials {
      // A challenge is of one login alone (RFC 1994 §2.3).
      if !credentials.challenge.isEmpty { credentials.challenge.append64(UInt64(index)) }
      authentication = CHAPExchange(credentials)
    }
    // Any odd factor spreads the sessions over the sequence; zero is the one state that xorshift never leaves.
    random = (configuration.seed &+ UInt64(index) &+ 1) &* 0x9E37_79B9_7F4A_7C15 | 1
  }

  /// The next of a sequence of random numbers (xorshift64).
  func nextRandom() -> UInt64 {
    random ^= random << 13
    random ^= random >> 7
    random ^= random << 17
    return random
  }

  // MARK: Its life

  func connected(_ completion: Completion, _ machine: LoadMachine) {
    guard completion.error == .none else {
      return fail("cannot connect to \(target.address): \(completion.error.whyNotConnected)", machine)
    }
    socket = Handle(completion.result)
    if phase == .ended {
      // It was given up meanwhile.
      isClosing = true
      return
    }
    phase = .login
    sendLogin(machine)
  }

  /// Does what is to be done in this step: new commands, one send, one receive.
  func goOn(_ machine: LoadMachine, _ operations: inout Operations) {
    guard !isClosing else {
      if !hasCloseOperation, socket != .none {
        hasCloseOperation = true
        operations.close(socket, token: machine.token(.close, index))
      }
      return
    }
    guard phase != .ended, phase != .connecting else { return }
    goOnSending(machine)
    // When nothing is outstanding there is no rest that would come.
    if phase == .ready, machine.isOpen, !hasMoreToReceive || outstanding == 0 {
      while issue(machine, at: machine.now) {}
    }
    if phase == .ready, machine.isOver, outstanding == 0, !dataOut.isActive { sendLogout(machine) }
    startSending(machine, &operations)
    startReceiving(machine, &operations)
  }

  /// Ends the session before its time.
  func fail(_ why: String, _ machine: LoadMachine) {
    guard phase != .ended else { return }
    machine.note("session \(index) (\(target.name)) \(why)")
    machine.lost(self)
    leave(machine)
  }

  /// It is over, in good order or not: the socket is closed.
  func leave(_ machine: LoadMachine) {
    guard phase != .ended else { return }
    phase = .ended
    for tag in isActive.indices where isActive[tag] { machine.commandLost(since: started[tag]) }
    if socket == .none {
      closed(machine)
    } else {
      isClosing = true
      machine.touch(self)
    }
  }

  /// It has no socket. A connection that comes about after it was given up is closed, too: that is the second time.
  func closed(_ machine: LoadMachine) {
    if !hasEnded { machine.sessionEnded() }
    hasEnded = true
  }
}
