import ISCSI
import Initiator
import Ring
import Testing

/// What a target can get wrong in answering, whatever was asked: each rule by itself, and told with no other.
@Suite struct AnswerTests {
  /// Each kind of request, and the opcode of its answer.
  enum Request: CaseIterable {
    case command, read, write, ping, text, logout, management

    var answer: Opcode {
      switch self {
      case .command: .scsiResponse
      case .read: .dataIn
      case .write: .readyToTransfer
      case .ping: .nopIn
      case .text: .textResponse
      case .logout: .logoutResponse
      case .management: .taskManagementResponse
      }
    }
  }

  /// Asks for something, not immediately; the request as it was sent.
  private func ask(_ request: Request, _ target: PlayedTarget) throws -> ProtocolDataUnit {
    let (machine, connection) = (target.machine, target.connection)
    switch request {
    case .command: _ = try machine.execute(CommandRequest(cdb: [UInt8](repeating: 0, count: 6)), on: connection)
    case .read: _ = try machine.execute(PlayedTarget.read(4), on: connection)
    case .write: _ = try machine.execute(PlayedTarget.write(pattern(4)), on: connection)
    case .ping: _ = try machine.ping(PingRequest(), on: connection)
    case .text: _ = try machine.text(TextRequest(), on: connection)
    case .logout:
      var logout = LogoutRequest()
      logout.isImmediate = false
      _ = try machine.logout(logout, on: connection)
    case .management:
      var management = TaskManagementRequest(.logicalUnitReset)
      management.isImmediate = false
      _ = try machine.manage(management, on: connection)
    }
    return try #require(try target.takePDUs().first)
  }

  /// The right answer to such a request.
  private func answer(
    _ request: Request, to pdu: ProtocolDataUnit, _ target: PlayedTarget, data: [UInt8] = [],
    _ change: (MutableHeaderView) -> Void = { _ in }
  ) -> ProtocolDataUnit {
    switch request {
    case .read: target.dataIn(pdu, pattern(4), status: 0, change)
    case .write: target.readyToTransfer(pdu, offset: 0, length: 4, change)
    case .ping, .text:
      target.reply(request.answer, to: pdu, data: data) { header in
        header.targetTransferTag = reservedTag
        change(header)
      }
    case .command, .logout, .management: target.reply(request.answer, to: pdu, data: data, change)
    }
  }

  private func played() throws -> PlayedTarget { try PlayedTarget([KeyValue("ImmediateData", "No")]) }

  @Test(arguments: Request.allCases) func aRightAnswerBreaksNoRule(request: Request) throws {
    let target = try played()
    target.deliver(answer(request, to: try ask(request, target), target))
    #expect(target.ring.takeViolations() == [])
  }

  /// RFC 7143 §4.2.2.1.
  @Test(arguments: Request.allCases) func anAnswerAcknowledgesItsRequest(request: Request) throws {
    let target = try played()
    target.deliver(answer(request, to: try ask(request, target), target) { $0.expCmdSN &-= 1 })
    #expect(target.ring.takeViolations() == [.responseBeforeAcknowledgement])
  }

  @Test(arguments: Request.allCases) func anAnswerIsOfTheKindOfItsRequest(request: Request) throws {
    let target = try played()
    let asked = try ask(request == .ping ? .text : .ping, target)
    target.deliver(answer(request, to: asked, target))
    #expect(target.ring.takeViolations() == [.wrongKindOfResponse])
  }

  /// The Login Request of a second connection of the session, the ring's number 1.
  private func requestToJoin(_ target: PlayedTarget) throws -> ProtocolDataUnit {
    let session = try #require(target.machine.status(of: target.connection)).session
    let second = try target.machine.connect(to: PlayedTarget.address, in: session)
    var plan = LoginPlan()
    plan.stages = [.operationalNegotiation]
    plan.operationalKeys = []
    plan.connectionID = 1
    try target.machine.login(plan, on: second)
    target.ring.run()
    return try #require(try target.ring.takePDUs(on: 1).first)
  }

