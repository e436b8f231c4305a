import SCSI

/// A unit attention condition (SAM-5 §5.14), pending for a nexus until it has been reported once.
///
/// The raw value is the place in the order of reporting. As each condition is one bit of a set, a storm of resets takes
/// no more room than one.
enum UnitAttention: UInt8, CaseIterable {
  case powerOn
  case busDeviceReset
  case commandsCleared
  case commandsClearedByProtocol
  // From here on, a reservation conflict is reported first (SAM-5 §5.3.3).
  case mediumMayHaveChanged
  case modeParametersChanged

  var sense: AdditionalSense {
    switch self {
    case .powerOn: .powerOnOrReset
    case .busDeviceReset: .busDeviceResetFunctionOccurred
    case .commandsCleared: .commandsClearedByAnotherInitiator
    case .commandsClearedByProtocol: .commandsClearedByProtocolEvent
    case .mediumMayHaveChanged: .mediumMayHaveChanged
    case .modeParametersChanged: .modeParametersChanged
    }
  }
}

/// The unit attention conditions that are pending for one nexus.
struct PendingUnitAttentions {
  private var bits: UInt32 = 0

  @inline(__always)
  var isEmpty: Bool { bits == 0 }

  mutating func insert(_ attention: UnitAttention) {
    // "Power on, reset, or bus device reset occurred" says what a later reset would say.
    if attention == .busDeviceReset && contains(.powerOn) { return }
    bits |= 1 << UInt32(attention.rawValue)
  }

  func contains(_ attention: UnitAttention) -> Bool { bits & 1 << UInt32(attention.rawValue) != 0 }

  mutating func remove(_ attention: UnitAttention) { bits &= ~(1 << UInt32(attention.rawValue)) }

  /// The first to report; nil when there is none.
  var first: UnitAttention? {
    bits == 0 ? nil : UnitAttention(rawValue: UInt8(truncatingIfNeeded: bits.trailingZeroBitCount))
  }
}

/// What a logical unit remembers of an I_T nexus.
struct NexusState {
  var exists = false
  var port = InitiatorPort()
  var attentions = PendingUnitAttentions()

  /// The relative identifier of the target port that it goes through.
  var relativePort: UInt16 = 1

  /// PREVENT ALLOW MEDIUM REMOVAL with PREVENT set came through it.
  var preventsRemoval = false

  /// A flush failed after writes that may have been of this nexus, and it has not been told.
  var owesFlushFailure = false
}
