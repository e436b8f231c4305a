import ISCSI
import Ring

/// NOP-Out and NOP-In, RFC 7143 §11.18, §11.19.
extension InitiatorMachine {
  func issuePing(_ slot: Int, _ request: PingRequest, _ connection: Connection) {
    var pdu = ProtocolDataUnit(.nopOut, data: request.data)
    pdu.header.write { header in
      header.lun = request.lun
      header.targetTransferTag = reservedTag
    }
    _ = issue(pdu, for: slot, overrides: request.overrides, request.wire, connection)
  }

  func nopIn(_ pdu: ProtocolDataUnit, on connection: Connection) {
    let (tag, transferTag, lun) = pdu.header.read { ($0.initiatorTaskTag, $0.targetTransferTag, $0.lun) }
    if tag == reservedTag { return unsolicitedPing(pdu, transferTag, lun, on: connection) }
    if transferTag != reservedTag {
      violation(.transferTag, on: connection, "a NOP-In that answers has both tags", pdu)
    }
    guard let (slot, _, request) = answered(pdu, on: connection, \.ping) else { return }
    // The echo is cut to what this side takes.
    let expected = request.data.prefix(Int(connection.parameters.initiatorMaxRecvDataSegmentLength))
    if !pdu.data.elementsEqual(expected) {
      violation(.pingEchoWrong, on: connection, "\(pdu.data.count) bytes for \(expected.count)", pdu)
    }
    end(slot, connection, .ping(data: pdu.data))
  }

  private func unsolicitedPing(
    _ pdu: ProtocolDataUnit, _ transferTag: UInt32, _ lun: UInt64, on connection: Connection
  ) {
    if !pdu.data.isEmpty { violation(.unsolicitedPingMalformed, on: connection, "it has data", pdu) }
    // With the reserved tag the target only tells its numbers, and wants no answer.
    guard transferTag != reservedTag, connection.automatic.answersPings, connection.phase == .fullFeature else {
      return
    }
    var answer = ProtocolDataUnit(.nopOut)
    answer.header.write { header in
      header.isImmediate = true
      header.lun = lun
      header.initiatorTaskTag = reservedTag
      header.targetTransferTag = transferTag
      header.cmdSN = connection.session.cmdSN
      header.expStatSN = connection.acknowledgedStatSN
    }
    transmit(answer, WireOptions(), on: connection)
  }
}
