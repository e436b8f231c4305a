import Ring
import SCSI

// WRITE AND VERIFY(10), (12), (16): SBC-4 §5.44 to §5.46.

extension CommandTable {
  static let writeAndVerify: [CommandDescriptor] = [
    CommandDescriptor(
      "WRITE AND VERIFY(10)", OperationCode.writeAndVerify10,
      usage: [0x2E, 0x16, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0xFF, 0xFF, 0x00], [.needsMedium, .writes],
      begin: { $0.beginWriteAndVerify(&$1, &$2) }, resume: { $0.resumeWriteAndVerify(&$1, $2, &$3) }),
    CommandDescriptor(
      "WRITE AND VERIFY(12)", OperationCode.writeAndVerify12,
      usage: [0xAE, 0x16, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00], [.needsMedium, .writes],
      begin: { $0.beginWriteAndVerify(&$1, &$2) }, resume: { $0.resumeWriteAndVerify(&$1, $2, &$3) }),
    CommandDescriptor(
      "WRITE AND VERIFY(16)", OperationCode.writeAndVerify16,
      usage: [
        0x8E, 0x16, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00,
      ], [.needsMedium, .writes],
      begin: { $0.beginWriteAndVerify(&$1, &$2) }, resume: { $0.resumeWriteAndVerify(&$1, $2, &$3) }),
  ]
}

private enum Phase {
  static let writing: UInt8 = 2
  /// Not below the phases of VERIFY, whose loop goes on from here.
  static let verifying: UInt8 = 3
}

extension LogicalUnit {
  fileprivate func beginWriteAndVerify(_ command: inout Command, _ context: inout Context) -> Disposition {
    let cdb = BlockCDB(command.cdb)
    guard let check = ByteCheck(rawValue: cdb.flags >> 1 & 0x03), check != .oneBlock else {
      return fail(&command, invalidField(byte: 1, bit: 2))
    }
    return beginWrite(&command, &context)
  }

  fileprivate func resumeWriteAndVerify(
    _ command: inout Command, _ event: CommandEvent, _ context: inout Context
  ) -> Disposition {
    let check = ByteCheck(rawValue: command.cdb[1] >> 1 & 0x03) ?? .none
    switch event {
    case .dataArrived:
      guard !command.isAborted else { return .finished }
      guard keepArrived(&command) else { return good(&command) }
      // Nobody else writes between the write and the look at it.
      guard lock(&command, from: command.lba, to: command.lba + command.blockCount, exclusive: true) else {
        return .blocked
      }
      // Before the first block is written: one that ends with BUSY has changed nothing.
      let piece = min(Self.pieceLength, length(of: command))
      if hasMedium, !takeAuxiliary(&command, piece, &context) { return starved(&command, piece, context) }
      command.phase = Phase.writing
      return writePieces(&command, check, &context)
    case .medium(let error, let result):
      if command.phase == Phase.verifying {
        if let ended = endedReading(&command, error, result, &context) { return ended }
        return verifyPieces(&command, check, &context)
      }
      if command.isAborted {
        releaseAuxiliary(&command, &context)
        return .finished
      }
      if let failed = failure(error, result) {
        releaseAuxiliary(&command, &context)
        return fail(&command, mediumSense(failed, writing: true))
      }
      command.progress += Int(truncatingIfNeeded: result)
      return writePieces(&command, check, &context)
    }
  }

  /// Writes what is left, through the cache to the medium, and then verifies.
  private func writePieces(
    _ command: inout Command, _ check: ByteCheck, _ context: inout Context
  ) -> Disposition {
    let total = length(of: command)
    if command.progress < total {
      let rest = command.buffer.prefix(total).dropFirst(command.progress)
      let offset = start(of: command) + UInt64(command.progress)
      guard startWrite(command, at: offset, from: rest, forceUnitAccess: true, &context) else { return .pending }
    }
    if !hasMedium { return good(&command) }
    command.phase = Phase.verifying
    command.progress = 0
    command.scratch = 0
    return verifyPieces(&command, check, &context)
  }
}
