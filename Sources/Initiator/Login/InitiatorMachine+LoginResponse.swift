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
      connection.negotiation.tag = header.initiatorTaskTag
      connection.negotiation.firstTag = connection.negotiation.firstTag ?? header.initiatorTaskTag
      connection.negotiation.lastStage = header.currentStage
      connection.negotiation.lastNextStage = header.nextStage
      connection.negotiation.lastTransit = header.isTransit
      connection.negotiation.lastISID = header.isid
      connection.negotiation.requestCount += 1
      if !session.isEstablished {
        session.isid = header.isid
        session.cmdSN = header.cmdSN
      }
      connection.negotiation.sent(pdu.data, continued: header.isContinued)
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
    checkLoginFields(pdu, on: connection)
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

  private func checkLoginFields(_ pdu: ProtocolDataUnit, on connection: Connection) {
    let expected = connection.negotiation
    pdu.header.read { header in
      // Who refuses the change of it may go on to say the first.
      let isFirst = header.statusClass != 0 && header.initiatorTaskTag == expected.firstTag
      if header.initiatorTaskTag != expected.tag, !isFirst {
        violation(.loginFieldMismatch, on: connection, "Initiator Task Tag is not that of the request", pdu)
      }
      // The other fields mean nothing in a refusal.
      guard header.statusClass == 0 else { return }
      if header.isid != expected.lastISID {
        violation(.loginFieldMismatch, on: connection, "ISID is not that of the request", pdu)
      }
      if header.versionActive != 0 {
        violation(.loginFieldMismatch, on: connection, "Version-active is \(header.versionActive)", pdu)
      }
      if header.currentStage != expected.lastStage {
        violation(.loginStage, on: connection, "CSG \(header.currentStage) to \(expected.lastStage)", pdu)
      }
      if header.isTransit {
        if !expected.lastTransit {
          violation(.loginStage, on: connection, "T without T in the request", pdu)
        } else if header.nextStage > expected.lastNextStage || header.nextStage <= header.currentStage {
          // §6.3: the target selects the next stage, up to the one that was asked for.
          violation(.loginStage, on: connection, "NSG \(header.nextStage) to \(expected.lastNextStage)", pdu)
        }
        if header.isContinued { violation(.loginStage, on: connection, "T and C", pdu) }
      }
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
