import ISCSI
import Initiator
import Ring

/// What `t` can do: connect, log in, crash.
extension HostLibrary {
  static let targetMethods: [HostFunction] = [
    HostFunction("connect", of: .target) { (player, call) throws(LuaFailure) in
      try connect(player, call, mustSucceed: true)
    },
    HostFunction("try_connect", of: .target) { (player, call) throws(LuaFailure) in
      try connect(player, call, mustSucceed: false)
    },
    HostFunction("login", of: .target) { (player, call) throws(LuaFailure) in
      try login(player, call, on: nil, mustSucceed: true)
    },
    HostFunction("try_login", of: .target) { (player, call) throws(LuaFailure) in
      try login(player, call, on: nil, mustSucceed: false)
    },
    HostFunction("crash", of: .target) { (player, call) throws(LuaFailure) in
      let (simulation, program) = try program(player, call)
      guard simulation.driver(on: program.host) == nil else {
        throw LuaFailure(
          "target:crash: an initiator works on the host \"\(program.host)\", which would lose its power as well; "
            + "target:kill() ends only the target")
      }
      simulation.powerOff(program)
      player.durability.powerCut(player.targets(of: program))
      player.nexuses.exit(player.targets(of: program))
      return .nothing
    },
    HostFunction("kill", of: .target) { (player, call) throws(LuaFailure) in
      let (simulation, program) = try program(player, call)
      simulation.kill(program)
      player.durability.exit(player.targets(of: program))
      player.nexuses.exit(player.targets(of: program))
      return .nothing
    },
    HostFunction("restart", of: .target) { (player, call) throws(LuaFailure) in
      let (simulation, program) = try program(player, call)
      if program.isRunning {
        simulation.kill(program)
        player.durability.exit(player.targets(of: program))
        player.nexuses.exit(player.targets(of: program))
      }
      try simulation.restart(program)
      return .nothing
    },
    HostFunction("pause", of: .target) { (player, call) throws(LuaFailure) in
      let (simulation, program) = try program(player, call)
      for process in program.processes { simulation.world.pause(process) }
      for target in player.targets(of: program) { player.nexuses.forget(target: target) }
      return .nothing
    },
    HostFunction("resume", of: .target) { (player, call) throws(LuaFailure) in
      let (simulation, program) = try program(player, call)
      for process in program.processes { simulation.world.resume(process) }
      return .nothing
    },
    HostFunction("statistics", of: .target) { (player, call) throws(LuaFailure) in
      let (_, program) = try program(player, call)
      guard let statistics = program.statistics else { return .result(.none) }
      let pairs: [(String, UInt64)] = [
        ("connections", UInt64(statistics.connections)), ("sessions", UInt64(statistics.sessions)),
        ("tasks", UInt64(statistics.tasks)), ("buffer_bytes", UInt64(statistics.bufferBytes)),
        ("buffer_bytes_max", UInt64(statistics.bufferBytesMax)), ("commands", statistics.commands),
        ("logins", statistics.logins), ("login_failures", statistics.loginFailures),
        ("rejects", statistics.rejects), ("connections_lost", statistics.connectionsLost),
        ("accepts", statistics.accepts), ("handovers", statistics.handovers),
        ("protocol_errors", statistics.protocolErrors),
      ]
      return .result(.table(LuaTable(fields: pairs.map { ($0.0, .integer(Int64(clamping: $0.1))) })))
    },
  ]

  private static func program(
    _ player: Player, _ call: LuaCall
  ) throws(LuaFailure) -> (SimulatedPlayground, SimulatedPlayground.TargetProgram) {
    let simulation = try player.simulation(for: call.function)
    var fields = try Fields(call[1], path: call.function)
    let host = try fields.string("host")
    try fields.finish()
    let names = simulation.programs.map(\.host)
    guard let program = host.map({ name in simulation.programs.first { $0.host == name } }) ?? simulation.programs.first
    else {
      throw LuaFailure(
        "\(call.function).host: expected one of \(names.joined(separator: ", ")), found \"\(host ?? "")\"")
    }
    return (simulation, program)
  }

