import ISCSI
import Ring
import SimNet
import Testing

@testable import Monitor

/// Capture files: their forms, the links that they are of, and streams that are not whole.
@Suite struct CaptureTests {
  // MARK: A file by hand

  /// Numbers of the width and the order that a file has.
  private struct FileWriter {
    var bytes: [UInt8] = []
    let isBig: Bool

    mutating func put(_ value: UInt64, _ width: Int) {
      for index in 0..<width {
        let shift = UInt64(isBig ? width - 1 - index : index) * 8
        bytes.append(UInt8(truncatingIfNeeded: value >> shift))
      }
    }

    mutating func block(_ kind: UInt64, _ body: [UInt8]) {
      let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
      put(kind, 4)
      put(UInt64(padded.count + 12), 4)
      bytes += padded
      put(UInt64(padded.count + 12), 4)
    }
  }

  private static func part(_ isBig: Bool, _ fields: [(UInt64, Int)]) -> [UInt8] {
    var writer = FileWriter(isBig: isBig)
    for (value, width) in fields { writer.put(value, width) }
    return writer.bytes
  }

  private enum Form: CaseIterable {
    case pcap
    case pcapOfNanoseconds
    case pcapng
  }

  /// A file with these packets, a microsecond apart.
  private static func file(_ packets: [[UInt8]], _ form: Form = .pcapng, isBig: Bool = false, link: UInt64 = 101)
    -> [UInt8]
  {
    var file = FileWriter(isBig: isBig)
    switch form {
    case .pcap, .pcapOfNanoseconds:
      file.put(form == .pcap ? 0xA1B2_C3D4 : 0xA1B2_3C4D, 4)
      file.bytes += part(isBig, [(2, 2), (4, 2), (0, 4), (0, 4), (262_144, 4), (link, 4)])
      for (index, packet) in packets.enumerated() {
        let fraction = UInt64(index) * (form == .pcap ? 1 : 1000)
        let count = UInt64(packet.count)
        file.bytes += part(isBig, [(1_700_000_000, 4), (fraction, 4), (count, 4), (count, 4)]) + packet
      }
    case .pcapng:
      file.block(0x0A0D_0D0A, part(isBig, [(0x1A2B_3C4D, 4), (1, 2), (0, 2), (.max, 8)]))
      file.block(1, part(isBig, [(link, 2), (0, 2), (0, 4), (9, 2), (1, 2), (isBig ? 9 << 24 : 9, 4), (0, 4)]))
      // What nobody asked for: a comment of the user's.
      file.block(0xBAD, [1, 2, 3])
      for (index, packet) in packets.enumerated() {
        let ticks = 1_700_000_000_000_000_000 + UInt64(index) * 1000
        let count = UInt64(packet.count)
        file.block(
          6, part(isBig, [(0, 4), (ticks >> 32, 4), (ticks & 0xFFFF_FFFF, 4), (count, 4), (count, 4)]) + packet)
      }
    }
    return file.bytes
  }

  // MARK: A connection by hand

  private static let client = SocketAddress(10, 0, 0, 2, port: 40000)
  private static let server = SocketAddress(10, 0, 0, 1, port: 3260)

  private struct Sender {
    var sequence: [UInt32] = [1000, UInt32.max - 20]
    var packets: [[UInt8]] = []

    static func segment(
      from side: Side, _ sequence: UInt32, ack: UInt32?, flags: UInt8, _ data: [UInt8]
    ) -> [UInt8] {
      let (source, destination) =
        side == .initiator ? (CaptureTests.client, CaptureTests.server) : (CaptureTests.server, CaptureTests.client)
      let tcp =
        CaptureTests.part(
          true,
          [
            (UInt64(source.port), 2), (UInt64(destination.port), 2), (UInt64(sequence), 4), (UInt64(ack ?? 0), 4),
            (5 << 4, 1), (UInt64(flags | (ack == nil ? 0 : 0x10)), 1), (65535, 2), (0, 4),
          ]) + data
      return CaptureTests.part(
        true,
        [
          (0x45, 1), (0, 1), (UInt64(20 + tcp.count), 2), (0, 2), (0x4000, 2), (64, 1), (6, 1), (0, 2),
          (UInt64(source.ipv4), 4), (UInt64(destination.ipv4), 4),
        ]) + tcp
    }

    mutating func add(from side: Side, flags: UInt8 = 0, _ data: [UInt8] = [], isAcknowledged: Bool = true) {
      let index = Int(side.rawValue)
      let ack = flags & 2 != 0 && side == .initiator ? nil : sequence[1 - index]
      packets.append(Self.segment(from: side, sequence[index], ack: isAcknowledged ? ack : nil, flags: flags, data))
      sequence[index] = sequence[index] &+ UInt32(data.count) &+ (flags & 3 != 0 ? 1 : 0)
    }

