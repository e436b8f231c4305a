import ISCSI
import Testing

@Suite struct AuthenticationTests {
  private func hex(_ bytes: [UInt8]) -> String { TextEncoding.hexadecimal(bytes) }

  /// RFC 1321 §A.5, FIPS 180-4's examples, and a length on each side of the padding's limit.
  @Test func knownHashes() {
    #expect(hex(MessageDigest.md5([])) == "d41d8cd98f00b204e9800998ecf8427e")
    #expect(hex(MessageDigest.md5(Array("message digest".utf8))) == "f96b697d7cb7938d525a2f31aaf161d0")
    let digits = Array(String(repeating: "1234567890", count: 8).utf8)
    #expect(hex(MessageDigest.md5(digits)) == "57edf4a22be3c955ac49da2e2107b67a")
    #expect(hex(MessageDigest.sha1(Array("abc".utf8))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    let long = Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)
    #expect(hex(MessageDigest.sha1(long)) == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
    #expect(
      hex(MessageDigest.sha256(Array("abc".utf8)))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      hex(MessageDigest.sha256(long)) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
  }

  /// FIPS 202's examples, and lengths around the block of 136 bytes.
  @Test func knownHashesOfSHA3() {
    #expect(hex(MessageDigest.sha3([])) == "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a")
    #expect(
      hex(MessageDigest.sha3(Array("abc".utf8)))
        == "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532")
    for (length, hash) in Self.hashesOfA {
      #expect(hex(MessageDigest.sha3([UInt8](repeating: 0x61, count: length))) == hash, "\(length)")
    }
  }

  @Test(arguments: [CHAPAlgorithm.md5: 16, .sha1: 20, .sha256: 32, .sha3: 32])
  func responsesHaveTheLengthOfTheirHash(algorithm: CHAPAlgorithm, length: Int) {
    let response = algorithm.response(identifier: 1, secret: [1, 2, 3], challenge: [4, 5])
    #expect(response.count == length)
    #expect(response != algorithm.response(identifier: 2, secret: [1, 2, 3], challenge: [4, 5]))
  }

  private static let hashesOfA: [(Int, String)] = [
    (135, "8094bb53c44cfb1e67b7c30447f9a1c33696d2463ecc1d9c92538913392843c9"),
    (136, "3fc5559f14db8e453a0a3091edbd2bc25e11528d81c66fa570a4efdcc2695ee1"),
    (137, "f8d6846cedd2ccfadf15c5879ef95af724d799eed7391fb1c91f95344e738614"),
    (300, "8a5720b2ca0cae7b89ad399c5daab22c29f5c72bcf30ab81e807d9bda95b4580"),
  ]
}
