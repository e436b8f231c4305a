import ISCSI
import Ring

/// Login (RFC 7143 §6), and what is to be known of the unit before the load begins.
extension LoadSession {
  /// The target may answer so many times before the login has to be through.
  private static let loginRoundsMax = 10
  private static let testsMax = 20
  /// The tag of requests that are not of the load.
  static let ownTag: UInt32 = 0x8000_0000

  /// Sends the next Login Request.
  ///
  /// - Parameters:
  ///   - keys: What authentication has to say in it.
  ///   - isLast: Whether nothing is left to say in this stage.
  func sendLogin(_ machine: LoadMachine, saying keys: [KeyValue] = [], isLast: Bool = true) {
    guard loginRounds < Self.loginRoundsMax else {
      return fail("is not logged in after \(loginRounds) requests", machine)
    }
    var text = TextWriter()
    for pair in keys { text.append(pair.key, pair.value) }
    var isLast = isLast
    if loginRounds == 0 {
      text.append("InitiatorName", configuration.initiatorName)
      text.append("SessionType", "Normal")
      text.append("TargetName", target.name)
      text.append("AuthMethod", configuration.credentials?.usualOffer ?? "None")
      isLast = authentication == nil
    } else if loginStage == .operationalNegotiation, !hasOffered {
      hasOffered = true
      text.append("HeaderDigest", configuration.headerDigest ? "CRC32C" : "None")
      text.append("DataDigest", configuration.dataDigest ? "CRC32C" : "None")
      text.append("InitialR2T", false)
      text.append("ImmediateData", true)
      text.append("MaxRecvDataSegmentLength", Self.segmentMax)
      text.append("MaxBurstLength", Self.segmentMax)
      text.append("FirstBurstLength", Self.segmentMax)
      text.append("DefaultTime2Wait", 2)
      text.append("DefaultTime2Retain", 0)
      text.append("MaxOutstandingR2T", 1)
      text.append("MaxConnections", 1)
      text.append("ErrorRecoveryLevel", 0)
      text.append("DataPDUInOrder", true)
      text.append("DataSequenceInOrder", true)
    }
    loginRounds += 1
    let next: LoginStage = loginStage == .securityNegotiation ? .operationalNegotiation : .fullFeature
    stage(.loginRequest, machine, copying: text.bytes) { header in
      header.isImmediate = true
      header.isTransit = isLast
      header.currentStage = self.loginStage.rawValue
      header.nextStage = isLast ? next.rawValue : 0
      header.isid = ISID(rawValue: 0x8000_0000_0000 | UInt64(self.index + 1))
      header.initiatorTaskTag = Self.ownTag
      header.cmdSN = self.cmdSN
      header.expStatSN = self.expStatSN
    }
  }

  func loginResponse(_ header: HeaderView, _ data: UnsafeRawBufferPointer, _ machine: LoadMachine) {
    guard phase == .login else { return fail("got a Login Response after the login", machine) }
    guard header.statusClass == 0 else {
      let wantsCHAP = authentication == nil && header.loginStatus == LoginStatus.authenticationFailure.rawValue
      let hint = wantsCHAP ? "; if it wants CHAP, give it a name and a secret with --chap FILE" : ""
      let status = LoginStatus.words(header.loginStatus, with: (try? TextParser.pairs(of: Array(data))) ?? [])
      return fail("was refused with login status \(status)\(hint)", machine)
    }
    let pairs: [KeyValue]
    do throws(TextError) { pairs = try TextParser.pairs(of: Array(data)) } catch {
      return fail("got a text that is none in the login: \(error)", machine)
    }
    for pair in pairs { take(pair) }
    if header.isTransit, header.nextStage == LoginStage.fullFeature.rawValue {
      if let why = authentication?.whyNotOver(with: pairs) { return fail("gives its login up: \(why)", machine) }
      return loggedIn(machine)
    }
    let step = authentication?.take(pairs)
    if header.isTransit { loginStage = .operationalNegotiation }
    switch step {
    case nil: sendLogin(machine)
    case .goOn(let keys): sendLogin(machine, saying: keys)
    case .wait(let keys): sendLogin(machine, saying: keys, isLast: false)
    case .fail(let why): fail("gives its login up: \(why)", machine)
    }
  }

