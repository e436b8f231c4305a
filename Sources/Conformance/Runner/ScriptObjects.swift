import FaultInject
import ISCSI
import Initiator
import Ring

/// A connection that a script opened.
final class ScriptConnection {
  let index: Int
  let driver: InitiatorDriver
  let id: ConnectionID
  let target: Int
  let portal: SocketAddress

  /// PDUs that came and that no request of the machine's own has taken, oldest first.
  var inbox: [ProtocolDataUnit] = []
  static let inboxMax = 10_000

  var isConnected = false
  var failure: RingError?
  var closed: CloseReason?
  var login: LoginResult?
  var parameters: NegotiatedParameters?
  /// The script's session that runs over it.
  var session: Int?
  /// The script has sent or left out something on it by hand: what a request on it waits for may be the script's own doing.
  var isScripted = false
  /// Who waits for something to happen to it.
  var waiters: [Int] = []

  init(index: Int, driver: InitiatorDriver, id: ConnectionID, target: Int, portal: SocketAddress) {
    self.index = index
    self.driver = driver
    self.id = id
    self.target = target
    self.portal = portal
  }

  var isGone: Bool { closed != nil || failure != nil }
}

/// A session that a script logged in. It outlives its connections: `relogin` gives it new ones.
final class ScriptSession {
  let index: Int
  /// The connection that requests go out on.
  var connection: ScriptConnection
  var id: SessionID
  var plan: LoginPlan
  var login: LoginResult
  /// The logical unit that requests go to when they name none.
  var lun: Int
  let target: Int
  /// What the models know it by.
  let nexus: Nexus

  /// - Parameter joined: The session that its connection is added to.
  init(
    index: Int, connection: ScriptConnection, plan: LoginPlan, login: LoginResult, lun: Int,
    joining joined: ScriptSession? = nil
  ) {
    let group = login.received.last { $0.key == Key.targetPortalGroupTag.name }?.value
    nexus =
      joined?.nexus
      ?? Nexus(name: plan.initiatorName, isid: plan.isid.rawValue, portalGroup: group)
    self.index = index
    self.connection = connection
    self.id = login.session
    self.plan = plan
    self.login = login
    self.lun = lun
    target = connection.target
  }

  var isLost: Bool { connection.isGone }
}

/// A request that an initiator carries through for a script.
final class ScriptTask {
  let index: Int
  let session: ScriptSession
  let id: TaskID
  /// The name of the request, for messages.
  let what: String
  var result: TaskResult?
  /// Makes of the result what the script gets.
  let decode: (TaskResult) -> LuaValue
  /// Nothing in it is wrong on purpose.
  var isCorrect = true
  var hasEnded = false
  /// A function that aborts tasks of others, too.
  var clearsTasks = false
  /// What the durability model calls it, and what the model of nexuses does.
  var access: Int?
  var watch: Int?
  /// Of a reset: the units that it concerns.
  var reset: [(unit: Int, changes: Int)] = []
  /// Who waits for its end.
  var waiters: [Int] = []

  init(
    index: Int, session: ScriptSession, id: TaskID, what: String, decode: @escaping (TaskResult) -> LuaValue
  ) {
    self.index = index
    self.session = session
    self.id = id
    self.what = what
    self.decode = decode
  }
}

/// A fault that a script has armed.
final class ScriptFault {
  let location: SourceLocation?
  /// It need not strike.
  let mayMiss: Bool
  private let handle: FaultHandle

  init(_ handle: FaultHandle, location: SourceLocation?, mayMiss: Bool) {
    self.handle = handle
    self.location = location
    self.mayMiss = mayMiss
  }

  /// As a script has it.
  var name: String { "fault.\(handle.name)" }

  func lift() { handle.lift() }

  func fired() -> UInt64 { handle.fired }
}

/// Names a connection of one of several machines.
struct ConnectionKey: Hashable {
  var driver: Int
  var connection: Int
}

/// Names a task of one of several machines.
struct TaskKey: Hashable {
  var driver: Int
  var task: UInt64
}
