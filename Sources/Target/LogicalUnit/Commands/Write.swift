import Ring
import SCSI

// WRITE(6): SBC-3. WRITE(10), WRITE(12), WRITE(16): SBC-4 §5.40 to §5.42.

extension CommandTable {
  static let write: [CommandDescriptor] = [
    CommandDescriptor(
      "WRITE(6)", OperationCode.write6, usage: [0x0A, 0x1F, 0xFF, 0xFF, 0xFF, 0x00], kind: .write,
      [.needsMedium, .writes], begin: { $0.beginWrite(&$1, &$2) }, resume: { $0.resumeWrite(&$1, $2, &$3) }),
    CommandDescriptor(
      "WRITE(10)", OperationCode.write10,
      usage: [0x2A, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0xFF, 0xFF, 0x00], kind: .write, [.needsMedium, .writes],
      begin: { $0.beginWrite(&$1, &$2) }, resume: { $0.resumeWrite(&$1, $2, &$3) }),
    CommandDescriptor(
      "WRITE(12)", OperationCode.write12,
      usage: [0xAA, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00], kind: .write,
      [.needsMedium, .writes], begin: { $0.beginWrite(&$1, &$2) }, resume: { $0.resumeWrite(&$1, $2, &$3) }),
    CommandDescriptor(
      "WRITE(16)", OperationCode.write16,
      usage: [
        0x8A, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00,
      ], kind: .write, [.needsMedium, .writes],
      begin: { $0.beginWrite(&$1, &$2) }, resume: { $0.resumeWrite(&$1, $2, &$3) }),
  ]
}

private enum Phase {
  static let writing: UInt8 = 2
}

extension LogicalUnit {
  func beginWrite(_ command: inout Command, _ context: inout Context) -> Disposition {
    let cdb = BlockCDB(command.cdb)
    let blocks = UInt64(cdb.blocks)
    if let sense = outOfRange(cdb.lba, blocks) { return fail(&command, sense) }
    if blocks > transferBlocksMax { return fail(&command, invalidField(byte: Int(cdb.blocksOffset))) }
    if blocks == 0 { return good(&command) }
    command.lba = cdb.lba
    command.blockCount = blocks
    command.phase = Command.gathering
    return .wantsData(Int(truncatingIfNeeded: blocks << blockShift))
  }

  func resumeWrite(_ command: inout Command, _ event: CommandEvent, _ context: inout Context) -> Disposition {
    guard !command.isAborted else { return .finished }
    switch event {
    case .dataArrived:
      guard keepArrived(&command) else { return good(&command) }
      guard hasMedium else {
        copyIn(start(of: command), from: command.buffer.prefix(length(of: command)), &context)
        return good(&command)
      }
      guard lock(&command, from: command.lba, to: command.lba + command.blockCount, exclusive: false) else {
        return .blocked
      }
      return writeMedium(&command, &context)
    case .medium(let error, let result):
      if let failed = failure(error, result) { return fail(&command, mediumSense(failed, writing: true)) }
      command.progress += Int(truncatingIfNeeded: result)
      return command.progress < length(of: command) ? writeMedium(&command, &context) : good(&command)
    }
  }

  private func writeMedium(_ command: inout Command, _ context: inout Context) -> Disposition {
    command.phase = Phase.writing
    // Byte 1 of the 6-byte CDB holds the LBA: it has no FUA.
    let wantsUnit = command.cdb[0] != OperationCode.write6 && command.cdb[1] & 0x08 != 0
    context.operations.write(
      to: medium, at: start(of: command) + UInt64(command.progress),
      from: CollectionOfOne(command.buffer.prefix(length(of: command)).dropFirst(command.progress)),
      forceUnitAccess: wantsUnit || writesThrough, token: context.mediumToken(command))
    return .pending
  }
}
