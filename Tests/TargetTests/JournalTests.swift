import ISCSI
import Ring
import Testing

@testable import Target

/// What whoever runs a target is told of it.
@Suite struct JournalTests {
  private let name = "iqn.2026-11.example:a"

  /// What has happened since the last time.
  private func kinds(_ bench: WireBench) -> [TargetEvent.Kind] { bench.machine.takeEvents().events.map(\.kind) }

  /// A session whose beginning has been told.
  private func session(_ bench: WireBench) -> BenchInitiator {
    let initiator = TargetMachineTests.session(bench)
    #expect(kinds(bench) == [.loggedIn])
    return initiator
  }

  @Test func whoComesAndGoesIsNamedWithWhereFromAndWhereTo() {
    let bench = WireBench()
    #expect(!bench.machine.hasEvents)
    let initiator = BenchInitiator(bench)
    #expect(initiator.login() == 0)
    #expect(bench.machine.hasEvents)
    var logout = ProtocolDataUnit(.logoutRequest)
    logout.header.write {
      $0.isImmediate = true
      $0.initiatorTaskTag = 7
      $0.cmdSN = initiator.cmdSN
    }
    initiator.send(logout)
    let (events, lost) = bench.machine.takeEvents()
    #expect(events.map(\.kind) == [.loggedIn, .ended(.logout)] && lost == 0)
    for event in events {
      #expect(event.initiator == name && event.target == WireBench.name)
      #expect(event.remoteAddress == bench.remoteAddress)
      #expect(event.localAddress == SocketAddress(127, 0, 0, 1, port: 3260))
    }
    bench.drop(initiator.socket)
    #expect(!bench.machine.hasEvents, "that it closes its connection behind the logout is no news")
  }

  @Test func aRefusedLoginSaysWhoWantedWhat() throws {
    let bench = WireBench()
    let initiator = BenchInitiator(bench)
    #expect(initiator.login(target: "iqn.2026-11.example:none") == LoginStatus.notFound.rawValue)
    let event = try #require(bench.machine.takeEvents().events.first)
    #expect(event.kind == .loginRefused(.notFound))
    #expect(event.initiator == name && event.target == "iqn.2026-11.example:none")
    bench.advance(.seconds(60))
    #expect(!bench.machine.hasEvents)
    let stray = BenchInitiator(bench)
    stray.tsih = 4711
    #expect(stray.login() == LoginStatus.sessionDoesNotExist.rawValue)
    let second = bench.machine.takeEvents().events
    #expect(second.map(\.kind) == [.loginRefused(.sessionDoesNotExist)] && second.first?.initiator == name)
  }

  /// Nothing more of it is waited for, and it gets no answer.
  @Test(arguments: ["GET / HTTP/1.0\r\n\r\n", "\u{16}\u{3}\u{1}", "x"])
  func whoSpeaksSomethingElseIsShownTheDoorAtItsFirstByte(_ text: String) {
    let bench = WireBench()
    let initiator = BenchInitiator(bench)
    bench.feed(initiator.socket, Array(text.utf8))
    #expect(bench.isClosed(initiator.socket) && bench.take(initiator.socket).isEmpty)
    #expect(kinds(bench) == [.ended(.noLogin(Array(text.utf8)))])
    #expect(bench.machine.statistics.connections == 0)
  }

  @Test func ofWhatIsNoLoginTheBeginningIsShown() {
    let bench = WireBench()
    let initiator = BenchInitiator(bench)
    bench.feed(initiator.socket, [UInt8](repeating: 0x41, count: 5000))
    #expect(kinds(bench) == [.ended(.noLogin([UInt8](repeating: 0x41, count: ConnectionEnd.shownMax)))])
  }

  /// As a load balancer does every other second.
  @Test func whoOnlySeesWhetherSomebodyListensIsNoNews() {
    let bench = WireBench()
    bench.drop(BenchInitiator(bench).socket)
    #expect(!bench.machine.hasEvents)
    let initiator = BenchInitiator(bench)
    bench.feed(initiator.socket, [0x43])
    bench.drop(initiator.socket)
    #expect(kinds(bench) == [.ended(.broken(.connectionReset))])
  }

  @Test func aLoginThatTakesTooLongIsToldAsThat() {
    let bench = WireBench()
    _ = BenchInitiator(bench)
    bench.advance(.seconds(15))
    #expect(kinds(bench) == [.ended(.loginTimedOut)])
  }

