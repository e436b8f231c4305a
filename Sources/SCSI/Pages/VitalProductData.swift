/// Pages of vital product data of a direct access block device (SPC-4 §7.8, SBC-4 §6.6).
public enum VitalProductData {
  /// A page with its header; the PAGE LENGTH is that of `contents`.
  public static func page(_ code: UInt8, _ contents: [UInt8]) -> [UInt8] {
    var data: [UInt8] = [0x00, code]
    data.append16(UInt16(truncatingIfNeeded: contents.count))
    return data + contents
  }

  /// 00h: the codes of all pages, in ascending order.
  public static func supportedPages(_ codes: [UInt8]) -> [UInt8] { page(0x00, codes) }

  /// 80h.
  public static func unitSerialNumber(_ serial: String) -> [UInt8] {
    var contents: [UInt8] = []
    contents.appendASCII(serial, width: min(serial.utf8.count, 252))
    return page(0x80, contents)
  }

  /// 86h: SIMPLE, ORDERED and HEAD OF QUEUE tasks; no protection information.
  public static func extendedInquiry(hasVolatileCache: Bool) -> [UInt8] {
    var contents = [UInt8](repeating: 0, count: 60)
    contents[5 - 4] = 0x07  // HEADSUP, ORDSUP, SIMPSUP
    contents[6 - 4] = hasVolatileCache ? 0x01 : 0  // V_SUP
    return page(0x86, contents)
  }

  /// 87h: every page and subpage is shared by all nexuses.
  public static func modePagePolicy() -> [UInt8] { page(0x87, [0x3F, 0xFF, 0x00, 0x00]) }

  /// 88h: each target port by its relative identifier, with its designation descriptors.
  public static func ports(_ ports: [(port: UInt16, designators: [UInt8])]) -> [UInt8] {
    var contents: [UInt8] = []
    for (port, designators) in ports {
      contents.append16(0)
      contents.append16(port)
      contents.append32(0)  // no initiator port TransportID
      contents.append16(0)
      contents.append16(UInt16(truncatingIfNeeded: designators.count))
      contents += designators
    }
    return page(0x88, contents)
  }

  /// B1h: does not rotate; VBULS: VERIFY of unmapped blocks is an ordinary VERIFY.
  public static func blockDeviceCharacteristics() -> [UInt8] {
    var contents = [UInt8](repeating: 0, count: 60)
    contents.store16(1, at: 4 - 4)
    contents[8 - 4] = 0x01
    return page(0xB1, contents)
  }

  /// B2h: UNMAP, WRITE SAME(16) and WRITE SAME(10) give blocks back, which then read as zeroes. No provisioning groups.
  public static func logicalBlockProvisioning(isThin: Bool) -> [UInt8] {
    // LBPU, LBPWS, LBPWS10, LBPRZ 001b; PROVISIONING TYPE 2: thin.
    page(0xB2, isThin ? [0x00, 0xE4, 0x02, 0x00] : [0x00, 0x00, 0x00, 0x00])
  }
}

/// B0h: Block Limits (SBC-4 §6.6.4). Zero says that there is no limit, or none that is reported.
public struct BlockLimits: Sendable {
  /// WSNZ: a WRITE SAME of zero blocks is refused.
  public var refusesWriteSameOfZeroBlocks = true
  public var compareAndWriteBlocksMax: UInt8 = 0
  public var transferBlocksGranularity: UInt16 = 0
  public var transferBlocksMax: UInt32 = 0
  public var transferBlocksOptimal: UInt32 = 0
  public var unmapBlocksMax: UInt32 = 0
  public var unmapDescriptorsMax: UInt32 = 0
  public var unmapGranularity: UInt32 = 0
  public var writeSameBlocksMax: UInt64 = 0

  public init() {}

  /// The whole page, 64 bytes.
  public var encoded: [UInt8] {
    var contents: [UInt8] = []
    contents.append(refusesWriteSameOfZeroBlocks ? 1 : 0)
    contents.append(compareAndWriteBlocksMax)
    contents.append16(transferBlocksGranularity)
    contents.append32(transferBlocksMax)
    contents.append32(transferBlocksOptimal)
    contents.append32(0)  // MAXIMUM PREFETCH LENGTH
    contents.append32(unmapBlocksMax)
    contents.append32(unmapDescriptorsMax)
    contents.append32(unmapGranularity)
    // UGAVALID, with an alignment of 0.
    contents.append32(unmapGranularity == 0 ? 0 : 0x8000_0000)
    contents.append64(writeSameBlocksMax)
    contents.appendZeroes(60 - contents.count)
    return VitalProductData.page(0xB0, contents)
  }
}
