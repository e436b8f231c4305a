import Ring
import SimClock
import SimNet
import Testing

@Suite struct ConnectionTests {
  @Test("Connecting takes a round trip")
  func roundTrip() throws {
    let wire = Wire {
      $0.latency = .milliseconds(3)
      $0.jitter = .zero
    }
    _ = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 1, owner: 7)
    let client = wire.network.connect(from: wire.a, to: wire.serverAddress, owner: 9)
    wire.run(.microseconds(5999))
    #expect(wire.network.connectResult(client) == nil)
    wire.run(.microseconds(1))
    #expect(wire.network.connectResult(client) == RingError.none)
    #expect(wire.signals.contains { $0.kind == .connected && $0.owner == 9 })
    #expect(wire.signals.contains { $0.kind == .accepted && $0.owner == 7 })
  }

  @Test("Where nobody listens a connect is refused")
  func refused() {
    let wire = Wire()
    let client = wire.network.connect(from: wire.a, to: wire.serverAddress, owner: 1)
    wire.run(.milliseconds(1))
    #expect(wire.network.connectResult(client) == .connectionRefused)
    #expect(wire.network.counters.connectionsRefused == 1)
  }

  @Test("An address of nobody's is unreachable, and so is one without a route")
  func unreachable() throws {
    let wire = Wire()
    let nobody = wire.network.connect(from: wire.a, to: SocketAddress(10, 9, 9, 9, port: 1), owner: 1)
    wire.network.reject(from: wire.a, to: wire.b)
    _ = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 1, owner: 0)
    let noRoute = wire.network.connect(from: wire.a, to: wire.serverAddress, owner: 2)
    wire.run(.milliseconds(1))
    #expect(wire.network.connectResult(nobody) == .unreachable)
    #expect(wire.network.connectResult(noRoute) == .unreachable)
    wire.network.admit(from: wire.a, to: wire.b)
    let again = wire.network.connect(from: wire.a, to: wire.serverAddress, owner: 3)
    wire.run(.milliseconds(1))
    #expect(wire.network.connectResult(again) == RingError.none)
  }

  @Test("A connect that is never answered times out after its repetitions")
  func timedOut() throws {
    var options = HostOptions()
    options.connectRetries = 2
    let wire = Wire(host: options)
    _ = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 1, owner: 0)
    wire.network.cut(from: wire.a, to: wire.b)
    let client = wire.network.connect(from: wire.a, to: wire.serverAddress, owner: 1)
    wire.run(.milliseconds(6999))
    #expect(wire.network.connectResult(client) == nil)
    wire.run(.milliseconds(2))
    #expect(wire.network.connectResult(client) == .timedOut)
  }

  @Test("A connect over a partition succeeds once that is repaired in time", arguments: [true, false])
  func repaired(cutsRequests: Bool) throws {
    let wire = Wire()
    let (listener, _) = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 1, owner: 0)
    let (from, to) = cutsRequests ? (wire.a, wire.b) : (wire.b, wire.a)
    wire.network.cut(from: from, to: to)
    let client = wire.network.connect(from: wire.a, to: wire.serverAddress, owner: 1)
    wire.run(.milliseconds(500))
    wire.network.repair(from: from, to: to)
    wire.run(.milliseconds(600))
    #expect(wire.network.connectResult(client) == RingError.none)
    let server = try #require(wire.network.accept(listener))
    #expect(wire.network.accept(listener) == nil, "the repeated request makes no second connection")
    #expect(wire.transfer([1, 2, 3], from: client, to: server) == [1, 2, 3])
  }

  @Test("A full accept queue drops requests; they succeed by repetition when there is room")
  func backlog() throws {
    let wire = Wire()
    let (listener, _) = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 1, owner: 0)
    let clients = (0..<4).map { wire.network.connect(from: wire.a, to: wire.serverAddress, owner: UInt64($0)) }
    wire.run(.milliseconds(10))
    let connected = clients.filter { wire.network.connectResult($0) == RingError.none }
    #expect(connected.count == 2, "the backlog and one more, as on Linux")
    #expect(wire.network.counters.acceptQueueOverflows == 2)
    _ = wire.network.accept(listener)
    _ = wire.network.accept(listener)
    wire.run(.milliseconds(1010))
    #expect(clients.allSatisfy { wire.network.connectResult($0) == RingError.none })
  }

  @Test("A closed listener resets what nobody accepted, and its address can be had again")
  func closedListener() throws {
    let wire = Wire()
    let (listener, _) = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 4, owner: 0)
    let client = wire.network.connect(from: wire.a, to: wire.serverAddress, owner: 1)
    wire.run(.milliseconds(1))
    wire.network.close(listener)
    wire.run(.milliseconds(1))
    #expect(wire.receive(client).0 == .failed(.connectionReset))
    _ = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 4, owner: 0)
    #expect(throws: RingError.addressInUse) {
      try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 4, owner: 0)
    }
  }

  @Test("Ten thousand idle connections cost little, and are all given back")
  func idle() throws {
    let wire = Wire()
    let (listener, _) = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 10_000, owner: 0)
    let clients = (0..<10_000).map { wire.network.connect(from: wire.a, to: wire.serverAddress, owner: UInt64($0)) }
    wire.run(.seconds(1))
    var servers: [SocketID] = []
    while let server = wire.network.accept(listener) { servers.append(server) }
    #expect(servers.count == 10_000)
    #expect(wire.network.bufferLength == 0)
    for socket in clients + servers { wire.network.close(socket) }
    wire.run(.seconds(1))
    #expect(wire.network.liveSocketCount == 0 && wire.network.livePipeCount == 0)
  }

  @Test("A half-open peer learns of a crash by a reset when it sends")
  func halfOpen() throws {
    let wire = Wire()
    let (client, _) = try wire.connect()
    wire.network.powerOff(wire.b)
    wire.run(.seconds(5))
    #expect(wire.receive(client).0 == .wouldBlock, "nobody has told it")
    wire.network.powerOn(wire.b)
    wire.run(.seconds(5))
    #expect(wire.receive(client).0 == .wouldBlock)
    #expect(wire.send(client, [1]) == .count(1))
    wire.run(.milliseconds(1))
    #expect(wire.receive(client).0 == .failed(.connectionReset))
    #expect(wire.send(client, [1]) == .failed(.brokenPipe))
  }

  @Test("A connect whose answers are all lost times out, and nobody has accepted it")
  func answersLost() throws {
    let wire = Wire()
    let (listener, _) = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 8, owner: 0)
    wire.network.cut(from: wire.b, to: wire.a)
    let client = wire.network.connect(from: wire.a, to: wire.serverAddress, owner: 1)
    wire.run(.seconds(200))
    #expect(wire.network.connectResult(client) == .timedOut)
    #expect(wire.network.accept(listener) == nil)
    wire.network.close(client)
    #expect(wire.network.liveSocketCount == 0 && wire.network.livePipeCount == 0)
  }

  @Test("A connect whose first answer is lost under way, and whose server has gone, is made anew and leaves nothing")
  func answerLostUnderWay() throws {
    let wire = Wire()
    let (listener, _) = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 8, owner: 0)
    let client = wire.network.connect(from: wire.a, to: wire.serverAddress, owner: 1)
    wire.run(.microseconds(80))
    wire.network.cut(from: wire.b, to: wire.a)
    let first = try #require(wire.network.accept(listener))
    wire.network.close(first, reset: true)
    wire.run(.milliseconds(500))
    wire.network.repair(from: wire.b, to: wire.a)
    wire.run(.milliseconds(600))
    #expect(wire.network.connectResult(client) == RingError.none)
    let second = try #require(wire.network.accept(listener))
    #expect(wire.transfer([1, 2], from: client, to: second) == [1, 2])
    wire.network.close(client)
    wire.network.close(second)
    wire.run(.seconds(1))
    #expect(wire.network.liveSocketCount == 0 && wire.network.livePipeCount == 0)
  }

  @Test("A connect that times out after its answer was lost under way has not succeeded")
  func halfMade() throws {
    let wire = Wire()
    _ = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 8, owner: 0)
    let client = wire.network.connect(from: wire.a, to: wire.serverAddress, owner: 1)
    wire.run(.microseconds(80))
    wire.network.cut(from: wire.b, to: wire.a)
    wire.run(.seconds(200))
    #expect(wire.network.connectResult(client) == .timedOut)
  }

  @Test("An acknowledgement that a host owed goes down with it: what it had not acknowledged is sent again")
  func owedAcknowledgement() throws {
    var options = HostOptions()
    options.acknowledgementDelay = .milliseconds(40)
    let wire = Wire(host: options)
    let (client, _) = try wire.connect()
    #expect(wire.send(client, [1]) == .count(1))
    wire.run(.milliseconds(10))
    wire.network.powerOff(wire.b)
    wire.run(.milliseconds(100))
    wire.network.powerOn(wire.b)
    wire.run(.seconds(1))
    #expect(wire.receive(client).0 == .failed(.connectionReset))
  }

  @Test("After an outage that has healed, what is lost then is sent again as soon as ever", arguments: [1, 20, 100])
  func healed(seconds: UInt64) throws {
    let wire = Wire()
    let (client, server) = try wire.connect()
    wire.network.cut(from: wire.a, to: wire.b)
    _ = wire.send(client, [1])
    wire.run(.seconds(seconds))
    wire.network.repair(from: wire.a, to: wire.b)
    while case .wouldBlock = wire.receive(server).0 { #expect(wire.step()) }
    wire.run(.milliseconds(1))
    wire.network.cut(from: wire.a, to: wire.b)
    _ = wire.send(client, [2])
    wire.run(.milliseconds(1))
    wire.network.repair(from: wire.a, to: wire.b)
    wire.run(.milliseconds(198))
    #expect(wire.receive(server).0 == .wouldBlock)
    wire.run(.milliseconds(2))
    #expect(wire.receive(server).0 == .count(1))
  }

  @Test("After an outage of any length it is not longer to the next repetition than the host says")
  func longestTimeout() throws {
    var options = HostOptions()
    options.retransmitTimeoutMax = .seconds(2)
    options.retransmitLimit = 1000
    let wire = Wire(host: options)
    let (client, server) = try wire.connect()
    wire.network.cut(from: wire.a, to: wire.b)
    _ = wire.send(client, [1])
    wire.run(.seconds(600))
    wire.network.repair(from: wire.a, to: wire.b)
    wire.run(.seconds(2) + .milliseconds(1))
    #expect(wire.receive(server).0 == .count(1))
  }

  @Test("What is under way when a link is cut is lost: data, and acknowledgements", arguments: [false, true])
  func cutUnderWay(isAcknowledgement: Bool) throws {
    let wire = Wire {
      $0.latency = .milliseconds(10)
      $0.jitter = .zero
    }
    let (client, server) = try wire.connect()
    let before = wire.network.counters.segments
    _ = wire.send(client, [1])
    wire.run(.milliseconds(isAcknowledgement ? 15 : 5))
    let (from, to) = isAcknowledgement ? (wire.b, wire.a) : (wire.a, wire.b)
    wire.network.cut(from: from, to: to)
    wire.run(.milliseconds(10))
    wire.network.repair(from: from, to: to)
    #expect(wire.receive(server).0 == (isAcknowledgement ? .count(1) : .wouldBlock))
    wire.run(.seconds(1))
    #expect(wire.network.counters.segments - before == 2, "it is sent again")
    if !isAcknowledgement { #expect(wire.receive(server).0 == .count(1)) }
  }

  @Test("The connections of two hosts are theirs alone")
  func connectionsOfTwo() throws {
    let wire = Wire()
    let other = wire.network.addHost("c", addresses: [SocketAddress(10, 0, 0, 3, port: 0)])
    let (_, server) = try wire.connect()
    _ = wire.network.connect(from: other, to: wire.serverAddress, owner: 2)
    wire.run(.milliseconds(1))
    #expect(wire.network.connections(of: wire.b).count == 2)
    #expect(wire.network.connections(of: wire.b, with: wire.a) == [server])
    #expect(wire.network.connections(of: wire.a, with: other) == [])
  }

  @Test("A path is cut by the address at its end, and the others are not")
  func paths() throws {
    let timeline = Timeline(seed: 1)
    let network = Network(timeline: timeline)
    let addresses = [1, 2].map { SocketAddress(10, 0, 1, $0, port: 3260) }
    let a = network.addHost("a", addresses: [SocketAddress(10, 0, 0, 1, port: 0)])
    let b = network.addHost("b", addresses: addresses)
    for address in addresses { _ = try network.listen(on: b, at: address, backlog: 1, owner: 0) }
    network.reject(from: a, at: nil, to: b, at: addresses[1])
    let clients = addresses.map { network.connect(from: a, to: $0, owner: 1) }
    while let next = timeline.nextTime, next < Instant(nanoseconds: 1_000_000) {
      timeline.advance(to: next)
      if let event = timeline.popDue() { network.handle(event) }
    }
    #expect(clients.map { network.connectResult($0) } == [RingError.none, .unreachable])
  }

  @Test("A sender whose peer stays dead times out")
  func dead() throws {
    var options = HostOptions()
    options.retransmitLimit = 3
    let wire = Wire(host: options)
    let (client, _) = try wire.connect()
    wire.network.powerOff(wire.b)
    #expect(wire.send(client, [1]) == .count(1))
    wire.run(.milliseconds(2900))
    #expect(wire.receive(client).0 == .wouldBlock)
    wire.run(.milliseconds(200))
    #expect(wire.receive(client).0 == .failed(.timedOut))
  }
}
