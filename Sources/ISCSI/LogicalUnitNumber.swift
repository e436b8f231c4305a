/// Single-level logical unit numbers, SAM-5 §4.7.
///
/// The eight bytes of a LUN are held as one number, the first byte highest.
public enum LogicalUnitNumber {
  /// The largest number that ``encode(_:)`` takes: the 24 bits of the extended flat space format.
  public static let numberMax = 0xFF_FFFF

  /// The logical unit's number; nil for what is not single level: a bus number that is not zero, any second level, a
  /// format of more levels, a well known or vendor specific one.
  ///
  /// Peripheral (00b), flat space (01b), and extended flat space (11b) of 24 or 40 bits are taken. One unit has several
  /// names: 0000…, 4000… and D200… are all number 0.
  @inlinable
  @inline(__always)
  public static func decode(_ lun: UInt64) -> Int? {
    let first = lun >> 48
    switch first >> 14 {
    case 0:
      guard first >> 8 == 0, lun & 0xFFFF_FFFF_FFFF == 0 else { return nil }
      return Int(truncatingIfNeeded: first)
    case 1:
      guard lun & 0xFFFF_FFFF_FFFF == 0 else { return nil }
      return Int(truncatingIfNeeded: first & 0x3FFF)
    case 3:
      // The rest of the first byte is the length and the extended address method, which is 2 for flat space.
      switch first >> 8 {
      case 0xD2:
        guard lun & 0xFFFF_FFFF == 0 else { return nil }
        return Int(truncatingIfNeeded: lun >> 32 & 0xFF_FFFF)
      case 0xE2:
        guard lun & 0xFFFF == 0 else { return nil }
        return Int(truncatingIfNeeded: lun >> 16 & 0xFF_FFFF_FFFF)
      default:
        return nil
      }
    default:
      return nil
    }
  }

  /// The usual encoding of `number`: peripheral below 256, flat space below 16384, else extended flat space. Nil when
  /// `number` is negative or above ``numberMax``.
  @inlinable
  public static func encode(_ number: Int) -> UInt64? {
    switch number {
    case 0..<0x100: UInt64(number) << 48
    case 0x100..<0x4000: UInt64(number | 0x4000) << 48
    case 0x4000...numberMax: (0xD2 << 24 | UInt64(number)) << 32
    default: nil
    }
  }
}
