import FaultInject
import Ring
import SimClock
import SimDisk
import SimNet
import SimRing
import Testing

@Suite struct FaultPlanTests {
  @Test("Every unit has a name of its own, of the form area.what")
  func catalogue() {
    let names = FaultCatalogue.names
    #expect(Set(names).count == names.count)
    #expect(names.allSatisfy { $0.split(separator: ".").count == 2 })
  }

  @Test("A fault that was armed and never struck is reported; one that struck is not")
  func ledger() throws {
    let bench = Bench()
    let medium = bench.open()
    let never = bench.plan.arm(DiskIOError(DiskAccess(to: bench.disk, range: 8192..<16384)))
    let once = bench.plan.arm(DiskSlow(DiskAccess(to: bench.disk), delay: .milliseconds(1)))
    _ = bench.perform(0) { $0.read(from: medium, at: 0, into: bench.extent(0, 512), token: $1) }
    #expect(never.fired == 0 && once.fired == 1)
    bench.plan.liftAll()
    let idle = bench.plan.neverFired.map { $0.name }
    #expect(idle == ["disk.io_error"])
    let fired = bench.plan.ledger.map { $0.fired }
    #expect(fired == [0, 1])
    #expect(bench.plan.ledger.allSatisfy { $0.isLifted })
    #expect(once.fired == 1, "the count outlives the fault")
  }

  @Test("A fault begins after its delay and ends after its duration")
  func timing() throws {
    let bench = Bench()
    let medium = bench.open()
    let handle = bench.plan.arm(
      DiskIOError(DiskAccess(to: bench.disk)), after: .milliseconds(10), for: .milliseconds(10))
    var errors: [RingError?] = []
    for _ in 0..<3 {
      errors.append(bench.perform(0) { $0.read(from: medium, at: 0, into: bench.extent(0, 512), token: $1) }?.error)
      bench.run(.milliseconds(10))
    }
    #expect(errors == [RingError.none, .mediumError, RingError.none])
    #expect(!handle.isActive && handle.fired == 1)
    let withdrawn = bench.plan.arm(DiskIOError(DiskAccess(to: bench.disk)), after: .milliseconds(10))
    withdrawn.lift()
    bench.run(.milliseconds(20))
    #expect(
      bench.perform(0) { $0.read(from: medium, at: 0, into: bench.extent(0, 512), token: $1) }?.error == RingError.none)
    #expect(bench.plan.ledger.last?.injectedAt == nil)
  }
}

@Suite struct NetworkFaultTests {
  /// Sends a byte from the left; what the right has received of it within `limit`.
  private func arrives(_ bench: Bench, _ left: Handle, _ right: Handle, within limit: Interval) -> Bool {
    let receiving = bench.emit(1) { $0.receive(on: right, into: bench.extent(0, 64), token: $1) }
    _ = bench.perform(0) { $0.send(on: left, from: [bench.put([7])], token: $1) }
    bench.run(limit)
    return bench.completion(receiving) != nil
  }

