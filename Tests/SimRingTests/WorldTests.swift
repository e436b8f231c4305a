import Ring
import SimClock
import SimDisk
import SimNet
import SimRing
import Testing

@Suite struct WorldTests {
  private static let limit = Instant(nanoseconds: 600_000_000_000)

  @Test("Machines talk over a calm and over a hostile link", arguments: [false, true])
  func echo(isHostile: Bool) throws {
    let echo = try EchoWorld(seed: 1) {
      $0.checksBuffers = true
      if isHostile { makeHostile($0) }
    }
    #expect(echo.world.run(until: { echo.isDone }, orUntil: Self.limit))
    for client in echo.clients {
      #expect(client.error == nil)
      #expect(client.rounds == 20 && client.mismatches == 0)
    }
    #expect(echo.world.defects == [])
  }

  @Test("A machine is first stepped without completions, and takes what arrives meanwhile as one batch")
  func batches() throws {
    let echo = try EchoWorld(seed: 1, clients: 40, rounds: 3) {
      $0.network.defaultLink.jitter = .zero
      $0.network.defaultLink.bandwidth = 0
    }
    echo.world.setStepTime(.milliseconds(5), of: echo.serverProcess)
    echo.world.run(until: { echo.isDone }, orUntil: Self.limit)
    #expect(echo.server.batches.first == 0)
    #expect(!echo.server.batches.dropFirst().contains(0), "no step without a reason")
    #expect((echo.server.batches.max() ?? 0) > 20)
  }

  @Test("A run stops where it is told to, and goes on from there as if it had not")
  func interleaved() throws {
    let whole = try EchoWorld(seed: 4, makeHostile)
    whole.world.run(until: Instant(nanoseconds: 40_000_000))
    let pieces = try EchoWorld(seed: 4, makeHostile)
    for piece in 1...40_000 as ClosedRange<UInt64> { pieces.world.run(until: Instant(nanoseconds: piece * 1000)) }
    #expect(whole.world.hash == pieces.world.hash)
    #expect(whole.world.now == pieces.world.now)
    let instants = try EchoWorld(seed: 4, makeHostile)
    while let next = instants.world.nextTime, next <= whole.world.now { instants.world.advanceOneInstant() }
    #expect(whole.world.hash == instants.world.hash)
  }

  // MARK: Processes and hosts

  @Test("A process that crashes closes its connections; a new one serves again, on the same medium")
  func crash() throws {
    let echo = try EchoWorld(seed: 2, rounds: 1_000_000)
    echo.world.run(until: Instant(nanoseconds: 20_000_000))
    let before = echo.server.bytesEchoed
    #expect(before > 0)
    echo.world.crash(echo.serverProcess)
    echo.world.run(until: Instant(nanoseconds: 30_000_000))
    #expect(!echo.world.isRunning(echo.serverProcess))
    #expect(echo.clients.allSatisfy { $0.error != nil }, "every client hears of it at once")
    #expect(echo.server.bytesEchoed == before)
    #expect(echo.world.disk(echo.disk).counters.crashes == 0, "what the kernel had cached stays")
    let refused = echo.startClient(rounds: 1)
    echo.world.run(until: Instant(nanoseconds: 40_000_000))
    #expect(refused.error == .connectionRefused)
    try echo.restartServer()
    let late = echo.startClient(rounds: 10)
    #expect(echo.world.run(until: { late.isDone }, orUntil: Self.limit))
    #expect(late.rounds == 10)
  }

  @Test("A host that loses its power is silent; its peers learn of it when they send after it is back")
  func power() throws {
    let echo = try EchoWorld(seed: 3, rounds: 1_000_000)
    echo.world.run(until: Instant(nanoseconds: 20_000_000))
    echo.world.powerOff(echo.serverHost)
    echo.world.run(until: Instant(nanoseconds: 120_000_000))
    #expect(echo.clients.allSatisfy { $0.error == nil }, "nobody has told them")
    #expect(echo.world.disk(echo.disk).counters.crashes == 1)
    #expect(echo.world.disk(echo.disk).unflushedLength == 0)
    echo.world.powerOn(echo.serverHost)
    try echo.restartServer()
    let late = echo.startClient(rounds: 5)
    echo.world.run(until: Instant(nanoseconds: 5_000_000_000))
    #expect(late.rounds == 5)
    #expect(echo.clients.dropLast().filter { $0.error == .connectionReset }.count > 0)
  }

