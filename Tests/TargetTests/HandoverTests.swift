import ISCSI
import Ring
import Testing

@testable import Target

/// Connections that change machines. The first bench accepts them; the second serves the second node.
@Suite struct HandoverTests {
  private let first = WireBench(servers: [nil, MachineID(2)])
  private let second = WireBench(servers: [MachineID(1), nil])
  private static let name = WireBench.name + "2"

  private func text(_ keys: [(String, String)] = []) -> [UInt8] {
    var writer = TextWriter()
    writer.append("InitiatorName", "iqn.2026-11.example:a")
    writer.append("TargetName", Self.name)
    for (key, value) in keys { writer.append(key, value) }
    return writer.bytes
  }

  @Test func aLoginGoesOnWhereItsNodeIs() throws {
    let idle = (first.machine.statistics.buffers, second.machine.statistics.buffers)
    let asked = BenchInitiator(first)
    asked.send(asked.loginRequest(text: text([("HeaderDigest", "CRC32C")])))
    #expect(asked.receive().isEmpty)
    let post = try #require(first.posts.first)
    #expect(post.socket == asked.socket)
    #expect(first.machine.statistics.handovers == 1)
    #expect(first.machine.statistics.connections == 0)
    #expect(first.machine.statistics.buffers == idle.0)

    let taken = BenchInitiator(second, socket: second.deliver(post.message))
    #expect(taken.finishLogin() == 0)
    #expect(taken.parameters["HeaderDigest"] == "CRC32C")
    #expect(second.machine.statistics.takeovers == 1)
    _ = taken.read([0, 0, 0, 0, 0, 0], 0, lun: 3)
    #expect(taken.read(read10(0, 2), 1024, lun: 3)?.status == 0)
    second.drop(taken.socket)
    #expect(second.machine.statistics.connections == 0)
    #expect(second.machine.statistics.buffers == idle.1)
  }

  @Test func whatCameBehindTheRequestGoesAlong() throws {
    let asked = BenchInitiator(first)
    var security = asked.loginRequest(text: text(), stage: .securityNegotiation)
    security.header.write { $0.nextStage = LoginStage.operationalNegotiation.rawValue }
    let operational = asked.loginRequest(text: [UInt8]("MaxBurstLength=65536\0".utf8))
    first.feed(asked.socket, security.encoded(asked.options) + operational.encoded(asked.options))
    let taken = BenchInitiator(second, socket: second.deliver(try #require(first.posts.first).message))
    let answers = taken.receive()
    #expect(answers.map { $0.header.read { $0.currentStage } } == [0, 1])
    #expect(answers.map { $0.header.read { $0.statSN } } == [1, 2])
    #expect(second.machine.statistics.sessions == 1)
  }

  @Test func theAnswersToPartsOfTheTextAreSentFirst() throws {
    let asked = BenchInitiator(first)
    let whole = text()
    var part = asked.loginRequest(text: Array(whole[..<30]))
    part.header.write {
      $0.isTransit = false
      $0.nextStage = 0
      $0.isContinued = true
    }
    first.holdsSends = true
    asked.send(part)
    asked.send(asked.loginRequest(text: Array(whole[30...])))
    #expect(first.posts.isEmpty)
    #expect(first.room(asked.socket) == 0, "nothing more is received")
    first.holdsSends = false
    first.releaseSends()
    let answer = try #require(asked.receive().first)
    #expect(answer.data.isEmpty)
    let taken = BenchInitiator(second, socket: second.deliver(try #require(first.posts.first).message))
    let last = try #require(taken.receive().first)
    #expect(last.header.read { $0.statSN } == answer.header.read { $0.statSN } + 1)
    #expect(last.header.read { $0.loginStatus } == 0)
  }

  @Test(arguments: [RingError.unreachable, .noResources])
  func aMachineThatIsNotReachedIsAnUnavailableService(_ error: RingError) {
    first.postError = error
    let asked = BenchInitiator(first)
    #expect(asked.login(text: text()) == LoginStatus.serviceUnavailable.rawValue)
    #expect(first.hasEnded(asked.socket))
    first.advance(.seconds(60))
    #expect(first.machine.statistics.connections == 0)
  }

  @Test func machinesThatDisagreeDoNotPassAConnectionRound() throws {
    let asked = BenchInitiator(first)
    asked.send(asked.loginRequest(text: text()))
    let third = WireBench(servers: [MachineID(1), MachineID(1)])
    let taken = BenchInitiator(third, socket: third.deliver(try #require(first.posts.first).message))
    #expect(taken.finishLogin() == LoginStatus.targetError.rawValue)
    #expect(third.posts.isEmpty)
  }

  @Test func anyDamageToAMessageCostsItsConnectionAtMost() throws {
    let asked = BenchInitiator(first)
    asked.send(asked.loginRequest(text: text()))
    let message = try #require(first.posts.first).message
    let idle = second.machine.statistics.buffers
    for length in 0..<message.count { second.drop(second.deliver(Array(message[..<length]))) }
    for index in message.indices {
      for bits: UInt8 in [0x01, 0x80, 0xFF] {
        var damaged = message
        damaged[index] ^= bits
        second.drop(second.deliver(damaged))
      }
    }
    _ = second.deliver(message + [UInt8](repeating: 0, count: 200_000))
    second.advance(.seconds(60))
    #expect(second.machine.statistics.connections == 0)
    #expect(second.machine.statistics.buffers == idle)
    #expect(BenchInitiator(second, socket: second.deliver(message)).finishLogin() == 0, "the mailbox is open")
  }

  @Test func aSumHasEveryCounter() {
    let asked = BenchInitiator(first)
    _ = asked.login()
    let one = first.machine.statistics
    let twice = one + one
    // None is left out, not even one that is zero here, and none is there twice.
    let summed = Set<AnyKeyPath>(TargetStatistics.counts).union(TargetStatistics.counters)
    #expect(summed.count == Mirror(reflecting: one).children.count)
    #expect(summed.count == TargetStatistics.counts.count + TargetStatistics.counters.count)
    for (single, double) in zip(Mirror(reflecting: one).children, Mirror(reflecting: twice).children) {
      if let left = single.value as? Int, let right = double.value as? Int { #expect(right == 2 * left) }
      if let left = single.value as? UInt64, let right = double.value as? UInt64 { #expect(right == 2 * left) }
    }
  }
}
