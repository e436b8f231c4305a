import ISCSI
import Ring

/// A task management function whose answer waits for aborted tasks: for the medium to let go of them, for their data, and for
/// those that have not come yet.
struct WaitingFunction {
  var connection: UInt32
  var connectionGeneration: UInt32
  var tag: UInt32
  var node: Int32
  var scope = Scope.nothing
  /// The last of the aborted tasks when it came, and how many of those in its scope the medium still has.
  var abortSerial: UInt64 = 0
  var remaining = 0
  /// The tasks of its own session that it has aborted while R2Ts of theirs were out, and how many. A function that is about
  /// several tasks waits for the ends of these sequences (RFC 7143 §4.2.3.3), until its deadline.
  var awaitedData: [(tag: UInt32, count: UInt32)] = []
  /// The number up to which its session's commands have to come, if one that was sent before an immediate function is missing.
  /// It waits for that as well, until its deadline.
  var awaitedCmdSN: UInt32?
  var deadline = Instant.distantFuture
  var response = TaskManagementResponse.functionComplete
  /// TARGET COLD RESET closes all connections after its answer.
  var isColdReset = false

  /// Which aborted tasks a function is about.
  enum Scope {
    case nothing
    case task(TaskIndex)
    /// Those of a session on a unit.
    case taskSet(UnsafeMutablePointer<Session>, UnitReference)
    case unit(UnitReference)
    case node
  }

  init(_ connection: UnsafeMutablePointer<Connection>, tag: UInt32, node: Int32) {
    self.connection = connection.pointee.index
    connectionGeneration = connection.pointee.generation
    self.tag = tag
    self.node = node
  }

  /// Nothing keeps its answer back.
  var isDone: Bool { remaining == 0 && !waitsForInitiator }

  /// Whether something is to come from its initiator.
  var waitsForInitiator: Bool { !awaitedData.isEmpty || awaitedCmdSN != nil }

  func isOf(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
    self.connection == connection.pointee.index && connectionGeneration == connection.pointee.generation
  }

  /// Whether it waits for an aborted task.
  func waits(for task: UnsafeMutablePointer<Task>) -> Bool {
    guard task.pointee.abortSerial <= abortSerial else { return false }
    switch scope {
    case .nothing: return false
    case .task(let index): return task.pointee.command.task == index
    case .taskSet(let session, let unit):
      return task.pointee.session == session && task.pointee.unit?.reference == unit
    case .unit(let unit): return task.pointee.unit?.reference == unit
    case .node: return task.pointee.unit?.reference.node == node
    }
  }
}

/// Task management (RFC 7143 §11.5, §11.6; SAM-5 §7).
extension TargetCore {
  mutating func taskManagement(
    _ connection: UnsafeMutablePointer<Connection>, _ session: UnsafeMutablePointer<Session>, _ header: HeaderView
  ) {
    guard !session.pointee.isDiscovery else { return reject(connection, header, .commandNotSupported) }
    var function = WaitingFunction(connection, tag: header.initiatorTaskTag, node: session.pointee.node)
    // As many as the commands that there may be to abort; however long the medium takes, they do not become ever more.
    let most = Int(limits.commandWindow + limits.immediateTasksMax)
    let isOneTooMany =
      waitingFunctions.count >= limits.tasksMax || waitingFunctions.count { $0.isOf(connection) } >= most
    function.response = isOneTooMany ? .functionRejected : perform(session, header, &function)
    // Not only for those that it has aborted itself: one whose session is over, or that another function has aborted, may
    // still change the medium.
    function.abortSerial = abortSerial
    function.remaining = aborting.count { index in tasks[index].map(function.waits) ?? false }
    // Others of the session may have waited for what it has aborted, and do not wait for its answer.
    defer { startThrottled(connection) }
    guard !function.isDone else { return answer(function) }
    if function.waitsForInitiator {
      function.deadline = context.now + Self.initiatorWait
      schedule(function.deadline)
    }
    waitingFunctions.append(function)
  }

  /// How long a function waits for data that R2Ts have asked for, and for commands before it. Linux sends no data after a
  /// function unless it is told to (FastAbort), and resets the session when a function has no answer for long.
  private static let initiatorWait = Interval.seconds(2)

  /// Nobody waits for the answers of a connection that ends. What is to come behind an answer comes now.
  mutating func forgetFunctions(of connection: UnsafeMutablePointer<Connection>) {
    while let index = waitingFunctions.firstIndex(where: { $0.isOf(connection) }) {
      let function = waitingFunctions.remove(at: index)
      if function.isColdReset { closeAll(node: function.node) }
    }
  }

