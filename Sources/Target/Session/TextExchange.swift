import ISCSI
import Ring

/// A Text Request that is under way: what the initiator has sent so far of a text that goes on, or what the target has not
/// sent yet of a long answer (RFC 7143 §11.10, §11.11).
struct TextExchange {
  /// The tag and the I bit of the request; constant for the exchange (RFC 7143 §11.10.3).
  var tag: UInt32
  var isImmediate: Bool
  /// The target transfer tag that the next request of the exchange carries.
  var transferTag: UInt32
  /// The initiator's text so far, as far as it has not been answered.
  var gathered: [UInt8] = []
  /// The keys that it has said: none may be said twice in one exchange (RFC 7143 §6.4).
  var seen = KeySet()
  /// MaxRecvDataSegmentLength that it has declared, in bytes; it holds from the end of the exchange on.
  var newLength: Int?
  /// What is left of the answer.
  var answer: [UInt8] = []
}

extension TargetCore {
  mutating func textRequest(
    _ connection: UnsafeMutablePointer<Connection>, _ session: UnsafeMutablePointer<Session>, _ header: HeaderView,
    _ data: UnsafeRawBufferPointer
  ) {
    var exchange: TextExchange
    if header.targetTransferTag == reservedTag {
      // A new one; whatever was under way is dropped (RFC 7143 §11.10.4).
      connection.pointee.textCount &+= 1
      exchange = TextExchange(
        tag: header.initiatorTaskTag, isImmediate: header.isImmediate,
        transferTag: connection.pointee.textCount & 0x7FFF_FFFF)
    } else {
      guard let current = connection.pointee.text, current.transferTag == header.targetTransferTag,
        current.tag == header.initiatorTaskTag, current.isImmediate == header.isImmediate
      else { return rejectInTurn(connection, session, header, .invalidPDUField) }
      exchange = current
    }
    connection.pointee.text = nil
    if !exchange.answer.isEmpty {
      // The rest of a long answer is asked for with an empty request.
      guard data.isEmpty else { return rejectInTurn(connection, session, header, .protocolError) }
      return answer(connection, header, exchange, isFinal: header.isFinal)
    }
    guard exchange.gathered.count + data.count <= limits.textLengthMax else {
      return rejectInTurn(connection, session, header, .longOperationReject)
    }
    exchange.gathered.append(contentsOf: data)
    if header.isContinued || (!header.isFinal && data.isEmpty && exchange.gathered.isEmpty) {
      return answer(connection, header, exchange, isFinal: false)
    }
    var writer = TextWriter()
    let text = exchange.gathered
    exchange.gathered = []
    let reason = text.withUnsafeBytes { takeKeys($0, connection, session, &exchange, &writer) }
    if let reason { return rejectInTurn(connection, session, header, reason) }
    exchange.answer = writer.bytes
    answer(connection, header, exchange, isFinal: header.isFinal)
  }

  /// Sends one Text Response: as much of the answer as fits.
  private mutating func answer(
    _ connection: UnsafeMutablePointer<Connection>, _ request: HeaderView, _ exchange: TextExchange,
    isFinal wantsFinal: Bool = true
  ) {
    var exchange = exchange
    let count = min(exchange.answer.count, connection.pointee.sendLengthMax)
    let piece = Array(exchange.answer[..<count])
    exchange.answer.removeFirst(count)
    let hasMore = !exchange.answer.isEmpty
    let isFinal = wantsFinal && !hasMore
    let lun = request.lun
    guard let header = beginPDU(connection, .textResponse, isFinal: isFinal) else { return }
    header.isContinued = hasMore
    header.lun = isFinal ? 0 : lun
    header.initiatorTaskTag = exchange.tag
    header.targetTransferTag = isFinal ? reservedTag : exchange.transferTag
    stamp(connection, header, advance: true)
    piece.withUnsafeBytes { finishPDU(connection, header, copying: $0) }
    guard isFinal else {
      connection.pointee.text = exchange
      return
    }
    if let newLength = exchange.newLength { connection.pointee.sendLengthMax = newLength }
  }

  /// Answers the keys of a complete text. A reason when the whole exchange is to be rejected; then nothing has changed.
  private mutating func takeKeys(
    _ bytes: UnsafeRawBufferPointer, _ connection: UnsafeMutablePointer<Connection>,
    _ session: UnsafeMutablePointer<Session>, _ exchange: inout TextExchange, _ writer: inout TextWriter
  ) -> RejectReason? {
    var parser = TextParser(bytes)
    do throws(TextError) {
      while let pair = try parser.next() {
        guard let definition = KeyTable.find(pair.key) else {
          guard pair.value.count <= TextParser.valueLengthMax else { return .protocolError }
          writer.append(pair.key, "NotUnderstood")
          continue
        }
        guard !exchange.seen.contains(definition.key), pair.value.count <= definition.valueLengthMax else {
          return .protocolError
        }
        exchange.seen.insert(definition.key)
        guard definition.stages.contains(.fullFeature), definition.senders.contains(.initiator) else {
          return .protocolError
        }
        switch definition.key {
        case .sendTargets:
          if !sendTargets(pair.value, connection, session, &writer) { writer.append(pair.key, "Reject") }
        case .maxRecvDataSegmentLength:
          guard let number = pair.value.number, (512...0xFF_FFFF).contains(number) else { return .protocolError }
          exchange.newLength = Int(number)
        default:
          // Declarations that may be repeated and change nothing.
          break
        }
      }
    } catch {
      return .protocolError
    }
    return nil
  }

  /// SendTargets (RFC 7143 Appendix C). False when this session may not ask so.
  private func sendTargets(
    _ value: TextSlice, _ connection: UnsafeMutablePointer<Connection>, _ session: UnsafeMutablePointer<Session>,
    _ writer: inout TextWriter
  ) -> Bool {
    if value == "All" {
      guard session.pointee.isDiscovery else { return false }
      for index in configuration.nodes.indices { list(index, connection, session, &writer) }
      return true
    }
    if value.isEmpty {
      // The target of this session, which a discovery session has only if it was named.
      guard session.pointee.node >= 0 else { return false }
      list(Int(session.pointee.node), connection, session, &writer)
      return true
    }
    if let name = ISCSIName.normalized(value.bytes),
      let index = configuration.nodes.firstIndex(where: { $0.name == name }),
      session.pointee.isDiscovery || Int(session.pointee.node) == index
    {
      list(index, connection, session, &writer)
    }
    return true
  }

  /// The record of one node: its name, and where it is reached. Without an address it would be taken to be reached here
  /// (RFC 7143 Appendix C), so that there is none.
  private func list(
    _ index: Int, _ connection: UnsafeMutablePointer<Connection>, _ session: UnsafeMutablePointer<Session>,
    _ writer: inout TextWriter
  ) {
    let node = configuration.nodes[index]
    if let allowed = node.initiators, !allowed.contains(session.pointee.initiatorName) { return }
    var hasName = false
    for (number, portal) in configuration.portals.enumerated() where node.isReached(at: number) {
      var address = portal.address
      if address.isWildcard {
        // The address that the initiator reached works for it; another family's it could not tell apart.
        guard address.isIPv4 == connection.pointee.localAddress.isIPv4 else { continue }
        address = connection.pointee.localAddress
        address.port = portal.address.port
      }
      // A zone means something on this host only.
      address.zone = 0
      if !hasName { writer.append("TargetName", node.name) }
      hasName = true
      writer.append("TargetAddress", "\(address),\(portal.groupTag)")
    }
  }
}