  @Test("A paused machine takes no step and loses nothing")
  func pause() throws {
    let echo = try EchoWorld(seed: 5)
    echo.world.run(until: Instant(nanoseconds: 1_000_000))
    echo.world.pause(echo.serverProcess)
    let steps = echo.world.stepCount(of: echo.serverProcess)
    echo.world.run(until: Instant(nanoseconds: 3_000_000_000))
    #expect(echo.world.stepCount(of: echo.serverProcess) == steps)
    echo.world.resume(echo.serverProcess)
    #expect(echo.world.run(until: { echo.isDone }, orUntil: Self.limit))
    #expect(echo.clients.allSatisfy { $0.rounds == 20 && $0.error == nil })
  }

  @Test("Injected resets end the connections that exist, on both sides")
  func resets() throws {
    let echo = try EchoWorld(seed: 6, rounds: 1_000_000)
    echo.world.run(until: Instant(nanoseconds: 5_000_000))
    #expect(echo.world.resetConnections(of: echo.serverHost, with: echo.clientHost) == 3)
    echo.world.run(until: Instant(nanoseconds: 6_000_000))
    #expect(echo.clients.allSatisfy { $0.error == .connectionReset })
    #expect(echo.server.errors.count == 3)
    #expect(echo.world.network.liveSocketCount <= 3)
  }

  @Test("At the end everything has been given back")
  func resources() throws {
    let echo = try EchoWorld(seed: 7, clients: 20) { makeHostile($0) }
    #expect(echo.world.run(until: { echo.isDone }, orUntil: Self.limit))
    echo.world.run(until: echo.world.now + .seconds(10))
    #expect(echo.world.network.liveSocketCount == 0)
    #expect(echo.world.network.livePipeCount == 0)
  }

  // MARK: Determinism

  private func hash(_ seed: UInt64, isHostile: Bool = true, crashAt: UInt64? = nil) throws -> TraceHash {
    let echo = try EchoWorld(seed: seed, rounds: 200) { if isHostile { makeHostile($0) } }
    if let crashAt {
      echo.world.run(until: Instant(nanoseconds: crashAt))
      echo.world.powerOff(echo.serverHost)
      echo.world.powerOn(echo.serverHost)
      try echo.restartServer()
    }
    echo.world.run(until: Instant(nanoseconds: 200_000_000))
    return echo.world.hash
  }

  @Test("The same seed gives the same run, another seed another")
  func seeds() throws {
    #expect(try hash(1) == hash(1))
    #expect(try hash(1) != hash(2))
    #expect(try hash(1, crashAt: 30_000_000) == hash(1, crashAt: 30_000_000))
    #expect(try hash(1, crashAt: 30_000_000) != hash(1, crashAt: 30_001_000))
    #expect(try hash(1) != hash(1, isHostile: false))
  }

  @Test("A stream that is made in addition changes nothing")
  func streams() throws {
    let plain = try EchoWorld(seed: 9, makeHostile)
    plain.world.run(until: Instant(nanoseconds: 20_000_000))
    let other = try EchoWorld(seed: 9) { world in
      var stream = world.random.stream("somebody else's")
      _ = stream.next()
      makeHostile(world)
    }
    other.world.run(until: Instant(nanoseconds: 20_000_000))
    #expect(plain.world.hash == other.world.hash)
  }

  @Test("The hash of a run is the same on every machine and in every build, for good")
  func golden() throws {
    // Changes whenever the simulation does; two builds of one program never differ.
    let hash = try hash(42, crashAt: 50_000_000).description
    #expect(hash == "7557d9a1839e6ef414cef168c9f6eb0c")
  }

