import ISCSI
import Ring

/// One TCP connection, with what iSCSI counts per connection.
final class Connection {
  let id: ConnectionID
  let session: Session
  let remote: SocketAddress
  var phase = ConnectionStatus.Phase.connecting
  var socket = Handle.none
  var automatic = AutomaticBehaviour()
  /// The next step looks at it.
  var isStirred = false

  /// CID.
  var number: UInt16 = 0
  var parameters = NegotiatedParameters()

  // MARK: Receiving
  var framer = PDUFramer()
  var receiveBuffer: Extent?
  var isReceiveOutstanding = false
  var isCancelOutstanding = false
  var wantsToReceive = true
  var sawEndOfStream = false

  // MARK: Sending
  var queue: [Piece] = []
  var queueHead = 0
  var sendBuffer: Extent?
  /// What of ``sendBuffer`` has not been taken yet.
  var sendRest = Extent.empty
  var isSendOutstanding = false
  /// All bytes that were ever queued, and those of them that the socket has taken.
  var queuedBytes: UInt64 = 0
  var sentBytes: UInt64 = 0
  /// The pause after the piece that is being sent.
  var pauseAfterSend = Interval.zero
  var isPausing = false
  var shutdownWanted = false
  var isShutdown = false

  // MARK: Closing
  var closeWanted: CloseWish?
  /// Set when the end was told as an event.
  var isEndTold = false

  // MARK: Numbering
  /// The StatSN that is expected next.
  var expStatSN: UInt32 = 0
  var knowsStatSN = false
  /// What a script sends in its place.
  var scriptedExpStatSN: UInt32?
  /// Numbers may repeat or be missing: a PDU was damaged, or a script asked for one again.
  var numbersAreLoose = false
  /// The last window that this connection brought.
  var lastExpCmdSN: UInt32?
  var lastMaxCmdSN: UInt32?

  // MARK: Text
  /// The negotiation under way, and those that wait for its end, by task.
  var text: TaskID?
  var waitingTexts: [TaskID] = []
  /// The last one whose requests a script has built.
  var scriptedText: ScriptedText?

  // MARK: Login
  var negotiation = Negotiation()
  var driver: LoginDriver?

  init(id: ConnectionID, session: Session, remote: SocketAddress) {
    self.id = id
    self.session = session
    self.remote = remote
  }

  /// Bytes that go out in one send, or together with the next ones.
  struct Piece {
    var bytes: [UInt8]
    /// The send ends behind it.
    var endsSend = false
    var pause = Interval.zero
  }

  enum CloseWish {
    /// When all that was queued has been sent.
    case afterSending
    case now(reset: Bool)
  }

  var isOpen: Bool {
    switch phase {
    case .connecting, .login, .fullFeature, .loggedOut: closeWanted == nil
    case .closing, .closed: false
    }
  }

  /// The ExpStatSN to send.
  var acknowledgedStatSN: UInt32 { scriptedExpStatSN ?? expStatSN }

  var hasQueued: Bool { queueHead < queue.count }
}

/// What a script can see of a connection.
public struct ConnectionStatus: Sendable {
  /// How far it has come.
  public enum Phase: Sendable {
    case connecting
    /// Before and during the login.
    case login
    case fullFeature
    /// After a granted logout.
    case loggedOut
    case closing
    case closed
  }

  public var phase: Phase
  public var session: SessionID
  public var remote: SocketAddress

  /// CID.
  public var connectionID: UInt16

  /// The StatSN that is expected next.
  public var expStatSN: UInt32
  public var parameters: NegotiatedParameters
}

/// What a script can see of a session.
public struct SessionStatus: Sendable {
  public var isid: ISID
  public var tsih: UInt16
  public var isEstablished: Bool

  /// CmdSN of the next request that is not immediate.
  public var cmdSN: UInt32
  public var expCmdSN: UInt32
  public var maxCmdSN: UInt32
  public var connections: [ConnectionID]

  /// Tasks that have not ended, and those of them that wait for the window.
  public var tasks: Int
  public var waiting: Int
}