  @Test func whyASessionEndsIsTold() {
    let bench = WireBench()
    var initiator = session(bench)
    TargetMachineTests.replaceConnection(of: &initiator)
    #expect(kinds(bench) == [.ended(.replaced), .loggedIn])
    let next = BenchInitiator(bench)
    #expect(next.login() == 0)
    #expect(kinds(bench) == [.ended(.replaced), .loggedIn])
    bench.advance(.seconds(30))
    #expect(next.receive().map(\.opcode) == [.nopIn])
    bench.advance(.seconds(30))
    #expect(kinds(bench) == [.ended(.silent)])
    let rude = session(bench)
    var pdu = ProtocolDataUnit(.nopOut)
    pdu.header.write { $0.dataSegmentLength = 0xFF_FFFF }
    rude.send(pdu)
    #expect(kinds(bench) == [.ended(.protocolError(opcode: Opcode.nopOut.rawValue))])
    bench.drop(session(bench).socket)
    #expect(kinds(bench) == [.ended(.broken(.connectionReset))])
  }

  @Test func whoFindsNoRoomIsCounted() {
    let bench = WireBench { $0.connectionsMax = 1 }
    _ = session(bench)
    #expect(bench.isClosed(BenchInitiator(bench).socket))
    let event = bench.machine.takeEvents().events.first
    #expect(event?.kind == .turnedAway(.connections) && event?.localAddress?.port == 3260)
    bench.failAccept()
    #expect(kinds(bench) == [.turnedAway(.descriptors)])
  }

  @Test func whatAMediumFailsInIsTold() {
    let units = [LogicalUnitConfiguration(lun: 5, blockCount: 8192, backing: .medium(Handle(7), alignment: 1))]
    let bench = WireBench(units: units, mediumLength: 4 << 20)
    let initiator = session(bench)
    _ = initiator.read([0, 0, 0, 0, 0, 0], 0, lun: 5)
    bench.holdsMedia = true
    initiator.send(initiator.command(write10(77, 1), write: 512, immediate: [UInt8](repeating: 1, count: 512), lun: 5))
    #expect(bench.heldMedia.count == 1)
    bench.heldMedia[0].error = .noSpace
    bench.holdsMedia = false
    bench.releaseMedia()
    let event = bench.machine.takeEvents().events.first
    #expect(event?.kind == .mediumFailed(command: "WRITE(10)", lun: 5, lba: 77, .noSpace))
    #expect(event?.target == WireBench.name)
  }

  @Test func aMediumThatHangsIsToldOnceAndThatItGoesOn() {
    let units = [LogicalUnitConfiguration(lun: 5, blockCount: 8192, backing: .medium(Handle(7), alignment: 1))]
    let bench = WireBench(units: units, mediumLength: 4 << 20)
    let initiator = session(bench)
    _ = initiator.read([0, 0, 0, 0, 0, 0], 0, lun: 5)
    func send() { initiator.send(initiator.command(read10(0, 1), read: 512, lun: 5)) }
    func tick(_ seconds: UInt64) -> [TargetEvent.Kind] {
      for _ in 0..<seconds { bench.advance(.seconds(1)) }
      return kinds(bench)
    }
    // Idle for any time, and then one that takes some.
    #expect(tick(15) == [])
    bench.holdsMedia = true
    send()
    #expect(tick(9) == [])
    // One that is asked for later, and ended: it goes on, although the first has not.
    send()
    bench.completeLastHeld()
    #expect(tick(9) == [])
    #expect(tick(1) == [.mediumHangs(lun: 5)])
    send()
    #expect(tick(7) == [])
    bench.holdsMedia = false
    bench.releaseMedia()
    #expect(kinds(bench) == [.mediumAnswers(lun: 5, after: .seconds(17))])
    #expect(tick(12) == [])
  }

  @Test func whatNobodyAsksForIsBounded() {
    let bench = WireBench()
    for _ in 0..<Journal.lengthMax + 44 { bench.feed(BenchInitiator(bench).socket, [0]) }
    let (events, lost) = bench.machine.takeEvents()
    #expect(events.count == Journal.lengthMax && lost == 44)
    #expect(!bench.machine.hasEvents && bench.machine.takeEvents().lost == 0)
  }

  @Test func theSessionsThatThereAreAreListed() {
    let bench = WireBench()
    let initiator = session(bench)
    let discovery = BenchInitiator(bench)
    discovery.isid += 1
    #expect(discovery.login([("SessionType", "Discovery")], target: nil) == 0)
    let sessions = bench.machine.sessions
    #expect(sessions.map(\.target) == [WireBench.name, nil] && sessions.map(\.isDiscovery) == [false, true])
    #expect(sessions.allSatisfy { $0.initiator == name && $0.remoteAddress == bench.remoteAddress && $0.tasks == 0 })
    bench.drop(initiator.socket)
    #expect(bench.machine.sessions.map(\.isDiscovery) == [true])
  }
}
