import Ring
import Testing

@testable import ISCSI
@testable import Monitor

/// What the monitor makes of streams as such.
@Suite struct StreamTests {
  /// A login, and a read whose Data-In has a wrong number.
  static func exchange() -> [(Side, [UInt8])] {
    var login = ProtocolDataUnit(.loginRequest, data: Conversation.text(Conversation.names))
    login.header.write { header in
      header.isImmediate = true
      header.setBits(1, 0xFF, 0x87)
      header.cmdSN = 1
    }
    var accepted = ProtocolDataUnit(.loginResponse, data: Conversation.text([("TargetPortalGroupTag", "1")]))
    accepted.header.write { header in
      header.setBits(1, 0xFF, 0x87)
      header.tsih = 1
      header.statSN = 5
      header.expCmdSN = 1
      header.maxCmdSN = 9
    }
    var command = ProtocolDataUnit(.scsiCommand)
    command.header.write { header in
      header.isRead = true
      header.expectedDataTransferLength = 3
      header.cmdSN = 1
      header.expStatSN = 6
      header.initiatorTaskTag = 2
    }
    var data = ProtocolDataUnit(.dataIn, data: [1, 2, 3])
    data.header.write { header in
      header.initiatorTaskTag = 2
      header.targetTransferTag = .max
      header.hasStatus = true
      header.dataSN = 1
      header.statSN = 6
      header.expCmdSN = 2
      header.maxCmdSN = 10
    }
    return [
      (.initiator, login.encoded()), (.target, accepted.encoded()), (.initiator, command.encoded()),
      (.target, data.encoded()),
    ]
  }

  private func read(_ bytes: [UInt8], _ monitor: ProtocolMonitor, _ connection: UInt64 = 1, from side: Side) {
    bytes.withUnsafeBytes { monitor.read($0, of: connection, from: side, at: .zero) }
  }

  @Test(arguments: [1, 7, 48, 1000]) func itDoesNotMatterHowStreamsAreCut(size: Int) {
    let monitor = ProtocolMonitor()
    monitor.opened(1)
    for (side, bytes) in Self.exchange() {
      for start in stride(from: 0, to: bytes.count, by: size) {
        read(Array(bytes[start..<min(start + size, bytes.count)]), monitor, from: side)
      }
    }
    let findings = monitor.takeFindings()
    #expect(findings.map(\.rule) == [.dataSNOutOfOrder])
    #expect(findings.first?.detail == "DataSN 1, expected 0")
    #expect(findings.first?.side == .target)
    #expect(monitor.counters.pdus == 4)
    #expect(monitor.counters.commands == 1)
  }

  @Test func whatIsNoISCSIIsLeftAlone() {
    let monitor = ProtocolMonitor()
    monitor.opened(1)
    read(Array("GET / HTTP/1.1\r\nHost: somebody.example\r\nAccept: */*\r\n\r\n".utf8), monitor, from: .initiator)
    read([UInt8](repeating: 0x23, count: 480), monitor, from: .target)
    #expect(!monitor.hasFindings)
    #expect(monitor.counters.connections == 0)
    #expect(monitor.counters.others == 1)
    #expect(!monitor.isJudged(1))
  }

  /// What cannot be seen proves nothing, and what can be seen still does.
  @Test func aStreamThatIsNotWholeIsNotJudgedFromThereOn() {
    let exchange = Self.exchange()
    let monitor = ProtocolMonitor()
    monitor.opened(1)
    for (side, bytes) in exchange[..<2] { read(bytes, monitor, from: side) }
    monitor.lost(1, from: .initiator)
    for (side, bytes) in exchange[2...] { read(bytes, monitor, from: side) }
    #expect(!monitor.hasFindings)
    // The target's own numbers are whole.
    read(exchange[3].1, monitor, from: .target)
    #expect(monitor.takeFindings().map(\.rule) == [.statSNOutOfOrder])
  }

