import ISCSI
import Initiator
import Ring
import Testing

/// Error recovery levels 1 and 2: what a target that is right does, and for which it must not be blamed.
@Suite struct RecoveryTests {
  @Test(arguments: [false, true])
  func aReassignedWriteIsAskedForItsDataAgain(holds: Bool) throws {
    let target = try PlayedTarget([
      KeyValue("ErrorRecoveryLevel", "2"), KeyValue("MaxConnections", "2"), KeyValue("ImmediateData", "No"),
    ])
    var request = PlayedTarget.write(pattern(4096))
    request.holdsR2Ts = holds
    let (task, command) = try target.start(request)
    target.deliver(target.readyToTransfer(command, offset: 0, length: 4096))
    #expect(try target.takePDUs().count == (holds ? 0 : 1))
    target.ring.end(.connectionReset)
    let (second, reassign) = try target.reassign(task)
    target.ring.deliver(target.reply(.taskManagementResponse, to: reassign), on: 1)
    target.ring.deliver(target.readyToTransfer(command, offset: 0, length: 4096, number: 1), on: 1)
    if holds { try target.machine.answerHeldR2Ts(of: task, on: second) }
    target.ring.run()
    let data = try target.ring.takePDUs(on: 1)
    #expect(data.map { $0.header.read { $0.targetTransferTag } } == [0x701])
    #expect(target.ring.takeViolations() == [])
  }

  @Test(
    arguments: [
      // Level, offset of the retried R2T, whether the data were rejected before it, what it breaks.
      (1, 2048, false, nil), (1, 3072, false, nil), (1, 0, false, .r2tOutOfOrder), (0, 2048, false, .r2tOutOfOrder),
      (0, 2048, true, nil), (1, 2048, true, nil),
    ] as [(Int, Int, Bool, ViolationRule?)])
  func theLastR2TMayBeSentAgain(level: Int, offset: Int, isRejected: Bool, breaks: ViolationRule?) throws {
    let target = try PlayedTarget([
      KeyValue("ErrorRecoveryLevel", "\(level)"), KeyValue("ImmediateData", "No"),
    ])
    let (_, command) = try target.start(PlayedTarget.write(pattern(4096)))
    target.deliver(target.readyToTransfer(command, offset: 0, length: 2048))
    target.deliver(target.readyToTransfer(command, offset: 2048, length: 2048, number: 1))
    let data = try #require(try target.takePDUs().last)
    if isRejected {
      target.deliver(
        target.reply(.reject, data: data.header.array) { $0.rejectReason = RejectReason.dataDigestError.rawValue })
    }
    target.deliver(target.readyToTransfer(command, offset: offset, length: 4096 - offset, number: 2))
    let again = try #require(try target.takePDUs().first)
    #expect(again.header.read { Int($0.bufferOffset) } == offset)
    #expect(target.ring.takeViolations() == (breaks.map { [$0] } ?? []))
  }

  /// The data of the first one have not left this side when the target loses patience.
  @Test func anR2TThatIsSentAgainTakesThePlaceOfTheLast() throws {
    let target = try PlayedTarget([KeyValue("ErrorRecoveryLevel", "1"), KeyValue("ImmediateData", "No")])
    var request = PlayedTarget.write(pattern(2048))
    request.holdsR2Ts = true
    let (task, command) = try target.start(request)
    target.deliver(target.readyToTransfer(command, offset: 0, length: 2048))
    target.deliver(target.readyToTransfer(command, offset: 0, length: 2048, number: 1))
    try target.machine.answerHeldR2Ts(of: task, on: target.connection)
    #expect(try target.takePDUs().map { $0.header.read { $0.targetTransferTag } } == [0x701])
    #expect(target.ring.takeViolations() == [])
  }

  /// It is told of the damage, and what comes behind it is numbered as if nothing had happened.
  @Test func whatIsDamagedIsMissedAndNobodyIsBlamedForTheRest() throws {
    let target = try PlayedTarget([KeyValue("ErrorRecoveryLevel", "1"), KeyValue("DataDigest", "CRC32C")])
    let (task, command) = try target.start(PlayedTarget.read(8))
    var options = EncodingOptions(digests: target.digests)
    options.dataDigestFlip = 4
    target.ring.deliver(target.dataIn(command, Array(pattern(8)[..<4]), isFinal: false).encoded(options))
    target.deliver(target.dataIn(command, Array(pattern(8)[4...]), at: 4, number: 1, status: 0))
    #expect(target.ring.takeResults().map(\.task) == [task])
    #expect(target.ring.takeViolations() == [.dataDigestError])
    // A ping's answer that is damaged has taken its StatSN.
    for _ in 0..<2 { _ = try target.machine.ping(PingRequest(), on: target.connection) }
    let pings = try target.takePDUs()
    target.ring.deliver(
      target.reply(.nopIn, to: pings[0], data: [1]) { $0.targetTransferTag = reservedTag }.encoded(options))
    target.deliver(target.reply(.nopIn, to: pings[1]) { $0.targetTransferTag = reservedTag })
    #expect(target.ring.takeViolations() == [.dataDigestError])
  }

  @Test(arguments: [false, true])
  func dataThatComeTwiceCountOnce(asks: Bool) throws {
    let target = try PlayedTarget([KeyValue("ErrorRecoveryLevel", "1")])
    let (_, command) = try target.start(PlayedTarget.read(16))
    let first = target.dataIn(command, pattern(8))
    target.deliver(first)
    if asks {
      var snack = PDUTemplate(.snackRequest)
      snack.overrides = [
        FieldOverride("itt", UInt64(command.header.read { $0.initiatorTaskTag })), FieldOverride("runlength", 1),
      ]
      try target.machine.send(snack, on: target.connection)
    }
    target.deliver(first)
    target.deliver(
      target.reply(.scsiResponse, to: command) {
        $0.expDataSN = 1
        $0.isUnderflow = true
        $0.residualCount = 8
      })
    #expect(target.ring.takeViolations().contains(.residualWrong) == !asks)
  }
}
