import Ring
import SCSI

// READ(6): SBC-3. READ(10), READ(12), READ(16): SBC-4 §5.16 to §5.18.

extension CommandTable {
  static let read: [CommandDescriptor] = [
    CommandDescriptor(
      "READ(6)", OperationCode.read6, usage: [0x08, 0x1F, 0xFF, 0xFF, 0xFF, 0x00], kind: .read, [.needsMedium],
      begin: { $0.beginRead(&$1, &$2) }, resume: { $0.resumeRead(&$1, $2, &$3) }),
    CommandDescriptor(
      "READ(10)", OperationCode.read10,
      usage: [0x28, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0xFF, 0xFF, 0x00], kind: .read, [.needsMedium],
      begin: { $0.beginRead(&$1, &$2) }, resume: { $0.resumeRead(&$1, $2, &$3) }),
    CommandDescriptor(
      "READ(12)", OperationCode.read12,
      usage: [0xA8, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00], kind: .read, [.needsMedium],
      begin: { $0.beginRead(&$1, &$2) }, resume: { $0.resumeRead(&$1, $2, &$3) }),
    CommandDescriptor(
      "READ(16)", OperationCode.read16,
      usage: [
        0x88, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00,
      ], kind: .read, [.needsMedium],
      begin: { $0.beginRead(&$1, &$2) }, resume: { $0.resumeRead(&$1, $2, &$3) }),
  ]
}

private enum Phase {
  /// The cache is being flushed, for a read with FUA.
  static let flushing: UInt8 = 1
  static let reading: UInt8 = 2
}

extension LogicalUnit {
  func beginRead(_ command: inout Command, _ context: inout Context) -> Disposition {
    let cdb = BlockCDB(command.cdb)
    let blocks = UInt64(cdb.blocks)
    if let sense = outOfRange(cdb.lba, blocks) { return fail(&command, sense) }
    if blocks > transferBlocksMax { return fail(&command, invalidField(byte: Int(cdb.blocksOffset))) }
    if blocks == 0 { return good(&command) }
    let length = Int(truncatingIfNeeded: blocks << blockShift)
    command.lba = cdb.lba
    if store == nil && !hasMedium && length <= context.zeroes.length {
      command.dataIn = context.zeroes.prefix(length)
      return good(&command)
    }
    if let store, let loan = store.lend(at: cdb.lba << blockShift, length) {
      command.loan = loan
      command.dataIn = loan
      return good(&command)
    }
    guard let buffer = context.buffers.allocate(length) else { return starved(&command, length, context) }
    command.buffer = buffer
    if !hasMedium {
      copyOut(cdb.lba << blockShift, to: buffer, &context)
      command.dataIn = buffer
      return good(&command)
    }
    guard lock(&command, from: cdb.lba, to: cdb.lba + blocks, exclusive: false) else {
      // It comes back through here; memory is not held while it waits.
      context.buffers.free(buffer)
      command.buffer = .empty
      return .blocked
    }
    if cdb.forceUnitAccess && !writesThrough {
      // SBC-4 §4.15: what the cache has and the medium has not goes to the medium first.
      command.phase = Phase.flushing
      return startFlush(&command, &context) ? readMedium(&command, &context) : .pending
    }
    return readMedium(&command, &context)
  }

  private func readMedium(_ command: inout Command, _ context: inout Context) -> Disposition {
    command.phase = Phase.reading
    context.operations.read(
      from: medium, at: command.lba << blockShift + UInt64(command.progress),
      into: command.buffer.dropFirst(command.progress), token: context.mediumToken(command))
    return .pending
  }

  func resumeRead(_ command: inout Command, _ event: CommandEvent, _ context: inout Context) -> Disposition {
    guard case .medium(let error, let result) = event else { return .finished }
    if command.phase == Phase.flushing, let failed = failedFlush(&command, error) { return failed }
    guard !command.isAborted else { return .finished }
    if command.phase == Phase.flushing { return readMedium(&command, &context) }
    if command.phase == Command.locating { return goOnLocating(&command, error, result, &context) }
    if let failed = failure(error, result) {
      let read = command.progress
      command.progress = 0
      return readFailed(&command, failed, after: read, of: command.buffer.length, &context)
    }
    command.progress += Int(truncatingIfNeeded: result)
    if command.progress < command.buffer.length { return readMedium(&command, &context) }
    command.dataIn = command.buffer
    return good(&command)
  }
}
