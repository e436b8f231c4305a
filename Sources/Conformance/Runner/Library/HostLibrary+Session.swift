import ISCSI
import Initiator
import Ring

/// Requests of a session other than SCSI commands.
extension HostLibrary {
  static let sessionMethods: [HostFunction] = [
    HostFunction("relogin", of: .session) { (player, call) throws(LuaFailure) in
      let session = try session(player, call[0], call.function)
      var fields = try Fields(call[1], path: call.function)
      let within = try fields.time("within") ?? player.usualWait
      let clears = try fields.flag("clear_unit_attention") ?? true
      try fields.finish()
      return try relogin(player, call, session, within: within, clears: clears)
    },
    HostFunction("logout", of: .session) { (player, call) throws(LuaFailure) in
      let session = try session(player, call[0], call.function)
      var fields = try Fields(call[1], path: call.function)
      var request = LogoutRequest()
      let reason = fields.any("reason")
      switch reason {
      case .none: break
      case _ where reason.text == "close session": request.reason = LogoutReason.closeSession.rawValue
      case _ where reason.text == "close connection": request.reason = LogoutReason.closeConnection.rawValue
      default:
        guard let number = reason.int, (0...127).contains(number) else {
          throw fields.wrong("reason", reason, "\"close session\", \"close connection\", or a number from 0 to 127")
        }
        request.reason = UInt8(number)
      }
      request.connectionID = try fields.integer("cid", in: 0...65535)
      return try perform(request, .logoutRequest, "logout", &fields, session, player, call) {
        (machine, request, connection) throws(InitiatorError) in try machine.logout(request, on: connection)
      }
    },
    HostFunction("text", of: .session) { (player, call) throws(LuaFailure) in
      let session = try session(player, call[0], call.function)
      var fields = try Fields(call[1], path: call.function)
      var request = TextRequest()
      request.rawText = try text(fields.any("text"), path: "\(call.function).text") ?? []
      request.segmentLength = try fields.integer("segment_length", in: 1...(1 << 20))
      return try perform(request, .textRequest, "text", &fields, session, player, call) {
        (machine, request, connection) throws(InitiatorError) in try machine.text(request, on: connection)
      }
    },
    HostFunction("ping", of: .session) { (player, call) throws(LuaFailure) in
      let session = try session(player, call[0], call.function)
      var fields = try Fields(call[1], path: call.function)
      var request = PingRequest()
      request.data = try fields.bytes("data") ?? []
      request.lun = try lun(&fields) ?? 0
      return try perform(request, .nopOut, "ping", &fields, session, player, call) {
        (machine, request, connection) throws(InitiatorError) in try machine.ping(request, on: connection)
      }
    },
    HostFunction("task_management", of: .session) { (player, call) throws(LuaFailure) in
      try taskManagement(player, call)
    },
  ]

  static let taskMethods: [HostFunction] = [
    HostFunction("wait", of: .task) { (player, call) throws(LuaFailure) in
      let task = try task(player, call[0], call.function)
      var fields = try Fields(call[1], path: call.function)
      let within = try fields.time("within")
      try fields.finish()
      return try wait(player, call, task, within: within)
    },
    HostFunction("answer_r2ts", of: .task) { (player, call) throws(LuaFailure) in
      let task = try task(player, call[0], call.function)
      var fields = try Fields(call[1], path: call.function)
      let reversed = try fields.flag("reversed") ?? false
      try fields.finish()
      let connection = task.session.connection
      try obeyed { () throws(InitiatorError) in
        try connection.driver.machine.answerHeldR2Ts(of: task.id, on: connection.id, reversed: reversed)
      }
      return .nothing
    },
    HostFunction("abandon", of: .task) { (player, call) throws(LuaFailure) in
      let task = try task(player, call[0], call.function)
      let connection = task.session.connection
      try obeyed { () throws(InitiatorError) in try connection.driver.machine.abandon(task.id, on: connection.id) }
      task.hasEnded = true
      return .nothing
    },
    HostFunction("retry", of: .task) { (player, call) throws(LuaFailure) in
      let task = try task(player, call[0], call.function)
      let connection = task.session.connection
      try obeyed { () throws(InitiatorError) in try connection.driver.machine.retry(task.id, on: connection.id) }
      task.isCorrect = false
      return .nothing
    },
  ]

