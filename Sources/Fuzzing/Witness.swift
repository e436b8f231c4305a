import ISCSI
import Initiator
import Ring

/// A correct initiator, which must be served: it does one thing after the other, and watches the target meanwhile.
final class Witness {
  let machine: InitiatorMachine
  let ring: HandRing
  private let joint: Joint
  private(set) var faults: [String] = []
  private var connection: ConnectionID?
  private var login: LoginResult?
  private var results: [TaskID: TaskResult.Outcome] = [:]

  /// On the ring of a target.
  init(of target: HandRing, fill: UInt8 = 0) {
    let arena = Arena(capacity: 1 << 20)
    arena.bytes(Extent(offset: 0, length: arena.capacity)).initializeMemory(as: UInt8.self, repeating: fill)
    let machine = InitiatorMachine(arena: arena)
    self.machine = machine
    ring = HandRing(machine)
    ring.hasWork = { machine.hasWork }
    joint = Joint(target: target, initiator: ring)
  }

  private func fault(_ words: String) { faults.append("a correct initiator \(words)") }

  private func run() {
    joint.run()
    for event in machine.takeEvents() {
      switch event.kind {
      case .violation(let broken), .digestError(let broken):
        let pdu = broken.pdu.map { "\($0)" } ?? "no PDU"
        fault("is answered against the rules: \(broken.rule.rawValue), \(broken.detail); \(pdu)")
      case .loginEnded(let result): login = result
      case .taskEnded(let result): results[result.task] = result.outcome
      default: break
      }
    }
  }

  /// Logs in. Nil when the target has nothing more to say and the login has not ended, which is a fault, or did not end well.
  func logIn(_ plan: LoginPlan) -> LoginResult? {
    do throws(InitiatorError) {
      let connection = try machine.connect(to: SocketAddress(127, 0, 0, 1, port: 3260))
      try machine.login(plan, on: connection)
      self.connection = connection
    } catch {
      fault("cannot begin its login: \(error)")
      return nil
    }
    run()
    guard let login else {
      fault("gets no end of its login")
      return nil
    }
    return login.isSuccessful ? login : nil
  }

  /// What becomes of a task that `start` begins. No answer is a fault.
  private func outcome(
    of what: String, _ start: (ConnectionID) throws(InitiatorError) -> TaskID
  ) -> TaskResult.Outcome? {
    guard let connection, faults.isEmpty else { return nil }
    let task: TaskID
    do throws(InitiatorError) { task = try start(connection) } catch {
      fault("cannot begin \(what): \(error)")
      return nil
    }
    run()
    // Some answers wait for what others were asked for.
    if results[task] == nil { joint.advance(.seconds(5)) }
    run()
    guard let outcome = results[task] else {
      fault("gets no answer to \(what)")
      return nil
    }
    return outcome
  }

  // MARK: What it does

  /// A command's outcome; nil without one.
  func command(
    _ cdb: [UInt8], lun: Int, dataOut: [UInt8] = [], expecting length: Int = 0, segment: Int? = nil
  ) -> CommandOutcome? {
    var request = CommandRequest(cdb: cdb)
    request.lun = LogicalUnitNumber.encode(lun) ?? 0
    request.dataOut = dataOut
    request.expectedDataIn = length
    let name = "command \(TextEncoding.hexadecimal(cdb))"
    let end = outcome(of: name) { connection throws(InitiatorError) in try machine.execute(request, on: connection) }
    switch end {
    case .command(let outcome): return outcome
    case nil: return nil
    default:
      fault("has \(name) ended so: \(end.map { "\($0)" } ?? "")")
      return nil
    }
  }

  /// Writes blocks of 512 bytes, and reads them.
  func writesAndReads(_ data: [UInt8], at lba: UInt8, lun: Int) {
    let blocks = data.count / 512
    let place = [0, 0, 0, 0, lba, 0, UInt8(truncatingIfNeeded: blocks >> 8), UInt8(truncatingIfNeeded: blocks), 0]
    guard let write = command([0x2A] + place, lun: lun, dataOut: data) else { return }
    if write.status != 0 { return fault("has a write of \(blocks) blocks end with \(write.status), \(write.sense)") }
    guard let read = command([0x28] + place, lun: lun, expecting: data.count) else { return }
    if read.status != 0 { return fault("has a read of \(blocks) blocks end with \(read.status), \(read.sense)") }
    if read.dataIn != data { fault("does not read the \(blocks) blocks that it has written") }
  }

  /// Has a ping come back with its data.
  func pings(_ data: [UInt8]) {
    var request = PingRequest()
    request.data = data
    _ = outcome(of: "a ping") { connection throws(InitiatorError) in try machine.ping(request, on: connection) }
  }

  /// Asks for the targets.
  func asksForTargets(_ which: String) {
    let request = TextRequest([KeyValue("SendTargets", which)])
    _ = outcome(of: "SendTargets") { connection throws(InitiatorError) in try machine.text(request, on: connection) }
  }

  func logsOut() {
    _ = outcome(of: "a logout") { connection throws(InitiatorError) in
      try machine.logout(LogoutRequest(), on: connection)
    }
    run()
    if machine.bytesInUse != 0 { fault("has \(machine.bytesInUse) bytes left in use") }
  }

  /// Whatever was done to a unit before: it can be brought into service, written and read.
  func findsService(lun: Int) {
    if connection == nil {
      var plan = LoginPlan()
      plan.initiatorName = "iqn.2026-11.example:witness"
      plan.targetName = TargetPlay.name
      plan.offer("InitialR2T", "No")
      guard logIn(plan) != nil else { return fault("cannot log in: \(login?.status.map { "\($0)" } ?? "")") }
    }
    var reset = TaskManagementRequest(.logicalUnitReset)
    reset.lun = LogicalUnitNumber.encode(lun) ?? 0
    _ = outcome(of: "LOGICAL UNIT RESET") { connection throws(InitiatorError) in
      try machine.manage(reset, on: connection)
    }
    // START, and LOEJ where the medium can be ejected; then unit attentions are in the way.
    _ = command([0x1B, 0, 0, 0, lun == 0 ? 3 : 1, 0], lun: lun)
    for _ in 0..<8 {
      guard let ready = command([0, 0, 0, 0, 0, 0], lun: lun) else { return }
      if ready.status == 0 { return writesAndReads(pattern(1536), at: 5, lun: lun) }
      // The first command had the unit attention.
      _ = command([0x1B, 0, 0, 0, lun == 0 ? 3 : 1, 0], lun: lun)
    }
    fault("finds unit \(lun) not ready, whatever it does")
  }
}
