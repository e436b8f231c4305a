/// Names a text key in code. A new key is one case here and one line in ``KeyTable/all``.
public enum Key: UInt8, Sendable, CaseIterable {
  case authMethod, chapAlgorithm, chapIdentifier, chapChallenge, chapName, chapResponse
  case kerberosRequest, kerberosReply
  case srpUser, srpGroup, srpA, srpB, srpM, srpHM, targetAuth
  case initiatorName, targetName, initiatorAlias, targetAlias, targetAddress, targetPortalGroupTag, sessionType
  case sendTargets
  case headerDigest, dataDigest, maxRecvDataSegmentLength
  case maxConnections, initialR2T, immediateData, maxBurstLength, firstBurstLength
  case defaultTime2Wait, defaultTime2Retain, maxOutstandingR2T, dataPDUInOrder, dataSequenceInOrder
  case errorRecoveryLevel, taskReporting, iSCSIProtocolLevel
  case nodeArchitecture
  case ifMarker, ofMarker, ifMarkInt, ofMarkInt

  /// What the standards say about it.
  public var definition: KeyDefinition { KeyTable.all[Int(rawValue)] }

  /// Its name on the wire.
  public var name: String { definition.name.description }
}

/// The text keys of RFC 7143 §12 and §13.
public enum KeyTable {
  /// What the lengths of data segments and bursts may be, in bytes: §13.12 to §13.14.
  public static let lengths: ClosedRange<UInt32> = 512...0xFF_FFFF

