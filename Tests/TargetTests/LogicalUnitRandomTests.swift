import Ring
import SCSI
import Testing

@testable import Target

/// Draws numbers; the same for the same seed.
struct Draw: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }

  mutating func below(_ end: Int) -> Int { Int(truncatingIfNeeded: next() % UInt64(end)) }

  /// One of `choices`, of which there are some.
  mutating func pick<Choice>(_ choices: [Choice]) -> Choice { choices[below(choices.count)] }
}

/// A CDB that is random, or one of the table's with some bits changed.
func randomCDB(_ draw: inout Draw) -> [UInt8] {
  let descriptors = CommandTable.shared.descriptors
  var cdb = (0..<16).map { _ in UInt8(truncatingIfNeeded: draw.next()) }
  guard draw.below(8) > 0 else { return cdb }
  let descriptor = descriptors[draw.below(descriptors.count)]
  for index in 0..<16 {
    guard index < descriptor.usage.count else {
      cdb[index] = 0
      continue
    }
    cdb[index] &= descriptor.usage[index]
    // Large numbers are refused alike: most are to be small.
    if index >= 2 && descriptor.usage[index] == 0xFF && draw.below(4) > 0 { cdb[index] &= UInt8(draw.below(3)) }
  }
  cdb[0] = descriptor.operationCode
  if let action = descriptor.serviceAction { cdb[1] = UInt8(truncatingIfNeeded: action) }
  if draw.below(10) == 0 { cdb[1 + draw.below(15)] ^= 1 << UInt8(draw.below(8)) }
  return cdb
}

/// Whatever comes, a command ends, and nothing is lost.
@Suite struct LogicalUnitRandomTests {
  private static let errors: [RingError] = [.mediumError, .noSpace, .unsupported, .cancelled, .removed, .other]

  @Test(arguments: [
    Backing.memory, Backing.null, Backing.medium(LogicalUnitBench.mediumHandle, alignment: 512),
  ])
  func randomCommandsEndAndGiveBackWhatTheyTook(backing: Backing) {
    var draw = Draw(state: 1)
    let bench = LogicalUnitBench(backing, blocks: 600, nexuses: [0, 1]) {
      $0.isThin = true
      $0.isRemovable = true
      $0.transferLengthMax = 64 << 10
    }
    var statuses: [UInt8: Int] = [:]
    let noise = pattern(70_000)
    for _ in 0..<2000 {
      bench.context.operations.removeAll()
      bench.log = []
      bench.longestTransfer = draw.below(3) == 0 ? 1 + draw.below(5000) : Int.max
      let kinds: [Operation.Kind] = [.read, .write, .flush, .discard, .seek]
      bench.failures =
        draw.below(4) == 0 ? [(kinds[draw.below(5)], Self.errors[draw.below(Self.errors.count)])] : []
      let task = bench.submit(
        randomCDB(&draw), Array(noise.prefix(draw.below(3) == 0 ? draw.below(70_000) : 512 * draw.below(4))),
        nexus: NexusIndex(draw.below(2)), attribute: [.simple, .untagged, .ordered, .headOfQueue, .aca][draw.below(5)])
      var steps = 0
      while bench.step(task) {
        steps += 1
        if draw.below(50) == 0 { task.command.isAborted = true }
        if steps > 5000 { break }
      }
      #expect(task.disposition == .finished, "\(task.command.cdb[0]) after \(steps) steps")
      #expect(task.command.auxiliary == .empty)
      statuses[task.command.status, default: 0] += 1
      if task.command.status == Status.checkCondition.rawValue && !task.command.isAborted {
        #expect(Sense(decoding: (0..<task.command.senseLength).map { task.command.sense[$0] }) != nil)
        #expect(task.command.dataIn == .empty)
      }
      _ = bench.leave(task)
      #expect(bench.leakedBuffers == 0)
      // A stopped, ejected or reserved unit would answer everything alike.
      if draw.below(20) == 0 {
        bench.unit.reset()
        bench.run([0x1B, 0, 0, 0, 3, 0], nexus: 0)
        bench.run([0x1B, 0, 0, 0, 3, 0], nexus: 0)
      }
    }
    for status in [Status.good, .checkCondition, .reservationConflict] {
      #expect(statuses[status.rawValue, default: 0] > 30, "\(status.name) hardly ever seen: \(statuses)")
    }
    #expect(bench.unit.takeReady() == nil)
  }

  /// Several initiators add to one counter with READ and COMPARE AND WRITE, while others read and write around it, and
  /// the medium completes in any order.
  @Test(arguments: 0..<8) func noUpdateIsLostWhateverTheOrder(seed: Int) {
    var draw = Draw(state: UInt64(seed))
    let bench = LogicalUnitBench()
    bench.longestTransfer = 800
    var active: [LogicalUnitBench.Task] = []
    var succeeded = 0
    var failed = 0
    func block(_ value: Int) -> [UInt8] {
      [UInt8](repeating: UInt8(truncatingIfNeeded: value), count: 1024)
    }
    func count(_ task: LogicalUnitBench.Task) {
      guard task.command.cdb[0] == 0x89 else { return }
      if task.command.status == 0 { succeeded += 1 } else { failed += 1 }
    }
    for _ in 0..<2000 {
      if active.count < 12 {
        switch draw.below(16) {
        case 0..<6:
          // What the counter will be is a guess: the ones that miss change nothing.
          let guess = succeeded + draw.below(2)
          active.append(bench.submit(compareAndWrite(40, 2), block(guess) + block(guess + 1)))
        case 6..<10:
          active.append(bench.submit(blockCDB(0x28, 38, 6)))
        case 10..<15:
          active.append(bench.submit(blockCDB(0x2A, 42, 8), pattern(4096)))
        default:
          active.append(
            bench.submit(blockCDB(0x8B, 40, 2), [UInt8](repeating: 0, count: 1024), attribute: .ordered))
        }
      }
      while let index = bench.unit.takeReady() {
        if let task = active.first(where: { $0.command.task == index }) { bench.retry(task) }
      }
      guard let place = active.indices.randomElement(using: &draw) else { continue }
      let task = active[place]
      _ = bench.step(task)
      guard task.disposition == .finished else { continue }
      count(task)
      if task.command.cdb[0] == 0x28 {
        // Both blocks of the counter hold one value: no write was seen half done.
        let data = Array(bench.context.arena.bytes(task.command.dataIn))[1024..<2048]
        #expect(Set(data).count == 1)
      }
      _ = bench.leave(task)
      active.remove(at: place)
      bench.context.operations.removeAll(where: active)
    }
    // All that are left can be played to their end: nobody waits for ever.
    var rounds = 0
    while !active.isEmpty && rounds < 1000 {
      rounds += 1
      while let index = bench.unit.takeReady() {
        if let task = active.first(where: { $0.command.task == index }) { bench.retry(task) }
      }
      for task in active {
        while bench.step(task) {}
        if task.disposition == .finished {
          count(task)
          _ = bench.leave(task)
        }
      }
      active.removeAll { $0.disposition == .finished }
    }
    #expect(active.isEmpty)
    #expect(succeeded > 4 && failed > 20, "\(succeeded) of \(succeeded + failed)")
    #expect(bench.bytes[40 * 512] == UInt8(truncatingIfNeeded: succeeded))
    #expect(bench.leakedBuffers == 0)
  }
}

extension Operations {
  /// The bench keeps what was emitted until nobody waits for any of it.
  fileprivate mutating func removeAll(where active: [LogicalUnitBench.Task]) {
    if !active.contains(where: { $0.disposition == .pending }) { removeAll() }
  }
}
