/// A rolling 128-bit hash of everything that happened in a run.
///
/// The algorithm is our own and fixed: the same words give the same hash on every machine and in every build. It finds
/// differences; it does not resist an adversary.
public struct TraceHash: Hashable, Sendable {
  public private(set) var high: UInt64 = 0x243F_6A88_85A3_08D3
  public private(set) var low: UInt64 = 0x1319_8A2E_0370_7344

  public init() {}

  @inline(__always)
  private static func rotate(_ word: UInt64, _ count: UInt64) -> UInt64 { word << count | word >> (64 - count) }

  /// Folds two words in.
  public mutating func fold(_ first: UInt64, _ second: UInt64) {
    let product = (first ^ low ^ 0xA409_3822_299F_31D0).multipliedFullWidth(by: second ^ high ^ 0x082E_FA98_EC4E_6C89)
    // The words are added once more beside the product, so that a factor of zero loses nothing.
    let newLow = (product.low ^ Self.rotate(high, 17)) &+ first
    high = (product.high ^ Self.rotate(low, 41)) &+ second
    low = newLow
  }

  /// A 64-bit digest of `bytes`: four lanes of 16 bytes at a time, so that the multiplications overlap.
  public static func digest(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    guard let base = bytes.baseAddress else { return 0x4528_21E6_38D0_1377 }
    func word(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    func mix(_ lane: UInt64, _ offset: Int) -> UInt64 {
      let second = word(offset + 8)
      let product = (word(offset) ^ lane).multipliedFullWidth(by: second ^ 0xBE54_66CF_34E9_0C6D)
      return (product.low ^ product.high) &+ second
    }
    var lane0: UInt64 = 0xC0AC_29B7_C97C_50DD
    var lane1: UInt64 = 0x3F84_D5B5_B547_0917
    var lane2: UInt64 = 0x9216_D5D9_8979_FB1B
    var lane3: UInt64 = 0xD131_0BA6_98DF_B5AC
    let count = bytes.count
    var offset = 0
    while offset &+ 64 <= count {
      lane0 = mix(lane0, offset)
      lane1 = mix(lane1, offset &+ 16)
      lane2 = mix(lane2, offset &+ 32)
      lane3 = mix(lane3, offset &+ 48)
      offset &+= 64
    }
    while offset &+ 16 <= count {
      lane0 = mix(lane0, offset)
      offset &+= 16
    }
    var tail: UInt64 = 0
    while offset < count {
      tail = rotate(tail, 11) ^ UInt64(base.load(fromByteOffset: offset, as: UInt8.self)) &* 0x2FFD_72DB_D01A_DFB7
      offset &+= 1
    }
    var result = TraceHash()
    result.fold(lane0, lane1)
    result.fold(lane2, lane3)
    result.fold(tail, UInt64(count))
    return result.high ^ result.low
  }
}

extension TraceHash: CustomStringConvertible {
  /// 32 hexadecimal digits.
  public var description: String {
    func hex(_ word: UInt64) -> String {
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }
    return hex(high) + hex(low)
  }
}
