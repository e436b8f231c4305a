/// How the answers of a target node leave it.
public enum SendPolicy: Sendable, CaseIterable {
  /// TCP_NODELAY, and one vectored send a step with all answers of a connection in it; on one host, ``AnswerHold`` has some
  /// of them wait in TCP. What the target is made for.
  case batching
  /// TCP_NODELAY, and each answer in a send of its own, as many targets do.
  case noDelay
  /// Each answer in a send of its own that says whether more follow (MSG_MORE), so that partial segments wait for them.
  case cork
  /// Each answer in a send of its own, and TCP_NODELAY switched by ``AdaptiveNagle``.
  case adaptiveNagle
}

/// When a connection is better off with Nagle's algorithm (RFC 1122 §4.2.3.4) than without: the rule of the SCST usermode
/// work.
///
/// A server that never finds its socket empty is bound by its processor: an early partial segment would not help the
/// initiator, and fewer segments cost both sides less. So commands are counted from one idle moment, in which the socket
/// has no more input, to the next; many of them switch to Nagle, and every idle moment pushes out what it holds.
struct AdaptiveNagle {
  /// What an idle moment asks for.
  enum Idle: Equatable {
    case nothing
    /// Set TCP_NODELAY, which pushes out a partial segment.
    case push
    /// Set it, and clear it again at once.
    case pushAndReturn
  }

  /// T: so many commands in a period switch to Nagle. 0: always Nagle, and nothing is pushed.
  private let threshold: Int
  /// M: what it takes more to return to Nagle after an idle moment.
  private let margin: Int

  private(set) var isNagle: Bool
  /// The commands of this period, and of the three before it, the latest first.
  private var current = 0
  private var earlier = (0, 0, 0)

  /// The values of the original work, tuned for reads of 512 to 1536 bytes.
  init(threshold: Int = 96, margin: Int = 40) {
    self.threshold = threshold
    self.margin = margin
    isNagle = threshold == 0
  }

  /// `count` commands have come. True when it now wants Nagle, which it did not before.
  mutating func received(_ count: Int) -> Bool {
    current += count
    guard !isNagle, current >= threshold else { return false }
    // The mean of four periods is at least (T + M) / 2.
    guard current + earlier.0 + earlier.1 + earlier.2 >= 2 * (threshold + margin) else { return false }
    isNagle = true
    return true
  }

  /// The socket has no more input.
  mutating func becameIdle() -> Idle {
    defer {
      earlier = (current, earlier.0, earlier.1)
      current = 0
    }
    guard isNagle, threshold > 0 else { return .nothing }
    if max(current, earlier.0, earlier.1) >= threshold + margin { return .pushAndReturn }
    isNagle = false
    return .push
  }
}