  /// The functions of RFC 7143 §11.5.1 by name.
  private static let functions: [(name: String, function: TaskManagementFunction)] = [
    ("abort task", .abortTask), ("abort task set", .abortTaskSet), ("clear aca", .clearACA),
    ("clear task set", .clearTaskSet), ("logical unit reset", .logicalUnitReset),
    ("target warm reset", .targetWarmReset), ("target cold reset", .targetColdReset),
    ("task reassign", .taskReassign),
  ]

  private static func taskManagement(_ player: Player, _ call: LuaCall) throws(LuaFailure) -> LuaAnswer {
    let session = try session(player, call[0], call.function)
    var fields = try Fields(call[1], path: call.function)
    let value = fields.any("function")
    let byName = value.text.flatMap { name in functions.first { $0.name == name }?.function.rawValue }
    let byNumber = value.int.flatMap { UInt8(exactly: $0) }
    guard let function = byName ?? byNumber, function < 128 else {
      let names = functions.map(\.name)
      let hint = Suggestion.clause(for: value, among: names)
      var mistake = fields.wrong("function", value, "a number, or one of \(names.joined(separator: ", "))")
      mistake.message += hint
      throw mistake
    }
    var request = TaskManagementRequest(function: function)
    request.lun = try lun(&fields) ?? LogicalUnitNumber.encode(session.lun) ?? 0
    let task = fields.any("task")
    if !task.isNone { request.task = try self.task(player, task, "\(call.function).task").id }
    return try perform(request, .taskManagementRequest, "task_management", &fields, session, player, call) {
      (machine, request, connection) throws(InitiatorError) in try machine.manage(request, on: connection)
    }
  }

  /// Reads what every request's table may say, has the initiator begin with `send`, and answers with the task or its result.
  private static func perform<Request: TaskRequest>(
    _ request: Request, _ opcode: Opcode, _ what: String, _ fields: inout Fields, _ session: ScriptSession,
    _ player: Player, _ call: LuaCall,
    _ send: (InitiatorMachine, Request, ConnectionID) throws(InitiatorError) -> TaskID
  ) throws(LuaFailure) -> LuaAnswer {
    var request = request
    request.isImmediate = try fields.flag("immediate") ?? request.isImmediate
    request.overrides = try FieldOverride.list(fields.any("set"), opcode: opcode, path: "\(fields.path).set")
    let options = try RequestOptions(&fields)
    request.wire = options.wire
    try fields.finish()
    let connection = session.connection
    let id = try obeyed { () throws(InitiatorError) in try send(connection.driver.machine, request, connection.id) }
    let task = player.track(id, on: session, what: what) { PDULanguage.record($0) }
    task.isCorrect = request.overrides.isEmpty && request.wire == WireOptions()
    note(request, task, player)
    return try answer(player, call, task, options)
  }

  /// Tells the model of nexuses of what resets units, or ends a session.
  private static func note(_ request: some TaskRequest, _ task: ScriptTask, _ player: Player) {
    let session = task.session
    if !task.isCorrect { return player.nexuses.forget(target: session.target) }
    if request is LogoutRequest { return player.nexuses.left(session.nexus, target: session.target) }
    guard let management = request as? TaskManagementRequest else { return }
    let function = TaskManagementFunction(rawValue: management.function)
    if let function, [.clearTaskSet, .logicalUnitReset, .targetWarmReset, .targetColdReset].contains(function) {
      task.clearsTasks = true
      player.excuseOthers(than: task)
    }
    switch function {
    case .logicalUnitReset:
      guard let lun = LogicalUnitNumber.decode(management.lun) else { return }
      task.reset = player.nexuses.beginReset(target: session.target, lun: lun)
    case .targetWarmReset, .targetColdReset:
      task.reset = player.nexuses.beginReset(target: session.target, lun: nil)
    default: break
    }
  }