  @Test("A single different byte on the wire is found, and its step is named")
  func divergence() throws {
    func run(_ flips: Bool, recording: Range<UInt64>?) throws -> Trace {
      let echo = try EchoWorld(seed: 11, rounds: 100)
      if let recording { echo.world.trace.record(recording) }
      echo.world.run(until: Instant(nanoseconds: 10_000_000))
      if flips { echo.world.network.corruptNext(1, from: echo.clientHost, to: echo.serverHost) }
      echo.world.run(until: Instant(nanoseconds: 30_000_000))
      return echo.world.trace
    }
    let range = try #require(Trace.firstDifference(run(false, recording: nil), run(true, recording: nil)))
    let left = try run(false, recording: range)
    let right = try run(true, recording: range)
    let number = try #require(Trace.firstDifferentRecord(left, right))
    #expect(left[number]?.time == right[number]?.time)
    #expect(left[number]?.payload != right[number]?.payload)
    let world = World(seed: 0)
    let text = try [world.describe(#require(left[number])), world.describe(#require(right[number]))]
    #expect(text[0] != text[1])
    #expect(text[0].contains("receive of token"), "\(text[0])")
  }
}

@Suite struct DefectTests {
  @Test("A machine that breaks the rules of its ring is found out", arguments: [false, true])
  func defects(checksBuffers: Bool) throws {
    let world = World(seed: 1)
    world.checksBuffers = checksBuffers
    let host = world.addHost("h", addresses: [SocketAddress(10, 0, 0, 1, port: 0)])
    let process = world.addProcess("p", on: host)
    let medium = world.ring(of: process).open(world.addDisk("d", on: host))
    let arena = Arena(capacity: 1 << 16)
    world.attach(arena, to: process)
    var batch = Operations()
    batch.write(to: medium, at: 0, from: [Extent(offset: 0, length: 512)], token: Token(1))
    batch.read(from: medium, at: 4096, into: Extent(offset: 4096, length: 512), token: Token(2))
    batch.read(from: medium, at: 4096, into: Extent(offset: 8192, length: 512), token: Token(3))
    batch.timer(at: Instant(nanoseconds: 5), token: Token(3))
    world.ring(of: process).submit(&batch)
    #expect((arena.bytes(Extent(offset: 8192, length: 1))[0] == 0xDB) == checksBuffers)
    arena.bytes(Extent(offset: 100, length: 1))[0] ^= 1
    arena.bytes(Extent(offset: 4200, length: 1))[0] ^= 1
    world.run(until: Instant(nanoseconds: 10_000_000))
    let found = world.defects.map { [UInt64($0.kind.rawValue), $0.token.rawValue] }.sorted { $0[1] < $1[1] }
    let reused = [UInt64(World.Defect.Kind.tokenReused.rawValue), 3]
    let changed = UInt64(World.Defect.Kind.bufferChanged.rawValue)
    #expect(found == (checksBuffers ? [[changed, 1], [changed, 2], reused] : [reused]))
  }
}

@Suite struct CancelTests {
  @Test("A cancel of what a medium works on comes in time, or too late")
  func media() {
    let world = World(seed: 1)
    let host = world.addHost("h", addresses: [SocketAddress(10, 0, 0, 1, port: 0)])
    let process = world.addProcess("p", on: host)
    let ring = world.ring(of: process)
    let medium = ring.open(world.addDisk("d", on: host))
    world.attach(Arena(capacity: 4096), to: process)
    var batch = Operations()
    for number in 0..<40 as Range<UInt64> {
      batch.read(from: medium, at: 0, into: Extent(offset: 0, length: 512), token: Token(number))
      batch.cancel(Token(number), token: Token(100 + number))
    }
    ring.submit(&batch)
    world.run(until: Instant(nanoseconds: 10_000_000))
    var completions: [Completion] = []
    ring.reap(into: &completions, until: .zero)
    #expect(completions.count == 80)
    let cancelled = completions.count { $0.error == .cancelled }
    #expect((10...30).contains(cancelled))
    #expect(completions.count { $0.token.rawValue >= 100 && $0.error == .none } == cancelled)
  }

  @Test("Cancels on one medium change nothing of what becomes of writes and cancels on another")
  func otherMedia() {
    /// The writes of a process that were withdrawn, and of the next life those that happened when it was killed, after as many
    /// cancels on somebody else's medium.
    func fates(after cancels: UInt64) -> [UInt8] {
      let world = World(seed: 1)
      func submit(_ count: UInt64, cancelled: Bool, on name: String) -> (process: ProcessID, disk: DiskID) {
        let number = UInt8(name.count)
        let host = world.addHost(name, addresses: [SocketAddress(10, 0, 0, number, port: 0)])
        let process = world.addProcess(name, on: host)
        let disk = world.addDisk(name, on: host)
        let arena = Arena(capacity: 4096)
        arena.bytes(Extent(offset: 0, length: 512)).initializeMemory(as: UInt8.self, repeating: 1)
        world.attach(arena, to: process)
        let medium = world.ring(of: process).open(disk)
        var batch = Operations()
        for token in 0..<count {
          batch.write(
            to: medium, at: token * 512, from: [Extent(offset: 0, length: 512)], forceUnitAccess: false,
            token: Token(token))
          if cancelled { batch.cancel(Token(token), token: Token(100 + token)) }
        }
        world.ring(of: process).submit(&batch)
        return (process, disk)
      }
      func contents(_ disk: DiskID) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 40 * 512)
        bytes.withUnsafeMutableBytes { world.disk(disk).read(at: 0, into: $0) }
        return stride(from: 0, to: bytes.count, by: 512).map { bytes[$0] }
      }
      _ = submit(cancels, cancelled: true, on: "a")
      let cancelled = submit(40, cancelled: true, on: "bb")
      let killed = submit(40, cancelled: false, on: "ccc")
      world.crash(killed.process)
      world.run(until: Instant(nanoseconds: 10_000_000))
      return contents(cancelled.disk) + contents(killed.disk)
    }
    let plain = fates(after: 0)
    #expect((20...60).contains(plain.count { $0 == 1 }))
    for cancels in 1...3 as ClosedRange<UInt64> { #expect(fates(after: cancels) == plain) }
  }
}

@Suite struct ClockTests {
  @Test("A drift moves the timers that are set already")
  func drift() {
    let world = World(seed: 1)
    let process = world.addProcess("p", on: world.addHost("h", addresses: [SocketAddress(10, 0, 0, 1, port: 0)]))
    let ring = world.ring(of: process)
    var batch = Operations()
    batch.timer(at: ring.now + .milliseconds(100), token: Token(1))
    ring.submit(&batch)
    world.run(until: Instant(nanoseconds: 50_000_000))
    // The second half takes two thirds of its time.
    world.addClockDrift(of: process, partsPerMillion: 500_000)
    var completions: [Completion] = []
    ring.reap(into: &completions, until: .distantFuture)
    #expect(completions.map(\.token) == [Token(1)])
    #expect(world.now == Instant(nanoseconds: 83_333_334))
  }

