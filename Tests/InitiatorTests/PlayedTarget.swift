import ISCSI
import Initiator
import Ring
import Testing

/// A connection in the full feature phase, and the target's PDUs with their numbers.
final class PlayedTarget {
  let ring = HandFedRing()
  let connection: ConnectionID
  var statSN: UInt32 = 100
  var expCmdSN: UInt32 = 1
  var window: UInt32 = 32
  var digests = DigestSettings()

  var machine: InitiatorMachine { ring.machine }

  static let address = SocketAddress(192, 0, 2, 1, port: 3260)

  /// Logs in with `keys` offered, to which the target agrees (or answers as `answers` says).
  init(_ keys: [KeyValue] = [], answers: [KeyValue] = []) throws {
    connection = try ring.machine.connect(to: Self.address)
    var plan = LoginPlan()
    plan.targetName = "iqn.2026-11.example:disk"
    plan.stages = [.operationalNegotiation]
    for pair in keys { plan.offer(pair.key, pair.value) }
    try ring.machine.login(plan, on: connection)
    ring.run()
    let request = try #require(try ring.takePDUs().first)
    var writer = TextWriter()
    for pair in try TextParser.pairs(of: request.data) {
      guard let key = KeyTable.find(pair.key), !key.kind.isDeclarative else { continue }
      writer.append(pair.key, answers.first { $0.key == pair.key }?.value ?? pair.value)
    }
    writer.append("MaxRecvDataSegmentLength", answers.first { $0.key == "MaxRecvDataSegmentLength" }?.value ?? "8192")
    writer.append("TargetPortalGroupTag", 1)
    ring.deliver(loginResponse(to: request, data: writer.bytes))
    let login = try #require(ring.takeLogin())
    #expect(login.isSuccessful)
    digests = login.parameters.digests
  }

  func loginResponse(
    to request: ProtocolDataUnit, data: [UInt8] = [], _ change: (MutableHeaderView) -> Void = { _ in }
  ) -> ProtocolDataUnit {
    let pdu = Self.loginResponse(
      to: request, data: data, statSN: statSN, expCmdSN: expCmdSN, maxCmdSN: expCmdSN &+ window &- 1, change)
    statSN &+= 1
    return pdu
  }

  /// A Login Response that grants what the request asks for.
  static func loginResponse(
    to request: ProtocolDataUnit, data: [UInt8] = [], statSN: UInt32 = 100, expCmdSN: UInt32 = 1,
    maxCmdSN: UInt32 = 32, _ change: (MutableHeaderView) -> Void = { _ in }
  ) -> ProtocolDataUnit {
    var pdu = ProtocolDataUnit(.loginResponse, isFinal: false, data: data)
    let asked = request.header
    pdu.header.write { header in
      header.isTransit = asked.read { $0.isTransit }
      header.currentStage = asked.read { $0.currentStage }
      header.nextStage = asked.read { $0.nextStage }
      header.isid = asked.read { $0.isid }
      header.tsih = header.isTransit && header.nextStage == 3 ? 7 : asked.read { $0.tsih }
      header.initiatorTaskTag = asked.read { $0.initiatorTaskTag }
      header.statSN = statSN
      header.expCmdSN = expCmdSN
      header.maxCmdSN = maxCmdSN
      change(header)
    }
    return pdu
  }

  /// A PDU of the target with its numbers, in answer to `request`.
  ///
  /// - Parameter advances: Whether it takes a StatSN.
  func reply(
    _ opcode: Opcode, to request: ProtocolDataUnit? = nil, data: [UInt8] = [], advances: Bool = true,
    _ change: (MutableHeaderView) -> Void = { _ in }
  ) -> ProtocolDataUnit {
    var pdu = ProtocolDataUnit(opcode, data: data)
    if let request, !request.header.read({ $0.isImmediate }) {
      expCmdSN = SerialNumber.later(expCmdSN, request.header.read { $0.cmdSN } &+ 1)
    }
    pdu.header.write { header in
      header.initiatorTaskTag = request?.header.read { $0.initiatorTaskTag } ?? reservedTag
      header.statSN = statSN
      header.expCmdSN = expCmdSN
      header.maxCmdSN = expCmdSN &+ window &- 1
      change(header)
    }
    if advances { statSN &+= 1 }
    return pdu
  }

  /// A Data-In of `request`.
  func dataIn(
    _ request: ProtocolDataUnit, _ bytes: [UInt8], at offset: Int = 0, number: UInt32 = 0, isFinal: Bool = true,
    status: UInt8? = nil, _ change: (MutableHeaderView) -> Void = { _ in }
  ) -> ProtocolDataUnit {
    reply(.dataIn, to: request, data: bytes, advances: status != nil) { header in
      header.isFinal = isFinal
      header.targetTransferTag = reservedTag
      header.dataSN = number
      header.bufferOffset = UInt32(offset)
      if let status {
        header.hasStatus = true
        header.status = status
      } else {
        header.statSN = 0
      }
      change(header)
    }
  }

  /// Joins the session by a second connection, and asks for a task to be reassigned to it (RFC 7143 §7.2.2). What is answered
  /// then is numbered as the new connection's.
  func reassign(_ task: TaskID) throws -> (connection: ConnectionID, request: ProtocolDataUnit) {
    let session = try #require(machine.status(of: connection)).session
    let second = try machine.connect(to: Self.address, in: session)
    var plan = LoginPlan()
    plan.stages = [.operationalNegotiation]
    plan.operationalKeys = []
    plan.connectionID = 1
    try machine.login(plan, on: second)
    ring.run()
    let login = try #require(try ring.takePDUs(on: 1).first)
    ring.deliver(Self.loginResponse(to: login, statSN: 500, expCmdSN: 2, maxCmdSN: 33), on: 1)
    statSN = 501
    var management = TaskManagementRequest(.taskReassign)
    management.task = task
    _ = try machine.manage(management, on: second)
    ring.run()
    return (second, try #require(try ring.takePDUs(on: 1).first))
  }

  /// An R2T of `request`.
  func readyToTransfer(
    _ request: ProtocolDataUnit, offset: Int, length: Int, number: UInt32 = 0,
    _ change: (MutableHeaderView) -> Void = { _ in }
  ) -> ProtocolDataUnit {
    reply(.readyToTransfer, to: request, advances: false) { header in
      header.lun = request.header.read { $0.lun }
      header.targetTransferTag = 0x700 + number
      header.r2tSN = number
      header.bufferOffset = UInt32(offset)
      header.desiredDataTransferLength = UInt32(length)
      change(header)
    }
  }

  func deliver(_ pdus: ProtocolDataUnit...) {
    for pdu in pdus { ring.deliver(pdu, digests: digests) }
  }

  func takePDUs() throws -> [ProtocolDataUnit] {
    ring.run()
    return try ring.takePDUs(digests: digests)
  }

  /// Starts a command and returns its task and its PDU.
  func start(_ request: CommandRequest) throws -> (task: TaskID, pdu: ProtocolDataUnit) {
    let task = try machine.execute(request, on: connection)
    return (task, try #require(try takePDUs().first))
  }

  /// A command that reads `length` bytes.
  static func read(_ length: Int) -> CommandRequest {
    var request = CommandRequest(cdb: [0x28] + [UInt8](repeating: 0, count: 9))
    request.expectedDataIn = length
    return request
  }

  /// A command that writes `bytes`.
  static func write(_ bytes: [UInt8]) -> CommandRequest {
    var request = CommandRequest(cdb: [0x2A] + [UInt8](repeating: 0, count: 9))
    request.dataOut = bytes
    return request
  }
}

/// `count` bytes that tell where they belong.
func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }
