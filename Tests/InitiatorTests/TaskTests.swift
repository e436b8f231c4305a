import ISCSI
import Initiator
import Ring
import Testing

@Suite struct TaskTests {
  @Test func commandsWaitForTheWindow() throws {
    let target = try PlayedTarget()
    // The login said 1 to 32.
    for _ in 0..<35 { _ = try target.machine.execute(PlayedTarget.read(4), on: target.connection) }
    let pdus = try target.takePDUs()
    #expect(pdus.map { $0.header.read { $0.cmdSN } } == (1...32).map { UInt32($0) })
    #expect(Set(pdus.map { $0.header.read { $0.initiatorTaskTag } }).count == 32)
    // An immediate one, and one that does not care, do not wait.
    var immediate = PlayedTarget.read(4)
    immediate.isImmediate = true
    _ = try target.machine.execute(immediate, on: target.connection)
    let pdu = try #require(try target.takePDUs().first)
    #expect(pdu.header.read { $0.isImmediate && $0.cmdSN == 33 })
    target.deliver(target.dataIn(pdus[0], pattern(4), status: 0), target.dataIn(pdus[1], pattern(4), status: 0))
    #expect(try target.takePDUs().map { $0.header.read { $0.cmdSN } } == [33, 34])
    #expect(target.machine.status(of: try #require(target.machine.status(of: target.connection)).session)?.waiting == 1)
    #expect(target.ring.takeViolations() == [])
  }

