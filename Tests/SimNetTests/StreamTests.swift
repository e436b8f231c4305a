import Ring
import SimClock
import SimNet
import Testing

@Suite struct StreamTests {
  /// Links as bad as they get, under which TCP still delivers every byte in order.
  static let links: [(name: String, adjust: @Sendable (inout LinkOptions) -> Void)] = [
    ("calm", { _ in }),
    ("jitter", { $0.jitter = .milliseconds(2) }),
    ("loss", { $0.loss = Ratio(1, in: 10) }),
    ("slow", { $0.bandwidth = 20_000_000 }),
    (
      "short queue",
      {
        $0.bandwidth = 50_000_000
        $0.queueLength = 3000
      }
    ),
    ("tiny MTU", { $0.mtu = 68 + 66 }),
    ("drawn segments", { $0.segmentation = .drawn }),
    ("every byte", { $0.segmentation = .every(1) }),
    ("points", { $0.segmentation = .points([1, 17, 48, 49, 1000]) }),
    (
      "short receives and sends",
      {
        $0.shortReceive = Ratio(1, in: 2)
        $0.shortSend = Ratio(1, in: 2)
      }
    ),
    (
      "everything",
      {
        $0.jitter = .milliseconds(1)
        $0.loss = Ratio(1, in: 20)
        $0.segmentation = .drawn
        $0.bandwidth = 100_000_000
        $0.shortReceive = Ratio(1, in: 3)
      }
    ),
  ]

  @Test("Every byte arrives once and in order, however bad the link", arguments: links.indices, [1, 2, 3] as [UInt64])
  func transfer(_ link: Int, _ seed: UInt64) throws {
    let wire = Wire(seed: seed, Self.links[link].adjust)
    let (client, server) = try wire.connect()
    let there = pattern(link == 7 ? 3000 : 70_000)
    #expect(wire.transfer(there, from: client, to: server) == there, "\(Self.links[link].name)")
    let back = pattern(5000)
    #expect(wire.transfer(back, from: server, to: client) == back, "\(Self.links[link].name)")
  }

  @Test("A link that lost segments has repeated them")
  func repetition() throws {
    let wire = Wire { $0.loss = Ratio(1, in: 5) }
    let (client, server) = try wire.connect()
    _ = wire.transfer(pattern(300_000), from: client, to: server)
    #expect(wire.network.counters.segmentsLost > 0)
    #expect(wire.network.counters.retransmissions > 0)
  }

  @Test("Forced cuts are seen by the receiver, however late it reads")
  func forcedCuts() throws {
    let wire = Wire { $0.segmentation = .points([1, 5, 6]) }
    let (client, server) = try wire.connect()
    _ = wire.send(client, pattern(10))
    wire.run(.seconds(1))
    var lengths: [Int] = []
    while case .count(let count) = wire.receive(server).0, count > 0 { lengths.append(count) }
    #expect(lengths == [1, 4, 1, 4])
  }

  @Test("A receiver that does not read closes the window, and opens it by reading")
  func zeroWindow() throws {
    var options = HostOptions()
    options.sendBufferLength = 4096
    options.receiveBufferLength = 8192
    let wire = Wire(host: options)
    let (client, server) = try wire.connect()
    var taken = 0
    while case .count(let count) = wire.send(client, pattern(1000)) {
      taken += count
      wire.run(.seconds(1))
    }
    #expect(taken == 4096 + 8192)
    #expect(wire.network.counters.zeroWindows > 0)
    wire.run(.seconds(3600))
    #expect(wire.send(client, [1]) == .wouldBlock, "a window stays closed for as long as nobody reads")
    let (_, first) = wire.receive(server, 5000)
    #expect(first.count == 5000)
    wire.run(.seconds(1))
    #expect(wire.send(client, [1]) == .count(1))
  }

  @Test("A window that opens while the link is cut is found by asking")
  func lostWindowUpdate() throws {
    var options = HostOptions()
    options.sendBufferLength = 4096
    options.receiveBufferLength = 4096
    let wire = Wire(host: options)
    let (client, server) = try wire.connect()
    while case .count = wire.send(client, pattern(1000)) { wire.run(.milliseconds(10)) }
    wire.network.cut(from: wire.b, to: wire.a)
    _ = wire.receive(server)
    wire.run(.milliseconds(100))
    wire.network.repair(from: wire.b, to: wire.a)
    wire.run(.seconds(2))
    #expect(wire.send(client, [1]) == .count(1))
  }

  @Test("A partition stalls a stream, and repair lets it go on with nothing lost")
  func partition() throws {
    let wire = Wire()
    let (client, server) = try wire.connect()
    let content = pattern(400_000)
    var left = content[...]
    var received: [UInt8] = []
    for round in 0..<4000 where received.count < content.count {
      if round == 3 { wire.network.cut(from: wire.a, to: wire.b) }
      if round == 40 { wire.network.repair(from: wire.a, to: wire.b) }
      if !left.isEmpty, case .count(let count) = wire.send(client, Array(left)) { left = left.dropFirst(count) }
      wire.run(.microseconds(20_000))
      while case (.count(let count), let got) = wire.receive(server), count > 0 { received += got }
    }
    #expect(received == content)
  }

