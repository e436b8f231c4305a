import Ring

/// What a load has brought so far; the counts are those of the time that is measured.
///
/// A command that is on its way when that time ends counts neither as one of its ``commands`` nor for nothing: how long it
/// takes is in ``latency`` all the same, so that a target that stands still at the end shows.
public struct LoadResult: Sendable {
  /// Commands that ended with GOOD status, and their bytes.
  public var commands: UInt64 = 0
  public var bytes: UInt64 = 0
  /// Commands that ended otherwise, or with less data than asked for; late ones, too.
  public var failedCommands: UInt64 = 0
  /// Commands that were begun, or due, while it was measured, and ended with GOOD status afterwards.
  public var lateCommands: UInt64 = 0
  /// Commands that were begun, or due, while it was measured, and never ended.
  public var unansweredCommands: UInt64 = 0
  /// From the step that sent a command, or from when it was due, to the step that saw its status, and the last of its data.
  /// Of ``commands``, of ``lateCommands``, and of ``unansweredCommands`` as long as those were waited for.
  public var latency = LatencyHistogram()
  /// The commands of each session.
  public var commandsOfSession: [UInt64] = []
  /// Sessions that have reached the full-feature phase.
  public var readySessions = 0
  /// Sessions that ended before their time.
  public var lostSessions = 0
  /// What was wrong first, with the session's number and what was expected.
  public var firstError: String?
  /// How long has been measured.
  public var measured = Interval.zero

  /// The commands of the slowest session, in per cent of the mean; nil without commands.
  public var slowestSessionPercent: UInt64? {
    guard commands > 0, let slowest = commandsOfSession.min() else { return nil }
    return slowest * 100 * UInt64(commandsOfSession.count) / commands
  }
}

/// Where a load is.
public enum LoadState: Sendable {
  /// The sessions log in and find out how large their units are.
  case connecting
  case warmingUp
  case measuring
  /// Nothing is begun but what was due before; what is outstanding ends, and the sessions log out.
  case ending
  case ended
}
