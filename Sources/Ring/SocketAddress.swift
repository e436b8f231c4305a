/// An IPv4 or IPv6 address with a TCP port.
public struct SocketAddress: Hashable, Sendable {
  /// The 16 address bytes in network order, as two big-endian halves. An IPv4 address is its IPv4-mapped IPv6 form.
  public var high: UInt64
  public var low: UInt64

  /// The TCP port, 0 to 65535.
  public var port: UInt16

  /// IPv6 zone (interface index) of a link-local address; 0 for none.
  public var zone: UInt32

  public init(high: UInt64, low: UInt64, port: UInt16, zone: UInt32 = 0) {
    self.high = high
    self.low = low
    self.port = port
    self.zone = zone
  }

  /// The IPv4 address `a.b.c.d`.
  public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, port: UInt16) {
    let v4 = UInt64(a) << 24 | UInt64(b) << 16 | UInt64(c) << 8 | UInt64(d)
    self.init(high: 0, low: 0xFFFF_0000_0000 | v4, port: port)
  }

  /// True for IPv4 (held as ::ffff:a.b.c.d).
  public var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

  /// The IPv4 address as a number, where ``isIPv4``.
  public var ipv4: UInt32 { UInt32(truncatingIfNeeded: low) }

  /// True for 0.0.0.0 and ::, which listen on every address of the host.
  public var isWildcard: Bool { high == 0 && (low == 0 || low == 0xFFFF_0000_0000) }

  /// True when both name the same host address, whatever the port.
  public func hasSameHost(as other: SocketAddress) -> Bool {
    high == other.high && low == other.low && zone == other.zone
  }

  /// True when a connection to the one may be one to the other, so that there can be a listener at one of them only: they have the
  /// port in common, and the host or a wildcard that takes it in. `::` takes IPv6 alone.
  public func overlaps(_ other: SocketAddress) -> Bool {
    port == other.port && isIPv4 == other.isIPv4 && (isWildcard || other.isWildcard || hasSameHost(as: other))
  }
}

extension SocketAddress {
  /// The size of ``encode(into:)``'s record in bytes: address 16, zone 4, port 2, reserved 2.
  public static let encodedLength = 24

  /// Writes the record, big-endian. `bytes` holds at least ``encodedLength``.
  public func encode(into bytes: UnsafeMutableRawBufferPointer) {
    bytes.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
    bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
    bytes.storeBytes(of: zone.bigEndian, toByteOffset: 16, as: UInt32.self)
    bytes.storeBytes(of: port.bigEndian, toByteOffset: 20, as: UInt16.self)
    bytes.storeBytes(of: 0, toByteOffset: 22, as: UInt16.self)
  }

  /// Reads a record; nil when `bytes` is shorter than one.
  public init?(decoding bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= Self.encodedLength else { return nil }
    self.init(
      high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
      low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
      port: UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 20, as: UInt16.self)),
      zone: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self)))
  }
}
