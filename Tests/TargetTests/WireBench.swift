import CAllocation
import ISCSI
import Ring

@testable import Target

/// A target machine on a bench: the test is the initiator, byte by byte, and the medium. No ring, no time of its own.
final class WireBench {
  static let name = "iqn.2026-11.example:bench"
  let arena: Arena
  let machine: TargetMachine
  var now = Instant.zero
  /// The most bytes that a receive brings, and that a send takes.
  var receiveMax = Int.max
  var sendMax = Int.max
  private var operations = Operations()
  private var completions: [Completion] = []
  private var accepts: [(token: Token, listener: Handle)] = []
  private var sockets: [UInt64: Socket] = [:]
  private(set) var timers: [(deadline: UInt64, token: Token)] = []
  /// Timers are late while this is so.
  var holdsTimers = false
  private var nextSocket: UInt64 = 100
  /// Media operations wait here while ``holdsMedia``.
  var holdsMedia = false
  var heldMedia: [Completion] = []
  private(set) var medium: [UInt8]
  /// Where initiators are; the target is at 127.0.0.1.
  var remoteAddress = SocketAddress(127, 0, 0, 1, port: 999)
  /// Sends wait here while ``holdsSends``: the initiator takes nothing.
  var holdsSends = false
  private var heldSends: [(Operation, [Extent])] = []

  /// The sends so far, in bytes, and whether more were to come; and what TCP_NODELAY was set to.
  var sends: [(length: Int, moreToCome: Bool)] = []
  var noDelays: [Bool] = []
  /// What was posted: the message, and the socket. What becomes of a post.
  var posts: [(message: [UInt8], socket: UInt64)] = []
  var postError = RingError.none
  private var mailbox: (token: Token, extent: Extent)?
  /// What the machine has allocated in its steps.
  var allocations: UInt64 = 0

  private struct Socket {
    var inbound: [UInt8] = []
    var outbound: [UInt8] = []
    var receive: (token: Token, extents: [Extent])?
    var isClosed = false
    var hasEnded = false
  }

  /// One whose only unit has so many blocks of 512 bytes, on a medium.
  convenience init(mediumBlocks blocks: UInt64, limits: (inout TargetLimits) -> Void = { _ in }) {
    let unit = LogicalUnitConfiguration(lun: 0, blockCount: blocks, backing: .medium(Handle(7), alignment: 1))
    self.init(units: [unit], mediumLength: Int(blocks) * 512, limits: limits)
  }

  init(
    units: [LogicalUnitConfiguration] = [LogicalUnitConfiguration(lun: 0, blockCount: 8192)],
    mediumLength: Int = 0, arenaLength: Int = 16 << 20, sendPolicy: SendPolicy = .batching,
    servers: [MachineID?] = [nil, nil], limits: (inout TargetLimits) -> Void = { _ in }
  ) {
    arena = Arena(capacity: arenaLength)
    medium = Array(repeating: 0, count: mediumLength)
    var configuration = TargetConfiguration(
      nodes: [
        TargetNode(name: Self.name, logicalUnits: units),
        TargetNode(name: Self.name + "2", logicalUnits: [LogicalUnitConfiguration(lun: 3, blockCount: 64)]),
      ],
      portals: [Portal(listener: Handle(1), address: SocketAddress(0, 0, 0, 0, port: 3260))])
    configuration.nodes[0].sendPolicy = sendPolicy
    for (index, server) in servers.enumerated() { configuration.nodes[index].server = server }
    limits(&configuration.limits)
    guard let machine = try? TargetMachine(configuration: configuration, arena: arena) else {
      preconditionFailure("no address space for a target")
    }
    self.machine = machine
    turn()
  }

  /// Opens a connection and returns its number.
  func connect() -> UInt64 {
    guard !accepts.isEmpty else { return 0 }
    let accept = accepts.removeFirst()
    nextSocket += 1
    sockets[nextSocket] = Socket()
    completions.append(Completion(token: accept.token, result: nextSocket))
    settle()
    return nextSocket
  }

  /// A connection waits to be accepted, and there is no descriptor for it.
  func failAccept() {
    guard !accepts.isEmpty else { return }
    completions.append(Completion(token: accepts.removeFirst().token, error: .noResources))
    settle()
  }

