import ISCSI
import Ring
import SCSI
import Testing

@testable import Target

/// Initiators that send anything: the target must neither trap nor keep what it took for them.
@Suite struct HostileInitiatorTests {
  /// What some initiators do to one target, drawn.
  private struct Play {
    var draw: Draw
    let bench: WireBench
    var initiators: [BenchInitiator] = []
    /// The last R2Ts that have come, on any connection.
    var asked: [ProtocolDataUnit] = []

    init(seed: UInt64) {
      draw = Draw(state: seed)
      let medium = Backing.medium(Handle(7), alignment: 1)
      let units = [Backing.memory, medium].enumerated().map { lun, backing in
        var unit = LogicalUnitConfiguration(lun: UInt16(lun), blockCount: 4096, backing: backing)
        unit.isThin = true
        unit.isRemovable = true
        return unit
      }
      // Little of everything, so that all of it runs out.
      let arenaLength = 1 << (20 + draw.below(4))
      bench = WireBench(
        units: units, mediumLength: 2 << 20, arenaLength: arenaLength, sendPolicy: draw.pick(SendPolicy.allCases)
      ) {
        $0.commandWindow = 24
        $0.immediateTasksMax = 8
        $0.tasksMax = 40
        $0.connectionsMax = 6
        $0.pendingLoginsMax = 4
      }
    }

    mutating func step() {
      initiators.removeAll { bench.hasEnded($0.socket) }
      guard !initiators.isEmpty, draw.below(30) > 0 else { return connect() }
      let initiator = draw.pick(initiators)
      switch draw.below(40) {
      case 0: bench.drop(initiator.socket)
      case 1: bench.holdsMedia.toggle()
      case 2: bench.releaseMedia()
      case 3:
        bench.holdsSends.toggle()
        if !bench.holdsSends { bench.releaseSends() }
      case 4: bench.advance(.seconds(UInt64(draw.below(40))))
      case 5: bench.receiveMax = draw.below(2) == 0 ? .max : 1 + draw.below(3000)
      case 6: bench.sendMax = draw.below(2) == 0 ? .max : 1 + draw.below(3000)
      case 7 where draw.below(8) == 0: bench.feed(initiator.socket, bytes(draw.below(300)))
      default: send(on: initiator)
      }
      for pdu in initiator.receive() {
        // What was rejected has left a gap in the numbers.
        initiator.cmdSN = pdu.header.read { $0.expCmdSN }
        guard pdu.opcode == .readyToTransfer else { continue }
        asked.append(pdu)
        if asked.count > 6 { asked.removeFirst() }
      }
    }

    private mutating func connect() {
      let initiator = BenchInitiator(bench)
      initiator.isid = 0x8000_0000_0000 | UInt64(draw.below(3))
      initiators.append(initiator)
      guard draw.below(8) > 0 else { return }
      let answers = ["Yes", "No"]
      let digests = ["None", "CRC32C"]
      _ = initiator.login(
        [
          ("InitialR2T", draw.pick(answers)), ("ImmediateData", draw.pick(answers)),
          ("HeaderDigest", draw.pick(digests)), ("DataDigest", draw.pick(digests)),
          ("MaxBurstLength", "\(512 << draw.below(10))"), ("FirstBurstLength", "\(512 << draw.below(4))"),
          ("MaxRecvDataSegmentLength", "\(512 << draw.below(10))"), ("MaxOutstandingR2T", "\(1 + draw.below(4))"),
        ], target: draw.below(20) == 0 ? nil : WireBench.name, initiator: "iqn.2026-11.example:\(draw.below(2))")
    }

    private mutating func bytes(_ count: Int) -> [UInt8] {
      (0..<count).map { _ in UInt8(truncatingIfNeeded: draw.next()) }
    }

    private mutating func send(on initiator: BenchInitiator) {
      var pdu = request(of: initiator)
      if draw.below(30) == 0 {
        let fields = HeaderLayout.of(pdu.opcode ?? .nopOut).fields
        draw.pick(fields).write(draw.next() >> UInt64(draw.below(60)), to: &pdu.header)
      }
      if draw.below(30) == 0 { pdu.header.bytes[draw.below(48)] ^= 1 << UInt8(draw.below(8)) }
      var options = initiator.options
      if draw.below(60) == 0 { options.dataDigestFlip = 1 }
      bench.feed(initiator.socket, pdu.encoded(options))
    }