  // MARK: Connecting

  /// Where a script wants to connect: from which host, to which target and portal.
  private static func route(
    _ player: Player, _ fields: inout Fields
  ) throws(LuaFailure) -> (driver: InitiatorDriver, target: Int, portal: SocketAddress) {
    let host = try fields.string("host")
    guard let driver = player.playground.driver(on: host) else {
      let names = player.playground.drivers.map(\.host)
      let isTargets = player.playground.targets.contains { $0.host == host }
      throw fields.wrong(
        "host", host.map { .text($0) } ?? .none,
        "one of the initiators' hosts \(names.joined(separator: ", "))"
          + (isTargets ? " (a target's host has one with initiator = true)" : ""))
    }
    var target = 0
    if let name = fields.any("target").text,
      let index = player.playground.targets.firstIndex(where: { $0.iqn == ISCSIName.normalized(name.utf8) })
    {
      target = index
    }
    let portals = player.playground.targets[target].portals
    let value = fields.any("portal")
    var portal = portals.first ?? SocketAddress(0, 0, 0, 0, port: 3260)
    switch value {
    case .none: break
    case _ where value.int.map { $0 >= 1 && $0 <= portals.count } == true:
      portal = portals[Int(value.int ?? 1) - 1]
    default:
      guard let text = value.text, let address = SocketAddress(text) else {
        let numbers = portals.isEmpty ? "the target has no portal in reach" : "or a number from 1 to \(portals.count)"
        throw fields.wrong("portal", value, "an address (\(numbers))")
      }
      portal = address
    }
    return (driver, target, portal)
  }

  private static func open(
    _ player: Player, _ route: (driver: InitiatorDriver, target: Int, portal: SocketAddress),
    in session: SessionID? = nil
  ) throws(LuaFailure) -> ScriptConnection {
    let id = try obeyed { () throws(InitiatorError) in
      try route.driver.machine.connect(to: route.portal, in: session)
    }
    return player.keep(id, of: route.driver, to: route.portal, of: route.target)
  }

  private static func connect(
    _ player: Player, _ call: LuaCall, mustSucceed: Bool
  ) throws(LuaFailure) -> LuaAnswer {
    var fields = try Fields(call[1], path: call.function)
    let route = try route(player, &fields)
    let within = try fields.time("within")
    let joined = try session(&fields, player)
    try fields.finish()
    let connection = try open(player, route, in: joined?.id)
    return try player.wait(
      call, for: "a connection to \(route.portal)", on: .connection(connection), within: within
    ) { () throws(LuaFailure) in
      if connection.isConnected { return [.handle(.connection, Int64(connection.index))] }
      guard connection.isGone else { return nil }
      if mustSucceed {
        throw LuaFailure(
          "\(call.function): cannot connect to \(route.portal): \(connection.failure.map { "\($0)" } ?? "closed")")
      }
      return [closure(connection)]
    }
  }

  // MARK: Logging in

  /// Skips a case that logs in without CHAP, which the target wants of everybody.
  static func skipWithoutCHAP(_ player: Player) -> LuaFailure {
    player.skipping("it logs in by hand, and the target wants CHAP")
  }

