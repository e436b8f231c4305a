import ISCSI
import Ring

/// One TCP connection: its socket, what has been received and not yet understood, and what waits to be sent.
struct Connection: ~Copyable {
  /// Where a connection is in its life.
  enum Phase: UInt8 {
    /// The slot is not in use.
    case free
    /// Accepted; its addresses are being asked for.
    case accepted
    /// Login phase (RFC 7143 §6.3).
    case login
    /// Its login is complete but for the end of the session that it replaces (RFC 7143 §6.3.5).
    case reinstating
    /// Its login has named a node of another machine. Its buffer holds the message that goes there with it, when what it
    /// has to send has been sent.
    case leaving
    /// Full-feature phase.
    case fullFeature
    /// The last response has been queued; what still comes in is thrown away until the initiator closes.
    case draining
    /// The socket is being closed; the slot goes when the ring has completed everything.
    case closing
  }

  var phase = Phase.free
  var index: UInt32 = 0
  /// The slot's use count, part of its tokens.
  var generation: UInt32 = 0
  var socket = Handle.none
  /// Index of the portal that it was accepted on.
  var portal = 0
  var localAddress = SocketAddress(0, 0, 0, 0, port: 0)
  var remoteAddress = SocketAddress(0, 0, 0, 0, port: 0)
  /// Counts accepts: which of two is older.
  var order: UInt64 = 0
  /// Nil before there is one.
  var session: UnsafeMutablePointer<Session>?
  /// CID (RFC 7143 §11.12.7).
  var connectionID: UInt16 = 0

  // MARK: Outstanding operations

  var isReceiving = false
  /// The room of the receive outstanding, in bytes.
  var receiveRoom = 0
  /// The receive before it was filled to its last byte. Whether the socket is empty shows by whether this one waits.
  var isLooking = false
  /// The timer that tells is on its way.
  var hasLookTimer = false
  var isSending = false
  var isDescribing = false
  var isClosing = false
  var isPosting = false

  // MARK: Time

  /// When somebody must look at this connection again.
  var deadline = Instant.distantFuture
  var lastReceived = Instant.zero
  var lastSent = Instant.zero
  /// When data-out were last announced or asked for, or came.
  var lastDataOut = Instant.zero
  /// The TTT of the ping that has not been answered; ``reservedTag`` for none.
  var pingTag = reservedTag

  // MARK: Receiving

  /// The receive buffer, and the bytes in it that have not been consumed.
  var buffer = Extent.empty
  var start = 0
  var end = 0
  var inflow = Inflow()
  /// The last PDU brought a large data segment: the next one may as well.
  var isBulk = false
  var pace = ReceivePace()
  /// The longest data segment that the initiator may send: what the target declared (RFC 7143 §13.12).
  var receiveLengthMax = Self.defaultDataSegmentLength
  var headerDigest = false
  var dataDigest = false

  // MARK: Sending

  var queue = SendQueue()
  /// Where headers and small data are put together, and how much of it is used.
  var staging = Extent.empty
  var stagingUsed = 0
  var isDirty = false
  var sendPolicy = SendPolicy.batching
  var hold = AnswerHold()
  var nagle = AdaptiveNagle()
  /// Where each answer goes out by itself: those that are whole in the queue.
  var answers = AnswerLengths()
  /// The last receive has emptied the socket, and what came with it is not answered yet.
  var becameIdle = false
  /// Tasks that wait until their session holds less memory, in their order.
  var throttled = TaskQueue()
  /// The longest data segment that the initiator takes.
  var sendLengthMax = Self.defaultDataSegmentLength
  var statSN: UInt32 = 1
  /// ExpStatSN of the last command (RFC 7143 §11.3.3): the statuses before it have arrived.
  var expStatSN: UInt32 = 1
  /// Shut down the sending side when the queue is empty.
  var endsAfterSending = false
  var hasShutDown = false

  // MARK: Text

  var login: LoginNegotiation?
  var text: TextExchange?
  /// Text exchanges so far; makes their transfer tags.
  var textCount: UInt32 = 0
  /// The machine that a connection that leaves goes to.
  var destination = MachineID(0)
  /// Another machine has accepted it.
  var wasTakenOver = false
  /// The last Login Request of a login that waits for the end of another session, or for its machine; and its stage.
  var finalRequest: FinalRequest?
  var finalStage: UInt8 = 0

  /// MaxRecvDataSegmentLength where none was declared (RFC 7143 §13.12), in bytes.
  static let defaultDataSegmentLength = 8192

  /// Whether the initiator is on the target's host.
  var isLocal: Bool { localAddress.hasSameHost(as: remoteAddress) }

  /// The bytes received and not consumed.
  var available: Int { end - start }
}

/// A data segment that is received outside the receive buffer, because it is large, or thrown away.
struct Inflow {
  enum Use: UInt8 {
    /// There is none.
    case none
    /// Thrown away, as there is no memory for it. The PDU is dealt with when it has come, as one without its data.
    case discard
    /// Data-Out, into the task's buffer.
    case dataOut
    /// Immediate data of a command that is not admitted before they are complete.
    case command
  }

  var use = Use.none
  /// Where the next bytes go; unused for `discard`.
  var destination = Extent.empty
  /// Bytes of the segment that have not come yet.
  var remaining = 0
  /// The pad bytes and the data digest behind them.
  var trailer = 0
  /// The PDU's header, and the extent of its data, for when it is complete.
  var header = InlineArray<48, UInt8>(repeating: 0)
  var data = Extent.empty
  var task: UInt32 = 0

  var isActive: Bool { use != .none }

  init() {}

  init(use: Use, header: HeaderView) {
    self.use = use
    for index in 0..<HeaderView.length {
      self.header[index] = header.base.load(fromByteOffset: index, as: UInt8.self)
    }
  }
}

/// A fixed table of slots for connections, named by index.
struct ConnectionTable: ~Copyable {
  let slots: UnsafeMutablePointer<Connection>
  let capacity: Int
  private(set) var touched = 0
  private var freeList: [UInt32] = []
  private(set) var inUse = 0

  init(capacity: Int) {
    self.capacity = capacity
    slots = .allocate(capacity: capacity)
  }

  deinit {
    slots.deinitialize(count: touched)
    slots.deallocate()
  }

  /// Takes a slot, made new but for its generation; nil when all are in use.
  mutating func take() -> UnsafeMutablePointer<Connection>? {
    let slot: UnsafeMutablePointer<Connection>
    if let index = freeList.popLast() {
      slot = slots + Int(index)
      let generation = slot.pointee.generation &+ 1
      slot.pointee = Connection()
      slot.pointee.index = index
      slot.pointee.generation = generation
    } else {
      guard touched < capacity else { return nil }
      slot = slots + touched
      slot.initialize(to: Connection())
      slot.pointee.index = UInt32(touched)
      touched += 1
    }
    inUse += 1
    return slot
  }

  /// Gives a slot back.
  mutating func give(_ slot: UnsafeMutablePointer<Connection>) {
    slot.pointee.phase = .free
    freeList.append(slot.pointee.index)
    inUse -= 1
  }

  /// The slot of that index, if it was ever used.
  subscript(_ index: UInt32) -> UnsafeMutablePointer<Connection>? {
    Int(index) < touched ? slots + Int(index) : nil
  }
}

extension Connection {
  /// The token of an operation of this connection.
  func token(_ kind: TokenKind) -> Token {
    Token(kind.rawValue << 56 | UInt64(generation & 0xFF_FFFF) << 32 | UInt64(index))
  }
}
