import Testing

@testable import ISCSI
@testable import Monitor

/// Each rule that a target can break: a conversation that keeps it, and one that differs in that alone.
@Suite struct TargetRuleTests {
  typealias Play = (Conversation) -> Void

  private func expect(
    _ rule: ViolationRule, keys: [(String, String)] = [], sourceLocation: SourceLocation = #_sourceLocation,
    _ play: Play
  ) {
    let conversation = Conversation(keys: keys)
    #expect(conversation.found() == [], sourceLocation: sourceLocation)
    play(conversation)
    #expect(conversation.found() == ["target: \(rule.rawValue)"], sourceLocation: sourceLocation)
  }

  private func expectNothing(
    keys: [(String, String)] = [], sourceLocation: SourceLocation = #_sourceLocation, _ play: Play
  ) {
    let conversation = Conversation(keys: keys)
    play(conversation)
    #expect(conversation.found() == [], sourceLocation: sourceLocation)
  }

  @Test func correctTrafficBreaksNothing() {
    let keys = [
      ("HeaderDigest", "CRC32C"), ("DataDigest", "CRC32C"), ("InitialR2T", "No"), ("MaxOutstandingR2T", "2"),
      ("MaxBurstLength", "1024"), ("FirstBurstLength", "512"),
    ]
    expectNothing(keys: keys) { c in
      c.read(2048)
      c.dataIn(1024)
      c.dataIn(1024, at: 1024, number: 1, hasStatus: true)
      c.read(512)
      c.response(data: [0, 3, 0x70, 0, 5]) { header in
        header.status = 2
        header.isUnderflow = true
        header.residualCount = 512
      }
      c.write(2560, isFinal: false, data: [UInt8](repeating: 1, count: 200))
      c.dataOut(312, at: 200, tag: .max)
      c.r2t(1024, at: 512)
      c.r2t(1024, at: 1536, number: 1, tag: 6)
      c.dataOut(512, at: 512, isFinal: false)
      c.dataOut(512, at: 1024, number: 1)
      c.dataOut(1024, at: 1536, tag: 6)
      c.response { $0.expDataSN = 2 }
      c.ask(.nopOut, isImmediate: true, data: [1, 2, 3])
      c.answer(.nopIn, data: [1, 2, 3])
      c.answer(.nopIn, advances: false) { header in
        header.initiatorTaskTag = .max
        header.targetTransferTag = 9
      }
      c.ask(.textRequest, data: Conversation.text([("SendTargets", "All")]))
      c.answer(.textResponse, data: Conversation.text([("TargetName", "iqn.2026-11.example:t")]))
      c.ask(.taskManagementRequest, isImmediate: true) { $0.taskManagementFunction = 5 }
      c.answer(.taskManagementResponse)
      c.ask(.logoutRequest)
      c.answer(.logoutResponse)
    }
  }

  @Test func form() {
    expect(.unexpectedOpcode) { $0.answer(.nopIn, advances: false) { $0.setByte(0, 0x3E) } }
    expect(.reservedBitsSet) { c in
      c.read(0)
      c.response { $0.setByte(8, 1) }
    }
    expect(.constantBitMissing) { c in
      c.read(0)
      c.response { $0.isFinal = false }
    }
    expect(.dataSegmentTooLong) { c in
      c.ask(.nopOut, data: [UInt8](repeating: 1, count: 8192))
      c.read(9000)
      c.dataIn(9000, hasStatus: true)
    }
    expect(.paddingNotZero) { c in
      c.read(3)
      var options = EncodingOptions()
      options.padByte = 1
      c.answer(.dataIn, data: [1, 2, 3], options) { header in
        header.targetTransferTag = .max
        header.hasStatus = true
      }
    }
    expect(.dataSegmentMalformed) { c in
      c.ask(.taskManagementRequest, isImmediate: true) { $0.taskManagementFunction = 5 }
      c.answer(.taskManagementResponse, data: [1])
    }
  }

