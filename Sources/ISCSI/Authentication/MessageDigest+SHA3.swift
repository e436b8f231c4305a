extension MessageDigest {
  /// SHA3-256, FIPS 202: 32 bytes.
  public static func sha3(_ message: [UInt8]) -> [UInt8] {
    /// Bytes that one permutation takes in: 1600 bits less twice the length of the hash.
    let rate = 136
    var padded = message
    padded.append(0x06)
    while padded.count % rate != 0 { padded.append(0) }
    padded[padded.count - 1] |= 0x80
    var state = [UInt64](repeating: 0, count: 25)
    for start in stride(from: 0, to: padded.count, by: rate) {
      for index in 0..<rate {
        state[index / 8] ^= UInt64(padded[start + index]) << UInt64(index % 8 * 8)
      }
      keccak(&state)
    }
    return (0..<32).map { UInt8(truncatingIfNeeded: state[$0 / 8] >> UInt64($0 % 8 * 8)) }
  }

  /// Keccak-f[1600]. Lane x, y of the standard is word x + 5y.
  private static func keccak(_ state: inout [UInt64]) {
    for constant in roundConstants {
      var parity = [UInt64](repeating: 0, count: 5)
      for lane in 0..<25 { parity[lane % 5] ^= state[lane] }
      for x in 0..<5 {
        let change = parity[(x + 4) % 5] ^ rotate(parity[(x + 1) % 5], 1)
        for y in 0..<5 { state[x + 5 * y] ^= change }
      }
      var moved = state
      for x in 0..<5 {
        for y in 0..<5 { moved[y + 5 * ((2 * x + 3 * y) % 5)] = rotate(state[x + 5 * y], rotations[x + 5 * y]) }
      }
      for y in 0..<5 {
        for x in 0..<5 {
          let next = ~moved[(x + 1) % 5 + 5 * y]
          state[x + 5 * y] = moved[x + 5 * y] ^ (next & moved[(x + 2) % 5 + 5 * y])
        }
      }
      state[0] ^= constant
    }
  }

  private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
    count == 0 ? value : value << count | value >> (64 - count)
  }

  private static let rotations: [UInt64] = [
    0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14,
  ]

  private static let roundConstants: [UInt64] = [
    0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808A, 0x8000_0000_8000_8000,
    0x0000_0000_0000_808B, 0x0000_0000_8000_0001, 0x8000_0000_8000_8081, 0x8000_0000_0000_8009,
    0x0000_0000_0000_008A, 0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000A,
    0x0000_0000_8000_808B, 0x8000_0000_0000_008B, 0x8000_0000_0000_8089, 0x8000_0000_0000_8003,
    0x8000_0000_0000_8002, 0x8000_0000_0000_0080, 0x0000_0000_0000_800A, 0x8000_0000_8000_000A,
    0x8000_0000_8000_8081, 0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
  ]
}
