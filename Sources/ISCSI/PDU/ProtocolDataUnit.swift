import CDigest

/// A whole PDU as a value. Not for the path of the target, which never holds a PDU together.
public struct ProtocolDataUnit: Equatable, Sendable {
  public var header: BasicHeader

  /// All additional header segments; a multiple of four bytes in a correct PDU.
  public var additionalHeaders: [UInt8]

  /// The data segment without padding.
  public var data: [UInt8]

  /// Takes the parts as they are; see ``setLengths()``.
  public init(header: BasicHeader, additionalHeaders: [UInt8] = [], data: [UInt8] = []) {
    self.header = header
    self.additionalHeaders = additionalHeaders
    self.data = data
  }

  /// A PDU of `opcode` with bit 7 of byte 1 as `isFinal` says, the lengths right, and the rest zero.
  public init(_ opcode: Opcode, isFinal: Bool = true, additionalHeaders: [UInt8] = [], data: [UInt8] = []) {
    self.init(header: BasicHeader(opcode, isFinal: isFinal), additionalHeaders: additionalHeaders, data: data)
    setLengths()
  }

  /// The opcode; nil when the standard defines none with these bits.
  public var opcode: Opcode? { header.opcode }

  /// Makes TotalAHSLength and DataSegmentLength of the header tell the truth.
  public mutating func setLengths() {
    let ahs = (additionalHeaders.count + 3) / 4
    let length = data.count
    header.write {
      $0.totalAHSLength = ahs
      $0.dataSegmentLength = length
    }
  }

  /// The bytes on the wire. The header goes out as it is: with lengths that lie, if they do.
  public func encoded(_ options: EncodingOptions = EncodingOptions()) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(HeaderView.length + 16 + additionalHeaders.count + data.count)
    header.bytes.span.withUnsafeBytes { bytes.append(contentsOf: $0) }
    bytes += additionalHeaders
    while bytes.count % 4 != 0 { bytes.append(0) }
    if options.digests.header { Self.appendDigest(of: bytes[...], flipped: options.headerDigestFlip, to: &bytes) }
    guard !data.isEmpty else { return bytes }
    let start = bytes.count
    bytes += data
    while bytes.count % 4 != 0 { bytes.append(options.padByte) }
    if options.digests.data { Self.appendDigest(of: bytes[start...], flipped: options.dataDigestFlip, to: &bytes) }
    return bytes
  }

  private static func appendDigest(of part: ArraySlice<UInt8>, flipped flip: UInt32, to bytes: inout [UInt8]) {
    let digest = part.withUnsafeBytes { Digest.crc32c($0) } ^ flip
    for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: digest >> shift)) }
  }
}

/// How a PDU is put on the wire, and what is wrong with it on purpose.
public struct EncodingOptions: Hashable, Sendable {
  public var digests: DigestSettings

  /// XORed onto the header digest.
  public var headerDigestFlip: UInt32 = 0

  /// XORed onto the data digest.
  public var dataDigestFlip: UInt32 = 0

  /// What padding consists of.
  public var padByte: UInt8 = 0

  public init(digests: DigestSettings = DigestSettings()) { self.digests = digests }
}

/// CRC32C, RFC 7143 §13.1.
public enum Digest {
  /// The digest of `bytes`, continuing `crc`. On the wire its bytes are in little-endian order.
  @inlinable @inline(__always)
  public static func crc32c(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
    simsan_crc32c(crc, bytes.baseAddress, bytes.count)
  }
}