    mutating func open() {
      add(from: .initiator, flags: 2)
      add(from: .target, flags: 2)
    }
  }

  /// A login, and then an answer to nothing in two segments.
  private static func conversation() -> Sender {
    var sender = Sender()
    sender.open()
    for (side, bytes) in StreamTests.exchange() { sender.add(from: side, bytes) }
    return sender
  }

  private struct Outcome: Equatable {
    var rules: [ViolationRule] = []
    var packets: [UInt64] = []
    var gaps: [UInt64] = []
  }

  private func read(_ file: [UInt8], inPiecesOf size: Int = .max) throws -> (Outcome, CaptureReader) {
    let reader = CaptureReader()
    var outcome = Outcome()
    var start = 0
    while start < file.count {
      let end = start + min(size, file.count - start)
      try reader.read(file[start..<end]) { event in
        switch event {
        case .broken(let finding, let packet, let from, _):
          outcome.rules.append(finding.rule)
          outcome.packets.append(packet)
          #expect(from == (finding.side == .target ? Self.server : Self.client))
        case .gap(let packet, _, _, _): outcome.gaps.append(packet)
        }
      }
      start = end
    }
    return (outcome, reader)
  }

  private static let wrongNumber = Outcome(rules: [.dataSNOutOfOrder], packets: [6])

  @Test(arguments: [true, false]) func everyFormIsRead(isBig: Bool) throws {
    for form in Form.allCases {
      for size in [1, 13, 4096] {
        let (outcome, reader) = try read(Self.file(Self.conversation().packets, form, isBig: isBig), inPiecesOf: size)
        #expect(outcome == Self.wrongNumber, "\(form), big: \(isBig), \(size)")
        #expect(reader.isAtEnd)
        #expect(reader.summary == CaptureReader.Summary(packets: 6, connections: 1))
      }
    }
  }

  @Test func timesCountFromTheFirstPacket() throws {
    for form in Form.allCases {
      let reader = CaptureReader()
      var times: [UInt64] = []
      try reader.read(Self.file(Self.conversation().packets, form)) { event in
        if case .broken(let finding, _, _, _) = event { times.append(finding.time.nanoseconds) }
      }
      #expect(times == [5000], "\(form)")
    }
  }

  @Test func everyLinkIsRead() throws {
    let ethernet = [UInt8](repeating: 0, count: 12)
    let links: [(UInt64, [UInt8])] = [
      (1, ethernet + [8, 0]), (1, ethernet + [0x81, 0, 0, 5, 8, 0]),
      (1, ethernet + [0x88, 0xA8, 0, 5, 0x81, 0, 0, 6, 8, 0]),
      (113, [UInt8](repeating: 0, count: 14) + [8, 0]), (276, [8, 0] + [UInt8](repeating: 0, count: 18)),
      (0, [2, 0, 0, 0]),
      (108, [0, 0, 0, 2]), (228, []),
    ]
    for (link, header) in links {
      // Ethernet fills short frames up.
      let packets = Self.conversation().packets.map { header + $0 + (link == 1 ? [0, 0, 0, 0] : []) }
      #expect(try read(Self.file(packets, link: link)).0 == Self.wrongNumber, "link \(link)")
    }
    let (outcome, reader) = try read(Self.file(Self.conversation().packets, link: 147))
    #expect(outcome == Outcome() && reader.summary.unknownLinks == [147])
  }

  /// What the simulation itself writes, over IPv6.
  @Test func ownCapturesAreRead() throws {
    let capture = PacketCapture()
    let client = SocketAddress(high: 0xFD00_0000_0000_0000, low: 2, port: 40000)
    let server = SocketAddress(high: 0xFD00_0000_0000_0000, low: 1, port: 3260)
    capture.opened(connection: 1, client: client, server: server, at: .zero)
    for (side, bytes) in StreamTests.exchange() {
      bytes.withUnsafeBytes { capture.sent(connection: 1, byClient: side == .initiator, bytes: $0, at: .zero) }
    }
    var rules: [ViolationRule] = []
    let reader = CaptureReader()
    try reader.read(capture.bytes) { event in
      if case .broken(let finding, _, let from, let to) = event {
        rules.append(finding.rule)
        #expect(from == server && to == client)
      }
    }
    #expect(rules == [.dataSNOutOfOrder])
  }

