import ISCSI
import Initiator
import Ring
import Testing

@Suite struct LoginTests {
  private let ring = HandFedRing()

  private func start(_ plan: LoginPlan) throws -> (ConnectionID, ProtocolDataUnit) {
    let id = try ring.machine.connect(to: PlayedTarget.address)
    try ring.machine.login(plan, on: id)
    ring.run()
    return (id, try #require(try ring.takePDUs().first))
  }

  private func text(_ pairs: (String, String)...) -> [UInt8] {
    var writer = TextWriter()
    for (key, value) in pairs { writer.append(key, value) }
    return writer.bytes
  }

  private func respond(
    _ request: ProtocolDataUnit, _ pairs: (String, String)..., statSN: UInt32 = 100,
    change: (MutableHeaderView) -> Void = { _ in }
  ) {
    var writer = TextWriter()
    for (key, value) in pairs { writer.append(key, value) }
    ring.deliver(PlayedTarget.loginResponse(to: request, data: writer.bytes, statSN: statSN, change))
  }

  /// Up to the initiator's response to CHAP, with which it challenges the target: by 3, for the secret 2.
  private func startMutualAuthentication() throws {
    var plan = LoginPlan()
    plan.stages = [.securityNegotiation]
    plan.credentials = CHAPCredentials(name: "user", secret: [1])
    plan.credentials?.targetSecret = [2]
    plan.credentials?.challenge = [3]
    let (_, first) = try start(plan)
    respond(first, ("AuthMethod", "CHAP"))
    respond(try #require(try ring.takePDUs().first), ("CHAP_A", "5"), ("CHAP_I", "1"), ("CHAP_C", "0x01"), statSN: 101)
  }

  @Test func twoStagesToTheFullFeaturePhase() throws {
    var plan = LoginPlan()
    plan.targetName = "iqn.2026-11.example:disk"
    plan.isid = ISID(random: 0xABCDEF, qualifier: 9)
    plan.connectionID = 3
    plan.firstCmdSN = 0xFFFF_FFFF
    plan.operationalKeys = [KeyValue("HeaderDigest", "CRC32C,None"), KeyValue("InitialR2T", "No")]
    let (id, first) = try start(plan)
    first.header.read { header in
      #expect(header.firstByte == 0x43)
      #expect(header.isTransit && header.currentStage == 0 && header.nextStage == 1)
      #expect(header.isid == plan.isid && header.tsih == 0 && header.connectionID == 3)
      #expect(header.cmdSN == 0xFFFF_FFFF)
    }
    #expect(
      try TextParser.pairs(of: first.data).map(\.key) == ["InitiatorName", "TargetName", "SessionType", "AuthMethod"])
    func numbers(_ header: MutableHeaderView) {
      header.expCmdSN = 0xFFFF_FFFF
      header.maxCmdSN = 10
    }
    respond(first, ("AuthMethod", "None"), ("TargetPortalGroupTag", "1"), change: numbers)
    let second = try #require(try ring.takePDUs().first)
    #expect(second.header.read { $0.isTransit && $0.currentStage == 1 && $0.nextStage == 3 })
    #expect(second.header.read { $0.expStatSN } == 101)
    respond(second, ("HeaderDigest", "CRC32C"), ("InitialR2T", "No"), statSN: 101, change: numbers)
    #expect(ring.events.allSatisfy { if case .violation = $0.kind { false } else { true } })
    let login = try #require(ring.takeLogin())
    #expect(login.isSuccessful && login.status == 0 && login.tsih == 7)
    #expect(login.parameters.digests == DigestSettings(header: true))
    #expect(!login.parameters.initialR2T)
    #expect(ring.machine.status(of: id)?.phase == .fullFeature)

    // From here on with the digest, and the CmdSN of the login.
    _ = try ring.machine.ping(PingRequest(), on: id)
    ring.run()
    let ping = try #require(try ring.takePDUs(digests: DigestSettings(header: true)).first)
    #expect(ping.header.read { $0.cmdSN } == 0xFFFF_FFFF)
    #expect(ping.header.read { $0.expStatSN } == 102)
  }

  /// RFC 7143 §6.3: the target selects the next stage, and not beyond the one that was asked for.
  @Test func theTargetSelectsTheNextStage() throws {
    var plan = LoginPlan()
    plan.stages = [.securityNegotiation]
    let (_, first) = try start(plan)
    #expect(first.header.read { $0.isTransit && $0.nextStage == 3 })
    respond(first, ("AuthMethod", "None"), ("TargetPortalGroupTag", "1")) { $0.nextStage = 1 }
    let second = try #require(try ring.takePDUs().first)
    #expect(second.header.read { $0.isTransit && $0.currentStage == 1 && $0.nextStage == 3 } && second.data.isEmpty)
    respond(second, statSN: 101)
    #expect(ring.takeLogin()?.isSuccessful == true)
    #expect(ring.takeViolations() == [])
  }

  @Test func aStageBeyondTheOneAskedForBreaksARule() throws {
    let (_, request) = try start(LoginPlan())
    respond(request, ("AuthMethod", "None"), ("TargetPortalGroupTag", "1")) {
      $0.nextStage = 3
      $0.tsih = 7
    }
    #expect(ring.takeViolations().contains(.loginStage))
  }

  /// T without T in the request.
  @Test func theTargetDoesNotLeaveAStageUnasked() throws {
    var plan = LoginPlan.negotiating()
    plan.transitsAtOnce = false
    let (_, request) = try start(plan)
    #expect(request.header.read { !$0.isTransit })
    respond(request, ("TargetPortalGroupTag", "1")) { header in
      header.isTransit = true
      header.nextStage = LoginStage.fullFeature.rawValue
      header.tsih = 7
    }
    #expect(ring.takeViolations() == [.loginStage])
  }

  @Test(arguments: ["HeaderDigest", "HeaderDigest\0", "=None\0"])
  func theTextOfALoginIsWellFormed(text: String) throws {
    let (_, request) = try start(LoginPlan())
    ring.deliver(
      PlayedTarget.loginResponse(to: request, data: Array("AuthMethod=None\0\(text)".utf8)) { header in
        header.isTransit = false
        header.nextStage = 0
      })
    #expect(ring.takeViolations() == [.textMalformed])
  }

  /// RFC 7143 §4.2.2: numbers go on behind 2^32 - 1.
  @Test func statSNGoesOnBehindItsEnd() throws {
    let (id, request) = try start(.negotiating())
    respond(request, ("TargetPortalGroupTag", "1"), statSN: .max - 1)
    for number in [UInt32.max, 0, 1] {
      _ = try ring.machine.ping(PingRequest(), on: id)
      ring.run()
      let ping = try #require(try ring.takePDUs().first)
      #expect(ping.header.read { $0.expStatSN } == number)
      var answer = ProtocolDataUnit(.nopIn)
      answer.header.write { header in
        header.initiatorTaskTag = ping.header.read { $0.initiatorTaskTag }
        header.targetTransferTag = reservedTag
        header.statSN = number
        header.expCmdSN = ping.header.read { $0.cmdSN } &+ 1
        header.maxCmdSN = header.expCmdSN &+ 31
      }
      ring.deliver(answer)
    }
    #expect(ring.takeViolations() == [])
  }

  /// RFC 7143 §11.13: most fields of a refusal are reserved, or nobody has filled them in.
  @Test func theNumbersOfARefusalMeanNothing() throws {
    var plan = LoginPlan()
    plan.operationalKeys = []
    let (_, first) = try start(plan)
    respond(first, ("AuthMethod", "None"), ("TargetPortalGroupTag", "1"))
    let second = try #require(try ring.takePDUs().first)
    respond(second, statSN: 0) { header in
      header.loginStatus = LoginStatus.targetMovedTemporarily.rawValue
      header.expCmdSN = 0
      header.maxCmdSN = 0
    }
    #expect(ring.takeViolations() == [])
  }

  @Test func aRefusalEndsTheLogin() throws {
    let (id, request) = try start(LoginPlan())
    respond(request, ("TargetAddress", "192.0.2.9:3260,1")) {
      $0.isTransit = false
      $0.currentStage = 0
      $0.nextStage = 0
      $0.loginStatus = LoginStatus.targetMovedTemporarily.rawValue
    }
    let login = try #require(ring.takeLogin())
    #expect(!login.isSuccessful && login.status == 0x0101)
    #expect(login.received == [KeyValue("TargetAddress", "192.0.2.9:3260,1")])
    #expect(ring.machine.status(of: id)?.phase == .closed)
  }

  @Test func aLostConnectionEndsTheLogin() throws {
    _ = try start(LoginPlan())
    ring.end(.connectionReset)
    #expect(try #require(ring.takeLogin()).status == nil)
  }

  /// In whatever many parts: they are not what a login that does not end is told by.
  @Test(arguments: [100, 4]) func longTextIsCutAndContinued(length: Int) throws {
    var plan = LoginPlan()
    plan.stages = [.operationalNegotiation]
    plan.segmentLength = length
    let (_, first) = try start(plan)
    var pdus = [first]
    while pdus.last?.header.read({ $0.isContinued }) == true {
      #expect(pdus.last?.data.count == length)
      #expect(pdus.last?.header.read { $0.isTransit } == false)
      respond(first, statSN: 100 + UInt32(pdus.count - 1)) {
        $0.isTransit = false
        $0.currentStage = 1
        $0.nextStage = 0
      }
      pdus.append(try #require(try ring.takePDUs().first))
    }
    #expect(pdus.count > 2)
    #expect(pdus.last?.header.read { $0.isTransit } == true)
    let pairs = try TextParser.pairs(of: pdus.flatMap(\.data))
    #expect(pairs.suffix(LoginPlan.usualKeys.count) == LoginPlan.usualKeys[...])
  }

  /// Each is held against all that was said before, by both sides.
  @Test(.timeLimit(.minutes(1))) func veryManyKeysAreTakenInTime() throws {
    let (_, request) = try start(LoginPlan())
    var writer = TextWriter()
    for number in 0..<28_000 { writer.append("K\(number)", "") }
    ring.deliver(PlayedTarget.loginResponse(to: request, data: writer.bytes) { $0.isTransit = false })
    #expect(ring.takeViolations() == [.dataSegmentTooLong])
    let answer = try #require(try ring.takePDUs().first)
    #expect(answer.data.starts(with: "K0=NotUnderstood\0".utf8))
  }

  @Test func aTextThatIsMuchTooLongEndsTheLogin() throws {
    let (id, request) = try start(LoginPlan())
    for number in 0..<5 {
      var writer = TextWriter()
      writer.append("X-\(number)", String(repeating: "y", count: 60_000))
      ring.deliver(
        PlayedTarget.loginResponse(to: request, data: writer.bytes, statSN: 100 + UInt32(number)) {
          $0.isTransit = false
          $0.isContinued = true
        })
    }
    #expect(ring.takeViolations().last == .textDoesNotEnd)
    #expect(try #require(ring.takeLogin()).status == nil)
    #expect(ring.machine.status(of: id)?.phase == .closed)
  }

  @Test func keysThatTheTargetBringsUpAreAnswered() throws {
    let (_, first) = try start(.negotiating())
    respond(
      first, ("MaxBurstLength", "4096"), ("DataDigest", "CRC32C,None"), ("IFMarker", "Yes"), ("X-com.example", "1"),
      ("MaxRecvDataSegmentLength", "1024")
    ) {
      $0.isTransit = false
      $0.nextStage = 0
    }
    let second = try #require(try ring.takePDUs().first)
    #expect(
      try TextParser.pairs(of: second.data) == [
        KeyValue("MaxBurstLength", "4096"), KeyValue("DataDigest", "CRC32C"), KeyValue("IFMarker", "Reject"),
        KeyValue("X-com.example", "NotUnderstood"),
      ])
    respond(second, statSN: 101)
    let login = try #require(ring.takeLogin())
    #expect(login.parameters.maxBurstLength == 4096)
    #expect(login.parameters.digests == DigestSettings(data: true))
    #expect(login.parameters.targetMaxRecvDataSegmentLength == 1024)
    #expect(login.parameters.firstBurstLength == 4096)
  }

  @Test(arguments: [false, true]) func mutualCHAP(base64: Bool) throws {
    var plan = LoginPlan()
    plan.stages = [.securityNegotiation]
    var credentials = CHAPCredentials(name: "user", secret: Array("a secret of ours".utf8))
    credentials.algorithms = "7,5"
    credentials.targetSecret = Array("a secret of theirs".utf8)
    credentials.challenge = [9, 8, 7]
    credentials.identifier = 42
    credentials.usesBase64 = base64
    plan.credentials = credentials
    let (_, first) = try start(plan)
    #expect(first.header.read { !$0.isTransit })
    #expect(try TextParser.pairs(of: first.data).last == KeyValue("AuthMethod", "CHAP"))
    respond(first, ("AuthMethod", "CHAP"))
    let second = try #require(try ring.takePDUs().first)
    #expect(try TextParser.pairs(of: second.data) == [KeyValue("CHAP_A", "7,5")])
    respond(second, ("CHAP_A", "5"), ("CHAP_I", "200"), ("CHAP_C", "0x010203"), statSN: 101)
    let third = try #require(try ring.takePDUs().first)
    #expect(third.header.read { $0.isTransit && $0.nextStage == 3 })
    let ours = CHAPAlgorithm.md5.response(identifier: 200, secret: credentials.secret, challenge: [1, 2, 3])
    let pairs = try TextParser.pairs(of: third.data)
    #expect(pairs[0] == KeyValue("CHAP_N", "user"))
    #expect(
      pairs[1].value == (base64 ? "0b" + TextEncoding.base64(ours) : "0x" + TextEncoding.hexadecimal(ours)))
    #expect(pairs[2] == KeyValue("CHAP_I", "42"))
    let theirs = CHAPAlgorithm.md5.response(
      identifier: 42, secret: Array("a secret of theirs".utf8), challenge: [9, 8, 7])
    respond(third, ("CHAP_N", "target"), ("CHAP_R", "0x" + TextEncoding.hexadecimal(theirs)), statSN: 102)
    #expect(try #require(ring.takeLogin()).isSuccessful)
  }