  /// The medium has let go of an aborted task. Functions that wait for no other are answered, in the order in which they
  /// came.
  mutating func noteGone(_ task: UnsafeMutablePointer<Task>) {
    aborting.removeAll { $0 == task.pointee.command.task }
    var isDone = false
    for index in waitingFunctions.indices where waitingFunctions[index].waits(for: task) {
      waitingFunctions[index].remaining -= 1
      if waitingFunctions[index].isDone { isDone = true }
    }
    if isDone { answerDone() }
  }

  /// A Data-Out of an aborted task came: the last of its sequence may be what a function waits for.
  mutating func abortedDataArrived(_ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView) {
    guard header.isFinal, header.targetTransferTag != reservedTag else { return }
    for index in waitingFunctions.indices where waitingFunctions[index].isOf(connection) {
      guard let at = waitingFunctions[index].awaitedData.firstIndex(where: { $0.tag == header.initiatorTaskTag }) else {
        continue
      }
      waitingFunctions[index].awaitedData[at].count -= 1
      if waitingFunctions[index].awaitedData[at].count == 0 { waitingFunctions[index].awaitedData.remove(at: at) }
      if waitingFunctions[index].isDone { answerDone() }
      return
    }
  }

  /// Functions whose deadline has passed wait for nothing more from their initiators. When the next one passes.
  mutating func expireFunctions() -> Instant {
    var next = Instant.distantFuture
    for index in waitingFunctions.indices {
      if waitingFunctions[index].deadline <= context.now {
        waitingFunctions[index].deadline = .distantFuture
        waitingFunctions[index].awaitedData = []
        waitingFunctions[index].awaitedCmdSN = nil
      }
      next = min(next, waitingFunctions[index].deadline)
    }
    answerDone()
    return next
  }

  /// Answers the functions that wait for nothing any more.
  private mutating func answerDone() {
    let done = waitingFunctions.filter(\.isDone)
    waitingFunctions.removeAll(where: \.isDone)
    for function in done { answer(function) }
  }

  private mutating func answer(_ function: WaitingFunction) {
    if let connection = connections[function.connection], function.isOf(connection),
      connection.pointee.phase == .fullFeature, let header = beginPDU(connection, .taskManagementResponse)
    {
      header.response = function.response.rawValue
      header.initiatorTaskTag = function.tag
      stamp(connection, header, advance: true)
      finishPDU(connection, header)
    }
    if function.isColdReset { closeAll(node: function.node) }
  }

  /// Carries out a function, but for its answer, and says which aborted tasks that waits for.
  private mutating func perform(
    _ session: UnsafeMutablePointer<Session>, _ header: HeaderView, _ waiting: inout WaitingFunction
  ) -> TaskManagementResponse {
    guard let function = TaskManagementFunction(rawValue: header.taskManagementFunction) else {
      return .functionRejected
    }
    let node = Int(session.pointee.node)
    let reference = nodes[node].unit(header.lun)?.reference
    // Only commands that were sent before the function are meant (RFC 7143 §11.5.1).
    let limit = header.cmdSN
    switch function {
    case .abortTask:
      return abortTask(session, header, &waiting)
    case .abortTaskSet:
      guard let reference else { return .lunDoesNotExist }
      abortOwnTasks(session, reference, limit, &waiting)
      overtake(session, reference, limit, &waiting)
      waiting.scope = .taskSet(session, reference)
      return .functionComplete
    case .clearTaskSet:
      guard let reference else { return .lunDoesNotExist }
      abortOwnTasks(session, reference, limit, &waiting)
      forOtherSessions(session) { core, other in
        if core.abortTasks(of: other, on: reference, before: nil) > 0 {
          core.nodes[node].units[Int(reference.unit)].abortedByOther(other.pointee.nexus)
          core.tellWindow(other)
        }
      }
      overtake(session, reference, limit, &waiting)
      waiting.scope = .unit(reference)
      return .functionComplete
    case .logicalUnitReset:
      guard let reference else { return .lunDoesNotExist }
      resetUnit(session, reference, limit, &waiting)
      overtake(session, reference, limit, &waiting)
      waiting.scope = .unit(reference)
      return .functionComplete
    case .targetWarmReset, .targetColdReset:
      for unit in nodes[node].units.indices {
        resetUnit(session, UnitReference(node: session.pointee.node, unit: UInt32(unit)), limit, &waiting)
      }
      plug(session, limit, &waiting)
      waiting.scope = .node
      waiting.isColdReset = function == .targetColdReset
      return .functionComplete
    case .taskReassign:
      // Reassignment belongs to error recovery level 2 (RFC 7143 §11.6.1).
      return .taskAllegianceReassignmentNotSupported
    case .clearACA, .queryTask, .queryTaskSet, .iTNexusReset, .queryAsynchronousEvent:
      return .taskManagementFunctionNotSupported
    }
  }

