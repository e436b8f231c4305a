import Ring

/// Writes what all connections carry as a pcapng file, for Wireshark: raw IP packets, as seen at their senders.
///
/// A capture shows streams, not the simulation's segments: each send is one packet, or several of at most
/// ``payloadLengthMax`` bytes; what is acknowledged is what the other end has read.
public final class PacketCapture: NetworkTap {
  public static let payloadLengthMax = 16 << 10

  /// One connection, from both ends: [server, client].
  private struct Stream {
    var addresses: [SocketAddress]
    /// The next sequence number of each end, and what each end has read of the other.
    var sequence: [UInt32] = [0, 0]
    var acknowledged: [UInt32] = [0, 0]
  }

  private enum Flag {
    static let fin: UInt8 = 0x01
    static let syn: UInt8 = 0x02
    static let reset: UInt8 = 0x04
    static let push: UInt8 = 0x08
    static let acknowledgement: UInt8 = 0x10
  }

  /// The file so far.
  public private(set) var bytes: [UInt8] = []

  public private(set) var packetCount = 0

  /// By the number of the connection, which counts from one.
  private var streams: [Stream] = []

  public init() {
    // Section header (pcapng, draft-ietf-opsawg-pcapng §4.1): byte order magic, version 1.0, length unknown.
    append32(0x0A0D_0D0A)
    append32(28)
    append32(0x1A2B_3C4D)
    append32(1)
    append32(.max)
    append32(.max)
    append32(28)
    // Interface description (§4.2): LINKTYPE_RAW, no limit, option if_tsresol: nanoseconds.
    append32(1)
    append32(32)
    append32(101)
    append32(0)
    append32(1 << 16 | 9)
    append32(9)
    append32(0)
    append32(32)
  }

  // MARK: NetworkTap

  public func opened(connection: UInt64, client: SocketAddress, server: SocketAddress, at time: Instant) {
    streams.append(Stream(addresses: [server, client]))
    let index = streams.count - 1
    packet(index, from: 1, Flag.syn, [], time)
    streams[index].sequence[1] = 1
    streams[index].acknowledged[0] = 1
    packet(index, from: 0, Flag.syn | Flag.acknowledgement, [], time)
    streams[index].sequence[0] = 1
    streams[index].acknowledged[1] = 1
    packet(index, from: 1, Flag.acknowledgement, [], time)
  }

  public func sent(connection: UInt64, byClient: Bool, bytes: UnsafeRawBufferPointer, at time: Instant) {
    guard let index = index(connection) else { return }
    let end = byClient ? 1 : 0
    var start = 0
    while start < bytes.count {
      let count = min(bytes.count - start, Self.payloadLengthMax)
      let piece = Array(bytes[start..<start + count])
      packet(index, from: end, Flag.push | Flag.acknowledgement, piece, time)
      streams[index].sequence[end] &+= UInt32(truncatingIfNeeded: count)
      start += count
    }
  }

  public func received(connection: UInt64, byClient: Bool, bytes: UnsafeRawBufferPointer, at time: Instant) {
    guard let index = index(connection) else { return }
    streams[index].acknowledged[byClient ? 1 : 0] &+= UInt32(truncatingIfNeeded: bytes.count)
  }

  public func ended(connection: UInt64, byClient: Bool, wasReset: Bool, at time: Instant) {
    guard let index = index(connection) else { return }
    let end = byClient ? 1 : 0
    packet(index, from: end, (wasReset ? Flag.reset : Flag.fin) | Flag.acknowledgement, [], time)
    if !wasReset { streams[index].sequence[end] &+= 1 }
  }

  private func index(_ connection: UInt64) -> Int? {
    connection >= 1 && connection <= UInt64(streams.count) ? Int(connection) - 1 : nil
  }

  // MARK: Packets

  private func packet(_ index: Int, from end: Int, _ flags: UInt8, _ payload: [UInt8], _ time: Instant) {
    let source = streams[index].addresses[end]
    let target = streams[index].addresses[1 - end]
    var segment: [UInt8] = []
    segment.appendBigEndian(source.port)
    segment.appendBigEndian(target.port)
    segment.appendBigEndian(streams[index].sequence[end])
    segment.appendBigEndian(flags & Flag.acknowledgement != 0 ? streams[index].acknowledged[end] : 0)
    segment += [5 << 4, flags, 0xFF, 0xFF, 0, 0, 0, 0]
    segment += payload
    let pseudoHeader =
      addressBytes(source) + addressBytes(target) + [0, 6] + segment.count.lowBytes
    let checksum = Self.checksum(pseudoHeader + segment)
    segment[16] = UInt8(truncatingIfNeeded: checksum >> 8)
    segment[17] = UInt8(truncatingIfNeeded: checksum)
    append(header(source, target, segment.count) + segment, time)
  }

  private func addressBytes(_ address: SocketAddress) -> [UInt8] {
    var bytes: [UInt8] = []
    if address.isIPv4 {
      bytes.appendBigEndian(address.ipv4)
    } else {
      bytes.appendBigEndian(address.high)
      bytes.appendBigEndian(address.low)
    }
    return bytes
  }

  private func header(_ source: SocketAddress, _ target: SocketAddress, _ length: Int) -> [UInt8] {
    guard source.isIPv4 else {
      return [0x60, 0, 0, 0] + length.lowBytes + [6, 64] + addressBytes(source) + addressBytes(target)
    }
    var header: [UInt8] = [0x45, 0] + (length + 20).lowBytes + [0, 0, 0x40, 0, 64, 6, 0, 0]
    header += addressBytes(source) + addressBytes(target)
    let checksum = Self.checksum(header)
    header[10] = UInt8(truncatingIfNeeded: checksum >> 8)
    header[11] = UInt8(truncatingIfNeeded: checksum)
    return header
  }

  /// RFC 1071.
  static func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt64 = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      sum += UInt64(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt64(bytes[index + 1]) : 0)
    }
    while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
    return ~UInt16(truncatingIfNeeded: sum)
  }

  // MARK: The file

  /// An enhanced packet block (§4.3).
  private func append(_ packet: [UInt8], _ time: Instant) {
    let padded = (packet.count + 3) & ~3
    packetCount += 1
    append32(6)
    append32(UInt32(truncatingIfNeeded: 32 + padded))
    append32(0)
    append32(UInt32(truncatingIfNeeded: time.nanoseconds >> 32))
    append32(UInt32(truncatingIfNeeded: time.nanoseconds))
    append32(UInt32(truncatingIfNeeded: packet.count))
    append32(UInt32(truncatingIfNeeded: packet.count))
    bytes += packet
    for _ in packet.count..<padded { bytes.append(0) }
    append32(UInt32(truncatingIfNeeded: 32 + padded))
  }

  /// The file's own fields are little-endian, as its byte order magic says.
  private func append32(_ word: UInt32) {
    for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
  }
}

extension [UInt8] {
  fileprivate mutating func appendBigEndian<Word: FixedWidthInteger>(_ word: Word) {
    var shift = Word.bitWidth
    while shift > 0 {
      shift -= 8
      append(UInt8(truncatingIfNeeded: word >> shift))
    }
  }
}

extension Int {
  /// The low 16 bits in network order.
  fileprivate var lowBytes: [UInt8] { [UInt8(truncatingIfNeeded: self >> 8), UInt8(truncatingIfNeeded: self)] }
}
