import ISCSI

/// One connection of a target that sends anything: what it knows of the initiator, so that what it sends may be right.
final class HostileTarget {
  let socket: Int

  /// What holds for the next PDU of either side.
  private(set) var digests = DigestSettings()

  /// The last requests, the latest last.
  private(set) var requests: [ProtocolDataUnit] = []
  private static let rememberedMax = 16

  /// It has shown in this login that it knows the secret (RFC 7143 §12.1.3).
  private(set) var hasProvenItself = false

  private var framer = PDUFramer()
  private var agreed = DigestSettings()
  private var statSN: UInt32 = 100
  private var expCmdSN: UInt32 = 1
  private var transferTags: UInt32 = 0
  private static let window: UInt32 = 8

  /// What it is to authenticate itself with.
  static let secret: [UInt8] = [2]

  init(socket: Int) { self.socket = socket }

  /// Takes what the initiator has sent, as far as it can be cut.
  func take(_ bytes: [UInt8]) {
    framer.append(bytes)
    while let framed = try? framer.next() {
      // Data are nothing that is answered.
      guard framed.pdu.opcode != .dataOut else { continue }
      requests.append(framed.pdu)
      if requests.count > Self.rememberedMax { requests.removeFirst() }
      framed.pdu.header.read { header in
        guard framed.pdu.opcode?.hasCmdSN == true, !header.isImmediate else { return }
        expCmdSN = SerialNumber.later(expCmdSN, header.cmdSN &+ 1)
      }
    }
  }

  /// One of the last requests; nil when there has been none.
  func request(_ place: Int) -> ProtocolDataUnit? {
    requests.isEmpty ? nil : requests[requests.count - 1 - place % requests.count]
  }

  /// A PDU of the target with its numbers, in answer to `request`.
  ///
  /// - Parameter advances: Whether it takes a StatSN.
  func reply(
    _ opcode: Opcode, to request: ProtocolDataUnit?, data: [UInt8] = [], advances: Bool = true
  ) -> ProtocolDataUnit {
    var pdu = ProtocolDataUnit(opcode, data: data)
    pdu.header.write {
      $0.initiatorTaskTag = request?.header.read { $0.initiatorTaskTag } ?? reservedTag
      $0.statSN = statSN
      $0.expCmdSN = expCmdSN
      $0.maxCmdSN = expCmdSN &+ Self.window &- 1
    }
    if advances { statSN &+= 1 }
    return pdu
  }

  // MARK: What is right

  /// What a correct target might answer to a request.
  func rightAnswer(to request: ProtocolDataUnit) -> ProtocolDataUnit {
    switch request.opcode {
    case .loginRequest: return loginResponse(to: request)
    case .scsiCommand: return commandResponse(to: request)
    case .textRequest:
      var pdu = reply(.textResponse, to: request, data: Array("TargetName=iqn.2026-11.example:disk\0".utf8))
      pdu.header.write { $0.targetTransferTag = reservedTag }
      return pdu
    case .taskManagementRequest: return reply(.taskManagementResponse, to: request)
    case .logoutRequest: return reply(.logoutResponse, to: request)
    default:
      var pdu = reply(.nopIn, to: request, data: request.data)
      pdu.header.write { $0.targetTransferTag = reservedTag }
      return pdu
    }
  }

  /// A PDU that is right has gone out: what it has changed.
  func noteSent(_ pdu: ProtocolDataUnit) {
    guard pdu.opcode == .loginResponse else { return }
    pdu.header.read { header in
      guard header.isTransit, header.nextStage == LoginStage.fullFeature.rawValue else { return }
      digests = agreed
      framer.digests = agreed
    }
  }

