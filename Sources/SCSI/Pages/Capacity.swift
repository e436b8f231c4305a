/// The parameter data of READ CAPACITY (SBC-4 §5.20.2, §5.21.2).
public struct Capacity: Sendable {
  /// RETURNED LOGICAL BLOCK ADDRESS.
  public var lastLBA: UInt64

  /// LOGICAL BLOCK LENGTH IN BYTES.
  public var blockLength: UInt32

  /// LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT, 0 to 15.
  public var physicalBlockExponent: UInt8

  /// LBPME, and LBPRZ with it: blocks that were given back read as zeroes.
  public var isThin: Bool

  public init(lastLBA: UInt64, blockLength: UInt32, physicalBlockExponent: UInt8, isThin: Bool) {
    self.lastLBA = lastLBA
    self.blockLength = blockLength
    self.physicalBlockExponent = physicalBlockExponent
    self.isThin = isThin
  }

  /// 8 bytes; the LBA is FFFFFFFFh when it needs more than 32 bits.
  public var parameterData10: [UInt8] {
    var data: [UInt8] = []
    data.append32(UInt32(exactly: lastLBA) ?? .max)
    data.append32(blockLength)
    return data
  }

  /// 32 bytes.
  public var parameterData16: [UInt8] {
    var data: [UInt8] = []
    data.append64(lastLBA)
    data.append32(blockLength)
    data.append(0)
    data.append(physicalBlockExponent & 0x0F)
    data.append(isThin ? 0xC0 : 0)
    data.append(0)
    data.appendZeroes(16)
    return data
  }
}
