import Ring
import SCSI

/// How a command ends.
extension LogicalUnit {
  /// GOOD, without data.
  @inline(__always)
  func good(_ command: inout Command) -> Disposition {
    command.status = Status.good.rawValue
    return .finished
  }

  /// GOOD, with parameter data of which at most `allocationLength` bytes are returned (SPC-4 §4.2.5.6).
  func answer(
    _ command: inout Command, _ data: [UInt8], allocationLength: Int, _ context: inout Context
  ) -> Disposition {
    let count = min(data.count, allocationLength)
    if count > 0 {
      guard let buffer = context.copy(data, count) else { return .starved }
      command.buffer = buffer
      command.dataIn = buffer
    }
    return good(&command)
  }

  /// CHECK CONDITION.
  func fail(_ command: inout Command, _ sense: Sense) -> Disposition {
    command.status = Status.checkCondition.rawValue
    command.senseLength = sense.encode(descriptor: modePages.wantsDescriptorSense, into: &command.sense)
    command.dataIn = .empty
    return .finished
  }

  /// CHECK CONDITION for a command that this logical unit does not have: after a unit attention, if one is pending.
  func refuse(_ command: inout Command, _ sense: Sense) -> Disposition {
    let nexus = Int(command.nexus)
    if nexus < nexuses.count, let attention = nexuses[nexus].attentions.first {
      nexuses[nexus].attentions.remove(attention)
      return fail(&command, Sense(.unitAttention, attention.sense))
    }
    return fail(&command, sense)
  }

  /// There is no memory of `length` bytes: the command waits for it, or ends with BUSY when there never will be.
  ///
  /// Meanwhile it holds no blocks: those who wait for blocks hold memory, perhaps all of it.
  func starved(_ command: inout Command, _ length: Int, _ context: borrowing Context) -> Disposition {
    tasks.unlock(command.task)
    // A command that waits in vain would hold up all that wait behind it.
    return length <= context.buffers.lengthMax / 4 ? .starved : busy(&command)
  }

  /// BUSY.
  func busy(_ command: inout Command) -> Disposition {
    command.status = Status.busy.rawValue
    return .finished
  }

  /// RESERVATION CONFLICT.
  func conflict(_ command: inout Command) -> Disposition {
    command.status = Status.reservationConflict.rawValue
    return .finished
  }

  /// INVALID FIELD IN CDB, with the byte and, where one bit is wrong, the bit.
  func invalidField(byte: Int, bit: Int? = nil) -> Sense {
    Sense(
      .illegalRequest, .invalidFieldInCDB,
      specific: .field(
        inCDB: true, byte: UInt16(truncatingIfNeeded: byte), bit: bit.map { UInt8(truncatingIfNeeded: $0) }))
  }

  /// INVALID FIELD IN PARAMETER LIST.
  func invalidParameter(byte: Int, bit: Int? = nil) -> Sense {
    Sense(
      .illegalRequest, .invalidFieldInParameterList,
      specific: .field(
        inCDB: false, byte: UInt16(truncatingIfNeeded: byte), bit: bit.map { UInt8(truncatingIfNeeded: $0) }))
  }

  /// Nil when `blocks` blocks from `lba` are all there; LOGICAL BLOCK ADDRESS OUT OF RANGE with the first that is not.
  /// Even no blocks must start within the medium.
  @inline(__always)
  func outOfRange(_ lba: UInt64, _ blocks: UInt64) -> Sense? {
    if lba < blockCount && blocks <= blockCount - lba { return nil }
    return Sense(
      .illegalRequest, .logicalBlockAddressOutOfRange, information: lba < blockCount ? blockCount : lba)
  }

  /// What a failure of the medium is to the initiator.
  func mediumSense(_ error: RingError, writing: Bool, lba: UInt64? = nil) -> Sense {
    switch error {
    case .mediumError, .cancelled, .timedOut:
      writing
        ? Sense(.mediumError, .writeError, information: lba)
        : Sense(.mediumError, .unrecoveredReadError, information: lba)
    case .noSpace: Sense(.dataProtect, .spaceAllocationFailedWriteProtect, information: lba)
    case .readOnly: Sense(.dataProtect, .writeProtected)
    case .removed: Sense(.notReady, .mediumNotPresent)
    case .noResources: Sense(.abortedCommand, .insufficientResources)
    default: Sense(.hardwareError, .internalTargetFailure)
    }
  }
}