  /// A task belongs to the connection that it was sent on.
  @Test(arguments: Request.allCases) func anAnswerComesOnTheConnectionOfItsRequest(request: Request) throws {
    let target = try PlayedTarget([KeyValue("ImmediateData", "No"), KeyValue("MaxConnections", "2")])
    let login = try requestToJoin(target)
    target.ring.deliver(PlayedTarget.loginResponse(to: login), on: 1)
    target.ring.deliver(answer(request, to: try ask(request, target), target), on: 1)
    #expect(target.ring.takeViolations() == [.unknownTag])
  }

  /// RFC 7143 §11.6, §11.15: no data segment.
  @Test(arguments: [Request.management, .logout]) func anAnswerWithoutDataHasNone(request: Request) throws {
    let target = try played()
    target.deliver(answer(request, to: try ask(request, target), target, data: [1, 2, 3, 4]))
    #expect(target.ring.takeViolations() == [.dataSegmentMalformed])
  }

  @Test(arguments: [(Request.management, 100), (.logout, 4)] as [(Request, UInt8)])
  func aResponseCodeIsDefined(request: Request, code: UInt8) throws {
    let target = try played()
    target.deliver(answer(request, to: try ask(request, target), target) { $0.response = code })
    #expect(target.ring.takeViolations() == [.undefinedCode])
  }

  // MARK: What answers nothing

  @Test func anAsynchronousMessageIsWellFormed() throws {
    let cases: [(ViolationRule, [UInt8], (MutableHeaderView) -> Void)] = [
      (.asyncMalformed, [], { $0.asyncEvent = AsyncEvent.scsiAsynchronousEvent.rawValue }),
      (
        .asyncMalformed, [],
        {
          $0.asyncEvent = AsyncEvent.vendorSpecific.rawValue
          $0.initiatorTaskTag = 5
        }
      ),
      (.undefinedCode, [], { $0.asyncEvent = 99 }),
    ]
    for (rule, data, change) in cases {
      let target = try PlayedTarget()
      target.deliver(target.reply(.asyncMessage, data: data, change))
      #expect(target.ring.takeViolations() == [rule])
    }
  }

  @Test func aRejectHasTheReservedTagAndADefinedReason() throws {
    let target = try PlayedTarget()
    let header = ProtocolDataUnit(.nopOut).header.array
    target.deliver(
      target.reply(.reject, data: header) {
        $0.rejectReason = RejectReason.protocolError.rawValue
        $0.initiatorTaskTag = 5
      })
    #expect(target.ring.takeViolations() == [.rejectMalformed])
    target.deliver(target.reply(.reject, data: header) { $0.rejectReason = 1 })
    #expect(target.ring.takeViolations() == [.undefinedCode])
  }

  @Test func paddingIsZero() throws {
    let target = try PlayedTarget()
    var options = EncodingOptions()
    options.padByte = 0xFF
    let ping = target.reply(.nopIn, to: try ask(.ping, target), data: [1]) { $0.targetTransferTag = reservedTag }
    target.ring.deliver(ping.encoded(options))
    #expect(target.ring.takeViolations() == [.paddingNotZero, .pingEchoWrong])
    #expect(ViolationRule.allCases.filter(\.isAdvice) == [.paddingNotZero])
  }

  @Test func anAnswerHasNoAdditionalHeaders() throws {
    let target = try played()
    var ping = answer(.ping, to: try ask(.ping, target), target)
    ping.additionalHeaders = [0, 1, 1, 0]
    ping.setLengths()
    target.deliver(ping)
    #expect(target.ring.takeViolations() == [.additionalHeaders])
  }

  // MARK: Numbers

  @Test func expCmdSNDoesNotGoBack() throws {
    let target = try PlayedTarget()
    let first = try ask(.ping, target)
    let second = try ask(.ping, target)
    target.deliver(answer(.ping, to: second, target))
    target.deliver(answer(.ping, to: first, target) { $0.expCmdSN &-= 1 })
    #expect(target.ring.takeViolations() == [.expCmdSNShrank])
  }

  // MARK: Residual counts, RFC 7143 §11.4.5

  @Test func theResidualOfAWriteIsWithinItsLength() throws {
    let target = try PlayedTarget()
    let (_, write) = try target.start(PlayedTarget.write(pattern(4)))
    target.deliver(
      target.reply(.scsiResponse, to: write) {
        $0.isUnderflow = true
        $0.residualCount = 5
      })
    #expect(target.ring.takeViolations() == [.residualWrong])
  }

