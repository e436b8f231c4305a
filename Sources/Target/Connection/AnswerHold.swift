import Ring

/// When short answers wait until the initiator on this host has taken the ones before them.
///
/// ``ReceivePace`` takes half of what an initiator has outstanding at a time, so that it works while the target does. That
/// ends when one of them is late once: the initiator has taken all answers, sent all commands, and sleeps. To wake it takes
/// longer than to answer everything, so it finds all answers at once, sends all commands at once, and sleeps again; and
/// to wake it costs the target more than to answer.
///
/// So when all answers so far have been taken, and a part of what is outstanding has come, Nagle's algorithm (RFC 1122
/// §4.2.3.4) is used: what is short waits in TCP until what was sent before is acknowledged, which happens with the next
/// commands. The first part goes out at once; the initiator takes it, and while it sends the commands that follow, TCP hands
/// it the second, so that it need not sleep. If nothing comes for ``patience``, the initiator waits for what waits here: it
/// is sent, and the next chances are passed over.
struct AnswerHold {
  /// A peer on the same host that goes on at all does so within this time, woken and all.
  static let patience = Interval.microseconds(100)
  /// Longer answers fill segments, which TCP sends at once (the loopback interface has an MTU of 64 KiB), but for their ends.
  static let bytesMax = 32_768
  /// After so many rounds it ends, and begins again when there is a reason: what is held back is sent on the initiator's
  /// core, which one that keeps up anyway is better off without.
  static let roundsMax = 64

  /// When it ends unless something comes; nil when nothing is held back.
  private(set) var deadline: Instant?
  /// A timer is on its way.
  var hasTimer = false
  /// ExpStatSN of the last commands.
  private var acknowledged: UInt32 = 0
  /// How often the initiator has gone on.
  private(set) var rounds = 0
  private var attempts = Attempts()

  /// Begins, with commands that acknowledge all answers so far. False when this chance is to be passed over.
  mutating func begins(at now: Instant, expStatSN: UInt32) -> Bool {
    guard attempts.takesChance() else { return false }
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

  /// Ends.
  mutating func ends() {
    deadline = nil
    if rounds > 0 { attempts.succeeded() } else { attempts.failed() }
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
    // An initiator that sends more than it gets is busy sending. Of commands that wait for a medium there is no answer yet.
    let length = connection.pointee.queue.bytes
    let suits =
      connection.pointee.pace.isPart(arrived) && receivesInStep <= 1 && length >= count && length <= AnswerHold.bytesMax
    let expStatSN = connection.pointee.expStatSN
    if connection.pointee.hold.deadline != nil {
      if suits, connection.pointee.hold.rounds < AnswerHold.roundsMax {
        connection.pointee.hold.continues(at: context.now, expStatSN: expStatSN)
      } else {
        endHold(connection)
      }
      return
    }
    guard suits, expStatSN == statSN, connection.pointee.sendPolicy == .batching, connection.pointee.isLocal,
      connection.pointee.hold.begins(at: context.now, expStatSN: expStatSN)
    else { return }
    setNoDelay(connection, false)
    armHoldTimer(connection)
  }

  /// Sends what is held back, and goes on without.
  private mutating func endHold(_ connection: UnsafeMutablePointer<Connection>) {
    connection.pointee.hold.ends()
    setNoDelay(connection, true)
  }

  private mutating func armHoldTimer(_ connection: UnsafeMutablePointer<Connection>) {
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
