// Task Management Function Request, RFC 7143 §11.5. Its response code is `response`.

extension HeaderView {
  /// Function, see ``TaskManagementFunction``.
  @inlinable @inline(__always)
  public var taskManagementFunction: UInt8 { byte(1) & 0x7F }

  /// Referenced Task Tag; FFFFFFFFh where no task is meant.
  @inlinable @inline(__always)
  public var referencedTaskTag: UInt32 { word32(20) }

  /// RefCmdSN: the CmdSN of the task to abort.
  @inlinable @inline(__always)
  public var refCmdSN: UInt32 { word32(32) }
}

extension MutableHeaderView {
  /// Function, see ``TaskManagementFunction``.
  @inlinable @inline(__always)
  public var taskManagementFunction: UInt8 {
    get { reading.taskManagementFunction }
    nonmutating set { setBits(1, 0x7F, newValue) }
  }

  /// Referenced Task Tag; FFFFFFFFh where no task is meant.
  @inlinable @inline(__always)
  public var referencedTaskTag: UInt32 {
    get { reading.referencedTaskTag }
    nonmutating set { setWord32(20, newValue) }
  }

  /// RefCmdSN: the CmdSN of the task to abort.
  @inlinable @inline(__always)
  public var refCmdSN: UInt32 {
    get { reading.refCmdSN }
    nonmutating set { setWord32(32, newValue) }
  }
}
