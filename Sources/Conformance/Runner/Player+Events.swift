import ISCSI
import Initiator
import Ring
import SCSI

/// What happens to the initiators, sorted to the script's objects.
extension Player {
  func collectEvents() {
    for (number, driver) in playground.drivers.enumerated() {
      for event in driver.machine.takeEvents() { handle(event, driver, number) }
    }
    guard let monitor = playground.simulation?.witness.monitor, monitor.hasFindings else { return }
    // The first say what is wrong.
    for finding in monitor.takeFindings().prefix(3) { broken(finding.rule, finding.detail, finding.header) }
  }

  /// The target has broken a rule, as the monitor or an initiator has seen.
  private func broken(_ rule: ViolationRule, _ detail: String, _ header: BasicHeader?, _ data: [UInt8] = []) {
    // Ours does what it is advised to do, too.
    let isForgiven = rule.isAdvice && playground.simulation == nil
    guard !scenario.expectsViolations, !isForgiven else { return }
    var message = "the target broke a rule (\(rule.rawValue), RFC 7143 §\(rule.section)): \(detail)"
    if let header {
      let pdu = ProtocolDataUnit(header: header, data: data)
      message += "\nin: \(PDULanguage.name(header.read { $0.opcodeBits }))  \(PDULanguage.detail(pdu))"
    }
    fail("protocol", message + recorder.tail())
  }

  private func handle(_ event: InitiatorEvent, _ driver: InitiatorDriver, _ number: Int) {
    let key = ConnectionKey(driver: number, connection: event.connection.rawValue)
    guard let connection = connectionIndex[key].map({ connections[$0] }) else { return }
    defer { stir(connection) }
    func record(_ text: String, toTarget: Bool) {
      recorder.event(text, toTarget: toTarget, connection: connection.index, at: event.time)
    }
    if case .digestError = event.kind { driver.digestErrors += 1 }
    switch event.kind {
    case .connected:
      connection.isConnected = true
      record("connected", toTarget: true)
    case .connectFailed(let error):
      connection.failure = error
      record("connect failed: \(error)", toTarget: true)
    case .pduSent(let pdu):
      recorder.pdu(pdu, toTarget: true, connection: connection.index, at: event.time)
    case .pduReceived(let framed):
      recorder.pdu(framed.pdu, toTarget: false, connection: connection.index, at: event.time)
      if isRefusalOfProtectedUnit(framed.pdu, connection) { skip("the unit is write protected") }
      connection.inbox.append(framed.pdu)
      if connection.inbox.count > ScriptConnection.inboxMax { connection.inbox.removeFirst(1000) }
    case .loginEnded(let result): connection.login = result
    case .fullFeaturePhase(let parameters): connection.parameters = parameters
    case .taskEnded(let result): ended(result, connection, number)
    case .readyToTransferHeld, .asyncMessage, .rejected: break
    case .closed(let reason):
      connection.closed = reason
      if let session = connection.session { nexuses.left(sessions[session].nexus, target: connection.target) }
      record("closed: \(Self.words(reason))", toTarget: reason == .local)
    case .digestError(let violation) where driver.digestErrors <= playground.corruptedSegments(towards: driver):
      // A bit that a fault has inverted is one wrong digest, and finding it is what digests are for.
      record("damaged on its way: \(violation.rule.rawValue)", toTarget: false)
    case .violation(let violation), .digestError(let violation):
      let text = "\(violation.rule.rawValue): \(violation.detail)"
      record("VIOLATION \(text)", toTarget: false)
      broken(violation.rule, violation.detail, violation.pdu?.header, violation.pdu?.data ?? [])
    }
  }

  /// Whether a real unit that takes no writes has said so to a case that is about something else.
  private func isRefusalOfProtectedUnit(_ pdu: ProtocolDataUnit, _ connection: ScriptConnection) -> Bool {
    guard pdu.opcode == .scsiResponse, !scenario.needs.contains(.readOnly),
      playground.targets[connection.target].units.contains(where: \.isWriteProtected)
    else { return false }
    return Sense(decoding: PDULanguage.senseData(pdu))?.key == .dataProtect
  }

  /// The end of a connection in words.
  static func words(_ reason: CloseReason) -> String {
    switch reason {
    case .local: "by the initiator"
    case .endOfStream: "by the target"
    case .reset: "reset by the target"
    case .failed(let error): "the transport failed (\(error))"
    case .framingLost: "by the initiator, because no PDU can be told from the next"
    }
  }

  private func ended(_ result: TaskResult, _ connection: ScriptConnection, _ number: Int) {
    // What belonged to it is not for a script that receives by hand.
    connection.inbox.removeAll { $0.header.read { $0.initiatorTaskTag } == result.initiatorTaskTag }
    commandCount += 1
    guard let index = taskIndex.removeValue(forKey: TaskKey(driver: number, task: result.task.rawValue)) else { return }
    let task = tasks[index]
    task.result = result
    task.hasEnded = true
    // Also what was begun while it was under way.
    if task.clearsTasks { excuseOthers(than: task) }
    stir(task)
    if let access = task.access {
      do throws(LuaFailure) { try durability.end(access, result.outcome) } catch {
        fail("durability", error.message + recorder.tail())
      }
    }
    if let watch = task.watch {
      do throws(LuaFailure) { try nexuses.end(watch, result.outcome) } catch {
        fail("nexus", error.message + recorder.tail())
      }
    }
    if !task.reset.isEmpty {
      var isComplete = false
      if case .taskManagement(let response) = result.outcome { isComplete = response == 0 }
      nexuses.endReset(task.reset, isComplete: isComplete, by: task.session.nexus)
    }
  }
}