  /// Logs in on a new connection, or on a given one, and takes the unit attention of a new nexus away.
  static func login(
    _ player: Player, _ call: LuaCall, on given: ScriptConnection?, mustSucceed: Bool
  ) throws(LuaFailure) -> LuaAnswer {
    let path = given == nil ? "login" : "connection:login"
    var fields = try Fields(call[1], path: path)
    var plan = LoginPlan()
    let options = try LoginOptions(&fields, &plan, player)
    var way: (driver: InitiatorDriver, target: Int, portal: SocketAddress)?
    if given == nil {
      way = try route(player, &fields)
    } else {
      _ = fields.any("target")
    }
    try fields.finish()
    let target = given?.target ?? way?.target ?? 0
    let facts = player.playground.targets[target]
    if plan.targetName == nil, plan.sessionType == .normal { plan.targetName = facts.iqn }
    try LoginOptions.authenticate(&plan, to: facts, player)
    var connection = given
    if connection == nil, let way { connection = try open(player, way, in: options.session?.id) }
    guard let connection else { throw LuaFailure("\(path): there is no connection") }
    // A session of the same name ends some time from now on.
    if plan.sessionType == .normal, options.session == nil {
      player.nexuses.leaves(name: plan.initiatorName, isid: plan.isid.rawValue, target: target)
    }
    // It begins as soon as the connection stands.
    try obeyed { () throws(InitiatorError) in try connection.driver.machine.login(plan, on: connection.id) }
    let progress = LoginProgress(player: player, connection: connection, plan: plan, options: options)
    return try player.wait(call, for: "the end of a login", on: .connection(connection), within: options.within) {
      () throws(LuaFailure) in
      try progress.poll(mustSucceed: mustSucceed, path: path)
    }
  }
}

/// What a login's table says beside the plan.
struct LoginOptions {
  var within: Interval?
  /// Where the session's commands go; nil for the target's first logical unit.
  var lun: Int?
  /// Whether TEST UNIT READY takes the unit attention of the new nexus away.
  var clearsUnitAttention = true
  /// The session that a connection is added to.
  var session: ScriptSession?

  init(_ fields: inout Fields, _ plan: inout LoginPlan, _ player: Player) throws(LuaFailure) {
    if let name = try fields.string("name") { plan.initiatorName = name }
    switch fields.any("target") {
    case .none: break
    case .boolean(false): plan.targetName = nil
    case let value:
      guard let name = value.text else { throw fields.wrong("target", value, "a target's name") }
      plan.targetName = name
    }
    if try fields.word("type", among: ["normal", "discovery"]) == "discovery" {
      plan.sessionType = .discovery
      plan.operationalKeys = LoginPlan.discoveryKeys
    }
    let isid = fields.any("isid")
    if !isid.isNone {
      guard let number = isid.int, number >= 0, number < 1 << 48 else {
        throw fields.wrong("isid", isid, "a number that tells sessions apart, or all 48 bits")
      }
      plan.isid =
        number < 65536 ? ISID(random: 0x51_4E_41, qualifier: UInt16(number)) : ISID(rawValue: UInt64(number))
    }
    plan.tsih = try fields.integer("tsih", in: 0...65535)
    let connectionID: UInt16? = try fields.integer("cid", in: 0...65535)
    plan.connectionID = connectionID ?? 0
    plan.firstCmdSN = try fields.integer("first_cmdsn", in: 0...0xFFFF_FFFF) ?? plan.firstCmdSN
    plan.transitsAtOnce = try fields.flag("transit_at_once") ?? true
    plan.segmentLength = try fields.integer("segment_length", in: 1...(1 << 20))
    plan.sendsLeadingOnlyKeys = try fields.flag("send_leading_only_keys") ?? false
    if let names = try fields.strings("stages") {
      plan.stages = []
      for name in names {
        switch name {
        case "security": plan.stages.append(.securityNegotiation)
        case "operational": plan.stages.append(.operationalNegotiation)
        default: throw fields.wrong("stages", .text(name), "some of \"security\", \"operational\"")
        }
      }
    }
    try Self.keys(fields.any("keys"), path: "\(fields.path).keys") { key, value in
      if let value { plan.offer(key, value) } else { plan.omit(key) }
    }
    var declared: [KeyValue] = []
    try Self.keys(fields.any("declare"), path: "\(fields.path).declare") { key, value in
      if let value { declared.append(KeyValue(key, value)) }
    }
    plan.declarations += declared
    try Self.chap(fields.any("chap"), path: "\(fields.path).chap", &plan, player)
    try Self.requests(&fields, &plan)
    within = try fields.time("within")
    lun = try fields.integer("lun", in: 0...LogicalUnitNumber.numberMax)
    clearsUnitAttention = try fields.flag("clear_unit_attention") ?? (plan.sessionType == .normal)
    session = try HostLibrary.session(&fields, player)
    if let session {
      plan.initiatorName = session.plan.initiatorName
      plan.targetName = session.plan.targetName
      plan.isid = session.plan.isid
      if connectionID == nil { plan.connectionID = UInt16(truncatingIfNeeded: player.connections.count) }
      clearsUnitAttention = false
    }
  }