  @Test func pings() throws {
    let target = try PlayedTarget()
    var request = PingRequest()
    request.data = [1, 2, 3]
    _ = try target.machine.ping(request, on: target.connection)
    let pdu = try #require(try target.takePDUs().first)
    target.deliver(target.reply(.nopIn, to: pdu, data: [1, 2, 3]) { $0.targetTransferTag = reservedTag })
    guard case .ping(data: [1, 2, 3]) = target.ring.takeResults().first?.outcome else { return #expect(Bool(false)) }
    _ = try target.machine.ping(request, on: target.connection)
    let second = try #require(try target.takePDUs().first)
    target.deliver(target.reply(.nopIn, to: second, data: [1, 2]) { $0.targetTransferTag = 5 })
    #expect(target.ring.takeViolations() == [.transferTag, .pingEchoWrong])
  }

  @Test func theTargetsPingsAreAnswered() throws {
    let target = try PlayedTarget()
    target.deliver(
      target.reply(.nopIn, advances: false) {
        $0.targetTransferTag = 9
        $0.lun = 3 << 48
      })
    let answer = try #require(try target.takePDUs().first)
    answer.header.read { header in
      #expect(header.opcode == .nopOut && header.isImmediate && header.isFinal)
      #expect(header.initiatorTaskTag == reservedTag && header.targetTransferTag == 9 && header.lun == 3 << 48)
      #expect(header.cmdSN == 1 && header.expStatSN == target.statSN)
    }
    // It took no StatSN, and with the reserved tag it wants no answer.
    target.deliver(target.reply(.nopIn, advances: false) { $0.targetTransferTag = reservedTag })
    #expect(try target.takePDUs().isEmpty)
    var behaviour = AutomaticBehaviour()
    behaviour.answersPings = false
    try target.machine.setAutomatic(behaviour, on: target.connection)
    target.deliver(target.reply(.nopIn, advances: false) { $0.targetTransferTag = 10 })
    #expect(try target.takePDUs().isEmpty)
    #expect(target.ring.takeViolations() == [])
    target.deliver(target.reply(.nopIn, data: [1], advances: false) { $0.targetTransferTag = reservedTag })
    #expect(target.ring.takeViolations() == [.unsolicitedPingMalformed])
  }

  @Test func abortingATask() throws {
    let target = try PlayedTarget()
    var request = PlayedTarget.read(4)
    request.lun = 2 << 48
    let (task, command) = try target.start(request)
    var management = TaskManagementRequest(.abortTask)
    management.task = task
    let abort = try target.machine.manage(management, on: target.connection)
    let pdu = try #require(try target.takePDUs().first)
    pdu.header.read { header in
      #expect(header.isImmediate && header.taskManagementFunction == 1 && header.lun == 2 << 48)
      #expect(header.referencedTaskTag == command.header.read { $0.initiatorTaskTag })
      #expect(header.refCmdSN == command.header.read { $0.cmdSN })
    }
    target.deliver(target.reply(.taskManagementResponse, to: pdu))
    let results = target.ring.takeResults()
    #expect(results.map(\.task) == [task, abort])
    guard case .aborted(by: abort) = results[0].outcome, case .taskManagement(response: 0) = results[1].outcome else {
      return #expect(Bool(false))
    }
    // What crossed it on the way is not unknown.
    target.deliver(target.dataIn(command, pattern(4), status: 0))
    #expect(target.ring.takeViolations() == [])
    #expect(throws: InitiatorError.noSuchTask) { try target.machine.manage(management, on: target.connection) }
  }

  @Test func aResetOfTheLogicalUnitEndsItsTasks() throws {
    let target = try PlayedTarget()
    var tasks: [TaskID] = []
    for unit in [0, 1, 1] as [UInt64] {
      var request = PlayedTarget.read(4)
      request.lun = unit << 48
      tasks.append(try target.start(request).task)
    }
    var management = TaskManagementRequest(.logicalUnitReset)
    management.lun = 1 << 48
    let reset = try target.machine.manage(management, on: target.connection)
    let pdu = try #require(try target.takePDUs().first)
    target.deliver(target.reply(.taskManagementResponse, to: pdu))
    #expect(target.ring.takeResults().map(\.task) == [tasks[1], tasks[2], reset])
  }

  /// One that has to wait for the window is sent behind a reset that was asked for after it: that is not about it.
  @Test func aResetDoesNotEndWhatIsSentBehindIt() throws {
    let target = try PlayedTarget()
    let window = Int(target.window)
    let tasks = try (0..<40).map { _ in try target.machine.execute(PlayedTarget.read(4), on: target.connection) }
    #expect(try target.takePDUs().count == window)
    let reset = try target.machine.manage(TaskManagementRequest(.logicalUnitReset), on: target.connection)
    let pdu = try #require(try target.takePDUs().first)
    // The window opens, and the rest is sent, before the answer comes.
    target.expCmdSN += UInt32(window)
    target.deliver(target.reply(.nopIn, advances: false) { $0.targetTransferTag = reservedTag })
    #expect(try target.takePDUs().count == tasks.count - window)
    target.deliver(target.reply(.taskManagementResponse, to: pdu))
    #expect(target.ring.takeResults().map(\.task) == tasks[..<window] + [reset])
  }

  @Test func loggingOutClosesAllConnections() throws {
    let target = try PlayedTarget()
    _ = try target.machine.execute(PlayedTarget.read(4), on: target.connection)
    let logout = try target.machine.logout(LogoutRequest(), on: target.connection)
    let pdu = try #require(try target.takePDUs().last)
    pdu.header.read { header in
      #expect(header.isImmediate && header.flags == 0x80)
    }
    target.deliver(
      target.reply(.logoutResponse, to: pdu) {
        $0.time2Wait = 2
        $0.time2Retain = 20
      })
    #expect(target.ring.closeReasons == [.local])
    #expect(target.ring.state().isClosed)
    let results = target.ring.takeResults()
    guard case .logout(response: 0, time2Wait: 2, time2Retain: 20) = results.first?.outcome else {
      return #expect(Bool(false))
    }
    #expect(results.first?.task == logout)
    guard case .connectionLost = results.last?.outcome else { return #expect(Bool(false)) }
    #expect(target.machine.bytesInUse == 0)
  }

  @Test func aRejectEndsTheRequestItNames() throws {
    let target = try PlayedTarget()
    let (task, command) = try target.start(PlayedTarget.read(4))
    target.deliver(target.reply(.reject, data: command.header.array) { $0.rejectReason = 9 })
    let result = try #require(target.ring.takeResults().first)
    guard case .rejected(reason: 9) = result.outcome else { return #expect(Bool(false)) }
    #expect(result.task == task)
    target.deliver(target.reply(.reject, data: [1, 2, 3]) { $0.rejectReason = 1 })
    #expect(target.ring.takeViolations() == [.undefinedCode, .rejectMalformed])
    target.deliver(target.reply(.reject, data: command.header.array) { $0.rejectReason = 0x0B })
    #expect(target.ring.takeViolations() == [.undefinedCode])
  }

  /// RFC 7143 §7.3: a rejected request counts as not received, and what is sent behind it waits for its number.
  @Test func theNumberOfARejectedRequestIsUsedAgain() throws {
    let target = try PlayedTarget()
    func number(_ pdu: ProtocolDataUnit) -> UInt32 { pdu.header.read { $0.cmdSN } }
    func reject(_ pdu: ProtocolDataUnit) {
      target.deliver(target.reply(.reject, data: pdu.header.array) { $0.rejectReason = 9 })
    }
    // Nothing has been sent behind it: the next request takes it.
    let (_, first) = try target.start(PlayedTarget.read(4))
    reject(first)
    let (_, second) = try target.start(PlayedTarget.read(4))
    #expect(number(second) == number(first))
    // Another has: a ping takes it.
    let (_, third) = try target.start(PlayedTarget.read(4))
    reject(second)
    let ping = try #require(try target.takePDUs().first)
    #expect(ping.opcode == .nopOut && number(ping) == number(second) && !ping.header.read { $0.isImmediate })
    target.deliver(target.reply(.nopIn, to: ping) { $0.targetTransferTag = reservedTag })
    target.deliver(target.dataIn(third, pattern(4), status: 0))
    // The target has counted it all the same, and says so.
    let (_, fourth) = try target.start(PlayedTarget.read(4))
    target.expCmdSN = number(fourth) &+ 1
    reject(fourth)
    #expect(try number(target.start(PlayedTarget.read(4)).pdu) == number(fourth) &+ 1)
    #expect(target.ring.takeViolations() == [])
  }

  @Test func aCommandThatWasDamagedCanBeSentAgain() throws {
    let target = try PlayedTarget()
    let (task, command) = try target.start(PlayedTarget.read(4))
    target.deliver(
      target.reply(.reject, data: command.header.array) { $0.rejectReason = RejectReason.dataDigestError.rawValue })
    #expect(target.ring.takeResults().isEmpty)
    try target.machine.retry(task, on: target.connection)
    let again = try #require(try target.takePDUs().first)
    #expect(again.header.read { $0.cmdSN } == command.header.read { $0.cmdSN })
    #expect(again.header.read { $0.initiatorTaskTag } == command.header.read { $0.initiatorTaskTag })
    #expect(again.header.read { $0.expStatSN } == target.statSN)
  }

  @Test func aRequestedLogoutIsMade() throws {
    let target = try PlayedTarget()
    target.deliver(target.reply(.asyncMessage) { $0.asyncEvent = AsyncEvent.logoutRequested.rawValue })
    #expect(try target.takePDUs().map(\.opcode) == [.logoutRequest])
    target.deliver(target.reply(.asyncMessage) { $0.asyncEvent = 77 })
    #expect(target.ring.takeViolations() == [.undefinedCode])
  }

  @Test func aRequestedNegotiationIsBegun() throws {
    let target = try PlayedTarget()
    target.deliver(target.reply(.asyncMessage) { $0.asyncEvent = AsyncEvent.negotiationRequested.rawValue })
    #expect(try target.takePDUs().map(\.opcode) == [.textRequest])
    #expect(target.ring.takeViolations() == [])
  }

  @Test func aConnectionAmongOthersIsClosedAlone() throws {
    let target = try PlayedTarget([KeyValue("MaxConnections", "2")])
    let (task, _) = try target.start(PlayedTarget.read(4))
    _ = try target.reassign(task)
    target.ring.deliver(
      target.reply(.asyncMessage) { $0.asyncEvent = AsyncEvent.logoutRequested.rawValue }, on: 1)
    let logout = try #require(try target.ring.takePDUs(on: 1).first)
    #expect(logout.header.read { $0.opcode == .logoutRequest && $0.logoutReason == 1 && $0.connectionID == 1 })
  }

  @Test func templatesAreFilledInAndBroken() throws {
    let target = try PlayedTarget()
    var template = PDUTemplate(.scsiCommand)
    template.cdb = [0x12, 0, 0, 0, 36, 0]
    template.overrides = [FieldOverride("read", 1), FieldOverride("expected_data_transfer_length", 36)]
    let first = try target.machine.send(template, on: target.connection)
    #expect(first.cmdSN == 1)
    template.overrides.append(FieldOverride("cmdsn", adding: 5))
    let second = try target.machine.send(template, on: target.connection)
    #expect(second.cmdSN == 7)
    template.overrides = []
    #expect(try target.machine.send(template, on: target.connection).cmdSN == 2)
    #expect(throws: InitiatorError.self) {
      var wrong = template
      wrong.overrides = [FieldOverride("cmd_sn", 1)]
      try target.machine.send(wrong, on: target.connection)
    }
    let unknown = try target.machine.send(PDUTemplate(opcodeBits: 0x1F), on: target.connection)
    #expect(unknown.pdu.header.read { $0.opcodeBits } == 0x1F)
    let pdus = try target.takePDUs()
    #expect(pdus.count == 4 && pdus[0] == first.pdu)
    // An answer to a script's PDU is not unknown.
    target.deliver(target.dataIn(first.pdu, pattern(36), status: 0))
    #expect(target.ring.takeViolations() == [])
  }

  @Test func tasksOfALostConnectionEnd() throws {
    let target = try PlayedTarget()
    let (task, _) = try target.start(PlayedTarget.read(4))
    target.ring.end(.connectionReset)
    #expect(target.ring.closeReasons == [.reset])
    #expect(target.ring.takeResults().map(\.task) == [task])
    #expect(throws: InitiatorError.connectionClosed) {
      try target.machine.execute(PlayedTarget.read(4), on: target.connection)
    }
  }

  @Test func whatIsBegunBehindTheEndOfTheStreamIsLostWithTheConnection() throws {
    let target = try PlayedTarget()
    var behaviour = AutomaticBehaviour()
    behaviour.closesOnEndOfStream = false
    try target.machine.setAutomatic(behaviour, on: target.connection)
    target.ring.end()
    #expect(target.ring.closeReasons == [.endOfStream])
    let task = try target.machine.execute(PlayedTarget.read(4), on: target.connection)
    try target.machine.close(target.connection, reset: true)
    target.ring.run()
    let result = try #require(target.ring.takeResults().first)
    guard case .connectionLost = result.outcome else { return #expect(Bool(false)) }
    #expect(result.task == task)
    #expect(target.ring.closeReasons == [.endOfStream])
    #expect(target.machine.bytesInUse == 0)
  }

  @Test func theScriptChoosesWhatItAcknowledges() throws {
    let target = try PlayedTarget()
    try target.machine.setExpStatSN(5, on: target.connection)
    for _ in 0..<2 {
      _ = try target.machine.ping(PingRequest(), on: target.connection)
      let pdu = try #require(try target.takePDUs().first)
      #expect(pdu.header.read { $0.expStatSN } == 5)
      target.deliver(target.reply(.nopIn, to: pdu) { $0.targetTransferTag = reservedTag })
    }
    try target.machine.setExpStatSN(nil, on: target.connection)
    _ = try target.machine.ping(PingRequest(), on: target.connection)
    #expect(try target.takePDUs().first?.header.read { $0.expStatSN } == target.statSN)
    #expect(target.ring.takeViolations() == [])
  }

  /// At error recovery level 2 a read outlives its connection, and goes on where another one takes it over.
  @Test func aReassignedReadGoesOn() throws {
    let target = try PlayedTarget([KeyValue("ErrorRecoveryLevel", "2"), KeyValue("MaxConnections", "2")])
    let (task, command) = try target.start(PlayedTarget.read(8))
    target.deliver(target.dataIn(command, Array(pattern(8)[..<4]), isFinal: false))
    target.ring.end(.connectionReset)
    #expect(target.ring.takeResults().isEmpty)
    let session = try #require(target.machine.status(of: target.connection)).session
    #expect(target.machine.status(of: session)?.tasks == 1)

    let (_, reassign) = try target.reassign(task)
    #expect(reassign.header.read { $0.expDataSN } == 1)
    #expect(reassign.header.read { $0.referencedTaskTag } == command.header.read { $0.initiatorTaskTag })
    target.ring.deliver(target.reply(.taskManagementResponse, to: reassign), on: 1)
    target.ring.deliver(target.dataIn(command, Array(pattern(8)[4...]), at: 4, number: 1, status: 0), on: 1)
    let results = target.ring.takeResults()
    #expect(results.last?.task == task)
    guard case .command(let outcome) = results.last?.outcome else { return #expect(Bool(false)) }
    #expect(outcome.dataIn == pattern(8))
    #expect(target.ring.takeViolations() == [])
  }

  @Test func whatAScriptAsksForAgainMayRepeat() throws {
    let target = try PlayedTarget([KeyValue("ErrorRecoveryLevel", "1")])
    let (_, command) = try target.start(PlayedTarget.read(8))
    let first = target.dataIn(command, Array(pattern(8)[..<4]), isFinal: false)
    target.deliver(first)
    var snack = PDUTemplate(.snackRequest)
    snack.overrides = [
      FieldOverride("itt", UInt64(command.header.read { $0.initiatorTaskTag })), FieldOverride("runlength", 1),
    ]
    try target.machine.send(snack, on: target.connection)
    target.deliver(first, target.dataIn(command, Array(pattern(8)[4...]), at: 4, number: 1, status: 0))
    #expect(target.ring.takeResults().count == 1)
    #expect(target.ring.takeViolations() == [])
  }
}
