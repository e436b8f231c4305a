// Data-Out, Data-In and R2T, RFC 7143 §11.7, §11.8.

extension HeaderView {
  /// A: the target asks for a DataACK SNACK. Data-In.
  @inlinable @inline(__always)
  public var isAcknowledge: Bool { byte(1) & 0x40 != 0 }

  /// S: the PDU carries the status of the command. Data-In.
  @inlinable @inline(__always)
  public var hasStatus: Bool { byte(1) & 0x01 != 0 }

  /// Target Transfer Tag; FFFFFFFFh for none.
  @inlinable @inline(__always)
  public var targetTransferTag: UInt32 { word32(20) }

  /// DataSN. Data-Out and Data-In; of Reject the DataSN or R2TSN at fault.
  @inlinable @inline(__always)
  public var dataSN: UInt32 { word32(36) }

  /// R2TSN. R2T.
  @inlinable @inline(__always)
  public var r2tSN: UInt32 { word32(36) }

  /// Buffer Offset in bytes.
  @inlinable @inline(__always)
  public var bufferOffset: UInt32 { word32(40) }

  /// Desired Data Transfer Length in bytes. R2T.
  @inlinable @inline(__always)
  public var desiredDataTransferLength: UInt32 { word32(44) }
}

extension MutableHeaderView {
  /// A: the target asks for a DataACK SNACK. Data-In.
  @inlinable @inline(__always)
  public var isAcknowledge: Bool {
    get { reading.isAcknowledge }
    nonmutating set { setFlag(1, 0x40, newValue) }
  }

  /// S: the PDU carries the status of the command. Data-In.
  @inlinable @inline(__always)
  public var hasStatus: Bool {
    get { reading.hasStatus }
    nonmutating set { setFlag(1, 0x01, newValue) }
  }

  /// Target Transfer Tag; FFFFFFFFh for none.
  @inlinable @inline(__always)
  public var targetTransferTag: UInt32 {
    get { reading.targetTransferTag }
    nonmutating set { setWord32(20, newValue) }
  }

  /// DataSN. Data-Out and Data-In; of Reject the DataSN or R2TSN at fault.
  @inlinable @inline(__always)
  public var dataSN: UInt32 {
    get { reading.dataSN }
    nonmutating set { setWord32(36, newValue) }
  }

  /// R2TSN. R2T.
  @inlinable @inline(__always)
  public var r2tSN: UInt32 {
    get { reading.r2tSN }
    nonmutating set { setWord32(36, newValue) }
  }

  /// Buffer Offset in bytes.
  @inlinable @inline(__always)
  public var bufferOffset: UInt32 {
    get { reading.bufferOffset }
    nonmutating set { setWord32(40, newValue) }
  }

  /// Desired Data Transfer Length in bytes. R2T.
  @inlinable @inline(__always)
  public var desiredDataTransferLength: UInt32 {
    get { reading.desiredDataTransferLength }
    nonmutating set { setWord32(44, newValue) }
  }
}