  @Test func digests() {
    let keys = [("HeaderDigest", "CRC32C"), ("DataDigest", "CRC32C")]
    var wrongHeader = EncodingOptions(digests: DigestSettings(header: true, data: true))
    var wrongData = wrongHeader
    wrongHeader.headerDigestFlip = 1
    wrongData.dataDigestFlip = 1
    expect(.headerDigestError, keys: keys) { $0.answer(.nopIn, advances: false, wrongHeader) }
    expect(.dataDigestError, keys: keys) { c in
      c.read(4)
      c.answer(.dataIn, advances: false, data: [1, 2, 3, 4], wrongData)
    }
  }

  @Test func phases() {
    let early = Conversation(logsIn: false)
    early.loginRequest(Conversation.names)
    early.answer(.nopIn)
    #expect(early.found() == ["target: out of phase"])
    expect(.outOfPhase) { $0.loginResponse([]) }
    expect(.trafficAfterLogout) { c in
      c.ask(.logoutRequest)
      c.answer(.logoutResponse)
      c.answer(.nopIn, advances: false) { $0.initiatorTaskTag = .max }
    }
  }

  @Test func numbers() {
    expect(.statSNOutOfOrder) { c in
      c.read(0)
      c.response { $0.statSN = $0.statSN &+ 1 }
    }
    // An R2T shows the next one.
    expect(.statSNOutOfOrder) { c in
      c.write(8)
      c.r2t(8) { $0.statSN = $0.statSN &- 1 }
    }
    expect(.expCmdSNAhead) { c in
      c.read(0)
      c.expCmdSN += 1
      c.response()
    }
    expect(.windowNegative) { c in
      c.read(0)
      c.response { $0.maxCmdSN = $0.expCmdSN &- 2 }
    }
    expect(.maxCmdSNShrank) { c in
      c.read(0)
      c.response()
      c.read(0)
      c.response { $0.maxCmdSN = $0.maxCmdSN &- 2 }
    }
    expect(.responseBeforeAcknowledgement) { c in
      c.read(0)
      c.expCmdSN -= 1
      c.response()
    }
  }

  @Test func anExpCmdSNThatGoesBackIsTold() {
    let c = Conversation()
    c.read(0)
    c.response()
    c.answer(.nopIn, advances: false) { header in
      header.initiatorTaskTag = .max
      header.expCmdSN = header.expCmdSN &- 1
    }
    #expect(c.found() == ["target: ExpCmdSN shrank"])
  }

  /// What comes out of order is acknowledged when the gap is filled, and not before.
  @Test func commandsOutOfOrderAreCountedWhenTheGapIsFilled() {
    let c = Conversation()
    c.cmdSN += 1
    c.read(0)
    c.expCmdSN = 12
    c.response()
    #expect(c.found() == ["target: ExpCmdSN ahead"])
    c.cmdSN = 10
    c.expCmdSN = 11
    c.read(0)
    c.expCmdSN = 12
    c.response()
    #expect(c.found() == [])
  }

  @Test func tags() {
    expect(.unknownTag) { $0.response { $0.initiatorTaskTag = 77 } }
    expect(.unknownTag) { c in
      c.read(0)
      c.response()
      c.response()
    }
    expect(.wrongKindOfResponse) { c in
      c.ask(.nopOut)
      c.response()
    }
    expect(.lunMismatch) { c in
      c.write(8) { $0.lun = 1 << 48 }
      c.r2t(8)
    }
  }

  /// Nothing comes of a task behind the answer to the function that has aborted it.
  @Test(arguments: [1, 2, 5, 6] as [UInt8]) func anAbortedTaskHasNoAnswer(function: UInt8) {
    let c = Conversation()
    c.read(512)
    let aborted = c.tag
    c.ask(.taskManagementRequest, isImmediate: true) { header in
      header.taskManagementFunction = function
      if function == 1 { header.referencedTaskTag = aborted }
    }
    c.answer(.taskManagementResponse)
    #expect(c.found() == [])
    c.dataIn(512, hasStatus: true) { $0.initiatorTaskTag = aborted }
    #expect(c.found() == ["target: unknown tag"])
  }

