// SCSI's integers are big-endian and unaligned. These are the only places that know it.

// Inlined, so that the checks of constant indices go. A load and a swap: of bytes put together one by one, the compiler
// makes thirty instructions.
extension InlineArray where Element == UInt8 {
  /// The 16-bit field at byte `index` of a CDB.
  @inlinable @inline(__always)
  public func big16(_ index: Int) -> UInt16 { UInt16(bigEndian: field(index)) }

  /// The 24-bit field at byte `index`.
  @inlinable @inline(__always)
  public func big24(_ index: Int) -> UInt32 { UInt32(self[index]) << 16 | UInt32(big16(index + 1)) }

  /// The 32-bit field at byte `index`.
  @inlinable @inline(__always)
  public func big32(_ index: Int) -> UInt32 { UInt32(bigEndian: field(index)) }

  /// The 64-bit field at byte `index`.
  @inlinable @inline(__always)
  public func big64(_ index: Int) -> UInt64 { UInt64(bigEndian: field(index)) }

  /// The bytes from `index` on, as they lie there. Traps when they are not within the array, as a subscript does.
  @inlinable @inline(__always)
  func field<Field: BitwiseCopyable>(_ index: Int) -> Field {
    span.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: Field.self)
  }
}

extension Array where Element == UInt8 {
  /// Appends a 16-bit field.
  public mutating func append16(_ value: UInt16) {
    append(UInt8(truncatingIfNeeded: value >> 8))
    append(UInt8(truncatingIfNeeded: value))
  }

  /// Appends a 32-bit field.
  public mutating func append32(_ value: UInt32) {
    append16(UInt16(truncatingIfNeeded: value >> 16))
    append16(UInt16(truncatingIfNeeded: value))
  }

  /// Appends a 64-bit field.
  public mutating func append64(_ value: UInt64) {
    append32(UInt32(truncatingIfNeeded: value >> 32))
    append32(UInt32(truncatingIfNeeded: value))
  }

  /// Appends `count` zero bytes.
  public mutating func appendZeroes(_ count: Int) { append(contentsOf: repeatElement(0, count: count)) }

  /// Stores a 16-bit field at `index`, within the array.
  public mutating func store16(_ value: UInt16, at index: Int) {
    self[index] = UInt8(truncatingIfNeeded: value >> 8)
    self[index + 1] = UInt8(truncatingIfNeeded: value)
  }

  /// Appends `text` as printable ASCII, cut or padded with blanks to `width` (SPC-4 §4.4.1: left-aligned).
  public mutating func appendASCII(_ text: String, width: Int) {
    var used = 0
    for byte in text.utf8 where used < width {
      append((0x20...0x7E).contains(byte) ? byte : 0x20)
      used += 1
    }
    append(contentsOf: repeatElement(0x20, count: width - used))
  }
}

extension RandomAccessCollection where Element == UInt8, Index == Int {
  /// The 16-bit field at byte `index`; the caller has checked that it is within.
  @inlinable
  public func big16(_ index: Int) -> UInt16 { UInt16(self[index]) << 8 | UInt16(self[index + 1]) }

  /// The 32-bit field at byte `index`; the caller has checked that it is within.
  @inlinable
  public func big32(_ index: Int) -> UInt32 { UInt32(big16(index)) << 16 | UInt32(big16(index + 2)) }

  /// The 64-bit field at byte `index`; the caller has checked that it is within.
  @inlinable
  public func big64(_ index: Int) -> UInt64 { UInt64(big32(index)) << 32 | UInt64(big32(index + 4)) }
}
