import FaultInject
import Ring
import SimClock
import SimDisk
import SimNet
import SimRing
import Testing

/// Many faults at once, drawn per seed: whatever they do, the simulation stays within TCP's promises, comes to rest
/// when they are over, and does the same again.
@Suite struct StormTests {
  private struct Outcome: Equatable {
    var hash: TraceHash
    var events: UInt64
    var rounds: [Int]
    var errors: [RingError?]
    var fired: [UInt64]
  }

  private func unit(_ random: inout RandomStream, _ echo: EchoWorld) -> any FaultUnit {
    let path = NetworkPath(between: echo.serverHost, and: echo.clientHost, oneWay: random.chance(1, of: 3))
    let access = DiskAccess(to: echo.disk, chance: Ratio(1, in: 1 + random.next(below: UInt64(3))))
    switch random.next(below: 16) {
    case 0, 1: return NetworkPartition(path)
    case 2: return NetworkUnreachable(path)
    case 3: return NetworkFlap(path, down: .milliseconds(7), up: .milliseconds(11))
    case 4: return NetworkLoss(path, chance: Ratio(1, in: 4))
    case 5: return NetworkSlow(path, latency: .milliseconds(4), jitter: .milliseconds(4), bandwidth: 1_000_000)
    case 6: return NetworkSplit(path)
    case 7: return NetworkSplit(path, .every(3))
    case 8: return NetworkShort(path, chance: Ratio(1, in: 2))
    case 9: return NetworkReset(NetworkPath(between: echo.serverHost, and: echo.clientHost))
    case 10: return DiskIOError(access)
    case 11: return DiskSlow(access, delay: .milliseconds(20))
    case 12: return DiskStuck(access)
    case 13: return ProcessPause(echo.serverProcess)
    case 14: return ClockJump(echo.serverProcess, by: .milliseconds(5))
    default: return random.chance(1, of: 2) ? ProcessCrash(echo.serverProcess) : HostPowerOff(echo.serverHost)
    }
  }

  private func play(_ seed: UInt64) throws -> Outcome {
    let echo = try EchoWorld(seed: seed, clients: 6, rounds: 80)
    echo.world.checksBuffers = true
    let plan = FaultPlan(echo.world)
    defer { echo.world.faultHandler = nil }
    plan.restart = { _ in try? echo.restartServer() }
    var random = echo.world.random.stream("storm")
    var handles: [FaultHandle] = []
    for _ in 0..<6 {
      let delay = Interval.microseconds(random.next(below: UInt64(60_000)))
      let duration = Interval.microseconds(1000 + random.next(below: UInt64(300_000)))
      let unit = unit(&random, echo)
      func arm(_ unit: some FaultUnit) { handles.append(plan.arm(unit, after: delay, for: duration)) }
      arm(unit)
    }
    for piece in 1...8 as ClosedRange<UInt64> {
      echo.world.run(until: Instant(nanoseconds: piece * 50_000_000))
      _ = echo.startClient(rounds: 20)
    }
    plan.liftAll()
    // Some time-outs take minutes. A client that waits for a server which lost its power waits for ever.
    echo.world.run(until: { echo.isDone }, orUntil: Instant(nanoseconds: 2_000_000_000_000))
    let waiting = echo.clients.count { !$0.isDone }
    #expect(waiting == echo.world.network.halfOpenSocketCount, "seed \(seed)")
    for client in echo.clients { #expect(client.mismatches == 0, "seed \(seed)") }
    #expect(echo.world.defects == [], "seed \(seed)")
    return Outcome(
      hash: echo.world.hash, events: echo.world.eventCount, rounds: echo.clients.map(\.rounds),
      errors: echo.clients.map(\.error), fired: handles.map(\.fired))
  }

  @Test(
    "Faults drawn by the dozen break no promise, end, and repeat themselves exactly", arguments: 0..<12 as Range<UInt64>
  )
  func storm(_ seed: UInt64) throws {
    #expect(try play(seed) == play(seed))
  }

  @Test("Over the seeds, clients succeed, clients fail, and faults strike")
  func coverage() throws {
    var done = 0
    var failed = 0
    var fired = 0
    for seed in 100..<108 as Range<UInt64> {
      let outcome = try play(seed)
      done += outcome.errors.count { $0 == nil }
      failed += outcome.errors.count { $0 != nil }
      fired += outcome.fired.count { $0 > 0 }
    }
    #expect(done > 10 && failed > 10 && fired > 20, "\(done) done, \(failed) failed, \(fired) faults fired")
  }
}
