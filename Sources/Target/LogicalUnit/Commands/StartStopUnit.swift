import Ring
import SCSI

// START STOP UNIT: SBC-4 §5.31. PREVENT ALLOW MEDIUM REMOVAL: SBC-4 §5.15.

extension CommandTable {
  static let startStopUnit: [CommandDescriptor] = [
    CommandDescriptor(
      "START STOP UNIT", OperationCode.startStopUnit, usage: [0x1B, 0x01, 0x00, 0x0F, 0xF7, 0x00],
      begin: { $0.beginStartStop(&$1, &$2) }, resume: { $0.resumeStartStop(&$1, $2, &$3) }),
    CommandDescriptor(
      "PREVENT ALLOW MEDIUM REMOVAL", OperationCode.preventAllowMediumRemoval,
      usage: [0x1E, 0x00, 0x00, 0x00, 0x01, 0x00], [.needsRemovable],
      begin: { unit, command, _ in unit.beginPreventAllow(&command) }),
  ]
}

/// POWER CONDITION: SBC-4 §5.31, table 114. All others are taken, and do nothing, as libiscsi's conformance tests have it.
private enum PowerCondition {
  static let startValid: UInt8 = 0x0
  static let active: UInt8 = 0x1
  static let idle: UInt8 = 0x2
  static let standby: UInt8 = 0x3
}

extension LogicalUnit {
  private static let startBit: UInt8 = 0x01
  /// LOEJ of START STOP UNIT.
  static let loadEjectBit: UInt8 = 0x02
  private static let noFlushBit: UInt8 = 0x04

  fileprivate func beginStartStop(_ command: inout Command, _ context: inout Context) -> Disposition {
    let flags = command.cdb[4]
    let condition = flags >> 4
    // Whoever has the medium at rest may cut the power next.
    var mustFlush = condition == PowerCondition.standby
    // With a power condition START and LOEJ mean nothing.
    if condition == PowerCondition.startValid {
      mustFlush = flags & Self.startBit == 0
      if flags & Self.loadEjectBit != 0 {
        guard configuration.isRemovable else { return fail(&command, invalidField(byte: 4, bit: 1)) }
        if nexuses.contains(where: \.preventsRemoval) {
          return fail(&command, Sense(.illegalRequest, .mediumRemovalPrevented))
        }
      }
    }
    if mustFlush && flags & Self.noFlushBit == 0 && hasMedium && !isEjected {
      return startFlush(&command, &context) ? changeState(&command) : .pending
    }
    return changeState(&command)
  }

  fileprivate func resumeStartStop(
    _ command: inout Command, _ event: CommandEvent, _ context: inout Context
  ) -> Disposition {
    guard case .medium(let error, _) = event else { return .finished }
    if let failed = failedFlush(&command, error) { return failed }
    return command.isAborted ? .finished : changeState(&command)
  }

  private func changeState(_ command: inout Command) -> Disposition {
    let flags = command.cdb[4]
    let isStarting = flags & Self.startBit != 0
    let condition = flags >> 4
    if condition != PowerCondition.startValid {
      // But for the stop, all conditions are the same to a medium that does not turn (SBC-4 §4.20.5.10).
      if [PowerCondition.active, PowerCondition.idle, PowerCondition.standby].contains(condition) { isStopped = false }
    } else if flags & Self.loadEjectBit != 0 {
      if isStarting && isEjected { establish(.mediumMayHaveChanged, except: command.nexus) }
      isEjected = !isStarting
      isStopped = false
    } else {
      // SBC-4 §5.31: a medium stays loaded, and is not to be reached all the same.
      isStopped = !isStarting
    }
    return good(&command)
  }

  fileprivate func beginPreventAllow(_ command: inout Command) -> Disposition {
    let nexus = Int(command.nexus)
    if nexus < nexuses.count { nexuses[nexus].preventsRemoval = command.cdb[4] & 0x01 != 0 }
    return good(&command)
  }
}