  /// ABORT TASK (RFC 7143 §11.5.1, §11.6.1).
  private mutating func abortTask(
    _ session: UnsafeMutablePointer<Session>, _ header: HeaderView, _ waiting: inout WaitingFunction
  ) -> TaskManagementResponse {
    let referenced = header.referencedTaskTag
    if let index = session.pointee.tags.find(referenced), let task = tasks[index] {
      guard task.pointee.lunField == header.lun else { return .taskDoesNotExist }
      waiting.scope = .task(index)
      abort(task)
      return .functionComplete
    }
    // Another function may have aborted it before, and the medium has it still.
    let before = aborting.first { index in
      guard let task = tasks[index] else { return false }
      return task.pointee.session == session && task.pointee.initiatorTaskTag == referenced
        && task.pointee.lunField == header.lun
    }
    if let before {
      waiting.scope = .task(before)
      return .functionComplete
    }
    let isFunction = waitingFunctions.contains {
      $0.tag == referenced && session.pointee.connection.map($0.isOf) ?? false
    }
    if isFunction { return .functionRejected }
    // A command that has not come, and whose number is still open: the number counts as received from now on, so that the
    // command is ignored if it comes late.
    let number = header.refCmdSN
    guard SerialNumber.isWithin(number, first: session.pointee.expCmdSN, last: session.pointee.maxCmdSN),
      SerialNumber.precedes(number, header.cmdSN) || number == session.pointee.expCmdSN,
      !session.pointee.held.contains(where: { $0.cmdSN == number })
    else { return .taskDoesNotExist }
    // An immediate function may name its own number, which is that of the next command: nothing is open there.
    guard number != header.cmdSN else { return .taskDoesNotExist }
    if number == session.pointee.expCmdSN {
      // What has waited for it is taken when this function is through. Each of many could count the number before the next:
      // taken from within, they would be as deep on the stack as the window is wide, and answered the other way round.
      session.pointee.expCmdSN &+= 1
    } else {
      _ = hold(session, number, .nothing, length: 0)
    }
    return .functionComplete
  }

  private mutating func resetUnit(
    _ session: UnsafeMutablePointer<Session>, _ reference: UnitReference, _ limit: UInt32,
    _ waiting: inout WaitingFunction
  ) {
    abortOwnTasks(session, reference, limit, &waiting)
    forOtherSessions(session) { core, other in
      if core.abortTasks(of: other, on: reference, before: nil) > 0 { core.tellWindow(other) }
    }
    nodes[Int(reference.node)].units[Int(reference.unit)].reset()
  }

  /// Aborts the tasks on a unit of the session that asks for it, and notes which of their data it still has to send. (It
  /// need not be waited for what other sessions have to send.)
  private mutating func abortOwnTasks(
    _ session: UnsafeMutablePointer<Session>, _ reference: UnitReference, _ limit: UInt32,
    _ waiting: inout WaitingFunction
  ) {
    abortTasks(of: session, on: reference, before: limit) { task in
      if task.outstandingR2Ts > 0 { waiting.awaitedData.append((task.initiatorTaskTag, task.outstandingR2Ts)) }
    }
  }

  // MARK: Commands that an immediate function overtakes (RFC 7143 §4.2.3.3)

  /// Has the commands on a unit that were sent before a function, and have not come, aborted when they come, and the
  /// function's answer wait for them.
  private func overtake(
    _ session: UnsafeMutablePointer<Session>, _ reference: UnitReference, _ limit: UInt32,
    _ waiting: inout WaitingFunction
  ) {
    guard misses(session, before: limit) else { return }
    waiting.awaitedCmdSN = limit
    if let at = session.pointee.overtaken.firstIndex(where: { $0.unit == reference }) {
      session.pointee.overtaken[at].cmdSN = SerialNumber.later(session.pointee.overtaken[at].cmdSN, limit)
    } else {
      session.pointee.overtaken.append((reference, limit))
    }
  }

  /// A function about all units is about all that was sent before it: what has not come counts as received, and is ignored
  /// when it comes. What has waited for it is taken when the function is through, before its answer.
  private func plug(
    _ session: UnsafeMutablePointer<Session>, _ limit: UInt32, _ waiting: inout WaitingFunction
  ) {
    guard misses(session, before: limit) else { return }
    waiting.awaitedCmdSN = limit
    // Both are in order, so that one walk is enough, however wide the window is.
    var waitingPDUs = session.pointee.held[...]
    var held: [HeldPDU] = []
    var number = session.pointee.expCmdSN
    while number != limit {
      if let first = waitingPDUs.first, first.cmdSN == number {
        held.append(waitingPDUs.removeFirst())
      } else {
        held.append(HeldPDU(cmdSN: number, content: .nothing, length: 0))
      }
      number &+= 1
    }
    session.pointee.held = held + waitingPDUs
  }

  /// Whether something is missing that was sent before the number `limit`. What no command in the window can have has no meaning.
  private func misses(_ session: UnsafeMutablePointer<Session>, before limit: UInt32) -> Bool {
    SerialNumber.isWithin(limit, first: session.pointee.expCmdSN &+ 1, last: session.pointee.maxCmdSN &+ 1)
  }

