// Sequence numbers, RFC 7143 §4.2.2.

extension HeaderView {
  /// CmdSN. Initiator PDUs except Data-Out and SNACK.
  @inlinable @inline(__always)
  public var cmdSN: UInt32 { word32(24) }

  /// ExpStatSN. All initiator PDUs.
  @inlinable @inline(__always)
  public var expStatSN: UInt32 { word32(28) }

  /// StatSN. All target PDUs; of Data-In only with the S bit.
  @inlinable @inline(__always)
  public var statSN: UInt32 { word32(24) }

  /// ExpCmdSN. All target PDUs.
  @inlinable @inline(__always)
  public var expCmdSN: UInt32 { word32(28) }

  /// MaxCmdSN. All target PDUs.
  @inlinable @inline(__always)
  public var maxCmdSN: UInt32 { word32(32) }
}

extension MutableHeaderView {
  /// CmdSN. Initiator PDUs except Data-Out and SNACK.
  @inlinable @inline(__always)
  public var cmdSN: UInt32 {
    get { reading.cmdSN }
    nonmutating set { setWord32(24, newValue) }
  }

  /// ExpStatSN. All initiator PDUs.
  @inlinable @inline(__always)
  public var expStatSN: UInt32 {
    get { reading.expStatSN }
    nonmutating set { setWord32(28, newValue) }
  }

  /// StatSN. All target PDUs; of Data-In only with the S bit.
  @inlinable @inline(__always)
  public var statSN: UInt32 {
    get { reading.statSN }
    nonmutating set { setWord32(24, newValue) }
  }

  /// ExpCmdSN. All target PDUs.
  @inlinable @inline(__always)
  public var expCmdSN: UInt32 {
    get { reading.expCmdSN }
    nonmutating set { setWord32(28, newValue) }
  }

  /// MaxCmdSN. All target PDUs.
  @inlinable @inline(__always)
  public var maxCmdSN: UInt32 {
    get { reading.maxCmdSN }
    nonmutating set { setWord32(32, newValue) }
  }
}
