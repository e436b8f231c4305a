import Ring
import SCSI

/// Which block it is that cannot be read: SBC-4 §4.18.1 wants it in the INFORMATION field, whatever the command.
extension LogicalUnit {
  /// A read of `length` bytes into the command's memory has failed after `done` of them: the second buffer where there is one,
  /// which begins `progress` bytes into the range, else the first.
  func readFailed(
    _ command: inout Command, _ error: RingError, after done: Int, of length: Int, _ context: inout Context
  ) -> Disposition {
    guard error == .mediumError else { return failedReading(&command, error, &context) }
    return locate(&command, from: UInt64(done) >> blockShift, to: UInt64(length) >> blockShift, &context)
  }

  /// One of the blocks from `first` up to `end` of the memory cannot be read, and those before can: halves the question until
  /// the answer is one block, which the sense data name.
  private func locate(
    _ command: inout Command, from first: UInt64, to end: UInt64, _ context: inout Context
  ) -> Disposition {
    let lba = command.lba + UInt64(command.progress) >> blockShift + first
    guard end - first > 1 else { return failedReading(&command, .mediumError, lba: lba, &context) }
    command.phase = Command.locating
    // Both are below 2^31, as the length of a transfer is.
    command.scratch = first << 32 | end
    let half = (end - first) / 2
    let memory = command.auxiliary.length > 0 ? command.auxiliary : command.buffer
    context.operations.read(
      from: medium, at: lba << blockShift, into: memory.slice(Int(first << blockShift), Int(half << blockShift)),
      token: context.mediumToken(command))
    return .pending
  }

  func goOnLocating(
    _ command: inout Command, _ error: RingError, _ result: UInt64, _ context: inout Context
  ) -> Disposition {
    guard !command.isAborted else {
      releaseAuxiliary(&command, &context)
      return .finished
    }
    let first = command.scratch >> 32
    let end = command.scratch & 0xFFFF_FFFF
    switch error {
    case .none: return locate(&command, from: min(first + max(result >> blockShift, 1), end - 1), to: end, &context)
    case .mediumError: return locate(&command, from: first, to: first + (end - first) / 2, &context)
    default: return failedReading(&command, error, &context)
    }
  }

  private func failedReading(
    _ command: inout Command, _ error: RingError, lba: UInt64? = nil, _ context: inout Context
  ) -> Disposition {
    releaseAuxiliary(&command, &context)
    return fail(&command, mediumSense(error, writing: false, lba: lba))
  }
}
