// Asynchronous Message, RFC 7143 §11.9.

extension HeaderView {
  /// AsyncEvent, see ``AsyncEvent``.
  @inlinable @inline(__always)
  public var asyncEvent: UInt8 { byte(36) }

  /// AsyncVCode: the vendor's code of event 255.
  @inlinable @inline(__always)
  public var asyncVCode: UInt8 { byte(37) }

  /// Parameter1: a CID, or reserved.
  @inlinable @inline(__always)
  public var parameter1: UInt16 { word16(38) }

  /// Parameter2: Time2Wait in seconds.
  @inlinable @inline(__always)
  public var parameter2: UInt16 { word16(40) }

  /// Parameter3: Time2Retain, or the time that is left for a logout, in seconds.
  @inlinable @inline(__always)
  public var parameter3: UInt16 { word16(42) }
}

extension MutableHeaderView {
  /// AsyncEvent, see ``AsyncEvent``.
  @inlinable @inline(__always)
  public var asyncEvent: UInt8 {
    get { reading.asyncEvent }
    nonmutating set { setByte(36, newValue) }
  }

  /// AsyncVCode: the vendor's code of event 255.
  @inlinable @inline(__always)
  public var asyncVCode: UInt8 {
    get { reading.asyncVCode }
    nonmutating set { setByte(37, newValue) }
  }

  /// Parameter1: a CID, or reserved.
  @inlinable @inline(__always)
  public var parameter1: UInt16 {
    get { reading.parameter1 }
    nonmutating set { setWord16(38, newValue) }
  }

  /// Parameter2: Time2Wait in seconds.
  @inlinable @inline(__always)
  public var parameter2: UInt16 {
    get { reading.parameter2 }
    nonmutating set { setWord16(40, newValue) }
  }

  /// Parameter3: Time2Retain, or the time that is left for a logout, in seconds.
  @inlinable @inline(__always)
  public var parameter3: UInt16 {
    get { reading.parameter3 }
    nonmutating set { setWord16(42, newValue) }
  }
}
