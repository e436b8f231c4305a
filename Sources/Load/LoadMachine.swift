import ISCSI
import Ring

/// An initiator that puts a load on targets and measures it: any number of sessions, each with a number of commands
/// outstanding, on the same seam as the target, so that it runs on real sockets and in the simulation.
///
/// It works as the target does: what one receive brings is taken in place, and all that a session has to send in a step
/// goes out with one send. Data-in are thrown away where they lie; data-out come from one pattern.
public final class LoadMachine: Machine {
  public let arena: Arena
  public let configuration: LoadConfiguration
  public private(set) var state = LoadState.connecting

  let pattern: Extent
  var rooms: ReceiveRooms
  var sessions: [LoadSession] = []
  var result = LoadResult()
  /// Constant within a step.
  var now = Instant.zero

  /// Sessions that have something to do in this step.
  private var dirty: [Int] = []
  private var hasStarted = false
  private var deadline = Instant.distantFuture
  /// When measuring began; nil when it has not.
  private var measureStart: Instant?
  private var timerCount: UInt64 = 0
  /// Sessions of which it is not known yet whether they will take commands.
  private var pendingSessions = 0
  private var endedSessions = 0
  private var isStopped = false
  /// A fixed rate: the time between two commands, when the next one is due, how far its session's turn has come, and whether
  /// a timer is armed for it.
  private var gap = Interval(nanoseconds: 1)
  private var due = Instant.distantFuture
  private var turn = 0
  private var armedDue = Instant.distantFuture
  /// When measuring ended: what was due by then is begun, however late.
  private var lastDue = Instant.distantFuture

  enum TokenKind: UInt64 { case connect = 1, receive, send, close, timer }

  /// - Parameter configuration: Within the limits that its type states; what is beyond them is cut down.
  ///
  /// Errors: no resources, when the system does not give the memory for its sessions.
  public init(configuration: LoadConfiguration) throws(RingError) {
    var configuration = configuration
    configuration.sessions = min(max(configuration.sessions, 1), LoadConfiguration.sessionsMax)
    configuration.depth = min(max(configuration.depth, 1), LoadConfiguration.depthMax)
    configuration.length = min(max(configuration.length, 1), LoadConfiguration.lengthMax)
    if configuration.targets.isEmpty { configuration.sessions = 0 }
    self.configuration = configuration
    rooms = ReceiveRooms(configuration)
    let stagingLength = configuration.sessions <= 128 ? 1 << 16 : 1 << 14
    let receiveLength = rooms.lengthOfSession
    let ofSession = receiveLength + 2 * stagingLength
    arena = try Arena(allocating: LoadSession.segmentMax + configuration.sessions * ofSession)
    pattern = Extent(offset: 0, length: LoadSession.segmentMax)
    arena.bytes(pattern).initializeMemory(as: UInt8.self, repeating: 0xA5)
    for index in 0..<configuration.sessions {
      let start = LoadSession.segmentMax + index * ofSession
      sessions.append(
        LoadSession(
          index: index, target: configuration.targets[index % configuration.targets.count],
          configuration: configuration, receive: rooms.add(Extent(offset: start, length: receiveLength)),
          staging: (
            Extent(offset: start + receiveLength, length: stagingLength),
            Extent(offset: start + receiveLength + stagingLength, length: stagingLength)
          )))
    }
    pendingSessions = sessions.count
    result.commandsOfSession = Array(repeating: 0, count: configuration.sessions)
  }

  /// What has been measured so far.
  public var currentResult: LoadResult {
    var current = result
    if state == .measuring, let measureStart { current.measured = now - measureStart }
    return current
  }

  /// Ends the load before its time: from the next step on nothing is begun but what is due.
  public func stop() {
    guard state != .ended, state != .ending else { return }
    isStopped = true
    deadline = .zero
  }

  // MARK: Steps

