/// The parameter data of GET LBA STATUS (SBC-4 §5.6.2).
public enum LBAStatus {
  public static let headerLength = 8
  public static let descriptorLength = 16

  /// Writes the header: PARAMETER DATA LENGTH for so many descriptors.
  public static func encodeHeader(descriptors: Int, into bytes: UnsafeMutableRawBufferPointer) {
    bytes.storeBytes(
      of: UInt32(truncatingIfNeeded: 4 + descriptors * descriptorLength).bigEndian, toByteOffset: 0, as: UInt32.self)
    bytes.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
  }

  /// Writes one descriptor: PROVISIONING STATUS 0 (mapped) or 1 (deallocated).
  public static func encodeDescriptor(
    lba: UInt64, blocks: UInt32, isMapped: Bool, into bytes: UnsafeMutableRawBufferPointer
  ) {
    bytes.storeBytes(of: lba.bigEndian, toByteOffset: 0, as: UInt64.self)
    bytes.storeBytes(of: blocks.bigEndian, toByteOffset: 8, as: UInt32.self)
    bytes.storeBytes(of: (isMapped ? 0 : 0x0100_0000 as UInt32).bigEndian, toByteOffset: 12, as: UInt32.self)
  }
}