  @Test func aRefusedLoginIsTheEnd() {
    let monitor = ProtocolMonitor()
    monitor.opened(1)
    let exchange = Self.exchange()
    read(exchange[0].1, monitor, from: .initiator)
    var refused = ProtocolDataUnit(.loginResponse)
    refused.header.write { header in
      header.isFinal = false
      header.setBits(1, 0x0C, 0x04)
      header.setByte(36, 2)
      header.setByte(37, 1)
    }
    read(refused.encoded(), monitor, from: .target)
    read(exchange[3].1, monitor, from: .target)
    #expect(!monitor.hasFindings)
  }

  /// It need not have read its data.
  @Test(arguments: [(2, 0), (0, 1)] as [(UInt8, Int)])
  func aLoginMayBeRefusedForItsHeader(statusClass: UInt8, findings: Int) {
    let monitor = ProtocolMonitor()
    monitor.opened(1)
    read(Array(Self.exchange()[0].1.prefix(50)), monitor, from: .initiator)
    var response = ProtocolDataUnit(.loginResponse)
    response.header.write { header in
      header.setBits(1, 0xFF, 0x04)
      header.setByte(36, statusClass)
    }
    read(response.encoded(), monitor, from: .target)
    #expect(monitor.takeFindings().count == findings)
  }

  /// Two connections of one session have their commands numbered together.
  @Test func connectionsOfASessionAreCountedTogether() {
    let monitor = ProtocolMonitor()
    let first = Conversation(monitor, number: 1, keys: [("MaxConnections", "2")])
    let second = Conversation(monitor, number: 2, logsIn: false)
    second.statSN = 700
    second.loginRequest(Conversation.names) { header in
      header.tsih = 7
      header.connectionID = 1
    }
    second.loginResponse([])
    first.read(0)
    second.cmdSN = first.cmdSN
    second.tag = first.tag
    second.read(0)
    second.expCmdSN = second.cmdSN
    second.response()
    first.expCmdSN = second.cmdSN
    first.response()
    #expect(first.found() == [])
    // A task is answered where it was asked for.
    first.cmdSN = second.cmdSN
    first.read(0)
    second.tag = first.tag
    second.expCmdSN += 1
    second.response()
    #expect(first.found() == ["target: unknown tag"])
  }

  @Test func findingsAreBounded() {
    let c = Conversation()
    for _ in 0..<(ProtocolMonitor.findingsMax + 50) { c.response { $0.initiatorTaskTag = 77 } }
    #expect(c.monitor.takeFindings().count == ProtocolMonitor.findingsMax)
    #expect(c.monitor.counters.findings == UInt64(ProtocolMonitor.findingsMax + 50))
  }

  /// Whatever comes, from either end: nothing traps, and the same bytes give the same findings.
  @Test(arguments: 0..<40 as Range<UInt64>) func garbageIsTakenForWhatItIs(seed: UInt64) {
    func play() -> [Finding] {
      var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
      func draw(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state >> 33) % bound
      }
      let keys =
        seed % 2 == 0 ? [] : [("HeaderDigest", "CRC32C"), ("DataDigest", "CRC32C"), ("ErrorRecoveryLevel", "2")]
      let c = Conversation(keys: keys)
      let opcodes = Opcode.allCases
      for _ in 0..<400 {
        let opcode = opcodes[draw(opcodes.count)]
        var pdu = ProtocolDataUnit(opcode, data: (0..<draw(200)).map { _ in UInt8(draw(256)) })
        pdu.header.write { header in
          for _ in 0..<draw(12) { header.setByte(8 + draw(40), UInt8(draw(256))) }
          header.setByte(1, UInt8(draw(256)))
          header.initiatorTaskTag = UInt32(draw(4))
          header.cmdSN = c.cmdSN &+ UInt32(draw(4))
        }
        if draw(200) == 0 { pdu.header.write { $0.setByte(4, UInt8(draw(256))) } }
        c.send(pdu, from: opcode.isFromInitiator ? .initiator : .target)
      }
      c.monitor.closed(1)
      return c.monitor.takeFindings()
    }
    let once = play()
    #expect(once == play())
    #expect(!once.isEmpty)
  }
}
