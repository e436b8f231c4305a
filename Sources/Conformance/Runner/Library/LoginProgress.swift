import ISCSI
import Initiator
import Ring

/// A login on its way: the connection, the negotiation, and the unit attentions of the new nexus.
final class LoginProgress {
  private let player: Player
  private let connection: ScriptConnection
  private let plan: LoginPlan
  private let options: LoginOptions
  private var session: ScriptSession?
  private var probe: ScriptTask?
  private var probes = 0

  /// The most unit attentions that are taken away.
  private static let probesMax = 8

  init(
    player: Player, connection: ScriptConnection, plan: LoginPlan, options: LoginOptions,
    session: ScriptSession? = nil
  ) {
    self.player = player
    self.connection = connection
    self.plan = plan
    self.options = options
    self.session = session
  }

  /// The session once it can be used, or how the login failed; nil while it is under way.
  func poll(mustSucceed: Bool, path: String) throws(LuaFailure) -> [LuaValue]? {
    guard let login = connection.login else {
      guard connection.isGone else { return nil }
      return try failed(nil, mustSucceed, path)
    }
    guard login.isSuccessful else { return try failed(login, mustSucceed, path) }
    let session = established(login)
    if options.clearsUnitAttention, probes < Self.probesMax, !connection.isGone {
      guard let probe else {
        try sendProbe(session)
        return nil
      }
      guard let result = probe.result else { return nil }
      if case .command(let outcome) = result.outcome, outcome.status == 0x02,
        PDULanguage.isUnitAttention(outcome.sense)
      {
        try sendProbe(session)
        return nil
      }
    }
    if mustSucceed { return [.handle(.session, Int64(session.index))] }
    return [.table(record(login, session))]
  }

  private func sendProbe(_ session: ScriptSession) throws(LuaFailure) {
    probes += 1
    var request = CommandRequest(cdb: [UInt8](repeating: 0, count: 6))
    request.lun = LogicalUnitNumber.encode(session.lun) ?? 0
    probe = try player.execute(request, on: session, what: "test_unit_ready") { _ in .none }
  }

  private func established(_ login: LoginResult) -> ScriptSession {
    if let session {
      if session.connection !== connection {
        session.connection = connection
        session.id = login.session
        session.login = login
        connection.session = session.index
        noteReinstatement(by: session)
      }
      return session
    }
    if let joined = options.session {
      // A further connection of a session: the script gets a session object for it, with the same numbering beneath.
      let session = ScriptSession(
        index: player.sessions.count, connection: connection, plan: plan, login: login, lun: joined.lun, joining: joined
      )
      return keep(session)
    }
    let lun = options.lun ?? player.playground.targets[connection.target].units.first?.lun ?? 0
    let session = ScriptSession(
      index: player.sessions.count, connection: connection, plan: plan, login: login, lun: lun)
    noteReinstatement(by: session)
    return keep(session)
  }

  /// It has taken the place of the session that the initiator had with the portal group, if it had one (RFC 7143 §6.3.5). A
  /// discovery session is another matter (§7.4.2.1), and one that joins a session leaves it as it is (§6.3.1).
  private func noteReinstatement(by session: ScriptSession) {
    guard plan.sessionType == .normal, plan.tsih ?? 0 == 0 else { return }
    player.durability.reinstated(session.nexus, target: connection.target)
    player.nexuses.arrived(session.nexus, target: connection.target)
  }

  private func keep(_ session: ScriptSession) -> ScriptSession {
    player.sessions.append(session)
    connection.session = session.index
    self.session = session
    return session
  }

  private func failed(_ login: LoginResult?, _ mustSucceed: Bool, _ path: String) throws(LuaFailure) -> [LuaValue] {
    if !mustSucceed { return [.table(record(login, nil))] }
    let how: String
    if let login, let status = login.status {
      how = "the target answered with status \(LoginStatus.words(status, with: login.received))"
    } else if let failure = connection.failure {
      how = "the connection failed: \(failure)"
    } else {
      how = "the connection was closed \(connection.closed.map(Player.words) ?? "")"
    }
    let message = "\(path): expected a login to \(plan.targetName ?? "the portal"); \(how)" + player.recorder.tail()
    throw LuaFailure(message)
  }

  private func record(_ login: LoginResult?, _ session: ScriptSession?) -> LuaTable {
    var fields: [(String, LuaValue)] = [("successful", .boolean(session != nil)), ("outcome", .text("login"))]
    if let status = login?.status { fields.append(("status", .integer(Int64(status)))) }
    if let session {
      fields.append(("session", .handle(.session, Int64(session.index))))
      fields.append(("tsih", .integer(Int64(session.login.tsih))))
    }
    fields.append(("connection", .handle(.connection, Int64(connection.index))))
    let received = (login?.received ?? []).map { ($0.key, LuaValue.text($0.value)) }
    fields.append(("received", .table(LuaTable(fields: received))))
    return LuaTable(kind: .result, fields: fields)
  }
}
