import ISCSI
import Initiator
import Ring
import Testing

@Suite struct ReadTests {
  private func command(_ result: TaskResult?) throws -> CommandOutcome {
    guard case .command(let outcome) = try #require(result).outcome else {
      Issue.record("\(String(describing: result))")
      return CommandOutcome()
    }
    return outcome
  }

  @Test func dataAndStatusTogether() throws {
    let target = try PlayedTarget()
    let (task, pdu) = try target.start(PlayedTarget.read(1024))
    pdu.header.read { header in
      #expect(header.isRead && !header.isWrite && header.isFinal)
      #expect(header.taskAttribute == 1)
      #expect(header.expectedDataTransferLength == 1024)
      #expect(header.cdb[0] == 0x28)
    }
    let data = pattern(1024)
    target.deliver(
      target.dataIn(pdu, Array(data[..<512]), isFinal: false),
      target.dataIn(pdu, Array(data[512...]), at: 512, number: 1, status: 0))
    let results = target.ring.takeResults()
    #expect(results.map(\.task) == [task])
    let outcome = try command(results.first)
    #expect(outcome.dataIn == data && outcome.status == 0 && outcome.statusCameWithData)
    #expect(target.ring.takeViolations() == [])
  }

  @Test func statusAndSenseOfItsOwn() throws {
    let target = try PlayedTarget()
    let (_, pdu) = try target.start(PlayedTarget.read(512))
    target.deliver(
      target.reply(.scsiResponse, to: pdu, data: [0, 3, 0x70, 0, 5, 0xEE]) {
        $0.status = 2
        $0.isUnderflow = true
        $0.residualCount = 512
      })
    #expect(target.ring.events.allSatisfy { if case .violation = $0.kind { false } else { true } })
    let outcome = try command(target.ring.takeResults().first)
    #expect(outcome.status == 2 && outcome.sense == [0x70, 0, 5] && outcome.responseData == [0xEE])
    #expect(outcome.isUnderflow && outcome.residualCount == 512)
  }

  @Test func everyByteBoundary() throws {
    let target = try PlayedTarget([KeyValue("HeaderDigest", "CRC32C"), KeyValue("DataDigest", "CRC32C")])
    for size in [1, 3, 47, 49] {
      let (_, pdu) = try target.start(PlayedTarget.read(5))
      let reply = target.dataIn(pdu, pattern(5), status: 0)
      target.ring.deliver(reply.encoded(EncodingOptions(digests: target.digests)), size: size)
      #expect(try command(target.ring.takeResults().first).dataIn == pattern(5))
    }
  }

  @Test func aBidirectionalAndALongCommand() throws {
    let target = try PlayedTarget()
    var request = CommandRequest(cdb: [0x7F] + pattern(31))
    request.expectedDataIn = 512
    request.dataOut = pattern(100)
    let (_, pdu) = try target.start(request)
    #expect(pdu.header.read { $0.isRead && $0.isWrite })
    #expect(pdu.header.read { $0.expectedDataTransferLength } == 100)
    try pdu.additionalHeaders.withUnsafeBytes { bytes in
      var parser = AdditionalHeaderParser(bytes)
      let long = try #require(try parser.next())
      #expect(long.type == .extendedCDB && Array(long.content) == Array(request.cdb[16...]))
      let length = try #require(try parser.next())
      #expect(length.type == .bidirectionalReadLength && Array(length.content) == [0, 0, 2, 0])
    }
    #expect(pdu.additionalHeaders.count == 20 + 8)
  }

  /// RFC 7143 §11.8.2: R2Ts and Data-In of a bidirectional command share one numbering.
  @Test(arguments: [1, 0] as [UInt32])
  func theNumbersOfABidirectionalCommand(dataSN: UInt32) throws {
    let target = try PlayedTarget([KeyValue("ImmediateData", "No")])
    var request = PlayedTarget.write(pattern(16))
    request.expectedDataIn = 8
    let (_, command) = try target.start(request)
    target.deliver(
      target.readyToTransfer(command, offset: 0, length: 8), target.dataIn(command, pattern(8), number: dataSN),
      target.readyToTransfer(command, offset: 8, length: 8, number: dataSN + 1),
      target.reply(.scsiResponse, to: command) { $0.expDataSN = dataSN + 2 })
    #expect(target.ring.takeViolations() == (dataSN == 1 ? [] : [.dataSNOutOfOrder]))
  }

  /// Whatever a target can get wrong in answering a read of 1024 bytes.
  @Test func violationsOfDataIn() throws {
    typealias Play = (PlayedTarget, ProtocolDataUnit) -> [ProtocolDataUnit]
    let cases: [(ViolationRule, Play)] = [
      (.dataSNOutOfOrder, { [$0.dataIn($1, pattern(1024), number: 1, status: 0)] }),
      (.bufferOffsetOutOfOrder, { [$0.dataIn($1, pattern(512), at: 512, status: 0)] }),
      (.dataBeyondLength, { [$0.dataIn($1, pattern(1025), status: 0)] }),
      (.dataBeyondLength, { [$0.dataIn($1, pattern(4), at: 0xFFFF_FFFF, status: 0)] }),
      (.statusWithoutFinal, { [$0.dataIn($1, pattern(1024), isFinal: false, status: 0)] }),
      (.statusInDataIn, { [$0.dataIn($1, pattern(1024), status: 2)] }),
      (.residualWrong, { [$0.dataIn($1, pattern(512), status: 0)] }),
      (
        .residualWrong,
        {
          [
            $0.dataIn($1, pattern(512), status: 0) {
              $0.isUnderflow = true
              $0.residualCount = 511
            }
          ]
        }
      ),
      (.residualWrong, { [$0.dataIn($1, pattern(1024), status: 0) { $0.residualCount = 1 }] }),
      (
        .residualFlagsConflict,
        {
          [
            $0.dataIn($1, pattern(1024), status: 0) {
              $0.isUnderflow = true
              $0.isOverflow = true
            }
          ]
        }
      ),
      (.acknowledgeBitSet, { [$0.dataIn($1, pattern(1024), status: 0) { $0.isAcknowledge = true }] }),
      (
        .lunMismatch,
        {
          [
            $0.dataIn($1, pattern(1024), status: 0) {
              $0.lun = 1 << 48
              $0.targetTransferTag = 5
            }
          ]
        }
      ),
      (.expDataSNWrong, { [$0.dataIn($1, pattern(1024)), $0.reply(.scsiResponse, to: $1)] }),
      (.statSNOutOfOrder, { [$0.dataIn($1, pattern(1024), status: 0) { $0.statSN &+= 1 }] }),
      (.responseBeforeAcknowledgement, { [$0.dataIn($1, pattern(1024), status: 0) { $0.expCmdSN &-= 1 }] }),
      (.expCmdSNAhead, { [$0.dataIn($1, pattern(1024), status: 0) { $0.expCmdSN &+= 1 }] }),
      (.maxCmdSNShrank, { [$0.dataIn($1, pattern(1024), status: 0) { $0.maxCmdSN &-= 2 }] }),
      (.windowNegative, { [$0.dataIn($1, pattern(1024), status: 0) { $0.maxCmdSN = $0.expCmdSN &- 2 }] }),
      (.unknownTag, { [$0.dataIn($1, pattern(1024), status: 0) { $0.initiatorTaskTag = 3 }] }),
      (.reservedBitsSet, { [$0.dataIn($1, pattern(1024), status: 0) { $0.response = 1 }] }),
      (.wrongKindOfResponse, { [$0.reply(.taskManagementResponse, to: $1)] }),
      (.r2tUnexpected, { [$0.readyToTransfer($1, offset: 0, length: 512)] }),
      (.senseMalformed, { [$0.reply(.scsiResponse, to: $1, data: [0, 9, 1]) { $0.status = 2 }] }),
      (.senseMalformed, { [$0.reply(.scsiResponse, to: $1, data: [0])] }),
      (.senseMalformed, { [$0.reply(.scsiResponse, to: $1) { $0.status = 2 }] }),
      (
        .sequenceNotEnded,
        { [$0.dataIn($1, pattern(1024), isFinal: false), $0.reply(.scsiResponse, to: $1) { $0.expDataSN = 1 }] }
      ),
      (.undefinedCode, { [$0.reply(.scsiResponse, to: $1) { $0.response = 2 }] }),
      (.constantBitMissing, { [$0.reply(.scsiResponse, to: $1) { $0.isFinal = false }] }),
      (.unexpectedOpcode, { target, _ in [target.reply(.nopOut)] }),
    ]
    for (rule, play) in cases {
      let target = try PlayedTarget()
      let (_, pdu) = try target.start(PlayedTarget.read(1024))
      for reply in play(target, pdu) { target.deliver(reply) }
      #expect(target.ring.takeViolations().contains(rule), "\(rule)")
    }
  }

  @Test func burstsAreMeasured() throws {
    let target = try PlayedTarget([KeyValue("MaxBurstLength", "1024")])
    let (_, pdu) = try target.start(PlayedTarget.read(4096))
    target.deliver(target.dataIn(pdu, pattern(1024)), target.dataIn(pdu, pattern(1024), at: 1024, number: 1))
    #expect(target.ring.takeViolations() == [])
    target.deliver(target.dataIn(pdu, pattern(1028), at: 2048, number: 2))
    #expect(target.ring.takeViolations() == [.burstTooLong])
  }

  /// RFC 7143 §13.18, §13.19: who has agreed to any order is held to none, and its data are where they belong.
  @Test(arguments: ["Yes", "No"]) func dataComeInTheOrderThatWasAgreedOn(inOrder: String) throws {
    let target = try PlayedTarget([KeyValue("DataPDUInOrder", inOrder), KeyValue("DataSequenceInOrder", inOrder)])
    let (_, pdu) = try target.start(PlayedTarget.read(24))
    let data = pattern(24)
    for (number, offset) in [16, 0, 8].enumerated() {
      target.deliver(
        target.dataIn(
          pdu, Array(data[offset..<(offset + 8)]), at: offset, number: UInt32(number), isFinal: number == 2,
          status: number == 2 ? 0 : nil))
    }
    #expect(try command(target.ring.takeResults().first).dataIn == data)
    let rules = inOrder == "Yes" ? [ViolationRule](repeating: .bufferOffsetOutOfOrder, count: 2) : []
    #expect(target.ring.takeViolations() == rules)
  }

  @Test func segmentsAreMeasured() throws {
    let target = try PlayedTarget([KeyValue("MaxRecvDataSegmentLength", "512")])
    let (_, pdu) = try target.start(PlayedTarget.read(513))
    target.deliver(target.dataIn(pdu, pattern(513), status: 0))
    #expect(target.ring.takeViolations() == [.dataSegmentTooLong])
  }

  @Test func aDataDigestErrorWithoutRecoveryEndsTheConnection() throws {
    let target = try PlayedTarget([KeyValue("DataDigest", "CRC32C")])
    let (task, pdu) = try target.start(PlayedTarget.read(4))
    var options = EncodingOptions(digests: target.digests)
    options.dataDigestFlip = 4
    target.ring.deliver(target.dataIn(pdu, pattern(4), status: 0).encoded(options))
    #expect(target.ring.closeReasons == [.framingLost])
    #expect(target.ring.takeViolations() == [.dataDigestError])
    let result = try #require(target.ring.takeResults().first)
    #expect(result.task == task)
    guard case .connectionLost = result.outcome else { return #expect(Bool(false)) }
  }

  @Test func aHeaderDigestErrorEndsTheConnection() throws {
    let target = try PlayedTarget([KeyValue("HeaderDigest", "CRC32C")])
    var options = EncodingOptions(digests: target.digests)
    options.headerDigestFlip = 4
    target.ring.deliver(target.reply(.nopIn).encoded(options))
    #expect(target.ring.closeReasons == [.framingLost])
    #expect(target.ring.takeViolations() == [.headerDigestError])
  }

  @Test func dataIsAcknowledgedAtErrorRecoveryLevelOne() throws {
    let target = try PlayedTarget([KeyValue("ErrorRecoveryLevel", "1")])
    let (_, pdu) = try target.start(PlayedTarget.read(8))
    target.deliver(
      target.dataIn(pdu, pattern(4), isFinal: true) {
        $0.isAcknowledge = true
        $0.targetTransferTag = 77
      })
    let snack = try #require(try target.takePDUs().first)
    snack.header.read { header in
      #expect(header.opcode == .snackRequest && header.snackType == SNACKType.dataACK.rawValue)
      #expect(header.targetTransferTag == 77 && header.begRun == 1 && header.runLength == 0)
      #expect(header.initiatorTaskTag == reservedTag)
    }
  }
}
