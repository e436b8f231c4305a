import Ring
import SCSI

// ORWRITE(16): SBC-4 §5.12.

extension CommandTable {
  static let orWrite: [CommandDescriptor] = [
    CommandDescriptor(
      "ORWRITE(16)", OperationCode.orWrite16,
      usage: [
        0x8B, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00,
      ], [.needsMedium, .writes],
      begin: { $0.beginWrite(&$1, &$2) }, resume: { $0.resumeORWrite(&$1, $2, &$3) })
  ]
}

private enum Phase {
  static let begin: UInt8 = 0
  static let gathering: UInt8 = 1
  static let reading: UInt8 = 2
  static let writing: UInt8 = 3
}

extension LogicalUnit {
  fileprivate func resumeORWrite(
    _ command: inout Command, _ event: CommandEvent, _ context: inout Context
  ) -> Disposition {
    switch event {
    case .dataArrived:
      guard !command.isAborted else { return .finished }
      command.blockCount = min(command.blockCount, UInt64(truncatingIfNeeded: command.dataOutLength) >> blockShift)
      if command.blockCount == 0 { return good(&command) }
      guard lock(&command, from: command.lba, to: command.lba + command.blockCount, exclusive: true) else {
        return .blocked
      }
      guard takeAuxiliary(&command, length(of: command), &context) else {
        return starved(&command, length(of: command), context)
      }
      command.phase = Phase.reading
    case .medium(let error, let result):
      if command.phase == Phase.reading {
        if let ended = endedReading(&command, error, result, &context) { return ended }
      } else {
        guard !command.isAborted else { return .finished }
        if let failed = failure(error, result) { return fail(&command, mediumSense(failed, writing: true)) }
        command.progress += Int(truncatingIfNeeded: result)
        return writeMerged(&command, &context)
      }
    }
    return merge(&command, &context)
  }

  private func merge(_ command: inout Command, _ context: inout Context) -> Disposition {
    let total = length(of: command)
    let have = Int(truncatingIfNeeded: command.scratch)
    if have < total {
      let offset = start(of: command) + UInt64(have)
      guard startRead(command, at: offset, into: command.auxiliary.dropFirst(have), &context) else { return .pending }
    }
    let old = context.arena.bytes(command.auxiliary)
    let new = context.arena.bytes(command.buffer.prefix(total))
    merge(old, into: new)
    releaseAuxiliary(&command, &context)
    command.phase = Phase.writing
    return writeMerged(&command, &context)
  }

  /// Sets in `new` what is set in `old`. Both are as long, a multiple of eight bytes: whole blocks. Data that came with the
  /// command may still be where they were received, at any address.
  private func merge(_ old: UnsafeMutableRawBufferPointer, into new: UnsafeMutableRawBufferPointer) {
    for index in stride(from: 0, to: min(old.count, new.count), by: 8) {
      let merged =
        old.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        | new.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      new.storeBytes(of: merged, toByteOffset: index, as: UInt64.self)
    }
  }

  private func writeMerged(_ command: inout Command, _ context: inout Context) -> Disposition {
    let total = length(of: command)
    if command.progress < total {
      let rest = command.buffer.prefix(total).dropFirst(command.progress)
      let offset = start(of: command) + UInt64(command.progress)
      let wantsUnit = command.cdb[1] & 0x08 != 0
      guard startWrite(command, at: offset, from: rest, forceUnitAccess: wantsUnit, &context) else {
        return .pending
      }
    }
    return good(&command)
  }
}
