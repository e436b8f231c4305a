import Ring

/// When answers wait in TCP until the initiator on this host has taken the ones before them.
///
/// To wake an initiator takes longer than to answer everything it has sent, and costs the target more. So whenever it finds
/// no answer and sleeps, it finds all of them at once afterwards, sends all commands at once, and sleeps again. What TCP
/// holds back (RFC 1122 §4.2.3.4) until what was sent before is acknowledged prevents that: the initiator acknowledges when
/// it has taken what is there and sends the commands that follow, TCP hands it the rest at that moment, on its own core, and
/// it need not sleep. Up to a segment can wait so; TCP sends a full one at once.
///
/// - Short answers: ``ReceivePace`` takes half of what is outstanding at a time. When all answers so far have been taken,
///   Nagle's algorithm is used: the first half goes out at once, the second waits for it.
/// - Long answers to a few commands fill many segments, and an initiator that takes them with one call takes all of them
///   before it sends a command. The end of such a lump waits (MSG_MORE), so that it is busy with that until the next lump
///   begins.
///
/// If nothing comes for ``patience``, the initiator waits for what waits here: it is sent, and the next chances are passed
/// over.
struct AnswerHold {
  /// A peer on the same host that goes on at all does so within this time, woken and all.
  static let patience = Interval.microseconds(100)
  /// Short answers are up to so many bytes at a time, half of a segment (the loopback interface has an MTU of 64 KiB).
  static let shortMax = 32_768
  /// After so many rounds with short answers it ends, and begins again when there is a reason: what is held back is sent on
  /// the initiator's core, which one that keeps up anyway is better off without.
  static let roundsMax = 64
  /// A lump of long answers is more than so many bytes, two segments, …
  static let lumpMin = 131_072
  /// … and has so many bytes held back. With 8 to 60 KiB the rates were the same.
  static let endLength = 16_384

  /// What waits in TCP.
  private(set) var held = Held.nothing
  /// When it is sent unless something comes; nil when nothing is held back.
  private(set) var deadline: Instant?
  /// A timer is on its way.
  var hasTimer = false
  /// Bytes at the end of the queue that are to be held back.
  private var end = 0
  /// ExpStatSN of the last commands.
  private var acknowledged: UInt32 = 0
  /// How often the initiator has gone on.
  private(set) var rounds = 0
  private var attempts = Attempts()

  enum Held {
    case nothing
    /// Nagle's algorithm is used.
    case shortAnswers
    case endOfLump
  }

  // MARK: Short answers

  /// Begins, with commands that acknowledge all answers so far. False when this chance is to be passed over.
  mutating func begins(at now: Instant, expStatSN: UInt32) -> Bool {
    guard attempts.takesChance() else { return false }
    held = .shortAnswers
    deadline = now + Self.patience
    acknowledged = expStatSN
    rounds = 0
    return true
  }

  /// Commands have come.
  mutating func continues(at now: Instant, expStatSN: UInt32) {
    guard expStatSN != acknowledged else { return }
    deadline = now + Self.patience
    acknowledged = expStatSN
    rounds += 1
  }

  // MARK: The end of a lump

  /// What is queued is a lump, of which the end is to be held back, unless this chance is to be passed over.
  mutating func holdsEnd() { end = attempts.takesChance() ? Self.endLength : 0 }

  /// The most that the next send is to take of `length` queued bytes.
  func room(of length: Int) -> Int { end > 0 && length > end ? length - end : .max }

  /// A send takes all that is queued. True if it is the end, to be held back.
  mutating func takesEnd(at now: Instant) -> Bool {
    guard end > 0 else { return false }
    end = 0
    held = .endOfLump
    deadline = now + Self.patience
    return true
  }

  /// Commands have come: the initiator has taken the beginning, and what waits goes with the answers to these at the latest.
  mutating func goesOn() {
    end = 0
    guard held == .endOfLump else { return }
    attempts.succeeded()
    held = .nothing
    deadline = nil
  }

  // MARK: Either

  /// What waits is sent: in vain if the initiator has not gone on meanwhile.
  mutating func ends() {
    if held == .shortAnswers, rounds > 0 { attempts.succeeded() } else { attempts.failed() }
    held = .nothing
    deadline = nil
  }
}

extension TargetCore {
  /// Decides on holding back after a receive, before what it brought is answered.
  ///
  /// - Parameters:
  ///   - count: The bytes that came.
  ///   - arrived: The commands in them.
  ///   - statSN: The connection's StatSN before.
  mutating func holdAnswers(
    _ connection: UnsafeMutablePointer<Connection>, count: Int, arrived: Int, statSN: UInt32
  ) {
    guard arrived > 0 else { return }
    connection.pointee.hold.goesOn()
    // An initiator that sends more than it gets is busy sending. Of commands that wait for a medium there is no answer yet.
    let length = connection.pointee.queue.bytes
    let suits =
      connection.pointee.pace.isPart(arrived) && receivesInStep <= 1 && length >= count && length <= AnswerHold.shortMax
    let expStatSN = connection.pointee.expStatSN
    if connection.pointee.hold.held == .shortAnswers {
      if suits, connection.pointee.hold.rounds < AnswerHold.roundsMax {
        connection.pointee.hold.continues(at: context.now, expStatSN: expStatSN)
      } else {
        endHold(connection)
      }
      return
    }
    if suits, expStatSN == statSN {
      guard mayHold(connection), connection.pointee.hold.begins(at: context.now, expStatSN: expStatSN) else { return }
      setNoDelay(connection, false)
      armHoldTimer(connection)
    } else if length > AnswerHold.lumpMin, arrived > 1, receivesInStep <= 1, connection.pointee.pace.hasLumps {
      if mayHold(connection) { connection.pointee.hold.holdsEnd() }
    }
  }

  private func mayHold(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
    connection.pointee.sendPolicy == .batching && connection.pointee.isLocal
  }

  /// Sends what is held back, and goes on without.
  private mutating func endHold(_ connection: UnsafeMutablePointer<Connection>) {
    connection.pointee.hold.ends()
    setNoDelay(connection, true)
  }

  mutating func armHoldTimer(_ connection: UnsafeMutablePointer<Connection>) {
    guard !connection.pointee.hold.hasTimer, let deadline = connection.pointee.hold.deadline else { return }
    connection.pointee.hold.hasTimer = true
    context.operations.timer(at: deadline, token: connection.pointee.token(.hold))
  }

  mutating func holdTimerFired(_ connection: UnsafeMutablePointer<Connection>) {
    connection.pointee.hold.hasTimer = false
    guard let deadline = connection.pointee.hold.deadline else { return }
    if context.now < deadline {
      // The initiator has gone on since.
      armHoldTimer(connection)
    } else {
      endHold(connection)
    }
  }
}