  /// Grants what a Login Request asks for, and agrees to all that it offers.
  private func loginResponse(to request: ProtocolDataUnit) -> ProtocolDataUnit {
    var writer = TextWriter()
    let pairs = (try? TextParser.pairs(of: request.data)) ?? []
    for pair in pairs {
      switch KeyTable.find(pair.key)?.key {
      case .headerDigest: agreed.header = pair.value == "CRC32C"
      case .dataDigest: agreed.data = pair.value == "CRC32C"
      case .chapAlgorithm:
        writer.append("CHAP_A", "5")
        writer.append("CHAP_I", 1)
        writer.append("CHAP_C", "0x01")
      case .chapChallenge:
        let challenge = Array(pair.value.utf8).withUnsafeBytes { TextSlice($0).binary(lengthMax: 1024) }
        let identifier = UInt8(pairs.last { $0.key == "CHAP_I" }?.value ?? "") ?? 0
        let proof = CHAPAlgorithm.md5.response(
          identifier: identifier, secret: Self.secret, challenge: challenge ?? [])
        writer.append("CHAP_N", "target")
        writer.append("CHAP_R", "0x" + TextEncoding.hexadecimal(proof))
        hasProvenItself = true
      default: break
      }
      if let kind = KeyTable.find(pair.key)?.kind, !kind.isDeclarative, kind != .authentication {
        writer.append(pair.key, pair.value)
      }
    }
    if requests.count < 2 { writer.append("TargetPortalGroupTag", 1) }
    var pdu = reply(.loginResponse, to: request, data: writer.bytes)
    pdu.header.write { header in
      header.flags = request.header.read { $0.flags }
      header.isContinued = false
      header.isid = request.header.read { $0.isid }
      header.tsih = header.isTransit && header.nextStage == LoginStage.fullFeature.rawValue ? 7 : 0
      header.initiatorTaskTag = request.header.read { $0.initiatorTaskTag }
    }
    return pdu
  }

  /// The data of a read and its status, or the status of anything else.
  private func commandResponse(to request: ProtocolDataUnit) -> ProtocolDataUnit {
    let (isRead, length) = request.header.read { ($0.isRead, Int($0.expectedDataTransferLength)) }
    guard isRead, length <= 65_536 else { return reply(.scsiResponse, to: request) }
    var data = pattern(length)
    // READ CAPACITY(16), SBC-4 §5.21: a small unit with blocks of 512 bytes.
    if request.header.bytes[32] == 0x9E, length >= 12 {
      data.replaceSubrange(0..<12, with: [0, 0, 0, 0, 0, 0, 3, 0xFF, 0, 0, 2, 0])
    }
    var pdu = reply(.dataIn, to: request, data: data)
    pdu.header.write {
      $0.hasStatus = true
      $0.targetTransferTag = reservedTag
    }
    return pdu
  }

  // MARK: What may be wrong

  private static let opcodes: [Opcode] = [
    .scsiResponse, .dataIn, .readyToTransfer, .nopIn, .textResponse, .taskManagementResponse, .asyncMessage, .reject,
    .logoutResponse, .loginResponse, .nopOut,
  ]

  /// Something that may be an answer to a request, as the input has it.
  func anyAnswer(_ input: inout FuzzInput, to request: ProtocolDataUnit?) -> ProtocolDataUnit {
    let opcode = input.pick(Self.opcodes)
    let how = input.flags()
    var data = how[0] ? input.run() : pattern([0, 512, 48, 4000][Int(how.byte >> 6)])
    if opcode == .reject, let request { data = request.header.array }
    let advances = opcode != .readyToTransfer && (opcode != .dataIn || how[1])
    var pdu = reply(opcode, to: request, data: data, advances: advances)
    transferTags &+= 1
    pdu.header.write { header in
      if opcode != .dataIn, opcode != .scsiResponse, opcode != .loginResponse {
        header.lun = request?.header.read { $0.lun } ?? 0
        header.targetTransferTag = how[2] ? transferTags : reservedTag
      }
      switch opcode {
      case .dataIn:
        header.isFinal = !how[3]
        header.hasStatus = how[1]
        if !how[1] { header.statSN = 0 }
        header.targetTransferTag = reservedTag
        header.dataSN = UInt32(input.byte())
        header.bufferOffset = UInt32(input.byte()) * 512
      case .readyToTransfer:
        header.targetTransferTag = transferTags
        header.r2tSN = UInt32(input.byte())
        header.bufferOffset = UInt32(input.byte()) * 512
        header.desiredDataTransferLength = UInt32(input.word16())
      case .scsiResponse:
        header.status = how[3] ? 2 : 0
        header.residualCount = UInt32(input.byte())
      case .asyncMessage: header.flags = 0x80
      default: break
      }
      if how[4] { header.flags = input.byte() }
      if opcode == .asyncMessage || opcode == .reject { header.initiatorTaskTag = reservedTag }
      if opcode == .asyncMessage { header.asyncEvent = input.byte() }
    }
    return pdu
  }
}