  /// Key = value, a number, a boolean for Yes and No where false leaves the key out… of which the last wins.
  private static func keys(
    _ value: LuaValue, path: String, _ take: (String, String?) -> Void
  ) throws(LuaFailure) {
    guard case .table(let table) = value, table.kind == nil else {
      if value.isNone { return }
      throw LuaFailure("\(path): expected a table of keys such as { HeaderDigest = \"CRC32C\" }, found \(value.found)")
    }
    if let other = table.unnamed {
      throw LuaFailure(
        "\(path): expected keys by name such as { HeaderDigest = \"CRC32C\" }, found a value under \(other.found)")
    }
    for (key, value) in table.fields {
      switch value {
      case .boolean(false): take(key, nil)
      case .string, .integer: take(key, value.plain)
      default:
        throw LuaFailure("\(path).\(key): expected a string, a number, or false to leave it out; found \(value.found)")
      }
    }
  }

  private static func chap(
    _ value: LuaValue, path: String, _ plan: inout LoginPlan, _ player: Player
  ) throws(LuaFailure) {
    if value.isNone { return }
    plan.credentials = challenging(try CHAPCredentials(value, path: path), player)
    plan.offer("AuthMethod", "CHAP")
  }

  /// With the challenge of mutual CHAP, drawn anew for each login.
  private static func challenging(_ credentials: CHAPCredentials, _ player: Player) -> CHAPCredentials {
    guard credentials.targetSecret != nil else { return credentials }
    var credentials = credentials
    credentials.challenge = (0..<16).map { _ in UInt8(player.draw("chap.challenge", in: 0...255)) }
    credentials.identifier = UInt8(player.draw("chap.identifier", in: 0...255))
    return credentials
  }

  /// Authenticates itself as a real target wants it of everybody, unless the script has credentials of its own. One that leaves
  /// authentication out, or offers it in its own way, would be refused for that and not for what it is about.
  static func authenticate(_ plan: inout LoginPlan, to target: TargetFacts, _ player: Player) throws(LuaFailure) {
    guard let credentials = target.credentials, plan.credentials == nil else { return }
    guard plan.stages.contains(.securityNegotiation), plan.securityKeys.contains(KeyValue("AuthMethod", "None")) else {
      throw HostLibrary.skipWithoutCHAP(player)
    }
    plan.authenticate(with: challenging(credentials, player))
  }

  /// `requests = { [1] = { set = { … }, split_at = … } }`: what differs in the nth Login Request, from 1.
  private static func requests(_ fields: inout Fields, _ plan: inout LoginPlan) throws(LuaFailure) {
    let value = fields.any("requests")
    guard case .table(let table) = value, table.kind == nil else {
      if value.isNone { return }
      throw fields.wrong("requests", value, "a table such as { [1] = { set = { csg = 1 } } }")
    }
    for (key, value) in table.entries {
      guard let number = key.int, number >= 1 else {
        throw fields.wrong("requests", key, "the numbers of Login Requests, from 1")
      }
      var inner = try Fields(value, path: "\(fields.path).requests[\(number)]")
      plan.overrides[Int(number) - 1] = try FieldOverride.list(
        inner.any("set"), opcode: .loginRequest, path: "\(inner.path).set")
      plan.wire[Int(number) - 1] = try WireOptions(&inner)
      try inner.finish()
    }
  }
}
