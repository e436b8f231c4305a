import Ring

/// What a load has brought so far; the counts are those of the time that is measured.
public struct LoadResult: Sendable {
  /// Commands that ended with GOOD status, and their bytes.
  public var commands: UInt64 = 0
  public var bytes: UInt64 = 0
  /// Commands that ended otherwise, or with less data than asked for.
  public var failedCommands: UInt64 = 0
  /// From the step that sent a command to the step that saw its status, and the last of its data.
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
  /// Nothing new is sent; what is outstanding ends, and the sessions log out.
  case ending
  case ended
}
