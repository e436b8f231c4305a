import ISCSI

/// How much one receive takes, so that the target and the initiator work at the same time.
///
/// An initiator that keeps a number of commands outstanding sends the next ones when it gets answers. If all of them are
/// taken with one receive and answered with one send, they go on as one lump: each side waits while the other one works.
/// Half of them at a time makes two lumps, and one is here while the other is there. So where one connection is all that
/// a step has to do, a receive takes half as many commands as are outstanding; a few are not worth a system call more.
///
/// How many are outstanding, as the initiator sees it, is what it was not yet told of: tasks in hand, and statuses that
/// its last command's ExpStatSN did not acknowledge (RFC 7143 §4.2.2.2).
struct ReceivePace {
  /// A receive is worth making for so many commands.
  private static let commandsMin = 8
  /// Fewer outstanding commands are taken as they come.
  private static let depthMin = 12
  /// Fewer are no lump.
  private static let lumpMin = 6

  /// Outstanding commands, the highest of late.
  private var depth = 0
  /// What a command takes in the receive buffer, in bytes, 16 times; a moving mean.
  private var lengthTimes16 = HeaderView.length * 16

  /// What a receive has brought.
  ///
  /// - Parameters:
  ///   - count: Its bytes.
  ///   - commands: The SCSI commands among them.
  ///   - outstanding: Commands that the initiator waits for, from what it said; bounded by what the target lets it send.
  mutating func received(_ count: Int, commands: Int, outstanding: Int) {
    depth = outstanding >= depth ? outstanding : depth - (depth - outstanding + 7) / 8
    if commands > 0 { lengthTimes16 += count / commands - lengthTimes16 / 16 }
  }

  /// Whether so many commands are a part of what is outstanding, and more is to be received.
  func isPart(_ commands: Int) -> Bool { depth >= Self.depthMin && commands <= depth - depth / 4 }

  /// Whether what is outstanding goes round as one lump, and is enough to make something of that.
  var hasLumps: Bool { Self.lumpMin..<Self.depthMin ~= depth }

  /// The most that the next receive is to take, in bytes; `Int.max` where there is no reason to take less than all.
  var limit: Int {
    guard depth >= Self.depthMin else { return .max }
    return max(depth / 2, Self.commandsMin) * max(lengthTimes16 / 16, HeaderView.length)
  }
}
