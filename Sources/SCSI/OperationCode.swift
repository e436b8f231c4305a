/// The operation codes of SPC-4 and SBC-4 that this project sends or answers (SPC-4 annex E.3.1).
public enum OperationCode {
  public static let testUnitReady: UInt8 = 0x00
  public static let requestSense: UInt8 = 0x03
  public static let read6: UInt8 = 0x08
  public static let write6: UInt8 = 0x0A
  public static let inquiry: UInt8 = 0x12
  public static let modeSelect6: UInt8 = 0x15
  public static let reserve6: UInt8 = 0x16
  public static let release6: UInt8 = 0x17
  public static let modeSense6: UInt8 = 0x1A
  public static let startStopUnit: UInt8 = 0x1B
  public static let preventAllowMediumRemoval: UInt8 = 0x1E
  public static let readCapacity10: UInt8 = 0x25
  public static let read10: UInt8 = 0x28
  public static let write10: UInt8 = 0x2A
  public static let writeAndVerify10: UInt8 = 0x2E
  public static let verify10: UInt8 = 0x2F
  public static let prefetch10: UInt8 = 0x34
  public static let synchronizeCache10: UInt8 = 0x35
  public static let writeSame10: UInt8 = 0x41
  public static let unmap: UInt8 = 0x42
  public static let modeSelect10: UInt8 = 0x55
  public static let modeSense10: UInt8 = 0x5A
  public static let read16: UInt8 = 0x88
  public static let compareAndWrite: UInt8 = 0x89
  public static let write16: UInt8 = 0x8A
  public static let orWrite16: UInt8 = 0x8B
  public static let writeAndVerify16: UInt8 = 0x8E
  public static let verify16: UInt8 = 0x8F
  public static let prefetch16: UInt8 = 0x90
  public static let synchronizeCache16: UInt8 = 0x91
  public static let writeSame16: UInt8 = 0x93
  public static let serviceActionIn16: UInt8 = 0x9E
  public static let reportLUNs: UInt8 = 0xA0
  public static let maintenanceIn: UInt8 = 0xA3
  public static let read12: UInt8 = 0xA8
  public static let write12: UInt8 = 0xAA
  public static let writeAndVerify12: UInt8 = 0xAE
  public static let verify12: UInt8 = 0xAF
}

/// Service actions, by the operation code that they qualify.
public enum ServiceAction {
  // SERVICE ACTION IN(16)
  public static let readCapacity16: UInt16 = 0x10
  public static let getLBAStatus: UInt16 = 0x12
  // MAINTENANCE IN
  public static let reportTargetPortGroups: UInt16 = 0x0A
  public static let reportSupportedOperationCodes: UInt16 = 0x0C
  public static let reportSupportedTaskManagementFunctions: UInt16 = 0x0D
}
