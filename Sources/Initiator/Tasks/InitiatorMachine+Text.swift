import ISCSI
import Ring

/// Text negotiation, RFC 7143 §11.10, §11.11.
extension InitiatorMachine {
  /// The most Text Requests of one negotiation.
  private static let textRoundsMax = 4096

  /// The longest answer that is kept, in bytes.
  private static let textLengthMax = 64 << 20

  func issueText(_ slot: Int, _ connection: Connection) {
    guard case .text(let state) = connection.session.slots[slot]?.kind else { return }
    let segment = max(
      1, state.request.segmentLength ?? Int(connection.parameters.targetMaxRecvDataSegmentLength))
    let part = Array(state.text[state.sentLength...].prefix(segment))
    let isFirst = state.rounds == 0
    state.sentLength += part.count
    state.rounds += 1
    let continues = state.sentLength < state.text.count
    var pdu = ProtocolDataUnit(.textRequest, isFinal: !continues, data: part)
    pdu.header.write { header in
      header.isContinued = continues
      header.targetTransferTag = state.targetTransferTag
      header.lun = state.lun
    }
    let sent = issue(
      pdu, for: slot, overrides: isFirst ? state.request.overrides : [],
      isFirst ? state.request.wire : WireOptions(), connection)
    state.saidFinal = sent.header.read { $0.isFinal }
  }

  func textResponse(_ pdu: ProtocolDataUnit, on connection: Connection) {
    guard let (slot, _, state) = answered(pdu, on: connection, \.text) else {
      return noteAnswer(pdu, on: connection)
    }
    let (isFinal, isContinued, tag, lun) = pdu.header.read {
      ($0.isFinal, $0.isContinued, $0.targetTransferTag, $0.lun)
    }
    if isFinal, isContinued { violation(.textMalformed, on: connection, "F and C", pdu) }
    // §11.11.1.
    if isFinal, !state.saidFinal { violation(.textMalformed, on: connection, "F to a request without F", pdu) }
    if isFinal != (tag == reservedTag) {
      violation(.transferTag, on: connection, "F \(isFinal ? 1 : 0) with tag \(String(tag, radix: 16))h", pdu)
    }
    state.received += pdu.data
    state.targetTransferTag = tag
    state.lun = lun
    if isFinal { return finishText(slot, state, pdu, on: connection) }
    guard state.rounds < Self.textRoundsMax, state.received.count < Self.textLengthMax else {
      violation(.textDoesNotEnd, on: connection, "no end after \(state.rounds) requests", pdu)
      return end(slot, connection, .text(bytes: state.received, pairs: []))
    }
    // While it waits for the window it has nothing to be answered, and goes on once.
    if !connection.session.waiting.contains(slot) { schedule(slot, connection) }
  }

  private func finishText(_ slot: Int, _ state: TextState, _ pdu: ProtocolDataUnit, on connection: Connection) {
    var pairs: [KeyValue] = []
    do throws(TextError) {
      pairs = try TextParser.pairs(of: state.received)
    } catch {
      violation(.textMalformed, on: connection, "\(error)", pdu)
    }
    connection.parameters.declare(initiator: Array(state.text[..<state.sentLength]), target: pairs)
    end(slot, connection, .text(bytes: state.received, pairs: pairs))
  }

  // MARK: What is declared anew

  /// Takes note of a Text Request that a script has built: what it declares holds when it has been answered.
  func noteTextRequest(_ pdu: ProtocolDataUnit, on connection: Connection) {
    let (tag, transferTag) = pdu.header.read { ($0.initiatorTaskTag, $0.targetTransferTag) }
    if transferTag == reservedTag || connection.scriptedText?.tag != tag {
      connection.scriptedText = ScriptedText(tag: tag)
    }
    connection.scriptedText?.sent += pdu.data
  }

  /// Takes note of a Text Response that no task waits for.
  private func noteAnswer(_ pdu: ProtocolDataUnit, on connection: Connection) {
    let (tag, isFinal) = pdu.header.read { ($0.initiatorTaskTag, $0.isFinal) }
    guard var text = connection.scriptedText, text.tag == tag else { return }
    text.received += pdu.data
    connection.scriptedText = isFinal || text.received.count > Self.textLengthMax ? nil : text
    guard isFinal else { return }
    connection.parameters.declare(
      initiator: text.sent, target: (try? TextParser.pairs(of: text.received)) ?? [])
  }
}
