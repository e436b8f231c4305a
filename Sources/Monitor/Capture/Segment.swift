import Ring

/// A TCP segment, taken out of a packet.
struct Segment {
  enum Flags {
    static let fin: UInt8 = 0x01
    static let syn: UInt8 = 0x02
    static let reset: UInt8 = 0x04
    static let acknowledgement: UInt8 = 0x10
  }

  var source: SocketAddress
  var destination: SocketAddress
  var sequence: UInt32
  var acknowledged: UInt32?
  var flags: UInt8
  /// What was captured of its data.
  var data: ArraySlice<UInt8>
  /// How many bytes of data there were.
  var length: Int

  func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

  /// Why a packet has no segment.
  enum Failure: Error, Equatable {
    /// It is not TCP over IP.
    case other
    /// The link is of a kind that is not known.
    case linkType(UInt32)
    /// A piece of an IP packet, or one whose headers were cut off.
    case incomplete
  }

  init(_ packet: CaptureFile.Packet) throws(Failure) {
    var reader = Reader(bytes: packet.bytes, cutOff: max(0, packet.length - packet.bytes.count))
    switch try Self.networkProtocol(packet.linkType, &reader) {
    case 4: try self.init(ipv4: &reader)
    case 6: try self.init(ipv6: &reader)
    default: throw .other
    }
  }

  // MARK: Links

  /// Takes the link's header away. 4 or 6, or anything else for what is not IP.
  private static func networkProtocol(_ linkType: UInt32, _ reader: inout Reader) throws(Failure) -> UInt8 {
    switch linkType {
    // Ethernet.
    case 1:
      try reader.skip(12)
      return try etherType(&reader)
    // Linux's any device: as it was, and as it is.
    case 113:
      try reader.skip(14)
      return try etherType(&reader)
    case 276:
      let kind = try reader.take16()
      try reader.skip(18)
      return version(ofType: kind)
    // The address family, in the byte order of whoever captured it, or of the network.
    case 0, 108:
      try reader.skip(4)
      return try ownVersion(&reader)
    // IP itself.
    case 101, 12, 14, 228, 229: return try ownVersion(&reader)
    default: throw .linkType(linkType)
    }
  }

  /// With VLAN tags before it.
  private static func etherType(_ reader: inout Reader) throws(Failure) -> UInt8 {
    for _ in 0..<4 {
      let type = try reader.take16()
      guard type == 0x8100 || type == 0x88A8 || type == 0x9100 else { return version(ofType: type) }
      try reader.skip(2)
    }
    return 0
  }

  private static func version(ofType type: UInt16) -> UInt8 { type == 0x0800 ? 4 : type == 0x86DD ? 6 : 0 }

  private static func ownVersion(_ reader: inout Reader) throws(Failure) -> UInt8 { try reader.peek() >> 4 }

  // MARK: IP

  private init(ipv4 reader: inout Reader) throws(Failure) {
    let first = try reader.take8()
    let headerLength = Int(first & 15) * 4
    guard first >> 4 == 4, headerLength >= 20 else { throw .other }
    try reader.skip(1)
    let total = Int(try reader.take16())
    try reader.skip(2)
    let fragment = try reader.take16()
    try reader.skip(1)
    let kind = try reader.take8()
    try reader.skip(2)
    let source = try reader.takeIPv4()
    let destination = try reader.takeIPv4()
    try reader.skip(headerLength - 20)
    guard kind == 6 else { throw .other }
    // MF, or an offset.
    guard fragment & 0x3FFF == 0 else { throw .incomplete }
    // Zero where the network card cuts what it is given.
    if total > 0 { try reader.limit(to: total - headerLength) }
    try self.init(&reader, from: source, to: destination)
  }

  private init(ipv6 reader: inout Reader) throws(Failure) {
    guard try reader.take8() >> 4 == 6 else { throw .other }
    try reader.skip(3)
    let payload = Int(try reader.take16())
    var kind = try reader.take8()
    try reader.skip(1)
    let source = try reader.takeIPv6()
    let destination = try reader.takeIPv6()
    if payload > 0 { try reader.limit(to: payload) }
    for _ in 0..<8 {
      switch kind {
      case 6:
        try self.init(&reader, from: source, to: destination)
        return
      // Hop-by-hop, routing and destination options: the next header, and a length in units of eight bytes.
      case 0, 43, 60:
        kind = try reader.take8()
        try reader.skip(Int(try reader.take8()) * 8 + 6)
      case 44: throw .incomplete
      default: throw .other
      }
    }
    throw .other
  }

  // MARK: TCP

  private init(
    _ reader: inout Reader, from source: SocketAddress, to destination: SocketAddress
  ) throws(Failure) {
    self.source = source
    self.destination = destination
    self.source.port = try reader.take16()
    self.destination.port = try reader.take16()
    sequence = try reader.take32()
    let number = try reader.take32()
    let headerLength = Int(try reader.take8() >> 4) * 4
    flags = try reader.take8()
    acknowledged = flags & Flags.acknowledgement != 0 ? number : nil
    guard headerLength >= 20 else { throw .incomplete }
    try reader.skip(headerLength - 14)
    data = reader.bytes
    length = reader.bytes.count + reader.cutOff
  }

  /// What is left of a packet.
  private struct Reader {
    var bytes: ArraySlice<UInt8>
    /// Bytes behind them that were not captured.
    var cutOff: Int

    mutating func take8() throws(Failure) -> UInt8 {
      guard let first = bytes.popFirst() else { throw .incomplete }
      return first
    }

    func peek() throws(Failure) -> UInt8 {
      guard let first = bytes.first else { throw .incomplete }
      return first
    }

    mutating func take16() throws(Failure) -> UInt16 {
      let high = try take8()
      return UInt16(high) << 8 | UInt16(try take8())
    }

    mutating func take32() throws(Failure) -> UInt32 {
      let high = try take16()
      return UInt32(high) << 16 | UInt32(try take16())
    }

    mutating func skip(_ count: Int) throws(Failure) {
      guard count >= 0, bytes.count >= count else { throw .incomplete }
      bytes = bytes.dropFirst(count)
    }

    /// Leaves away what a link has put behind it.
    mutating func limit(to length: Int) throws(Failure) {
      guard length >= 0 else { throw .incomplete }
      let whole = bytes.count + cutOff
      guard length <= whole else { return }
      bytes = bytes.prefix(length)
      cutOff = length - bytes.count
    }

    mutating func takeIPv4() throws(Failure) -> SocketAddress {
      SocketAddress(high: 0, low: 0xFFFF_0000_0000 | UInt64(try take32()), port: 0)
    }

    mutating func takeIPv6() throws(Failure) -> SocketAddress {
      var words: [UInt64] = []
      for _ in 0..<4 { words.append(UInt64(try take32())) }
      return SocketAddress(high: words[0] << 32 | words[1], low: words[2] << 32 | words[3], port: 0)
    }
  }
}
