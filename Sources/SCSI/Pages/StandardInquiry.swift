/// Standard INQUIRY data of a direct access block device (SPC-4 §6.6.2).
public struct StandardInquiry: Sendable {
  /// T10 VENDOR IDENTIFICATION, cut to 8 characters.
  public var vendor: String
  /// PRODUCT IDENTIFICATION, cut to 16 characters.
  public var product: String
  /// PRODUCT REVISION LEVEL, cut to 4 characters.
  public var revision: String
  /// RMB.
  public var isRemovable = false
  /// MULTIP.
  public var hasSeveralPorts = false
  /// PERIPHERAL QUALIFIER and PERIPHERAL DEVICE TYPE.
  public var peripheral: UInt8 = 0x00

  /// Peripheral qualifier 011b with type 1Fh: no logical unit is, or could be, here (SPC-4 §6.6.2, table 150).
  public static let absent: UInt8 = 0x7F

  public init(vendor: String, product: String, revision: String) {
    self.vendor = vendor
    self.product = product
    self.revision = revision
  }

  /// SPC-4, the VERSION field.
  private static let version: UInt8 = 0x06

  /// SAM-5, iSCSI, SPC-4 and SBC-3, each without a claim to a certain revision.
  private static let versionDescriptors: [UInt16] = [0x00A0, 0x0960, 0x0460, 0x04C0]

  /// 96 bytes.
  public var encoded: [UInt8] {
    var data: [UInt8] = []
    data.reserveCapacity(96)
    data.append(peripheral)
    data.append(isRemovable ? 0x80 : 0)
    data.append(Self.version)
    data.append(0x12)  // HISUP, RESPONSE DATA FORMAT 2
    data.append(96 - 5)
    data.append(peripheral == 0 ? 0x10 : 0)  // TPGS: implicit only
    data.append(hasSeveralPorts ? 0x10 : 0)
    data.append(0x02)  // CMDQUE
    data.appendASCII(vendor, width: 8)
    data.appendASCII(product, width: 16)
    data.appendASCII(revision, width: 4)
    data.appendZeroes(58 - 36)
    for descriptor in Self.versionDescriptors { data.append16(descriptor) }
    data.appendZeroes(96 - data.count)
    return data
  }
}
