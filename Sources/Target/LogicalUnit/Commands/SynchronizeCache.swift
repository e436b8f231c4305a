import Ring
import SCSI

// SYNCHRONIZE CACHE(10) and (16): SBC-4 §5.33, §5.34. PRE-FETCH(10) and (16): SBC-4 §5.13, §5.14.

extension CommandTable {
  static let synchronizeCache: [CommandDescriptor] = [
    // IMMED is not supported: an answer comes when there is something to say.
    CommandDescriptor(
      "SYNCHRONIZE CACHE(10)", OperationCode.synchronizeCache10,
      usage: [0x35, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0xFF, 0xFF, 0x00], [.needsMedium],
      begin: { $0.beginSynchronizeCache(&$1, &$2) }, resume: { $0.resumeSynchronizeCache(&$1, $2, &$3) }),
    CommandDescriptor(
      "SYNCHRONIZE CACHE(16)", OperationCode.synchronizeCache16,
      usage: [
        0x91, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00,
      ], [.needsMedium],
      begin: { $0.beginSynchronizeCache(&$1, &$2) }, resume: { $0.resumeSynchronizeCache(&$1, $2, &$3) }),
  ]

  static let prefetch: [CommandDescriptor] = [
    CommandDescriptor(
      "PRE-FETCH(10)", OperationCode.prefetch10,
      usage: [0x34, 0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0xFF, 0xFF, 0x00], [.needsMedium],
      begin: { unit, command, _ in unit.beginPrefetch(&command) }),
    CommandDescriptor(
      "PRE-FETCH(16)", OperationCode.prefetch16,
      usage: [
        0x90, 0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00,
      ], [.needsMedium],
      begin: { unit, command, _ in unit.beginPrefetch(&command) }),
  ]
}

extension LogicalUnit {
  fileprivate func beginSynchronizeCache(_ command: inout Command, _ context: inout Context) -> Disposition {
    let cdb = BlockCDB(command.cdb)
    // No blocks: all from the LBA to the end. Either way everything is made stable.
    if let sense = outOfRange(cdb.lba, UInt64(cdb.blocks)) { return fail(&command, sense) }
    let nexus = Int(command.nexus)
    if nexus < nexuses.count, nexuses[nexus].owesFlushFailure {
      nexuses[nexus].owesFlushFailure = false
      command.phase = Command.tellsFlushFailure
      return fail(&command, Sense(.mediumError, .writeError))
    }
    command.progress = flushDebts.departures
    return startFlush(&command, &context) ? good(&command) : .pending
  }

  fileprivate func resumeSynchronizeCache(
    _ command: inout Command, _ event: CommandEvent, _ context: inout Context
  ) -> Disposition {
    guard case .medium(let error, _) = event else { return .finished }
    if let failed = failedFlush(&command, error) { return failed }
    flushDebts.flushed(command.progress)
    return command.isAborted ? .finished : good(&command)
  }

  /// There is no cache to fetch into: GOOD says that not all of it is there (CONDITION MET would say that it is).
  fileprivate func beginPrefetch(_ command: inout Command) -> Disposition {
    let cdb = BlockCDB(command.cdb)
    if let sense = outOfRange(cdb.lba, UInt64(cdb.blocks)) { return fail(&command, sense) }
    return good(&command)
  }
}
