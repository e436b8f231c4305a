import ISCSI
import Ring

/// A task management function whose answer waits for the medium to let go of the tasks that it aborted.
struct WaitingFunction {
  var connection: UInt32
  var connectionGeneration: UInt32
  var tag: UInt32
  /// Aborted tasks that the medium still works on; -1 when the slot is free.
  var remaining: Int
  var response = TaskManagementResponse.functionComplete
  /// TARGET COLD RESET closes all connections after its answer.
  var isColdReset = false
  var node: Int32
}

/// Task management (RFC 7143 §11.5, §11.6; SAM-5 §7).
extension TargetCore {
  mutating func taskManagement(
    _ connection: UnsafeMutablePointer<Connection>, _ session: UnsafeMutablePointer<Session>, _ header: HeaderView
  ) {
    guard !session.pointee.isDiscovery else { return reject(connection, header, .commandNotSupported) }
    let tag = header.initiatorTaskTag
    // A function takes a place in the list first, so that the tasks that it aborts can name it.
    let place = takeFunction(connection, session, tag)
    let response = perform(session, header, place)
    waitingFunctions[place].response = response
    waitingFunctions[place].remaining -= 1
    answerIfDone(place)
  }

  private mutating func takeFunction(
    _ connection: UnsafeMutablePointer<Connection>, _ session: UnsafeMutablePointer<Session>, _ tag: UInt32
  ) -> Int {
    // It counts one itself while it is being performed.
    let function = WaitingFunction(
      connection: connection.pointee.index, connectionGeneration: connection.pointee.generation, tag: tag, remaining: 1,
      node: session.pointee.node)
    if let free = waitingFunctions.firstIndex(where: { $0.remaining < 0 }) {
      waitingFunctions[free] = function
      return free
    }
    waitingFunctions.append(function)
    return waitingFunctions.count - 1
  }

  /// One of the tasks that the function waits for is gone.
  mutating func functionStep(_ place: Int) {
    guard waitingFunctions.indices.contains(place), waitingFunctions[place].remaining > 0 else { return }
    waitingFunctions[place].remaining -= 1
    answerIfDone(place)
  }

  private mutating func answerIfDone(_ place: Int) {
    guard waitingFunctions[place].remaining == 0 else { return }
    let function = waitingFunctions[place]
    waitingFunctions[place].remaining = -1
    if let connection = connections[function.connection],
      connection.pointee.generation == function.connectionGeneration, connection.pointee.phase == .fullFeature,
      let header = beginPDU(connection, .taskManagementResponse)
    {
      header.response = function.response.rawValue
      header.initiatorTaskTag = function.tag
      stamp(connection, header, advance: true)
      finishPDU(connection, header)
    }
    if function.isColdReset { closeAll(node: function.node) }
  }

  private mutating func perform(
    _ session: UnsafeMutablePointer<Session>, _ header: HeaderView, _ place: Int
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
      return abortTask(session, header, place)
    case .abortTaskSet:
      guard let reference else { return .lunDoesNotExist }
      abortTasks(of: session, on: reference, before: limit, place)
      return .functionComplete
    case .clearTaskSet:
      guard let reference else { return .lunDoesNotExist }
      abortTasks(of: session, on: reference, before: limit, place)
      forOtherSessions(session) { core, other in
        if core.abortTasks(of: other, on: reference, before: nil, place) > 0 {
          core.nodes[node].units[Int(reference.unit)].abortedByOther(other.pointee.nexus)
        }
      }
      return .functionComplete
    case .logicalUnitReset:
      guard let reference else { return .lunDoesNotExist }
      resetUnit(session, reference, limit, place)
      return .functionComplete
    case .targetWarmReset, .targetColdReset:
      for unit in nodes[node].units.indices {
        resetUnit(session, UnitReference(node: session.pointee.node, unit: UInt32(unit)), limit, place)
      }
      if function == .targetColdReset { waitingFunctions[place].isColdReset = true }
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
    _ session: UnsafeMutablePointer<Session>, _ header: HeaderView, _ place: Int
  ) -> TaskManagementResponse {
    let referenced = header.referencedTaskTag
    if let index = session.pointee.tags.find(referenced), let task = tasks[index] {
      guard task.pointee.lunField == header.lun else { return .taskDoesNotExist }
      abort(task, waiter: Int32(place))
      return .functionComplete
    }
    if waitingFunctions.contains(where: { $0.remaining > 0 && $0.tag == referenced })
      && referenced != header.initiatorTaskTag
    {
      return .functionRejected
    }
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
    _ session: UnsafeMutablePointer<Session>, _ reference: UnitReference, _ limit: UInt32, _ place: Int
  ) {
    abortTasks(of: session, on: reference, before: limit, place)
    forOtherSessions(session) { core, other in _ = core.abortTasks(of: other, on: reference, before: nil, place) }
    nodes[Int(reference.node)].units[Int(reference.unit)].reset()
  }

  /// Aborts a session's tasks on a unit; those with a number before `limit` where there is one. Returns how many.
  @discardableResult
  private mutating func abortTasks(
    of session: UnsafeMutablePointer<Session>, on reference: UnitReference, before limit: UInt32?, _ place: Int
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
      abort(task, waiter: Int32(place))
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

  /// Aborts a task: it is answered no more. What still works on its memory is waited for, and so does the function
  /// `waiter` if it is not negative.
  mutating func abort(_ task: UnsafeMutablePointer<Task>, waiter: Int32) {
    let session = task.pointee.session
    session.pointee.noteAborted(task.pointee.initiatorTaskTag)
    if task.pointee.phase == .held, let at = session.pointee.held.firstIndex(where: { $0.cmdSN == task.pointee.cmdSN })
    {
      session.pointee.held[at].content = .nothing
    }
    switch task.pointee.phase {
    case .throttled: task.pointee.connection.pointee.throttled.remove(task.pointee.command.task)
    case .starved: starved.remove(task.pointee.command.task)
    default: break
    }
    unlist(task)
    task.pointee.command.isAborted = true
    task.pointee.phase = .ending
    if task.pointee.users.contains(.medium) {
      if waiter >= 0 {
        task.pointee.abortWaiter = waiter
        waitingFunctions[Int(waiter)].remaining += 1
      }
      return
    }
    leaveTaskSet(task)
    releaseTaskIfDone(task)
  }

  /// Aborts every task of a session.
  mutating func abortAll(_ session: UnsafeMutablePointer<Session>) {
    while session.pointee.firstTask >= 0 { abort(tasks.slots + Int(session.pointee.firstTask), waiter: -1) }
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
