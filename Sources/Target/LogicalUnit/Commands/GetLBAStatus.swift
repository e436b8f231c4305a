import Ring
import SCSI

// GET LBA STATUS: SBC-4 §5.6.

extension CommandTable {
  static let getLBAStatus: [CommandDescriptor] = [
    CommandDescriptor(
      "GET LBA STATUS", OperationCode.serviceActionIn16, serviceAction: ServiceAction.getLBAStatus,
      usage: [
        0x9E, 0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00,
      ], [.needsMedium, .needsThin],
      begin: { $0.beginGetLBAStatus(&$1, &$2) }, resume: { $0.resumeGetLBAStatus(&$1, $2, &$3) })
  ]
}

private enum Phase {
  /// Looking for data: what lies before it is a hole.
  static let seekingData: UInt8 = 1
  /// Looking for a hole: what lies before it is data.
  static let seekingHole: UInt8 = 2
}

extension LogicalUnit {
  /// As many descriptors as are ever returned: one page of them.
  private static let descriptorsMax = 255

  fileprivate func beginGetLBAStatus(_ command: inout Command, _ context: inout Context) -> Disposition {
    let lba = command.cdb.big64(2)
    if let sense = outOfRange(lba, 0) { return fail(&command, sense) }
    command.lba = lba
    let allocation = Int(truncatingIfNeeded: command.cdb.big32(10))
    let fitting = (allocation - LBAStatus.headerLength) / LBAStatus.descriptorLength
    let room = max(1, min(fitting, Self.descriptorsMax))
    guard let buffer = context.buffers.allocate(LBAStatus.headerLength + room * LBAStatus.descriptorLength) else {
      return .starved
    }
    command.buffer = buffer
    // `progress` counts descriptors, `blockCount` is the LBA that the next one begins at.
    command.blockCount = lba
    if hasMedium {
      command.phase = Phase.seekingData
      return seek(&command, &context)
    }
    while command.blockCount < blockCount, hasRoom(command) {
      let (isMapped, end) = store?.extent(at: command.blockCount << blockShift) ?? (false, blockCount << blockShift)
      append(&command, to: min(end >> blockShift, blockCount), isMapped, context)
    }
    return returnDescriptors(&command, context)
  }

  private func hasRoom(_ command: borrowing Command) -> Bool {
    LBAStatus.headerLength + (command.progress + 1) * LBAStatus.descriptorLength <= command.buffer.length
  }

  private func seek(_ command: inout Command, _ context: inout Context) -> Disposition {
    context.operations.seek(
      on: medium, from: command.blockCount << blockShift, toHole: command.phase == Phase.seekingHole,
      token: context.mediumToken(command))
    return .pending
  }

  fileprivate func resumeGetLBAStatus(
    _ command: inout Command, _ event: CommandEvent, _ context: inout Context
  ) -> Disposition {
    guard case .medium(let error, let position) = event, !command.isAborted else { return .finished }
    if error == .unsupported {
      // A medium that knows no holes has data everywhere.
      append(&command, to: blockCount, true, context)
      return returnDescriptors(&command, context)
    }
    guard error == .none else { return fail(&command, mediumSense(error, writing: false)) }
    // A block that is only partly a hole is mapped: where data were found, at least one block is.
    let isHole = command.phase == Phase.seekingData
    let least = isHole ? command.blockCount : command.blockCount + 1
    let last = min(position, blockCount << blockShift)
    let end = min(max((isHole ? last : last + UInt64(blockLength - 1)) >> blockShift, least), blockCount)
    if end > command.blockCount { append(&command, to: end, !isHole, context) }
    if command.blockCount >= blockCount || !hasRoom(command) { return returnDescriptors(&command, context) }
    // A descriptor that could not hold the whole hole is followed by more of it.
    command.phase = isHole && command.blockCount == end ? Phase.seekingHole : Phase.seekingData
    return seek(&command, &context)
  }

  /// One more descriptor, up to `end` or as far as it can count.
  private func append(_ command: inout Command, to end: UInt64, _ isMapped: Bool, _ context: borrowing Context) {
    let offset = LBAStatus.headerLength + command.progress * LBAStatus.descriptorLength
    LBAStatus.encodeDescriptor(
      lba: command.blockCount, blocks: UInt32(clamping: end - command.blockCount), isMapped: isMapped,
      into: context.arena.bytes(command.buffer.slice(offset, LBAStatus.descriptorLength)))
    command.progress += 1
    command.blockCount += UInt64(UInt32(clamping: end - command.blockCount))
  }

  private func returnDescriptors(_ command: inout Command, _ context: borrowing Context) -> Disposition {
    LBAStatus.encodeHeader(descriptors: command.progress, into: context.arena.bytes(command.buffer))
    let length = LBAStatus.headerLength + command.progress * LBAStatus.descriptorLength
    command.dataIn = command.buffer.prefix(min(length, Int(truncatingIfNeeded: command.cdb.big32(10))))
    return good(&command)
  }
}
