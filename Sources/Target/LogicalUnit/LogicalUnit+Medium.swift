import Ring
import SCSI

/// The blocks, whatever they are kept in. Each of these does its work at once and says true, or emits the one operation
/// of the command, says false, and the command returns `.pending`.
extension LogicalUnit {
  /// Whether writes are stable before they are answered. Where the configuration wants that, WCE changes nothing: a reset
  /// clears it again, and could not make stable what was answered before.
  var writesThrough: Bool { !modePages.isWriteCacheEnabled || !configuration.isWriteCacheEnabled }

  /// Fills `extent` from byte `offset`.
  func startRead(
    _ command: borrowing Command, at offset: UInt64, into extent: Extent, _ context: inout Context
  ) -> Bool {
    guard hasMedium else {
      copyOut(offset, to: extent, &context)
      return true
    }
    context.operations.read(from: medium, at: offset, into: extent, token: context.mediumToken(command))
    return false
  }

  /// Stores `extent` at byte `offset`; stable before it completes with `forceUnitAccess`, or without a write cache.
  func startWrite(
    _ command: borrowing Command, at offset: UInt64, from extent: Extent, forceUnitAccess: Bool,
    _ context: inout Context
  ) -> Bool {
    guard hasMedium else {
      copyIn(offset, from: extent, &context)
      return true
    }
    context.operations.write(
      to: medium, at: offset, from: CollectionOfOne(extent),
      forceUnitAccess: forceUnitAccess || writesThrough, token: context.mediumToken(command))
    return false
  }

  /// Makes what was written stable.
  func startFlush(_ command: inout Command, _ context: inout Context) -> Bool {
    guard hasMedium else { return true }
    command.failedFlushes = failedFlushes
    context.operations.flush(medium, token: context.mediumToken(command))
    return false
  }

  /// Makes a range read as zeroes, and gives its storage back with `discard`.
  func startZeroes(
    _ command: borrowing Command, at offset: UInt64, length: UInt64, discard: Bool, _ context: inout Context
  ) -> Bool {
    guard hasMedium else {
      store?.discard(at: offset, length: length)
      return true
    }
    let token = context.mediumToken(command)
    if discard {
      context.operations.discard(on: medium, at: offset, length: length, token: token)
    } else {
      context.operations.writeZeroes(on: medium, at: offset, length: length, token: token)
    }
    return false
  }

  /// Bytes of a backing that answers at once.
  func copyOut(_ offset: UInt64, to extent: Extent, _ context: inout Context) {
    context.bytesCopied &+= UInt64(extent.length)
    if let store {
      store.read(at: offset, into: context.arena.bytes(extent))
    } else {
      context.arena.bytes(extent).initializeMemory(as: UInt8.self, repeating: 0)
    }
  }

  /// Bytes for a backing that takes them at once, or keeps none.
  func copyIn(_ offset: UInt64, from extent: Extent, _ context: inout Context) {
    guard let store else { return }
    context.bytesCopied &+= UInt64(extent.length)
    store.write(at: offset, from: UnsafeRawBufferPointer(context.arena.bytes(extent)))
  }

  /// Takes back what a command was lent. The target has sent it, or will not.
  func takeBack(_ command: inout Command) {
    guard command.loan.length > 0 else { return }
    store?.giveBack(command.loan)
    command.loan = .empty
  }

  /// Gives back the second buffer, before a command ends or waits for anything but the medium.
  func releaseAuxiliary(_ command: inout Command, _ context: inout Context) {
    guard command.auxiliary.length > 0 else { return }
    context.buffers.free(command.auxiliary)
    command.auxiliary = .empty
  }

  /// Takes a second buffer of at most `length` bytes. False when there is no memory.
  func takeAuxiliary(_ command: inout Command, _ length: Int, _ context: inout Context) -> Bool {
    assert(command.auxiliary == .empty)
    guard let extent = context.buffers.allocate(length) else { return false }
    command.auxiliary = extent
    return true
  }

  /// What the completion of a medium operation says: nil when it moved something.
  func failure(_ error: RingError, _ result: UInt64) -> RingError? {
    if error != .none { return error }
    // Neither bytes nor an error would go on for ever.
    return result == 0 ? .other : nil
  }

  /// What becomes of a command whose flush has failed, by itself or with another that was under way at the same time; nil when
  /// it has not. What the other one has lost may be what this one was to make stable, and a medium tells of it once: Linux
  /// tells one of those who flush a file.
  func failedFlush(_ command: inout Command, _ error: RingError) -> Disposition? {
    if error != .none { return flushFailed(&command, error) }
    guard command.failedFlushes != failedFlushes else { return nil }
    if command.isAborted { return .finished }
    let nexus = Int(command.nexus)
    if nexus < nexuses.count { nexuses[nexus].owesFlushFailure = false }
    command.phase = Command.tellsFlushFailure
    return fail(&command, Sense(.mediumError, .writeError))
  }

  /// A flush failed: what any nexus wrote before may be lost, and a later flush that succeeds does not bring it back.
  /// Each of the others is told once, at its next SYNCHRONIZE CACHE, also those that are not there, when they come back, and so
  /// is that of the command if it is aborted: it gets no answer.
  private func flushFailed(_ command: inout Command, _ error: RingError) -> Disposition {
    failedFlushes &+= 1
    let told = command.isAborted ? nil : command.nexus
    for index in nexuses.indices where nexuses[index].exists && NexusIndex(truncatingIfNeeded: index) != told {
      nexuses[index].owesFlushFailure = true
    }
    flushDebts.failed()
    if command.isAborted { return .finished }
    command.phase = Command.tellsFlushFailure
    return fail(&command, mediumSense(error, writing: true))
  }
}

extension LogicalUnit {
  /// How many bytes are handled at a time by commands that walk over a range.
  static let pieceLength = 256 << 10

  // A command that is lent to a function that is called, and not inlined, is copied for it, all 288 bytes.

  /// The first byte of a command's range.
  @inline(__always)
  func start(of command: borrowing Command) -> UInt64 { command.lba << blockShift }

  /// The bytes of a command's range.
  @inline(__always)
  func length(of command: borrowing Command) -> Int { Int(truncatingIfNeeded: command.blockCount << blockShift) }

  /// Of a command's blocks the whole ones that have arrived are its range from here on; the residual says that more was asked for
  /// than was sent. False when there are none.
  @inline(__always)
  func keepArrived(_ command: inout Command) -> Bool {
    command.blockCount = min(command.blockCount, UInt64(truncatingIfNeeded: command.dataOutLength) >> blockShift)
    return command.blockCount > 0
  }

  /// The index of the first byte in which two runs of equal length differ; nil when they are equal.
  func firstDifference(_ left: UnsafeMutableRawBufferPointer, _ right: UnsafeMutableRawBufferPointer) -> Int? {
    let count = min(left.count, right.count)
    guard count > 0, let first = left.baseAddress, let second = right.baseAddress else { return nil }
    var index = 0
    while index + 8 <= count,
      first.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        == second.loadUnaligned(fromByteOffset: index, as: UInt64.self)
    {
      index += 8
    }
    while index < count {
      if left[index] != right[index] { return index }
      index += 1
    }
    return nil
  }
}