  /// All keys, in the order of ``Key``'s cases.
  public static let all: [KeyDefinition] = [
    // §12.1. A binary value of 1024 bytes takes 2048 digits and a prefix.
    .init(.authMethod, "AuthMethod", .list(["CHAP", "None", "SRP", "KRB5"]), in: .security),
    .init(.chapAlgorithm, "CHAP_A", .authentication, in: .security),
    .init(.chapIdentifier, "CHAP_I", .authentication, in: .security),
    .init(.chapChallenge, "CHAP_C", .authentication, in: .security, valueLengthMax: 2050),
    .init(.chapName, "CHAP_N", .authentication, in: .security),
    .init(.chapResponse, "CHAP_R", .authentication, in: .security, valueLengthMax: 2050),
    .init(.kerberosRequest, "KRB_AP_REQ", .authentication, in: .security, valueLengthMax: 65536),
    .init(.kerberosReply, "KRB_AP_REP", .authentication, in: .security, valueLengthMax: 65536),
    .init(.srpUser, "SRP_U", .authentication, in: .security),
    .init(.srpGroup, "SRP_GROUP", .authentication, in: .security),
    .init(.srpA, "SRP_A", .authentication, in: .security, valueLengthMax: 2050),
    .init(.srpB, "SRP_B", .authentication, in: .security, valueLengthMax: 2050),
    .init(.srpM, "SRP_M", .authentication, in: .security, valueLengthMax: 2050),
    .init(.srpHM, "SRP_HM", .authentication, in: .security, valueLengthMax: 2050),
    .init(.targetAuth, "TargetAuth", .authentication, in: .security),

    // Who is who: §13.4 to §13.9, §13.21.
    .init(.initiatorName, "InitiatorName", .declaration, from: .initiator, in: .login),
    .init(.targetName, "TargetName", .declaration, from: .both, in: .any),
    .init(.initiatorAlias, "InitiatorAlias", .declaration, from: .initiator, in: .any),
    .init(.targetAlias, "TargetAlias", .declaration, from: .target, in: .any),
    .init(.targetAddress, "TargetAddress", .declaration, from: .target, in: .any, valueLengthMax: 511),
    .init(.targetPortalGroupTag, "TargetPortalGroupTag", .numberDeclaration(0...65535), from: .target, in: .login),
    .init(
      .sessionType, "SessionType", .declaration, default: "Normal", from: .initiator, in: .login, leadingOnly: true),

    // §13.3.
    .init(.sendTargets, "SendTargets", .declaration, from: .initiator, in: .fullFeature),

    // What holds for one connection: §13.1, §13.12.
    .init(
      .headerDigest, "HeaderDigest", .list(["CRC32C", "None"]), default: "None", in: .operational),
    .init(.dataDigest, "DataDigest", .list(["CRC32C", "None"]), default: "None", in: .operational),
    .init(
      .maxRecvDataSegmentLength, "MaxRecvDataSegmentLength", .numberDeclaration(lengths), default: "8192",
      in: [.operational, .fullFeature]),

    // What holds for the session.
    .init(
      .maxConnections, "MaxConnections", .minimum(1...65535), default: "1", in: .operational, leadingOnly: true,
      irrelevantInDiscovery: true),
    .init(
      .initialR2T, "InitialR2T", .booleanOr, default: "Yes", in: .operational, leadingOnly: true,
      irrelevantInDiscovery: true),
    .init(
      .immediateData, "ImmediateData", .booleanAnd, default: "Yes", in: .operational, leadingOnly: true,
      irrelevantInDiscovery: true),
    .init(
      .maxBurstLength, "MaxBurstLength", .minimum(lengths), default: "262144", in: .operational,
      leadingOnly: true, irrelevantInDiscovery: true),
    // Irrelevant as well with InitialR2T=Yes and ImmediateData=No.
    .init(
      .firstBurstLength, "FirstBurstLength", .minimum(lengths), default: "65536", in: .operational,
      leadingOnly: true, irrelevantInDiscovery: true),
    .init(.defaultTime2Wait, "DefaultTime2Wait", .maximum(0...3600), default: "2", in: .operational, leadingOnly: true),
    .init(
      .defaultTime2Retain, "DefaultTime2Retain", .minimum(0...3600), default: "20", in: .operational,
      leadingOnly: true),
    .init(
      .maxOutstandingR2T, "MaxOutstandingR2T", .minimum(1...65535), default: "1", in: .operational, leadingOnly: true,
      irrelevantInDiscovery: true),
    .init(
      .dataPDUInOrder, "DataPDUInOrder", .booleanOr, default: "Yes", in: .operational, leadingOnly: true,
      irrelevantInDiscovery: true),
    .init(
      .dataSequenceInOrder, "DataSequenceInOrder", .booleanOr, default: "Yes", in: .operational, leadingOnly: true,
      irrelevantInDiscovery: true),
    .init(
      .errorRecoveryLevel, "ErrorRecoveryLevel", .minimum(0...2), default: "0", in: .operational, leadingOnly: true),
    .init(
      .taskReporting, "TaskReporting", .list(["FastAbort", "ResponseFence", "RFC3720"]), default: "RFC3720",
      in: .operational, leadingOnly: true, irrelevantInDiscovery: true),
    .init(
      .iSCSIProtocolLevel, "iSCSIProtocolLevel", .minimum(0...31), default: "1", in: .operational, leadingOnly: true,
      irrelevantInDiscovery: true),

    // §13.26: a list that is declared.
    .init(.nodeArchitecture, "X#NodeArchitecture", .declaration, in: .operational, leadingOnly: true),

    // §13.25.
    .init(.ifMarker, "IFMarker", .obsolete, in: .operational),
    .init(.ofMarker, "OFMarker", .obsolete, in: .operational),
    .init(.ifMarkInt, "IFMarkInt", .obsolete, in: .operational),
    .init(.ofMarkInt, "OFMarkInt", .obsolete, in: .operational),
  ]

  /// The key of that name; nil when no standard defines one.
  public static func find(_ name: TextSlice) -> KeyDefinition? { all.first { name == $0.name } }

  /// The key of that name; nil when no standard defines one.
  public static func find(_ name: String) -> KeyDefinition? { all.first { $0.name.description == name } }

  /// Values that are answers and may not be proposed, RFC 7143 §6.2.
  public static func isReserved(_ value: TextSlice) -> Bool {
    value == "Reject" || value == "Irrelevant" || value == "NotUnderstood"
  }

  /// Values that are answers and may not be proposed, RFC 7143 §6.2.
  public static func isReserved(_ value: String) -> Bool { ["Reject", "Irrelevant", "NotUnderstood"].contains(value) }
}
