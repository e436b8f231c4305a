import Testing

@testable import ISCSI
@testable import Monitor

/// Each rule that an initiator can break, and that a target is not blamed for what it makes of that.
@Suite struct InitiatorRuleTests {
  private func expect(
    _ rule: ViolationRule, keys: [(String, String)] = [], sourceLocation: SourceLocation = #_sourceLocation,
    _ play: (Conversation) -> Void
  ) {
    let conversation = Conversation(keys: keys)
    play(conversation)
    #expect(conversation.found() == ["initiator: \(rule.rawValue)"], sourceLocation: sourceLocation)
  }

  private static let noWaiting = [("InitialR2T", "No"), ("FirstBurstLength", "1024")]

  @Test func form() {
    expect(.unexpectedOpcode) { $0.ask(.nopOut, isImmediate: true) { $0.setByte(0, 0x5E) } }
    expect(.reservedBitsSet) { $0.ask(.logoutRequest) { $0.setByte(2, 1) } }
    expect(.constantBitMissing) { $0.ask(.logoutRequest) { $0.isFinal = false } }
    expect(.dataSegmentTooLong) { $0.ask(.nopOut, data: [UInt8](repeating: 1, count: 9000)) }
    expect(.additionalHeaders) { $0.ask(.nopOut, additional: [0, 1, 1, 0]) }
  }

  @Test func phases() {
    let c = Conversation(logsIn: false)
    c.loginRequest(Conversation.names, isContinued: true)
    c.loginResponse([], isContinued: true)
    c.read(0)
    #expect(c.found() == ["initiator: out of phase"])
    expect(.outOfPhase) { $0.loginRequest([]) }
  }

  @Test func numbers() {
    expect(.outsideWindow) { c in
      c.read(0)
      c.response()
      c.cmdSN += 32
      c.read(0)
    }
    expect(.expStatSNWrong) { c in
      c.statSN += 1
      c.read(0)
    }
    expect(.expStatSNWrong) { c in
      c.read(0)
      c.response()
      c.read(0)
      c.read(0) { $0.expStatSN = $0.expStatSN &- 1 }
    }
  }

  @Test func tags() {
    expect(.tagInUse) { c in
      c.read(0)
      c.tag -= 1
      c.read(0)
    }
    expect(.tagInUse) { $0.read(0) { $0.initiatorTaskTag = .max } }
    expect(.snackNotAgreed) { c in
      c.read(512)
      c.ask(.snackRequest)
    }
  }

  /// It may have had no answer.
  @Test func aRequestMayBeSentAgain() {
    let c = Conversation()
    c.read(512)
    c.tag -= 1
    c.cmdSN -= 1
    c.expCmdSN -= 1
    c.read(512)
    c.dataIn(512, hasStatus: true)
    #expect(c.found() == [])
  }

  @Test func dataThatNobodyAskedFor() {
    expect(.unsolicitedData, keys: [("ImmediateData", "No")]) { $0.write(512, data: [1, 2, 3, 4]) }
    expect(.unsolicitedData) { $0.write(512, isFinal: false) }
    expect(.unsolicitedData) { c in c.ask(.scsiCommand, data: [1, 2, 3, 4]) { $0.isRead = true } }
    expect(.dataBeyondLength) { $0.write(4, data: [UInt8](repeating: 1, count: 8)) }
    expect(.firstBurstTooLong, keys: Self.noWaiting) { $0.write(8192, data: [UInt8](repeating: 1, count: 2048)) }
    expect(.firstBurstTooLong, keys: Self.noWaiting) { c in
      c.write(8192, isFinal: false, data: [UInt8](repeating: 1, count: 512))
      c.dataOut(1024, at: 512, tag: .max)
    }
    expect(.dataOutUnexpected) { c in
      c.write(512)
      c.dataOut(512, tag: 9)
    }
    expect(.dataOutUnexpected, keys: Self.noWaiting) { c in
      c.write(512)
      c.dataOut(512, tag: .max)
    }
  }

  @Test func dataOut() {
    expect(.dataSNOutOfOrder) { c in
      c.write(1024)
      c.r2t(1024)
      c.dataOut(512, isFinal: false)
      c.dataOut(512, at: 512, number: 2)
    }
    expect(.bufferOffsetOutOfOrder) { c in
      c.write(1024)
      c.r2t(1024)
      c.dataOut(512, at: 512, isFinal: false)
    }
    expect(.dataBeyondLength) { c in
      c.write(1024)
      c.r2t(512)
      c.dataOut(1024)
    }
    expect(.sequenceNotFull) { c in
      c.write(1024)
      c.r2t(1024)
      c.dataOut(512)
    }
  }

  @Test func dataDigests() {
    let keys = [("DataDigest", "CRC32C")]
    let c = Conversation(keys: keys)
    var options = EncodingOptions(digests: DigestSettings(header: false, data: true))
    options.dataDigestFlip = 1
    var pdu = ProtocolDataUnit(.scsiCommand, data: [1, 2, 3, 4])
    pdu.header.write { header in
      header.isWrite = true
      header.expectedDataTransferLength = 4
      header.cmdSN = c.cmdSN
      header.expStatSN = c.statSN
      header.initiatorTaskTag = 50
    }
    c.send(pdu, from: .initiator, options)
    #expect(c.found() == ["initiator: data digest error"])
    // It counts as not received (RFC 7143 §7.8): a target that carries it out has not looked.
    c.expCmdSN += 1
    c.response { $0.initiatorTaskTag = 50 }
    #expect(c.found() == ["target: ExpCmdSN ahead", "target: unknown tag"])
  }

  /// With the data in disorder a target may have its own way with the command.
  @Test func aTargetIsNotBlamedForWhatAnInitiatorBegan() {
    let c = Conversation()
    c.write(1024)
    c.r2t(512)
    c.dataOut(256)
    _ = c.found()
    c.r2t(512, at: 256, number: 5)
    c.response { $0.expDataSN = 9 }
    #expect(c.found() == [])
    c.read(512)
    c.tag -= 1
    c.read(512)
    _ = c.found()
    c.dataIn(512, number: 3, hasStatus: true)
    c.dataIn(512, number: 3, hasStatus: true)
    #expect(c.found() == [])
  }

  @Test func onlyWhoIsWatchedIsTold() {
    let c = Conversation(ProtocolMonitor(watching: [.target]))
    c.ask(.logoutRequest) { $0.setByte(2, 1) }
    #expect(c.found() == [])
    c.answer(.logoutResponse) { $0.setByte(3, 1) }
    #expect(c.found() == ["target: reserved bits set"])
  }
}
