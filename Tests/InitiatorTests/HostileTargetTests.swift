import ISCSI
import Initiator
import Ring
import Testing

/// A target that sends anything: the initiator must neither trap nor lose track of what it owes.
@Suite struct HostileTargetTests {
  /// xorshift64*: the test's own, so that a failing seed stays one.
  private struct Draw {
    var state: UInt64

    mutating func next() -> UInt64 {
      state ^= state >> 12
      state ^= state << 25
      state ^= state >> 27
      return state &* 0x2545_F491_4F6C_DD1D
    }

    mutating func below(_ bound: Int) -> Int { Int(next() >> 33) % bound }
  }

  private struct Ledger {
    var started: [TaskID] = []
    var ended: [TaskID] = []
  }

  @Test(arguments: 1...100 as ClosedRange<UInt64>) func anythingMayCome(seed: UInt64) throws {
    var draw = Draw(state: seed &* 0x9E37_79B9_7F4A_7C15)
    let choices = ["Yes", "No"]
    let target = try PlayedTarget(
      [
        KeyValue("ErrorRecoveryLevel", "\(draw.below(3))"), KeyValue("InitialR2T", choices[draw.below(2)]),
        KeyValue("ImmediateData", choices[draw.below(2)]),
        KeyValue("HeaderDigest", draw.below(3) == 0 ? "CRC32C" : "None"),
        KeyValue("DataDigest", draw.below(3) == 0 ? "CRC32C" : "None"),
      ], answers: [KeyValue("MaxRecvDataSegmentLength", "512")])
    // What the script cuts off puts the rest out of step.
    target.ring.checksDigests = false
    var ledger = Ledger()
    var requests: [ProtocolDataUnit] = []
    for _ in 0..<150 {
      switch draw.below(8) {
      case 0...2: startSomething(target, &draw, &ledger)
      case 3: sendSomething(target, &draw)
      case 4 where draw.below(20) == 0: target.ring.deliver((0..<draw.below(200)).map { _ in UInt8(draw.below(256)) })
      case 5 where draw.below(60) == 0: target.ring.end(draw.below(2) == 0 ? .none : .connectionReset)
      default: target.deliver(answer(target, requests, &draw))
      }
      requests += (try? target.takePDUs()) ?? []
      if requests.count > 30 { requests.removeFirst(requests.count - 30) }
      note(target.ring.events, &ledger)
      target.ring.events = []
    }
    try target.machine.close(target.connection, reset: draw.below(2) == 0)
    target.ring.run()
    let session = try #require(target.machine.status(of: target.connection)).session
    target.machine.abandonTasks(of: session)
    target.ring.run()
    note(target.ring.events, &ledger)
    #expect(ledger.ended.sorted() == ledger.started.sorted())
    #expect(target.machine.bytesInUse == 0)
    #expect(target.machine.status(of: session)?.tasks == 0)
    #expect(target.ring.closeReasons.count <= 1)
  }

  private func note(_ events: [InitiatorEvent], _ ledger: inout Ledger) {
    for event in events {
      if case .taskEnded(let result) = event.kind { ledger.ended.append(result.task) }
    }
  }

  private func startSomething(_ target: PlayedTarget, _ draw: inout Draw, _ ledger: inout Ledger) {
    let (machine, connection) = (target.machine, target.connection)
    guard machine.status(of: connection)?.phase == .fullFeature else { return }
    do throws(InitiatorError) {
      switch draw.below(7) {
      case 0, 1: ledger.started.append(try machine.execute(PlayedTarget.read(draw.below(3000)), on: connection))
      case 2, 3:
        var request = PlayedTarget.write(pattern(draw.below(3000)))
        request.holdsR2Ts = draw.below(4) == 0
        if draw.below(4) == 0 {
          request.expectedDataIn = draw.below(1000)
          request.overrides = [FieldOverride("expected_data_transfer_length", draw.next())]
        }
        if draw.below(4) == 0 { request.dataOutEdits = [DataOutEdit(.change([FieldOverride("itt", adding: 1)]))] }
        ledger.started.append(try machine.execute(request, on: connection))
      case 4:
        ledger.started.append(
          try machine.text(
            TextRequest([KeyValue("X-a", String(repeating: "y", count: draw.below(900)))]), on: connection))
      case 5:
        var request = TaskManagementRequest(function: UInt8(draw.below(16)))
        request.task = ledger.started.last
        ledger.started.append(try machine.manage(request, on: connection))
      default: ledger.started.append(try machine.ping(PingRequest(), on: connection))
      }
    } catch {
      #expect(error == .connectionClosed || error == .noSuchTask, "\(error)")
    }
  }

  private func sendSomething(_ target: PlayedTarget, _ draw: inout Draw) {
    var template = PDUTemplate(opcodeBits: UInt8(draw.below(64)))
    template.overrides = [
      FieldOverride("byte\(draw.below(4))", draw.next()), FieldOverride("byte\(8 + draw.below(40))", draw.next()),
    ]
    template.data = pattern(draw.below(100))
    template.wire.splitAt = [draw.below(60), 10, draw.below(200)]
    template.wire.truncateAt = draw.below(4) == 0 ? draw.below(48) : nil
    _ = try? target.machine.send(template, on: target.connection)
    if draw.below(10) == 0, let held = target.machine.status(of: target.connection)?.session {
      target.machine.setCmdSN(UInt32(truncatingIfNeeded: draw.next()), of: held)
    }
  }

  /// Something like an answer to one of the requests, with some fields that are not.
  private func answer(_ target: PlayedTarget, _ requests: [ProtocolDataUnit], _ draw: inout Draw) -> ProtocolDataUnit {
    let opcodes: [Opcode] = [
      .scsiResponse, .dataIn, .dataIn, .readyToTransfer, .readyToTransfer, .nopIn, .textResponse,
      .taskManagementResponse,
      .asyncMessage, .reject, .logoutResponse, .loginResponse, .nopOut,
    ]
    let opcode = opcodes[draw.below(opcodes.count)]
    let request = requests.isEmpty ? nil : requests[draw.below(requests.count)]
    var data = pattern([0, 0, 1, 2, 48, 600][draw.below(6)])
    if opcode == .reject, let request { data = request.header.array }
    if opcode == .textResponse, draw.below(2) == 0 { data = Array("A=b\0".utf8) }
    var pdu = target.reply(opcode, to: request, data: data) { header in
      header.targetTransferTag = draw.below(2) == 0 ? reservedTag : 5
      header.isFinal = draw.below(3) > 0
      if opcode == .readyToTransfer || opcode == .dataIn {
        header.bufferOffset = UInt32(draw.below(4) * 512)
        header.desiredDataTransferLength = UInt32(draw.below(2000))
      }
      if draw.below(2) == 0 { header.flags = UInt8(draw.below(256)) }
    }
    let fields = HeaderLayout.of(opcode).fields.filter {
      $0.name != "data_segment_length" && $0.name != "total_ahs_length"
    }
    if draw.below(3) == 0 { fields[draw.below(fields.count)].write(draw.next(), to: &pdu.header) }
    return pdu
  }
}
