import ISCSI
import Initiator
import Ring
import Target

/// A login in which a correct initiator offers what the input says to a target with the limits that the input says. The target may
/// refuse, but answers by the rules; and what both have agreed on holds for the data of the session.
final class NegotiationPlay {
  private var input: FuzzInput
  private let ring: HandRing
  private let machine: TargetMachine
  private let witness: Witness

  var outcome: FuzzOutcome {
    var trace = ring.trace
    trace.fold(witness.ring.trace.high, witness.ring.trace.low)
    return FuzzOutcome(faults: witness.faults + ring.faults + witness.ring.faults + left, trace: trace)
  }
  private var left: [String] = []

  private static let name = "iqn.2026-11.example:fuzz"
  private static let values = [
    "Yes", "No", "None", "CRC32C", "CRC32C,None", "None,CRC32C", "0", "1", "2", "64", "511", "512", "1000", "4096",
    "8192", "65536", "262144",
    "0x10000", "16777215", "16777216", "65535", "3600", "CHAP", "CHAP,None", "RFC3720", "Reject",
    "Irrelevant", "NotUnderstood", "?", "", "Normal", "Discovery",
  ]
  private static let lengths: [UInt32] = [512, 513, 1000, 4096, 8192, 65_536, 262_144, 0xFF_FFFF]

  init(_ input: FuzzInput, fill: UInt8) {
    var input = input
    let arena = Arena(capacity: 4 << 20)
    arena.bytes(Extent(offset: 0, length: arena.capacity)).initializeMemory(as: UInt8.self, repeating: fill)
    var configuration = TargetConfiguration(
      nodes: [TargetNode(name: Self.name, logicalUnits: [LogicalUnitConfiguration(blockCount: 512)])],
      portals: [Portal(listener: HandRing.listener, address: SocketAddress(0, 0, 0, 0, port: 3260))])
    let how = input.flags()
    if how[0] { configuration.nodes[0].alias = "fuzz" }
    configuration.limits.initialR2T = how[1]
    configuration.limits.immediateData = !how[2]
    configuration.limits.offersCRC32C = !how[3]
    if how[4] {
      configuration.limits.maxRecvDataSegmentLength = input.pick(Self.lengths)
      configuration.limits.maxBurstLength = input.pick(Self.lengths)
      configuration.limits.firstBurstLength = input.pick(Self.lengths)
      configuration.limits.maxOutstandingR2T = 1 + UInt32(input.below(4))
    }
    guard let machine = try? TargetMachine(configuration: configuration, arena: arena) else {
      // allow(trap): a process that gets no address space for 256 KiB of blocks
      preconditionFailure("no address space for a target")
    }
    self.machine = machine
    ring = HandRing(machine)
    ring.step()
    witness = Witness(of: ring, fill: fill)
    if how[5] {
      ring.receiveMax = 100
      witness.ring.receiveMax = 100
    }
    self.input = input
  }

  func run() {
    let idle = machine.statistics
    if let login = witness.logIn(plan()) { useSession(login) }
    for index in ring.sockets.indices { ring.end(index) }
    ring.advance(.seconds(60))
    let rest = machine.statistics
    if rest.connections != 0 || rest.sessions != 0 || rest.tasks != 0 || rest.buffers != idle.buffers {
      left = ["a target that nobody is logged in to has not given back everything"]
    }
  }

  private func plan() -> LoginPlan {
    var plan = LoginPlan()
    let how = input.flags()
    plan.targetName = how[0] ? nil : Self.name
    plan.sessionType = how[1] ? .discovery : .normal
    if how[2] { plan.stages = how[3] ? [.securityNegotiation] : [.operationalNegotiation] }
    if how[4] { plan.operationalKeys = [] }
    plan.transitsAtOnce = !how[5]
    if how[6] { plan.segmentLength = 1 + input.below(256) }
    if how[7] { plan.declarations = [KeyValue("InitiatorAlias", "fuzz")] }
    for _ in 0..<32 where !input.isAtEnd {
      let place = input.byte()
      let isKnown = Int(place & 63) < KeyTable.all.count
      let key = isKnown ? KeyTable.all[Int(place & 63)].name.description : "X-" + word(input.run(), but: "=")
      let choice = input.below(Self.values.count + 1)
      let value = choice < Self.values.count ? Self.values[choice] : word(input.run())
      // A key that is said twice is for the target to refuse, if it knows it.
      if place & 0x80 == 0 || !isKnown {
        plan.offer(key, value)
      } else {
        plan.operationalKeys.append(KeyValue(key, value))
      }
    }
    return plan
  }

  /// What may stand in a value, or a key, of any bytes.
  private func word(_ bytes: [UInt8], but unwanted: Character? = nil) -> String {
    String(decoding: bytes.map { 0x2B + $0 % 80 }, as: UTF8.self).filter { $0 != unwanted }
  }

  /// What both have agreed on is used.
  private func useSession(_ login: LoginResult) {
    guard login.parameters.sessionType == .normal else {
      witness.asksForTargets("All")
      return witness.logsOut()
    }
    // The unit attention of a new nexus.
    _ = witness.command([0, 0, 0, 0, 0, 0], lun: 0)
    witness.writesAndReads(pattern(512 * (1 + input.below(200))), at: UInt8(input.below(200)), lun: 0)
    witness.pings(pattern(min(input.below(256) * 3, Int(login.parameters.targetMaxRecvDataSegmentLength))))
    witness.asksForTargets("")
    witness.logsOut()
  }
}
