import Ring
import SCSI

// COMPARE AND WRITE: SBC-4 §5.3.

extension CommandTable {
  static let compareAndWrite: [CommandDescriptor] = [
    CommandDescriptor(
      "COMPARE AND WRITE", OperationCode.compareAndWrite,
      usage: [
        0x89, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0xFF, 0x3F, 0x00,
      ], [.needsMedium, .writes, .needsCompareAndWrite],
      begin: { $0.beginCompareAndWrite(&$1, &$2) }, resume: { $0.resumeCompareAndWrite(&$1, $2, &$3) })
  ]
}

private enum Phase {
  static let begin: UInt8 = 0
  static let gathering: UInt8 = 1
  static let reading: UInt8 = 2
  static let writing: UInt8 = 3
}

extension LogicalUnit {
  fileprivate func beginCompareAndWrite(_ command: inout Command, _ context: inout Context) -> Disposition {
    let lba = command.cdb.big64(2)
    let blocks = UInt64(command.cdb[13])
    if blocks > UInt64(configuration.compareAndWriteBlocksMax) { return fail(&command, invalidField(byte: 13)) }
    if let sense = outOfRange(lba, blocks) { return fail(&command, sense) }
    command.lba = lba
    command.blockCount = blocks
    // The data-out is one run of blocks to compare with and one to write: no more, no less.
    guard command.expectedDataOut == 2 * length(of: command) else { return fail(&command, invalidField(byte: 13)) }
    if blocks == 0 { return good(&command) }
    command.phase = Phase.gathering
    return .wantsData(2 * length(of: command))
  }

  fileprivate func resumeCompareAndWrite(
    _ command: inout Command, _ event: CommandEvent, _ context: inout Context
  ) -> Disposition {
    switch event {
    case .dataArrived:
      guard !command.isAborted else { return .finished }
      guard command.dataOutLength >= 2 * length(of: command) else {
        return fail(&command, invalidField(byte: 13))
      }
      // No other command reads or writes these blocks from the read to the end of the write.
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
        return writeSecondHalf(&command, &context)
      }
    }
    return compare(&command, &context)
  }

  private func compare(_ command: inout Command, _ context: inout Context) -> Disposition {
    let total = length(of: command)
    let have = Int(truncatingIfNeeded: command.scratch)
    if have < total {
      let offset = start(of: command) + UInt64(have)
      guard startRead(command, at: offset, into: command.auxiliary.dropFirst(have), &context) else { return .pending }
    }
    let difference = firstDifference(
      context.arena.bytes(command.auxiliary), context.arena.bytes(command.buffer.prefix(total)))
    releaseAuxiliary(&command, &context)
    if let difference {
      return fail(
        &command, Sense(.miscompare, .miscompareDuringVerify, information: UInt64(difference)))
    }
    command.phase = Phase.writing
    return writeSecondHalf(&command, &context)
  }

  private func writeSecondHalf(_ command: inout Command, _ context: inout Context) -> Disposition {
    let total = length(of: command)
    if command.progress < total {
      let rest = command.buffer.slice(total, total).dropFirst(command.progress)
      let offset = start(of: command) + UInt64(command.progress)
      let wantsUnit = command.cdb[1] & 0x08 != 0
      guard startWrite(command, at: offset, from: rest, forceUnitAccess: wantsUnit, &context) else {
        return .pending
      }
    }
    return good(&command)
  }
}
