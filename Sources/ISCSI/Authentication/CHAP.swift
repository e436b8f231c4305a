/// CHAP as iSCSI uses it, RFC 1994 and RFC 7143 §12.1.3.
public enum CHAPAlgorithm: Int, Sendable, CaseIterable {
  case md5 = 5
  case sha1 = 6
  case sha256 = 7
  case sha3 = 8

  /// CHAP_R: the hash of the identifier, the secret and the challenge.
  public func response(identifier: UInt8, secret: [UInt8], challenge: [UInt8]) -> [UInt8] {
    let message = [identifier] + secret + challenge
    return switch self {
    case .md5: MessageDigest.md5(message)
    case .sha1: MessageDigest.sha1(message)
    case .sha256: MessageDigest.sha256(message)
    case .sha3: MessageDigest.sha3(message)
    }
  }

  /// The longest challenge in bytes.
  public static let challengeLengthMax = 1024
}
