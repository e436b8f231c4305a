import ISCSI
import Ring

/// Logout, RFC 7143 §11.14, §11.15.
extension InitiatorMachine {
  func issueLogout(_ slot: Int, _ request: LogoutRequest, _ connection: Connection) {
    var pdu = ProtocolDataUnit(.logoutRequest)
    pdu.header.write { header in
      header.logoutReason = request.reason
      if request.reason != LogoutReason.closeSession.rawValue || request.connectionID != nil {
        header.connectionID = request.connectionID ?? connection.number
      }
    }
    _ = issue(pdu, for: slot, overrides: request.overrides, request.wire, connection)
  }

  func logoutResponse(_ pdu: ProtocolDataUnit, on connection: Connection) {
    guard let (slot, _, request) = answered(pdu, on: connection, \.logout) else { return }
    let (response, time2Wait, time2Retain) = pdu.header.read { ($0.response, $0.time2Wait, $0.time2Retain) }
    if LogoutResponse(rawValue: response) == nil {
      violation(.undefinedCode, on: connection, "response \(response)", pdu)
    }
    end(slot, connection, .logout(response: response, time2Wait: time2Wait, time2Retain: time2Retain))
    guard response == LogoutResponse.closed.rawValue else { return }
    for other in connection.session.connections {
      guard let closed = self.connection(other), closed.phase == .fullFeature else { continue }
      let isMeant: Bool
      switch LogoutReason(rawValue: request.reason) {
      case .closeSession: isMeant = true
      case .closeConnection: isMeant = closed.number == request.connectionID ?? connection.number
      case .removeConnectionForRecovery, nil: isMeant = false
      }
      guard isMeant else { continue }
      closed.phase = .loggedOut
      if closed.automatic.closesAfterLogout, closed.closeWanted == nil { closed.closeWanted = .afterSending }
      wake(closed)
    }
  }
}