  @Test("Bandwidth takes its time")
  func bandwidth() throws {
    let wire = Wire {
      $0.bandwidth = 8_000_000
      $0.latency = .zero
      $0.jitter = .zero
    }
    let (client, server) = try wire.connect()
    let start = wire.timeline.now
    let content = pattern(1_000_000)
    #expect(wire.transfer(content, from: client, to: server) == content)
    let milliseconds = (wire.timeline.now - start).nanoseconds / 1_000_000
    #expect((1000...1030).contains(milliseconds), "a megabyte at a megabyte a second took \(milliseconds) ms")
  }

  @Test("What waits for a slow link is not sent again", arguments: [256_000, 1_000_000, 8_000_000] as [UInt64])
  func slowLink(_ bandwidth: UInt64) throws {
    let wire = Wire { $0.bandwidth = bandwidth }
    let (client, server) = try wire.connect()
    let bytes = pattern(600_000)
    let start = wire.timeline.now
    #expect(wire.transfer(bytes, from: client, to: server) == bytes)
    let ideal = UInt64(bytes.count) * 8_000_000_000 / bandwidth
    #expect((wire.timeline.now - start).nanoseconds < ideal / 100 * 102)
    #expect(wire.network.counters.retransmissions == 0)
  }

  @Test("A burst passes at once; the bucket fills with time")
  func burst() throws {
    let wire = Wire {
      $0.bandwidth = 8_000_000
      $0.burst = 100_000
      $0.latency = .zero
      $0.jitter = .zero
    }
    let (client, server) = try wire.connect()
    func milliseconds(_ length: Int) -> UInt64 {
      let start = wire.timeline.now
      #expect(wire.transfer(pattern(length), from: client, to: server) == pattern(length))
      return (wire.timeline.now - start).nanoseconds / 1_000_000
    }
    #expect(milliseconds(90_000) == 0)
    #expect((80...95).contains(milliseconds(90_000)), "the bucket is empty: a megabyte a second")
    wire.run(.milliseconds(50))
    #expect(milliseconds(40_000) == 0, "it has filled by half")
    #expect((970...1000).contains(milliseconds(990_000)))
  }

  @Test("The end of the stream comes after its last byte, also over loss", arguments: [1, 2, 3, 4] as [UInt64])
  func end(_ seed: UInt64) throws {
    let wire = Wire(seed: seed) { $0.loss = Ratio(1, in: 4) }
    let (client, server) = try wire.connect()
    let content = pattern(20_000)
    #expect(wire.send(client, content) == .count(20_000))
    wire.network.close(client)
    var received: [UInt8] = []
    var isEnded = false
    for _ in 0..<1000 where !isEnded {
      wire.run(.milliseconds(100))
      while case (.count(let count), let got) = wire.receive(server) {
        received += got
        if count == 0 {
          isEnded = true
          break
        }
      }
    }
    #expect(isEnded)
    #expect(received == content)
  }

  @Test("Closing with unread bytes resets the peer")
  func unread() throws {
    let wire = Wire()
    let (client, server) = try wire.connect()
    _ = wire.send(client, [1, 2, 3])
    wire.run(.milliseconds(1))
    wire.network.close(server)
    wire.run(.milliseconds(1))
    #expect(wire.receive(client).0 == .failed(.connectionReset))
    #expect(wire.receive(client).0 == .count(0), "the error is reported once")
  }

  @Test("Sending to a peer that has closed brings a reset")
  func closedPeer() throws {
    let wire = Wire()
    let (client, server) = try wire.connect()
    wire.network.close(server)
    wire.run(.milliseconds(1))
    #expect(wire.receive(client).0 == .count(0))
    #expect(wire.send(client, [1]) == .count(1))
    wire.run(.milliseconds(1))
    #expect(wire.receive(client).0 == .failed(.connectionReset))
  }

  @Test("Bytes that arrived before a reset can still be read")
  func resetAfterData() throws {
    let wire = Wire()
    let (client, server) = try wire.connect()
    _ = wire.send(client, [1, 2, 3])
    wire.network.close(client, reset: true)
    wire.run(.milliseconds(1))
    #expect(wire.receive(server).1 == [1, 2, 3])
    #expect(wire.receive(server).0 == .failed(.connectionReset))
  }

  @Test("A flipped bit is one bit, once, and only when asked for")
  func bitFlip() throws {
    let wire = Wire()
    let (client, server) = try wire.connect()
    let content = pattern(100)
    let corruption = wire.network.corruptNext(1, from: wire.a, to: wire.b)
    let received = wire.transfer(content, from: client, to: server)
    let bits = zip(content, received).reduce(0) { $0 + ($1.0 ^ $1.1).nonzeroBitCount }
    #expect(bits == 1)
    #expect(wire.transfer(content, from: client, to: server) == content)
    #expect(wire.network.counters.segmentsCorrupted == 1 && wire.network.corruptedCount(by: corruption) == 1)
  }

