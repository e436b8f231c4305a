/// AHSType, RFC 7143 §11.2.2.1.
public enum AdditionalHeaderType: UInt8, Sendable, CaseIterable {
  /// The bytes of a CDB from the 17th on, after one reserved byte.
  case extendedCDB = 1
  /// Expected bidirectional read data length: one reserved byte, and a 32-bit length.
  case bidirectionalReadLength = 2
}

/// One additional header segment, RFC 7143 §11.2.2, where it lies.
public struct AdditionalHeader {
  /// The AHSType byte whole. Its low six bits are the ``AdditionalHeaderType``, its high two are reserved.
  public var typeByte: UInt8

  /// What follows the four bytes of AHSLength, AHSType and the AHS-specific byte, without padding.
  public var content: UnsafeRawBufferPointer

  /// The type; nil when the standard defines none with these bits.
  public var type: AdditionalHeaderType? { AdditionalHeaderType(rawValue: typeByte & 0x3F) }
}

/// Walks the additional header segments of one PDU.
public struct AdditionalHeaderParser {
  private var rest: UnsafeRawBufferPointer

  /// - Parameter bytes: All additional header segments: TotalAHSLength words.
  public init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  /// The next segment; nil after the last.
  ///
  /// - Throws: ``AdditionalHeaderError`` when what is left is not a segment.
  public mutating func next() throws(AdditionalHeaderError) -> AdditionalHeader? {
    guard !rest.isEmpty else { return nil }
    guard rest.count >= 4 else { throw .tooShort }
    // AHSLength counts the AHS-specific byte, not its own two bytes, not the type, not the padding.
    let length = Int(UInt16(bigEndian: rest.loadUnaligned(as: UInt16.self)))
    let padded = (3 + length + 3) & ~3
    guard length >= 1, padded <= rest.count else { throw .lengthOutOfRange }
    let content = UnsafeRawBufferPointer(rebasing: rest[4..<(3 + length)])
    let segment = AdditionalHeader(typeByte: rest[2], content: content)
    rest = UnsafeRawBufferPointer(rebasing: rest[padded...])
    return segment
  }
}

/// Why additional header segments are malformed.
public enum AdditionalHeaderError: Error, Equatable {
  /// Fewer than four bytes are left.
  case tooShort
  /// AHSLength is zero, or reaches beyond TotalAHSLength.
  case lengthOutOfRange
}