  /// Opens connections until the session is logged in again.
  private static func relogin(
    _ player: Player, _ call: LuaCall, _ session: ScriptSession, within: Interval, clears: Bool
  ) throws(LuaFailure) -> LuaAnswer {
    let old = session.connection
    player.nexuses.left(session.nexus, target: session.target)
    if !old.isGone { try obeyed { () throws(InitiatorError) in try old.driver.machine.close(old.id, reset: true) } }
    var noFields = try Fields(.none, path: call.function)
    var unused = LoginPlan()
    var options = try LoginOptions(&noFields, &unused, player)
    options.lun = session.lun
    options.clearsUnitAttention = clears
    var attempt: LoginProgress?
    var connection: ScriptConnection?
    var next = player.now
    return try player.wait(call, for: "a new login of the session", on: .anything, within: within) {
      () throws(LuaFailure) in
      if let connection, connection.isGone || connection.login?.isSuccessful == false {
        // Refused, or lost on the way: once more in a while.
        attempt = nil
        next = player.now + .milliseconds(100)
      }
      if attempt == nil {
        connection = nil
        guard player.now >= next else {
          player.wake(at: next)
          return nil
        }
        let id = try obeyed { () throws(InitiatorError) in try old.driver.machine.connect(to: old.portal) }
        let made = player.keep(id, of: old.driver, to: old.portal, of: old.target)
        try obeyed { () throws(InitiatorError) in try old.driver.machine.login(session.plan, on: made.id) }
        connection = made
        attempt = LoginProgress(
          player: player, connection: made, plan: session.plan, options: options, session: session)
      }
      do { return try attempt?.poll(mustSucceed: true, path: call.function) } catch {
        // Poll again, and find the connection gone.
        attempt = nil
        next = player.now + .milliseconds(100)
        player.wake(at: next)
        return nil
      }
    }
  }

  // MARK: Shared

  /// The place among `objects` of the one that a handle names.
  ///
  /// - Parameter path: What messages call whatever is to be that handle.
  static func place<Object>(
    _ value: LuaValue, _ kind: LuaKind, in objects: [Object], _ path: String
  ) throws(LuaFailure) -> Int {
    guard case .handle(kind, let index) = value, objects.indices.contains(Int(index)) else {
      throw LuaFailure("\(path): expected \(kind.article) \(kind.name), found \(value.found)")
    }
    return Int(index)
  }

  static func session(_ player: Player, _ value: LuaValue, _ path: String) throws(LuaFailure) -> ScriptSession {
    player.sessions[try place(value, .session, in: player.sessions, path)]
  }

  /// The session that the field `session` names; nil when nothing is said.
  static func session(_ fields: inout Fields, _ player: Player) throws(LuaFailure) -> ScriptSession? {
    let value = fields.any("session")
    return value.isNone ? nil : try session(player, value, "\(fields.path).session")
  }

  static func task(_ player: Player, _ value: LuaValue, _ path: String) throws(LuaFailure) -> ScriptTask {
    player.tasks[try place(value, .task, in: player.tasks, path)]
  }

  /// The task at once when it is asynchronous, else its result when it has ended.
  static func answer(
    _ player: Player, _ call: LuaCall, _ task: ScriptTask, _ options: RequestOptions
  ) throws(LuaFailure) -> LuaAnswer {
    if options.isAsynchronous { return .result(.handle(.task, Int64(task.index))) }
    return try player.wait(call, for: "the end of \(task.what)", on: .task(task), within: options.within) {
      () throws(LuaFailure) in
      guard let result = task.result else { return nil }
      // The script has no task that it could ask again: the data of thousands of reads are not kept.
      task.result = nil
      return [task.decode(result)]
    }
  }

  private static func wait(
    _ player: Player, _ call: LuaCall, _ task: ScriptTask, within: Interval?
  ) throws(LuaFailure) -> LuaAnswer {
    try player.wait(call, for: "the end of \(task.what)", on: .task(task), within: within) { () throws(LuaFailure) in
      task.result.map { [task.decode($0)] }
    }
  }
}

/// What every request's table may say.
struct RequestOptions {
  var within: Interval?
  /// Returns a task at once instead of waiting for the result.
  var isAsynchronous: Bool
  var wire: WireOptions

  init(_ fields: inout Fields) throws(LuaFailure) {
    within = try fields.time("within")
    isAsynchronous = try fields.flag("async") ?? false
    wire = try WireOptions(&fields)
  }
}
