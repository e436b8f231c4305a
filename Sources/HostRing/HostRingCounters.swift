/// What a host ring has done so far.
public struct HostRingCounters: Sendable, Equatable {
  /// Turns of the loop: calls of `reap`.
  public var turns: UInt64 = 0
  public var operations: UInt64 = 0
  public var completions: UInt64 = 0
  public var systemCalls = SystemCalls()
  /// Times that the ring slept, or was ready to.
  public var sleeps: UInt64 = 0
  /// Times that it looked on for more before it slept, and how often nothing came.
  public var looksOn: UInt64 = 0
  public var looksInVain: UInt64 = 0

  public init() {}

  /// What two rings have done together.
  public static func + (left: HostRingCounters, right: HostRingCounters) -> HostRingCounters {
    var sum = left
    sum.turns &+= right.turns
    sum.operations &+= right.operations
    sum.completions &+= right.completions
    sum.systemCalls = left.systemCalls + right.systemCalls
    sum.sleeps &+= right.sleeps
    sum.looksOn &+= right.looksOn
    sum.looksInVain &+= right.looksInVain
    return sum
  }

  /// System calls that a ring made on its own thread, on the path of operations, by what they are for. With io_uring the
  /// call that waits carries out most of the others, which then have none of their own.
  public struct SystemCalls: Sendable, Equatable {
    /// To ask for what has happened, and to wait for it: epoll_wait, io_uring_enter.
    public var waits: UInt64 = 0
    public var receives: UInt64 = 0
    public var sends: UInt64 = 0
    /// To hand requests on media to the kernel and to take them back, and to read and write there at once.
    public var media: UInt64 = 0
    /// Connections that come and go, options of sockets, messages between threads.
    public var others: UInt64 = 0

    public init() {}

    public var total: UInt64 { waits &+ receives &+ sends &+ media &+ others }

    public static func + (left: SystemCalls, right: SystemCalls) -> SystemCalls {
      var sum = left
      sum.waits &+= right.waits
      sum.receives &+= right.receives
      sum.sends &+= right.sends
      sum.media &+= right.media
      sum.others &+= right.others
      return sum
    }
  }
}
