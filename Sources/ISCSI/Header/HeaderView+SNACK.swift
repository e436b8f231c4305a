// SNACK Request, RFC 7143 §11.16.

extension HeaderView {
  /// Type, see ``SNACKType``.
  @inlinable @inline(__always)
  public var snackType: UInt8 { byte(1) & 0x0F }

  /// BegRun: the first number that is missing, or for DataACK the next one expected.
  @inlinable @inline(__always)
  public var begRun: UInt32 { word32(40) }

  /// RunLength; 0 for all from BegRun on.
  @inlinable @inline(__always)
  public var runLength: UInt32 { word32(44) }
}

extension MutableHeaderView {
  /// Type, see ``SNACKType``.
  @inlinable @inline(__always)
  public var snackType: UInt8 {
    get { reading.snackType }
    nonmutating set { setBits(1, 0x0F, newValue) }
  }

  /// BegRun: the first number that is missing, or for DataACK the next one expected.
  @inlinable @inline(__always)
  public var begRun: UInt32 {
    get { reading.begRun }
    nonmutating set { setWord32(40, newValue) }
  }

  /// RunLength; 0 for all from BegRun on.
  @inlinable @inline(__always)
  public var runLength: UInt32 {
    get { reading.runLength }
    nonmutating set { setWord32(44, newValue) }
  }
}
