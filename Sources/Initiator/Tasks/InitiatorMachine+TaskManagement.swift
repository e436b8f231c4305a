import ISCSI
import Ring

/// Task management, RFC 7143 §11.5, §11.6.
extension InitiatorMachine {
  func issueTaskManagement(_ slot: Int, _ request: TaskManagementRequest, _ connection: Connection) {
    let session = connection.session
    var pdu = ProtocolDataUnit(.taskManagementRequest)
    let referenced = request.task.flatMap { session.slot(of: $0) }.flatMap { session.slots[$0] }
    pdu.header.write { header in
      header.taskManagementFunction = request.function
      header.lun = request.lun
      header.referencedTaskTag = reservedTag
      guard let referenced else { return }
      header.referencedTaskTag = referenced.tag
      header.refCmdSN = referenced.cmdSN
      guard case .command(let state) = referenced.kind else { return }
      if TaskManagementFunction(rawValue: request.function)?.refersToLogicalUnit == true { header.lun = state.lun }
      if request.function == TaskManagementFunction.taskReassign.rawValue { header.expDataSN = state.nextDataSN }
    }
    _ = issue(pdu, for: slot, overrides: request.overrides, request.wire, connection)
  }

  func taskManagementResponse(_ pdu: ProtocolDataUnit, on connection: Connection) {
    guard let (slot, task, request) = answered(pdu, on: connection, \.taskManagement) else { return }
    let response = pdu.header.read { $0.response }
    if TaskManagementResponse(rawValue: response) == nil {
      violation(.undefinedCode, on: connection, "response \(response)", pdu)
    }
    if response == TaskManagementResponse.functionComplete.rawValue {
      carryOut(request, task, connection)
    }
    end(slot, connection, .taskManagement(response: response))
  }

  /// Does to the tasks of this side what the target did to them.
  private func carryOut(_ request: TaskManagementRequest, _ management: InitiatorTask, _ connection: Connection) {
    let session = connection.session
    guard let function = TaskManagementFunction(rawValue: request.function) else { return }
    if function == .taskReassign {
      guard let slot = request.task.flatMap({ session.slot(of: $0) }) else { return }
      session.slots[slot]?.connection = connection.id
      session.slots[slot]?.wasRecovered = true
      if case .command(let state) = session.slots[slot]?.kind { state.forgetR2Ts() }
      return
    }
    for slot in session.slots.indices {
      guard let task = session.slots[slot], task.isSent, case .command(let state) = task.kind else { continue }
      // Of many, only what was sent before it (RFC 7143 §11.5.1): one that had to wait for the window may have been asked
      // for before, and sent behind. The one that ABORT TASK names may be ahead of its turn.
      let wasBefore = task.isImmediate ? task.id < management.id : SerialNumber.precedes(task.cmdSN, management.cmdSN)
      let isMeant: Bool
      switch function {
      case .abortTask: isMeant = task.id == request.task
      case .abortTaskSet, .clearTaskSet, .logicalUnitReset: isMeant = wasBefore && state.lun == request.lun
      case .targetWarmReset, .targetColdReset, .iTNexusReset: isMeant = wasBefore
      case .clearACA, .taskReassign, .queryTask, .queryTaskSet, .queryAsynchronousEvent: isMeant = false
      }
      // What the target still sends for it has crossed the response on its way.
      if isMeant {
        session.noteScriptedTag(task.tag)
        end(slot, connection, .aborted(by: management.id))
      }
    }
  }
}