  @Test func aTaskThatAFunctionDidNotMeetGoesOn() {
    let c = Conversation()
    c.read(512) { $0.lun = 1 << 48 }
    let other = c.tag
    c.ask(.taskManagementRequest, isImmediate: true) { $0.taskManagementFunction = 2 }
    c.read(512)
    let later = c.tag
    c.answer(.taskManagementResponse) { $0.initiatorTaskTag = later - 1 }
    for tag in [other, later] { c.dataIn(512, hasStatus: true) { $0.initiatorTaskTag = tag } }
    #expect(c.found() == [])
  }

  @Test func dataIn() {
    expect(.dataSNOutOfOrder) { c in
      c.read(1024)
      c.dataIn(512, isFinal: false)
      c.dataIn(512, at: 512, number: 2, hasStatus: true)
    }
    expect(.bufferOffsetOutOfOrder) { c in
      c.read(1024)
      c.dataIn(512, isFinal: false)
      c.dataIn(512, number: 1, hasStatus: true)
    }
    expect(.dataBeyondLength) { c in
      c.read(512)
      c.dataIn(516)
    }
    expect(.dataBeyondLength) { c in
      c.write(512)
      c.dataIn(512)
    }
    expect(.burstTooLong, keys: [("MaxBurstLength", "512")]) { c in
      c.read(1536)
      c.dataIn(512, isFinal: false)
      c.dataIn(512, at: 512, number: 1, isFinal: false)
      c.dataIn(512, at: 1024, number: 2, hasStatus: true)
    }
    expect(.sequenceNotEnded) { c in
      c.read(512)
      c.dataIn(512, isFinal: false)
      c.response { $0.expDataSN = 1 }
    }
    expect(.statusWithoutFinal) { c in
      c.read(512)
      c.dataIn(512, isFinal: false, hasStatus: true)
    }
    expect(.statusInDataIn) { c in
      c.read(512)
      c.dataIn(512, hasStatus: true) { $0.status = 2 }
    }
    expect(.acknowledgeBitSet) { c in
      c.read(512)
      c.dataIn(512, hasStatus: true) { header in
        header.isAcknowledge = true
        header.targetTransferTag = 3
      }
    }
    expect(.expDataSNWrong) { c in
      c.read(512)
      c.dataIn(512)
      c.response { $0.expDataSN = 2 }
    }
  }

  @Test func residuals() {
    expect(.residualFlagsConflict) { c in
      c.read(0)
      c.response { header in
        header.isOverflow = true
        header.isUnderflow = true
      }
    }
    expect(.residualWrong) { c in
      c.read(0)
      c.response { $0.residualCount = 4 }
    }
    expect(.residualWrong) { c in
      c.read(512)
      c.response()
    }
    expect(.residualWrong) { c in
      c.read(512)
      c.dataIn(256, hasStatus: true) { header in
        header.isUnderflow = true
        header.residualCount = 255
      }
    }
    expect(.residualWrong) { c in
      c.write(512)
      c.response()
    }
  }

  @Test func sense() {
    expect(.senseMalformed) { c in
      c.read(0)
      c.response { $0.status = 2 }
    }
    expect(.senseMalformed) { c in
      c.read(0)
      c.response(data: [0, 9, 0x70, 0, 5]) { $0.status = 2 }
    }
  }

  @Test func r2ts() {
    expect(.r2tUnexpected) { c in
      c.read(512)
      c.r2t(512)
    }
    expect(.r2tSNOutOfOrder) { c in
      c.write(512)
      c.r2t(512, number: 1)
    }
    expect(.r2tOutOfBounds) { c in
      c.write(512)
      c.r2t(513)
    }
    expect(.r2tOutOfBounds) { c in
      c.write(512)
      c.r2t(0)
    }
    expect(.r2tTooLong, keys: [("MaxBurstLength", "512")]) { c in
      c.write(1024)
      c.r2t(1024)
    }
    expect(.r2tTooMany) { c in
      c.write(1024)
      c.r2t(512)
      c.r2t(512, at: 512, number: 1)
    }
    expect(.r2tOutOfOrder, keys: [("MaxOutstandingR2T", "2")]) { c in
      c.write(1024)
      c.r2t(512, at: 512)
      c.r2t(512, number: 1)
    }
    // What has come with the command is not asked for again.
    expect(.r2tOutOfOrder) { c in
      c.write(1024, data: [UInt8](repeating: 1, count: 512))
      c.r2t(1024)
    }
    expect(.transferTag) { c in
      c.write(512)
      c.r2t(512, tag: .max)
    }
  }

