// Logout Request and Response, RFC 7143 §11.14, §11.15. The CID is `connectionID`.

extension HeaderView {
  /// Reason Code, see ``LogoutReason``.
  @inlinable @inline(__always)
  public var logoutReason: UInt8 { byte(1) & 0x7F }

  /// Time2Wait in seconds.
  @inlinable @inline(__always)
  public var time2Wait: UInt16 { word16(40) }

  /// Time2Retain in seconds.
  @inlinable @inline(__always)
  public var time2Retain: UInt16 { word16(42) }
}

extension MutableHeaderView {
  /// Reason Code, see ``LogoutReason``.
  @inlinable @inline(__always)
  public var logoutReason: UInt8 {
    get { reading.logoutReason }
    nonmutating set { setBits(1, 0x7F, newValue) }
  }

  /// Time2Wait in seconds.
  @inlinable @inline(__always)
  public var time2Wait: UInt16 {
    get { reading.time2Wait }
    nonmutating set { setWord16(40, newValue) }
  }

  /// Time2Retain in seconds.
  @inlinable @inline(__always)
  public var time2Retain: UInt16 {
    get { reading.time2Retain }
    nonmutating set { setWord16(42, newValue) }
  }
}
