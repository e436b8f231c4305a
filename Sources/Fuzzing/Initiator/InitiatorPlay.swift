import ISCSI
import Initiator
import Ring

/// A target that sends anything to one initiator machine, which logs in, sends commands and more as the input says. It must neither
/// trap nor lose track: each task ends once, each connection once, and all memory comes back. And it is logged in to nobody who has
/// not authenticated himself where that was asked for.
final class InitiatorPlay {
  private var input: FuzzInput
  private let ring: HandRing
  private let machine: InitiatorMachine
  private var faults: [String] = []

  private var connections: [ConnectionID] = []
  private var targets: [HostileTarget] = []
  /// By connection: whoever it talks to has to authenticate himself.
  private var isMutual: [Bool] = []
  private var started: [TaskID] = []
  private var ended: [TaskID] = []
  private var closed: [ConnectionID] = []

  /// No play needs more: each costs memory for the rest of it.
  private static let connectionsMax = 4
  private static let tasksMax = 400

  var outcome: FuzzOutcome { FuzzOutcome(faults: faults + ring.faults, trace: ring.trace) }

  init(_ input: FuzzInput, fill: UInt8) {
    self.input = input
    let arena = Arena(capacity: 1 << 20)
    arena.bytes(Extent(offset: 0, length: arena.capacity)).initializeMemory(as: UInt8.self, repeating: fill)
    let machine = InitiatorMachine(arena: arena)
    self.machine = machine
    ring = HandRing(machine)
    ring.hasWork = { machine.hasWork }
    connect()
  }

  func run() {
    // Most inputs get past the login.
    if !input.flags()[7] { for _ in 0..<4 { answerRightly(0) } }
    while !input.isAtEnd, faults.isEmpty, ring.faults.isEmpty { act() }
    leave()
  }

  private func act() {
    let action = input.byte()
    let place = Int(action >> 5) % connections.count
    switch action & 31 {
    case 0...3: command(on: place)
    case 4: ping(on: place)
    case 5: text(on: place)
    case 6: manage(on: place)
    case 7: logOut(on: place)
    case 8: template(on: place)
    case 9: oddities(on: place)
    case 10...15: answerRightly(place)
    case 16...24: answerAnyhow(place)
    case 25: ring.feed(targets[place].socket, input.run())
    case 26: ring.end(targets[place].socket, input.pick([.none, .connectionReset]))
    case 27: connect()
    case 28: ring.holdsSends.toggle()
    case 29: ring.setPace(input.byte())
    case 30: ring.advance(.milliseconds(UInt64(input.byte()) * 100))
    default: close(place)
    }
    settle()
  }

  /// Lets the initiator do what it can, and takes what it sends and tells.
  private func settle() {
    ring.settle()
    for target in targets where target.socket < ring.sockets.count { target.take(ring.take(target.socket)) }
    for event in machine.takeEvents() { note(event) }
  }

  private func note(_ event: InitiatorEvent) {
    switch event.kind {
    case .taskEnded(let result): ended.append(result.task)
    case .closed, .connectFailed:
      if closed.contains(event.connection) { faults.append("the end of a connection is told twice") }
      closed.append(event.connection)
    case .loginEnded(let result):
      guard result.isSuccessful, let place = connections.firstIndex(of: event.connection) else { return }
      if isMutual[place], !targets[place].hasProvenItself {
        faults.append("a login has succeeded with a target that was to authenticate itself and did not")
      }
    default: break
    }
  }

  /// All ends, and nothing is left.
  private func leave() {
    guard faults.isEmpty, ring.faults.isEmpty else { return }
    ring.holdsSends = false
    for connection in connections { try? machine.close(connection, reset: true) }
    settle()
    for connection in connections {
      guard let session = machine.status(of: connection)?.session else { continue }
      machine.abandonTasks(of: session)
    }
    settle()
    if machine.bytesInUse != 0 { faults.append("\(machine.bytesInUse) bytes of the initiator are not given back") }
    if ended.sorted() != started.sorted() {
      faults.append("\(started.count) tasks were started, and \(ended.count) ends told, some of other ones")
    }
    if closed.count != connections.count { faults.append("the end of a connection is not told") }
    for (index, socket) in ring.sockets.enumerated() where !socket.isClosed {
      faults.append("socket \(index) is left open")
    }
  }

  // MARK: The initiator's side

  private func connect() {
    guard connections.count < Self.connectionsMax else { return }
    let how = input.flags()
    ring.connectError = how[0] && !connections.isEmpty ? .connectionRefused : .none
    let home = how[1] ? connections.first.flatMap { machine.status(of: $0)?.session } : nil
    guard let connection = try? machine.connect(to: SocketAddress(127, 0, 0, 1, port: 3260), in: home) else { return }
    connections.append(connection)
    isMutual.append(how[2] && how[3])
    var plan = LoginPlan()
    plan.targetName = "iqn.2026-11.example:disk"
    if how[2] {
      plan.credentials = CHAPCredentials(name: "user", secret: [1])
      if how[3] {
        plan.credentials?.targetSecret = HostileTarget.secret
        plan.credentials?.challenge = [3]
      }
    } else if how[4] {
      plan.stages = [.operationalNegotiation]
    }
    let keys = input.flags()
    if keys[0] { plan.offer("HeaderDigest", "CRC32C") }
    if keys[1] { plan.offer("DataDigest", "CRC32C") }
    if keys[2] { plan.offer("InitialR2T", "No") }
    if keys[3] { plan.offer("ImmediateData", "No") }
    plan.offer("ErrorRecoveryLevel", "\([0, 0, 1, 2][Int(keys.byte >> 4 & 3)])")
    if keys[6] { plan.offer("MaxOutstandingR2T", "4") }
    if keys[7] { plan.offer("DataPDUInOrder", "No") }
    if !how[5] { try? machine.login(plan, on: connection) }
    ring.settle()
    targets.append(HostileTarget(socket: ring.connectError == .none ? ring.sockets.count - 1 : .max))
    settle()
  }

