// Reject, RFC 7143 §11.17. Its DataSN is `dataSN`.

extension HeaderView {
  /// Reason, see ``RejectReason``.
  @inlinable @inline(__always)
  public var rejectReason: UInt8 { byte(2) }
}

extension MutableHeaderView {
  /// Reason, see ``RejectReason``.
  @inlinable @inline(__always)
  public var rejectReason: UInt8 {
    get { reading.rejectReason }
    nonmutating set { setByte(2, newValue) }
  }
}
