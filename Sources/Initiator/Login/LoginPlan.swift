import ISCSI

/// How the machine is to log in a connection.
public struct LoginPlan: Sendable {
  public var initiatorName = "iqn.2026-11.example:initiator"

  /// None in a discovery session that asks for all targets.
  public var targetName: String?
  public var sessionType = SessionType.normal
  public var isid = ISID(random: 0x51_4E_41, qualifier: 1)

  /// 0 for a new session; that of the session when a connection is added. Nil: what the session of the connection has.
  public var tsih: UInt16?

  /// CID.
  public var connectionID: UInt16 = 0

  /// The stages that are gone through before the full feature phase.
  public var stages: [LoginStage] = [.securityNegotiation, .operationalNegotiation]

  /// The keys of the security stage, after the names. `AuthMethod` is offered as it stands here, with credentials or
  /// without.
  public var securityKeys = [KeyValue("AuthMethod", "None")]

  /// The keys of the operational stage, in order; see ``usualKeys``. On an added connection those that are only for a
  /// leading one are left out, unless `sendsLeadingOnlyKeys`.
  public var operationalKeys = LoginPlan.usualKeys
  public var sendsLeadingOnlyKeys = false

  /// Keys that go with the names in the first request, such as InitiatorAlias.
  public var declarations: [KeyValue] = []

  public var credentials: CHAPCredentials?

  /// The CmdSN of the session's first command. Ignored on an added connection.
  public var firstCmdSN: UInt32 = 1

  /// Sets T in the last request of each stage. Off: T only in a request after the keys.
  public var transitsAtOnce = true

  /// Cuts the text into PDUs of so many bytes with the C bit, instead of 8192.
  public var segmentLength: Int?

  /// Fields of the nth Login Request that differ, for any n.
  public var overrides: [Int: [FieldOverride]] = [:]

  /// The same for the bytes on the wire.
  public var wire: [Int: WireOptions] = [:]

  /// The most Login Requests that are sent before the login is given up, those aside that only go on with a text.
  public var requestsMax = 64

  public init() {}

  /// What an initiator usually offers.
  public static let usualKeys = [
    KeyValue("HeaderDigest", "None"), KeyValue("DataDigest", "None"), KeyValue("MaxRecvDataSegmentLength", "262144"),
    KeyValue("MaxConnections", "1"), KeyValue("InitialR2T", "Yes"), KeyValue("ImmediateData", "Yes"),
    KeyValue("MaxBurstLength", "262144"), KeyValue("FirstBurstLength", "65536"), KeyValue("DefaultTime2Wait", "2"),
    KeyValue("DefaultTime2Retain", "20"), KeyValue("MaxOutstandingR2T", "1"), KeyValue("DataPDUInOrder", "Yes"),
    KeyValue("DataSequenceInOrder", "Yes"), KeyValue("ErrorRecoveryLevel", "0"),
  ]

  /// What is offered in a discovery session, where most keys are irrelevant.
  public static let discoveryKeys = [
    KeyValue("HeaderDigest", "None"), KeyValue("DataDigest", "None"), KeyValue("MaxRecvDataSegmentLength", "32768"),
    KeyValue("DefaultTime2Wait", "0"), KeyValue("DefaultTime2Retain", "0"), KeyValue("ErrorRecoveryLevel", "0"),
  ]

  /// Offers `value` for `key`, in the place where the key already stands, or behind the others. The key goes to the
  /// security stage when it belongs only there.
  public mutating func offer(_ key: String, _ value: String) {
    if KeyTable.find(key)?.stages == .security {
      Self.set(key, value, in: &securityKeys)
    } else {
      Self.set(key, value, in: &operationalKeys)
    }
  }

  /// Authenticates the initiator where the target wants that; in a normal session the target as well, where its secret is
  /// known. Discovery sessions are often open to all while targets are not.
  public mutating func authenticate(with credentials: CHAPCredentials) {
    self.credentials = credentials
    if sessionType == .discovery { self.credentials?.targetSecret = nil }
    offer("AuthMethod", self.credentials?.usualOffer ?? "None")
  }

  /// Does not offer `key`.
  public mutating func omit(_ key: String) {
    securityKeys.removeAll { $0.key == key }
    operationalKeys.removeAll { $0.key == key }
  }

  private static func set(_ key: String, _ value: String, in list: inout [KeyValue]) {
    if let index = list.firstIndex(where: { $0.key == key }) {
      list[index].value = value
    } else {
      list.append(KeyValue(key, value))
    }
  }
}

/// How a login ended.
public struct LoginResult: Sendable {
  public var session: SessionID

  /// Status-Class and Status-Detail, see ``LoginStatus``; nil when the login ended without a Login Response that says so:
  /// the connection was lost, or the machine gave up.
  public var status: UInt16?

  /// True in the full feature phase.
  public var isSuccessful: Bool

  public var tsih: UInt16
  public var parameters: NegotiatedParameters

  /// Every pair that the target sent, in order: TargetPortalGroupTag, the TargetAddress of a redirection, its answers.
  public var received: [KeyValue]
}
