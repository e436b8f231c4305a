import ISCSI
import Initiator
import Ring
import SimClock
import SimNet
import SimRing
import Target
import Testing

/// Several initiators against the real target while connections are reset, segments lost and tasks aborted: no rule is
/// broken, nothing that was acknowledged is lost, everything comes to an end, and the target gives everything back.
@Suite struct StormTests {
  @Test(arguments: 1...4 as ClosedRange<UInt64>) func everythingComesToAnEnd(seed: UInt64) throws {
    let world = World(seed: seed)
    var draw = world.random.stream("test.storm")
    world.network.defaultLink.loss = Ratio(draw.next(below: 3 as UInt64), in: 200)
    world.network.defaultLink.segmentation = [.full, .drawn][draw.next(below: 2)]
    world.network.defaultLink.shortSend = Ratio(1, in: 20)
    let address = SocketAddress(10, 0, 0, 1, port: 3260)
    let host = world.addHost("target", addresses: [address])
    let process = world.addProcess("target", on: host)
    guard let listener = try? world.ring(of: process).listen(at: address, backlog: 16).listener else {
      return #expect(Bool(false))
    }
    let unit = LogicalUnitConfiguration(lun: 0, blockCount: 4096)
    let target = try TargetMachine(
      configuration: TargetConfiguration(
        nodes: [TargetNode(name: StormWorker.target, logicalUnits: [unit])],
        portals: [Portal(listener: listener, address: address)]), arena: Arena(capacity: 64 << 20))
    world.start(process, target)
    let workers = (0..<3).map { index in
      let client = world.addHost("i\(index)", addresses: [SocketAddress(10, 0, 1, UInt8(index + 1), port: 0)])
      let worker = StormWorker(index: index, address: address, draw: world.random.stream("test.worker.\(index)"))
      world.start(world.addProcess("i\(index)", on: client), worker)
      return worker
    }
    let limit = Instant(nanoseconds: 600_000_000_000)
    var resets = 0
    while !workers.allSatisfy(\.isDone), world.now < limit {
      world.run(until: world.now + .microseconds(draw.next(below: 20_000 as UInt64)))
      if draw.chance(1, of: 4), resets < 20 { resets += world.resetConnections(of: host) }
    }
    for worker in workers {
      #expect(worker.faults == [], "initiator \(worker.index)")
      #expect(worker.isDone, "initiator \(worker.index), \(worker.done) commands done")
    }
    #expect(world.defects == [])
    world.run(until: world.now + .seconds(300))
    #expect(target.statistics.connections == 0 && target.statistics.sessions == 0 && target.statistics.tasks == 0)
    #expect(workers.allSatisfy { $0.machine.bytesInUse == 0 })
    #expect(resets > 0)
  }
}

/// An initiator that logs in again whenever it is thrown out, and knows for each block of its own part of the unit what it
/// must read, where it can know.
private final class StormWorker: Machine {
  static let target = "iqn.2026-11.example:storm"
  private static let blocks = 512
  private static let depth = 4
  private static let commands = 150

  let index: Int
  let machine = InitiatorMachine(arenaCapacity: 8 << 20)
  var arena: Arena { machine.arena }
  private let address: SocketAddress
  private var draw: RandomStream
  private var connection: ConnectionID?
  private(set) var done = 0
  private(set) var faults: [String] = []
  private(set) var isDone = false

  /// The stamp that each block holds; nil where a write may or may not have come to pass. Blocks begin as zeroes.
  private var stamps: [UInt8?]
  private var busy: [Bool]
  private var outstanding: [Access] = []

  private struct Access {
    var task: TaskID
    var range: Range<Int>
    /// The stamp that is written; nil for a read.
    var stamp: UInt8?
  }

  init(index: Int, address: SocketAddress, draw: RandomStream) {
    self.index = index
    self.address = address
    self.draw = draw
    stamps = Array(repeating: 0, count: Self.blocks)
    busy = Array(repeating: false, count: Self.blocks)
  }

