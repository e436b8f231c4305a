/// What a PDU is, RFC 7143 §11.2.1.2.
public enum Opcode: UInt8, Sendable, CaseIterable {
  case nopOut = 0x00
  case scsiCommand = 0x01
  case taskManagementRequest = 0x02
  case loginRequest = 0x03
  case textRequest = 0x04
  case dataOut = 0x05
  case logoutRequest = 0x06
  case snackRequest = 0x10

  case nopIn = 0x20
  case scsiResponse = 0x21
  case taskManagementResponse = 0x22
  case loginResponse = 0x23
  case textResponse = 0x24
  case dataIn = 0x25
  case logoutResponse = 0x26
  case readyToTransfer = 0x31
  case asyncMessage = 0x32
  case reject = 0x3F

  /// True for what initiators send.
  @inlinable
  public var isFromInitiator: Bool { rawValue < 0x20 }

  /// True for requests that carry a CmdSN: all of the initiator's but Data-Out and SNACK.
  @inlinable
  public var hasCmdSN: Bool { isFromInitiator && self != .dataOut && self != .snackRequest }

  /// The standard's name, in lower case: "scsi command", "data-in".
  public var name: String {
    switch self {
    case .nopOut: "nop-out"
    case .scsiCommand: "scsi command"
    case .taskManagementRequest: "task management request"
    case .loginRequest: "login request"
    case .textRequest: "text request"
    case .dataOut: "data-out"
    case .logoutRequest: "logout request"
    case .snackRequest: "snack request"
    case .nopIn: "nop-in"
    case .scsiResponse: "scsi response"
    case .taskManagementResponse: "task management response"
    case .loginResponse: "login response"
    case .textResponse: "text response"
    case .dataIn: "data-in"
    case .logoutResponse: "logout response"
    case .readyToTransfer: "r2t"
    case .asyncMessage: "async message"
    case .reject: "reject"
    }
  }
}
