import ISCSI
import Ring

/// A task management function whose answer waits for the medium to let go of aborted tasks.
struct WaitingFunction {
  var connection: UInt32
  var connectionGeneration: UInt32
  var tag: UInt32
  var node: Int32
  var scope = Scope.nothing
  /// The last of the aborted tasks when it came, and how many of those in its scope the medium still has.
  var abortSerial: UInt64 = 0
  var remaining = 0
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
    if function.remaining == 0 { answer(function) } else { waitingFunctions.append(function) }
  }

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
      if waitingFunctions[index].remaining == 0 { isDone = true }
    }
    guard isDone else { return }
    let done = waitingFunctions.filter { $0.remaining == 0 }
    waitingFunctions.removeAll { $0.remaining == 0 }
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
      abortTasks(of: session, on: reference, before: limit)
      waiting.scope = .taskSet(session, reference)
      return .functionComplete
    case .clearTaskSet:
      guard let reference else { return .lunDoesNotExist }
      abortTasks(of: session, on: reference, before: limit)
      forOtherSessions(session) { core, other in
        if core.abortTasks(of: other, on: reference, before: nil) > 0 {
          core.nodes[node].units[Int(reference.unit)].abortedByOther(other.pointee.nexus)
        }
      }
      waiting.scope = .unit(reference)
      return .functionComplete
    case .logicalUnitReset:
      guard let reference else { return .lunDoesNotExist }
      resetUnit(session, reference, limit)
      waiting.scope = .unit(reference)
      return .functionComplete
    case .targetWarmReset, .targetColdReset:
      for unit in nodes[node].units.indices {
        resetUnit(session, UnitReference(node: session.pointee.node, unit: UInt32(unit)), limit)
      }
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
    _ = hold(session, number, .nothing, length: 0)
    takeHeld(session)
    return .functionComplete
  }

  private mutating func resetUnit(
    _ session: UnsafeMutablePointer<Session>, _ reference: UnitReference, _ limit: UInt32
  ) {
    abortTasks(of: session, on: reference, before: limit)
    forOtherSessions(session) { core, other in core.abortTasks(of: other, on: reference, before: nil) }
    nodes[Int(reference.node)].units[Int(reference.unit)].reset()
  }

  /// Aborts a session's tasks on a unit; those with a number before `limit` where there is one. Returns how many.
  @discardableResult
  private mutating func abortTasks(
    of session: UnsafeMutablePointer<Session>, on reference: UnitReference, before limit: UInt32?
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
      if let session = connection.pointee.session, session.pointee.node == node { drain(connection) }
    }
  }
}