  public func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    self.now = now
    if !hasStarted {
      hasStarted = true
      for session in sessions {
        operations.connect(to: session.target.address, token: token(.connect, session.index))
      }
      setDeadline(now + configuration.patience, &operations)
    }
    for index in completions.indices { take(completions[index]) }
    if now >= deadline { nextState(&operations) }
    if due <= min(now, lastDue) { issueDue(&operations) }
    armDue(&operations)
    var at = 0
    while at < dirty.count {
      let session = sessions[dirty[at]]
      session.isDirty = false
      session.goOn(self, &operations)
      at += 1
    }
    dirty.removeAll(keepingCapacity: true)
    if endedSessions == sessions.count, state != .ended { end() }
  }

  private func take(_ completion: Completion) {
    let index = Int(truncatingIfNeeded: completion.token.rawValue & 0xFFFF_FFFF)
    guard let kind = TokenKind(rawValue: completion.token.rawValue >> 56) else { return }
    if kind == .timer {
      if armedDue <= now { armedDue = .distantFuture }
      return
    }
    guard index < sessions.count else { return }
    let session = sessions[index]
    switch kind {
    case .connect: session.connected(completion, self)
    case .receive: session.received(completion, self)
    case .send: session.sent(completion, self)
    case .close: session.closed(self)
    case .timer: break
    }
    touch(session)
  }

  func touch(_ session: LoadSession) {
    guard !session.isDirty else { return }
    session.isDirty = true
    dirty.append(session.index)
  }

  func token(_ kind: TokenKind, _ index: Int) -> Token { Token(kind.rawValue << 56 | UInt64(index)) }

  // MARK: The states of a load

  private func setDeadline(_ instant: Instant, _ operations: inout Operations) {
    deadline = instant
    arm(instant, &operations)
  }

  private func arm(_ instant: Instant, _ operations: inout Operations) {
    timerCount &+= 1
    operations.timer(at: instant, token: Token(TokenKind.timer.rawValue << 56 | timerCount & 0xFFFF_FFFF))
  }

  /// One more session can take commands.
  func becameReady() {
    result.readySessions += 1
    settled()
  }

  /// It is known of one more session whether it will take commands.
  private func settled() {
    pendingSessions -= 1
    // The rest follows in this same step.
    if state == .connecting, pendingSessions == 0 { deadline = .zero }
  }

  private func nextState(_ operations: inout Operations) {
    switch state {
    case .connecting where result.readySessions > 0 && pendingSessions == 0 && !isStopped:
      state = .warmingUp
      setDeadline(now + configuration.warmUp, &operations)
      if let rate = configuration.rate, rate > 0 {
        gap = Interval(nanoseconds: max(1, 1_000_000_000 / rate))
        due = now
      }
      for session in sessions { touch(session) }
    case .connecting:
      let time = "after \(configuration.patience.nanoseconds / 1_000_000) ms"
      for session in sessions where session.isPending {
        session.fail("is not ready \(isStopped ? "when the load is stopped" : time)", self)
      }
      finish(&operations)
    case .warmingUp where !isStopped:
      state = .measuring
      measureStart = now
      setDeadline(now + configuration.duration, &operations)
    case .warmingUp, .measuring:
      finish(&operations)
    case .ending where hasBacklog:
      dropBacklog()
      allHasBegun(&operations)
    case .ending:
      // Those that have not ended by now are cut off.
      for session in sessions where session.phase != .ended {
        session.fail("has commands without an answer", self)
      }
      deadline = .distantFuture
    case .ended:
      deadline = .distantFuture
    }
  }

  private func finish(_ operations: inout Operations) {
    if let measureStart { result.measured = now - measureStart }
    state = .ending
    lastDue = now
    if measureStart == nil { due = .distantFuture }
    if hasBacklog {
      // Half of the time is for beginning it, and half for its answers.
      setDeadline(now + Interval(nanoseconds: configuration.patience.nanoseconds / 2), &operations)
    } else {
      allHasBegun(&operations)
    }
  }

  /// Nothing more is begun: sessions that have nothing outstanding log out.
  private func allHasBegun(_ operations: inout Operations) {
    setDeadline(lastDue + configuration.patience, &operations)
    for session in sessions { touch(session) }
  }

  private func end() {
    if state == .measuring, let measureStart { result.measured = now - measureStart }
    dropBacklog()
    state = .ended
  }

  // MARK: What sessions tell

  /// Whether sessions may send new commands of their own accord.
  var isOpen: Bool { (state == .warmingUp || state == .measuring) && configuration.rate == nil }

  /// Whether nothing more is to be begun.
  var isOver: Bool { state == .ending && !hasBacklog }

  @inline(__always)
  func commandEnded(_ session: Int, since start: Instant, bytes: Int, isGood: Bool) {
    guard measureStart != nil else { return }
    guard isGood else {
      result.failedCommands &+= 1
      return
    }
    result.latency.add((now - start).nanoseconds)
    guard state == .measuring else {
      result.lateCommands &+= 1
      return
    }
    result.commands &+= 1
    result.bytes &+= UInt64(bytes)
    result.commandsOfSession[session] &+= 1
  }

  /// A command will never end.
  func commandLost(since start: Instant) {
    guard measureStart != nil else { return }
    result.unansweredCommands &+= 1
    result.latency.add((now - start).nanoseconds)
  }

  func note(_ error: String) {
    if result.firstError == nil { result.firstError = error }
  }

  /// A session ends before its time.
  func lost(_ session: LoadSession) {
    result.lostSessions += 1
    if session.isPending { settled() }
  }

  func sessionEnded() { endedSessions += 1 }

  // MARK: A fixed rate

  /// Whether something that was due while it was measured has still to be begun.
  private var hasBacklog: Bool { state == .ending && due <= lastDue }

  /// Begins the commands that are due, each in the next session that can take one. One that no session can take stays due,
  /// and its latency counts from then on.
  private func issueDue(_ operations: inout Operations) {
    while due <= min(now, lastDue) {
      var tries = 0
      while tries < sessions.count, !sessions[turn].issue(self, at: due) {
        turn = (turn + 1) % sessions.count
        tries += 1
      }
      guard tries < sessions.count else { return }
      touch(sessions[turn])
      turn = (turn + 1) % sessions.count
      due = due + gap
    }
    if state == .ending { allHasBegun(&operations) }
  }

  /// Sees to it that there is a step when the next command is due: not only where one has just been begun, as what it was
  /// begun for may have come before the timer that was armed for it.
  private func armDue(_ operations: inout Operations) {
    guard due > now, due <= lastDue, armedDue > due else { return }
    armedDue = due
    arm(due, &operations)
  }

  /// What is due is not begun any more.
  private func dropBacklog() {
    let last = min(now, lastDue)
    if measureStart != nil, due <= last {
      let count = (last - due).nanoseconds / gap.nanoseconds + 1
      result.unansweredCommands &+= count
      result.latency.add((now - due).nanoseconds, count: count, fallingBy: gap.nanoseconds)
    }
    due = .distantFuture
  }
}
