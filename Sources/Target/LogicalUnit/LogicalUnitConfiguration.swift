import ISCSI
import Ring

/// Where the blocks of a logical unit are.
public enum Backing: Hashable, Sendable {
  /// Nowhere: reads give zeroes, writes vanish. For measuring.
  case null

  /// In memory that the logical unit owns, committed where it is written; zeroes elsewhere. Gone with the process.
  case memory

  /// On a medium of the ring: a file, a block device, a simulated disk. Offsets, lengths and memory of its operations
  /// are multiples of `alignment` bytes.
  case medium(Handle, alignment: Int)
}

/// What a logical unit is to be; the world file fills it.
public struct LogicalUnitConfiguration: Hashable, Sendable {
  /// The logical unit number, 0 to 16383 (SAM-5 §4.7).
  public var lun: UInt16

  /// The capacity in logical blocks, at least 1. Times ``blockLength`` it does not exceed 2^63 bytes.
  public var blockCount: UInt64

  /// Bytes in a logical block: 512 or 4096.
  public var blockLength: Int

  /// Logical blocks in a physical block, as a power of two: 0 to 15.
  public var physicalBlockExponent: Int

  public var backing: Backing

  /// Thin provisioned: UNMAP and WRITE SAME with UNMAP give blocks back, which then read as zeroes.
  public var isThin = false

  /// No command may change the medium.
  public var isReadOnly = false

  /// The medium can be ejected and loaded.
  public var isRemovable = false

  /// A write may be answered while its data are still volatile, until SYNCHRONIZE CACHE. MODE SELECT can change it.
  public var isWriteCacheEnabled = true

  /// T10 VENDOR IDENTIFICATION, up to 8 ASCII characters.
  public var vendor = "SIMSAN"

  /// PRODUCT IDENTIFICATION, up to 16 ASCII characters.
  public var product = "VIRTUAL-DISK"

  /// PRODUCT REVISION LEVEL, up to 4 ASCII characters.
  public var revision = "0001"

  /// PRODUCT SERIAL NUMBER, ASCII. Empty: 16 hexadecimal digits that follow from the target's name and the LUN.
  public var serial = ""

  /// The NAA designator, 8 bytes (NAA 2, 3 or 5) or 16 bytes (NAA 6). Empty: a locally assigned one (NAA 3) that follows
  /// from the target's name and the LUN.
  public var naa: [UInt8] = []

  /// The most bytes that one command may transfer: MAXIMUM TRANSFER LENGTH of the Block Limits page, in bytes.
  public var transferLengthMax = 4 << 20

  /// The most blocks of one COMPARE AND WRITE, 1 to 255; 0 refuses the command.
  public var compareAndWriteBlocksMax = 128

  /// The most bytes that one WRITE SAME may write.
  public var writeSameLengthMax = 4 << 20

  /// The most bytes that one UNMAP may give back.
  public var unmapLengthMax = 512 << 20

  /// The most descriptors in one UNMAP.
  public var unmapDescriptorsMax = 256

  public init(
    lun: UInt16 = 0, blockCount: UInt64, blockLength: Int = 512, physicalBlockExponent: Int? = nil,
    backing: Backing = .memory
  ) {
    self.lun = lun
    self.blockCount = blockCount
    self.blockLength = blockLength
    self.physicalBlockExponent = physicalBlockExponent ?? (blockLength == 512 ? 3 : 0)
    self.backing = backing
  }

  /// Why it cannot be served, in words for whoever wrote the world file; nil when it can.
  public var problem: String? {
    if lun > 16383 { return "LUN \(lun) is greater than 16383" }
    if blockLength != 512 && blockLength != 4096 { return "block length \(blockLength) is neither 512 nor 4096" }
    if blockCount == 0 { return "the size is less than one block of \(blockLength) bytes" }
    if blockCount > (1 << 63) / UInt64(blockLength) { return "the size exceeds 2^63 bytes" }
    if !(0...15).contains(physicalBlockExponent) {
      return "physical block exponent \(physicalBlockExponent) is not within 0 to 15"
    }
    if case .medium(_, let alignment) = backing {
      if alignment < 1 || alignment & (alignment - 1) != 0 { return "alignment \(alignment) is not a power of two" }
      if alignment > blockLength {
        return "the medium wants transfers aligned to \(alignment) bytes, more than the block length of "
          + "\(blockLength): choose block length \(alignment), or open the medium without direct I/O"
      }
    }
    if transferLengthMax < blockLength || transferLengthMax > 1 << 30 {
      return "maximum transfer length \(transferLengthMax) is not within one block and 1 GiB"
    }
    if !(0...255).contains(compareAndWriteBlocksMax) {
      return "maximum compare and write length \(compareAndWriteBlocksMax) is not within 0 to 255 blocks"
    }
    if writeSameLengthMax < blockLength { return "maximum write same length \(writeSameLengthMax) is below one block" }
    if unmapLengthMax < blockLength { return "maximum unmap length \(unmapLengthMax) is below one block" }
    if !(1...4095).contains(unmapDescriptorsMax) {
      return "maximum unmap descriptor count \(unmapDescriptorsMax) is not within 1 to 4095"
    }
    if !naa.isEmpty {
      let type = naa[0] >> 4
      let isRight = naa.count == 16 ? type == 6 : naa.count == 8 && (type == 2 || type == 3 || type == 5)
      if !isRight { return "the NAA designator is neither 8 bytes of NAA 2, 3 or 5 nor 16 bytes of NAA 6" }
    }
    return nil
  }
}

/// What every logical unit of a target has to know of the target it is in.
struct TargetInventory: Hashable, Sendable {
  /// The target's iSCSI name.
  var name: String

  /// All LUNs, ascending.
  var luns: [UInt16]

  /// The target portal group tags. Each is one SCSI target port; its relative port identifier is its place here, from 1.
  var portalGroupTags: [UInt16]

  init(name: String, luns: [UInt16], portalGroupTags: [UInt16] = [1]) {
    self.name = name
    self.luns = luns.sorted()
    self.portalGroupTags = portalGroupTags
  }

  /// The LUNs as SAM-5 §4.7 encodes them.
  var encodedLUNs: [UInt64] { luns.compactMap { LogicalUnitNumber.encode(Int($0)) } }

  /// The relative target port identifier of a portal group; 1 for a tag that is not listed.
  func relativePort(_ portalGroupTag: UInt16) -> UInt16 {
    UInt16(truncatingIfNeeded: (portalGroupTags.firstIndex(of: portalGroupTag) ?? 0) + 1)
  }
}
