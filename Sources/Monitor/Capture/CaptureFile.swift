import Ring

/// Cuts a capture file into its packets: pcap (of micro- or nanoseconds) and pcapng, of either byte order.
///
/// It is fed with the file's bytes as they are read, so that a file may be larger than memory.
public struct CaptureFile {
  /// A packet as it was captured.
  public struct Packet {
    /// Its number in the file, from 1, as other programs count.
    public var number: UInt64
    /// Since 1970, as far as the file says.
    public var time: Instant
    /// LINKTYPE of the interface.
    public var linkType: UInt32
    /// What was captured, which may be less than there was.
    public var bytes: ArraySlice<UInt8>
    /// How many bytes there were.
    public var length: Int
  }

  /// Why a file cannot be read on.
  public struct Mistake: Error, Equatable {
    /// Of the byte of the file where the part begins that is wrong.
    public var offset: UInt64
    public var message: String
  }

  private enum Format {
    case unknown
    case pcap(Endianness, perSecond: UInt64, linkType: UInt32)
    case pcapng(Endianness)
  }

  enum Endianness {
    case little
    case big
  }

  private struct Interface {
    var linkType: UInt32
    /// Ticks of its clock in a second.
    var perSecond: UInt64
  }

  /// No packet or block is so long: snap lengths are at most 256 KiB, and what a user writes into a file is short.
  private static let partMax = 16 << 20

  private var format = Format.unknown
  private var interfaces: [Interface] = []
  private var buffer: [UInt8] = []
  private var start = 0
  /// The offset in the file of the buffer's first byte.
  private var base: UInt64 = 0
  private var count: UInt64 = 0

  public init() {}

  /// Adds the next bytes of the file.
  public mutating func append(_ bytes: some Collection<UInt8>) {
    if start > 0 {
      buffer.removeFirst(start)
      base += UInt64(start)
      start = 0
    }
    buffer.append(contentsOf: bytes)
  }

  /// Whether all that was added has been taken: else the file ends within a part.
  public var isAtEnd: Bool { start == buffer.count }

  /// The next packet; nil when its bytes are not all there.
  public mutating func next() throws(Mistake) -> Packet? {
    while true {
      switch format {
      case .unknown: guard try begin() else { return nil }
      case .pcap(let order, let perSecond, let linkType): return try record(order, perSecond, linkType)
      case .pcapng(let order):
        guard let (packet, hasMore) = try block(order) else { return nil }
        if let packet { return packet }
        if !hasMore { return nil }
      }
    }
  }

  // MARK: Reading

  private var available: Int { buffer.count - start }

  private func mistake(_ message: String) -> Mistake { Mistake(offset: base + UInt64(start), message: message) }

