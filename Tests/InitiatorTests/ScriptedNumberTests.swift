import ISCSI
import Initiator
import Testing

/// What scripts do to CmdSNs and tags is not the target's fault.
@Suite struct ScriptedNumberTests {
  @Test func abortTaskEndsWhatIsAheadOfItsTurn() throws {
    let target = try PlayedTarget()
    var request = PlayedTarget.read(4)
    request.overrides = [FieldOverride("cmdsn", adding: 2)]
    let (task, _) = try target.start(request)
    var management = TaskManagementRequest(.abortTask)
    management.task = task
    let abort = try target.machine.manage(management, on: target.connection)
    let pdu = try #require(try target.takePDUs().first)
    target.deliver(target.reply(.taskManagementResponse, to: pdu))
    #expect(target.ring.takeResults().map(\.task) == [task, abort])
  }

  @Test func whatWasSentBeforeTheNumbersWereSetBackMayBeAcknowledged() throws {
    let target = try PlayedTarget()
    let session = try #require(target.machine.status(of: target.connection)).session
    let (_, command) = try target.start(PlayedTarget.read(4))
    target.machine.setCmdSN(1, of: session)
    target.deliver(target.dataIn(command, pattern(4), status: 0))
    #expect(target.ring.takeViolations() == [])
    // What never was sent may not.
    target.expCmdSN = 3
    target.deliver(target.reply(.nopIn, advances: false) { $0.targetTransferTag = reservedTag })
    #expect(target.ring.takeViolations() == [.expCmdSNAhead])
  }

  @Test func aRejectedRequestWithTheTagOfATaskDoesNotEndIt() throws {
    let target = try PlayedTarget()
    let (_, command) = try target.start(PlayedTarget.read(8))
    var other = PDUTemplate(.scsiCommand)
    other.overrides = [FieldOverride("itt", UInt64(command.header.read { $0.initiatorTaskTag }))]
    let second = try target.machine.send(other, on: target.connection).pdu
    target.deliver(
      target.reply(.reject, data: second.header.array) { $0.rejectReason = RejectReason.taskInProgress.rawValue })
    #expect(target.ring.takeResults().isEmpty)
    target.deliver(target.dataIn(command, pattern(8), status: 0))
    #expect(target.ring.takeResults().count == 1)
    #expect(target.ring.takeViolations() == [])
  }
}