    private mutating func request(of initiator: BenchInitiator) -> ProtocolDataUnit {
      let opcodes: [Opcode] = [
        .scsiCommand, .scsiCommand, .scsiCommand, .dataOut, .dataOut, .taskManagementRequest, .nopOut, .textRequest,
        .snackRequest, .loginRequest, .logoutRequest, .reject,
      ]
      // The last four are seldom.
      let opcode = opcodes[draw.below(draw.below(30) == 0 ? opcodes.count : 8)]
      var data: [UInt8] = []
      let r2t = asked.isEmpty || draw.below(5) == 0 ? nil : draw.pick(asked)
      // Most of what is asked for comes as it should, and most commands read or write.
      let (offset, length) = r2t?.header.read { (Int($0.bufferOffset), Int($0.desiredDataTransferLength)) } ?? (0, 0)
      let isAsked = opcode == .dataOut && length > 0 && draw.below(4) > 0
      let blocks = draw.below(3) == 0 ? 0 : 1 + draw.below(60)
      switch opcode {
      case .dataOut where isAsked: data = bytes(length)
      case .scsiCommand, .dataOut: data = bytes(draw.below(3) == 0 ? 0 : 512 * draw.below(draw.below(4) == 0 ? 40 : 3))
      case .nopOut: data = bytes(draw.below(900))
      case .textRequest: data = draw.below(2) == 0 ? Array("SendTargets=\0X-a=1\0".utf8) : bytes(draw.below(50))
      default: break
      }
      var additional: [UInt8] = []
      if opcode == .scsiCommand, draw.below(20) == 0 {
        additional = draw.below(2) == 0 ? [0, 17, 1, 0] + bytes(16) : bytes(4 * (1 + draw.below(5)))
      }
      let isFinal = isAsked || draw.below(6) > 0
      var pdu = ProtocolDataUnit(opcode, isFinal: isFinal, additionalHeaders: additional, data: data)
      var cdb = opcode == .scsiCommand ? randomCDB(&draw) : []
      if opcode == .scsiCommand, blocks > 0 {
        cdb = draw.below(3) == 0 ? read10(draw.below(200), blocks) : write10(draw.below(200), blocks)
      }
      pdu.header.write { header in
        header.isImmediate = draw.below(8) == 0
        header.lun = UInt64(draw.below(3)) << 48
        header.initiatorTaskTag = UInt32(draw.below(50))
        header.cmdSN = initiator.cmdSN
        if !header.isImmediate, opcode != .dataOut {
          if draw.below(12) == 0 { header.cmdSN &+= UInt32(draw.below(4)) } else { initiator.cmdSN &+= 1 }
        }
        switch opcode {
        case .scsiCommand:
          header.isWrite = !isFinal || (draw.below(8) == 0 ? draw.below(2) == 0 : cdb[0] == 0x2A)
          header.isRead = draw.below(40) == 0 || !header.isWrite
          header.taskAttribute = UInt8([1, 1, 1, 1, 1, 1, 0, 2, 3, 4][draw.below(10)])
          header.expectedDataTransferLength = UInt32(draw.below(6) == 0 ? draw.below(1 << 20) : 512 * blocks)
          for (index, byte) in cdb.enumerated() { header.cdb[index] = byte }
        case .dataOut:
          header.targetTransferTag = r2t?.header.read { $0.targetTransferTag } ?? reservedTag
          if let r2t { header.initiatorTaskTag = r2t.header.read { $0.initiatorTaskTag } }
          header.dataSN = isAsked ? 0 : UInt32(draw.below(3) / 2)
          header.bufferOffset = UInt32(isAsked ? offset : 512 * (draw.below(2) * draw.below(20)))
        case .taskManagementRequest:
          header.taskManagementFunction = UInt8(1 + draw.below(draw.below(6) == 0 ? 14 : 5))
          header.referencedTaskTag = UInt32(draw.below(50))
          header.refCmdSN = initiator.cmdSN &- UInt32(draw.below(30))
        case .nopOut, .textRequest: header.targetTransferTag = draw.below(4) == 0 ? 1 : reservedTag
        default: break
        }
      }
      return pdu
    }

    /// The initiators have gone, and nothing is in the way of what the target has still to do.
    mutating func end() {
      bench.holdsSends = false
      bench.holdsMedia = false
      for _ in 0..<6 {
        bench.releaseSends()
        bench.releaseMedia()
        for initiator in initiators { bench.drop(initiator.socket) }
        // Those whose ends were not seen, as nothing was received.
        bench.advance(.seconds(130))
      }
    }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>) func anythingMayCome(seed: UInt64) {
    var play = Play(seed: seed)
    let idle = play.bench.machine.statistics
    for _ in 0..<400 { play.step() }
    play.end()
    let rest = play.bench.machine.statistics
    #expect(rest.connections == 0 && rest.sessions == 0 && rest.tasks == 0)
    #expect(rest.buffers == idle.buffers && rest.bufferBytes == idle.bufferBytes)
    // And it is as good as ever.
    let initiator = TargetMachineTests.session(play.bench)
    #expect(initiator.read([0x12, 0, 0, 0, 36, 0], 36)?.status == 0)
  }
}
