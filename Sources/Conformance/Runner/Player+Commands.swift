import ISCSI
import Initiator
import Ring
import SCSI

/// Requests that the initiators carry through.
extension Player {
  /// Sends a command and keeps track of it.
  func execute(
    _ request: CommandRequest, on session: ScriptSession, what: String, access: Access? = nil,
    decode: @escaping (TaskResult) -> LuaValue
  ) throws(LuaFailure) -> ScriptTask {
    let connection = session.connection
    let lun = LogicalUnitNumber.decode(request.lun)
    let id = try HostLibrary.obeyed { () throws(InitiatorError) in
      try connection.driver.machine.execute(request, on: connection.id)
    }
    let cdb = request.cdb
    let task = track(id, on: session, what: what) { PDULanguage.noting(cdb, in: decode($0)) }
    task.isCorrect = request.isCorrect && !request.holdsR2Ts && !request.ignoresWindow
    if request.isCorrect, let lun {
      task.watch = nexuses.begin(cdb, target: session.target, lun: lun, by: session.nexus)
    } else {
      nexuses.forget(target: session.target)
    }
    if let access, let lun {
      task.access = durability.begin(access, target: session.target, lun: lun, by: session.nexus, at: now)
    }
    return task
  }

  /// Keeps a request of the machine as a task of the script.
  func track(
    _ id: TaskID, on session: ScriptSession, what: String, decode: @escaping (TaskResult) -> LuaValue
  ) -> ScriptTask {
    let task = ScriptTask(index: tasks.count, session: session, id: id, what: what, decode: decode)
    tasks.append(task)
    taskIndex[TaskKey(driver: number(of: session.connection.driver), task: id.rawValue)] = task.index
    return task
  }

  /// What the player knows of a logical unit; nil for one that is not in the world.
  func unit(_ target: Int, _ lun: Int) -> UnitFacts? {
    guard playground.targets.indices.contains(target) else { return nil }
    return playground.targets[target].units.first { $0.lun == lun }
  }

  /// The targets that a program runs.
  func targets(of program: SimulatedPlayground.TargetProgram) -> [Int] {
    playground.targets.indices.filter { playground.targets[$0].host == program.host }
  }
}

extension PDULanguage {
  static func isUnitAttention(_ sense: [UInt8]) -> Bool { Sense(decoding: sense)?.key == .unitAttention }

  /// The result of a command, which says what the CDB was.
  static func noting(_ cdb: [UInt8], in result: LuaValue) -> LuaValue {
    guard case .table(var table) = result, table.kind == .result else { return result }
    table.entries.append((.text("cdb"), .string(cdb)))
    return .table(table)
  }

  /// How a task ended, as a record.
  static func record(_ result: TaskResult) -> LuaValue {
    var fields: [(String, LuaValue)] = [
      ("itt", .integer(Int64(result.initiatorTaskTag))), ("cmdsn", .integer(Int64(result.cmdSN))),
      ("took", .number(Double((result.ended - result.requested).nanoseconds) / 1e9)),
    ]
    func outcome(_ name: String) { fields.append(("outcome", .text(name))) }
    switch result.outcome {
    case .command(let command):
      outcome("completed")
      fields += [
        ("status", .integer(Int64(command.status))), ("response", .integer(Int64(command.response))),
        ("status_name", .text(Status(rawValue: command.status)?.name ?? hex(UInt64(command.status), 2))),
        ("data", .string(command.dataIn)), ("overflow", .boolean(command.isOverflow)),
        ("underflow", .boolean(command.isUnderflow)), ("residual", .integer(Int64(command.residualCount))),
        ("data_out_length", .integer(Int64(command.dataOutLength))),
        ("status_in_data", .boolean(command.statusCameWithData)),
      ]
      if let sense = senseRecord(command.sense) { fields.append(("sense", sense)) }
    case .taskManagement(let response):
      outcome("task management")
      fields.append(("response", .integer(Int64(response))))
    case .text(let bytes, let pairs):
      outcome("text")
      fields.append(("data", .string(bytes)))
      fields.append(("text", .table(LuaTable(fields: PDULanguage.pairs(bytes).map { ($0.key, .text($0.value)) }))))
      let list = pairs.map { LuaValue.table(LuaTable(items: [.text($0.key), .text($0.value)])) }
      fields.append(("pairs", .table(LuaTable(items: list))))
    case .ping(let data):
      outcome("ping")
      fields.append(("data", .string(data)))
    case .logout(let response, let time2Wait, let time2Retain):
      outcome("logout")
      fields += [
        ("response", .integer(Int64(response))), ("time2wait", .integer(Int64(time2Wait))),
        ("time2retain", .integer(Int64(time2Retain))),
      ]
    case .rejected(let reason):
      outcome("rejected")
      fields.append(("reason", .integer(Int64(reason))))
    case .aborted: outcome("aborted")
    case .connectionLost: outcome("connection lost")
    }
    return .table(LuaTable(kind: .result, fields: fields))
  }

  /// How a result reads in a message.
  static func words(_ table: LuaTable) -> String {
    let outcome = table["outcome"].text ?? "something"
    switch outcome {
    case "completed":
      var text = table["status_name"].text ?? "?"
      if case .table(let sense) = table["sense"] {
        text += ", \(sense["key"].plain), \(sense["name"].plain)"
        if sense["field_byte"].int != nil {
          text +=
            " (byte \(sense["field_byte"].plain) of the \(sense["field_in_cdb"].isTrue ? "CDB" : "parameter list"))"
        }
      }
      if case .string(let data) = table["data"], !data.isEmpty { text += ", \(data.count) bytes of data" }
      if table["overflow"].isTrue { text += ", overflow of \(table["residual"].plain)" }
      if table["underflow"].isTrue { text += ", underflow of \(table["residual"].plain)" }
      if let response = table["response"].int, response != 0 { text += ", iSCSI response \(response)" }
      return text
    case "rejected":
      return "a Reject, reason \(RejectReason.words(UInt8(truncatingIfNeeded: table["reason"].int ?? 0)))"
    case "login":
      if table["successful"].isTrue { return "a login that succeeded" }
      let status = table["status"].int.map { LoginStatus.words(UInt16(truncatingIfNeeded: $0)) }
      return status.map { "a login that failed with status \($0)" }
        ?? "a login that ended without a status"
    case "task management", "logout": return "\(outcome) response \(table["response"].plain)"
    default: return outcome
    }
  }
}
