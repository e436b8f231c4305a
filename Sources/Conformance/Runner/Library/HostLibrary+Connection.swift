import ISCSI
import Initiator
import Ring

/// Connections: PDUs and bytes by hand.
extension HostLibrary {
  static let connectionMethods: [HostFunction] =
    both("send") { (player, call, connection) throws(LuaFailure) in
      var template = try template(call[1], path: call.function)
      var fields = try Fields(call[2], path: call.function)
      template.wire = try WireOptions(&fields)
      try fields.finish()
      if template.opcodeBits == Opcode.loginRequest.rawValue, connection.parameters == nil,
        player.playground.targets[connection.target].credentials != nil
      {
        throw skipWithoutCHAP(player)
      }
      if let session = connection.session { address(&template, to: player.sessions[session].lun) }
      let sent = try obeyed { () throws(InitiatorError) in
        try connection.driver.machine.send(template, on: connection.id)
      }
      if connection.parameters != nil {
        player.durability.noteRaw(sent.pdu.header, target: connection.target, at: player.now)
      }
      return .result(PDULanguage.record(sent.pdu))
    }
    + both("send_bytes") { (player, call, connection) throws(LuaFailure) in
      guard case .string(let bytes) = call[1] else {
        throw LuaFailure("\(call.function): expected a string of bytes, found \(call[1].found)")
      }
      var fields = try Fields(call[2], path: call.function)
      let wire = try WireOptions(&fields)
      try fields.finish()
      try obeyed { () throws(InitiatorError) in
        try connection.driver.machine.sendBytes(bytes, on: connection.id, wire: wire)
      }
      if connection.parameters != nil { player.durability.forgetAll(target: connection.target) }
      return .nothing
    }
    + both("receive", leavesAlone: true) { (player, call, connection) throws(LuaFailure) in
      var fields = try Fields(call[1], path: call.function)
      let within = try fields.time("within")
      let wanted = try fields.string("opcode")
      let opcode = wanted.flatMap(PDULanguage.opcode)
      if let wanted, opcode == nil {
        let names = Opcode.allCases.map(\.name)
        throw LuaFailure(
          "\(call.function).opcode: expected an opcode's name, found \"\(wanted)\"\(Suggestion.clause(for: wanted, among: names))"
        )
      }
      try fields.finish()
      let what = wanted.map { "a \($0)" } ?? "a PDU"
      return try player.wait(call, for: what, on: .connection(connection), within: within, timeout: nothing) {
        () throws(LuaFailure) in
        let index = connection.inbox.firstIndex { opcode == nil || $0.opcode == opcode }
        if let index { return [PDULanguage.record(connection.inbox.remove(at: index))] }
        return connection.isGone ? [closure(connection)] : nil
      }
    }
    + both("close") { (player, call, connection) throws(LuaFailure) in
      var fields = try Fields(call[1], path: call.function)
      let reset = try fields.flag("reset") ?? false
      try fields.finish()
      // Also when the target has ended the stream: this side may have been told to stay.
      try obeyed { () throws(InitiatorError) in try connection.driver.machine.close(connection.id, reset: reset) }
      return .nothing
    }
    + both("shutdown") { (player, call, connection) throws(LuaFailure) in
      try obeyed { () throws(InitiatorError) in try connection.driver.machine.shutdown(connection.id) }
      return .nothing
    }
    + both("stop_receiving") { (player, call, connection) throws(LuaFailure) in
      try obeyed { () throws(InitiatorError) in try connection.driver.machine.setReceiving(false, on: connection.id) }
      return .nothing
    }
    + both("resume_receiving") { (player, call, connection) throws(LuaFailure) in
      try obeyed { () throws(InitiatorError) in try connection.driver.machine.setReceiving(true, on: connection.id) }
      return .nothing
    }
    + both("set_cmdsn") { (player, call, connection) throws(LuaFailure) in
      guard let number = call[1].int, let status = connection.driver.machine.status(of: connection.id) else {
        throw LuaFailure("\(call.function): expected a number, found \(call[1].found)")
      }
      connection.driver.machine.setCmdSN(UInt32(truncatingIfNeeded: number), of: status.session)
      return .nothing
    }
    + both("set_expstatsn") { (player, call, connection) throws(LuaFailure) in
      guard let number = call[1].int else {
        throw LuaFailure("\(call.function): expected a number, found \(call[1].found)")
      }
      try obeyed { () throws(InitiatorError) in
        try connection.driver.machine.setExpStatSN(UInt32(truncatingIfNeeded: number), on: connection.id)
      }
      return .nothing
    }
    + both("automatic") { (player, call, connection) throws(LuaFailure) in
      var fields = try Fields(call[1], path: call.function)
      var behaviour = AutomaticBehaviour()
      behaviour.answersPings = try fields.flag("answer_pings") ?? true
      behaviour.answersR2Ts = try fields.flag("answer_r2ts") ?? true
      behaviour.closesAfterLogout = try fields.flag("close_after_logout") ?? true
      behaviour.closesOnEndOfStream = try fields.flag("close_on_end_of_stream") ?? true
      behaviour.obeysAsyncMessages = try fields.flag("obey_async_messages") ?? true
      try fields.finish()
      try obeyed { () throws(InitiatorError) in
        try connection.driver.machine.setAutomatic(behaviour, on: connection.id)
      }
      return .nothing
    } + [
      HostFunction("login", of: .connection) { (player, call) throws(LuaFailure) in
        try login(player, call, on: try connection(player, call[0], call.function), mustSucceed: true)
      },
      HostFunction("try_login", of: .connection) { (player, call) throws(LuaFailure) in
        try login(player, call, on: try connection(player, call[0], call.function), mustSucceed: false)
      },
    ]

