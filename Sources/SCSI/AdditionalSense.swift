/// An additional sense code and its qualifier (SPC-4 §4.5.6, table 49): what went wrong, precisely.
public struct AdditionalSense: RawRepresentable, Hashable, Sendable {
  /// ASC in the upper byte, ASCQ in the lower.
  public var rawValue: UInt16

  @inlinable
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  @inlinable
  public init(_ code: UInt8, _ qualifier: UInt8) { rawValue = UInt16(code) << 8 | UInt16(qualifier) }

  /// ADDITIONAL SENSE CODE.
  @inlinable
  public var code: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 8) }

  /// ADDITIONAL SENSE CODE QUALIFIER.
  @inlinable
  public var qualifier: UInt8 { UInt8(truncatingIfNeeded: rawValue) }
}

/// One row of the table: a code that this project sends or expects, by name.
private struct Row {
  let sense: AdditionalSense
  let text: String

  init(_ sense: AdditionalSense, _ text: String) {
    self.sense = sense
    self.text = text
  }
}

extension AdditionalSense {
  public static let none = AdditionalSense(0x00, 0x00)
  public static let notReadyCauseNotReportable = AdditionalSense(0x04, 0x00)
  public static let becomingReady = AdditionalSense(0x04, 0x01)
  public static let initializingCommandRequired = AdditionalSense(0x04, 0x02)
  public static let writeError = AdditionalSense(0x0C, 0x00)
  public static let invalidFieldInCommandInformationUnit = AdditionalSense(0x0E, 0x03)
  public static let unrecoveredReadError = AdditionalSense(0x11, 0x00)
  public static let parameterListLengthError = AdditionalSense(0x1A, 0x00)
  public static let miscompareDuringVerify = AdditionalSense(0x1D, 0x00)
  public static let miscompareVerifyOfUnmapped = AdditionalSense(0x1D, 0x01)
  public static let invalidCommandOperationCode = AdditionalSense(0x20, 0x00)
  public static let logicalBlockAddressOutOfRange = AdditionalSense(0x21, 0x00)
  public static let invalidFieldInCDB = AdditionalSense(0x24, 0x00)
  public static let logicalUnitNotSupported = AdditionalSense(0x25, 0x00)
  public static let invalidFieldInParameterList = AdditionalSense(0x26, 0x00)
  public static let writeProtected = AdditionalSense(0x27, 0x00)
  public static let softwareWriteProtected = AdditionalSense(0x27, 0x02)
  public static let spaceAllocationFailedWriteProtect = AdditionalSense(0x27, 0x07)
  public static let mediumMayHaveChanged = AdditionalSense(0x28, 0x00)
  public static let powerOnOrReset = AdditionalSense(0x29, 0x00)
  public static let powerOnOccurred = AdditionalSense(0x29, 0x01)
  public static let busDeviceResetFunctionOccurred = AdditionalSense(0x29, 0x03)
  public static let nexusLossOccurred = AdditionalSense(0x29, 0x07)
  public static let modeParametersChanged = AdditionalSense(0x2A, 0x01)
  public static let reservationsPreempted = AdditionalSense(0x2A, 0x03)
  public static let reservationsReleased = AdditionalSense(0x2A, 0x04)
  public static let registrationsPreempted = AdditionalSense(0x2A, 0x05)
  public static let capacityDataHasChanged = AdditionalSense(0x2A, 0x09)
  public static let commandSequenceError = AdditionalSense(0x2C, 0x00)
  public static let commandsClearedByAnotherInitiator = AdditionalSense(0x2F, 0x00)
  public static let savingParametersNotSupported = AdditionalSense(0x39, 0x00)
  public static let mediumNotPresent = AdditionalSense(0x3A, 0x00)
  public static let inquiryDataHasChanged = AdditionalSense(0x3F, 0x03)
  public static let reportedLUNsDataHasChanged = AdditionalSense(0x3F, 0x0E)
  public static let internalTargetFailure = AdditionalSense(0x44, 0x00)
  public static let commandsClearedByProtocolEvent = AdditionalSense(0x47, 0x7F)
  public static let invalidMessageError = AdditionalSense(0x49, 0x00)
  public static let mediumRemovalPrevented = AdditionalSense(0x53, 0x02)
  public static let insufficientResources = AdditionalSense(0x55, 0x03)
  public static let thinProvisioningSoftThresholdReached = AdditionalSense(0x38, 0x07)