  func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    if connection == nil, !isDone { logIn() }
    machine.step(completions, now: now, into: &operations)
    for event in machine.takeEvents() { handle(event) }
    while machine.hasWork { machine.step([], now: now, into: &operations) }
  }

  private func logIn() {
    var plan = LoginPlan()
    plan.initiatorName = "iqn.2026-11.example:i\(index)"
    plan.targetName = Self.target
    plan.offer("InitialR2T", draw.chance(1, of: 2) ? "Yes" : "No")
    plan.offer("MaxBurstLength", "8192")
    plan.offer("FirstBurstLength", "4096")
    plan.offer("MaxRecvDataSegmentLength", "3000")
    do {
      let id = try machine.connect(to: address)
      connection = id
      try machine.login(plan, on: id)
    } catch {
      faults.append("\(error)")
    }
  }

  private func handle(_ event: InitiatorEvent) {
    switch event.kind {
    case .violation(let violation), .digestError(let violation):
      faults.append("\(violation.rule): \(violation.detail) \(violation.pdu as Any)")
    case .loginEnded(let result) where result.isSuccessful: fill()
    case .loginEnded(let result): if let status = result.status { faults.append("login status \(status)") }
    case .taskEnded(let result): ended(result)
    case .connectFailed, .closed:
      guard event.connection == connection else { return }
      connection = nil
      if !isDone { logIn() }
    case .rejected(let reason, let header):
      faults.append("\(event.time.nanoseconds) rejected: \(reason) \(header.map { "\($0)" } ?? "")")
    default: break
    }
  }

  private func ended(_ result: TaskResult) {
    if case .logout = result.outcome {
      isDone = true
      return
    }
    guard let place = outstanding.firstIndex(where: { $0.task == result.task }) else { return fill() }
    let access = outstanding.remove(at: place)
    done += 1
    for block in access.range { busy[block] = false }
    switch result.outcome {
    case .command(let outcome) where outcome.status == 0: complete(access, outcome.dataIn)
    case .command(let outcome):
      // A unit attention, or no room: the command was not begun.
      let key = outcome.sense.count > 2 ? outcome.sense[2] & 15 : 0
      if !(outcome.status == 2 && key == 6) && outcome.status != 0x08 && outcome.status != 0x28 {
        faults.append("status \(outcome.status), sense \(outcome.sense)")
      }
    case .aborted, .connectionLost:
      if access.stamp != nil { for block in access.range { stamps[block] = nil } }
    default: faults.append("\(result.outcome)")
    }
    fill()
  }

  private func complete(_ access: Access, _ data: [UInt8]) {
    if let stamp = access.stamp {
      for block in access.range { stamps[block] = stamp }
      return
    }
    for (place, block) in access.range.enumerated() {
      let bytes = data[(place * 512)..<((place + 1) * 512)]
      guard let first = bytes.first else { continue }
      if let stamp = stamps[block], first != stamp { faults.append("block \(block) reads \(first), not \(stamp)") }
      if !bytes.allSatisfy({ $0 == first }) { faults.append("block \(block) is torn") }
      // What may or may not have been written is settled by reading it.
      stamps[block] = first
    }
  }

  private func fill() {
    guard let connection, machine.status(of: connection)?.phase == .fullFeature else { return }
    guard done < Self.commands else {
      if outstanding.isEmpty { _ = try? machine.logout(LogoutRequest(), on: connection) }
      return
    }
    do {
      while outstanding.count < Self.depth { try issue(connection) }
      if draw.chance(1, of: 20), let access = outstanding.last {
        var request = TaskManagementRequest(draw.chance(1, of: 3) ? .logicalUnitReset : .abortTask)
        if request.function == TaskManagementFunction.abortTask.rawValue { request.task = access.task }
        _ = try machine.manage(request, on: connection)
      }
    } catch InitiatorError.connectionClosed, InitiatorError.noSuchTask {
      // It went while the commands were made.
    } catch {
      faults.append("\(error)")
    }
  }

  private func issue(_ connection: ConnectionID) throws(InitiatorError) {
    var first = draw.next(below: Self.blocks)
    while busy[first] { first = (first + 1) % Self.blocks }
    var end = first + 1
    let most = 1 + draw.next(below: 40)
    while end < Self.blocks, !busy[end], end - first < most { end += 1 }
    let stamp: UInt8? = draw.chance(1, of: 2) ? UInt8(truncatingIfNeeded: draw.next()) : nil
    var cdb = [UInt8](repeating: 0, count: 10)
    cdb[0] = stamp == nil ? 0x28 : 0x2A
    let lba = index * Self.blocks + first
    cdb[4] = UInt8(truncatingIfNeeded: lba >> 8)
    cdb[5] = UInt8(truncatingIfNeeded: lba)
    cdb[8] = UInt8(truncatingIfNeeded: end - first)
    var request = CommandRequest(cdb: cdb)
    let length = (end - first) * 512
    if let stamp {
      request.dataOut = [UInt8](repeating: stamp, count: length)
    } else {
      request.expectedDataIn = length
    }
    let task = try machine.execute(request, on: connection)
    for block in first..<end { busy[block] = true }
    outstanding.append(Access(task: task, range: first..<end, stamp: stamp))
  }
}
