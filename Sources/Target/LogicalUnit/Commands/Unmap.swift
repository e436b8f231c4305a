import Ring
import SCSI

// UNMAP: SBC-4 §5.35.

extension CommandTable {
  static let unmap: [CommandDescriptor] = [
    CommandDescriptor(
      "UNMAP", OperationCode.unmap,
      usage: [0x42, 0x00, 0x00, 0x00, 0x00, 0x00, 0x3F, 0xFF, 0xFF, 0x00], [.needsMedium, .writes, .needsThin],
      begin: { $0.beginUnmap(&$1, &$2) }, resume: { $0.resumeUnmap(&$1, $2, &$3) })
  ]
}

private enum Phase {
  static let discarding: UInt8 = 2
  static let zeroing: UInt8 = 3
  static let writing: UInt8 = 4
  static let flushing: UInt8 = 5
}

extension LogicalUnit {
  fileprivate func beginUnmap(_ command: inout Command, _ context: inout Context) -> Disposition {
    let length = Int(command.cdb.big16(7))
    if length == 0 { return good(&command) }
    if length < UnmapList.headerLength {
      return fail(&command, Sense(.illegalRequest, .parameterListLengthError))
    }
    command.phase = Command.gathering
    return .wantsData(length)
  }

  fileprivate func resumeUnmap(
    _ command: inout Command, _ event: CommandEvent, _ context: inout Context
  ) -> Disposition {
    switch event {
    case .dataArrived:
      guard !command.isAborted else { return .finished }
      return beginUnmapList(&command, &context)
    case .medium(let error, let result):
      return completedUnmap(&command, error, result, &context)
    }
  }

  private func list(_ command: borrowing Command, _ context: borrowing Context) -> UnmapList? {
    UnmapList(UnsafeRawBufferPointer(context.arena.bytes(command.buffer.prefix(command.dataOutLength))))
  }

  /// Looks at all descriptors before the first one is obeyed.
  private func beginUnmapList(_ command: inout Command, _ context: inout Context) -> Disposition {
    guard let list = list(command, context) else {
      return fail(&command, Sense(.illegalRequest, .parameterListLengthError))
    }
    if list.count > configuration.unmapDescriptorsMax { return fail(&command, invalidParameter(byte: 2)) }
    var total: UInt64 = 0
    var first = UInt64.max
    var end: UInt64 = 0
    for index in 0..<list.count {
      let range = list.range(index)
      if range.blocks == 0 && range.lba <= blockCount { continue }
      if let sense = outOfRange(range.lba, range.blocks) { return fail(&command, sense) }
      total += range.blocks
      first = min(first, range.lba)
      end = max(end, range.lba + range.blocks)
      if total > UInt64(unmapBlocksMax) {
        return fail(&command, invalidParameter(byte: UnmapList.offset(of: index) + 8))
      }
    }
    if total == 0 { return good(&command) }
    guard lock(&command, from: first, to: end, exclusive: false) else { return .blocked }
    command.phase = Phase.discarding
    return unmapDescriptors(&command, &context)
  }

  /// Obeys the descriptors from the one that `scratch` names.
  private func unmapDescriptors(_ command: inout Command, _ context: inout Context) -> Disposition {
    guard let list = list(command, context) else { return good(&command) }
    var room = configuration.transferLengthMax
    while command.scratch < UInt64(list.count) {
      let range = list.range(Int(truncatingIfNeeded: command.scratch))
      if range.blocks > 0 {
        let length = range.blocks << blockShift
        let isDone: Bool
        if let store {
          isDone = unmap(&command, range.lba << blockShift, length, of: store, room: &room)
          // Others have their turn after as much as one write may take.
          if !isDone { context.operations.timer(at: context.now, token: context.mediumToken(command)) }
        } else if command.phase == Phase.writing {
          // The medium can do neither: zeroes are written, in pieces of what there is of them.
          let rest = Int(truncatingIfNeeded: length) - command.progress
          isDone = startWrite(
            command, at: range.lba << blockShift + UInt64(command.progress), from: context.zeroes.prefix(rest),
            forceUnitAccess: false, &context)
        } else {
          isDone = startZeroes(
            command, at: range.lba << blockShift, length: length, discard: command.phase == Phase.discarding,
            &context)
        }
        if !isDone { return .pending }
      }
      command.scratch += 1
    }
    guard hasMedium, writesThrough else { return good(&command) }
    command.phase = Phase.flushing
    return startFlush(&command, &context) ? good(&command) : .pending
  }

  /// Discards what is left of a range in memory, as far as `room` goes; `progress` counts what is done of it. False when there is
  /// more.
  private func unmap(
    _ command: inout Command, _ offset: UInt64, _ length: UInt64, of store: MemoryStore, room: inout Int
  ) -> Bool {
    let done = UInt64(command.progress)
    command.progress += Int(store.discard(at: offset + done, length: length - done, room: &room))
    guard UInt64(command.progress) == length else { return false }
    command.progress = 0
    return true
  }

  private func completedUnmap(
    _ command: inout Command, _ error: RingError, _ result: UInt64, _ context: inout Context
  ) -> Disposition {
    if command.phase == Phase.flushing, let failed = failedFlush(&command, error) { return failed }
    guard !command.isAborted else { return .finished }
    if error == .unsupported && command.phase < Phase.writing {
      command.phase += 1
      command.progress = 0
      return unmapDescriptors(&command, &context)
    }
    guard error == .none else { return fail(&command, mediumSense(error, writing: true)) }
    // In memory: the others have had their turn.
    if !hasMedium { return unmapDescriptors(&command, &context) }
    if command.phase == Phase.flushing { return good(&command) }
    if command.phase == Phase.writing {
      guard let list = list(command, context), result > 0 else {
        return fail(&command, mediumSense(.other, writing: true))
      }
      command.progress += Int(truncatingIfNeeded: result)
      let range = list.range(Int(truncatingIfNeeded: command.scratch))
      if UInt64(command.progress) < range.blocks << blockShift { return unmapDescriptors(&command, &context) }
      command.progress = 0
    }
    command.scratch += 1
    return unmapDescriptors(&command, &context)
  }
}