  /// The number of `width` bytes at an offset from the present part's start. The caller has shown that it is there.
  private func number(_ offset: Int, _ width: Int, _ order: Endianness) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<width {
      let place = start + offset + (order == .big ? index : width - 1 - index)
      value = value << 8 | UInt64(buffer[place])
    }
    return value
  }

  /// What kind of file it is. False when its first bytes are not all there.
  private mutating func begin() throws(Mistake) -> Bool {
    guard available >= 4 else { return false }
    let magic = number(0, 4, .big)
    if magic == 0x0A0D_0D0A {
      format = .pcapng(.little)
      return true
    }
    let kinds: [(magic: UInt64, order: Endianness, perSecond: UInt64)] = [
      (0xA1B2_C3D4, .big, 1_000_000), (0xD4C3_B2A1, .little, 1_000_000), (0xA1B2_3C4D, .big, 1_000_000_000),
      (0x4D3C_B2A1, .little, 1_000_000_000),
    ]
    guard let kind = kinds.first(where: { $0.magic == magic }) else {
      let isCompressed = magic >> 16 == 0x1F8B || magic == 0x28B5_2FFD || magic == 0xFD37_7A58
      throw mistake(
        "expected a capture file (pcap or pcapng), found something else"
          + (isCompressed ? ": it is compressed, and has to be unpacked first" : ""))
    }
    guard available >= 24 else { return false }
    format = .pcap(kind.order, perSecond: kind.perSecond, linkType: UInt32(number(20, 4, kind.order) & 0xFFFF))
    start += 24
    return true
  }

  private static func time(_ ticks: UInt64, _ perSecond: UInt64) -> Instant {
    let (high, low) = ticks.multipliedFullWidth(by: 1_000_000_000)
    guard perSecond > high else { return .distantFuture }
    return Instant(nanoseconds: perSecond.dividingFullWidth((high, low)).quotient)
  }

  // MARK: pcap

  private mutating func record(
    _ order: Endianness, _ perSecond: UInt64, _ linkType: UInt32
  ) throws(Mistake) -> Packet? {
    guard available >= 16 else { return nil }
    let captured = Int(number(8, 4, order))
    guard captured <= Self.partMax else { throw mistake("expected a packet, found one of \(captured) bytes") }
    guard available >= 16 + captured else { return nil }
    count += 1
    let ticks = number(0, 4, order) &* perSecond &+ number(4, 4, order)
    let packet = Packet(
      number: count, time: Self.time(ticks, perSecond), linkType: linkType,
      bytes: buffer[(start + 16)..<(start + 16 + captured)], length: Int(number(12, 4, order)))
    start += 16 + captured
    return packet
  }

  // MARK: pcapng

  private enum Block {
    static let section: UInt64 = 0x0A0D_0D0A
    static let interface: UInt64 = 1
    static let oldPacket: UInt64 = 2
    static let simplePacket: UInt64 = 3
    static let packet: UInt64 = 6
  }

  /// The next block; nil when its bytes are not all there. Most have no packet.
  private mutating func block(_ order: Endianness) throws(Mistake) -> (packet: Packet?, hasMore: Bool)? {
    guard available >= 12 else { return nil }
    var order = order
    let kind = number(0, 4, order)
    if kind == Block.section {
      switch number(8, 4, .little) {
      case 0x1A2B_3C4D: order = .little
      case 0x4D3C_2B1A: order = .big
      default: throw mistake("expected a section of pcapng, found one without a byte order")
      }
      format = .pcapng(order)
      interfaces = []
    }
    let length = Int(number(4, 4, order))
    guard length >= 12, length % 4 == 0, length <= Self.partMax else {
      throw mistake("expected a block of pcapng, found one of \(length) bytes")
    }
    guard available >= length else { return nil }
    guard number(length - 4, 4, order) == UInt64(length) else {
      throw mistake("expected a block of pcapng of \(length) bytes, found another length at its end")
    }
    var packet: Packet?
    switch kind {
    case Block.interface: try describeInterface(length, order)
    case Block.packet: packet = try self.packet(length, order, interface: number(8, 4, order))
    case Block.oldPacket where length >= 32: packet = try self.packet(length, order, interface: number(8, 2, order))
    case Block.simplePacket: packet = try simplePacket(length, order)
    default: break
    }
    start += length
    return (packet, available > 0)
  }

  private mutating func describeInterface(_ length: Int, _ order: Endianness) throws(Mistake) {
    guard length >= 20 else { throw mistake("expected an interface of pcapng, found a block of \(length) bytes") }
    guard interfaces.count < 65_536 else { throw mistake("expected at most 65536 interfaces, found more") }
    var interface = Interface(linkType: UInt32(number(8, 2, order)), perSecond: 1_000_000)
    var offset = 16
    // Options: a code, a length, and a value that is padded.
    while offset + 4 <= length - 4 {
      let (code, size) = (number(offset, 2, order), Int(number(offset + 2, 2, order)))
      guard code != 0, offset + 4 + size <= length - 4 else { break }
      // if_tsresol: a power of ten, or with the highest bit of two.
      if code == 9, size >= 1 {
        let exponent = buffer[start + offset + 4]
        interface.perSecond = Self.power(exponent & 0x80 != 0 ? 2 : 10, exponent & 0x7F)
      }
      offset += 4 + (size + 3) & ~3
    }
    interfaces.append(interface)
  }

  /// The largest that fits where the power does not.
  private static func power(_ base: UInt64, _ exponent: UInt8) -> UInt64 {
    var result: UInt64 = 1
    for _ in 0..<exponent {
      let (product, overflow) = result.multipliedReportingOverflow(by: base)
      if overflow { return result }
      result = product
    }
    return result
  }

  /// An enhanced packet block, or the block that it has replaced: they differ in how the interface is said.
  private mutating func packet(
    _ length: Int, _ order: Endianness, interface number: UInt64
  ) throws(Mistake) -> Packet? {
    guard length >= 32 else { throw mistake("expected a packet of pcapng, found a block of \(length) bytes") }
    guard number < UInt64(interfaces.count) else {
      throw mistake("expected a packet of one of \(interfaces.count) interfaces, found one of interface \(number)")
    }
    let captured = Int(self.number(20, 4, order))
    guard captured <= length - 32 else {
      throw mistake("expected a packet within its block of \(length) bytes, found one of \(captured)")
    }
    count += 1
    let interface = interfaces[Int(number)]
    let ticks = self.number(12, 4, order) << 32 | self.number(16, 4, order)
    return Packet(
      number: count, time: Self.time(ticks, interface.perSecond), linkType: interface.linkType,
      bytes: buffer[(start + 28)..<(start + 28 + captured)], length: Int(self.number(24, 4, order)))
  }

  /// A packet without a time, of the first interface.
  private mutating func simplePacket(_ length: Int, _ order: Endianness) throws(Mistake) -> Packet? {
    guard length >= 16, let interface = interfaces.first else {
      throw mistake("expected a packet of an interface, found none before it")
    }
    count += 1
    let original = Int(number(8, 4, order))
    let captured = min(original, length - 16)
    return Packet(
      number: count, time: .zero, linkType: interface.linkType, bytes: buffer[(start + 12)..<(start + 12 + captured)],
      length: original)
  }
}
