import Ring
import SimClock
import SimNet
import SimRing
import Testing

@Suite struct ThreadWorkTests {
  private static let limit = Instant(nanoseconds: 600_000_000_000)

  /// Links that take 10 us and no more.
  private static func makeFast(_ world: World) {
    world.network.defaultLink.latency = .microseconds(10)
    world.network.defaultLink.jitter = .zero
    world.network.defaultLink.bandwidth = 0
  }

  /// A world in which only the server's thread takes time, beside 10 us for each way.
  private func world(clients: Int, rounds: Int, _ work: ThreadWork) throws -> EchoWorld {
    let echo = try EchoWorld(seed: 1, clients: clients, rounds: rounds, Self.makeFast)
    echo.world.setThreadWork(work, of: echo.serverProcess)
    #expect(echo.world.run(until: { echo.isDone }, orUntil: Self.limit))
    #expect(echo.clients.allSatisfy { $0.mismatches == 0 && $0.error == nil })
    #expect(echo.world.defects == [])
    return echo
  }

  @Test("Work that is nothing is as no work: the same run, to the byte")
  func nothing() throws {
    let plain = try EchoWorld(seed: 3, makeHostile)
    let silent = try EchoWorld(seed: 3, makeHostile)
    silent.world.setThreadWork(ThreadWork(), of: silent.serverProcess)
    for echo in [plain, silent] { #expect(echo.world.run(until: { echo.isDone }, orUntil: Self.limit)) }
    #expect(plain.world.hash == silent.world.hash)
    #expect(silent.world.threadCounters(of: silent.serverProcess) == Stage.Counters())
  }

  @Test("With one client the thread sleeps between completions; with many the work of a completion sets the pace")
  func plateau() throws {
    var work = ThreadWork()
    work.wake = .microseconds(50)
    work.completion = .microseconds(30)
    let alone = try world(clients: 1, rounds: 100, work)
    #expect(alone.world.threadCounters(of: alone.serverProcess).starts > 40, "it wakes for about every other round")
    let many = try world(clients: 16, rounds: 100, work)
    let counters = many.world.threadCounters(of: many.serverProcess)
    #expect(counters.busy == UInt64(many.server.batches.reduce(0, +)) * 30_000)
    #expect(counters.busy >= many.world.now.nanoseconds * 9 / 10)
    #expect(counters.starts < 30, "a thread with work to do does not sleep")
  }

  @Test("Batches grow with the load, so that the work of a step is shared")
  func batching() throws {
    var work = ThreadWork()
    work.step = .microseconds(200)
    let few = try world(clients: 1, rounds: 100, work)
    let many = try world(clients: 16, rounds: 100, work)
    #expect((few.server.batches.max() ?? 0) <= 2)
    #expect((many.server.batches.max() ?? 0) >= 12)
    let each = (
      few: few.server.bytesEchoed / few.server.batches.count, many.server.bytesEchoed / many.server.batches.count
    )
    #expect(each.1 > 8 * each.few, "bytes a step")
    #expect(many.world.threadCounters(of: many.serverProcess).busy == UInt64(many.server.batches.count) * 200_000)
  }

  @Test("Bytes cost what they cost in either direction")
  func bytes() throws {
    var work = ThreadWork()
    work.kibibyteIn = .microseconds(4)
    let receiving = try world(clients: 1, rounds: 64, work)
    work.kibibyteOut = .microseconds(6)
    let both = try world(clients: 1, rounds: 64, work)
    let bytes: UInt64 = 64 * 100
    let first = receiving.world.threadCounters(of: receiving.serverProcess).busy
    let second = both.world.threadCounters(of: both.serverProcess).busy
    // Each step rounds down.
    #expect((bytes * 4000 / 1024 - 100...bytes * 4000 / 1024).contains(first))
    #expect((bytes * 10000 / 1024 - 200...bytes * 10000 / 1024).contains(second))
  }

  @Test("On one core a thread goes on when its segments have gone out: the longest stage is the sum")
  func oneCore() throws {
    var options = HostOptions()
    options.work.send = .microseconds(20)
    options.work.segmentIn = .microseconds(5)
    var work = ThreadWork()
    work.completion = .microseconds(10)
    func play(oneCore: Bool) throws -> (time: UInt64, threads: UInt64, core: Stage.Counters, network: UInt64) {
      options.work.oneCore = oneCore
      let echo = try EchoWorld(seed: 1, clients: 8, rounds: 100, server: options, Self.makeFast)
      echo.world.setThreadWork(work, of: echo.serverProcess)
      #expect(echo.world.run(until: { echo.isDone }, orUntil: Self.limit))
      #expect(echo.clients.allSatisfy { $0.mismatches == 0 && $0.error == nil })
      let network = echo.world.network
      return (
        echo.world.now.nanoseconds, echo.world.threadCounters(of: echo.serverProcess).busy,
        network.coreCounters(of: echo.serverHost),
        network.transmitCounters(of: echo.serverHost).busy + network.softirqCounters(of: echo.serverHost).busy
      )
    }
    let shared = try play(oneCore: true)
    #expect(shared.core.busy == shared.threads + shared.network)
    #expect(shared.time + 10_000 >= shared.core.busy, "one thing at a time; the last step may still be going on")
    #expect(shared.core.busy * 10 >= shared.time * 9, "and it is what bounds the load")
    let apart = try play(oneCore: false)
    #expect(apart.core == Stage.Counters())
    #expect(apart.time < shared.time * 9 / 10)
  }

  @Test("What a step wanted is lost when the process crashes before its work is done, and waits while it is paused")
  func interruption() throws {
    var work = ThreadWork()
    work.step = .milliseconds(10)
    let echo = try EchoWorld(seed: 1, clients: 1, rounds: 1_000_000)
    echo.world.setThreadWork(work, of: echo.serverProcess)
    echo.world.run(until: Instant(nanoseconds: 205_000_000))
    let before = echo.clients[0].rounds
    #expect(before > 0)
    echo.world.pause(echo.serverProcess)
    echo.world.run(until: Instant(nanoseconds: 1_000_000_000))
    #expect(echo.clients[0].rounds <= before + 1)
    echo.world.resume(echo.serverProcess)
    echo.world.run(until: Instant(nanoseconds: 2_000_000_000))
    #expect(echo.clients[0].rounds > before + 10)
    echo.world.crash(echo.serverProcess)
    echo.world.run(until: Instant(nanoseconds: 3_000_000_000))
    #expect(echo.clients[0].error != nil)
    try echo.restartServer()
    let late = echo.startClient(rounds: 5)
    #expect(echo.world.run(until: { late.isDone }, orUntil: Self.limit))
    #expect(late.rounds == 5)
  }
}