  @Test func afterAnOverflowAllThatWasExpectedHasCome() throws {
    for count in [8, 4] {
      let target = try PlayedTarget()
      let (_, read) = try target.start(PlayedTarget.read(8))
      target.deliver(
        target.dataIn(read, pattern(count), status: 0) {
          $0.isOverflow = true
          $0.residualCount = 100
        })
      #expect(target.ring.takeViolations() == (count == 8 ? [] : [.residualWrong]))
    }
  }

  /// What was not carried out may leave open how much of it was, and so may what is no answer of a device server.
  @Test(
    arguments: [Request.read, .write], [(0, 2), (1, 0)] as [(response: UInt8, status: UInt8)])
  func whoHasNotCarriedOutACommandNeedNotSayHowMuch(request: Request, end: (response: UInt8, status: UInt8)) throws {
    let target = try played()
    let asked = try ask(request, target)
    target.deliver(
      target.reply(.scsiResponse, to: asked, data: [0, 3, 0x70, 0, 5]) { header in
        header.response = end.response
        header.status = end.status
        if end.response != 0 { header.residualCount = 3 }
      })
    #expect(target.ring.takeViolations() == [])
  }

  /// RFC 7143 §11.4.8 counts R2Ts, and wants zero where there was no Data-In.
  @Test(arguments: [(0, []), (1, []), (2, [.expDataSNWrong])] as [(UInt32, [ViolationRule])])
  func theR2TsOfAWriteAreCountedOrNot(expDataSN: UInt32, rules: [ViolationRule]) throws {
    let target = try played()
    let write = try ask(.write, target)
    target.deliver(answer(.write, to: write, target))
    _ = try target.takePDUs()
    target.deliver(target.reply(.scsiResponse, to: write) { $0.expDataSN = expDataSN })
    #expect(target.ring.takeViolations() == rules)
  }

  /// RFC 7143 §11.7.4: who asks for an acknowledgement says for what.
  @Test func anAcknowledgementIsAskedForWithATag() throws {
    let target = try PlayedTarget([KeyValue("ErrorRecoveryLevel", "1")])
    let (_, read) = try target.start(PlayedTarget.read(8))
    target.deliver(target.dataIn(read, pattern(4)) { $0.isAcknowledge = true })
    #expect(target.ring.takeViolations() == [.transferTag])
  }

  // MARK: Phases

  @Test func nothingIsAnsweredBehindALogout() throws {
    let target = try PlayedTarget()
    var behaviour = AutomaticBehaviour()
    behaviour.closesAfterLogout = false
    try target.machine.setAutomatic(behaviour, on: target.connection)
    let logout = try ask(.logout, target)
    target.deliver(answer(.logout, to: logout, target))
    #expect(target.ring.takeViolations() == [])
    target.deliver(target.reply(.nopIn, advances: false) { $0.targetTransferTag = reservedTag })
    #expect(target.ring.takeViolations() == [.trafficAfterLogout])
  }

  @Test func aLogoutOfOneConnectionLeavesTheOthers() throws {
    let target = try PlayedTarget([KeyValue("MaxConnections", "2")])
    let login = try requestToJoin(target)
    target.ring.deliver(PlayedTarget.loginResponse(to: login), on: 1)
    var logout = LogoutRequest(.closeConnection)
    logout.connectionID = 1
    _ = try target.machine.logout(logout, on: target.connection)
    let request = try #require(try target.takePDUs().first)
    target.deliver(target.reply(.logoutResponse, to: request))
    #expect(target.ring.state(of: 1).isClosed && !target.ring.state().isClosed)
    target.deliver(answer(.ping, to: try ask(.ping, target), target))
    #expect(target.ring.takeViolations() == [])
  }

