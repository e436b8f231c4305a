import ISCSI

/// The login phase, RFC 7143 §6.
extension WatchedConnection {
  func loginRequest(_ pdu: ProtocolDataUnit) {
    pendingLogin = pdu.header
    pdu.header.read { header in
      identifier = header.connectionID
      negotiation.sent(header, text: pdu.data)
    }
  }

  func loginResponse(_ pdu: ProtocolDataUnit) {
    guard phase == .login else {
      return find(.outOfPhase, .target, "a Login Response in the full feature phase", pdu.header)
    }
    guard let request = pendingLogin else {
      // It may refuse what is no Login Request, or one of whose data it has not read all.
      if pdu.header.read({ $0.statusClass }) != 0 { return phase = .over }
      return find(.outOfPhase, .target, "a Login Response without a request", pdu.header)
    }
    pendingLogin = nil
    for (rule, detail) in pdu.header.read(negotiation.faults(of:)) { find(rule, .target, detail, pdu.header) }
    let status = pdu.header.read { $0.loginStatus }
    guard negotiation.theirLength + pdu.data.count <= Negotiation.textLengthMax else {
      find(.textDoesNotEnd, .target, "more than \(Negotiation.textLengthMax) bytes in a login", pdu.header)
      phase = .over
      return
    }
    var pairs: [KeyValue] = []
    do {
      pairs = try negotiation.received(pdu.data, continued: pdu.header.read { $0.isContinued }) ?? []
    } catch {
      find(.textMalformed, .target, "\(error)", pdu.header)
    }
    guard status >> 8 == 0 else {
      if LoginStatus(rawValue: status) == nil {
        find(.undefinedCode, .target, "login status \(String(status, radix: 16))h", pdu.header)
      }
      phase = .over
      return
    }
    for (rule, detail) in negotiation.faults(of: pairs) { find(rule, .target, detail, pdu.header) }
    let (transit, next) = pdu.header.read { ($0.isTransit, $0.nextStage) }
    if transit, next == LoginStage.fullFeature.rawValue { enterFullFeature(pdu, request) }
  }

  private func enterFullFeature(_ pdu: ProtocolDataUnit, _ request: BasicHeader) {
    let tsih = pdu.header.read { $0.tsih }
    let (isid, asked, cmdSN) = request.read { ($0.isid, $0.tsih, $0.cmdSN) }
    if tsih == 0 { find(.loginFieldMismatch, .target, "TSIH 0 in the final response", pdu.header) }
    // The target gives its handle with the last response: until then a request of a new session has none.
    let joins = asked != 0
    if joins, tsih != asked {
      find(.loginFieldMismatch, .target, "TSIH \(tsih), the session has \(asked)", pdu.header)
    }
    for key in negotiation.unanswered {
      find(.unansweredKey, .target, "\(key) was offered and not answered", pdu.header)
    }
    if !joins, !negotiation.isDiscovery, !negotiation.received.contains(where: { $0.key == "TargetPortalGroupTag" }) {
      find(.portalGroupTagMissing, .target, "no TargetPortalGroupTag in the login", pdu.header)
    }
    let name = SessionName(
      initiator: negotiation.offered(.initiatorName) ?? "", isid: isid, target: negotiation.offered(.targetName) ?? "",
      tsih: tsih)
    let session = monitor.session(name, isNew: !joins)
    parameters = negotiation.outcome(from: joins ? session.parameters : NegotiatedParameters())
    if !joins { session.parameters = parameters }
    session.begin(cmdSN)
    self.session = session
    phase = .fullFeature
    monitor.counters.logins += 1
    for index in streams.indices { streams[index].framer.digests = parameters.digests }
  }
}
