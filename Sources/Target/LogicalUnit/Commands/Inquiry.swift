import Ring
import SCSI

// INQUIRY: SPC-4 §6.6; its vital product data: §7.8, SBC-4 §6.6.

extension CommandTable {
  static let inquiry: [CommandDescriptor] = [
    CommandDescriptor(
      "INQUIRY", OperationCode.inquiry, usage: [0x12, 0x01, 0xFF, 0xFF, 0xFF, 0x00],
      [.ignoresUnitAttention, .ignoresReservation, .overtakes],
      begin: { $0.beginInquiry(&$1, &$2) })
  ]
}

extension LogicalUnit {
  fileprivate func beginInquiry(_ command: inout Command, _ context: inout Context) -> Disposition {
    let allocationLength = Int(command.cdb.big16(3))
    let page = command.cdb[2]
    if command.cdb[1] & 0x01 == 0 {
      if page != 0 { return fail(&command, invalidField(byte: 2)) }
      return answer(&command, standardInquiry.encoded, allocationLength: allocationLength, &context)
    }
    guard let data = vitalProductData(page, nexus: command.nexus) else {
      return fail(&command, invalidField(byte: 2))
    }
    return answer(&command, data, allocationLength: allocationLength, &context)
  }

  private var standardInquiry: StandardInquiry {
    var inquiry = StandardInquiry(
      vendor: configuration.vendor, product: configuration.product, revision: configuration.revision)
    inquiry.isRemovable = configuration.isRemovable
    inquiry.hasSeveralPorts = inventory.portalGroupTags.count > 1
    return inquiry
  }

  /// A page of vital product data; nil when there is none of this code.
  private func vitalProductData(_ page: UInt8, nexus: NexusIndex) -> [UInt8]? {
    switch page {
    case 0x00: VitalProductData.supportedPages([0x00, 0x80, 0x83, 0x86, 0x87, 0x88, 0xB0, 0xB1, 0xB2])
    case 0x80: VitalProductData.unitSerialNumber(identity.serial)
    case 0x83: VitalProductData.page(0x83, designators(nexus))
    case 0x86: VitalProductData.extendedInquiry(hasVolatileCache: modePages.isWriteCacheEnabled)
    case 0x87: VitalProductData.modePagePolicy()
    case 0x88: VitalProductData.ports(inventory.portalGroupTags.indices.map(portDescriptor))
    case 0xB0: blockLimits.encoded
    case 0xB1: VitalProductData.blockDeviceCharacteristics()
    case 0xB2: VitalProductData.logicalBlockProvisioning(isThin: configuration.isThin)
    default: nil
    }
  }

  private func designators(_ nexus: NexusIndex) -> [UInt8] {
    let index = Int(nexus)
    let port = index < nexuses.count ? nexuses[index].relativePort : 1
    let place = Int(port) - 1
    let tag = place < inventory.portalGroupTags.count ? inventory.portalGroupTags[place] : 1
    var data: [UInt8] = []
    data += Designator.t10Vendor(configuration.vendor, identity.serial)
    data += Designator.naa(identity.naa)
    data += Designator.relativeTargetPort(port)
    data += Designator.targetPortGroup(1)
    data += Designator.targetPortName(inventory.name, portalGroupTag: tag)
    data += Designator.targetDeviceName(inventory.name)
    return data
  }

  /// The target port at `place` of the inventory, with its name.
  private func portDescriptor(_ place: Int) -> (port: UInt16, designators: [UInt8]) {
    (
      UInt16(truncatingIfNeeded: place + 1),
      Designator.targetPortName(inventory.name, portalGroupTag: inventory.portalGroupTags[place])
    )
  }

  private var blockLimits: BlockLimits {
    var limits = BlockLimits()
    limits.compareAndWriteBlocksMax = UInt8(truncatingIfNeeded: configuration.compareAndWriteBlocksMax)
    limits.transferBlocksMax = UInt32(truncatingIfNeeded: transferBlocksMax)
    limits.transferBlocksOptimal = min(
      limits.transferBlocksMax, UInt32(truncatingIfNeeded: UInt64(1 << 20) >> blockShift))
    limits.transferBlocksGranularity = UInt16(truncatingIfNeeded: 1 << configuration.physicalBlockExponent)
    limits.writeSameBlocksMax = writeSameBlocksMax
    if configuration.isThin {
      limits.unmapBlocksMax = unmapBlocksMax
      limits.unmapDescriptorsMax = UInt32(truncatingIfNeeded: configuration.unmapDescriptorsMax)
      limits.unmapGranularity = unmapGranularity
    }
    return limits
  }

  /// MAXIMUM WRITE SAME LENGTH, in blocks.
  var writeSameBlocksMax: UInt64 { UInt64(configuration.writeSameLengthMax) >> blockShift }

  /// MAXIMUM UNMAP LBA COUNT.
  var unmapBlocksMax: UInt32 { UInt32(clamping: UInt64(configuration.unmapLengthMax) >> blockShift) }

  /// OPTIMAL UNMAP GRANULARITY, in blocks: what really gives memory or disk back.
  private var unmapGranularity: UInt32 {
    let bytes = store?.chunkLength ?? 4096
    return UInt32(clamping: max(UInt64(bytes) >> blockShift, 1 << UInt64(configuration.physicalBlockExponent)))
  }
}
