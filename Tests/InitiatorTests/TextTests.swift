import ISCSI
import Initiator
import Testing

/// Text negotiations in the full feature phase.
@Suite struct TextTests {
  @Test func textOverSeveralPDUs() throws {
    let target = try PlayedTarget(answers: [KeyValue("MaxRecvDataSegmentLength", "512")])
    let long = String(repeating: "x", count: 200)
    let task = try target.machine.text(
      TextRequest([KeyValue("SendTargets", "All"), KeyValue("X-a", long), KeyValue("X-b", long), KeyValue("X-c", long)]
      ),
      on: target.connection)
    let first = try #require(try target.takePDUs().first)
    #expect(first.data.count == 512 && first.header.read { $0.isContinued && !$0.isFinal })
    #expect(first.header.read { $0.targetTransferTag } == reservedTag)
    target.deliver(
      target.reply(.textResponse, to: first) {
        $0.isFinal = false
        $0.targetTransferTag = 44
      })
    let second = try #require(try target.takePDUs().first)
    #expect(second.header.read { !$0.isContinued && $0.isFinal && $0.targetTransferTag == 44 })
    #expect(second.header.read { $0.initiatorTaskTag } == first.header.read { $0.initiatorTaskTag })
    target.deliver(
      target.reply(.textResponse, to: second, data: Array("TargetName=iqn.a".utf8)) {
        $0.isFinal = false
        $0.isContinued = true
        $0.targetTransferTag = 45
      })
    let third = try #require(try target.takePDUs().first)
    #expect(third.data.isEmpty && third.header.read { $0.targetTransferTag == 45 && $0.isFinal })
    target.deliver(
      target.reply(.textResponse, to: third, data: Array("bc\0TargetAddress=1.2.3.4\0".utf8)) {
        $0.targetTransferTag = reservedTag
      })
    #expect(target.ring.events.allSatisfy { if case .violation = $0.kind { false } else { true } })
    let result = try #require(target.ring.takeResults().first)
    guard case .text(_, let pairs) = result.outcome else { return #expect(Bool(false)) }
    #expect(result.task == task)
    #expect(pairs == [KeyValue("TargetName", "iqn.abc"), KeyValue("TargetAddress", "1.2.3.4")])
  }

  /// However often it was told to while the command window was closed.
  @Test func aTextThatWaitsForTheWindowGoesOnOnce() throws {
    let target = try PlayedTarget()
    for _ in 1..<target.window { _ = try target.machine.ping(PingRequest(), on: target.connection) }
    _ = try target.machine.text(TextRequest([KeyValue("X-a", "b")]), on: target.connection)
    let text = try #require(try target.takePDUs().last)
    func goOn() -> ProtocolDataUnit {
      target.reply(.textResponse, to: text) {
        $0.isFinal = false
        $0.targetTransferTag = 44
      }
    }
    target.window = 0
    for _ in 0..<5 { target.deliver(goOn()) }
    #expect(try target.takePDUs().isEmpty)
    target.window = 8
    target.deliver(target.reply(.nopIn, advances: false) { $0.targetTransferTag = reservedTag })
    #expect(try target.takePDUs().count == 1)
  }

  @Test func violationsOfText() throws {
    let cases: [(ViolationRule, [UInt8], (MutableHeaderView) -> Void)] = [
      (.textMalformed, Array("A".utf8), { $0.targetTransferTag = reservedTag }),
      (
        .textMalformed, [],
        {
          $0.targetTransferTag = reservedTag
          $0.isContinued = true
        }
      ),
      (.transferTag, [], { $0.targetTransferTag = 1 }),
      (
        .transferTag, [],
        {
          $0.targetTransferTag = reservedTag
          $0.isFinal = false
        }
      ),
    ]
    for (rule, data, change) in cases {
      let target = try PlayedTarget()
      _ = try target.machine.text(TextRequest(), on: target.connection)
      let pdu = try #require(try target.takePDUs().first)
      target.deliver(target.reply(.textResponse, to: pdu, data: data, change))
      #expect(target.ring.takeViolations().contains(rule), "\(rule)")
    }
  }

  @Test func textsOfOneConnectionWaitForEachOther() throws {
    let target = try PlayedTarget()
    for _ in 0..<2 { _ = try target.machine.text(TextRequest(), on: target.connection) }
    let first = try target.takePDUs()
    #expect(first.count == 1)
    target.deliver(target.reply(.textResponse, to: first[0]) { $0.targetTransferTag = reservedTag })
    #expect(try target.takePDUs().map(\.opcode) == [.textRequest])
    var pushy = TextRequest()
    pushy.ignoresOthers = true
    _ = try target.machine.text(pushy, on: target.connection)
    #expect(try target.takePDUs().map(\.opcode) == [.textRequest])
  }

  @Test func dataSegmentLengthsAreDeclaredAnew() throws {
    let target = try PlayedTarget()
    _ = try target.machine.text(TextRequest([KeyValue("MaxRecvDataSegmentLength", "4096")]), on: target.connection)
    let pdu = try #require(try target.takePDUs().first)
    target.deliver(
      target.reply(.textResponse, to: pdu, data: Array("MaxRecvDataSegmentLength=65536\0".utf8)) {
        $0.targetTransferTag = reservedTag
      })
    let parameters = try #require(target.machine.status(of: target.connection)).parameters
    #expect(parameters.initiatorMaxRecvDataSegmentLength == 4096)
    #expect(parameters.targetMaxRecvDataSegmentLength == 65536)
  }

  @Test func aLengthThatTheTargetRefusesDoesNotHold() throws {
    let target = try PlayedTarget()
    _ = try target.machine.text(TextRequest([KeyValue("MaxRecvDataSegmentLength", "4096")]), on: target.connection)
    let pdu = try #require(try target.takePDUs().first)
    let before = try #require(target.machine.status(of: target.connection)).parameters
    target.deliver(
      target.reply(.textResponse, to: pdu, data: Array("MaxRecvDataSegmentLength=Reject\0".utf8)) {
        $0.targetTransferTag = reservedTag
      })
    let parameters = try #require(target.machine.status(of: target.connection)).parameters
    #expect(parameters.initiatorMaxRecvDataSegmentLength == before.initiatorMaxRecvDataSegmentLength)
    #expect(parameters.initiatorMaxRecvDataSegmentLength != 4096)
  }

  @Test func dataSegmentLengthsAreDeclaredInBytesOrByHand() throws {
    let target = try PlayedTarget()
    func initiators() throws -> UInt32 {
      try #require(target.machine.status(of: target.connection)).parameters.initiatorMaxRecvDataSegmentLength
    }
    var request = TextRequest()
    request.rawText = Array("MaxRecvDataSegmentLength=4096\0".utf8)
    _ = try target.machine.text(request, on: target.connection)
    let pdu = try #require(try target.takePDUs().first)
    target.deliver(target.reply(.textResponse, to: pdu) { $0.targetTransferTag = reservedTag })
    #expect(try initiators() == 4096)
    // By hand, in two parts; it holds when all of it has been answered.
    var template = PDUTemplate(.textRequest)
    template.overrides = [FieldOverride("itt", 77), FieldOverride("final", 0), FieldOverride("continue", 1)]
    template.data = Array("MaxRecvDataSegmentLength=1".utf8)
    let first = try target.machine.send(template, on: target.connection).pdu
    target.deliver(
      target.reply(.textResponse, to: first) {
        $0.isFinal = false
        $0.targetTransferTag = 5
      })
    #expect(try initiators() == 4096)
    template.overrides = [FieldOverride("itt", 77), FieldOverride("ttt", 5)]
    template.data = Array("6384\0".utf8)
    let second = try target.machine.send(template, on: target.connection).pdu
    let answer = Array("MaxRecvDataSegmentLength=65536\0".utf8)
    target.deliver(target.reply(.textResponse, to: second, data: answer) { $0.targetTransferTag = reservedTag })
    #expect(try initiators() == 16384)
    #expect(
      try #require(target.machine.status(of: target.connection)).parameters.targetMaxRecvDataSegmentLength == 65536)
    #expect(target.ring.takeViolations() == [])
  }

  /// RFC 7143 §11.11.1.
  @Test func finalInAnswerToAPartOfATextIsWrong() throws {
    let target = try PlayedTarget()
    var request = TextRequest([KeyValue("X-a", String(repeating: "y", count: 100))])
    request.segmentLength = 50
    _ = try target.machine.text(request, on: target.connection)
    let first = try #require(try target.takePDUs().first)
    #expect(first.header.read { !$0.isFinal })
    target.deliver(target.reply(.textResponse, to: first) { $0.targetTransferTag = reservedTag })
    #expect(target.ring.takeViolations() == [.textMalformed])
    // The target has ended it.
    #expect(target.ring.takeResults().count == 1)
    #expect(try target.takePDUs().isEmpty)
  }
}