  @Test func segmentsInDisorderAndTwiceAreTheSameStream() throws {
    var sender = Sender()
    sender.open()
    for (side, bytes) in StreamTests.exchange() {
      let first = sender.packets.count
      for start in stride(from: 0, to: bytes.count, by: 20) {
        sender.add(from: side, Array(bytes[start..<min(start + 20, bytes.count)]), isAcknowledged: false)
      }
      sender.packets.insert(sender.packets[first], at: first + 1)
      sender.packets.swapAt(first + 2, first + 3)
    }
    let (outcome, _) = try read(Self.file(sender.packets))
    #expect(outcome.rules == [.dataSNOutOfOrder] && outcome.gaps.isEmpty)
  }

  /// Bytes that were acknowledged and are not in the file.
  @Test(arguments: [Side.initiator, .target]) func bytesThatWereNotCapturedAreSaid(side: Side) throws {
    let exchange = StreamTests.exchange()
    var sender = Sender()
    sender.open()
    for (side, bytes) in exchange[..<2] { sender.add(from: side, bytes) }
    let missing = side == .initiator ? exchange[2].1 : exchange[3].1
    sender.sequence[Int(side.rawValue)] = sender.sequence[Int(side.rawValue)] &+ UInt32(missing.count)
    sender.add(from: side, missing)
    sender.add(from: side == .initiator ? .target : .initiator)
    let (outcome, _) = try read(Self.file(sender.packets))
    #expect(outcome == Outcome(gaps: [6]))
  }

  @Test func aPacketThatWasCutOffIsAGap() throws {
    var sender = Self.conversation()
    var file = Self.file(Array(sender.packets[..<5]), .pcap)
    let last = sender.packets.removeLast()
    let kept = Array(last.prefix(60))
    file += Self.part(false, [(1_700_000_001, 4), (0, 4), (UInt64(kept.count), 4), (UInt64(last.count), 4)]) + kept
    #expect(try read(file).0 == Outcome(gaps: [6]))
  }

  @Test func aConnectionWhoseBeginningIsMissingIsCounted() throws {
    let (outcome, reader) = try read(Self.file(Array(Self.conversation().packets[2...])))
    #expect(outcome == Outcome())
    #expect(reader.summary.begunBefore == 1 && reader.summary.connections == 0)
  }

  @Test func aPortThatIsUsedAgainIsAnotherConnection() throws {
    let first = Self.conversation()
    var second = Sender()
    second.sequence = [90_000, 7]
    second.open()
    for (side, bytes) in StreamTests.exchange() { second.add(from: side, bytes) }
    let (outcome, reader) = try read(Self.file(first.packets + second.packets))
    #expect(outcome == Outcome(rules: [.dataSNOutOfOrder, .dataSNOutOfOrder], packets: [6, 12]))
    #expect(reader.summary.connections == 2)
  }

  @Test(
    arguments: [
      (
        "something else", Array("{ \"not\": \"a capture\" }".utf8),
        "expected a capture file (pcap or pcapng), found something"
      ),
      ("compressed", [0x1F, 0x8B, 8, 0, 0, 0], "it is compressed"),
      (
        "a long packet", part(false, [(0xA1B2_C3D4, 4), (0, 16), (1, 4), (0, 8), (1 << 30, 4), (0, 4)]),
        "found one of 1073741824 bytes"
      ),
      ("no interface", [], "found one of interface 0"),
      ("a wrong end", [], "found another length at its end"),
    ] as [(String, [UInt8], String)])
  func whatIsWrongWithAFileIsSaid(name: String, bytes: [UInt8], message: String) throws {
    var file = bytes
    if file.isEmpty {
      var writer = FileWriter(isBig: false)
      writer.block(0x0A0D_0D0A, Self.part(false, [(0x1A2B_3C4D, 4), (1, 2), (0, 2), (.max, 8)]))
      writer.block(6, [UInt8](repeating: 0, count: 20))
      if name == "a wrong end" { writer.bytes[writer.bytes.count - 4] ^= 1 }
      file = writer.bytes
    }
    let error = #expect(throws: CaptureFile.Mistake.self) { try read(file) }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  @Test func aFileThatIsCutOffIsNotAtItsEnd() throws {
    let file = Self.file(Self.conversation().packets)
    #expect(try read(Array(file.dropLast(5))).1.isAtEnd == false)
  }

  /// No bytes trap, whatever they are, and however they were changed.
  @Test(arguments: 0..<30 as Range<UInt64>) func damagedFilesAreReadAsFarAsTheyGo(seed: UInt64) {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    func draw(_ bound: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state >> 33) % bound
    }
    for form in Form.allCases {
      var file = Self.file(Self.conversation().packets, form, isBig: draw(2) == 0)
      for _ in 0..<(1 + draw(20)) { file[draw(file.count)] = UInt8(draw(256)) }
      _ = try? read(file, inPiecesOf: 1 + draw(300))
    }
  }
}
