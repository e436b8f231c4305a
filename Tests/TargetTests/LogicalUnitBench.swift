import Ring
import SCSI

@testable import Target

/// A logical unit on a bench: commands go in one at a time, and its medium is an array of bytes that can be told to
/// misbehave.
final class LogicalUnitBench {
  let unit: LogicalUnit
  var context = Context(arena: Arena(capacity: 16 << 20))
  /// The bytes of the medium.
  var bytes: [UInt8]
  /// Where the medium has never been written, or was discarded, by byte.
  var holes: [Bool]
  /// What the medium was asked to do, in order.
  var log: [String] = []
  /// The first byte of each block that cannot be read.
  var unreadable: Set<UInt64> = []
  /// The next operations of a kind fail so.
  var failures: [(Operation.Kind, RingError)] = []
  /// No operation moves more bytes than this.
  var longestTransfer = Int.max
  private var nextTask: TaskIndex = 0

  static let mediumHandle = Handle(7)

  init(
    _ backing: Backing = .medium(LogicalUnitBench.mediumHandle, alignment: 512), blocks: UInt64 = 2048,
    nexuses: [NexusIndex] = [0], portalGroupTags: [UInt16] = [1],
    change: (inout LogicalUnitConfiguration) -> Void = { _ in }
  ) {
    var configuration = LogicalUnitConfiguration(blockCount: blocks, backing: backing)
    change(&configuration)
    let inventory = TargetInventory(
      name: "iqn.2026-11.example:bench", luns: [0, 5, 300], portalGroupTags: portalGroupTags)
    guard
      let unit = try? LogicalUnit(configuration: configuration, inventory: inventory, arena: context.arena)
    else { preconditionFailure("no address space for a logical unit") }
    self.unit = unit
    let isMedium = backing != .memory && backing != .null
    bytes = [UInt8](repeating: 0, count: isMedium ? Int(blocks) * configuration.blockLength : 0)
    holes = [Bool](repeating: true, count: bytes.count)
    for nexus in nexuses {
      unit.nexusEstablished(nexus)
      // Takes the unit attention of power on.
      _ = run([0x00], nexus: nexus)
    }
  }

  /// How a command ended.
  struct Outcome {
    var status: Status?
    var sense: Sense?
    var data: [UInt8] = []
    /// The bytes that it wanted from the initiator.
    var wanted = 0

    var key: SenseKey? { sense?.key }
    var additional: AdditionalSense? { sense?.additional }
  }

  /// A command between its events.
  final class Task {
    var command = Command()
    var dataOut: [UInt8] = []
    var disposition = Disposition.blocked
    var wanted = 0
  }

  /// Makes a command and submits it. What it emits waits for ``step(_:)`` or ``finish(_:)``. Until it is taken out, those
  /// that come after it meet it, unless it does not stay.
  func submit(
    _ cdb: [UInt8], _ dataOut: [UInt8] = [], nexus: NexusIndex = 0, attribute: TaskAttribute = .simple,
    stays: Bool = true
  ) -> Task {
    let task = Task()
    task.command.task = nextTask
    nextTask += 1
    task.command.nexus = nexus
    task.command.attribute = attribute
    for (index, byte) in cdb.enumerated() { task.command.cdb[index] = byte }
    task.command.expectedDataOut = dataOut.count
    task.dataOut = dataOut
    task.disposition = unit.submit(&task.command, &context)
    if stays { unit.enter(&task.command) }
    return task
  }

  /// One event for a task: data-out, the completion of its operation, or another attempt. False when there was none.
  func step(_ task: Task) -> Bool {
    switch task.disposition {
    case .finished, .starved:
      return false
    case .blocked:
      return false
    case .wantsData(let count):
      task.wanted = count
      let arrived = task.dataOut.prefix(count)
      if count > 0, let buffer = context.buffers.allocate(count) {
        task.command.buffer = buffer
        context.arena.bytes(buffer).copyBytes(from: arrived)
      }
      task.command.dataOutLength = arrived.count
      task.disposition = unit.resume(&task.command, .dataArrived, &context)
    case .pending:
      let (error, result) = perform(token: context.mediumToken(task.command))
      task.disposition = unit.resume(&task.command, .medium(error, result), &context)
    }
    return true
  }

  /// Submits again a task that was blocked or starved.
  func retry(_ task: Task) { task.disposition = unit.submit(&task.command, &context) }

  /// Plays a task to its end and takes it out.
  func finish(_ task: Task) -> Outcome {
    while step(task) {}
    return leave(task)
  }

