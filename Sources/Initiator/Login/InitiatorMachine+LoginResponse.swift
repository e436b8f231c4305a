import ISCSI
import Ring

/// Watching a login, whoever drives it.
extension InitiatorMachine {
  /// Takes note of a Login Request that goes out.
  func noteLoginRequest(_ pdu: ProtocolDataUnit, on connection: Connection) {
    let session = connection.session
    guard connection.phase == .login else { return }
    pdu.header.read { header in
      connection.number = header.connectionID
      if !session.isEstablished {
        session.isid = header.isid
        session.cmdSN = header.cmdSN
      }
      connection.negotiation.sent(header, text: pdu.data)
    }
  }

  func loginResponse(_ pdu: ProtocolDataUnit, on connection: Connection) {
    guard connection.phase == .login else {
      return violation(.outOfPhase, on: connection, "a Login Response in the full feature phase", pdu)
    }
    guard connection.negotiation.requestCount > 0 else {
      return violation(.outOfPhase, on: connection, "a Login Response without a request", pdu)
    }
    let status = pdu.header.read { $0.loginStatus }
    for (rule, detail) in pdu.header.read(connection.negotiation.faults(of:)) {
      violation(rule, on: connection, detail, pdu)
    }
    guard connection.negotiation.theirLength + pdu.data.count <= Negotiation.textLengthMax else {
      violation(.textDoesNotEnd, on: connection, "more than \(Negotiation.textLengthMax) bytes in a login", pdu)
      return fail(connection, .local)
    }
    var pairs: [KeyValue]?
    do {
      pairs = try connection.negotiation.received(pdu.data, continued: pdu.header.read { $0.isContinued })
    } catch {
      violation(.textMalformed, on: connection, "\(error)", pdu)
      pairs = []
    }
    guard status >> 8 == 0 else {
      if LoginStatus(rawValue: status) == nil {
        violation(.undefinedCode, on: connection, "login status \(String(status, radix: 16))h", pdu)
      }
      guard connection.driver != nil else { return }
      endLogin(connection, status: status)
      return fail(connection, .local)
    }
    for (rule, detail) in connection.negotiation.faults(of: pairs ?? []) {
      violation(rule, on: connection, detail, pdu)
    }
    let (transit, next) = pdu.header.read { ($0.isTransit, $0.nextStage) }
    if transit, next == LoginStage.fullFeature.rawValue {
      enterFullFeature(connection, pdu, pairs ?? [])
    } else {
      continueLogin(connection, pdu.header, pairs)
    }
  }

  private func enterFullFeature(_ connection: Connection, _ pdu: ProtocolDataUnit, _ pairs: [KeyValue]) {
    let session = connection.session
    let tsih = pdu.header.read { $0.tsih }
    if tsih == 0 { violation(.loginFieldMismatch, on: connection, "TSIH 0 in the final response", pdu) }
    if session.isEstablished, tsih != session.tsih {
      violation(.loginFieldMismatch, on: connection, "TSIH \(tsih), the session has \(session.tsih)", pdu)
    }
    if let why = connection.driver?.authentication?.whyNotOver(with: pairs) {
      violation(.authentication, on: connection, why, pdu)
      endLogin(connection, status: nil)
      return fail(connection, .local)
    }
    for key in connection.negotiation.unanswered {
      violation(.unansweredKey, on: connection, "\(key) was offered and not answered", pdu)
    }
    if !session.isEstablished, !connection.negotiation.isDiscovery,
      !connection.negotiation.received.contains(where: { $0.key == "TargetPortalGroupTag" })
    {
      violation(.portalGroupTagMissing, on: connection, "no TargetPortalGroupTag in the login", pdu)
    }
    var start = NegotiatedParameters()
    if session.isEstablished { start = session.parameters }
    connection.parameters = connection.negotiation.outcome(from: start)
    if !session.isEstablished { session.parameters = connection.parameters }
    session.tsih = tsih
    session.isEstablished = true
    connection.phase = .fullFeature
    connection.framer.digests = connection.parameters.digests
    tell(connection, .fullFeaturePhase(connection.parameters))
    endLogin(connection, status: 0)
  }
}
