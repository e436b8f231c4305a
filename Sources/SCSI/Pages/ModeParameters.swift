/// The mode parameter list around the pages (SPC-4 §7.5.5, SBC-4 §6.5.2).
public enum ModeParameters {
  /// The header of MODE SENSE(6): MODE DATA LENGTH counts what follows it, and stops at 255.
  public static func header6(specific: UInt8, descriptorLength: Int, pageLength: Int) -> [UInt8] {
    [
      UInt8(clamping: 3 + descriptorLength + pageLength), 0x00, specific, UInt8(clamping: descriptorLength),
    ]
  }

  /// The header of MODE SENSE(10).
  public static func header10(
    specific: UInt8, isLong: Bool, descriptorLength: Int, pageLength: Int
  ) -> [UInt8] {
    var data: [UInt8] = []
    data.append16(UInt16(clamping: 6 + descriptorLength + pageLength))
    data.append(0x00)
    data.append(specific)
    data.append(isLong ? 0x01 : 0)
    data.append(0)
    data.append16(UInt16(clamping: descriptorLength))
    return data
  }

  /// The short (8 bytes) or long (16 bytes) logical block descriptor. The short one says FFFFFFFFh for more blocks than
  /// it can count.
  public static func blockDescriptor(blocks: UInt64, blockLength: UInt32, isLong: Bool) -> [UInt8] {
    var data: [UInt8] = []
    if isLong {
      data.append64(blocks)
      data.append32(0)
      data.append32(blockLength)
    } else {
      data.append32(UInt32(exactly: blocks) ?? .max)
      data.append32(blockLength & 0xFF_FFFF)
    }
    return data
  }
}