  private static let rows: [Row] = [
    Row(.none, "NO ADDITIONAL SENSE INFORMATION"),
    Row(.notReadyCauseNotReportable, "LOGICAL UNIT NOT READY, CAUSE NOT REPORTABLE"),
    Row(.becomingReady, "LOGICAL UNIT IS IN PROCESS OF BECOMING READY"),
    Row(.initializingCommandRequired, "LOGICAL UNIT NOT READY, INITIALIZING COMMAND REQUIRED"),
    Row(.writeError, "WRITE ERROR"),
    Row(.invalidFieldInCommandInformationUnit, "INVALID FIELD IN COMMAND INFORMATION UNIT"),
    Row(.unrecoveredReadError, "UNRECOVERED READ ERROR"),
    Row(.parameterListLengthError, "PARAMETER LIST LENGTH ERROR"),
    Row(.miscompareDuringVerify, "MISCOMPARE DURING VERIFY OPERATION"),
    Row(.miscompareVerifyOfUnmapped, "MISCOMPARE VERIFY OF UNMAPPED LBA"),
    Row(.invalidCommandOperationCode, "INVALID COMMAND OPERATION CODE"),
    Row(.logicalBlockAddressOutOfRange, "LOGICAL BLOCK ADDRESS OUT OF RANGE"),
    Row(.invalidFieldInCDB, "INVALID FIELD IN CDB"),
    Row(.logicalUnitNotSupported, "LOGICAL UNIT NOT SUPPORTED"),
    Row(.invalidFieldInParameterList, "INVALID FIELD IN PARAMETER LIST"),
    Row(.writeProtected, "WRITE PROTECTED"),
    Row(.softwareWriteProtected, "LOGICAL UNIT SOFTWARE WRITE PROTECTED"),
    Row(.spaceAllocationFailedWriteProtect, "SPACE ALLOCATION FAILED WRITE PROTECT"),
    Row(.mediumMayHaveChanged, "NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED"),
    Row(.powerOnOrReset, "POWER ON, RESET, OR BUS DEVICE RESET OCCURRED"),
    Row(.powerOnOccurred, "POWER ON OCCURRED"),
    Row(.busDeviceResetFunctionOccurred, "BUS DEVICE RESET FUNCTION OCCURRED"),
    Row(.nexusLossOccurred, "I_T NEXUS LOSS OCCURRED"),
    Row(.modeParametersChanged, "MODE PARAMETERS CHANGED"),
    Row(.reservationsPreempted, "RESERVATIONS PREEMPTED"),
    Row(.reservationsReleased, "RESERVATIONS RELEASED"),
    Row(.registrationsPreempted, "REGISTRATIONS PREEMPTED"),
    Row(.capacityDataHasChanged, "CAPACITY DATA HAS CHANGED"),
    Row(.commandSequenceError, "COMMAND SEQUENCE ERROR"),
    Row(.commandsClearedByAnotherInitiator, "COMMANDS CLEARED BY ANOTHER INITIATOR"),
    Row(.savingParametersNotSupported, "SAVING PARAMETERS NOT SUPPORTED"),
    Row(.mediumNotPresent, "MEDIUM NOT PRESENT"),
    Row(.inquiryDataHasChanged, "INQUIRY DATA HAS CHANGED"),
    Row(.reportedLUNsDataHasChanged, "REPORTED LUNS DATA HAS CHANGED"),
    Row(.internalTargetFailure, "INTERNAL TARGET FAILURE"),
    Row(.commandsClearedByProtocolEvent, "SOME COMMANDS CLEARED BY ISCSI PROTOCOL EVENT"),
    Row(.invalidMessageError, "INVALID MESSAGE ERROR"),
    Row(.mediumRemovalPrevented, "MEDIUM REMOVAL PREVENTED"),
    Row(.insufficientResources, "INSUFFICIENT RESOURCES"),
    Row(.thinProvisioningSoftThresholdReached, "THIN PROVISIONING SOFT THRESHOLD REACHED"),
  ]

  /// The standard's text; nil for a code that this project does not know by name.
  public var text: String? { Self.rows.first { $0.sense == self }?.text }

  /// The standard's text, or the code as a number where it is not known by name.
  public var name: String {
    if let text { return text }
    let digits = String(rawValue, radix: 16)
    return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
  }

  /// The code with that text, exactly as in the standard; nil when it is not known.
  public init?(text: String) {
    guard let row = Self.rows.first(where: { $0.text == text }) else { return nil }
    self = row.sense
  }
}