  @Test func text() {
    expect(.textMalformed) { c in
      c.ask(.textRequest, data: Conversation.text([("SendTargets", "All")]))
      c.answer(.textResponse, data: [1])
    }
    expect(.transferTag) { c in
      c.ask(.textRequest)
      c.answer(.textResponse, isFinal: false)
    }
    expect(.textMalformed) { c in
      c.ask(.textRequest, isFinal: false)
      c.answer(.textResponse)
    }
    expect(.outOfPhase) { c in
      c.ask(.textRequest)
      for _ in 0..<2 { c.answer(.textResponse, isFinal: false) { $0.targetTransferTag = 4 } }
    }
  }

  @Test func pings() {
    expect(.pingEchoWrong) { c in
      c.ask(.nopOut, data: [1, 2, 3])
      c.answer(.nopIn, data: [1, 2, 4])
    }
    expect(.transferTag) { c in
      c.ask(.nopOut)
      c.answer(.nopIn) { $0.targetTransferTag = 1 }
    }
    expect(.unsolicitedPingMalformed) { c in
      c.answer(.nopIn, advances: false, data: [1]) { $0.initiatorTaskTag = .max }
    }
  }

  @Test func notices() {
    expect(.undefinedCode) { c in
      c.answer(.asyncMessage) { header in
        header.initiatorTaskTag = .max
        header.asyncEvent = 77
      }
    }
    expect(.asyncMalformed) { c in
      c.answer(.asyncMessage) { $0.asyncEvent = 1 }
    }
    expect(.rejectMalformed) { c in
      c.answer(.reject) { header in
        header.initiatorTaskTag = .max
        header.rejectReason = RejectReason.protocolError.rawValue
      }
    }
    expect(.undefinedCode) { c in
      c.answer(.reject, data: [UInt8](repeating: 0, count: 48)) { header in
        header.initiatorTaskTag = .max
        header.rejectReason = 0x77
      }
    }
  }

  @Test func logins() {
    func login(_ rules: [ViolationRule], _ answer: [(String, String)], _ change: (MutableHeaderView) -> Void = { _ in })
    {
      let c = Conversation(logsIn: false)
      c.loginRequest(Conversation.names + [("MaxBurstLength", "65536")])
      c.loginResponse(answer, change)
      #expect(c.found() == rules.map { "target: \($0.rawValue)" }, "\(answer)")
    }
    let right = [("TargetPortalGroupTag", "1"), ("MaxBurstLength", "65536")]
    login([], right)
    login([.portalGroupTagMissing], Array(right.dropFirst()))
    login([.unansweredKey], Array(right.dropLast()))
    login([.illegalAnswer], [right[0], ("MaxBurstLength", "65537")])
    login([.repeatedKey], right + [right[1]])
    login([.loginFieldMismatch], right) { $0.tsih = 0 }
    login([.loginFieldMismatch], right) { $0.initiatorTaskTag = 99 }
    login([.loginStage], right) { $0.setBits(1, 0x0C, 0) }
  }

  /// Two requests that come together have two answers, one after the other.
  @Test func anAnswerBelongsToTheRequestWhoseTurnItIs() {
    let c = Conversation(logsIn: false)
    c.loginRequest(Conversation.names) { $0.setBits(1, 0x0F, 0x01) }
    c.loginRequest([])
    c.loginResponse([("TargetPortalGroupTag", "1")]) { header in
      header.setBits(1, 0x0F, 0x01)
      header.tsih = 0
    }
    c.loginResponse([])
    #expect(c.found() == [])
    c.read(0)
    c.response()
    #expect(c.found() == [])
    #expect(c.monitor.counters.logins == 1)
  }
}
