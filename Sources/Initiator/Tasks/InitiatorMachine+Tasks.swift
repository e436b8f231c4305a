import ISCSI
import Ring

/// Tasks: from the call over the command window to the end.
extension InitiatorMachine {
  /// Carries out a SCSI command. The event `taskEnded` follows.
  public func execute(_ request: CommandRequest, on id: ConnectionID) throws(InitiatorError) -> TaskID {
    guard (1...260).contains(request.cdb.count) else { throw .badCDB }
    try ProtocolDataUnit.check(request.overrides, opcodeBits: Opcode.scsiCommand.rawValue)
    for edit in request.dataOutEdits {
      guard case .change(let overrides) = edit.action else { continue }
      try ProtocolDataUnit.check(overrides, opcodeBits: Opcode.dataOut.rawValue)
    }
    return try start(
      .command(CommandState(request: request)), isImmediate: request.isImmediate, ignoresWindow: request.ignoresWindow,
      on: id)
  }

  /// Carries out a task management function.
  public func manage(_ request: TaskManagementRequest, on id: ConnectionID) throws(InitiatorError) -> TaskID {
    try ProtocolDataUnit.check(request.overrides, opcodeBits: Opcode.taskManagementRequest.rawValue)
    if let task = request.task, try loggedIn(id).session.slot(of: task) == nil { throw .noSuchTask }
    return try start(.taskManagement(request), isImmediate: request.isImmediate, on: id)
  }

  /// Carries out a text negotiation, over as many PDUs as it takes.
  public func text(_ request: TextRequest, on id: ConnectionID) throws(InitiatorError) -> TaskID {
    try ProtocolDataUnit.check(request.overrides, opcodeBits: Opcode.textRequest.rawValue)
    var writer = TextWriter()
    for pair in request.pairs { writer.append(pair.key, pair.value) }
    let state = TextState(request: request, text: request.rawText ?? writer.bytes)
    return try start(.text(state), isImmediate: request.isImmediate, on: id)
  }

  /// Sends a NOP-Out that is answered by a NOP-In.
  public func ping(_ request: PingRequest, on id: ConnectionID) throws(InitiatorError) -> TaskID {
    try ProtocolDataUnit.check(request.overrides, opcodeBits: Opcode.nopOut.rawValue)
    return try start(.ping(request), isImmediate: request.isImmediate, on: id)
  }

  /// Logs out.
  public func logout(_ request: LogoutRequest, on id: ConnectionID) throws(InitiatorError) -> TaskID {
    try ProtocolDataUnit.check(request.overrides, opcodeBits: Opcode.logoutRequest.rawValue)
    return try start(.logout(request), isImmediate: request.isImmediate, on: id)
  }

  /// Sends the first PDU of a task once more: same tag, same CmdSN, same data, the current ExpStatSN.
  public func retry(_ task: TaskID, on id: ConnectionID) throws(InitiatorError) {
    let connection = try loggedIn(id)
    guard let slot = connection.session.slot(of: task), var pdu = connection.session.slots[slot]?.firstPDU else {
      throw .noSuchTask
    }
    pdu.header.write { $0.expStatSN = connection.acknowledgedStatSN }
    transmit(pdu, WireOptions(), on: connection)
  }

  /// Forgets a task; what still arrives for it is not unknown.
  public func abandon(_ task: TaskID, on id: ConnectionID) throws(InitiatorError) {
    let connection = try open(id)
    guard let slot = connection.session.slot(of: task), let ended = connection.session.remove(slot) else {
      throw .noSuchTask
    }
    if ended.isSent { connection.session.noteScriptedTag(ended.tag) }
    textEnded(task, connection)
  }

  /// The tag of a task that has been sent and has not ended.
  public func initiatorTaskTag(of task: TaskID, on id: ConnectionID) -> UInt32? {
    guard let session = connection(id)?.session, let slot = session.slot(of: task), let found = session.slots[slot],
      found.isSent
    else { return nil }
    return found.tag
  }

  // MARK: Start

  func loggedIn(_ id: ConnectionID) throws(InitiatorError) -> Connection {
    let connection = try open(id)
    guard connection.phase == .fullFeature else { throw .notLoggedIn }
    return connection
  }

  private func start(
    _ kind: InitiatorTask.Kind, isImmediate: Bool, ignoresWindow: Bool = false, on id: ConnectionID
  ) throws(InitiatorError) -> TaskID {
    let connection = try loggedIn(id)
    let session = connection.session
    let task = InitiatorTask(
      id: nextTaskID(), connection: id, isImmediate: isImmediate, ignoresWindow: ignoresWindow, requested: now,
      kind: kind)
    guard let slot = session.add(task) else { throw .tooManyTasks }
    if case .text(let state) = kind, !state.request.ignoresOthers {
      guard connection.text == nil else {
        connection.waitingTexts.append(task.id)
        return task.id
      }
      connection.text = task.id
    }
    schedule(slot, connection)
    return task.id
  }

