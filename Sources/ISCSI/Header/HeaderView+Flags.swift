// The bits of byte 1 that several PDUs share, and the whole byte.

extension HeaderView {
  /// Byte 1 whole: final bit and flags.
  @inlinable @inline(__always)
  public var flags: UInt8 { byte(1) }

  /// F: the last PDU of a sequence, or the constant 1 of the PDUs that have no sequences.
  @inlinable @inline(__always)
  public var isFinal: Bool { byte(1) & 0x80 != 0 }

  /// C: the text goes on in the next PDU. Login and Text, RFC 7143 §11.10.2, §11.12.2.
  @inlinable @inline(__always)
  public var isContinued: Bool { byte(1) & 0x40 != 0 }
}

extension MutableHeaderView {
  /// Byte 1 whole: final bit and flags.
  @inlinable @inline(__always)
  public var flags: UInt8 {
    get { reading.flags }
    nonmutating set { setByte(1, newValue) }
  }

  /// F: the last PDU of a sequence, or the constant 1 of the PDUs that have no sequences.
  @inlinable @inline(__always)
  public var isFinal: Bool {
    get { reading.isFinal }
    nonmutating set { setFlag(1, 0x80, newValue) }
  }

  /// C: the text goes on in the next PDU. Login and Text, RFC 7143 §11.10.2, §11.12.2.
  @inlinable @inline(__always)
  public var isContinued: Bool {
    get { reading.isContinued }
    nonmutating set { setFlag(1, 0x40, newValue) }
  }
}
