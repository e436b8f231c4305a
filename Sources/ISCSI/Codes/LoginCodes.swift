/// The stages of a connection, RFC 7143 §11.12.3.
public enum LoginStage: UInt8, Sendable {
  case securityNegotiation = 0
  case operationalNegotiation = 1
  case fullFeature = 3
}

/// Status-Class (high byte) and Status-Detail (low byte) of a Login Response, RFC 7143 §11.13.5.
public enum LoginStatus: UInt16, Sendable, CaseIterable {
  case success = 0x0000

  /// The target has moved for a while; the response says whither in TargetAddress.
  case targetMovedTemporarily = 0x0101
  case targetMovedPermanently = 0x0102

  /// Any error of the initiator that has no code of its own.
  case initiatorError = 0x0200
  case authenticationFailure = 0x0201
  case authorizationFailure = 0x0202
  case notFound = 0x0203
  case targetRemoved = 0x0204
  case unsupportedVersion = 0x0205
  case tooManyConnections = 0x0206
  case missingParameter = 0x0207
  case cannotIncludeInSession = 0x0208
  case sessionTypeNotSupported = 0x0209
  case sessionDoesNotExist = 0x020A
  case invalidDuringLogin = 0x020B

  case targetError = 0x0300
  case serviceUnavailable = 0x0301
  case outOfResources = 0x0302

  /// Status-Class: 0 success, 1 redirection, 2 initiator error, 3 target error.
  @inlinable
  public var statusClass: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 8) }

  /// Status-Detail.
  @inlinable
  public var statusDetail: UInt8 { UInt8(truncatingIfNeeded: rawValue) }

  /// A status as messages tell it, known or not: `0x0203, not found`.
  ///
  /// - Parameter pairs: What came with it: a target that has moved says whither.
  public static func words(_ status: UInt16, with pairs: [KeyValue] = []) -> String {
    let digits = String(status, radix: 16)
    var text = "0x" + String(repeating: "0", count: 4 - digits.count) + digits
    guard let known = LoginStatus(rawValue: status) else { return text }
    text += ", \(known.name)"
    if known.statusClass == LoginStatus.targetMovedTemporarily.statusClass,
      let address = pairs.last(where: { $0.key == Key.targetAddress.name })?.value
    {
      text += " to \(address)"
    }
    return text
  }

  /// What RFC 7143 §11.13.5 calls it.
  public var name: String {
    switch self {
    case .success: "success"
    case .targetMovedTemporarily: "target moved temporarily"
    case .targetMovedPermanently: "target moved permanently"
    case .initiatorError: "initiator error"
    case .authenticationFailure: "authentication failure"
    case .authorizationFailure: "authorization failure"
    case .notFound: "not found"
    case .targetRemoved: "target removed"
    case .unsupportedVersion: "unsupported version"
    case .tooManyConnections: "too many connections"
    case .missingParameter: "missing parameter"
    case .cannotIncludeInSession: "can't include in session"
    case .sessionTypeNotSupported: "session type not supported"
    case .sessionDoesNotExist: "session does not exist"
    case .invalidDuringLogin: "invalid during login"
    case .targetError: "target error"
    case .serviceUnavailable: "service unavailable"
    case .outOfResources: "out of resources"
    }
  }
}
