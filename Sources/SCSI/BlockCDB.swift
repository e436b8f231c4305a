/// The fields that READ, WRITE, VERIFY, WRITE SAME, SYNCHRONIZE CACHE and their like have in common, in each length of
/// CDB (SBC-4 §5; the length is known by the group code, SPC-4 §4.2.5.1).
public struct BlockCDB: Sendable {
  /// LOGICAL BLOCK ADDRESS.
  public var lba: UInt64

  /// The number of logical blocks as it stands in the CDB. For READ(6) and WRITE(6) 0 has been turned into 256.
  public var blocks: UInt32

  /// Byte 1: protection, DPO, FUA, BYTCHK and the like; 0 in a 6-byte CDB.
  public var flags: UInt8

  /// Where the number of blocks stands in the CDB.
  public var blocksOffset: UInt16

  /// RDPROTECT, WRPROTECT or VRPROTECT.
  @inlinable
  public var protect: UInt8 { flags >> 5 }

  /// FUA, where the command has it.
  @inlinable
  public var forceUnitAccess: Bool { flags & 0x08 != 0 }

  /// Reads the fields of `cdb`, whatever the command.
  @inlinable
  @inline(__always)
  public init(_ cdb: borrowing InlineArray<32, UInt8>) {
    switch cdb[0] >> 5 {
    case 0:
      lba = UInt64(cdb.big24(1) & 0x1F_FFFF)
      blocks = cdb[4] == 0 ? 256 : UInt32(cdb[4])
      flags = 0
      blocksOffset = 4
    case 4:
      lba = cdb.big64(2)
      blocks = cdb.big32(10)
      flags = cdb[1]
      blocksOffset = 10
    case 5:
      lba = UInt64(cdb.big32(2))
      blocks = cdb.big32(6)
      flags = cdb[1]
      blocksOffset = 6
    default:
      lba = UInt64(cdb.big32(2))
      blocks = UInt32(cdb.big16(7))
      flags = cdb[1]
      blocksOffset = 7
    }
  }
}
