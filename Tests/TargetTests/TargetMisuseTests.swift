import ISCSI
import Ring
import Testing

@testable import Target

/// Initiators that break the rules, and what RFC 7143 wants done about it.
@Suite struct TargetMisuseTests {
  private func session(_ bench: WireBench, _ keys: [(String, String)] = []) -> BenchInitiator {
    TargetMachineTests.session(bench, keys)
  }

  private func status(_ pdu: ProtocolDataUnit?) -> UInt8? { pdu?.header.read { $0.status } }

  /// Sense key, additional sense code and qualifier of a SCSI Response with fixed format sense data.
  private func sense(_ pdu: ProtocolDataUnit?) -> [UInt8] {
    guard let data = pdu?.data, data.count >= 16 else { return [] }
    return [data[4] & 0x0F, data[14], data[15]]
  }

  @Test func aConnectionThatEndsGoesOnThrowingAwayWhatComes() {
    let bench = WireBench()
    let initiator = session(bench)
    var pdu = ProtocolDataUnit(.nopOut)
    pdu.header.write { $0.dataSegmentLength = 0xFF_FFFF }
    // More than the receive buffer takes, of a PDU that is longer than it may be.
    bench.feed(initiator.socket, pdu.encoded(initiator.options) + [UInt8](repeating: 0, count: 3 << 20))
    #expect(initiator.receive().first?.opcode == .reject)
    #expect(bench.hasEnded(initiator.socket))
    #expect(bench.room(initiator.socket) > 0)
    #expect(bench.waiting(initiator.socket) == 0)
  }

  @Test func withoutDescriptorsWhoHasNotLoggedInMakesRoom() {
    let bench = WireBench()
    let first = session(bench)
    let silent = (0..<3).map { _ in BenchInitiator(bench) }
    for dropped in 1...2 {
      bench.failAccept()
      #expect(silent.map { bench.isClosed($0.socket) } == (1...3).map { $0 <= dropped })
      bench.advance(.milliseconds(100))
    }
    let second = BenchInitiator(bench)
    second.isid += 1
    #expect(second.login() == 0)
    #expect(first.read(read10(0, 1), 512)?.status == 0)
  }

  @Test func damagedImmediateDataCountAsNotReceived() {
    for count in [512, 65_536] {
      let bench = WireBench()
      let initiator = session(bench, [("DataDigest", "CRC32C"), ("FirstBurstLength", "65536")])
      if count > 512 { bench.receiveMax = 3000 }
      let data = TargetMachineTests.pattern(count)
      let request = initiator.command(write10(0, count / 512), write: count, immediate: data)
      initiator.options.dataDigestFlip = 1
      initiator.send(request)
      let answers = initiator.receive()
      #expect(answers.map(\.opcode) == [.reject])
      #expect(answers.first?.header.read { $0.rejectReason } == RejectReason.dataDigestError.rawValue)
      #expect(answers.first?.header.read { $0.expCmdSN } == request.header.read { $0.cmdSN })
      initiator.options.dataDigestFlip = 0
      initiator.send(request)
      #expect(status(initiator.receive().first) == 0)
      #expect(initiator.read(read10(0, count / 512), count)?.data == data)
      #expect(bench.machine.statistics.tasks == 0)
    }
  }

  /// No more tags are forgotten than the window lets in.
  @Test func dataOfAllTasksThatAResetHasAbortedMayComeLate() {
    let bench = WireBench()
    let initiator = session(bench, [("InitialR2T", "No"), ("ImmediateData", "No"), ("FirstBurstLength", "512")])
    let writes = (0..<200).map { initiator.command(write10($0, 1), write: 512, isFinal: false) }
    for write in writes { initiator.send(write) }
    initiator.send(initiator.taskManagement(.logicalUnitReset))
    let data = [UInt8](repeating: 1, count: 512)
    for write in writes { initiator.sendData(write.header.read { $0.initiatorTaskTag }, reservedTag, 0, data, 512) }
    #expect(initiator.receive().map(\.opcode) == [.taskManagementResponse])
    #expect(bench.machine.statistics.tasks == 0)
  }

