// SCSI Command, RFC 7143 §11.3. The CDB is at `cdb`.

extension HeaderView {
  /// R: data-in is expected.
  @inlinable @inline(__always)
  public var isRead: Bool { byte(1) & 0x40 != 0 }

  /// W: data-out is expected.
  @inlinable @inline(__always)
  public var isWrite: Bool { byte(1) & 0x20 != 0 }

  /// ATTR, RFC 7143 §11.3.1: 0 untagged, 1 simple, 2 ordered, 3 head of queue, 4 ACA.
  @inlinable @inline(__always)
  public var taskAttribute: UInt8 { byte(1) & 0x07 }

  /// Expected Data Transfer Length in bytes; of a bidirectional command, that of the write.
  @inlinable @inline(__always)
  public var expectedDataTransferLength: UInt32 { word32(20) }
}

extension MutableHeaderView {
  /// R: data-in is expected.
  @inlinable @inline(__always)
  public var isRead: Bool {
    get { reading.isRead }
    nonmutating set { setFlag(1, 0x40, newValue) }
  }

  /// W: data-out is expected.
  @inlinable @inline(__always)
  public var isWrite: Bool {
    get { reading.isWrite }
    nonmutating set { setFlag(1, 0x20, newValue) }
  }

  /// ATTR, RFC 7143 §11.3.1: 0 untagged, 1 simple, 2 ordered, 3 head of queue, 4 ACA.
  @inlinable @inline(__always)
  public var taskAttribute: UInt8 {
    get { reading.taskAttribute }
    nonmutating set { setBits(1, 0x07, newValue) }
  }

  /// Expected Data Transfer Length in bytes; of a bidirectional command, that of the write.
  @inlinable @inline(__always)
  public var expectedDataTransferLength: UInt32 {
    get { reading.expectedDataTransferLength }
    nonmutating set { setWord32(20, newValue) }
  }
}