  /// Whether a function that was sent behind a command has come before it, and was about it.
  func isOvertaken(_ task: UnsafeMutablePointer<Task>) -> Bool {
    guard !task.pointee.isImmediate else { return false }
    let session = task.pointee.session
    let unit = nodes[Int(session.pointee.node)].unit(task.pointee.lunField)?.reference
    return session.pointee.overtaken.contains {
      $0.unit == unit && SerialNumber.precedes(task.pointee.cmdSN, $0.cmdSN)
    }
  }

  /// A session's ExpCmdSN has gone on: functions that have waited for that are answered.
  mutating func noteNumbers(_ session: UnsafeMutablePointer<Session>) {
    let next = session.pointee.expCmdSN
    session.pointee.overtaken.removeAll { SerialNumber.precedesOrEquals($0.cmdSN, next) }
    guard let connection = session.pointee.connection else { return }
    var isDone = false
    for index in waitingFunctions.indices where waitingFunctions[index].isOf(connection) {
      guard let awaited = waitingFunctions[index].awaitedCmdSN, SerialNumber.precedesOrEquals(awaited, next) else {
        continue
      }
      waitingFunctions[index].awaitedCmdSN = nil
      if waitingFunctions[index].isDone { isDone = true }
    }
    if isDone { answerDone() }
  }

  // MARK: Aborting

  /// Aborts a session's tasks on a unit; those with a number before `limit` where there is one. Returns how many.
  ///
  /// - Parameter note: Gets each of them as it was.
  @discardableResult
  private mutating func abortTasks(
    of session: UnsafeMutablePointer<Session>, on reference: UnitReference, before limit: UInt32?,
    noting note: (borrowing Task) -> Void = { _ in }
  ) -> Int {
    guard session.pointee.node == reference.node else { return 0 }
    var count = 0
    var next = session.pointee.firstTask
    while next >= 0 {
      let task = tasks.slots + Int(next)
      next = task.pointee.nextInSession
      // By its LUN: a task that has to wait before it is handed to its unit has none yet.
      guard nodes[Int(reference.node)].unit(task.pointee.lunField)?.reference == reference else { continue }
      if let limit, !task.pointee.isImmediate, !SerialNumber.precedes(task.pointee.cmdSN, limit) { continue }
      note(task.pointee)
      abort(task)
      count += 1
    }
    return count
  }

  /// Does something with every other session of the same node.
  private mutating func forOtherSessions(
    _ session: UnsafeMutablePointer<Session>, _ body: (inout Self, UnsafeMutablePointer<Session>) -> Void
  ) {
    for index in 0..<sessions.touched {
      let other = sessions[index]
      guard other != session, other.pointee.phase == .active, other.pointee.node == session.pointee.node else {
        continue
      }
      body(&self, other)
    }
  }

  /// Aborts a task: it is answered no more. What still works on its memory is waited for; if that is the medium, it is among
  /// ``aborting`` until then.
  mutating func abort(_ task: UnsafeMutablePointer<Task>) {
    let session = task.pointee.session
    session.pointee.noteAborted(task.pointee.initiatorTaskTag)
    if task.pointee.phase == .held, let at = session.pointee.held.firstIndex(where: { $0.cmdSN == task.pointee.cmdSN })
    {
      session.pointee.heldBytes -= session.pointee.held[at].length
      session.pointee.held[at] = HeldPDU(cmdSN: task.pointee.cmdSN, content: .nothing, length: 0)
    }
    switch task.pointee.phase {
    case .throttled: task.pointee.connection.pointee.throttled.remove(task.pointee.command.task)
    case .starved: starved.remove(task.pointee.command.task)
    default: break
    }
    unlist(task)
    task.pointee.phase = .ending
    if task.pointee.users.contains(.medium) {
      abortSerial += 1
      task.pointee.abortSerial = abortSerial
      aborting.append(task.pointee.command.task)
      task.pointee.unit?.use { $0.abort(&task.pointee.command) }
      return
    }
    leaveTaskSet(task)
    releaseTaskIfDone(task)
  }

  /// Aborts every task of a session.
  mutating func abortAll(_ session: UnsafeMutablePointer<Session>) {
    while session.pointee.firstTask >= 0 { abort(tasks.slots + Int(session.pointee.firstTask)) }
    session.pointee.held = []
    session.pointee.heldBytes = 0
  }

  /// TARGET COLD RESET: every connection of the node goes.
  private mutating func closeAll(node: Int32) {
    for index in 0..<connections.touched {
      let connection = connections.slots + index
      if let session = connection.pointee.session, session.pointee.node == node {
        drain(connection, because: .targetReset)
      }
    }
  }
}
