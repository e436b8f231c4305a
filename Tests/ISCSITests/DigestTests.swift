import CDigest
import ISCSI
import Testing

/// RFC 7143 §A.4 gives the digests as bytes in the order of the wire.
private func wire(_ bytes: [UInt8]) -> [UInt8] {
  let digest = bytes.withUnsafeBytes { Digest.crc32c($0) }
  return (0..<4).map { UInt8(truncatingIfNeeded: digest >> UInt32($0 * 8)) }
}

@Suite struct DigestTests {
  @Test func vectorsOfTheStandard() {
    #expect(wire([UInt8](repeating: 0, count: 32)) == [0xAA, 0x36, 0x91, 0x8A])
    #expect(wire([UInt8](repeating: 0xFF, count: 32)) == [0x43, 0xAB, 0xA8, 0x62])
    #expect(wire((0..<32).map { $0 }) == [0x4E, 0x79, 0xDD, 0x46])
    #expect(wire((0..<32).reversed().map { $0 }) == [0x5C, 0xDB, 0x3F, 0x11])
    let read10: [UInt8] =
      [0x01, 0xC0] + [UInt8](repeating: 0, count: 14) + [0x14, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18]
      + [0x28] + [UInt8](repeating: 0, count: 7) + [2] + [UInt8](repeating: 0, count: 7)
    #expect(read10.count == 48)
    #expect(wire(read10) == [0x56, 0x3A, 0x96, 0xD9])
  }

  @Test func everyLengthAndAlignmentAgreesWithTheTable() {
    var state: UInt32 = 1
    let bytes = (0..<9000).map { _ -> UInt8 in
      state = state &* 1_664_525 &+ 1_013_904_223
      return UInt8(truncatingIfNeeded: state >> 24)
    }
    bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      for length in Array(0..<900) + [1535, 1536, 3071, 3072, 3073, 3840, 4095, 4096, 4097, 6144, 8191, 8192, 8968] {
        let offset = length % 8
        let fast = simsan_crc32c(7, base + offset, length)
        #expect(fast == simsan_crc32c_portable(7, base + offset, length), "\(length) bytes at \(offset)")
      }
    }
  }

  @Test func aDigestIsContinued() {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let whole = bytes.withUnsafeBytes { Digest.crc32c($0) }
    for cut in [0, 1, 7, 8, 191, 500, 1000] {
      let first = bytes[..<cut].withUnsafeBytes { Digest.crc32c($0) }
      #expect(bytes[cut...].withUnsafeBytes { Digest.crc32c($0, continuing: first) } == whole)
    }
  }
}
