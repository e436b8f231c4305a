/// The parameter list of UNMAP (SBC-4 §5.35), of which only the complete descriptors count.
public struct UnmapList {
  private let bytes: UnsafeRawBufferPointer

  /// The number of complete block descriptors: within the UNMAP BLOCK DESCRIPTOR DATA LENGTH, and within what was sent.
  public let count: Int

  public static let headerLength = 8
  public static let descriptorLength = 16

  /// Nil when `bytes` is shorter than the header.
  public init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= Self.headerLength else { return nil }
    self.bytes = bytes
    count = min(Int(bytes.big16(2)), bytes.count - Self.headerLength) / Self.descriptorLength
  }

  /// The blocks of the descriptor `index`, below ``count``.
  public func range(_ index: Int) -> (lba: UInt64, blocks: UInt64) {
    let offset = Self.offset(of: index)
    return (bytes.big64(offset), UInt64(bytes.big32(offset + 8)))
  }

  /// Where the descriptor `index` begins in the list.
  public static func offset(of index: Int) -> Int { headerLength + index * descriptorLength }
}
