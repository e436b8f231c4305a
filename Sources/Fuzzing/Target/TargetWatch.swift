import ISCSI

/// Reads what a target sends on one connection, and holds it to what must be so whatever it was sent itself: framing, digests,
/// the form of each PDU, and the numbers (RFC 7143 §4.2.2, §11).
struct TargetWatch {
  /// What holds for the next PDU of either side.
  private(set) var digests = DigestSettings()

  /// The last PDU has ended the login.
  private(set) var isLoggedIn = false
  private(set) var tsih: UInt16 = 0
  private(set) var faults: [String] = []

  private var framer = PDUFramer()
  /// The digests that the login has agreed on so far.
  private var agreed = DigestSettings()
  private var statSN: UInt32?
  private var expCmdSN: UInt32?
  private var maxCmdSN: UInt32?
  /// A login was refused, a logout granted: nothing follows.
  private var isOver = false

  /// Takes bytes; the PDUs that are complete with them.
  mutating func take(_ bytes: [UInt8]) -> [ProtocolDataUnit] {
    framer.append(bytes)
    var pdus: [ProtocolDataUnit] = []
    do throws(FramingError) {
      while let framed = try framer.next() {
        check(framed)
        pdus.append(framed.pdu)
        framer.digests = digests
      }
    } catch {
      faults.append("what the target sends cannot be cut into PDUs: \(error)")
    }
    return pdus
  }

  private mutating func fault(_ words: String, _ pdu: ProtocolDataUnit) { faults.append("\(words): \(pdu)") }

  private mutating func check(_ framed: FramedPDU) {
    let pdu = framed.pdu
    guard let opcode = pdu.opcode, !opcode.isFromInitiator else {
      return fault("an opcode that is not a target's", pdu)
    }
    if isOver { fault("a PDU behind the last one", pdu) }
    if framed.dataDigestIsWrong { fault("a wrong data digest", pdu) }
    if !framed.paddingIsZero { fault("padding that is not zero", pdu) }
    if !pdu.additionalHeaders.isEmpty { fault("additional headers", pdu) }
    let layout = HeaderLayout.of(opcode)
    if let byte = layout.firstReservedByteSet(in: pdu.header) { fault("reserved bits in byte \(byte)", pdu) }
    if layout.hasConstantBit, !pdu.header.read({ $0.isFinal }) { fault("no constant bit", pdu) }
    let isLogin = opcode == .loginResponse
    if isLogin, isLoggedIn { fault("a Login Response behind the login", pdu) }
    if !isLogin, !isLoggedIn { fault("a PDU before the end of the login", pdu) }
    checkNumbers(pdu, opcode)
    switch opcode {
    case .loginResponse: loginResponse(pdu)
    case .logoutResponse: isOver = pdu.header.read { $0.response } == LogoutResponse.closed.rawValue
    default: break
    }
  }

  private mutating func checkNumbers(_ pdu: ProtocolDataUnit, _ opcode: Opcode) {
    let (status, first, last, tag) = pdu.header.read { ($0.statSN, $0.expCmdSN, $0.maxCmdSN, $0.initiatorTaskTag) }
    let advances: Bool?
    switch opcode {
    // Without a status the field is reserved.
    case .dataIn: advances = pdu.header.read { $0.hasStatus } ? true : nil
    case .nopIn: advances = tag != reservedTag
    case .readyToTransfer: advances = false
    default: advances = true
    }
    if let advances {
      if let statSN, status != statSN { fault("StatSN \(status), expected \(statSN)", pdu) }
      statSN = advances ? status &+ 1 : status
    }
    // The window is that of the session, of which a login has none.
    guard isLoggedIn else { return }
    if !SerialNumber.precedesOrEquals(first, last &+ 1) { fault("a window below zero", pdu) }
    if let expCmdSN, SerialNumber.precedes(first, expCmdSN) { fault("ExpCmdSN has gone back from \(expCmdSN)", pdu) }
    if let maxCmdSN, SerialNumber.precedes(last, maxCmdSN) { fault("MaxCmdSN has gone back from \(maxCmdSN)", pdu) }
    expCmdSN = first
    maxCmdSN = last
  }

  private mutating func loginResponse(_ pdu: ProtocolDataUnit) {
    for pair in (try? TextParser.pairs(of: pdu.data)) ?? [] {
      if pair.key == Key.headerDigest.name { agreed.header = pair.value == "CRC32C" }
      if pair.key == Key.dataDigest.name { agreed.data = pair.value == "CRC32C" }
    }
    pdu.header.read { header in
      guard header.statusClass == 0 else {
        isOver = true
        return
      }
      guard header.isTransit, header.nextStage == LoginStage.fullFeature.rawValue else { return }
      isLoggedIn = true
      tsih = header.tsih
      digests = agreed
    }
  }
}