  @Test(arguments: [SessionType.normal, .discovery])
  func whoOnlyAuthenticatesItselfIsServedWithoutAsWell(type: SessionType) throws {
    var plan = LoginPlan()
    plan.stages = [.securityNegotiation]
    plan.sessionType = type
    var credentials = CHAPCredentials(name: "user", secret: [1])
    // In a discovery session the target need not know one.
    if type == .discovery { credentials.targetSecret = [2] }
    plan.authenticate(with: credentials)
    let (_, first) = try start(plan)
    #expect(try TextParser.pairs(of: first.data).last == KeyValue("AuthMethod", "CHAP,None"))
    respond(first, ("AuthMethod", "None"))
    let second = try #require(try ring.takePDUs().first)
    #expect(second.header.read { $0.isTransit } && second.data.isEmpty)
    respond(second, statSN: 101)
    #expect(try #require(ring.takeLogin()).isSuccessful)
  }

  @Test func aTargetThatFailsToAuthenticateItselfIsLeft() throws {
    try startMutualAuthentication()
    respond(
      try #require(try ring.takePDUs().first), ("CHAP_N", "t"), ("CHAP_R", "0x00112233445566778899aabbccddeeff"),
      statSN: 102)
    #expect(ring.closeReasons == [.local])
    let broken = ring.events.contains {
      if case .violation(let violation) = $0.kind { violation.rule == .authentication } else { false }
    }
    #expect(broken)
    #expect(try #require(ring.takeLogin()).isSuccessful == false)
  }