  /// The bytes that the receive outstanding on a socket has room for.
  func room(_ socket: UInt64) -> Int { sockets[socket]?.receive?.extents.reduce(0) { $0 + $1.length } ?? 0 }

  /// The bytes that nobody has received yet.
  func waiting(_ socket: UInt64) -> Int { sockets[socket]?.inbound.count ?? 0 }

  func isClosed(_ socket: UInt64) -> Bool { sockets[socket]?.isClosed ?? true }
  func hasEnded(_ socket: UInt64) -> Bool { sockets[socket].map { $0.isClosed || $0.hasEnded } ?? true }

  /// Bytes from the initiator.
  func feed(_ socket: UInt64, _ bytes: [UInt8]) {
    sockets[socket]?.inbound += bytes
    settle()
  }

  /// The initiator is gone. What comes from another one at the same time is found behind that.
  func drop(_ socket: UInt64, whileFeeding other: UInt64? = nil, _ bytes: [UInt8] = []) {
    guard let receive = sockets[socket]?.receive else { return }
    sockets[socket]?.receive = nil
    completions.append(Completion(token: receive.token, error: .connectionReset))
    if let other { sockets[other]?.inbound += bytes }
    settle()
  }

  /// A message from another machine, with a socket, whose number is returned.
  func deliver(_ message: [UInt8]) -> UInt64 {
    guard let waiting = mailbox else { return 0 }
    mailbox = nil
    nextSocket += 1
    sockets[nextSocket] = Socket()
    let part = waiting.extent.prefix(message.count)
    arena.bytes(part).copyBytes(from: message[..<part.length])
    completions.append(
      Completion(token: waiting.token, result: UInt64(message.count), handle: Handle(nextSocket)))
    settle()
    return nextSocket
  }

  /// Takes what the target has sent.
  func take(_ socket: UInt64) -> [UInt8] {
    defer { sockets[socket]?.outbound = [] }
    return sockets[socket]?.outbound ?? []
  }

  /// Lets the last of the medium operations that are held complete.
  func completeLastHeld() {
    if let last = heldMedia.popLast() { completions.append(last) }
    settle()
  }

  /// Lets the medium operations that were held complete.
  func releaseMedia() {
    completions += heldMedia
    heldMedia = []
    settle()
  }

  /// Lets the sends that were held go out.
  func releaseSends() {
    let held = heldSends
    heldSends = []
    for (operation, extents) in held { carryOut(operation, extents) }
    settle()
  }

  func advance(_ interval: Interval) {
    now = now + interval
    settle()
  }

  private func settle() {
    for _ in 0..<100_000 {
      deliver()
      if completions.isEmpty { return }
      turn()
    }
  }

  private func deliver() {
    for index in sockets.keys.sorted() {
      guard let socket = sockets[index], let receive = socket.receive, !socket.inbound.isEmpty else { continue }
      var count = 0
      let limit = min(receiveMax, socket.inbound.count)
      for extent in receive.extents where count < limit {
        let part = min(extent.length, limit - count)
        arena.bytes(extent.prefix(part)).copyBytes(from: socket.inbound[count..<(count + part)])
        count += part
      }
      sockets[index]?.inbound.removeFirst(count)
      sockets[index]?.receive = nil
      completions.append(Completion(token: receive.token, result: UInt64(count)))
    }
    for (index, timer) in timers.enumerated().reversed() where !holdsTimers && timer.deadline <= now.nanoseconds {
      timers.remove(at: index)
      completions.append(Completion(token: timer.token))
    }
  }

  private func turn() {
    let batch = completions
    completions = []
    let before = simsan_allocation_count()
    machine.step(batch, now: now, into: &operations)
    allocations += simsan_allocation_count() - before
    for operation in operations.items {
      let first = Int(operation.firstExtent)
      carryOut(operation, Array(operations.extents[first..<(first + Int(operation.extentCount))]))
    }
    operations.removeAll()
  }

