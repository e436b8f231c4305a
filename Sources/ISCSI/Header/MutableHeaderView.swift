/// Writes the fields of a Basic Header Segment in place, RFC 7143 §11.2.1.
///
/// Like ``HeaderView``, and with setters: whoever makes one has shown that 48 bytes are there and may be written.
public struct MutableHeaderView {
  public let base: UnsafeMutableRawPointer

  /// A view of the 48 bytes at `base`.
  @inlinable @inline(__always)
  public init(_ base: UnsafeMutableRawPointer) { self.base = base }

  /// The same bytes, to be read.
  @inlinable @inline(__always)
  public var reading: HeaderView { HeaderView(UnsafeRawPointer(base)) }

  /// Makes all 48 bytes zero.
  @inlinable @inline(__always)
  public func clear() {
    for offset in stride(from: 0, to: HeaderView.length, by: 8) {
      base.storeBytes(of: 0, toByteOffset: offset, as: UInt64.self)
    }
  }

  /// Makes all 48 bytes zero and then sets the opcode, and bit 7 of byte 1 (F, or the constant 1) if `isFinal`.
  @inlinable @inline(__always)
  public func begin(_ opcode: Opcode, isFinal: Bool = true) {
    clear()
    base.storeBytes(of: opcode.rawValue, toByteOffset: 0, as: UInt8.self)
    if isFinal { base.storeBytes(of: 0x80, toByteOffset: 1, as: UInt8.self) }
  }

  /// Byte 0 whole.
  @inlinable @inline(__always)
  public var firstByte: UInt8 {
    get { reading.firstByte }
    nonmutating set { setByte(0, newValue) }
  }

  /// The opcode's six bits, whether or not the standard defines them.
  @inlinable @inline(__always)
  public var opcodeBits: UInt8 {
    get { reading.opcodeBits }
    nonmutating set { setBits(0, 0x3F, newValue) }
  }

  /// I: immediate delivery. Initiator PDUs.
  @inlinable @inline(__always)
  public var isImmediate: Bool {
    get { reading.isImmediate }
    nonmutating set { setFlag(0, 0x40, newValue) }
  }

  /// TotalAHSLength in 4-byte words; its low 8 bits are stored.
  @inlinable @inline(__always)
  public var totalAHSLength: Int {
    get { reading.totalAHSLength }
    nonmutating set { setByte(4, UInt8(truncatingIfNeeded: newValue)) }
  }

  /// DataSegmentLength in bytes without padding; its low 24 bits are stored.
  @inlinable @inline(__always)
  public var dataSegmentLength: Int {
    get { reading.dataSegmentLength }
    nonmutating set { setWord32(4, word32(4) & 0xFF00_0000 | UInt32(truncatingIfNeeded: newValue) & 0xFF_FFFF) }
  }

  /// LUN, as SAM-5 §4.7 encodes it; see ``LogicalUnitNumber``.
  @inlinable @inline(__always)
  public var lun: UInt64 {
    get { reading.lun }
    nonmutating set { setWord64(8, newValue) }
  }

  /// Initiator Task Tag; FFFFFFFFh for none.
  @inlinable @inline(__always)
  public var initiatorTaskTag: UInt32 {
    get { reading.initiatorTaskTag }
    nonmutating set { setWord32(16, newValue) }
  }

  /// The first 16 bytes of the CDB, where they lie. SCSI Command.
  @inlinable @inline(__always)
  public var cdb: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: base + 32, count: 16) }

  @inlinable @inline(__always)
  func word32(_ offset: Int) -> UInt32 { reading.word32(offset) }

  @inlinable @inline(__always)
  func word64(_ offset: Int) -> UInt64 { reading.word64(offset) }

  @inlinable @inline(__always)
  func setByte(_ offset: Int, _ value: UInt8) { base.storeBytes(of: value, toByteOffset: offset, as: UInt8.self) }

  @inlinable @inline(__always)
  func setBits(_ offset: Int, _ mask: UInt8, _ value: UInt8) {
    setByte(offset, reading.byte(offset) & ~mask | value & mask)
  }

  @inlinable @inline(__always)
  func setFlag(_ offset: Int, _ mask: UInt8, _ value: Bool) { setBits(offset, mask, value ? mask : 0) }

  @inlinable @inline(__always)
  func setWord16(_ offset: Int, _ value: UInt16) {
    base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
  }

  @inlinable @inline(__always)
  func setWord32(_ offset: Int, _ value: UInt32) {
    base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
  }

  @inlinable @inline(__always)
  func setWord64(_ offset: Int, _ value: UInt64) {
    base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
  }
}
