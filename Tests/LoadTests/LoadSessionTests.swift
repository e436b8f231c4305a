import ISCSI
import Ring
import Testing

@testable import Load

/// How the sessions of a load begin and end, and how they are counted.
@Suite struct LoadSessionTests {
  private static let target = LoadTarget(
    address: SocketAddress(192, 0, 2, 1, port: 3260), name: "iqn.2026-11.example:x", lun: 0)

  /// The operations of one step, `ms` after the start.
  private func step(_ machine: LoadMachine, _ completions: [Completion] = [], at ms: UInt64) -> [Operation] {
    var operations = Operations()
    machine.step(completions, now: .zero + .milliseconds(ms), into: &operations)
    return Array(operations.items)
  }

  @Test func aSessionThatIsLostBeforeTheOthersAreReadyBeginsNothing() throws {
    let place = try LoadWorld(targets: 2) { load, _ in load.sessions = 2 }
    place.world.pause(place.targets[1].process)
    #expect(
      place.world.run(until: { place.load.currentResult.readySessions == 1 }, orUntil: .zero + .seconds(1)))
    place.world.crash(place.targets[0].process)
    place.run(for: .milliseconds(500))
    #expect(place.load.currentResult.lostSessions == 1)
    #expect(place.load.state == .connecting)
    place.world.resume(place.targets[1].process)
    #expect(place.run(until: .measuring))
    #expect(place.load.currentResult.readySessions == 2)
    #expect(place.run(until: .ended))
    #expect(place.load.currentResult.commands > 50)
    #expect(place.load.currentResult.lostSessions == 1)
  }

  /// Connections that come about after the load was stopped are closed, and their sessions do not count a second time.
  @Test func aSessionEndsOnce() throws {
    var load = LoadConfiguration(targets: [Self.target])
    load.sessions = 4
    let machine = try LoadMachine(configuration: load)
    let connects = step(machine, at: 0).filter { $0.kind == .connect }
    #expect(connects.count == 4)
    _ = step(machine, [Completion(token: connects[0].token, result: 10)], at: 1)
    machine.stop()
    var closes = step(machine, at: 2)
    // Before that one's close is carried out, two others come about.
    closes += step(machine, [1, 2].map { Completion(token: connects[$0].token, result: 10 + UInt64($0)) }, at: 3)
    closes.removeAll { $0.kind != .close }
    #expect(closes.count == 3)
    _ = step(machine, closes.map { Completion(token: $0.token) }, at: 4)
    _ = step(machine, at: 5)
    #expect(machine.state == .ended)
    #expect(machine.currentResult.lostSessions == 4)
  }

  @Test func whatIsStoppedIsNotSaidToHaveTakenTooLong() throws {
    let machine = try LoadMachine(configuration: LoadConfiguration(targets: [Self.target]))
    _ = step(machine, at: 0)
    machine.stop()
    _ = step(machine, at: 2)
    let error = machine.currentResult.firstError ?? ""
    #expect(error.hasSuffix("is not ready when the load is stopped"), "\(error)")
  }

  /// A target that lets a session go unasked has not done what it was to do; and nobody waits for such a session to be ready.
  @Test func aLogoutThatNobodyHasAskedForIsALoss() throws {
    let machine = try LoadMachine(configuration: LoadConfiguration(targets: [Self.target]))
    let connect = try #require(step(machine, at: 0).first { $0.kind == .connect })
    var operations = Operations()
    machine.step([Completion(token: connect.token, result: 10)], now: .zero, into: &operations)
    let receive = try #require(operations.items.first { $0.kind == .receive })
    let logout = ProtocolDataUnit(.logoutResponse).encoded()
    machine.arena.bytes(operations.extents[Int(receive.firstExtent)]).copyBytes(from: logout)
    let received = Completion(token: receive.token, result: UInt64(logout.count))
    let close = try #require(step(machine, [received], at: 1).first { $0.kind == .close })
    #expect(machine.currentResult.lostSessions == 1)
    let error = machine.currentResult.firstError ?? ""
    #expect(error.hasSuffix("got a Logout Response that it has not asked for"), "\(error)")
    _ = step(machine, [Completion(token: close.token)], at: 2)
    #expect(machine.state == .ended)
  }

  @Test func aLoadThatIsStoppedBeforeItIsMeasuredIsNotMeasured() throws {
    let place = try LoadWorld { _, _ in }
    #expect(place.run(until: .warmingUp))
    place.load.stop()
    #expect(place.run(until: .ended))
    #expect(place.load.currentResult.measured == .zero)
    #expect(place.load.currentResult.commands == 0)
    #expect(place.load.currentResult.lostSessions == 0)
  }

  /// A load that leaves the target alone for long is still there.
  @Test func theTargetsPingsAreAnswered() throws {
    let place = try LoadWorld { load, limits in
      load.rate = 4
      load.duration = .seconds(3)
      limits.pingInterval = .milliseconds(50)
      limits.pingTimeout = .milliseconds(50)
    }
    #expect(place.run(until: .ended))
    let result = place.load.currentResult
    #expect(result.lostSessions == 0 && result.firstError == nil, "\(result.firstError ?? "")")
    #expect(11...13 ~= result.commands, "\(result.commands) in 3 s")
  }

  /// RFC 7143 §4.2.2: 2^31 and 2^32 lie among the numbers.
  @Test(arguments: [0x7FFF_FFC0, 0xFFFF_FFC0] as [UInt32]) func cmdSNGoesOnBehindItsEnd(first: UInt32) throws {
    let place = try LoadWorld { _, limits in limits.commandWindow = 32 }
    for session in place.load.sessions { session.cmdSN = first }
    #expect(place.run(until: .ended))
    let result = place.load.currentResult
    #expect(result.lostSessions == 0 && result.firstError == nil, "\(result.firstError ?? "")")
    #expect(result.commands > 100)
  }

  @Test func aUnitThatIsNotThereIsAskedAbout() throws {
    let place = try LoadWorld { load, _ in load.targets[0].lun = 7 << 48 }
    #expect(place.run(until: .ended))
    let error = place.load.currentResult.firstError ?? ""
    let end =
      "TEST UNIT READY ended with CHECK CONDITION, ILLEGAL REQUEST, LOGICAL UNIT NOT SUPPORTED 20 times; is this its LUN?"
    #expect(error.hasSuffix(end), "\(error)")
  }

  /// Of many sessions each begins to receive with little room. Commands that followed from that alone would leave in two pieces.
  @Test(arguments: [17, 64]) func commandsThatFollowFromAnswersLeaveTogether(sessions: Int) throws {
    let depth = 32
    let place = try LoadWorld { load, _ in
      load.sessions = sessions
      load.depth = depth
      load.length = 4096
      load.duration = .seconds(1)
    }
    let target = place.targets[0].machine
    #expect(place.run(until: .measuring))
    for _ in 0..<4 {
      place.world.pause(place.process)
      place.run(for: .milliseconds(20))
      let commands = target.statistics.commands + UInt64(sessions * depth)
      let sends = place.watched.sends + sessions
      place.world.resume(place.process)
      let hasAll = { target.statistics.commands >= commands }
      #expect(place.world.run(until: hasAll, orUntil: place.world.now + .seconds(1)))
      #expect(target.statistics.commands == commands)
      // Some have begun to receive before the pause.
      #expect(sends...sends + sessions / 8 ~= place.watched.sends)
    }
  }

  /// The room with which each of many sessions waits is smaller than the longest response of a login (RFC 7143 §6.1).
  @Test(arguments: [1, 17]) func aLongResponseIsTakenWhole(sessions: Int) throws {
    var load = LoadConfiguration(targets: [Self.target])
    load.sessions = sessions
    let machine = try LoadMachine(configuration: load)
    let connect = try #require(step(machine, at: 0).first { $0.kind == .connect })
    var response = ProtocolDataUnit(.loginResponse, data: Array(repeating: 0x41, count: 8192))
    response.header.write { $0.statusClass = 2 }
    var left = response.encoded()[...]
    var completion = Completion(token: connect.token, result: 10)
    while !left.isEmpty {
      var operations = Operations()
      machine.step([completion], now: .zero, into: &operations)
      let receive = try #require(operations.items.first { $0.kind == .receive })
      let place = machine.arena.bytes(operations.extents[Int(receive.firstExtent)])
      place.copyBytes(from: left.prefix(place.count))
      completion = Completion(token: receive.token, result: UInt64(min(place.count, left.count)))
      left = left.dropFirst(place.count)
    }
    _ = step(machine, [completion], at: 1)
    let error = machine.currentResult.firstError ?? ""
    #expect(error.contains("0x0200"), "\(error)")
  }
}
