import ISCSI
import Ring
import SCSI
import Target

/// Initiators that send anything to one target. It must neither trap nor stop nor keep what it took for them; what it sends must be
/// well-formed; and in the end it serves somebody else as if nothing had been.
final class TargetPlay {
  var input: FuzzInput
  let ring: HandRing
  let machine: TargetMachine
  private(set) var initiators: [HostileInitiator] = []
  private var faults: [String] = []

  /// What it uses while there is nobody.
  private let idle: TargetStatistics

  static let name = "iqn.2026-11.example:fuzz"
  /// A node that another machine serves.
  private static let otherName = "iqn.2026-11.example:elsewhere"
  static let blocks: UInt64 = 1024
  private static let connectionsMax = 6

  var outcome: FuzzOutcome { FuzzOutcome(faults: faults + ring.faults, trace: ring.trace) }

  init(_ input: FuzzInput, fill: UInt8) {
    var input = input
    let how = input.flags()
    // Little of everything, so that all of it runs out.
    let arena = Arena(capacity: how[0] ? 4 << 20 : 1 << 20)
    arena.bytes(Extent(offset: 0, length: arena.capacity)).initializeMemory(as: UInt8.self, repeating: fill)
    var configuration = TargetConfiguration(
      nodes: [
        TargetNode(name: Self.name, logicalUnits: Self.units),
        TargetNode(name: Self.otherName, logicalUnits: []).served(by: MachineID(9)),
      ],
      portals: [Portal(listener: HandRing.listener, address: SocketAddress(0, 0, 0, 0, port: 3260))])
    configuration.nodes[0].sendPolicy = SendPolicy.allCases[Int(how.byte >> 1 & 3)]
    configuration.limits.commandWindow = how[3] ? 4 : 24
    configuration.limits.immediateTasksMax = 8
    configuration.limits.tasksMax = how[3] ? 8 : 40
    configuration.limits.connectionsMax = Self.connectionsMax
    configuration.limits.pendingLoginsMax = Self.connectionsMax - 2
    configuration.limits.maxRecvDataSegmentLength = how[4] ? 512 : 65_536
    configuration.limits.textLengthMax = 8192
    configuration.limits.localBytesAheadMax = how[5] ? 8192 : nil
    guard let machine = try? TargetMachine(configuration: configuration, arena: arena) else {
      // allow(trap): a process that gets no address space for a megabyte of blocks
      preconditionFailure("no address space for a target")
    }
    self.input = input
    self.machine = machine
    ring = HandRing(machine, mediumLength: Int(Self.blocks) * 512)
    if how[6] { ring.batchMax = 1 }
    ring.step()
    idle = machine.statistics
    if !how[7] { open() }
  }

  private static var units: [LogicalUnitConfiguration] {
    var memory = LogicalUnitConfiguration(lun: 0, blockCount: blocks)
    memory.isThin = true
    memory.isRemovable = true
    var medium = LogicalUnitConfiguration(lun: 1, blockCount: blocks, backing: .medium(HandRing.medium, alignment: 512))
    medium.isThin = true
    var null = LogicalUnitConfiguration(lun: 300, blockCount: blocks, blockLength: 4096, backing: .null)
    null.isReadOnly = true
    return [memory, medium, null]
  }

  // MARK: The play

  func run() {
    while !input.isAtEnd, faults.isEmpty, ring.faults.isEmpty { act() }
    guard faults.isEmpty, ring.faults.isEmpty else { return }
    leave()
    let rest = machine.statistics
    let left = [
      ("connections", rest.connections), ("sessions", rest.sessions), ("tasks", rest.tasks),
      ("buffers", rest.buffers - idle.buffers), ("bytes of buffers", rest.bufferBytes - idle.bufferBytes),
    ]
    for (name, count) in left where count != 0 { faults.append("\(count) \(name) are not given back") }
    guard faults.isEmpty, ring.faults.isEmpty else { return }
    let witness = Witness(of: ring)
    for lun in [0, 1] { witness.findsService(lun: lun) }
    faults += witness.faults
  }