  @Test func aDamagedDataOutFailsItsTaskWhenTheRestHasCome() {
    let bench = WireBench()
    let initiator = session(bench, [("DataDigest", "CRC32C"), ("ImmediateData", "No"), ("InitialR2T", "Yes")])
    initiator.send(initiator.command(write10(0, 2), write: 1024))
    guard let r2t = initiator.receive().first else { return #expect(Bool(false), "no R2T") }
    let (tag, ttt) = r2t.header.read { ($0.initiatorTaskTag, $0.targetTransferTag) }
    initiator.options.dataDigestFlip = 8
    initiator.send(
      initiator.dataOut(tag: tag, ttt: ttt, dataSN: 0, offset: 0, Array(repeating: 1, count: 512), isFinal: false))
    initiator.options.dataDigestFlip = 0
    #expect(initiator.receive().map(\.opcode) == [.reject])
    initiator.send(
      initiator.dataOut(tag: tag, ttt: ttt, dataSN: 1, offset: 512, Array(repeating: 1, count: 512), isFinal: true))
    let response = initiator.receive().first
    #expect(status(response) == 2)
    #expect(sense(response) == [0x0B, 0x47, 0x05])
    #expect(initiator.read(read10(0, 2), 1024)?.data == Array(repeating: 0, count: 1024))
  }

  @Test func aHeaderDigestErrorEndsTheConnection() {
    let bench = WireBench()
    let initiator = session(bench, [("HeaderDigest", "CRC32C")])
    initiator.options.headerDigestFlip = 1 << 20
    initiator.send(initiator.command(read10(0, 1), read: 512))
    #expect(initiator.receive().isEmpty)
    #expect(bench.isClosed(initiator.socket))
  }

  @Test func aHoleInDataSNIsALostPDU() {
    for (first, second) in [(0, 2), (1, 2), (0, 0), (27, 28)] as [(UInt32, UInt32)] {
      let bench = WireBench()
      let initiator = session(bench, [("ImmediateData", "No")])
      initiator.send(initiator.command(write10(0, 2), write: 1024))
      guard let r2t = initiator.receive().first else { return #expect(Bool(false), "no R2T") }
      let (tag, ttt) = r2t.header.read { ($0.initiatorTaskTag, $0.targetTransferTag) }
      let half = [UInt8](repeating: 1, count: 512)
      initiator.send(initiator.dataOut(tag: tag, ttt: ttt, dataSN: first, offset: 0, half, isFinal: false))
      initiator.send(initiator.dataOut(tag: tag, ttt: ttt, dataSN: second, offset: 512, half, isFinal: true))
      let answers = initiator.receive()
      #expect(answers.count == 1)
      #expect(sense(answers.first) == [0x0B, 0x47, 0x05])
      #expect(initiator.read(read10(0, 2), 1024)?.data == Array(repeating: 0, count: 1024))
    }
  }

  @Test func aSequenceMayEndWithAnEmptyDataOut() {
    let bench = WireBench()
    let initiator = session(bench, [("ImmediateData", "No"), ("MaxBurstLength", "512"), ("FirstBurstLength", "512")])
    initiator.send(initiator.command(write10(0, 2), write: 1024))
    let data = TargetMachineTests.pattern(1024)
    for burst in 0..<2 {
      guard let r2t = initiator.receive().first else { return #expect(Bool(false), "no R2T") }
      let (tag, ttt) = r2t.header.read { ($0.initiatorTaskTag, $0.targetTransferTag) }
      let part = Array(data[(burst * 512)..<(burst * 512 + 512)])
      initiator.send(initiator.dataOut(tag: tag, ttt: ttt, dataSN: 0, offset: burst * 512, [], isFinal: false))
      initiator.send(initiator.dataOut(tag: tag, ttt: ttt, dataSN: 1, offset: burst * 512, part, isFinal: false))
      initiator.send(initiator.dataOut(tag: tag, ttt: ttt, dataSN: 2, offset: burst * 512 + 512, [], isFinal: true))
    }
    #expect(status(initiator.receive().first) == 0)
    #expect(initiator.read(read10(0, 2), 1024)?.data == data)
  }

  @Test(
    arguments: [
      // InitialR2T, immediate bytes, F bit; expected length 64 KiB, first burst 8 KiB.
      ("Yes", 0, false, [0x0B, 0x0C, 0x0C]), ("Yes", 16_384, true, [0x0B, 0x0C, 0x0D]),
    ] as [(String, Int, Bool, [UInt8])])
  func unsolicitedDataAgainstTheRulesAreNotWritten(_ r2t: String, _ count: Int, _ isFinal: Bool, _ expected: [UInt8]) {
    let bench = WireBench()
    let initiator = session(bench, [("InitialR2T", r2t), ("FirstBurstLength", "8192")])
    initiator.send(
      initiator.command(
        write10(0, 128), write: 65_536, immediate: Array(repeating: 7, count: count), isFinal: isFinal))
    let answers = initiator.receive()
    #expect(answers.count == 1)
    #expect(sense(answers.first) == expected)
    #expect(initiator.read(read10(0, 1), 512)?.data == Array(repeating: 0, count: 512))
  }

  @Test func aFirstBurstThatEndsEarlyIsAnIncorrectAmount() {
    let bench = WireBench()
    let initiator = session(bench, [("InitialR2T", "No"), ("FirstBurstLength", "8192"), ("ImmediateData", "No")])
    let request = initiator.command(write10(0, 128), write: 65_536, isFinal: false)
    initiator.send(request)
    #expect(initiator.receive().isEmpty)
    let tag = request.header.read { $0.initiatorTaskTag }
    initiator.send(
      initiator.dataOut(
        tag: tag, ttt: reservedTag, dataSN: 0, offset: 0, Array(repeating: 1, count: 4096), isFinal: true))
    #expect(sense(initiator.receive().first) == [0x0B, 0x0C, 0x0D])
  }

  @Test func theAnswerToABadWriteWaitsForItsUnsolicitedData() {
    let bench = WireBench()
    let initiator = session(bench, [("InitialR2T", "No"), ("FirstBurstLength", "8192"), ("ImmediateData", "No")])
    let request = initiator.command(write10(1 << 20, 16), write: 8192, isFinal: false)
    initiator.send(request)
    #expect(initiator.receive().isEmpty)
    let tag = request.header.read { $0.initiatorTaskTag }
    initiator.sendData(tag, reservedTag, 0, Array(repeating: 1, count: 8192), 4096)
    #expect(sense(initiator.receive().first) == [0x05, 0x21, 0x00])
  }

  @Test func whatIsUnknownIsRejectedAndTheConnectionGoesOn() {
    let bench = WireBench()
    let initiator = session(bench)
    for opcode: UInt8 in [0x07, 0x0F, 0x11, 0x1C, 0x1F, 0x20, 0x25, 0x31] {
      var pdu = ProtocolDataUnit(.nopOut)
      pdu.header.write {
        $0.opcodeBits = opcode
        $0.initiatorTaskTag = 77
      }
      initiator.send(pdu)
      let answer = initiator.receive()
      #expect(answer.map(\.opcode) == [.reject])
      #expect(answer.first?.data == pdu.header.array)
      #expect(answer.first?.header.read { $0.initiatorTaskTag } == reservedTag)
    }
    #expect(initiator.read(read10(0, 1), 512)?.status == 0)
  }

  @Test func aRejectIsNotRejected() {
    let bench = WireBench()
    let initiator = session(bench)
    initiator.send(ProtocolDataUnit(.reject))
    #expect(initiator.receive().isEmpty)
    #expect(bench.isClosed(initiator.socket))
  }

  @Test func aSegmentAboveTheDeclaredLengthEndsTheConnection() {
    let bench = WireBench { $0.maxRecvDataSegmentLength = 8192 }
    let initiator = session(bench)
    var nop = ProtocolDataUnit(.nopOut, data: Array(repeating: 5, count: 8196))
    nop.header.write {
      $0.initiatorTaskTag = 3
      $0.targetTransferTag = reservedTag
    }
    initiator.send(nop)
    #expect(initiator.receive().map(\.opcode) == [.reject])
    #expect(bench.hasEnded(initiator.socket))
  }

  @Test func aLoginTextMayBeCutAnywhere() {
    var writer = TextWriter()
    writer.append("InitiatorName", "iqn.2026-11.example:a")
    writer.append("TargetName", WireBench.name)
    writer.append("MaxBurstLength", "65536")
    for cut in 1..<writer.bytes.count {
      let bench = WireBench()
      let initiator = BenchInitiator(bench)
      var first = initiator.loginRequest(text: Array(writer.bytes[..<cut]))
      first.header.write {
        $0.isTransit = false
        $0.isContinued = true
        $0.nextStage = 0
      }
      initiator.send(first)
      let answer = initiator.receive().first
      #expect(answer?.data == [])
      #expect(answer?.header.read { $0.isTransit } == false)
      #expect(initiator.login(text: Array(writer.bytes[cut...])) == 0)
      #expect(initiator.parameters["MaxBurstLength"] == "65536")
    }
  }

  /// RFC 7143 §6.1: 255 bytes, where the key says nothing else.
  @Test(arguments: [(255, UInt16(0)), (256, 0x0200)]) func aValueIsOnlySoLong(length: Int, status: UInt16) {
    let alias = String(repeating: "a", count: length)
    #expect(BenchInitiator(WireBench()).login([("InitiatorAlias", alias)]) == status)
  }

  /// RFC 7143 §6.2: until the answer has come as a whole the initiator has nothing to say.
  @Test func whoAnswersAPartOfATextWithTextIsRefused() {
    let initiator = BenchInitiator(WireBench())
    var keys = (0..<400).map { ("X-example-\($0)", "1") }
    keys.append(("MaxBurstLength", "65536"))
    #expect(initiator.login(keys) == 0)
    #expect(initiator.login([("MaxBurstLength", "65536")]) == 0x0200)
  }

  @Test func anAnswerThatIsTooLongForOnePDUIsCut() throws {
    let bench = WireBench()
    let initiator = BenchInitiator(bench)
    var text: [UInt8] = []
    var writer = TextWriter()
    writer.append("InitiatorName", "iqn.2026-11.example:a")
    writer.append("TargetName", WireBench.name)
    for index in 0..<1200 { writer.append("X-example-\(index)", "1") }
    let pieces = stride(from: 0, to: writer.bytes.count, by: 8192).map {
      Array(writer.bytes[$0..<min($0 + 8192, writer.bytes.count)])
    }
    for piece in pieces.dropLast() {
      var request = initiator.loginRequest(text: piece)
      request.header.write {
        $0.isTransit = false
        $0.isContinued = true
        $0.nextStage = 0
      }
      initiator.send(request)
      #expect(initiator.receive().count == 1)
    }
    initiator.send(initiator.loginRequest(text: pieces.last ?? []))
    for _ in 0..<20 {
      let answer = try #require(initiator.receive().first)
      #expect(answer.header.read { $0.loginStatus } == 0)
      text += answer.data
      if answer.header.read({ $0.isTransit }) { break }
      initiator.send(initiator.loginRequest(text: []))
    }
    let pairs = try TextParser.pairs(of: text)
    #expect(pairs.filter { $0.value == "NotUnderstood" }.count == 1200)
    #expect(initiator.read(read10(0, 1), 512) != nil)
  }

  /// On a medium, whose reads take buffers, and in memory, whose blocks are lent.
  @Test(arguments: [Backing.medium(Handle(7), alignment: 1), .memory])
  func aFullQueueOfAnswersStopsTheInitiatorFromAsking(_ backing: Backing) {
    let unit = LogicalUnitConfiguration(lun: 0, blockCount: 8192, backing: backing)
    let bench = WireBench(units: [unit], mediumLength: 4 << 20, arenaLength: 8 << 20)
    let idle = bench.machine.statistics.bufferBytes
    let initiator = session(bench, [("MaxRecvDataSegmentLength", "262144")])
    bench.holdsSends = true
    for _ in 0..<200 { initiator.send(initiator.command(read10(0, 2048), read: 1 << 20)) }
    // An eighth of the arena may be queued, a command may go beyond it, and the connection has buffers of its own.
    let taken = bench.machine.statistics.bufferBytes - idle
    #expect(taken < 3 << 20)
    #expect(backing == .memory || taken > 1 << 20, "it does wait for the answers to be taken")
    bench.holdsSends = false
    bench.releaseSends()
    var good = 0
    for pdu in initiator.receive() where pdu.opcode == .dataIn && pdu.header.read({ $0.hasStatus }) { good += 1 }
    #expect(good == 200)
    #expect(bench.machine.statistics.tasks == 0)
  }

  /// Reads have all memory when their answers need a little more: the connection is given up, and all of it comes back.
  @Test(arguments: [[], [("HeaderDigest", "CRC32C"), ("DataDigest", "CRC32C")]])
  func anAnswerForWhichThereIsNoMemoryLeavesNothingBehind(_ keys: [(String, String)]) throws {
    let unit = LogicalUnitConfiguration(lun: 0, blockCount: 8192, backing: .medium(Handle(7), alignment: 1))
    let bench = WireBench(units: [unit], mediumLength: 4 << 20, arenaLength: 4 << 20)
    let idle = bench.machine.statistics.bufferBytes
    let initiator = session(bench, keys)
    initiator.options.digests = DigestSettings(header: !keys.isEmpty, data: !keys.isEmpty)
    // Each session leaves eight times as much as it has itself: others have that.
    let others = (2..<32).map { number in
      let other = BenchInitiator(bench)
      other.isid = UInt64(number)
      #expect(other.login() == 0)
      _ = other.read([0, 0, 0, 0, 0, 0], 0)
      return other
    }
    // The staging buffer is almost full of answers that the initiator does not take.
    bench.holdsSends = true
    for _ in 0..<15 { initiator.ping(1000) }
    bench.holdsMedia = true
    // One read more of each than there is memory for.
    for initiator in [initiator] + others {
      for _ in 0..<240 {
        let before = bench.machine.statistics.bufferBytes
        initiator.send(initiator.command(read10(0, 32), read: 16_384))
        if bench.machine.statistics.bufferBytes == before { break }
      }
    }
    #expect(bench.machine.statistics.bufferBytes > 4 << 20 - 16_384)
    #expect(!bench.isClosed(initiator.socket))
    bench.holdsMedia = false
    bench.releaseMedia()
    #expect(bench.isClosed(initiator.socket), "there was no memory for all headers")
    bench.holdsSends = false
    bench.releaseSends()
    for other in others { bench.drop(other.socket) }
    #expect(bench.machine.statistics.tasks == 0)
    #expect(bench.machine.statistics.bufferBytes <= idle)
    #expect(session(bench).read(read10(0, 32), 16_384)?.status == 0)
  }
}
