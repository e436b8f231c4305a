// Login Request and Response, RFC 7143 §11.12, §11.13.

extension HeaderView {
  /// T: ready to leave the stage.
  @inlinable @inline(__always)
  public var isTransit: Bool { byte(1) & 0x80 != 0 }

  /// CSG, see ``LoginStage``.
  @inlinable @inline(__always)
  public var currentStage: UInt8 { byte(1) >> 2 & 0x03 }

  /// NSG, see ``LoginStage``.
  @inlinable @inline(__always)
  public var nextStage: UInt8 { byte(1) & 0x03 }

  /// Version-max.
  @inlinable @inline(__always)
  public var versionMax: UInt8 { byte(2) }

  /// Version-min. Login Request.
  @inlinable @inline(__always)
  public var versionMin: UInt8 { byte(3) }

  /// Version-active. Login Response.
  @inlinable @inline(__always)
  public var versionActive: UInt8 { byte(3) }

  /// ISID: six bytes.
  @inlinable @inline(__always)
  public var isid: ISID { ISID(rawValue: word64(8) >> 16) }

  /// TSIH: 0 asks for a new session.
  @inlinable @inline(__always)
  public var tsih: UInt16 { word16(14) }

  /// CID. Login Request and Logout Request.
  @inlinable @inline(__always)
  public var connectionID: UInt16 { word16(20) }

  /// Status-Class, see ``LoginStatus``.
  @inlinable @inline(__always)
  public var statusClass: UInt8 { byte(36) }

  /// Status-Detail, see ``LoginStatus``.
  @inlinable @inline(__always)
  public var statusDetail: UInt8 { byte(37) }

  /// Status-Class and Status-Detail in one number, as the standard writes it.
  @inlinable @inline(__always)
  public var loginStatus: UInt16 { word16(36) }
}

extension MutableHeaderView {
  /// T: ready to leave the stage.
  @inlinable @inline(__always)
  public var isTransit: Bool {
    get { reading.isTransit }
    nonmutating set { setFlag(1, 0x80, newValue) }
  }

  /// CSG, see ``LoginStage``.
  @inlinable @inline(__always)
  public var currentStage: UInt8 {
    get { reading.currentStage }
    nonmutating set { setBits(1, 0x0C, newValue << 2) }
  }

  /// NSG, see ``LoginStage``.
  @inlinable @inline(__always)
  public var nextStage: UInt8 {
    get { reading.nextStage }
    nonmutating set { setBits(1, 0x03, newValue) }
  }

  /// Version-max.
  @inlinable @inline(__always)
  public var versionMax: UInt8 {
    get { reading.versionMax }
    nonmutating set { setByte(2, newValue) }
  }

  /// Version-min. Login Request.
  @inlinable @inline(__always)
  public var versionMin: UInt8 {
    get { reading.versionMin }
    nonmutating set { setByte(3, newValue) }
  }

  /// Version-active. Login Response.
  @inlinable @inline(__always)
  public var versionActive: UInt8 {
    get { reading.versionActive }
    nonmutating set { setByte(3, newValue) }
  }

  /// ISID: six bytes.
  @inlinable @inline(__always)
  public var isid: ISID {
    get { reading.isid }
    nonmutating set { setWord64(8, newValue.rawValue << 16 | word64(8) & 0xFFFF) }
  }

  /// TSIH: 0 asks for a new session.
  @inlinable @inline(__always)
  public var tsih: UInt16 {
    get { reading.tsih }
    nonmutating set { setWord16(14, newValue) }
  }

  /// CID. Login Request and Logout Request.
  @inlinable @inline(__always)
  public var connectionID: UInt16 {
    get { reading.connectionID }
    nonmutating set { setWord16(20, newValue) }
  }

  /// Status-Class, see ``LoginStatus``.
  @inlinable @inline(__always)
  public var statusClass: UInt8 {
    get { reading.statusClass }
    nonmutating set { setByte(36, newValue) }
  }

  /// Status-Detail, see ``LoginStatus``.
  @inlinable @inline(__always)
  public var statusDetail: UInt8 {
    get { reading.statusDetail }
    nonmutating set { setByte(37, newValue) }
  }

  /// Status-Class and Status-Detail in one number, as the standard writes it.
  @inlinable @inline(__always)
  public var loginStatus: UInt16 {
    get { reading.loginStatus }
    nonmutating set { setWord16(36, newValue) }
  }
}
