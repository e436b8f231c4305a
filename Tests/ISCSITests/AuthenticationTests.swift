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

  @Test(arguments: CHAPAlgorithm.allCases) func responsesHaveTheLengthOfTheirHash(algorithm: CHAPAlgorithm) {
    let response = algorithm.response(identifier: 1, secret: [1, 2, 3], challenge: [4, 5])
    #expect(response.count == algorithm.responseLength)
    #expect(response != algorithm.response(identifier: 2, secret: [1, 2, 3], challenge: [4, 5]))
  }
}
