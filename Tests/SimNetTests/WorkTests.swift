import Ring
import SimClock
import SimNet
import Testing

@Suite struct WorkTests {
  /// Nothing but the work takes time.
  private func wire(_ adjust: (inout NetworkWork) -> Void) throws -> (wire: Wire, client: SocketID, server: SocketID) {
    var options = HostOptions()
    adjust(&options.work)
    let wire = Wire(host: options) {
      $0.latency = .zero
      $0.jitter = .zero
      $0.bandwidth = 0
    }
    let (client, server) = try wire.connect()
    return (wire, client, server)
  }

  /// Sends `count` times `length` bytes at once and takes them in; when the last have come, since the first send.
  private func time(_ count: Int, _ length: Int, _ adjust: (inout NetworkWork) -> Void) throws -> UInt64 {
    let (wire, client, server) = try wire(adjust)
    let start = wire.timeline.now
    for _ in 0..<count { #expect(wire.send(client, [UInt8](repeating: 1, count: length)) == .count(length)) }
    var received = 0
    while received < count * length {
      if case (.count(let count), _) = wire.receive(server), count > 0 {
        received += count
      } else {
        try #require(wire.step())
      }
    }
    return (wire.timeline.now - start).nanoseconds
  }

  @Test("Transmission takes the work of the send, of each segment and of the bytes, one after the other")
  func transmission() throws {
    #expect(try time(1, 1024) { $0.send = Interval(nanoseconds: 700) } == 700)
    #expect(try time(10, 1024) { $0.send = Interval(nanoseconds: 700) } == 7000)
    #expect(try time(10, 1024) { $0.kibibyteOut = Interval(nanoseconds: 70) } == 700)
    let segments = (50_000 + 8933) / 8934
    #expect(try time(1, 50_000) { $0.segmentOut = Interval(nanoseconds: 100) } == UInt64(segments) * 100)
    #expect(
      try time(1, 50_000) {
        $0.send = Interval(nanoseconds: 700)
        $0.segmentOut = Interval(nanoseconds: 100)
      } == 700 + UInt64(segments) * 100, "the send is paid once")
  }

  @Test("Softirq takes the work of each segment, and the interrupt's latency once while there is something to do")
  func softirq() throws {
    #expect(try time(100, 10) { $0.segmentIn = Interval(nanoseconds: 250) } == 100 * 250)
    #expect(
      try time(100, 10) {
        $0.segmentIn = Interval(nanoseconds: 250)
        $0.interruptDelay = .microseconds(9)
      } == 9000 + 100 * 250)
    #expect(try time(1, 2048) { $0.kibibyteIn = Interval(nanoseconds: 70) } == 140)
  }

  @Test("Two stages in a row work at the same time: the longer one sets the pace")
  func pipeline() throws {
    let time = try time(1000, 10) {
      $0.send = Interval(nanoseconds: 300)
      $0.segmentIn = Interval(nanoseconds: 500)
    }
    #expect(time == 300 + 1000 * 500)
  }

  @Test("On one core the stages of a host add up, and one of them delays the other")
  func oneCore() throws {
    func adjust(_ work: inout NetworkWork) {
      work.send = Interval(nanoseconds: 300)
      work.segmentIn = Interval(nanoseconds: 500)
      work.interruptDelay = Interval(nanoseconds: 50)
      work.oneCore = true
    }
    let (wire, client, server) = try wire(adjust)
    // Both ends send at once: what comes in waits for what goes out.
    for _ in 0..<10 {
      #expect(wire.send(client, [1]) == .count(1))
      #expect(wire.send(server, [1]) == .count(1))
    }
    let start = wire.timeline.now
    var received = 0
    while received < 10 {
      if case (.count(let count), _) = wire.receive(server) { received += count } else { try #require(wire.step()) }
    }
    #expect((wire.timeline.now - start).nanoseconds == 10 * 300 + 10 * 500)
    #expect(wire.network.coreCounters(of: wire.b).busy == 10 * 300 + 10 * 500)
    #expect(wire.network.softirqCounters(of: wire.b).busy == 10 * 500)
    #expect(wire.network.coreCounters(of: wire.b).starts == 1, "no interrupt's latency while the core is busy")
    // The same with a core each: the softirq goes on beside the sends.
    let side = try time(10, 1) {
      adjust(&$0)
      $0.oneCore = false
    }
    #expect(side == 300 + 50 + 10 * 500)
  }

  @Test("An acknowledgement that rides on a segment arrives with it")
  func ride() throws {
    var options = HostOptions()
    options.nagle = true
    options.acknowledgementDelay = .milliseconds(40)
    options.work.segmentOut = .microseconds(100)
    let wire = Wire(host: options)
    let (client, server) = try wire.connect()
    _ = wire.send(client, [1])
    _ = wire.send(client, [2])
    wire.run(.milliseconds(1))
    #expect(wire.receive(server).1 == [1], "the second waits for the acknowledgement of the first")
    let start = wire.timeline.now
    _ = wire.send(server, [9])
    while case (.wouldBlock, _) = wire.receive(server) { try #require(wire.step()) }
    #expect((wire.timeline.now - start).nanoseconds >= 200_000, "both segments had to go out")
  }

  @Test("Work that is nothing adds no event and no counter")
  func nothing() throws {
    let (wire, client, server) = try wire { _ in }
    #expect(wire.transfer(pattern(100_000), from: client, to: server) == pattern(100_000))
    #expect(wire.network.transmitCounters(of: wire.a) == Stage.Counters())
    #expect(wire.network.softirqCounters(of: wire.b) == Stage.Counters())
  }

  @Test("A reset does not overtake the bytes that softirq still works on")
  func reset() throws {
    let (wire, client, server) = try wire { $0.segmentIn = .microseconds(50) }
    #expect(wire.send(client, [1, 2, 3]) == .count(3))
    wire.network.close(client, reset: true)
    wire.run(.microseconds(40))
    #expect(wire.receive(server).0 == .wouldBlock)
    wire.run(.milliseconds(1))
    #expect(wire.receive(server).1 == [1, 2, 3])
    #expect(wire.receive(server).0 == .failed(.connectionReset))
  }

  @Test("Under Nagle small sends gather while the one before is worked on")
  func nagle() throws {
    var options = HostOptions()
    options.nagle = true
    options.work.segmentIn = .microseconds(100)
    let wire = Wire(host: options)
    let (client, server) = try wire.connect()
    let before = wire.network.counters.segments
    for _ in 0..<20 { _ = wire.send(client, [1, 2]) }
    wire.run(.milliseconds(5))
    #expect(wire.receive(server).1.count == 40)
    #expect(wire.network.counters.segments - before == 2)
  }
}
