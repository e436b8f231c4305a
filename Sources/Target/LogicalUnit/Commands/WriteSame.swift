import Ring
import SCSI

// WRITE SAME(10) and (16): SBC-4 §5.52, §5.53.

extension CommandTable {
  static let writeSame: [CommandDescriptor] = [
    CommandDescriptor(
      "WRITE SAME(10)", OperationCode.writeSame10,
      usage: [0x41, 0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0xFF, 0xFF, 0x00], [.needsMedium, .writes],
      begin: { $0.beginWriteSame(&$1, &$2) }, resume: { $0.resumeWriteSame(&$1, $2, &$3) }),
    CommandDescriptor(
      "WRITE SAME(16)", OperationCode.writeSame16,
      usage: [
        0x93, 0x09, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00,
      ], [.needsMedium, .writes],
      begin: { $0.beginWriteSame(&$1, &$2) }, resume: { $0.resumeWriteSame(&$1, $2, &$3) }),
  ]
}

private enum Phase {
  /// Zeroes, with the storage given back.
  static let discarding: UInt8 = 2
  /// Zeroes, with the storage kept.
  static let zeroing: UInt8 = 3
  /// The block, over and over.
  static let writing: UInt8 = 4
  static let flushing: UInt8 = 5
}

extension LogicalUnit {
  /// UNMAP of WRITE SAME.
  static let unmapBit: UInt8 = 0x08
  private static let noDataBit: UInt8 = 0x01

  fileprivate func beginWriteSame(_ command: inout Command, _ context: inout Context) -> Disposition {
    let cdb = BlockCDB(command.cdb)
    if cdb.flags & Self.unmapBit != 0 && !configuration.isThin {
      return fail(&command, invalidField(byte: 1, bit: 3))
    }
    let blocks = UInt64(cdb.blocks)
    if let sense = outOfRange(cdb.lba, blocks) { return fail(&command, sense) }
    // WSNZ: no blocks does not mean all of them.
    if blocks == 0 || blocks > writeSameBlocksMax {
      return fail(&command, invalidField(byte: Int(cdb.blocksOffset)))
    }
    command.lba = cdb.lba
    command.blockCount = blocks
    if hasNoData(command.cdb) { return chooseWriteSame(&command, isZero: true, &context) }
    guard command.expectedDataOut == blockLength else {
      return fail(&command, Sense(.illegalRequest, .invalidFieldInCommandInformationUnit))
    }
    command.phase = Command.gathering
    return .wantsData(blockLength)
  }

  /// NDOB: there is no data-out, zeroes are meant. Of the 16-byte command only.
  private func hasNoData(_ cdb: InlineArray<32, UInt8>) -> Bool {
    cdb[0] == OperationCode.writeSame16 && cdb[1] & Self.noDataBit != 0
  }

  fileprivate func resumeWriteSame(
    _ command: inout Command, _ event: CommandEvent, _ context: inout Context
  ) -> Disposition {
    switch event {
    case .dataArrived:
      guard !command.isAborted else { return .finished }
      // Without data-out it has waited for memory.
      if hasNoData(command.cdb) { return chooseWriteSame(&command, isZero: true, &context) }
      guard command.dataOutLength >= blockLength else {
        return fail(&command, Sense(.illegalRequest, .invalidFieldInCommandInformationUnit))
      }
      return chooseWriteSame(&command, isZero: isZero(command.buffer.prefix(blockLength), context), &context)
    case .medium(let error, let result):
      return completedWriteSame(&command, error, result, &context)
    }
  }

  private func isZero(_ extent: Extent, _ context: borrowing Context) -> Bool {
    firstDifference(context.arena.bytes(extent), context.arena.bytes(context.zeroes.prefix(extent.length))) == nil
  }

  /// Zeroes are left to the medium; what it cannot do is written.
  private func chooseWriteSame(
    _ command: inout Command, isZero: Bool, _ context: inout Context
  ) -> Disposition {
    guard lock(&command, from: command.lba, to: command.lba + command.blockCount, exclusive: false) else {
      return .blocked
    }
    guard isZero else { return writePattern(&command, &context) }
    let discard = command.cdb[1] & Self.unmapBit != 0
    command.phase = discard ? Phase.discarding : Phase.zeroing
    return zeroRange(&command, &context)
  }

  private func zeroRange(_ command: inout Command, _ context: inout Context) -> Disposition {
    let isDone = startZeroes(
      command, at: start(of: command), length: UInt64(length(of: command)),
      discard: command.phase == Phase.discarding, &context)
    return isDone ? good(&command) : .pending
  }

  /// Fills the second buffer with copies of the block, once, and writes it as often as it takes.
  private func writePattern(_ command: inout Command, _ context: inout Context) -> Disposition {
    let total = length(of: command)
    let piece = min(Self.pieceLength, total)
    guard takeAuxiliary(&command, piece, &context) else { return starved(&command, piece, context) }
    let memory = context.arena.bytes(command.auxiliary)
    let block =
      command.buffer.length > 0
      ? context.arena.bytes(command.buffer.prefix(blockLength))
      : context.arena.bytes(context.zeroes.prefix(blockLength))
    for index in stride(from: 0, to: memory.count, by: blockLength) {
      UnsafeMutableRawBufferPointer(rebasing: memory[index..<(index + blockLength)])
        .copyMemory(from: UnsafeRawBufferPointer(block))
    }
    context.bytesCopied &+= UInt64(memory.count)
    command.phase = Phase.writing
    return writePieces(&command, &context)
  }

  private func writePieces(_ command: inout Command, _ context: inout Context) -> Disposition {
    let total = length(of: command)
    while command.progress < total {
      // A short write may end within a block; the next piece goes on from there, at the same place in the pattern.
      let within = command.progress % blockLength
      let piece = command.auxiliary.dropFirst(within).prefix(total - command.progress)
      let offset = start(of: command) + UInt64(command.progress)
      guard startWrite(command, at: offset, from: piece, forceUnitAccess: false, &context) else { return .pending }
      command.progress += piece.length
    }
    releaseAuxiliary(&command, &context)
    return good(&command)
  }

  private func completedWriteSame(
    _ command: inout Command, _ error: RingError, _ result: UInt64, _ context: inout Context
  ) -> Disposition {
    if command.phase == Phase.flushing, let failed = failedFlush(&command, error) {
      releaseAuxiliary(&command, &context)
      return failed
    }
    guard !command.isAborted else {
      releaseAuxiliary(&command, &context)
      return .finished
    }
    switch command.phase {
    case Phase.discarding where error == .unsupported:
      command.phase = Phase.zeroing
      return zeroRange(&command, &context)
    case Phase.zeroing where error == .unsupported:
      return writePattern(&command, &context)
    case Phase.writing:
      if let failed = failure(error, result) {
        releaseAuxiliary(&command, &context)
        return fail(&command, mediumSense(failed, writing: true))
      }
      command.progress += Int(truncatingIfNeeded: result)
      return writePieces(&command, &context)
    default:
      guard error == .none else { return fail(&command, mediumSense(error, writing: true)) }
      // Without a write cache what is answered is stable; these operations do not say so of themselves.
      guard command.phase != Phase.flushing, writesThrough else { return good(&command) }
      command.phase = Phase.flushing
      return startFlush(&command, &context) ? good(&command) : .pending
    }
  }
}
