import Testing

@testable import SCSI

/// What the pages say of every unit, byte for byte as the standards have it.
@Suite struct PagesTests {
  @Test func standardInquiryDataHaveTheirFlags() {
    var inquiry = StandardInquiry(vendor: "V", product: "P", revision: "R")
    // HISUP and format 2, 91 more bytes, TPGS 01b, CMDQUE.
    #expect(inquiry.encoded.prefix(8) == [0, 0, 6, 0x12, 91, 0x10, 0, 0x02])
    inquiry.hasSeveralPorts = true
    #expect(inquiry.encoded[6] == 0x10)
    inquiry.peripheral = StandardInquiry.absent
    #expect(inquiry.encoded[0] == 0x7F && inquiry.encoded[5] == 0)
    #expect(String(decoding: inquiry.encoded[8..<36], as: UTF8.self) == "V       P               R   ")
  }

  @Test func vitalProductDataHaveTheirFlags() {
    // HEADSUP, ORDSUP, SIMPSUP; V_SUP.
    #expect(VitalProductData.extendedInquiry(hasVolatileCache: true).prefix(8) == [0, 0x86, 0, 60, 0, 0x07, 0x01, 0])
    #expect(VitalProductData.extendedInquiry(hasVolatileCache: false)[6] == 0)
    #expect(VitalProductData.modePagePolicy() == [0, 0x87, 0, 4, 0x3F, 0xFF, 0, 0])
    // Does not rotate; VBULS.
    #expect(VitalProductData.blockDeviceCharacteristics().prefix(9) == [0, 0xB1, 0, 60, 0, 1, 0, 0, 1])
    // LBPU, LBPWS, LBPWS10, LBPRZ 001b; thin.
    #expect(VitalProductData.logicalBlockProvisioning(isThin: true) == [0, 0xB2, 0, 4, 0, 0xE4, 2, 0])
    #expect(VitalProductData.logicalBlockProvisioning(isThin: false) == [0, 0xB2, 0, 4, 0, 0, 0, 0])
  }

  @Test func blockLimitsHaveAnAlignmentWhereTheyHaveAGranularity() {
    var limits = BlockLimits()
    #expect(limits.encoded[28..<36].allSatisfy { $0 == 0 })
    limits.unmapGranularity = 8
    #expect(Array(limits.encoded[28..<36]) == [0, 0, 0, 8, 0x80, 0, 0, 0])
  }

  @Test func modePagesHaveTheirValues() {
    func page(_ code: UInt8, _ length: UInt8, _ values: [UInt8]) -> [UInt8] {
      [code, length] + values + [UInt8](repeating: 0, count: Int(length) - values.count)
    }
    // AWRE and ARRE; nothing; WCE; GLTSD and unrestricted reordering; DEXCPT.
    #expect(ModePage.readWriteErrorRecovery.bytes == page(0x01, 0x0A, [0xC0]))
    #expect(ModePage.disconnectReconnect.bytes == page(0x02, 0x0E, []))
    #expect(ModePage.caching(writeCacheEnabled: true).bytes == page(0x08, 0x12, [0x04]))
    #expect(ModePage.caching(writeCacheEnabled: false).bytes == page(0x08, 0x12, []))
    #expect(ModePage.control.bytes == page(0x0A, 0x0A, [0x02, 0x10]))
    #expect(ModePage.informationalExceptions.bytes == page(0x1C, 0x0A, [0x08]))
    // WCE; D_SENSE and SWP.
    #expect(ModePage.caching(writeCacheEnabled: true).changeable == page(0x08, 0x12, [0x04]))
    #expect(ModePage.control.changeable == page(0x0A, 0x0A, [0x04, 0, 0x08]))
    for fixed in [ModePage.readWriteErrorRecovery, .disconnectReconnect, .informationalExceptions] {
      #expect(fixed.changeable.dropFirst(2).allSatisfy { $0 == 0 })
    }
  }

  /// Code set, and of a port or a device the protocol; PIV, association and type.
  @Test func designatorsSayWhatTheyAre() {
    #expect(Designator.t10Vendor("V", "ab") == [0x02, 0x01, 0, 10] + Array("V       ab".utf8))
    #expect(Designator.naa([0x30, 1, 2, 3, 4, 5, 6, 7]) == [0x01, 0x03, 0, 8, 0x30, 1, 2, 3, 4, 5, 6, 7])
    #expect(Designator.relativeTargetPort(0x102) == [0x51, 0x94, 0, 4, 0, 0, 1, 2])
    #expect(Designator.targetPortGroup(0x102) == [0x51, 0x95, 0, 4, 0, 0, 1, 2])
    #expect(
      Designator.targetPortName("iqn.a", portalGroupTag: 0x1F) == [0x53, 0x98, 0, 16]
        + Array("iqn.a,t,0x001f\0\0".utf8))
    #expect(Designator.targetDeviceName("iqn.abc1") == [0x53, 0xA8, 0, 12] + Array("iqn.abc1\0\0\0\0".utf8))
  }
}