  /// Sends what the task has to send now, or lets it wait for the window.
  func schedule(_ slot: Int, _ connection: Connection) {
    let session = connection.session
    guard let task = session.slots[slot] else { return }
    let mustWait = !task.isImmediate && !task.ignoresWindow
    if mustWait, !session.waiting.isEmpty || !session.isInWindow(session.cmdSN) {
      session.waiting.append(slot)
    } else {
      issue(slot, connection)
    }
  }

  /// Sends waiting tasks as far as the window is open.
  func pumpWindow(_ session: Session) {
    while let slot = session.waiting.first, session.isInWindow(session.cmdSN) {
      session.waiting.removeFirst()
      guard let task = session.slots[slot], let connection = connection(task.connection), connection.isOpen else {
        continue
      }
      issue(slot, connection)
    }
  }

  private func issue(_ slot: Int, _ connection: Connection) {
    guard let task = connection.session.slots[slot] else { return }
    switch task.kind {
    case .command: issueCommand(slot, connection)
    case .text: issueText(slot, connection)
    case .taskManagement(let request): issueTaskManagement(slot, request, connection)
    case .ping(let request): issuePing(slot, request, connection)
    case .logout(let request): issueLogout(slot, request, connection)
    }
  }

  /// Numbers a request, applies what the script changed, remembers what went out, and sends it.
  func issue(
    _ pdu: ProtocolDataUnit, for slot: Int, overrides: [FieldOverride], _ wire: WireOptions, _ connection: Connection
  ) -> ProtocolDataUnit {
    let session = connection.session
    var pdu = pdu
    guard let task = session.slots[slot] else { return pdu }
    pdu.header.write { header in
      header.initiatorTaskTag = task.tag
      header.isImmediate = task.isImmediate
      header.cmdSN = session.cmdSN
      header.expStatSN = connection.acknowledgedStatSN
    }
    // The names of the fields were checked when the task was taken.
    try? pdu.apply(overrides)
    let (tag, number, isImmediate) = pdu.header.read { ($0.initiatorTaskTag, $0.cmdSN, $0.isImmediate) }
    if overrides.contains(where: { $0.name == "cmdsn" }) {
      if !isImmediate { session.numbersAreScripted = true }
    } else if !isImmediate {
      session.cmdSN &+= 1
    }
    task.tag = tag
    task.cmdSN = number
    task.isImmediate = isImmediate
    if !task.isSent {
      task.isSent = true
      task.sent = now
      task.firstPDU = pdu
    }
    transmit(pdu, wire, on: connection)
    return pdu
  }

  // MARK: End

  func end(_ slot: Int, _ connection: Connection, _ outcome: TaskResult.Outcome) {
    guard let task = connection.session.remove(slot) else { return }
    tell(
      connection,
      .taskEnded(
        TaskResult(
          task: task.id, session: connection.session.id, initiatorTaskTag: task.tag, cmdSN: task.cmdSN,
          requested: task.requested, sent: task.sent, ended: now, outcome: outcome)))
    textEnded(task.id, connection)
  }

  /// Lets the next text negotiation begin, if that was the one under way.
  private func textEnded(_ task: TaskID, _ connection: Connection) {
    connection.waitingTexts.removeAll { $0 == task }
    guard connection.text == task else { return }
    connection.text = nil
    guard connection.isOpen, !connection.waitingTexts.isEmpty else { return }
    let next = connection.waitingTexts.removeFirst()
    connection.text = next
    if let slot = connection.session.slot(of: next) { schedule(slot, connection) }
  }

  /// Ends the tasks of a connection that is gone; or keeps them, where they can be reassigned.
  func loseTasks(of connection: Connection) {
    let session = connection.session
    let keeps = session.parameters.errorRecoveryLevel == 2 && connection.phase == .fullFeature
    for slot in session.slots.indices {
      guard let task = session.slots[slot], task.connection == connection.id else { continue }
      if keeps, task.isSent, case .command = task.kind { continue }
      end(slot, connection, .connectionLost)
    }
  }

  /// Ends the tasks that were kept for reassignment, with a session that will not come back.
  public func abandonTasks(of id: SessionID) {
    guard id.rawValue < sessions.count else { return }
    let session = sessions[id.rawValue]
    for slot in session.slots.indices {
      guard let task = session.slots[slot], let connection = connection(task.connection), !connection.isOpen else {
        continue
      }
      end(slot, connection, .connectionLost)
    }
  }
}