  private func take(_ pair: KeyValue) {
    switch pair.key {
    case "HeaderDigest": headerDigest = pair.value == "CRC32C"
    case "DataDigest": dataDigest = pair.value == "CRC32C"
    case "MaxRecvDataSegmentLength": sendSegmentMax = min(max(Int(pair.value) ?? 8192, 512), Self.segmentMax)
    case "FirstBurstLength": firstBurstLength = min(max(Int(pair.value) ?? 65536, 512), 0xFF_FFFF)
    case "ImmediateData": immediateData = pair.value == "Yes"
    case "InitialR2T": initialR2T = pair.value == "Yes"
    default: break
    }
  }

  private func loggedIn(_ machine: LoadMachine) {
    guard headerDigest == configuration.headerDigest, dataDigest == configuration.dataDigest else {
      return fail(
        "was to have digests (header \(configuration.headerDigest), data \(configuration.dataDigest)), and the target "
          + "agreed to (header \(headerDigest), data \(dataDigest))", machine)
    }
    usesDigests = true
    phase = .testing
    sendOwnCommand([], expecting: 0, machine)
  }

  /// A command that is not of the load, with a CDB of 16 bytes at most.
  private func sendOwnCommand(_ cdb: [UInt8], expecting length: UInt32, _ machine: LoadMachine) {
    let number = cmdSN
    cmdSN &+= 1
    stage(.scsiCommand, machine) { header in
      header.lun = self.target.lun
      header.initiatorTaskTag = Self.ownTag
      header.isRead = length > 0
      header.taskAttribute = 1
      header.expectedDataTransferLength = length
      header.cmdSN = number
      header.expStatSN = self.expStatSN
      header.cdb.copyBytes(from: cdb)
    }
  }

  /// The answer to a command that is not of the load.
  func ownCommandEnded(_ header: HeaderView, _ data: UnsafeRawBufferPointer, _ machine: LoadMachine) {
    switch phase {
    case .testing where header.status != 0:
      tests += 1
      guard tests < Self.testsMax else {
        return fail(
          "has a unit that is not ready: TEST UNIT READY ended with \(outcome(of: header, data)) \(tests) times; is this its "
            + "LUN?", machine)
      }
      sendOwnCommand([], expecting: 0, machine)
    case .testing:
      phase = .sizing
      // READ CAPACITY(16): SERVICE ACTION IN(16), SBC-4 §5.21.
      sendOwnCommand([0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0], expecting: 32, machine)
    case .sizing where units > 0:
      phase = .ready
      machine.becameReady()
    case .sizing where header.status != 0:
      fail("does not say how large its unit is: READ CAPACITY(16) ended with \(outcome(of: header, data))", machine)
    case .sizing: fail("has no room for commands of \(configuration.length) bytes on its unit", machine)
    default:
      fail("got an answer to a command that it has not sent", machine)
    }
  }

  /// Parameter data of READ CAPACITY(16): last LBA, block length.
  func ownData(_ data: UnsafeRawBufferPointer, _ machine: LoadMachine) {
    guard phase == .sizing, data.count >= 12 else { return }
    let last = UInt64(bigEndian: data.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
    let blockLength = UInt64(UInt32(bigEndian: data.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
    let length = UInt64(configuration.length)
    guard blockLength >= 512, blockLength & (blockLength - 1) == 0, last < .max else {
      return fail("has a unit with blocks of \(blockLength) bytes: expected a power of two from 512", machine)
    }
    guard length % blockLength == 0 else {
      return fail("has blocks of \(blockLength) bytes: expected commands of a multiple of that, not \(length)", machine)
    }
    blockShift = UInt64(blockLength.trailingZeroBitCount)
    let (size, overflow) = (last + 1).multipliedReportingOverflow(by: blockLength)
    units = min(overflow ? .max : size, configuration.range ?? .max) / length
    // Sequential sessions start apart.
    if units > 0 { nextUnit = units / UInt64(configuration.sessions) * UInt64(index) % units }
  }

  func sendLogout(_ machine: LoadMachine) {
    phase = .loggingOut
    let number = cmdSN
    cmdSN &+= 1
    stage(.logoutRequest, machine) { header in
      header.initiatorTaskTag = Self.ownTag
      header.cmdSN = number
      header.expStatSN = self.expStatSN
    }
  }
}