  private func act() {
    let action = input.byte()
    guard let initiator = chosen(action >> 5) else { return open() }
    switch action & 31 {
    case 0...8: command(on: initiator)
    case 9...12: answerAsked(on: initiator)
    case 13: unsolicited(on: initiator)
    case 14, 15: manage(on: initiator)
    case 16: ping(on: initiator)
    case 17: text(on: initiator)
    case 18: logOut(on: initiator)
    case 19, 20: anything(on: initiator)
    case 21: ring.feed(initiator.socket, input.run())
    case 22: again(on: initiator)
    case 23: open()
    case 24: connect()
    case 25: ring.end(initiator.socket, input.pick([.none, .connectionReset]))
    case 26: ring.advance(.milliseconds(input.pick([0, 1, 100, 2500, 16_000, 31_000, 61_000])))
    case 27: ring.holdsSends.toggle()
    case 28: ring.holdsMedia.toggle()
    case 29: finishMedium()
    case 30: ring.setPace(input.byte())
    default: oddities()
    }
    settle()
  }

  /// One of those whose connections are open.
  private func chosen(_ place: UInt8) -> HostileInitiator? {
    initiators.removeAll { !ring.isOpen($0.socket) }
    return initiators.isEmpty ? nil : initiators[Int(place) % initiators.count]
  }

  /// Lets the target do what it can, and takes what it sends.
  private func settle() {
    ring.settle()
    for initiator in initiators {
      initiator.take(ring.take(initiator.socket))
      faults += initiator.watch.faults.prefix(1)
    }
  }

  private func finishMedium() {
    let errors: [RingError] = [.none, .mediumError, .noSpace, .unsupported, .cancelled, .removed, .readOnly, .other]
    let place = input.byte()
    ring.finishMedium(Int(place & 15), errors[Int(place >> 4) % errors.count])
  }

  private func oddities() {
    switch input.below(3) {
    case 0: ring.failAccept(input.pick([.noResources, .connectionReset]))
    case 1: ring.postError = input.pick([.none, .noResources])
    // For nothing.
    default: ring.step()
    }
  }

  /// All go, nothing is in the way of what the target has still to do, and time passes.
  private func leave() {
    ring.holdsSends = false
    ring.holdsMedia = false
    ring.setPace(0)
    for index in ring.sockets.indices { ring.end(index, .connectionReset) }
    for _ in 0..<6 { ring.advance(.seconds(130)) }
  }

  // MARK: Connections

  private func connect() {
    guard let socket = ring.accept() else { return }
    initiators.append(HostileInitiator(socket: socket))
    ring.settle()
  }

  /// A connection, and the login of a session on it.
  private func open() {
    let before = initiators.count
    connect()
    guard initiators.count > before, let initiator = initiators.last else { return }
    let how = input.flags()
    initiator.isid = ISID(random: 0x46_5A, qualifier: UInt16(how.byte & 1))
    var writer = TextWriter()
    writer.append("InitiatorName", how[1] ? "iqn.2026-11.example:b" : "iqn.2026-11.example:a")
    writer.append("SessionType", how[2] ? "Discovery" : "Normal")
    if !how[2] { writer.append("TargetName", how[3] ? Self.otherName : Self.name) }
    let digests = input.flags()
    writer.append("HeaderDigest", digests[0] ? "CRC32C" : "None")
    writer.append("DataDigest", digests[1] ? "CRC32C" : "None")
    writer.append("MaxRecvDataSegmentLength", 512 << Int(digests.byte >> 2 & 7))
    writer.append("InitialR2T", digests[5])
    writer.append("ImmediateData", !digests[6])
    if digests[7] {
      writer.append("MaxBurstLength", 512 << input.below(8))
      writer.append("MaxOutstandingR2T", 1 + input.below(4))
    }
    var request = initiator.request(.loginRequest, isImmediate: true, data: writer.bytes + (how[4] ? input.run() : []))
    request.header.write {
      $0.flags = 0
      $0.isTransit = true
      $0.currentStage = LoginStage.operationalNegotiation.rawValue
      $0.nextStage = LoginStage.fullFeature.rawValue
      $0.isid = initiator.isid
      // In the place of the transfer tag.
      $0.targetTransferTag = 0
      $0.tsih = how[5] ? initiators.first?.watch.tsih ?? 0 : 0
      $0.cmdSN = how[6] ? UInt32.max - 2 : 1
    }
    if how[7] { return send(request, on: initiator) }
    ring.feed(initiator.socket, request.encoded())
    settle()
  }
}