  private func carryOut(_ operation: Operation, _ extents: [Extent]) {
    let handle = operation.handle.rawValue
    let length = extents.reduce(0) { $0 + $1.length }
    switch operation.kind {
    case .accept:
      accepts.append((operation.token, operation.handle))
    case .describe:
      SocketAddress(127, 0, 0, 1, port: 3260).encode(into: arena.bytes(extents[0]))
      remoteAddress.encode(
        into: UnsafeMutableRawBufferPointer(rebasing: arena.bytes(extents[0])[SocketAddress.encodedLength...]))
      completions.append(Completion(token: operation.token, result: UInt64(2 * SocketAddress.encodedLength)))
    case .receive:
      precondition(sockets[handle]?.receive == nil && length > 0, "one receive at a time, and room for it")
      sockets[handle]?.receive = (operation.token, extents)
    case .send where holdsSends:
      heldSends.append((operation, extents))
    case .send:
      sends.append((length, operation.moreToCome))
      var count = 0
      for extent in extents where count < sendMax {
        let part = extent.prefix(sendMax - count)
        sockets[handle]?.outbound += Array(arena.bytes(part))
        count += part.length
      }
      completions.append(Completion(token: operation.token, result: UInt64(count)))
    case .shutdown:
      sockets[handle]?.hasEnded = true
      completions.append(Completion(token: operation.token))
    case .close:
      if let receive = sockets[handle]?.receive {
        completions.append(Completion(token: receive.token, error: .cancelled))
      }
      for (held, _) in heldSends where held.handle == operation.handle {
        completions.append(Completion(token: held.token, error: .cancelled))
      }
      heldSends.removeAll { $0.0.handle == operation.handle }
      sockets[handle]?.receive = nil
      sockets[handle]?.isClosed = true
      completions.append(Completion(token: operation.token))
    case .timer:
      timers.append((operation.offset, operation.token))
    case .read, .write:
      var at = Int(operation.offset)
      for extent in extents {
        if operation.kind == .read {
          arena.bytes(extent).copyBytes(from: medium[at..<(at + extent.length)])
        } else {
          medium.replaceSubrange(at..<(at + extent.length), with: Array(arena.bytes(extent)))
        }
        at += extent.length
      }
      finishMedium(Completion(token: operation.token, result: UInt64(length)))
    case .flush, .discard, .writeZeroes, .seek:
      finishMedium(Completion(token: operation.token))
    case .noDelay:
      noDelays.append(operation.length != 0)
      completions.append(Completion(token: operation.token))
    case .post:
      precondition(sockets[handle]?.receive == nil, "nothing outstanding on a socket that moves")
      if postError == .none {
        posts.append((extents.flatMap { Array(arena.bytes($0)) }, handle))
        sockets[handle]?.isClosed = true
      }
      completions.append(Completion(token: operation.token, error: postError))
    case .mailbox:
      mailbox = (operation.token, extents[0])
    case .connect, .cancel:
      completions.append(Completion(token: operation.token))
    }
  }

  private func finishMedium(_ completion: Completion) {
    if holdsMedia { heldMedia.append(completion) } else { completions.append(completion) }
  }
}

/// A careful initiator on a ``WireBench``.
final class BenchInitiator {
  let bench: WireBench
  let socket: UInt64
  var framer = PDUFramer()
  var options = EncodingOptions()
  var cmdSN: UInt32 = 1
  var nextTag: UInt32 = 1
  var received: [ProtocolDataUnit] = []
  var parameters: [String: String] = [:]
  var tsih: UInt16 = 0
  var isid: UInt64 = 0x8000_0000_0001

  init(_ bench: WireBench) {
    self.bench = bench
    socket = bench.connect()
  }

  /// On a connection that is there already.
  init(_ bench: WireBench, socket: UInt64) {
    self.bench = bench
    self.socket = socket
  }

  func send(_ pdu: ProtocolDataUnit) { bench.feed(socket, pdu.encoded(options)) }

  /// Sends an immediate NOP-Out with so many bytes of data, which asks for an answer.
  func ping(_ count: Int) { send(pingRequest(count)) }

  func pingRequest(_ count: Int) -> ProtocolDataUnit {
    var ping = ProtocolDataUnit(.nopOut, data: [UInt8](repeating: 0xEE, count: count))
    ping.header.write {
      $0.isImmediate = true
      $0.initiatorTaskTag = 0x7000_0000
      $0.targetTransferTag = reservedTag
      $0.cmdSN = cmdSN
    }
    return ping
  }

