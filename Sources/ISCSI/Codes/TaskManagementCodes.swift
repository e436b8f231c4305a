/// Task management functions, RFC 7143 §11.5.1, and RFC 7144 from ``queryTask`` on.
public enum TaskManagementFunction: UInt8, Sendable, CaseIterable {
  case abortTask = 1
  case abortTaskSet = 2
  case clearACA = 3
  case clearTaskSet = 4
  case logicalUnitReset = 5
  case targetWarmReset = 6
  case targetColdReset = 7
  case taskReassign = 8

  /// The following ones need iSCSIProtocolLevel 2.
  case queryTask = 9
  case queryTaskSet = 10
  case iTNexusReset = 11
  case queryAsynchronousEvent = 12

  /// True when LUN names a logical unit.
  public var refersToLogicalUnit: Bool {
    switch self {
    case .abortTask, .abortTaskSet, .clearACA, .clearTaskSet, .logicalUnitReset, .queryTask, .queryTaskSet,
      .queryAsynchronousEvent:
      true
    case .targetWarmReset, .targetColdReset, .taskReassign, .iTNexusReset: false
    }
  }
}

/// Response of a Task Management Function Response, RFC 7143 §11.6.1 and RFC 7144.
public enum TaskManagementResponse: UInt8, Sendable, CaseIterable {
  case functionComplete = 0
  case taskDoesNotExist = 1
  case lunDoesNotExist = 2
  case taskStillAllegiant = 3
  case taskAllegianceReassignmentNotSupported = 4
  case taskManagementFunctionNotSupported = 5
  case functionAuthorizationFailed = 6

  /// RFC 7144: the queried task or event exists.
  case functionSucceeded = 7
  case functionRejected = 255
}