  /// A method that connections and sessions have; a session's works on its connection.
  ///
  /// - Parameter leavesAlone: It does nothing that the initiator would not have done by itself.
  private static func both(
    _ name: String, leavesAlone: Bool = false,
    _ body: @escaping @Sendable (Player, LuaCall, ScriptConnection) throws(LuaFailure) -> LuaAnswer
  ) -> [HostFunction] {
    let kinds: [LuaKind] = [.connection, .session]
    return kinds.map { kind in
      HostFunction(name, of: kind) { (player, call) throws(LuaFailure) in
        let connection = try connection(player, call[0], call.function)
        if !leavesAlone {
          connection.isScripted = true
          player.nexuses.forget(target: connection.target)
        }
        return try body(player, call, connection)
      }
    }
  }

  /// What a script sends of a session is for the session's logical unit, unless it says another.
  private static func address(_ template: inout PDUTemplate, to number: Int) {
    func sets(_ name: String) -> Bool { template.overrides.contains { $0.name == name } }
    let hasLUN =
      switch Opcode(rawValue: template.opcodeBits) {
      case .scsiCommand, .taskManagementRequest: true
      // Reserved in unsolicited data (RFC 7143 §11.7.4).
      case .dataOut: sets("ttt")
      default: false
      }
    guard hasLUN, !sets("lun"), let lun = LogicalUnitNumber.encode(number), lun != 0 else { return }
    template.overrides.insert(FieldOverride("lun", lun), at: 0)
  }

  /// What a wait that may end without anything results in.
  static let nothing: @Sendable () throws(LuaFailure) -> [LuaValue] = { () throws(LuaFailure) in [.none] }

  /// The connection that a handle names: itself, or that of a session.
  static func connection(_ player: Player, _ value: LuaValue, _ path: String) throws(LuaFailure) -> ScriptConnection {
    switch value.kind {
    case .connection: return player.connections[try place(value, .connection, in: player.connections, path)]
    case .session: return try session(player, value, path).connection
    default: throw LuaFailure("\(path): expected a connection or a session, found \(value.found)")
    }
  }

  /// Calls the initiator; what it cannot obey is the script's error.
  @discardableResult
  static func obeyed<Result>(_ body: () throws(InitiatorError) -> Result) throws(LuaFailure) -> Result {
    do { return try body() } catch { throw LuaFailure("\(error)") }
  }

  /// Why a connection can be at its end, as ``closure(_:)`` has it.
  static let closeReasons: [String] = {
    let failures: [RingError] = [
      .connectionRefused, .timedOut, .unreachable, .addressUnavailable, .connectionReset, .brokenPipe, .noResources,
      .notPermitted, .other,
    ]
    return ["local", "end of stream", "reset", "framing lost"] + failures.map { "\($0)" }
  }()

  /// The end of a connection as a value.
  static func closure(_ connection: ScriptConnection) -> LuaValue {
    var reason = "closed"
    var words = ""
    if let failure = connection.failure {
      reason = "\(failure)"
      words = "connect failed: \(failure)"
    } else if let closed = connection.closed {
      switch closed {
      case .local: reason = "local"
      case .endOfStream: reason = "end of stream"
      case .reset: reason = "reset"
      case .failed(let error): reason = "\(error)"
      case .framingLost: reason = "framing lost"
      }
      words = "closed \(Player.words(closed))"
    }
    return .table(LuaTable(kind: .closure, fields: [("reason", .text(reason)), ("words", .text(words))]))
  }
}
