import ISCSI
import Load
import Ring

/// A target that sends anything to a load. The load must neither trap nor hang; in the end all its sockets are closed, and what went
/// wrong is said.
final class LoadPlay {
  private var input: FuzzInput
  private let ring: HandRing
  private let machine: LoadMachine
  private var targets: [HostileTarget] = []
  private var faults: [String] = []

  /// The sessions that have asked to log out.
  private var logouts: Set<Int> = []

  var outcome: FuzzOutcome { FuzzOutcome(faults: faults + ring.faults, trace: ring.trace) }

  init(_ input: FuzzInput) {
    var input = input
    let how = input.flags()
    var configuration = LoadConfiguration(targets: [
      LoadTarget(address: SocketAddress(127, 0, 0, 1, port: 3260), name: "iqn.2026-11.example:disk", lun: 0)
    ])
    configuration.sessions = how[0] ? 3 : 1
    configuration.depth = how[1] ? 5 : 2
    configuration.length = [512, 4096, 20_480, 40_960][Int(how.byte >> 2 & 3)]
    configuration.readPercent = [100, 0, 50, 50][Int(how.byte >> 4 & 3)]
    configuration.headerDigest = how[6]
    configuration.dataDigest = how[7]
    configuration.warmUp = .milliseconds(10)
    configuration.duration = .milliseconds(100)
    configuration.patience = .seconds(2)
    let rate = input.byte()
    if rate > 0 { configuration.rate = UInt64(rate) * 10 }
    guard let machine = try? LoadMachine(configuration: configuration) else {
      // allow(trap): a process that gets no memory for three sessions
      preconditionFailure("no memory for a load")
    }
    self.machine = machine
    self.input = input
    ring = HandRing(machine)
    ring.step()
  }

  func run() {
    settle()
    while !input.isAtEnd, faults.isEmpty, ring.faults.isEmpty { act() }
    leave()
  }

  private func act() {
    let action = input.byte()
    guard !targets.isEmpty else { return }
    let place = Int(action >> 5) % targets.count
    switch action & 31 {
    case 0...11: answerRightly(place)
    case 12...23: answerAnyhow(place)
    case 24: ring.feed(targets[place].socket, input.run())
    case 25: ring.end(targets[place].socket, input.pick([.none, .connectionReset]))
    case 26: ring.holdsSends.toggle()
    case 27: ring.setPace(input.byte())
    case 28: machine.stop()
    default: ring.advance(.milliseconds(UInt64(input.byte())))
    }
    settle()
  }

  private func settle() {
    ring.settle()
    while targets.count < ring.sockets.count { targets.append(HostileTarget(socket: targets.count)) }
    for (place, target) in targets.enumerated() {
      target.take(ring.take(place))
      if target.requests.contains(where: { $0.opcode == .logoutRequest }) { logouts.insert(place) }
    }
  }

  private func answerRightly(_ place: Int) {
    guard let request = targets[place].request(input.below(4)) else { return }
    send(targets[place].rightAnswer(to: request), on: place)
  }

  private func answerAnyhow(_ place: Int) {
    let request = targets[place].request(input.below(16))
    send(targets[place].anyAnswer(&input, to: request), on: place)
  }

  private func send(_ pdu: ProtocolDataUnit, on place: Int) {
    let mangled = input.mangled(pdu, targets[place].digests)
    targets[place].noteSent(mangled.pdu)
    for part in mangled.parts {
      ring.feed(place, part)
      settle()
    }
  }

  /// However little the target says: the load comes to its end.
  private func leave() {
    guard faults.isEmpty, ring.faults.isEmpty else { return }
    ring.holdsSends = false
    for _ in 0..<8 {
      ring.advance(.seconds(1))
      settle()
    }
    if machine.state != .ended { faults.append("the load is still \(machine.state)") }
    for (index, socket) in ring.sockets.enumerated() where !socket.isClosed {
      faults.append("socket \(index) is left open")
    }
    let result = machine.currentResult
    let sessions = machine.configuration.sessions
    let cutOff = sessions - logouts.count
    if result.lostSessions < cutOff {
      faults.append("\(cutOff) sessions ended without a logout, and \(result.lostSessions) are told as lost")
    }
    if result.lostSessions > 0, result.firstError == nil { faults.append("a session is lost, and nobody says why") }
    if result.readySessions > sessions || result.lostSessions > sessions { faults.append("sessions are counted twice") }
  }
}
