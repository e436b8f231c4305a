import Ring
import SimClock
import SimNet
import Testing

@Suite struct PacketCaptureTests {
  private struct Packet {
    var time: UInt64
    var source: UInt16
    var sequence: UInt32
    var acknowledged: UInt32
    var flags: UInt8
    var payload: [UInt8]
  }

  private func word(_ bytes: [UInt8], _ offset: Int) -> Int {
    (0..<4).reduce(0) { $0 | Int(bytes[offset + $1]) << ($1 * 8) }
  }

  /// Reads the blocks of a file, as another program would.
  private func packets(_ file: [UInt8]) throws -> [Packet] {
    var result: [Packet] = []
    var offset = 0
    while offset < file.count {
      let length = word(file, offset + 4)
      try #require(length % 4 == 0 && length >= 12 && offset + length <= file.count)
      #expect(word(file, offset + length - 4) == length, "the length stands at both ends of a block")
      if word(file, offset) == 6 {
        let time = UInt64(word(file, offset + 12)) << 32 | UInt64(word(file, offset + 16))
        let packet = Array(file[offset + 28..<offset + 28 + word(file, offset + 20)])
        let headerLength = packet[0] >> 4 == 4 ? 20 : 40
        if headerLength == 20 { #expect(sum(Array(packet[..<20])) == 0xFFFF, "the header's checksum") }
        let addresses = Array(headerLength == 20 ? packet[12..<20] : packet[8..<40])
        let segment = Array(packet[headerLength...])
        let pseudo = addresses + [0, 6, UInt8(segment.count >> 8), UInt8(segment.count & 0xFF)]
        #expect(sum(pseudo + segment) == 0xFFFF, "the segment's checksum")
        result.append(
          Packet(
            time: time, source: UInt16(segment[0]) << 8 | UInt16(segment[1]),
            sequence: segment[4..<8].reduce(0) { $0 << 8 | UInt32($1) },
            acknowledged: segment[8..<12].reduce(0) { $0 << 8 | UInt32($1) }, flags: segment[13],
            payload: Array(segment[20...])))
      }
      offset += length
    }
    return result
  }

  private func sum(_ bytes: [UInt8]) -> UInt32 {
    var sum: UInt32 = 0
    for (index, byte) in bytes.enumerated() { sum += UInt32(byte) << (index % 2 == 0 ? 8 : 0) }
    while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
    return sum
  }

  @Test(
    "A capture has every byte of a connection, in order, between its SYN and its FINs or RSTs",
    arguments: [false, true], [false, true])
  func capture(isIPv6: Bool, endsInReset: Bool) throws {
    let timeline = Timeline(seed: 1)
    let network = Network(timeline: timeline)
    let capture = PacketCapture()
    network.tap = capture
    func address(_ number: UInt8) -> SocketAddress {
      isIPv6
        ? SocketAddress(high: 0xFD00 << 48, low: UInt64(number), port: 3260)
        : SocketAddress(10, 0, 0, number, port: 3260)
    }
    let a = network.addHost("a", addresses: [address(1)])
    let b = network.addHost("b", addresses: [address(2)])
    func run() {
      while let next = timeline.nextTime, next < Instant(nanoseconds: 1_000_000_000) {
        timeline.advance(to: next)
        if let event = timeline.popDue() { network.handle(event) }
      }
    }
    let (listener, _) = try network.listen(on: b, at: address(2), backlog: 1, owner: 0)
    let client = network.connect(from: a, to: address(2), owner: 1)
    run()
    let server = try #require(network.accept(listener))
    let content = pattern(40_001)
    #expect(content.withUnsafeBytes { network.send(client, $0) } == .count(40_001))
    run()
    var sink = [UInt8](repeating: 0, count: 50_000)
    #expect(sink.withUnsafeMutableBytes { network.receive(server, into: $0) } == .count(40_001))
    network.close(server, reset: endsInReset)
    if endsInReset { run() }
    network.close(client)
    run()
    let packets = try packets(capture.bytes)
    #expect(packets.count == capture.packetCount)
    #expect(packets.prefix(3).map(\.flags) == [0x02, 0x12, 0x10])
    #expect(packets.flatMap(\.payload) == content)
    #expect(packets.suffix(2).map(\.flags) == (endsInReset ? [0x14, 0x14] : [0x11, 0x11]))
    #expect(packets.last { $0.source == 3260 }?.acknowledged == 40_002, "what the server has read")
    var next: UInt32 = 1
    for packet in packets where !packet.payload.isEmpty {
      #expect(packet.sequence == next && packet.source != 3260)
      next += UInt32(packet.payload.count)
    }
    #expect(zip(packets, packets.dropFirst()).allSatisfy { $0.time <= $1.time })
  }
}