  /// Takes a task out as it is.
  func leave(_ task: Task) -> Outcome {
    var outcome = Outcome()
    outcome.wanted = task.wanted
    if task.disposition == .finished {
      outcome.status = Status(rawValue: task.command.status)
      if outcome.status == .checkCondition {
        outcome.sense = Sense(decoding: (0..<task.command.senseLength).map { task.command.sense[$0] })
      }
      outcome.data = Array(context.arena.bytes(task.command.dataIn))
    }
    if task.command.buffer.length > 0 { context.buffers.free(task.command.buffer) }
    unit.finish(&task.command)
    return outcome
  }

  /// One command from beginning to end.
  @discardableResult
  func run(
    _ cdb: [UInt8], _ dataOut: [UInt8] = [], nexus: NexusIndex = 0, attribute: TaskAttribute = .simple
  ) -> Outcome {
    finish(submit(cdb, dataOut, nexus: nexus, attribute: attribute))
  }

  /// Bytes in use that belong to no task, beyond the zeroes of the context.
  var leakedBuffers: Int { context.buffers.buffersInUse - 1 }

  // MARK: The medium

  /// Carries out the operation with that token, and forgets it.
  private func perform(token: Token) -> (RingError, UInt64) {
    guard let operation = context.operations.items.last(where: { $0.token == token }) else { return (.notFound, 0) }
    let extents = context.operations.extents[
      Int(operation.firstExtent)..<Int(operation.firstExtent + operation.extentCount)]
    var length = UInt64(extents.reduce(0) { $0 + $1.length })
    if operation.kind == .discard || operation.kind == .writeZeroes { length = operation.length }
    log.append(describe(operation, length))
    if let failure = failures.firstIndex(where: { $0.0 == operation.kind }) {
      return (failures.remove(at: failure).1, 0)
    }
    guard operation.offset <= UInt64(bytes.count), length <= UInt64(bytes.count) - operation.offset else {
      return (.outOfRange, 0)
    }
    let start = Int(operation.offset)
    switch operation.kind {
    case .read:
      if unreadable.contains(where: { $0 + 512 > operation.offset && $0 < operation.offset + length }) {
        return (.mediumError, 0)
      }
      return (.none, UInt64(move(extents, start, writing: false)))
    case .write:
      return (.none, UInt64(move(extents, start, writing: true)))
    case .discard, .writeZeroes:
      for index in start..<(start + Int(length)) {
        bytes[index] = 0
        holes[index] = operation.kind == .discard
      }
      return (.none, length)
    case .seek:
      let found = holes[start...].firstIndex(of: operation.seekHole) ?? bytes.count
      return (.none, UInt64(found))
    default:
      return (.none, 0)
    }
  }

  private func move(_ extents: ArraySlice<Extent>, _ start: Int, writing: Bool) -> Int {
    var done = 0
    for extent in extents {
      let count = min(extent.length, longestTransfer - done)
      guard count > 0 else { break }
      let memory = UnsafeMutableRawBufferPointer(rebasing: context.arena.bytes(extent)[..<count])
      let range = (start + done)..<(start + done + count)
      if writing {
        bytes.replaceSubrange(range, with: memory)
        holes.replaceSubrange(range, with: repeatElement(false, count: count))
      } else {
        memory.copyBytes(from: bytes[range])
      }
      done += count
    }
    return done
  }

  private func describe(_ operation: Operation, _ length: UInt64) -> String {
    let unit = operation.forceUnitAccess ? " fua" : ""
    return operation.kind == .flush ? "flush" : "\(operation.kind) \(operation.offset)+\(length)\(unit)"
  }
}

/// `count` bytes that differ from block to block and from byte to byte.
func pattern(_ count: Int, seed: Int = 1) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 7 &+ $0 / 512 &* 13 &+ seed &* 31) ^ ($0 >> 8)) }
}

/// The CDB of READ, WRITE and the like: 6, 10, 12 or 16 bytes, as the operation code has it.
func blockCDB(_ operationCode: UInt8, _ lba: UInt64, _ blocks: UInt32, flags: UInt8 = 0) -> [UInt8] {
  var cdb: [UInt8] = [operationCode]
  switch operationCode >> 5 {
  case 0:
    cdb += [UInt8(lba >> 16 & 0x1F), UInt8(lba >> 8 & 0xFF), UInt8(lba & 0xFF), UInt8(blocks & 0xFF), 0]
  case 4:
    cdb.append(flags)
    cdb.append64(lba)
    cdb.append32(blocks)
    cdb.append16(0)
  case 5:
    cdb.append(flags)
    cdb.append32(UInt32(truncatingIfNeeded: lba))
    cdb.append32(blocks)
    cdb.append16(0)
  default:
    cdb.append(flags)
    cdb.append32(UInt32(truncatingIfNeeded: lba))
    cdb.append(0)
    cdb.append16(UInt16(truncatingIfNeeded: blocks))
    cdb.append(0)
  }
  return cdb
}