  private func start(_ begin: () throws(InitiatorError) -> TaskID) {
    guard started.count < Self.tasksMax else { return }
    // What cannot be begun now is not.
    if let task = try? begin() { started.append(task) }
  }

  private func command(on place: Int) {
    let how = input.flags()
    let length = Int(input.word16())
    var request = CommandRequest(cdb: [how[0] ? 0x2A : 0x28] + [UInt8](repeating: 0, count: how[1] ? 31 : 9))
    if how[0] { request.dataOut = pattern(length) }
    if how[0] == how[2] { request.expectedDataIn = length }
    request.isImmediate = how[3]
    request.holdsR2Ts = how[4]
    if how[5] { request.overrides = [FieldOverride("expected_data_transfer_length", UInt64(input.word32()))] }
    if how[6] { request.dataOutEdits = [DataOutEdit(input.pick([.drop, .duplicate, .moveToEnd]))] }
    if how[7] { request.lun = UInt64(input.word32()) << 32 }
    start { () throws(InitiatorError) in try machine.execute(request, on: connections[place]) }
  }

  private func ping(on place: Int) {
    var request = PingRequest()
    request.data = pattern(Int(input.byte()))
    start { () throws(InitiatorError) in try machine.ping(request, on: connections[place]) }
  }

  private func text(on place: Int) {
    let how = input.flags()
    var request = TextRequest([KeyValue("SendTargets", "All"), KeyValue("MaxRecvDataSegmentLength", "512")])
    if how[0] { request.rawText = input.run() }
    if how[1] { request.segmentLength = 1 + Int(input.byte()) }
    request.ignoresOthers = how[2]
    start { () throws(InitiatorError) in try machine.text(request, on: connections[place]) }
  }

  private func manage(on place: Int) {
    let how = input.byte()
    var request = TaskManagementRequest(function: how & 15)
    request.task = how & 16 == 0 ? started.last : nil
    request.isImmediate = how & 32 == 0
    start { () throws(InitiatorError) in try machine.manage(request, on: connections[place]) }
  }

  private func logOut(on place: Int) {
    let how = input.byte()
    var request = LogoutRequest(reason: how & 3)
    if how & 4 != 0 { request.connectionID = UInt16(how >> 3) }
    start { () throws(InitiatorError) in try machine.logout(request, on: connections[place]) }
  }

  private func template(on place: Int) {
    var template = PDUTemplate(opcodeBits: input.byte())
    let how = input.flags()
    if how[0] { template.overrides.append(FieldOverride("byte\(input.below(48))", UInt64(input.byte()))) }
    if how[1] { template.overrides.append(FieldOverride("itt", UInt64(input.byte()))) }
    if how[2] { template.data = input.run() }
    if how[3] { template.wire.splitAt = [Int(input.byte()), Int(input.byte()), 100] }
    if how[4] { template.wire.truncateAt = Int(input.byte()) }
    if how[5] { template.wire.pause = .milliseconds(UInt64(input.byte())) }
    if how[6] { template.wire.headerDigestFlip = 1 }
    _ = try? machine.send(template, on: connections[place])
  }

  private func oddities(on place: Int) {
    let connection = connections[place]
    let task = started.isEmpty ? nil : started[started.count - 1 - input.below(8) % started.count]
    switch input.below(8) {
    case 0: try? machine.setReceiving(input.byte() & 1 == 0, on: connection)
    case 1: if let task { try? machine.retry(task, on: connection) }
    case 2:
      guard let task, (try? machine.abandon(task, on: connection)) != nil else { return }
      ended.append(task)
    case 3: if let task { try? machine.answerHeldR2Ts(of: task, on: connection, reversed: input.byte() & 1 == 0) }
    case 4: if let session = machine.status(of: connection)?.session { machine.setCmdSN(input.word32(), of: session) }
    case 5: try? machine.setExpStatSN(input.word32(), on: connection)
    case 6: try? machine.shutdown(connection)
    default:
      let how = input.flags()
      var behaviour = AutomaticBehaviour()
      behaviour.answersPings = how[0]
      behaviour.answersR2Ts = how[1]
      behaviour.closesAfterLogout = how[2]
      behaviour.obeysAsyncMessages = how[3]
      behaviour.closesOnEndOfStream = how[4]
      try? machine.setAutomatic(behaviour, on: connection)
    }
  }

  private func close(_ place: Int) { try? machine.close(connections[place], reset: input.byte() & 1 == 1) }

  // MARK: The target's side

  private func answerRightly(_ place: Int) {
    guard isThere(place), let request = targets[place].request(input.below(16)) else { return }
    send(targets[place].rightAnswer(to: request), on: place)
  }

  private func answerAnyhow(_ place: Int) {
    guard isThere(place) else { return }
    let request = targets[place].request(input.below(16))
    send(targets[place].anyAnswer(&input, to: request), on: place)
  }

  private func isThere(_ place: Int) -> Bool { place < targets.count && ring.isOpen(targets[place].socket) }

  private func send(_ pdu: ProtocolDataUnit, on place: Int) {
    let target = targets[place]
    let mangled = input.mangled(pdu, target.digests)
    target.noteSent(mangled.pdu)
    for part in mangled.parts {
      ring.feed(target.socket, part)
      settle()
    }
  }
}
