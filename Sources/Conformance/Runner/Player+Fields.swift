import ISCSI
import Initiator

/// What scripts read of objects: `c.cmdsn`, `s.tsih`.
extension Player {
  func field(of kind: LuaKind, _ call: LuaCall) throws(LuaFailure) -> LuaAnswer {
    guard let name = call[1].text else {
      throw LuaFailure("\(kind.article) \(kind.name) has no field \(call[1].found)")
    }
    switch call[0] {
    case .handle(.connection, _), .handle(.session, _):
      let connection = try HostLibrary.connection(self, call[0], kind.name)
      let session = connection.session.map { sessions[$0] }
      return try known(name, kind, fields(of: connection, session))
    case .handle(.target, _):
      let facts = playground.targets.first
      return try known(
        name, kind,
        [
          ("iqn", .text(facts?.iqn ?? "")),
          ("portals", .table(LuaTable(items: (facts?.portals ?? []).map { .text("\($0)") }))),
          ("luns", .table(LuaTable(items: (facts?.units ?? []).map { .integer(Int64($0.lun)) }))),
          ("simulated", .boolean(playground.simulation != nil)),
        ])
    case .table(let table):
      // A record's own fields are found without asking here.
      // What an expectation keeps is its own business.
      let names = (kind == .expectation ? [] : table.fields.map(\.name)) + methods(of: kind)
      // Fields that only some results have read as nil.
      if Self.optionalFields.contains(name) { return .result(.none) }
      throw LuaFailure(
        "\(kind.article) \(kind.name) has no field '\(name)'\(Suggestion.clause(for: name, among: names)); "
          + "it has \(names.joined(separator: ", "))")
    case .handle(.task, let index) where tasks.indices.contains(Int(index)):
      let task = tasks[Int(index)]
      let driver = task.session.connection.driver
      let tag = driver.machine.initiatorTaskTag(of: task.id, on: task.session.connection.id)
      return try known(
        name, kind,
        [("itt", tag.map { .integer(Int64($0)) } ?? .none), ("ended", .boolean(task.result != nil))])
    default: return try known(name, kind, [])
    }
  }

  /// Fields of records that may be missing.
  static let optionalFields: Set<String> = [
    "sense", "ahs", "rejected", "session", "status", "tsih", "information", "field_byte", "field_bit", "field_in_cdb",
    "progress", "reason", "data", "text", "response", "luns",
  ]

  private func known(
    _ name: String, _ kind: LuaKind, _ fields: [(String, LuaValue)]
  ) throws(LuaFailure) -> LuaAnswer {
    if let field = fields.first(where: { $0.0 == name }) { return .result(field.1) }
    let names = fields.map(\.0) + methods(of: kind)
    throw LuaFailure(
      "\(kind.article) \(kind.name) has no '\(name)'\(Suggestion.clause(for: name, among: names)); it has \(names.joined(separator: ", "))"
    )
  }

  private func methods(of kind: LuaKind) -> [String] {
    HostLibrary.all.filter { $0.kind == kind }.map(\.path)
  }

  private func fields(of connection: ScriptConnection, _ session: ScriptSession?) -> [(String, LuaValue)] {
    let machine = connection.driver.machine
    var fields: [(String, LuaValue)] = [
      ("connection", .handle(.connection, Int64(connection.index))), ("closed", .boolean(connection.isGone)),
      ("host", .text(connection.driver.host)), ("portal", .text("\(connection.portal)")),
    ]
    if let session {
      fields += [
        ("session", .handle(.session, Int64(session.index))), ("lun", .integer(Int64(session.lun))),
        ("name", .text(session.plan.initiatorName)), ("tsih", .integer(Int64(session.login.tsih))),
        (
          "received",
          .table(LuaTable(fields: session.login.received.map { ($0.key, .text($0.value)) }))
        ),
      ]
    }
    if let status = machine.status(of: connection.id) {
      fields += [
        ("expstatsn", .integer(Int64(status.expStatSN))), ("cid", .integer(Int64(status.connectionID))),
        ("parameters", .table(Self.parameters(connection.parameters ?? status.parameters))),
      ]
      if let numbers = machine.status(of: status.session) {
        fields += [
          ("cmdsn", .integer(Int64(numbers.cmdSN))), ("expcmdsn", .integer(Int64(numbers.expCmdSN))),
          ("maxcmdsn", .integer(Int64(numbers.maxCmdSN))), ("isid", .integer(Int64(numbers.isid.rawValue))),
          ("tasks", .integer(Int64(numbers.tasks))),
        ]
      }
    }
    return fields
  }

  /// What a login has agreed on, by the names of the keys.
  private static func parameters(_ parameters: NegotiatedParameters) -> LuaTable {
    func yes(_ flag: Bool) -> LuaValue { .text(flag ? "Yes" : "No") }
    func number(_ value: UInt32) -> LuaValue { .integer(Int64(value)) }
    return LuaTable(fields: [
      ("MaxConnections", number(parameters.maxConnections)), ("InitialR2T", yes(parameters.initialR2T)),
      ("ImmediateData", yes(parameters.immediateData)), ("MaxBurstLength", number(parameters.maxBurstLength)),
      ("FirstBurstLength", number(parameters.firstBurstLength)),
      ("DefaultTime2Wait", number(parameters.defaultTime2Wait)),
      ("DefaultTime2Retain", number(parameters.defaultTime2Retain)),
      ("MaxOutstandingR2T", number(parameters.maxOutstandingR2T)),
      ("DataPDUInOrder", yes(parameters.dataPDUInOrder)),
      ("DataSequenceInOrder", yes(parameters.dataSequenceInOrder)),
      ("ErrorRecoveryLevel", number(parameters.errorRecoveryLevel)),
      ("HeaderDigest", .text(parameters.digests.header ? "CRC32C" : "None")),
      ("DataDigest", .text(parameters.digests.data ? "CRC32C" : "None")),
      ("InitiatorMaxRecvDataSegmentLength", number(parameters.initiatorMaxRecvDataSegmentLength)),
      ("TargetMaxRecvDataSegmentLength", number(parameters.targetMaxRecvDataSegmentLength)),
    ])
  }
}
