/// Reason Code of a Logout Request, RFC 7143 §11.14.1.
public enum LogoutReason: UInt8, Sendable, CaseIterable {
  case closeSession = 0
  case closeConnection = 1
  case removeConnectionForRecovery = 2
}

/// Response of a Logout Response, RFC 7143 §11.15.1.
public enum LogoutResponse: UInt8, Sendable, CaseIterable {
  case closed = 0
  case cidNotFound = 1
  case recoveryNotSupported = 2
  case cleanupFailed = 3
}
