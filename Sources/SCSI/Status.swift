/// The status of a command that has ended (SAM-5 §5.3.1).
public enum Status: UInt8, Sendable {
  case good = 0x00
  case checkCondition = 0x02
  case conditionMet = 0x04
  case busy = 0x08
  case reservationConflict = 0x18
  case taskSetFull = 0x28
  case acaActive = 0x30
  case taskAborted = 0x40
}

/// What went wrong, in broad terms (SPC-4 §4.5.6, table 48).
public enum SenseKey: UInt8, Sendable, CaseIterable {
  case noSense = 0x0
  case recoveredError = 0x1
  case notReady = 0x2
  case mediumError = 0x3
  case hardwareError = 0x4
  case illegalRequest = 0x5
  case unitAttention = 0x6
  case dataProtect = 0x7
  case blankCheck = 0x8
  case vendorSpecific = 0x9
  case copyAborted = 0xA
  case abortedCommand = 0xB
  case volumeOverflow = 0xD
  case miscompare = 0xE
  case completed = 0xF

  /// The standard's name, in capitals.
  public var name: String {
    switch self {
    case .noSense: "NO SENSE"
    case .recoveredError: "RECOVERED ERROR"
    case .notReady: "NOT READY"
    case .mediumError: "MEDIUM ERROR"
    case .hardwareError: "HARDWARE ERROR"
    case .illegalRequest: "ILLEGAL REQUEST"
    case .unitAttention: "UNIT ATTENTION"
    case .dataProtect: "DATA PROTECT"
    case .blankCheck: "BLANK CHECK"
    case .vendorSpecific: "VENDOR SPECIFIC"
    case .copyAborted: "COPY ABORTED"
    case .abortedCommand: "ABORTED COMMAND"
    case .volumeOverflow: "VOLUME OVERFLOW"
    case .miscompare: "MISCOMPARE"
    case .completed: "COMPLETED"
    }
  }
}

extension Status {
  /// The standard's name, in capitals.
  public var name: String {
    switch self {
    case .good: "GOOD"
    case .checkCondition: "CHECK CONDITION"
    case .conditionMet: "CONDITION MET"
    case .busy: "BUSY"
    case .reservationConflict: "RESERVATION CONFLICT"
    case .taskSetFull: "TASK SET FULL"
    case .acaActive: "ACA ACTIVE"
    case .taskAborted: "TASK ABORTED"
    }
  }
}
