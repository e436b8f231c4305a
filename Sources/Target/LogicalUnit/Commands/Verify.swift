import Ring
import SCSI

// VERIFY(10), VERIFY(12), VERIFY(16): SBC-4 §5.36 to §5.38.

extension CommandTable {
  static let verify: [CommandDescriptor] = [
    CommandDescriptor(
      "VERIFY(10)", OperationCode.verify10,
      usage: [0x2F, 0x16, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0xFF, 0xFF, 0x00], [.needsMedium],
      begin: { $0.beginVerify(&$1, &$2) }, resume: { $0.resumeVerify(&$1, $2, &$3) }),
    CommandDescriptor(
      "VERIFY(12)", OperationCode.verify12,
      usage: [0xAF, 0x16, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00], [.needsMedium],
      begin: { $0.beginVerify(&$1, &$2) }, resume: { $0.resumeVerify(&$1, $2, &$3) }),
    CommandDescriptor(
      "VERIFY(16)", OperationCode.verify16,
      usage: [
        0x8F, 0x16, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00,
      ], [.needsMedium],
      begin: { $0.beginVerify(&$1, &$2) }, resume: { $0.resumeVerify(&$1, $2, &$3) }),
  ]
}

/// What a range is held against (BYTCHK).
enum ByteCheck: UInt8 {
  /// Nothing: it has to be readable.
  case none = 0
  /// As much data as the range is long.
  case all = 1
  /// One block, which each block of the range has to equal.
  case oneBlock = 3
}

private enum Phase {
  static let reading: UInt8 = 2
}

extension LogicalUnit {
  fileprivate func beginVerify(_ command: inout Command, _ context: inout Context) -> Disposition {
    let cdb = BlockCDB(command.cdb)
    guard let check = ByteCheck(rawValue: cdb.flags >> 1 & 0x03) else {
      return fail(&command, invalidField(byte: 1, bit: 2))
    }
    let blocks = UInt64(cdb.blocks)
    if let sense = outOfRange(cdb.lba, blocks) { return fail(&command, sense) }
    if blocks > transferBlocksMax { return fail(&command, invalidField(byte: Int(cdb.blocksOffset))) }
    if blocks == 0 { return good(&command) }
    command.lba = cdb.lba
    command.blockCount = blocks
    switch check {
    case .none:
      if !hasMedium { return good(&command) }
      return goOnVerify(&command, check, &context)
    case .all:
      command.phase = Command.gathering
      return .wantsData(length(of: command))
    case .oneBlock:
      command.phase = Command.gathering
      return .wantsData(blockLength)
    }
  }

  fileprivate func resumeVerify(
    _ command: inout Command, _ event: CommandEvent, _ context: inout Context
  ) -> Disposition {
    // `begin` has refused the value that is none of these.
    let check = ByteCheck(rawValue: command.cdb[1] >> 1 & 0x03) ?? .none
    switch event {
    case .dataArrived:
      guard !command.isAborted else { return .finished }
      if check == .all {
        // What did not arrive cannot be compared.
        guard keepArrived(&command) else { return good(&command) }
      } else if command.dataOutLength < blockLength {
        return fail(&command, Sense(.illegalRequest, .invalidFieldInCommandInformationUnit))
      }
      return goOnVerify(&command, check, &context)
    case .medium(let error, let result):
      if let ended = endedReading(&command, error, result, &context) { return ended }
      return verifyPieces(&command, check, &context)
    }
  }

  private func goOnVerify(
    _ command: inout Command, _ check: ByteCheck, _ context: inout Context
  ) -> Disposition {
    guard lock(&command, from: command.lba, to: command.lba + command.blockCount, exclusive: false) else {
      return .blocked
    }
    let piece = min(Self.pieceLength, length(of: command))
    guard takeAuxiliary(&command, piece, &context) else { return starved(&command, piece, context) }
    return verifyPieces(&command, check, &context)
  }

  /// Reads the command's range piece by piece into its second buffer and compares. `progress` counts the bytes that were
  /// compared, `scratch` those of the piece that have been read.
  func verifyPieces(_ command: inout Command, _ check: ByteCheck, _ context: inout Context) -> Disposition {
    if command.phase < Phase.reading { command.phase = Phase.reading }
    let total = length(of: command)
    while command.progress < total {
      let piece = command.auxiliary.prefix(total - command.progress)
      let have = Int(truncatingIfNeeded: command.scratch)
      if have < piece.length {
        let offset = start(of: command) + UInt64(command.progress + have)
        guard startRead(command, at: offset, into: piece.dropFirst(have), &context) else { return .pending }
      }
      if let difference = difference(command, check, piece, context) {
        releaseAuxiliary(&command, &context)
        return fail(
          &command, Sense(.miscompare, .miscompareDuringVerify, information: UInt64(command.progress + difference)))
      }
      command.progress += piece.length
      command.scratch = 0
    }
    releaseAuxiliary(&command, &context)
    return good(&command)
  }

  /// Counts what a read has brought. Not nil when the command has ended, or looks for the block that cannot be read.
  func endedReading(
    _ command: inout Command, _ error: RingError, _ result: UInt64, _ context: inout Context
  ) -> Disposition? {
    if command.isAborted {
      releaseAuxiliary(&command, &context)
      return .finished
    }
    if let failed = failure(error, result) {
      let piece = min(command.auxiliary.length, length(of: command) - command.progress)
      return readFailed(&command, failed, after: Int(truncatingIfNeeded: command.scratch), of: piece, &context)
    }
    command.scratch += result
    return nil
  }

  private func difference(
    _ command: borrowing Command, _ check: ByteCheck, _ piece: Extent, _ context: borrowing Context
  ) -> Int? {
    switch check {
    case .none:
      return nil
    case .all:
      return firstDifference(
        context.arena.bytes(piece), context.arena.bytes(command.buffer.slice(command.progress, piece.length)))
    case .oneBlock:
      let block = context.arena.bytes(command.buffer.prefix(blockLength))
      // A piece is made of whole blocks: its length is a multiple of them, or the end of the range.
      for index in stride(from: 0, to: piece.length, by: blockLength) {
        if let found = firstDifference(context.arena.bytes(piece.slice(index, blockLength)), block) {
          return index + found
        }
      }
      return nil
    }
  }
}
