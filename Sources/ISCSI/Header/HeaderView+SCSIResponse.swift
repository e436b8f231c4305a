// SCSI Response, RFC 7143 §11.4, and the status that a Data-In may carry instead.

extension HeaderView {
  /// o: the read of a bidirectional command had more data than expected. SCSI Response.
  @inlinable @inline(__always)
  public var isBidirectionalOverflow: Bool { byte(1) & 0x10 != 0 }

  /// u: the read of a bidirectional command had fewer data than expected. SCSI Response.
  @inlinable @inline(__always)
  public var isBidirectionalUnderflow: Bool { byte(1) & 0x08 != 0 }

  /// O: there were more data than expected. SCSI Response and Data-In.
  @inlinable @inline(__always)
  public var isOverflow: Bool { byte(1) & 0x04 != 0 }

  /// U: there were fewer data than expected. SCSI Response and Data-In.
  @inlinable @inline(__always)
  public var isUnderflow: Bool { byte(1) & 0x02 != 0 }

  /// Response code of SCSI Response, Task Management Function Response and Logout Response.
  @inlinable @inline(__always)
  public var response: UInt8 { byte(2) }

  /// SCSI status, SAM-5 §5.3. SCSI Response and Data-In.
  @inlinable @inline(__always)
  public var status: UInt8 { byte(3) }

  /// SNACK Tag. SCSI Response, and SNACK Request of type R-Data.
  @inlinable @inline(__always)
  public var snackTag: UInt32 { word32(20) }

  /// ExpDataSN: the Data-In and R2T PDUs that were sent (SCSI Response), or the one expected next (TMF Request).
  @inlinable @inline(__always)
  public var expDataSN: UInt32 { word32(36) }

  /// Bidirectional Read Residual Count in bytes.
  @inlinable @inline(__always)
  public var bidirectionalReadResidualCount: UInt32 { word32(40) }

  /// Residual Count in bytes. SCSI Response and Data-In.
  @inlinable @inline(__always)
  public var residualCount: UInt32 { word32(44) }
}

extension MutableHeaderView {
  /// o: the read of a bidirectional command had more data than expected. SCSI Response.
  @inlinable @inline(__always)
  public var isBidirectionalOverflow: Bool {
    get { reading.isBidirectionalOverflow }
    nonmutating set { setFlag(1, 0x10, newValue) }
  }

  /// u: the read of a bidirectional command had fewer data than expected. SCSI Response.
  @inlinable @inline(__always)
  public var isBidirectionalUnderflow: Bool {
    get { reading.isBidirectionalUnderflow }
    nonmutating set { setFlag(1, 0x08, newValue) }
  }

  /// O: there were more data than expected. SCSI Response and Data-In.
  @inlinable @inline(__always)
  public var isOverflow: Bool {
    get { reading.isOverflow }
    nonmutating set { setFlag(1, 0x04, newValue) }
  }

  /// U: there were fewer data than expected. SCSI Response and Data-In.
  @inlinable @inline(__always)
  public var isUnderflow: Bool {
    get { reading.isUnderflow }
    nonmutating set { setFlag(1, 0x02, newValue) }
  }

  /// Response code of SCSI Response, Task Management Function Response and Logout Response.
  @inlinable @inline(__always)
  public var response: UInt8 {
    get { reading.response }
    nonmutating set { setByte(2, newValue) }
  }

  /// SCSI status, SAM-5 §5.3. SCSI Response and Data-In.
  @inlinable @inline(__always)
  public var status: UInt8 {
    get { reading.status }
    nonmutating set { setByte(3, newValue) }
  }

  /// SNACK Tag. SCSI Response, and SNACK Request of type R-Data.
  @inlinable @inline(__always)
  public var snackTag: UInt32 {
    get { reading.snackTag }
    nonmutating set { setWord32(20, newValue) }
  }

  /// ExpDataSN: the Data-In and R2T PDUs that were sent (SCSI Response), or the one expected next (TMF Request).
  @inlinable @inline(__always)
  public var expDataSN: UInt32 {
    get { reading.expDataSN }
    nonmutating set { setWord32(36, newValue) }
  }

  /// Bidirectional Read Residual Count in bytes.
  @inlinable @inline(__always)
  public var bidirectionalReadResidualCount: UInt32 {
    get { reading.bidirectionalReadResidualCount }
    nonmutating set { setWord32(40, newValue) }
  }

  /// Residual Count in bytes. SCSI Response and Data-In.
  @inlinable @inline(__always)
  public var residualCount: UInt32 {
    get { reading.residualCount }
    nonmutating set { setWord32(44, newValue) }
  }
}