  /// Whoever is to authenticate himself does so, or is left: he may neither choose to do without, nor end the login before.
  @Test(arguments: ["chooses None", "ends the login at once", "ends the login instead of a challenge"])
  func aTargetThatDoesWithoutItsAuthenticationIsLeft(how: String) throws {
    var plan = LoginPlan()
    plan.stages = [.securityNegotiation]
    plan.credentials = CHAPCredentials(name: "user", secret: [1])
    plan.credentials?.targetSecret = [2]
    var request = try start(plan).1
    func end(_ header: MutableHeaderView) {
      header.isTransit = true
      header.nextStage = LoginStage.fullFeature.rawValue
      header.tsih = 7
    }
    switch how {
    case "chooses None": respond(request, ("AuthMethod", "None"))
    case "ends the login at once": respond(request, change: end)
    default:
      respond(request, ("AuthMethod", "CHAP"))
      request = try #require(try ring.takePDUs().first)
      respond(request, statSN: 101, change: end)
    }
    if let next = try ring.takePDUs().first { respond(next, statSN: 101) }
    #expect(ring.takeViolations().contains(.authentication))
    #expect(ring.closeReasons == [.local])
    #expect(try #require(ring.takeLogin()).isSuccessful == false)
  }

  /// A weaker one than were offered, for instance.
  @Test(arguments: [("5", []), ("6", [ViolationRule.authentication])] as [(String, [ViolationRule])])
  func theTargetChoosesAmongTheAlgorithmsThatWereOffered(algorithm: String, rules: [ViolationRule]) throws {
    var plan = LoginPlan()
    plan.stages = [.securityNegotiation]
    plan.credentials = CHAPCredentials(name: "user", secret: [1])
    plan.credentials?.algorithms = "7,5"
    let (_, first) = try start(plan)
    respond(first, ("AuthMethod", "CHAP"))
    respond(
      try #require(try ring.takePDUs().first), ("CHAP_A", algorithm), ("CHAP_I", "1"), ("CHAP_C", "0x01"), statSN: 101)
    #expect(ring.takeViolations() == rules)
  }

  /// RFC 7143 §12.1.3: the method is chosen, and there is a challenge, with an identifier of one byte.
  @Test(
    arguments: [
      ([KeyValue("X-a", "b")], nil),
      ([], [KeyValue("CHAP_I", "256"), KeyValue("CHAP_C", "0x01")]), ([], [KeyValue("CHAP_C", "0x01")]),
      ([], [KeyValue("CHAP_I", "1")]), ([], [KeyValue("CHAP_I", "1"), KeyValue("CHAP_C", "01")]),
      ([], [KeyValue("CHAP_I", "1"), KeyValue("CHAP_C", "0x")]),
    ] as [([KeyValue], [KeyValue]?)])
  func aTargetThatDoesNotAskAsItShouldIsLeft(method: [KeyValue], challenge: [KeyValue]?) throws {
    func deliver(_ request: ProtocolDataUnit, _ pairs: [KeyValue], statSN: UInt32) {
      var writer = TextWriter()
      for pair in pairs { writer.append(pair.key, pair.value) }
      ring.deliver(PlayedTarget.loginResponse(to: request, data: writer.bytes, statSN: statSN))
    }
    var plan = LoginPlan()
    plan.stages = [.securityNegotiation]
    plan.credentials = CHAPCredentials(name: "user", secret: [1])
    let (_, first) = try start(plan)
    deliver(first, challenge == nil ? method : [KeyValue("AuthMethod", "CHAP")], statSN: 100)
    if let challenge {
      deliver(try #require(try ring.takePDUs().first), [KeyValue("CHAP_A", "5")] + challenge, statSN: 101)
    }
    #expect(ring.takeViolations() == [.authentication])
    #expect(ring.closeReasons == [.local])
  }

  /// A response proves who somebody is: it goes with a name.
  @Test(arguments: [true, false]) func aTargetThatAuthenticatesItselfSaysItsName(hasName: Bool) throws {
    try startMutualAuthentication()
    let proof = CHAPAlgorithm.md5.response(identifier: 1, secret: [2], challenge: [3])
    respond(
      try #require(try ring.takePDUs().first), (hasName ? "CHAP_N" : "X-a", "t"),
      ("CHAP_R", "0x" + TextEncoding.hexadecimal(proof)), ("TargetPortalGroupTag", "1"), statSN: 102)
    #expect(ring.takeViolations() == (hasName ? [] : [.authentication]))
  }

  @Test func aScriptLogsInByItself() throws {
    let id = try ring.machine.connect(to: PlayedTarget.address)
    ring.run()
    var template = PDUTemplate(.loginRequest)
    template.overrides = [
      FieldOverride("transit", 1), FieldOverride("csg", 1), FieldOverride("nsg", 3),
      FieldOverride("isid", 0x80_0000_0001),
    ]
    template.data = text(
      ("InitiatorName", "iqn.2026-11.example:a"), ("SessionType", "Discovery"), ("DataDigest", "CRC32C"))
    let sent = try ring.machine.send(template, on: id)
    #expect(sent.pdu.header.read { $0.isImmediate })
    ring.run()
    let request = try #require(try ring.takePDUs().first)
    #expect(request == sent.pdu)
    respond(request, ("DataDigest", "CRC32C"))
    let status = try #require(ring.machine.status(of: id))
    #expect(status.phase == .fullFeature)
    #expect(status.parameters.digests == DigestSettings(data: true))
    #expect(status.parameters.sessionType == .discovery)
    #expect(ring.machine.status(of: status.session)?.tsih == 7)
    #expect(ring.takeViolations() == [])
  }

  @Test func aSecondConnectionJoinsTheSession() throws {
    let target = try PlayedTarget()
    let session = try #require(target.machine.status(of: target.connection)?.session)
    let second = try target.machine.connect(to: PlayedTarget.address, in: session)
    var plan = LoginPlan()
    plan.stages = [.operationalNegotiation]
    plan.connectionID = 1
    try target.machine.login(plan, on: second)
    target.ring.run()
    let request = try #require(try target.ring.takePDUs(on: 1).first)
    request.header.read { header in
      #expect(header.tsih == 7 && header.connectionID == 1)
    }
    let keys = try TextParser.pairs(of: request.data).map(\.key)
    #expect(keys == ["InitiatorName", "HeaderDigest", "DataDigest", "MaxRecvDataSegmentLength"])
    target.ring.deliver(
      PlayedTarget.loginResponse(to: request, data: text(("HeaderDigest", "None"), ("DataDigest", "None"))), on: 1)
    #expect(try #require(target.ring.takeLogin()).isSuccessful)
    #expect(target.machine.status(of: session)?.connections == [target.connection, second])
  }

  @Test func fieldsOfALoginRequestCanBeWrong() throws {
    var plan = LoginPlan()
    plan.overrides = [
      0: [FieldOverride("version_max", 9), FieldOverride("isid", adding: 1), FieldOverride("byte22", 5)]
    ]
    let (_, request) = try start(plan)
    request.header.read { header in
      #expect(header.versionMax == 9)
      #expect(header.isid.rawValue == plan.isid.rawValue + 1)
    }
    #expect(request.header.bytes[22] == 5)
    plan.overrides = [0: [FieldOverride("no_such", 1)]]
    let other = try ring.machine.connect(to: PlayedTarget.address)
    #expect(throws: InitiatorError.self) { try ring.machine.login(plan, on: other) }
  }

  /// What a Login Response can get wrong.
  @Test func wrongLoginResponses() throws {
    let cases: [(ViolationRule, (MutableHeaderView) -> Void)] = [
      (.loginFieldMismatch, { $0.initiatorTaskTag = 99 }),
      (.loginFieldMismatch, { $0.isid = ISID(rawValue: 5) }),
      (.loginFieldMismatch, { $0.versionActive = 1 }),
      (.loginFieldMismatch, { $0.tsih = 0 }),
      (.loginStage, { $0.currentStage = 0 }),
      (.loginStage, { $0.nextStage = 1 }),
      (.loginStage, { $0.isContinued = true }),
      (.reservedBitsSet, { $0.flags |= 0x10 }),
      (.undefinedCode, { $0.loginStatus = 0x0299 }),
    ]
    for (rule, change) in cases {
      let ring = HandFedRing()
      let id = try ring.machine.connect(to: PlayedTarget.address)
      try ring.machine.login(.negotiating(), on: id)
      ring.run()
      let request = try #require(try ring.takePDUs().first)
      ring.deliver(PlayedTarget.loginResponse(to: request, change))
      #expect(ring.takeViolations().contains(rule), "\(rule)")
    }
  }

  /// Who refuses a request for the tag that it has changed may go on to say the first. Nobody else may.
  @Test(arguments: [(UInt16(0x0200), UInt32(5), true), (0x0200, 0, true), (0x0200, 9, false), (0, 0, false)])
  func aRefusalMayHaveTheFirstTag(status: UInt16, tag: UInt32, isRight: Bool) throws {
    var plan = LoginPlan()
    plan.operationalKeys = []
    plan.overrides = [1: [FieldOverride("itt", 5)]]
    let (_, first) = try start(plan)
    #expect(first.header.read { $0.initiatorTaskTag } == 0)
    respond(first, ("AuthMethod", "None"), ("TargetPortalGroupTag", "1"))
    let second = try #require(try ring.takePDUs().first)
    respond(second, statSN: 101) { header in
      header.initiatorTaskTag = tag
      header.loginStatus = status
    }
    #expect(ring.takeViolations() == (isRight ? [] : [.loginFieldMismatch]))
  }

  /// What an answer to a key can get wrong.
  @Test(arguments: [
    ("MaxBurstLength", "262145", ViolationRule.illegalAnswer), ("MaxBurstLength", "511", .illegalAnswer),
    ("MaxBurstLength", "x", .illegalAnswer), ("DefaultTime2Wait", "1", .illegalAnswer),
    ("HeaderDigest", "CRC32C", .illegalAnswer), ("InitialR2T", "No", .illegalAnswer),
    ("ImmediateData", "yes", .illegalAnswer), ("ErrorRecoveryLevel", "NotUnderstood", .illegalAnswer),
    ("MaxConnections", "2", .illegalAnswer), ("InitiatorName", "iqn.2026-11.example:b", .illegalAnswer),
    ("iSCSIProtocolLevel", "Reject", .unsolicitedAnswer), ("X-key", "NotUnderstood", .unsolicitedAnswer),
    ("MaxRecvDataSegmentLength", "16777216", .illegalAnswer), ("HeaderDigest", "None", .unansweredKey),
    ("HeaderDigest", "None", .portalGroupTagMissing),
  ])
  func wrongAnswers(key: String, value: String, rule: ViolationRule) throws {
    var plan = LoginPlan()
    plan.stages = [.operationalNegotiation]
    let (_, request) = try start(plan)
    respond(request, (key, value))
    #expect(ring.takeViolations().contains(rule))
  }

  /// RFC 7143 §6.2.2: who is told Yes where one Yes is enough, or No where both must say Yes, need not answer.
  @Test func whatSettlesABooleanKeyNeedsNoAnswer() throws {
    let (_, request) = try start(
      .negotiating([
        KeyValue("InitialR2T", "Yes"), KeyValue("ImmediateData", "No"), KeyValue("DataPDUInOrder", "Yes"),
        KeyValue("IFMarker", "No"),
      ]))
    respond(request, ("TargetPortalGroupTag", "1"))
    #expect(ring.takeViolations().isEmpty)
    let parameters = try #require(ring.takeLogin()).parameters
    #expect(parameters.initialR2T && !parameters.immediateData && parameters.dataPDUInOrder)
  }

  @Test(arguments: [("InitialR2T", "No"), ("ImmediateData", "Yes"), ("DataSequenceInOrder", "No"), ("IFMarker", "Yes")])
  func whatDoesNotSettleABooleanKeyNeedsOne(key: String, value: String) throws {
    let (_, request) = try start(.negotiating([KeyValue(key, value)]))
    respond(request, ("TargetPortalGroupTag", "1"))
    #expect(ring.takeViolations() == [.unansweredKey])
  }

  /// The initiator has no request left to answer in, and need not.
  @Test func whatTheTargetSettlesAtTheEndHolds() throws {
    let (_, request) = try start(.negotiating())
    respond(request, ("TargetPortalGroupTag", "1"), ("ImmediateData", "No"))
    #expect(ring.takeViolations().isEmpty)
    #expect(try !#require(ring.takeLogin()).parameters.immediateData)
  }

  @Test func whatWasAgreedOnHolds() throws {
    let target = try PlayedTarget([
      KeyValue("MaxConnections", "4"), KeyValue("InitialR2T", "No"), KeyValue("ImmediateData", "No"),
      KeyValue("MaxBurstLength", "8192"), KeyValue("FirstBurstLength", "4096"), KeyValue("DefaultTime2Wait", "5"),
      KeyValue("DefaultTime2Retain", "7"), KeyValue("MaxOutstandingR2T", "3"), KeyValue("DataPDUInOrder", "No"),
      KeyValue("DataSequenceInOrder", "No"), KeyValue("ErrorRecoveryLevel", "1"), KeyValue("iSCSIProtocolLevel", "2"),
      KeyValue("TaskReporting", "FastAbort"), KeyValue("MaxRecvDataSegmentLength", "1024"),
    ])
    var expected = NegotiatedParameters()
    expected.maxConnections = 4
    expected.initialR2T = false
    expected.immediateData = false
    expected.maxBurstLength = 8192
    expected.firstBurstLength = 4096
    expected.defaultTime2Wait = 5
    expected.defaultTime2Retain = 7
    expected.maxOutstandingR2T = 3
    expected.dataPDUInOrder = false
    expected.dataSequenceInOrder = false
    expected.errorRecoveryLevel = 1
    expected.iSCSIProtocolLevel = 2
    expected.taskReporting = .fastAbort
    expected.initiatorMaxRecvDataSegmentLength = 1024
    #expect(target.machine.status(of: target.connection)?.parameters == expected)
  }

  @Test func aTargetThatNeverComesToAnEndIsLeft() throws {
    var plan = LoginPlan.negotiating()
    plan.requestsMax = 10
    var (_, request) = try start(plan)
    for round in 0..<20 {
      respond(request, statSN: 100 + UInt32(round)) {
        $0.isTransit = false
        $0.nextStage = 0
      }
      guard let next = try ring.takePDUs().first else { break }
      request = next
    }
    #expect(ring.closeReasons == [.local])
    #expect(ring.takeViolations() == [.loginDoesNotProgress])
  }
}

extension LoginPlan {
  /// Nothing but the operational stage, in which these keys are offered.
  fileprivate static func negotiating(_ keys: [KeyValue] = []) -> LoginPlan {
    var plan = LoginPlan()
    plan.stages = [.operationalNegotiation]
    plan.operationalKeys = keys
    return plan
  }
}
