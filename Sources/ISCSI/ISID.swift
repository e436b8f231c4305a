/// The initiator's part of a session identifier: 48 bits, RFC 7143 §11.12.5.
public struct ISID: Hashable, Sendable {
  /// The six bytes as one number, the first byte highest; always below 2^48.
  public let rawValue: UInt64

  /// Takes the low 48 bits of `rawValue`.
  @inlinable @inline(__always)
  public init(rawValue: UInt64) { self.rawValue = rawValue & 0xFFFF_FFFF_FFFF }

  /// An ISID of the random format (T = 10b): 24 bits of `random`, and a `qualifier` that tells sessions apart.
  public init(random: UInt32, qualifier: UInt16) {
    self.init(rawValue: 0x80 << 40 | UInt64(random & 0xFF_FFFF) << 16 | UInt64(qualifier))
  }
}
