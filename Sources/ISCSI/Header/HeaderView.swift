/// Reads the fields of a Basic Header Segment in place, RFC 7143 §11.2.1.
///
/// A view of memory that belongs to somebody else: whoever makes one has shown that 48 bytes are there, and that they stay
/// as long as the view is used. Fields that only some PDUs have are in `HeaderView+….swift`, by PDU; reading a field that
/// a PDU does not have yields whatever those bytes hold.
public struct HeaderView {
  /// The size of a Basic Header Segment in bytes.
  public static let length = 48

  public let base: UnsafeRawPointer

  /// A view of the 48 bytes at `base`.
  @inlinable @inline(__always)
  public init(_ base: UnsafeRawPointer) { self.base = base }

  /// Byte 0 whole.
  @inlinable @inline(__always)
  public var firstByte: UInt8 { byte(0) }

  /// The opcode's six bits, whether or not the standard defines them.
  @inlinable @inline(__always)
  public var opcodeBits: UInt8 { byte(0) & 0x3F }

  /// The opcode; nil when the standard defines none with these bits.
  @inlinable @inline(__always)
  public var opcode: Opcode? { Opcode(rawValue: opcodeBits) }

  /// I: immediate delivery. Initiator PDUs.
  @inlinable @inline(__always)
  public var isImmediate: Bool { byte(0) & 0x40 != 0 }

  /// TotalAHSLength in 4-byte words, 0 to 255.
  @inlinable @inline(__always)
  public var totalAHSLength: Int { Int(byte(4)) }

  /// DataSegmentLength in bytes without padding, 0 to 2^24 - 1.
  @inlinable @inline(__always)
  public var dataSegmentLength: Int { Int(word32(4) & 0xFF_FFFF) }

  /// The data segment's length in bytes with its padding.
  @inlinable @inline(__always)
  public var paddedDataSegmentLength: Int { (dataSegmentLength + 3) & ~3 }

  /// LUN, as SAM-5 §4.7 encodes it; see ``LogicalUnitNumber``.
  @inlinable @inline(__always)
  public var lun: UInt64 { word64(8) }

  /// Initiator Task Tag; FFFFFFFFh for none.
  @inlinable @inline(__always)
  public var initiatorTaskTag: UInt32 { word32(16) }

  /// The first 16 bytes of the CDB, where they lie. SCSI Command.
  @inlinable @inline(__always)
  public var cdb: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base + 32, count: 16) }

  @inlinable @inline(__always)
  func byte(_ offset: Int) -> UInt8 { base.load(fromByteOffset: offset, as: UInt8.self) }

  @inlinable @inline(__always)
  func word16(_ offset: Int) -> UInt16 {
    UInt16(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  @inlinable @inline(__always)
  func word32(_ offset: Int) -> UInt32 {
    UInt32(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  @inlinable @inline(__always)
  func word64(_ offset: Int) -> UInt64 {
    UInt64(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}

/// The tag that names no task or transfer, RFC 7143 §11.2.1.8, §11.7.4.
@inlinable @inline(__always)
public var reservedTag: UInt32 { 0xFFFF_FFFF }
