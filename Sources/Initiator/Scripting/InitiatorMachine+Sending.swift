import ISCSI
import Ring

/// What was made of a template.
public struct SentPDU: Sendable {
  public var pdu: ProtocolDataUnit
  public var initiatorTaskTag: UInt32

  /// The CmdSN in the PDU; 0 where it has none.
  public var cmdSN: UInt32
}

extension InitiatorMachine {
  /// Sends a PDU of the script's making; see ``PDUTemplate`` for what is filled in.
  ///
  /// It is not a task: nothing follows by itself, and the answer is told as a PDU. A login that is sent so is watched all
  /// the same, and takes the connection into the full feature phase with its outcome.
  @discardableResult
  public func send(_ template: PDUTemplate, on id: ConnectionID) throws(InitiatorError) -> SentPDU {
    let connection = try open(id)
    var pdu = try complete(template, on: connection)
    let opcode = Opcode(rawValue: template.opcodeBits)
    let session = connection.session
    let hasCmdSN = opcode?.hasCmdSN ?? false
    if hasCmdSN { pdu.header.write { $0.cmdSN = session.cmdSN } }
    if opcode?.isFromInitiator ?? true { pdu.header.write { $0.expStatSN = connection.acknowledgedStatSN } }
    try pdu.apply(template.overrides)
    let (tag, number, isImmediate) = pdu.header.read { ($0.initiatorTaskTag, $0.cmdSN, $0.isImmediate) }
    if hasCmdSN, !isImmediate {
      if template.overrides.contains(where: { $0.name == "cmdsn" }) {
        session.numbersAreScripted = true
      } else {
        session.cmdSN &+= 1
      }
    }
    session.noteScriptedTag(tag)
    if opcode == .snackRequest { noteLoss(pdu.header, on: connection) }
    if opcode == .textRequest { noteTextRequest(pdu, on: connection) }
    transmit(pdu, template.wire, on: connection)
    if opcode == .dataOut { noteDataOut(pdu, on: connection) }
    return SentPDU(pdu: pdu, initiatorTaskTag: tag, cmdSN: hasCmdSN ? number : 0)
  }

  /// The template's PDU with everything but numbers and overrides.
  private func complete(_ template: PDUTemplate, on connection: Connection) throws(InitiatorError) -> ProtocolDataUnit {
    try ProtocolDataUnit.check(template.overrides, opcodeBits: template.opcodeBits)
    let opcode = Opcode(rawValue: template.opcodeBits)
    var additional = template.additionalHeaders
    if template.cdb.count > 16 { additional += try Self.extendedCDB(template.cdb) }
    var pdu = ProtocolDataUnit(
      opcode ?? .nopOut, isFinal: opcode != .loginRequest, additionalHeaders: additional, data: template.data)
    let session = connection.session
    let setsTag = template.overrides.contains { $0.name == "itt" }
    pdu.header.write { header in
      header.opcodeBits = template.opcodeBits
      switch opcode {
      case .dataOut, .snackRequest: header.initiatorTaskTag = reservedTag
      case .loginRequest: header.initiatorTaskTag = connection.negotiation.tag
      default: if !setsTag { header.initiatorTaskTag = session.scriptedTag() }
      }
      switch opcode {
      case .nopOut, .textRequest, .dataOut, .snackRequest: header.targetTransferTag = reservedTag
      case .taskManagementRequest: header.referencedTaskTag = reservedTag
      case .logoutRequest: header.connectionID = connection.number
      case .scsiCommand:
        header.taskAttribute = 1
        for (index, byte) in template.cdb.prefix(16).enumerated() { header.cdb[index] = byte }
      case .loginRequest:
        header.isImmediate = true
        header.isid = session.isid
        header.tsih = session.tsih
        header.connectionID = connection.number
      default: break
      }
    }
    return pdu
  }

  /// The additional header of a CDB above 16 bytes, RFC 7143 §11.2.2.3.
  static func extendedCDB(_ cdb: [UInt8]) throws(InitiatorError) -> [UInt8] {
    guard (17...260).contains(cdb.count) else { throw .badCDB }
    let length = cdb.count - 15
    var header: [UInt8] = [0, 0, AdditionalHeaderType.extendedCDB.rawValue, 0] + cdb[16...]
    header[0] = UInt8(truncatingIfNeeded: length >> 8)
    header[1] = UInt8(truncatingIfNeeded: length)
    while header.count % 4 != 0 { header.append(0) }
    return header
  }

  /// Puts a finished PDU on its way.
  func transmit(_ pdu: ProtocolDataUnit, _ wire: WireOptions, on connection: Connection) {
    if tellsPDUs { tell(connection, .pduSent(pdu)) }
    if pdu.opcode == .loginRequest { noteLoginRequest(pdu, on: connection) }
    let inFullFeature = connection.phase == .fullFeature || connection.phase == .loggedOut
    var options = EncodingOptions(
      digests: wire.digests ?? (inFullFeature ? connection.parameters.digests : DigestSettings()))
    options.headerDigestFlip = wire.headerDigestFlip
    options.dataDigestFlip = wire.dataDigestFlip
    options.padByte = wire.padByte
    enqueue(pdu.encoded(options), wire, on: connection)
  }
}
