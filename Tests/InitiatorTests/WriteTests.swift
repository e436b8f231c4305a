import ISCSI
import Initiator
import Ring
import Testing

@Suite struct WriteTests {
  private struct Part: Equatable {
    var tag: UInt32
    var number: UInt32
    var offset: UInt32
    var length: Int
    var isFinal: Bool
  }

  private func parts(_ pdus: some Sequence<ProtocolDataUnit>, of data: [UInt8]) -> [Part] {
    pdus.map { pdu in
      let offset = pdu.header.read { Int($0.bufferOffset) }
      #expect(pdu.opcode == .dataOut)
      #expect(pdu.data == Array(data[offset..<(offset + pdu.data.count)]))
      return pdu.header.read {
        Part(
          tag: $0.targetTransferTag, number: $0.dataSN, offset: $0.bufferOffset, length: pdu.data.count,
          isFinal: $0.isFinal)
      }
    }
  }

  @Test func immediateUnsolicitedAndSolicitedData() throws {
    let target = try PlayedTarget(
      [
        KeyValue("InitialR2T", "No"), KeyValue("FirstBurstLength", "2048"), KeyValue("MaxBurstLength", "4096"),
      ], answers: [KeyValue("MaxRecvDataSegmentLength", "1024")])
    let data = pattern(5000)
    let task = try target.machine.execute(PlayedTarget.write(data), on: target.connection)
    var pdus = try target.takePDUs()
    let command = pdus.removeFirst()
    #expect(command.data == Array(data[..<1024]))
    #expect(command.header.read { $0.isWrite && !$0.isRead && !$0.isFinal })
    #expect(command.header.read { $0.expectedDataTransferLength } == 5000)
    #expect(
      parts(pdus, of: data) == [Part(tag: reservedTag, number: 0, offset: 1024, length: 1024, isFinal: true)])
    target.deliver(target.readyToTransfer(command, offset: 2048, length: 2952))
    #expect(
      parts(try target.takePDUs(), of: data) == [
        Part(tag: 0x700, number: 0, offset: 2048, length: 1024, isFinal: false),
        Part(tag: 0x700, number: 1, offset: 3072, length: 1024, isFinal: false),
        Part(tag: 0x700, number: 2, offset: 4096, length: 904, isFinal: true),
      ])
    target.deliver(target.reply(.scsiResponse, to: command) { $0.expDataSN = 1 })
    #expect(target.ring.events.allSatisfy { if case .violation = $0.kind { false } else { true } })
    let result = try #require(target.ring.takeResults().first)
    guard case .command(let outcome) = result.outcome else { return #expect(Bool(false)) }
    #expect(result.task == task && outcome.dataOutLength == 5000)
  }

  @Test(arguments: [
    // InitialR2T, ImmediateData: immediate bytes, unsolicited bytes, F of the command.
    ("Yes", "Yes", 1024, 0, true), ("Yes", "No", 0, 0, true), ("No", "Yes", 1024, 1024, false),
    ("No", "No", 0, 2048, false),
  ])
  func whatIsSentUnasked(initialR2T: String, immediate: String, first: Int, second: Int, isFinal: Bool) throws {
    let target = try PlayedTarget(
      [
        KeyValue("InitialR2T", initialR2T), KeyValue("ImmediateData", immediate), KeyValue("FirstBurstLength", "2048"),
      ], answers: [KeyValue("MaxRecvDataSegmentLength", "1024")])
    _ = try target.machine.execute(PlayedTarget.write(pattern(5000)), on: target.connection)
    let pdus = try target.takePDUs()
    #expect(pdus[0].data.count == first)
    #expect(pdus[0].header.read { $0.isFinal } == isFinal)
    #expect(pdus.dropFirst().reduce(0) { $0 + $1.data.count } == second)
  }

  @Test func aSmallWriteNeedsNoFurtherPDU() throws {
    let target = try PlayedTarget([KeyValue("InitialR2T", "No")])
    let (_, pdu) = try target.start(PlayedTarget.write(pattern(10)))
    #expect(pdu.data.count == 10 && pdu.header.read { $0.isFinal })
    #expect(try target.takePDUs().isEmpty)
  }

  @Test func wrongOnPurpose() throws {
    let target = try PlayedTarget(
      [KeyValue("ImmediateData", "No")], answers: [KeyValue("MaxRecvDataSegmentLength", "1024")])
    let data = pattern(4096)
    var request = PlayedTarget.write(data)
    request.overrides = [FieldOverride("expected_data_transfer_length", adding: 10)]
    request.dataOutEdits = [
      DataOutEdit(burst: 1, index: 0, .moveToEnd),
      DataOutEdit(burst: 1, index: 1, .change([FieldOverride("datasn", 9), FieldOverride("lun", 5)])),
      DataOutEdit(burst: 1, index: 2, .drop),
      DataOutEdit(burst: 1, index: 3, .duplicate),
      DataOutEdit(burst: 2, .data([1, 2, 3])),
    ]
    let (_, command) = try target.start(request)
    #expect(command.header.read { $0.expectedDataTransferLength } == 4106)
    target.deliver(target.readyToTransfer(command, offset: 0, length: 4096))
    let pdus = try target.takePDUs()
    #expect(pdus.map { $0.header.read { $0.dataSN } } == [9, 3, 3, 0])
    #expect(pdus[0].header.read { $0.lun } == 5)
    target.deliver(target.readyToTransfer(command, offset: 0, length: 512, number: 1))
    #expect(try target.takePDUs().map(\.data) == [[1, 2, 3]])
  }

  /// However many edits say so.
  @Test func whatIsSentTwiceIsNotSentMoreOften() throws {
    let target = try PlayedTarget([KeyValue("ImmediateData", "No")])
    var request = PlayedTarget.write(pattern(512))
    request.dataOutEdits = Array(repeating: DataOutEdit(.duplicate), count: 64)
    let (_, command) = try target.start(request)
    target.deliver(target.readyToTransfer(command, offset: 0, length: 512))
    #expect(try target.takePDUs().map(\.data) == [pattern(512), pattern(512)])
  }

  @Test func lengthsOfUnsolicitedDataCanBeForced() throws {
    let target = try PlayedTarget()
    var request = PlayedTarget.write(pattern(3000))
    request.immediateLength = 2000
    request.unsolicitedLength = 3000
    request.segmentLength = 400
    _ = try target.machine.execute(request, on: target.connection)
    let pdus = try target.takePDUs()
    #expect(pdus.map(\.data.count) == [2000, 400, 400, 200])
  }

  @Test func heldR2TsAreAnsweredWhenTheScriptSaysSo() throws {
    let target = try PlayedTarget([KeyValue("MaxOutstandingR2T", "2"), KeyValue("ImmediateData", "No")])
    var request = PlayedTarget.write(pattern(2048))
    request.holdsR2Ts = true
    let (task, command) = try target.start(request)
    target.deliver(
      target.readyToTransfer(command, offset: 0, length: 1024),
      target.readyToTransfer(command, offset: 1024, length: 1024, number: 1))
    #expect(try target.takePDUs().isEmpty)
    let held = target.ring.events.filter { if case .readyToTransferHeld = $0.kind { true } else { false } }
    #expect(held.count == 2)
    try target.machine.answerHeldR2Ts(of: task, on: target.connection, reversed: true)
    #expect(try target.takePDUs().map { $0.header.read { $0.bufferOffset } } == [1024, 0])
    #expect(target.ring.takeViolations() == [])
  }

  @Test(arguments: [false, true])
  func heldR2TsMayBeAnsweredByHand(byDefault: Bool) throws {
    let target = try PlayedTarget([KeyValue("ImmediateData", "No")])
    let data = pattern(2048)
    var request = PlayedTarget.write(data)
    request.holdsR2Ts = !byDefault
    var behaviour = AutomaticBehaviour()
    behaviour.answersR2Ts = !byDefault
    try target.machine.setAutomatic(behaviour, on: target.connection)
    let (task, command) = try target.start(request)
    for number in 0..<2 {
      target.deliver(
        target.readyToTransfer(command, offset: number * 1024, length: 1024, number: UInt32(number)))
      for part in 0..<2 {
        let offset = number * 1024 + part * 512
        var template = PDUTemplate(.dataOut)
        template.overrides = [
          FieldOverride("itt", UInt64(command.header.read { $0.initiatorTaskTag })),
          FieldOverride("ttt", UInt64(0x700 + number)), FieldOverride("datasn", UInt64(part)),
          FieldOverride("buffer_offset", UInt64(offset)), FieldOverride("final", UInt64(part)),
        ]
        template.data = Array(data[offset..<(offset + 512)])
        try target.machine.send(template, on: target.connection)
      }
      #expect(try target.takePDUs().count == 2)
    }
    // None is left to be answered.
    try target.machine.answerHeldR2Ts(of: task, on: target.connection)
    #expect(try target.takePDUs().isEmpty)
    target.deliver(target.reply(.scsiResponse, to: command) { $0.expDataSN = 2 })
    #expect(target.ring.takeResults().map(\.task) == [task])
    #expect(target.ring.takeViolations() == [])
  }

  /// What a target can get wrong in asking for the data of a write of 4096 bytes, 2048 of them a burst.
  @Test func violationsOfR2T() throws {
    typealias Play = (PlayedTarget, ProtocolDataUnit) -> [ProtocolDataUnit]
    let cases: [(ViolationRule, Play)] = [
      (.r2tSNOutOfOrder, { [$0.readyToTransfer($1, offset: 0, length: 10, number: 1)] }),
      (.transferTag, { [$0.readyToTransfer($1, offset: 0, length: 10) { $0.targetTransferTag = reservedTag }] }),
      (.lunMismatch, { [$0.readyToTransfer($1, offset: 0, length: 10) { $0.lun = 9 }] }),
      (.r2tOutOfBounds, { [$0.readyToTransfer($1, offset: 0, length: 0)] }),
      (.r2tOutOfBounds, { [$0.readyToTransfer($1, offset: 4000, length: 97)] }),
      (
        .r2tOutOfBounds,
        {
          [
            $0.readyToTransfer($1, offset: 0, length: 10) {
              $0.bufferOffset = 0xFFFF_FFFF
              $0.desiredDataTransferLength = 0xFFFF_FFFF
            }
          ]
        }
      ),
      (.r2tTooLong, { [$0.readyToTransfer($1, offset: 0, length: 2049)] }),
      (
        .r2tOutOfOrder,
        { [$0.readyToTransfer($1, offset: 1024, length: 8), $0.readyToTransfer($1, offset: 0, length: 8, number: 1)] }
      ),
      (.residualWrong, { [$0.reply(.scsiResponse, to: $1)] }),
      (.statSNOutOfOrder, { [$0.readyToTransfer($1, offset: 0, length: 10) { $0.statSN &-= 1 }] }),
      (
        .dataSegmentMalformed,
        { target, command in
          var pdu = target.readyToTransfer(command, offset: 0, length: 10)
          pdu.data = [1, 2, 3, 4]
          pdu.setLengths()
          return [pdu]
        }
      ),
    ]
    for (rule, play) in cases {
      let target = try PlayedTarget([KeyValue("MaxBurstLength", "2048"), KeyValue("ImmediateData", "No")])
      let (_, command) = try target.start(PlayedTarget.write(pattern(4096)))
      for pdu in play(target, command) { target.deliver(pdu) }
      #expect(target.ring.takeViolations().contains(rule), "\(rule)")
    }
  }

  @Test func r2tsThatCameTogetherAreCounted() throws {
    let target = try PlayedTarget([KeyValue("ImmediateData", "No")])
    let (_, command) = try target.start(PlayedTarget.write(pattern(2048)))
    let both = [
      target.readyToTransfer(command, offset: 0, length: 1024),
      target.readyToTransfer(command, offset: 1024, length: 1024, number: 1),
    ]
    target.ring.deliver(both.flatMap { $0.encoded() })
    #expect(target.ring.takeViolations() == [.r2tTooMany])
  }

  /// Nothing of what they ask for has left before all have come. It is too much however many may be outstanding.
  @Test(arguments: [(most: 1, tooMany: 19), (65_535, 0)])
  func whatTooManyR2TsAskForDoesNotFillTheMemory(most: Int, tooMany: Int) throws {
    let target = try PlayedTarget([KeyValue("ImmediateData", "No"), KeyValue("MaxOutstandingR2T", "\(most)")])
    let length = 4 << 20
    let (_, command) = try target.start(PlayedTarget.write([UInt8](repeating: 1, count: length)))
    let flood = (0..<20).map { target.readyToTransfer(command, offset: 0, length: length, number: $0) }
    target.ring.deliver(flood.flatMap { $0.encoded() })
    #expect(target.ring.takeViolations().filter { $0 == .r2tTooMany }.count == tooMany)
    let sent = try target.takePDUs().reduce(0) { $0 + $1.data.count }
    #expect(sent == 4 * length, "\(sent) bytes")
  }

  @Test func dataThatWereSentUnaskedAreNotAskedForAgain() throws {
    let target = try PlayedTarget()
    let (_, command) = try target.start(PlayedTarget.write(pattern(10_000)))
    #expect(command.data.count == 8192)
    target.deliver(target.readyToTransfer(command, offset: 4096, length: 100))
    #expect(target.ring.takeViolations() == [.r2tOutOfOrder])
  }
}
