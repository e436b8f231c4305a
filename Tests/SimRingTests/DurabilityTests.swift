import Ring
import SimClock
import SimDisk
import SimNet
import SimRing
import Testing

/// Writes one-sector values at random, many at a time, with and without FUA, flushes now and then, and keeps for each
/// sector the values that a crash may leave.
private final class Writer: Machine {
  static let sectorCount = 64

  let arena = Arena(capacity: 1 << 20)
  private let medium: Handle
  private var random: RandomStream
  private var nextValue: UInt32 = 1
  private var slots: [(sector: Int, value: UInt32, isForced: Bool)?] = Array(repeating: nil, count: 16)
  /// The sectors that are being written: none is written twice at a time, so that their order is known.
  private var busy = Set<Int>()
  /// The values of each sector that a crash may leave: the last one that is stable, and all newer ones.
  private(set) var legal: [[UInt32]] = Array(repeating: [0], count: Writer.sectorCount)
  /// What each sector held when the flush under way was submitted.
  private var flushed: [UInt32]?
  private var hasBegun = false
  private(set) var flushCount = 0
  private(set) var writeCount = 0

  init(medium: Handle, random: RandomStream) {
    self.medium = medium
    self.random = random
  }

  func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    for completion in completions {
      let slot = Int(completion.token.rawValue)
      if slot == slots.count {
        flushCount += 1
        for sector in legal.indices { makeStable(flushed?[sector] ?? 0, sector) }
        flushed = nil
      } else if let write = slots[slot] {
        writeCount += 1
        if write.isForced { makeStable(write.value, write.sector) }
        busy.remove(write.sector)
        slots[slot] = nil
      }
    }
    if flushed == nil, hasBegun, random.chance(1, of: 6) {
      // A write under way may or may not be covered; the value before it is.
      flushed = legal.indices.map { busy.contains($0) ? legal[$0].dropLast().last ?? 0 : legal[$0].last ?? 0 }
      operations.flush(medium, token: Token(UInt64(slots.count)))
    }
    hasBegun = true
    for slot in slots.indices where slots[slot] == nil {
      let sector = random.next(below: Self.sectorCount)
      guard !busy.contains(sector) else { continue }
      busy.insert(sector)
      let value = nextValue
      nextValue += 1
      let isForced = random.chance(1, of: 4)
      slots[slot] = (sector, value, isForced)
      legal[sector].append(value)
      let extent = Extent(offset: slot * 512, length: 512)
      for word in 0..<128 { arena.bytes(extent).storeBytes(of: value, toByteOffset: word * 4, as: UInt32.self) }
      operations.write(
        to: medium, at: UInt64(sector) * 512, from: [extent], forceUnitAccess: isForced, token: Token(UInt64(slot)))
    }
  }

  /// `value` and what was written later may be there after a crash; nothing older.
  private func makeStable(_ value: UInt32, _ sector: Int) {
    if let place = legal[sector].firstIndex(of: value) { legal[sector].removeFirst(place) }
  }
}

@Suite struct DurabilityTests {
  private func play(_ seed: UInt64, isPower: Bool) throws -> (losses: Int, writes: Int, flushes: Int) {
    let world = World(seed: seed)
    world.checksBuffers = true
    let host = world.addHost("h", addresses: [SocketAddress(10, 0, 0, 1, port: 0)])
    var options = DiskOptions(size: 1 << 16)
    options.flushLatency = .microseconds(150)
    let disk = world.addDisk("d", on: host, options: options)
    let process = world.addProcess("p", on: host)
    let writer = Writer(medium: world.ring(of: process).open(disk), random: world.random.stream("writer"))
    world.start(process, writer)
    var random = world.random.stream("when")
    world.run(until: Instant(nanoseconds: 1_000_000 + random.next(below: UInt64(4_000_000))))
    if isPower { world.powerOff(host) } else { world.crash(process) }
    #expect(world.defects == [])
    var losses = 0
    for sector in 0..<Writer.sectorCount {
      var bytes = [UInt8](repeating: 0, count: 512)
      bytes.withUnsafeMutableBytes { world.disk(disk).read(at: UInt64(sector) * 512, into: $0) }
      let values = bytes.withUnsafeBytes { bytes in
        Set((0..<128).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) })
      }
      let value = try #require(values.count == 1 ? values.first : nil, "sector \(sector) is torn")
      #expect(writer.legal[sector].contains(value), "sector \(sector) of seed \(seed): \(value)")
      if value != writer.legal[sector].last { losses += 1 }
    }
    return (losses, writer.writeCount, writer.flushCount)
  }

  @Test("After a power cut every sector holds what was last made stable, or something newer")
  func power() throws {
    var losses = 0
    for seed in 0..<60 as Range<UInt64> {
      let outcome = try play(seed, isPower: true)
      losses += outcome.losses
      #expect(outcome.writes > 100 && outcome.flushes > 2)
    }
    #expect(losses > 100, "power cuts that lose nothing test nothing")
  }

  @Test("A flush covers what was done when it was submitted, and not what is done while it is under way")
  func flushUnderWay() {
    let world = World(seed: 1)
    let host = world.addHost("h", addresses: [SocketAddress(10, 0, 0, 1, port: 0)])
    var options = DiskOptions(size: 1 << 16)
    options.survival = .none
    let disk = world.addDisk("d", on: host, options: options)
    let process = world.addProcess("p", on: host)
    let arena = Arena(capacity: 4096)
    world.attach(arena, to: process)
    let ring = world.ring(of: process)
    let medium = ring.open(disk)
    let extent = Extent(offset: 0, length: 512)
    arena.bytes(extent).initializeMemory(as: UInt8.self, repeating: 7)
    /// Submits what `body` emits, and waits for so many completions.
    func perform(_ count: Int, _ body: (inout Operations) -> Void) {
      var batch = Operations()
      body(&batch)
      ring.submit(&batch)
      var completions: [Completion] = []
      while completions.count < count, world.now < Instant(nanoseconds: 1_000_000_000) {
        ring.reap(into: &completions, until: Instant(nanoseconds: 1_000_000_000))
      }
      #expect(completions.count == count && completions.allSatisfy { $0.error == .none })
    }
    perform(1) { $0.write(to: medium, at: 0, from: [extent], token: Token(1)) }
    perform(2) {
      $0.flush(medium, token: Token(2))
      $0.write(to: medium, at: 512, from: [extent], token: Token(3))
    }
    #expect(world.disk(disk).unflushedLength == 512)
    world.powerOff(host)
    var bytes = [UInt8](repeating: 9, count: 1024)
    bytes.withUnsafeMutableBytes { world.disk(disk).read(at: 0, into: $0) }
    #expect(bytes == [UInt8](repeating: 7, count: 512) + [UInt8](repeating: 0, count: 512))
  }

  @Test("When only the process dies, nothing that was acknowledged is lost")
  func crash() throws {
    for seed in 0..<20 as Range<UInt64> {
      // Only the writes under way, at most one a sector and 16 in all, may be missing.
      #expect(try play(seed, isPower: false).losses <= 16)
    }
  }
}