  @Test("A partition holds what is sent until it is lifted, in the directions that it names", arguments: [true, false])
  func partition(oneWay: Bool) throws {
    let bench = Bench()
    let (left, right) = try bench.connect()
    let fault = bench.plan.arm(
      NetworkPartition(NetworkPath(between: bench.hosts[1], and: bench.hosts[0], oneWay: oneWay)))
    #expect(arrives(bench, left, right, within: .milliseconds(100)) == oneWay)
    #expect(fault.fired > 0)
    fault.lift()
    let count = fault.fired
    bench.run(.seconds(1))
    #expect(fault.fired == count)
    if !oneWay { #expect(bench.completions[1].contains { $0.error == .none && $0.result == 1 }) }
  }

  @Test("Two partitions of one path are lifted one by one")
  func nested() throws {
    let bench = Bench()
    let (left, right) = try bench.connect()
    let first = bench.plan.arm(NetworkPartition(bench.path))
    let second = bench.plan.arm(NetworkPartition(bench.path))
    first.lift()
    #expect(!arrives(bench, left, right, within: .milliseconds(700)))
    second.lift()
    bench.run(.seconds(2))
    #expect(bench.completions[1].contains { $0.result == 1 })
  }

  @Test("Unreachable, reset, flap, loss, bit flip, slow, split and short each strike, and are gone when lifted")
  func units() throws {
    let units: [any FaultUnit] = [
      NetworkLoss(Bench().path, chance: Ratio(1, in: 3)), NetworkBitFlip(Bench().path, .chance(Ratio(1, in: 2))),
      NetworkBitFlip(Bench().path, .next(2)), NetworkSlow(Bench().path, latency: .milliseconds(3)),
      NetworkSplit(Bench().path, .every(10)), NetworkShort(Bench().path, chance: Ratio(1, in: 2)),
      NetworkFlap(Bench().path, down: .milliseconds(5), up: .milliseconds(5)),
    ]
    for unit in units {
      let bench = Bench()
      let (left, right) = try bench.connect()
      let fault = bench.plan.arm(unit)
      for round in 0..<20 as Range<UInt8> {
        _ = bench.emit(1) { $0.receive(on: right, into: bench.extent(0, 4096), token: $1) }
        _ = bench.perform(0) {
          $0.send(on: left, from: [bench.put([UInt8](repeating: round, count: 300))], token: $1)
        }
        bench.run(.milliseconds(7))
      }
      bench.run(.seconds(2))
      #expect(fault.fired > 0, "\(fault.name)")
      fault.lift()
      bench.run(.seconds(2))
      let links = bench.world.network.linkCounters(from: bench.hosts[0], to: bench.hosts[1])
      // What is left over of the first part is read away; then the link is as calm as it was.
      while true {
        let token = bench.emit(1) { $0.receive(on: right, into: bench.extent(0, 4096), token: $1) }
        bench.run(.milliseconds(1))
        if bench.completion(token) == nil {
          _ = bench.emit(1) { $0.cancel(token, token: $1) }
          bench.run(.milliseconds(1))
          break
        }
      }
      let receiving = bench.emit(1) { $0.receive(on: right, into: bench.extent(0, 4096), token: $1) }
      _ = bench.perform(0) { $0.send(on: left, from: [bench.put([UInt8](repeating: 9, count: 300))], token: $1) }
      bench.run(.milliseconds(1))
      #expect(bench.completion(receiving)?.result == 300, "\(fault.name)")
      #expect(bench.bytes(bench.extent(0, 300), 1).allSatisfy { $0 == 9 }, "\(fault.name)")
      let after = bench.world.network.linkCounters(from: bench.hosts[0], to: bench.hosts[1])
      #expect(after.lost == links.lost && after.corrupted == links.corrupted && after.splits == links.splits)
    }
  }

  @Test("A slow path has the latency, the jitter and the bandwidth that it is given")
  func slow() throws {
    let bench = Bench()
    let (left, right) = try bench.connect()
    /// How long bytes take from the left to the right.
    func time(_ count: Int) -> Interval {
      let start = bench.world.now
      _ = bench.emit(0) { $0.send(on: left, from: [bench.put([UInt8](repeating: 1, count: count))], token: $1) }
      _ = bench.perform(1) { $0.receive(on: right, into: bench.extent(0, count), token: $1) }
      return bench.world.now - start
    }
    let late = bench.plan.arm(NetworkSlow(bench.path, latency: .milliseconds(10), jitter: .milliseconds(20)))
    let times = (0..<20).map { _ in time(1) }
    #expect(times.allSatisfy { $0 >= .milliseconds(10) && $0 < .milliseconds(32) })
    #expect(times.contains { $0 < .milliseconds(20) } && times.contains { $0 > .milliseconds(20) })
    late.lift()
    bench.plan.arm(NetworkSlow(bench.path, bandwidth: 800_000))
    bench.plan.arm(NetworkSlow(bench.path, bandwidth: 8_000_000_000))
    // 934 bytes and their headers at 100 kB a second.
    #expect(time(934) >= .milliseconds(10))
  }

  @Test("A bit flip that has struck takes nothing from the next one", arguments: [true, false])
  func bitFlips(firstIsLifted: Bool) throws {
    let bench = Bench()
    let (left, right) = try bench.connect()
    let path = NetworkPath(between: bench.hosts[0], and: bench.hosts[1], oneWay: true)
    let first = bench.plan.arm(NetworkBitFlip(path, .next(1)))
    #expect(arrives(bench, left, right, within: .milliseconds(1)))
    #expect(first.fired == 1)
    if firstIsLifted { first.lift() }
    let second = bench.plan.arm(NetworkBitFlip(path, .next(1)))
    first.lift()
    #expect(arrives(bench, left, right, within: .milliseconds(1)))
    #expect(first.fired == 1 && second.fired == 1)
    #expect(bench.world.network.counters.segmentsCorrupted == 2)
  }

  @Test("A bit flip that is lifted before it has struck strikes no more, and leaves another one")
  func liftedBitFlip() throws {
    let bench = Bench()
    let (left, right) = try bench.connect()
    let path = NetworkPath(between: bench.hosts[0], and: bench.hosts[1], oneWay: true)
    let first = bench.plan.arm(NetworkBitFlip(path, .next(5)))
    let second = bench.plan.arm(NetworkBitFlip(path, .next(1)))
    first.lift()
    for _ in 0..<3 { #expect(arrives(bench, left, right, within: .milliseconds(1))) }
    #expect(first.fired == 0 && second.fired == 1)
  }

  @Test("Unreachable fails a connect at once")
  func unreachable() throws {
    let bench = Bench()
    _ = try bench.fronts[1].listen(at: SocketAddress(10, 0, 0, 2, port: 3260), backlog: 4)
    let fault = bench.plan.arm(NetworkUnreachable(bench.path))
    let connect = bench.perform(0) { $0.connect(to: SocketAddress(10, 0, 0, 2, port: 3260), token: $1) }
    #expect(connect?.error == .unreachable)
    #expect(fault.fired == 1)
  }
}

@Suite struct MediumFaultTests {
  private func read(_ bench: Bench, _ medium: Handle, _ offset: UInt64, _ length: Int = 4096) -> Completion? {
    bench.perform(0) { $0.read(from: medium, at: offset, into: bench.extent(65536, length), token: $1) }
  }

  private func write(_ bench: Bench, _ medium: Handle, _ offset: UInt64, _ byte: UInt8) -> Completion? {
    let extent = bench.put([UInt8](repeating: byte, count: 4096))
    return bench.perform(0) { $0.write(to: medium, at: offset, from: [extent], token: $1) }
  }

  private func content(_ bench: Bench) -> [UInt8] { bench.bytes(bench.extent(65536, 4096)) }

  @Test("Full and read-only refuse writes and let reads pass")
  func refusals() {
    let bench = Bench()
    let medium = bench.open()
    let full = bench.plan.arm(DiskFull(bench.disk))
    #expect(write(bench, medium, 0, 1)?.error == .noSpace)
    #expect(read(bench, medium, 0)?.error == RingError.none)
    full.lift()
    let readOnly = bench.plan.arm(DiskReadOnly(bench.disk))
    #expect(write(bench, medium, 0, 1)?.error == .readOnly)
    readOnly.lift()
    #expect(write(bench, medium, 0, 1)?.error == RingError.none)
  }

  @Test("A stuck access goes on when the fault is lifted, and can be cancelled before")
  func stuck() {
    let bench = Bench()
    let medium = bench.open()
    let fault = bench.plan.arm(DiskStuck(DiskAccess(to: bench.disk, limit: 2)))
    let first = bench.emit(0) { $0.read(from: medium, at: 0, into: bench.extent(0, 512), token: $1) }
    let second = bench.emit(0) { $0.read(from: medium, at: 0, into: bench.extent(512, 512), token: $1) }
    #expect(read(bench, medium, 0)?.error == RingError.none, "a third is not held")
    bench.run(.seconds(30))
    #expect(bench.completion(first) == nil && fault.fired == 2)
    let cancel = bench.perform(0) { $0.cancel(second, token: $1) }
    #expect(cancel?.error == RingError.none)
    #expect(bench.completion(second)?.error == .cancelled)
    fault.lift()
    bench.run(.milliseconds(1))
    #expect(bench.completion(first)?.result == 512)
  }

  @Test("A stuck access is held until the fault that holds it is lifted, and by each that does")
  func stuckTwice() {
    let bench = Bench()
    let medium = bench.open()
    let first = bench.plan.arm(DiskStuck(DiskAccess(to: bench.disk, limit: 1)))
    let second = bench.plan.arm(DiskStuck(DiskAccess(to: bench.disk, limit: 1)))
    let other = bench.plan.arm(DiskSlow(DiskAccess(to: bench.disk), delay: .milliseconds(1)))
    let held = bench.emit(0) { $0.read(from: medium, at: 0, into: bench.extent(0, 512), token: $1) }
    other.lift()
    bench.run(.milliseconds(10))
    #expect(bench.completion(held) == nil)
    first.lift()
    bench.run(.milliseconds(10))
    #expect(bench.completion(held) == nil)
    second.lift()
    bench.run(.milliseconds(10))
    #expect(bench.completion(held)?.result == 512)
    #expect(first.fired == 1 && second.fired == 1 && other.fired == 0)
  }

  @Test("What a fault would make of a held access it makes of it when that goes on")
  func stuckThenFailed() {
    let bench = Bench()
    let medium = bench.open()
    let failing = bench.plan.arm(DiskIOError(DiskAccess(to: bench.disk, limit: 1)))
    let stuck = bench.plan.arm(DiskStuck(DiskAccess(to: bench.disk, limit: 1)))
    let held = bench.emit(0) { $0.read(from: medium, at: 0, into: bench.extent(0, 512), token: $1) }
    #expect(failing.fired == 0)
    stuck.lift()
    bench.run(.milliseconds(10))
    #expect(bench.completion(held)?.error == .mediumError)
    #expect(failing.fired == 1)
  }

  @Test("A removed medium fails everything, also what was under way, and is whole when it is back")
  func removed() {
    let bench = Bench()
    let medium = bench.open()
    _ = write(bench, medium, 0, 5)
    let underWay = bench.emit(0) { $0.read(from: medium, at: 0, into: bench.extent(0, 512), token: $1) }
    let fault = bench.plan.arm(DiskRemoved(bench.disk))
    bench.run(.milliseconds(1))
    #expect(bench.completion(underWay)?.error == .removed)
    #expect(write(bench, medium, 0, 6)?.error == .removed)
    fault.lift()
    #expect(fault.fired == 2)
    #expect(read(bench, medium, 0)?.error == RingError.none)
    #expect(content(bench).allSatisfy { $0 == 5 })
  }

  @Test(
    "A medium that has shrunk fails what lies behind its end, also what was under way, and is whole when it is lifted")
  func resized() {
    let bench = Bench()
    let medium = bench.open()
    for offset in [0, 8192] as [UInt64] { _ = write(bench, medium, offset, 5) }
    let underWay = bench.emit(0) { $0.read(from: medium, at: 8192, into: bench.extent(0, 512), token: $1) }
    let fault = bench.plan.arm(DiskResized(bench.disk, to: 8192))
    bench.run(.milliseconds(1))
    #expect(bench.completion(underWay)?.error == .mediumError)
    #expect(read(bench, medium, 0)?.error == RingError.none)
    #expect(read(bench, medium, 4096 + 512)?.error == .mediumError)
    #expect(write(bench, medium, 8192, 6)?.error == .mediumError)
    // Behind what it ever had.
    #expect(read(bench, medium, 1 << 20)?.error == .outOfRange)
    let larger = bench.plan.arm(DiskResized(bench.disk, to: 2 << 20))
    #expect(read(bench, medium, 8192)?.error == RingError.none)
    larger.lift()
    #expect(fault.fired == 3 && larger.fired == 0)
    fault.lift()
    #expect(read(bench, medium, 8192)?.error == RingError.none)
    #expect(content(bench).allSatisfy { $0 == 5 })
  }

  @Test("A lost write is acknowledged and not there; lifting the fault brings it")
  func lost() {
    let bench = Bench()
    let medium = bench.open()
    _ = write(bench, medium, 0, 1)
    let fault = bench.plan.arm(DiskLostWrite(DiskAccess(to: bench.disk, limit: 1)))
    #expect(write(bench, medium, 0, 2)?.result == 4096)
    _ = read(bench, medium, 0)
    #expect(content(bench).allSatisfy { $0 == 1 })
    fault.lift()
    _ = read(bench, medium, 0)
    #expect(content(bench).allSatisfy { $0 == 2 })
  }

  @Test("A write that was to be lost is there when the fault is lifted before it is done")
  func lostUnderWay() {
    let bench = Bench()
    let medium = bench.open()
    let fault = bench.plan.arm(DiskLostWrite(DiskAccess(to: bench.disk)))
    let extent = bench.put([UInt8](repeating: 2, count: 4096))
    let writing = bench.emit(0) { $0.write(to: medium, at: 0, from: [extent], token: $1) }
    fault.lift()
    bench.run(.milliseconds(1))
    #expect(bench.completion(writing)?.result == 4096)
    _ = read(bench, medium, 0)
    #expect(content(bench).allSatisfy { $0 == 2 })
  }

  @Test("A misdirected write shows elsewhere; writing over either place heals that one")
  func misdirected() {
    let bench = Bench()
    let medium = bench.open()
    _ = write(bench, medium, 0, 1)
    _ = write(bench, medium, 8192, 3)
    let fault = bench.plan.arm(DiskMisdirectedWrite(DiskAccess(to: bench.disk, limit: 1), displacement: 8192))
    _ = write(bench, medium, 0, 2)
    _ = read(bench, medium, 0)
    #expect(content(bench).allSatisfy { $0 == 1 })
    _ = read(bench, medium, 8192)
    #expect(content(bench).allSatisfy { $0 == 2 })
    _ = write(bench, medium, 8192, 4)
    _ = read(bench, medium, 8192)
    #expect(content(bench).allSatisfy { $0 == 4 })
    fault.lift()
    _ = read(bench, medium, 0)
    #expect(content(bench).allSatisfy { $0 == 2 })
  }

  @Test("Latent errors and bit rot are met by reads and count them")
  func damage() {
    let bench = Bench()
    let medium = bench.open()
    let latent = bench.plan.arm(DiskLatentError(bench.disk, 4096..<4608))
    let rot = bench.plan.arm(DiskBitRot(bench.disk, 65536..<65600, count: 3))
    #expect(read(bench, medium, 0)?.error == RingError.none)
    #expect(latent.fired == 0 && rot.fired == 0)
    #expect(read(bench, medium, 4096)?.error == .mediumError)
    #expect(latent.fired == 1)
    #expect(read(bench, medium, 65536)?.error == RingError.none)
    #expect(rot.fired > 0 && !content(bench).allSatisfy { $0 == 0 })
  }

  @Test("Of two damages of one disk each counts what meets it")
  func ownCounts() {
    let bench = Bench()
    let medium = bench.open()
    let latent = bench.plan.arm(DiskLatentError(bench.disk, 0..<512))
    let unread = bench.plan.arm(DiskLatentError(bench.disk, 65536..<66048))
    let rot = bench.plan.arm(DiskBitRot(bench.disk, 8192..<8704, count: 1))
    let unseen = bench.plan.arm(DiskBitRot(bench.disk, 131072..<131584, count: 1))
    let lost = bench.plan.arm(DiskLostWrite(DiskAccess(to: bench.disk, range: 16384..<20480)))
    #expect(read(bench, medium, 0)?.error == .mediumError)
    #expect(read(bench, medium, 8192)?.error == RingError.none)
    #expect(write(bench, medium, 16384, 1)?.error == RingError.none)
    #expect(read(bench, medium, 16384)?.error == RingError.none)
    #expect([latent.fired, unread.fired, rot.fired, unseen.fired, lost.fired] == [1, 0, 1, 0, 1])
  }

  @Test("A failed flush reports the error, and what was cached may be gone")
  func flush() {
    let bench = Bench()
    let medium = bench.open()
    _ = write(bench, medium, 0, 1)
    let fault = bench.plan.arm(DiskFlushError(bench.disk))
    #expect(bench.perform(0) { $0.flush(medium, token: $1) }?.error == .mediumError)
    #expect(fault.fired == 1)
    #expect(bench.world.disk(bench.disk).unflushedLength == 0)
  }

  @Test(
    "What is under way in a power cut or a crash may happen or not: data, zeroes, discards", arguments: [0, 1, 2],
    [true, false])
  func underWay(_ kind: Int, isPowerCut: Bool) {
    var happened = 0
    for seed in 0..<40 as Range<UInt64> {
      let bench = Bench(seed: seed)
      let medium = bench.open()
      _ = write(bench, medium, 0, 1)
      _ = bench.perform(0) { $0.flush(medium, token: $1) }
      let zeroes = bench.put([UInt8](repeating: 0, count: 512), at: 8192)
      _ = bench.emit(0) {
        switch kind {
        case 0: $0.write(to: medium, at: 0, from: [zeroes], token: $1)
        case 1: $0.writeZeroes(on: medium, at: 0, length: 512, token: $1)
        default: $0.discard(on: medium, at: 0, length: 512, token: $1)
        }
      }
      if isPowerCut {
        bench.plan.arm(HostPowerOff(bench.hosts[0]))
      } else {
        bench.plan.arm(ProcessCrash(bench.processes[0]))
      }
      var byte: UInt8 = 9
      withUnsafeMutableBytes(of: &byte) { bench.world.disk(bench.disk).read(at: 0, into: $0) }
      #expect(byte == 0 || byte == 1)
      if byte == 0 { happened += 1 }
    }
    let range = isPowerCut ? 4...24 : 10...30
    #expect(range.contains(happened), "it begins half the time, and half of what has begun survives a power cut")
  }

  @Test("With torn writes armed, a power cut tears what was not flushed")
  func torn() {
    let bench = Bench()
    let medium = bench.open()
    _ = write(bench, medium, 0, 1)
    let fault = bench.plan.arm(DiskTorn(bench.disk))
    bench.plan.arm(HostPowerOff(bench.hosts[0]))
    #expect(fault.fired == 1)
  }

  @Test("Two torn faults are lifted in any order, and leave the disk as it was", arguments: [true, false])
  func tornTwice(nested: Bool) {
    let bench = Bench(survival: .none)
    let medium = bench.open()
    let first = bench.plan.arm(DiskTorn(bench.disk))
    let second = bench.plan.arm(DiskTorn(bench.disk, atomicUnit: 4096))
    (nested ? second : first).lift()
    (nested ? first : second).lift()
    _ = write(bench, medium, 0, 1)
    bench.plan.arm(HostPowerOff(bench.hosts[0]))
    #expect(bench.world.disk(bench.disk).counters.writesTorn == 0)
    #expect(first.fired == 0 && second.fired == 0)
  }

  @Test("Of two torn faults the later one is in force, and the other one when that is lifted")
  func tornInTurn() {
    let bench = Bench()
    let medium = bench.open()
    let first = bench.plan.arm(DiskTorn(bench.disk))
    let second = bench.plan.arm(DiskTorn(bench.disk, atomicUnit: 1024))
    second.lift()
    _ = write(bench, medium, 0, 1)
    bench.plan.arm(HostPowerOff(bench.hosts[0]))
    #expect(first.fired == 1 && second.fired == 0)
  }
}

@Suite struct ProcessFaultTests {
  private final class Idle: Machine {
    let arena = Arena(capacity: 4096)
    var lastStep = Instant.zero
    func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
      lastStep = now
      operations.timer(at: now + .milliseconds(1), token: Token(1))
    }
  }

  @Test("Crash, power and pause end with the process running again", arguments: [0, 1, 2])
  func ends(_ which: Int) {
    let bench = Bench()
    let process = bench.world.addProcess("p", on: bench.hosts[0])
    var machine = Idle()
    bench.world.start(process, machine)
    bench.plan.restart = { [world = bench.world] restarted in
      #expect(restarted == process)
      machine = Idle()
      world.start(restarted, machine)
    }
    bench.world.run(until: Instant(nanoseconds: 10_000_000))
    let handle: FaultHandle
    switch which {
    case 0: handle = bench.plan.arm(ProcessCrash(process), for: .milliseconds(50))
    case 1: handle = bench.plan.arm(HostPowerOff(bench.hosts[0]), for: .milliseconds(50))
    default: handle = bench.plan.arm(ProcessPause(process), for: .milliseconds(50))
    }
    bench.world.run(until: Instant(nanoseconds: 59_000_000))
    #expect(machine.lastStep <= Instant(nanoseconds: 11_000_000))
    bench.world.run(until: Instant(nanoseconds: 70_000_000))
    #expect(machine.lastStep > Instant(nanoseconds: 60_000_000))
    #expect(handle.fired == 1)
  }

  @Test("Two pauses need two lifts, and a new machine of a process that is paused waits too")
  func pauses() {
    let bench = Bench()
    let process = bench.world.addProcess("p", on: bench.hosts[0])
    bench.world.start(process, Idle())
    let first = bench.plan.arm(ProcessPause(process))
    let second = bench.plan.arm(ProcessPause(process))
    first.lift()
    bench.world.crash(process)
    let machine = Idle()
    bench.world.start(process, machine)
    bench.world.run(until: Instant(nanoseconds: 10_000_000))
    #expect(machine.lastStep == .zero)
    second.lift()
    bench.world.run(until: Instant(nanoseconds: 20_000_000))
    #expect(machine.lastStep > Instant(nanoseconds: 18_000_000))
  }

  @Test("Drifts add up, and lifting one leaves the others")
  func drifts() {
    let bench = Bench()
    let process = bench.world.addProcess("p", on: bench.hosts[0])
    let ring = bench.world.ring(of: process)
    func elapsed() -> UInt64 {
      let start = ring.now
      bench.world.run(until: bench.world.now + .seconds(1))
      return (ring.now - start).nanoseconds
    }
    let first = bench.plan.arm(ClockDrift(process, partsPerMillion: -500_000))
    let second = bench.plan.arm(ClockDrift(process, partsPerMillion: 100_000))
    #expect(elapsed() == 600_000_000)
    second.lift()
    #expect(elapsed() == 500_000_000)
    first.lift()
    #expect(elapsed() == 1_000_000_000)
  }

  @Test("Without descriptors accepts and connects fail, and the connection waits until there are some")
  func shortage() throws {
    let bench = Bench()
    let address = SocketAddress(10, 0, 0, 2, port: 3260)
    let (listener, _) = try bench.fronts[1].listen(at: address, backlog: 4)
    let fault = bench.plan.arm(ProcessShortage(bench.processes[1]))
    let accepting = bench.emit(1) { $0.accept(on: listener, token: $1) }
    bench.run(.milliseconds(1))
    #expect(bench.completion(accepting) == nil && fault.fired == 0)
    #expect(bench.perform(0) { $0.connect(to: address, token: $1) }?.error == RingError.none)
    #expect(bench.completion(accepting)?.error == .noResources)
    #expect(bench.perform(1) { $0.connect(to: address, token: $1) }?.error == .noResources)
    #expect(fault.fired == 2)
    fault.lift()
    #expect(bench.perform(1) { $0.accept(on: listener, token: $1) }?.error == RingError.none)
  }

  @Test("A socket on its way to a process that dies is closed with it")
  func socketInAMessage() throws {
    let bench = Bench()
    let (left, right) = try bench.connect()
    let other = bench.world.addProcess("other", on: bench.hosts[1])
    bench.world.attach(Arena(capacity: 4096), to: other)
    let posted = bench.perform(1) { $0.post(to: other.machine, bench.extent(0, 4), socket: right, token: $1) }
    #expect(posted?.error == RingError.none)
    bench.plan.arm(ProcessCrash(other))
    let receive = bench.perform(0) { $0.receive(on: left, into: bench.extent(0, 64), token: $1) }
    #expect(receive?.error == RingError.none && receive?.result == 0)
  }

  @Test("A clock that jumps is ahead by so much")
  func clock() {
    let bench = Bench()
    let process = bench.world.addProcess("p", on: bench.hosts[0])
    let machine = Idle()
    bench.world.start(process, machine)
    bench.world.run(until: Instant(nanoseconds: 1_500_000))
    bench.plan.arm(ClockJump(process, by: .seconds(5)))
    bench.plan.arm(ClockDrift(process, partsPerMillion: -500_000))
    bench.world.run(until: Instant(nanoseconds: 101_500_000))
    #expect(machine.lastStep > Instant(nanoseconds: 5_040_000_000))
    #expect(machine.lastStep < Instant(nanoseconds: 5_060_000_000))
  }
}