  /// Everything that has come since the last call.
  func receive() -> [ProtocolDataUnit] {
    framer.append(bench.take(socket))
    var result: [ProtocolDataUnit] = []
    while let framed = try? framer.next() { result.append(framed.pdu) }
    return result
  }

  func login(
    _ keys: [(String, String)] = [], target: String? = WireBench.name, initiator: String = "iqn.2026-11.example:a",
    stage: LoginStage = .operationalNegotiation
  ) -> UInt16 {
    login(text: Self.loginText(keys, target: target, initiator: initiator), stage: stage)
  }

  /// The keys of a login in one request.
  static func loginText(
    _ keys: [(String, String)] = [], target: String? = WireBench.name, initiator: String = "iqn.2026-11.example:a"
  ) -> [UInt8] {
    var writer = TextWriter()
    writer.append("InitiatorName", initiator)
    if let target { writer.append("TargetName", target) }
    for (key, value) in keys { writer.append(key, value) }
    return writer.bytes
  }

  func loginRequest(text: [UInt8], stage: LoginStage = .operationalNegotiation) -> ProtocolDataUnit {
    var pdu = ProtocolDataUnit(.loginRequest, data: text)
    pdu.header.write {
      $0.isImmediate = true
      $0.isTransit = true
      $0.currentStage = stage.rawValue
      $0.nextStage = LoginStage.fullFeature.rawValue
      $0.isid = ISID(rawValue: isid)
      $0.tsih = tsih
      $0.cmdSN = cmdSN
      $0.connectionID = 1
    }
    return pdu
  }

  func login(text: [UInt8], stage: LoginStage = .operationalNegotiation) -> UInt16 {
    send(loginRequest(text: text, stage: stage))
    return finishLogin()
  }

  func finishLogin() -> UInt16 {
    guard let answer = receive().first, answer.opcode == .loginResponse else { return 0xFFFF }
    for pair in (try? TextParser.pairs(of: answer.data)) ?? [] { parameters[pair.key] = pair.value }
    let digests = DigestSettings(
      header: parameters["HeaderDigest"] == "CRC32C", data: parameters["DataDigest"] == "CRC32C")
    options.digests = digests
    framer.digests = digests
    tsih = answer.header.read { $0.tsih }
    return answer.header.read { $0.loginStatus }
  }

  func command(
    _ cdb: [UInt8], read: Int = 0, write: Int = 0, immediate: [UInt8] = [], isFinal: Bool = true, lun: Int = 0,
    cmdSN explicit: UInt32? = nil
  ) -> ProtocolDataUnit {
    var pdu = ProtocolDataUnit(.scsiCommand, isFinal: isFinal, data: immediate)
    let tag = nextTag
    nextTag += 1
    let number = explicit ?? cmdSN
    if explicit == nil { cmdSN &+= 1 }
    pdu.header.write { header in
      header.taskAttribute = 1
      header.lun = LogicalUnitNumber.encode(lun) ?? 0
      header.isRead = read > 0
      header.isWrite = write > 0
      header.expectedDataTransferLength = UInt32(read + write)
      header.initiatorTaskTag = tag
      header.cmdSN = number
    }
    for (index, byte) in cdb.enumerated() { pdu.header.bytes[32 + index] = byte }
    return pdu
  }

  /// An immediate task management function, about `command` if it is given.
  func taskManagement(
    _ function: TaskManagementFunction, lun: Int = 0, of command: ProtocolDataUnit? = nil, tag: UInt32 = 0x7000_0000
  ) -> ProtocolDataUnit {
    var pdu = ProtocolDataUnit(.taskManagementRequest)
    let referenced = command?.header.read { (tag: $0.initiatorTaskTag, cmdSN: $0.cmdSN) }
    pdu.header.write {
      $0.isImmediate = true
      $0.flags = 0x80 | function.rawValue
      $0.lun = LogicalUnitNumber.encode(lun) ?? 0
      $0.initiatorTaskTag = tag
      $0.referencedTaskTag = referenced?.tag ?? reservedTag
      $0.refCmdSN = referenced?.cmdSN ?? 0
      $0.cmdSN = cmdSN
    }
    return pdu
  }