  @Test("A corked partial segment waits, but not for good")
  func cork() throws {
    let wire = Wire()
    let (client, server) = try wire.connect()
    [1].withUnsafeBytes { wire.network.put(client, UnsafeRawBufferPointer(rebasing: $0[..<1])) }
    wire.network.transmit(client, moreToCome: true)
    wire.run(.milliseconds(199))
    #expect(wire.receive(server).0 == .wouldBlock)
    wire.run(.milliseconds(2))
    #expect(wire.receive(server).0 == .count(1))
  }

  @Test("What a cork holds goes with the next acknowledgement")
  func acknowledgedCork() throws {
    let wire = Wire { $0.latency = .milliseconds(1) }
    let (client, server) = try wire.connect()
    _ = wire.send(client, [1])
    [UInt8(2)].withUnsafeBytes { wire.network.put(client, $0) }
    wire.network.transmit(client, moreToCome: true)
    wire.run(.microseconds(2500))
    #expect(wire.receive(server).1 == [1])
    wire.run(.milliseconds(1))
    #expect(wire.receive(server).1 == [2])
  }

  @Test("Nagle and delayed acknowledgements stall each other; either alone does not", arguments: [0, 1, 2, 3])
  func nagle(_ which: Int) throws {
    var options = HostOptions()
    options.nagle = which & 1 != 0
    options.acknowledgementDelay = which & 2 != 0 ? .milliseconds(40) : .zero
    let wire = Wire(host: options)
    let (client, server) = try wire.connect()
    let start = wire.timeline.now
    _ = wire.send(client, [1])
    _ = wire.send(client, [2])
    var received: [UInt8] = []
    while received.count < 2, wire.step() {
      while case (.count(let count), let got) = wire.receive(server), count > 0 { received += got }
    }
    #expect(received == [1, 2])
    let isStalled = wire.timeline.now - start > .milliseconds(39)
    #expect(isStalled == (which == 3))
  }

  @Test("A delayed acknowledgement rides on data that goes back, and is not delayed for two full segments")
  func delayedAcknowledgement() throws {
    var options = HostOptions()
    options.acknowledgementDelay = .milliseconds(40)
    options.sendBufferLength = 20_000
    let wire = Wire(host: options)
    let (client, server) = try wire.connect()
    let start = wire.timeline.now
    let content = pattern(200_000)
    #expect(wire.transfer(content, from: client, to: server) == content)
    #expect(wire.timeline.now - start < .milliseconds(120), "the sender had to wait for each acknowledgement")
  }

  @Test("Overlays add up, and lifting one leaves the others")
  func overlays() throws {
    let wire = Wire { $0.latency = .milliseconds(1) }
    let first = wire.network.addOverlay(from: wire.a, to: wire.b) { $0.latency = $0.latency + .milliseconds(10) }
    let second = wire.network.addOverlay(from: wire.a, to: wire.b) { $0.latency = $0.latency + .milliseconds(100) }
    func oneWay(_ client: SocketID, _ server: SocketID) -> UInt64 {
      let start = wire.timeline.now
      _ = wire.send(client, [1])
      while case .wouldBlock = wire.receive(server).0 { _ = wire.step() }
      return (wire.timeline.now - start).nanoseconds / 1_000_000
    }
    let (listener, _) = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 1, owner: 0)
    let client = wire.network.connect(from: wire.a, to: wire.serverAddress, owner: 1)
    wire.run(.milliseconds(500))
    let server = try #require(wire.network.accept(listener))
    #expect(oneWay(client, server) == 111)
    wire.network.removeOverlay(first)
    wire.run(.seconds(1))
    #expect(oneWay(client, server) == 101)
    wire.network.removeOverlay(second)
    wire.run(.seconds(1))
    #expect(oneWay(client, server) == 1)
  }

  @Test("Slots are used again, and an old name reaches nothing")
  func slots() throws {
    let wire = Wire()
    let (listener, _) = try wire.network.listen(on: wire.b, at: wire.serverAddress, backlog: 4, owner: 0)
    var old: [SocketID] = []
    for _ in 0..<50 {
      let client = wire.network.connect(from: wire.a, to: wire.serverAddress, owner: 1)
      wire.run(.milliseconds(1))
      let server = try #require(wire.network.accept(listener))
      wire.network.close(client)
      wire.network.close(server)
      wire.run(.milliseconds(1))
      old += [client, server]
    }
    #expect(Set(old).count == 100)
    #expect(wire.network.liveSocketCount == 0)
    #expect(wire.network.livePipeCount == 0)
    for socket in old { #expect(wire.receive(socket).0 == .failed(.staleHandle)) }
  }
}
