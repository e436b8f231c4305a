/// Everything that the standards say about one text key.
public struct KeyDefinition: Sendable {
  public var key: Key

  /// The name on the wire; capital and small letters matter.
  public var name: StaticString

  /// How its value comes about.
  public var kind: KeyKind

  /// What holds when nobody mentions it, as on the wire; empty when there is no default.
  public var defaultValue: StaticString

  /// Who may send it first. Answers to a negotiation are not meant.
  public var senders: KeySenders

  /// The stages in which it may be sent.
  public var stages: KeyStages

  /// Only on the leading connection of a session ("LO").
  public var isLeadingOnly: Bool

  /// Irrelevant in discovery sessions.
  public var isIrrelevantInDiscovery: Bool

  /// The longest value in bytes.
  public var valueLengthMax: Int

  init(
    _ key: Key, _ name: StaticString, _ kind: KeyKind, default defaultValue: StaticString = "",
    from senders: KeySenders = .both, in stages: KeyStages, leadingOnly: Bool = false,
    irrelevantInDiscovery: Bool = false, valueLengthMax: Int = TextParser.valueLengthMax
  ) {
    self.key = key
    self.name = name
    self.kind = kind
    self.defaultValue = defaultValue
    self.senders = senders
    self.stages = stages
    isLeadingOnly = leadingOnly
    isIrrelevantInDiscovery = irrelevantInDiscovery
    self.valueLengthMax = valueLengthMax
  }
}

/// How the value of a key comes about, RFC 7143 §6.2.
public enum KeyKind: Sendable, Equatable {
  /// A text that one side declares; it is not answered.
  case declaration

  /// A number within the range that one side declares; it is not answered.
  case numberDeclaration(ClosedRange<UInt32>)

  /// The answer is the first value of the list that the answering side supports; these are the defined ones.
  case list([String])

  /// Yes only if both say Yes.
  case booleanAnd

  /// Yes if either says Yes.
  case booleanOr

  /// The smaller of both numbers.
  case minimum(ClosedRange<UInt32>)

  /// The larger of both numbers.
  case maximum(ClosedRange<UInt32>)

  /// Part of an authentication method, which gives it its meaning.
  case authentication

  /// Withdrawn by RFC 7143 §13.25: known, and answered with Reject.
  case obsolete

  /// True when `value` settles the outcome, whatever the other side would say: No where both must say Yes, Yes where one is
  /// enough. The answer to it is OPTIONAL (RFC 7143 §6.2.2).
  public func isSettled(by value: String) -> Bool {
    switch self {
    case .booleanAnd: value == "No"
    case .booleanOr: value == "Yes"
    // A marker was to be used only if both said Yes.
    case .obsolete: value == "No"
    default: false
    }
  }

  /// True for keys that are declared and not answered.
  public var isDeclarative: Bool {
    switch self {
    case .declaration, .numberDeclaration: true
    default: false
    }
  }
}

/// The sides that may send a key.
public struct KeySenders: OptionSet, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let initiator = KeySenders(rawValue: 1)
  public static let target = KeySenders(rawValue: 2)
  public static let both: KeySenders = [.initiator, .target]
}

/// The stages of a connection in which a key may be sent.
public struct KeyStages: OptionSet, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let security = KeyStages(rawValue: 1)
  public static let operational = KeyStages(rawValue: 2)
  public static let fullFeature = KeyStages(rawValue: 4)

  /// The login as a whole.
  public static let login: KeyStages = [.security, .operational]
  public static let any: KeyStages = [.security, .operational, .fullFeature]

  /// The one stage of `stage`.
  public init(_ stage: LoginStage) {
    switch stage {
    case .securityNegotiation: self = .security
    case .operationalNegotiation: self = .operational
    case .fullFeature: self = .fullFeature
    }
  }
}
