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
    command.phase = Command.gathering
    return .wantsData(2 * length(of: command))
  }

  fileprivate func resumeCompareAndWrite(
    _ command: inout Command, _ event: CommandEvent, _ context: inout Context
  ) -> Disposition {
    let total = length(of: command)
    if case .dataArrived = event {
      guard !command.isAborted else { return .finished }
      guard command.dataOutLength >= 2 * total else { return fail(&command, invalidField(byte: 13)) }
    }
    return resumeReplacing(&command, event, by: command.buffer.slice(total, total), &context) { command, old, context in
      let difference = firstDifference(old, context.arena.bytes(command.buffer.prefix(total)))
      return difference.map { Sense(.miscompare, .miscompareDuringVerify, information: UInt64($0)) }
    }
  }
}