  @Test("A clock that jumps or drifts moves the timers of its process and nobody else's")
  func skew() throws {
    let world = World(seed: 1)
    let host = world.addHost("h", addresses: [SocketAddress(10, 0, 0, 1, port: 0)])
    let skewed = world.addProcess("skewed", on: host)
    let plain = world.addProcess("plain", on: host)
    func arm(_ process: ProcessID, _ milliseconds: UInt64) {
      var batch = Operations()
      batch.timer(at: world.ring(of: process).now + .milliseconds(milliseconds), token: Token(milliseconds))
      world.ring(of: process).submit(&batch)
    }
    func fired(_ process: ProcessID) -> [UInt64] {
      var completions: [Completion] = []
      world.ring(of: process).reap(into: &completions, until: .zero)
      return completions.map(\.token.rawValue)
    }
    for process in [skewed, plain] {
      arm(process, 100)
      arm(process, 200)
    }
    world.jumpClock(of: skewed, by: .milliseconds(150))
    #expect(fired(skewed) == [100])
    #expect(fired(plain) == [])
    world.run(until: Instant(nanoseconds: 50_000_000))
    #expect(fired(skewed) == [200])
    #expect(world.ring(of: skewed).now == Instant(nanoseconds: 200_000_000))
    world.addClockDrift(of: skewed, partsPerMillion: 500_000)
    arm(skewed, 300)
    arm(plain, 300)
    world.run(until: Instant(nanoseconds: 249_999_999))
    #expect(fired(skewed) == [])
    world.run(until: Instant(nanoseconds: 250_000_000))
    #expect(fired(skewed) == [300])
    #expect(fired(plain) == [100, 200])
    world.run(until: Instant(nanoseconds: 350_000_000))
    #expect(fired(plain) == [300])
  }
}
