import Ring
import SCSI

private enum Phase {
  static let reading: UInt8 = 2
  static let writing: UInt8 = 3
}

/// Commands that look at what is on their blocks before they write there, and let nobody in between: COMPARE AND WRITE, ORWRITE.
extension LogicalUnit {
  /// Goes on with such a command, whose data-out has come when it is called first.
  ///
  /// - Parameters:
  ///   - data: What is written, a part of the command's buffer as long as its blocks.
  ///   - prepare: Gets what is on the blocks, and may change `data` by it. Sense data when nothing is to be written.
  func resumeReplacing(
    _ command: inout Command, _ event: CommandEvent, by data: Extent, _ context: inout Context,
    prepare: (borrowing Command, UnsafeMutableRawBufferPointer, borrowing Context) -> Sense?
  ) -> Disposition {
    switch event {
    case .dataArrived:
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
        return write(&command, data, &context)
      }
    }
    let have = Int(truncatingIfNeeded: command.scratch)
    if have < length(of: command) {
      let offset = start(of: command) + UInt64(have)
      guard startRead(command, at: offset, into: command.auxiliary.dropFirst(have), &context) else { return .pending }
    }
    let refusal = prepare(command, context.arena.bytes(command.auxiliary), context)
    releaseAuxiliary(&command, &context)
    if let refusal { return fail(&command, refusal) }
    command.phase = Phase.writing
    return write(&command, data, &context)
  }

  /// Writes what has not been written yet.
  private func write(_ command: inout Command, _ data: Extent, _ context: inout Context) -> Disposition {
    if command.progress < data.length {
      let rest = data.dropFirst(command.progress)
      let offset = start(of: command) + UInt64(command.progress)
      let wantsUnit = command.cdb[1] & 0x08 != 0
      guard startWrite(command, at: offset, from: rest, forceUnitAccess: wantsUnit, &context) else { return .pending }
    }
    return good(&command)
  }
}