  @Test func theLoginPhaseHasNothingButLoginResponsesAndTheOthersHaveNone() throws {
    let target = try PlayedTarget()
    target.deliver(target.loginResponse(to: ProtocolDataUnit(.loginRequest, isFinal: false)))
    #expect(target.ring.takeViolations() == [.outOfPhase])
    let ring = HandFedRing()
    _ = try ring.machine.connect(to: PlayedTarget.address)
    ring.run()
    var ping = ProtocolDataUnit(.nopIn)
    ping.header.write {
      $0.initiatorTaskTag = reservedTag
      $0.targetTransferTag = reservedTag
    }
    ring.deliver(ping)
    #expect(ring.takeViolations() == [.outOfPhase])
    // One that answers no request.
    ring.deliver(PlayedTarget.loginResponse(to: ProtocolDataUnit(.loginRequest, isFinal: false)))
    #expect(ring.takeViolations() == [.outOfPhase])
  }

  // MARK: Login and text

  /// A login that offers `keys`, and its request.
  private func login(_ keys: [KeyValue]) throws -> (ring: HandFedRing, request: ProtocolDataUnit) {
    let ring = HandFedRing()
    let id = try ring.machine.connect(to: PlayedTarget.address)
    var plan = LoginPlan()
    plan.stages = [.operationalNegotiation]
    plan.operationalKeys = keys
    try ring.machine.login(plan, on: id)
    ring.run()
    return (ring, try #require(try ring.takePDUs().first))
  }

  @Test func aKeyIsAnsweredOnceAndAsItsKindAllows() throws {
    let cases: [(offer: KeyValue, answers: [String], rules: [ViolationRule])] = [
      (KeyValue("HeaderDigest", "None"), ["None"], []),
      (KeyValue("HeaderDigest", "None"), ["None", "None"], [.repeatedKey]),
      (KeyValue("ImmediateData", "No"), ["Yes"], [.illegalAnswer]),
      (KeyValue("DataPDUInOrder", "Yes"), ["No"], [.illegalAnswer]),
      // RFC 7143 §13.25.
      (KeyValue("IFMarker", "Yes"), ["Reject"], []),
      (KeyValue("IFMarker", "Yes"), ["No"], []),
      (KeyValue("IFMarker", "Yes"), ["Yes"], [.illegalAnswer]),
    ]
    for (offer, answers, rules) in cases {
      let (ring, request) = try login([offer])
      var writer = TextWriter()
      for answer in answers { writer.append(offer.key, answer) }
      // RFC 7143 §13.8: of these there may be several.
      for address in ["192.0.2.1:3260,1", "192.0.2.2:3260,1"] { writer.append("TargetAddress", address) }
      writer.append("TargetPortalGroupTag", 1)
      ring.deliver(PlayedTarget.loginResponse(to: request, data: writer.bytes))
      #expect(ring.takeViolations() == rules)
    }
  }

  /// RFC 7143 §13.12: what the initiator has declared holds from the full-feature phase on.
  @Test func theTextOfALoginComesInPartsThatAnyInitiatorTakes() throws {
    for count in [8192, 8193] {
      let (ring, request) = try login([KeyValue("MaxRecvDataSegmentLength", "262144")])
      let text = Array("X-a=".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: count - 5) + [0]
      ring.deliver(
        PlayedTarget.loginResponse(to: request, data: text) {
          $0.isTransit = false
          $0.nextStage = 0
        })
      #expect(ring.takeViolations() == (count == 8192 ? [] : [.dataSegmentTooLong]))
    }
  }

  @Test func aConnectionThatJoinsASessionIsToldItsTSIH() throws {
    let target = try PlayedTarget()
    let request = try requestToJoin(target)
    target.ring.deliver(PlayedTarget.loginResponse(to: request) { $0.tsih = 8 }, on: 1)
    #expect(target.ring.takeViolations() == [.loginFieldMismatch])
  }

  @Test func aTextThatNeverEndsIsGivenUp() throws {
    let target = try PlayedTarget()
    let task = try target.machine.text(TextRequest(), on: target.connection)
    var rounds = 0
    while let request = try target.takePDUs().first, rounds < 10_000 {
      rounds += 1
      target.deliver(
        target.reply(.textResponse, to: request) {
          $0.isFinal = false
          $0.targetTransferTag = 5
        })
    }
    #expect(target.ring.takeViolations() == [.textDoesNotEnd])
    #expect(target.ring.takeResults().map(\.task) == [task])
  }
}