  func dataOut(tag: UInt32, ttt: UInt32, dataSN: UInt32, offset: Int, _ data: [UInt8], isFinal: Bool)
    -> ProtocolDataUnit
  {
    var pdu = ProtocolDataUnit(.dataOut, isFinal: isFinal, data: data)
    pdu.header.write {
      $0.initiatorTaskTag = tag
      $0.targetTransferTag = ttt
      $0.dataSN = dataSN
      $0.bufferOffset = UInt32(offset)
    }
    return pdu
  }

  /// Writes `data` as the parameters allow: immediate, unsolicited, by R2T. Returns the response.
  func write(_ cdb: [UInt8], _ data: [UInt8], segment: Int = 8192, lun: Int = 0) -> ProtocolDataUnit? {
    let first = min(Int(parameters["FirstBurstLength"] ?? "65536") ?? 0, data.count)
    let isImmediate = parameters["ImmediateData"] != "No"
    let isSolicitedOnly = parameters["InitialR2T"] != "No"
    let immediate = isImmediate ? min(first, segment) : 0
    let hasUnsolicited = !isSolicitedOnly && immediate < first
    let request = command(
      cdb, write: data.count, immediate: Array(data[..<immediate]), isFinal: !hasUnsolicited, lun: lun)
    let tag = request.header.read { $0.initiatorTaskTag }
    send(request)
    if hasUnsolicited { sendData(tag, reservedTag, immediate, Array(data[immediate..<first]), segment) }
    for _ in 0..<10_000 {
      for pdu in receive() {
        if pdu.opcode == .readyToTransfer {
          let (ttt, offset, length) = pdu.header.read {
            ($0.targetTransferTag, Int($0.bufferOffset), Int($0.desiredDataTransferLength))
          }
          sendData(tag, ttt, offset, Array(data[offset..<(offset + length)]), segment)
        } else {
          received.append(pdu)
        }
      }
      if let index = received.firstIndex(where: { $0.header.read { $0.initiatorTaskTag } == tag }) {
        return received.remove(at: index)
      }
    }
    return nil
  }

  func sendData(_ tag: UInt32, _ ttt: UInt32, _ start: Int, _ data: [UInt8], _ segment: Int) {
    var at = 0
    var dataSN: UInt32 = 0
    while at < data.count {
      let count = min(segment, data.count - at)
      send(
        dataOut(
          tag: tag, ttt: ttt, dataSN: dataSN, offset: start + at, Array(data[at..<(at + count)]),
          isFinal: at + count == data.count))
      at += count
      dataSN += 1
    }
  }

  /// Reads; returns status, data and the last PDU.
  func read(_ cdb: [UInt8], _ length: Int, lun: Int = 0) -> (status: UInt8, data: [UInt8], last: ProtocolDataUnit)? {
    send(command(cdb, read: length, lun: lun))
    return collect(length)
  }

  func collect(_ length: Int) -> (status: UInt8, data: [UInt8], last: ProtocolDataUnit)? {
    var data = [UInt8](repeating: 0xEE, count: length)
    var end = 0
    for pdu in receive() {
      if pdu.opcode == .dataIn {
        let offset = pdu.header.read { Int($0.bufferOffset) }
        data.replaceSubrange(offset..<(offset + pdu.data.count), with: pdu.data)
        end = max(end, offset + pdu.data.count)
        if pdu.header.read({ $0.hasStatus }) { return (pdu.header.read { $0.status }, Array(data[..<end]), pdu) }
      } else if pdu.opcode == .scsiResponse {
        return (pdu.header.read { $0.status }, Array(data[..<end]), pdu)
      } else {
        received.append(pdu)
      }
    }
    return nil
  }
}

/// READ(10) and WRITE(10).
func read10(_ lba: Int, _ blocks: Int) -> [UInt8] { block10(0x28, lba, blocks) }
func write10(_ lba: Int, _ blocks: Int) -> [UInt8] { block10(0x2A, lba, blocks) }
private func block10(_ code: UInt8, _ lba: Int, _ blocks: Int) -> [UInt8] {
  [code, 0] + (0..<4).map { UInt8(truncatingIfNeeded: lba >> (24 - 8 * $0)) } + [
    0, UInt8(blocks >> 8), UInt8(blocks & 255), 0,
  ]
}
