import ISCSI
import Ring

/// The login of one connection (RFC 7143 §6.3), as a state machine: it takes the header and text of each Login Request and
/// says what to answer. It knows no session and no socket; what it needs to know of them it asks its ``LoginAuthority``.
struct LoginNegotiation {
  /// What to do about a Login Request.
  enum Action {
    /// Answer with these stage bits and this text; the login goes on.
    case answer(transit: Bool, current: UInt8, next: UInt8)
    /// Answer, and enter the full-feature phase.
    case complete(current: UInt8)
    /// An empty answer: the initiator's text, or the target's own, goes on in the next PDU.
    case proceed(current: UInt8)
    /// Refuse and close.
    case refuse(LoginStatus)
    /// Have another machine answer, which serves the node that this text, complete now, has named.
    case handOver(MachineID, text: [UInt8])
  }

  /// What the first request told, fixed for the whole login.
  struct Identity {
    var isid = ISID(rawValue: 0)
    var tsih: UInt16 = 0
    var connectionID: UInt16 = 0
    var initiatorTaskTag: UInt32 = 0
    var cmdSN: UInt32 = 0
    var initiatorName = ""
    var targetName: String?
    var isDiscovery = false
    var node: Int32 = -1
  }

  /// The longest text of one login PDU: what every initiator takes before it has declared anything (RFC 7143 §13.12).
  static let textPieceMax = 8192

  private(set) var identity = Identity()
  private(set) var parameters = NegotiatedParameters()

  /// The target's text that has not been sent yet.
  private(set) var text: [UInt8] = []

  private var hasBegun = false
  private var hasIdentity = false
  /// CSG of the requests (RFC 7143 §11.12.3).
  private(set) var stage: UInt8 = 0

  private var gathered: [UInt8] = []
  private var seen = KeySet()
  private var offered = KeySet()
  private var hasDeclaredLength = false
  private var hasDeclaredGroup = false
  private let limits: TargetLimits
  private let groupTag: UInt16

  init(limits: TargetLimits, groupTag: UInt16) {
    self.limits = limits
    self.groupTag = groupTag
  }

  /// Whether more of the target's text waits than fits into one PDU of `length` bytes.
  var hasMoreText: Bool { !text.isEmpty }

  /// The next piece of the target's text, at most `length` bytes.
  mutating func takeText(_ length: Int) -> [UInt8] {
    guard text.count > length else {
      defer { text = [] }
      return text
    }
    defer { text.removeFirst(length) }
    return Array(text[..<length])
  }

  /// Takes a Login Request.
  mutating func receive(
    _ header: HeaderView, _ data: UnsafeRawBufferPointer, authority: borrowing LoginAuthority
  ) -> Action {
    if let status = checkHeader(header) { return .refuse(status) }
    let current = header.currentStage
    if hasMoreText {
      // The initiator must answer a text that goes on with an empty request (RFC 7143 §6.2).
      return data.isEmpty ? .proceed(current: current) : .refuse(.initiatorError)
    }
    guard gathered.count + data.count <= limits.textLengthMax else { return .refuse(.initiatorError) }
    gathered.append(contentsOf: data)
    if header.isContinued { return .proceed(current: current) }
    let received = gathered
    gathered = []
    var writer = TextWriter()
    if let status = received.withUnsafeBytes({ take($0, current, &writer) }) { return .refuse(status) }
    if !hasIdentity {
      hasIdentity = true
      if let status = identify(authority) { return .refuse(status) }
      // So does a discovery session that names a target: it takes the place of sessions there (RFC 7143 §6.3.5).
      if identity.node >= 0, let server = authority.nodes[Int(identity.node)].server {
        return .handOver(server, text: received)
      }
    }
    declare(current, authority, &writer)
    text = writer.bytes
    stage = current
    // An answer that takes several PDUs is sent whole before any transition.
    if text.count > Self.textPieceMax { return .proceed(current: current) }
    guard header.isTransit else { return .answer(transit: false, current: current, next: 0) }
    let next = header.nextStage
    stage = next
    return next == LoginStage.fullFeature.rawValue
      ? .complete(current: current) : .answer(transit: true, current: current, next: next)
  }

  // MARK: The header

  private mutating func checkHeader(_ header: HeaderView) -> LoginStatus? {
    // RFC 7143 §11.12: the stages, and which way they may go. Only T in a request and its response leads to the next.
    let current = header.currentStage
    let next = header.nextStage
    guard current <= 1, !hasBegun || current == stage else { return .initiatorError }
    if header.isTransit {
      guard next == 1 || next == 3, next > current, !header.isContinued else { return .initiatorError }
    }
    guard header.versionMin == 0 else { return .unsupportedVersion }
    guard header.totalAHSLength == 0 else { return .initiatorError }
    if !hasBegun {
      hasBegun = true
      identity.isid = header.isid
      identity.tsih = header.tsih
      identity.connectionID = header.connectionID
      identity.initiatorTaskTag = header.initiatorTaskTag
      identity.cmdSN = header.cmdSN
      stage = current
      return nil
    }
    // Constant for the whole login (RFC 7143 §6.3, §11.12.5 to §11.12.7).
    guard header.isid == identity.isid, header.tsih == identity.tsih, header.connectionID == identity.connectionID,
      header.initiatorTaskTag == identity.initiatorTaskTag
    else { return .initiatorError }
    return nil
  }

  // MARK: Keys

  private mutating func take(
    _ bytes: UnsafeRawBufferPointer, _ current: UInt8, _ writer: inout TextWriter
  ) -> LoginStatus? {
    guard let loginStage = LoginStage(rawValue: current) else { return .initiatorError }
    // The session type decides on the answers to other keys, wherever it stands in the text.
    scanSessionType(bytes)
    var parser = TextParser(bytes)
    do throws(TextError) {
      while let pair = try parser.next() {
        if let status = take(pair, loginStage, &writer) { return status }
      }
    } catch {
      return .initiatorError
    }
    return settle()
  }

  private mutating func scanSessionType(_ bytes: UnsafeRawBufferPointer) {
    var parser = TextParser(bytes)
    while let pair = try? parser.next() {
      if pair.key == "SessionType", pair.value == "Discovery" { identity.isDiscovery = true }
    }
  }

  private mutating func take(
    _ pair: TextPair, _ loginStage: LoginStage, _ writer: inout TextWriter
  ) -> LoginStatus? {
    guard let definition = KeyTable.find(pair.key) else {
      // RFC 7143 §6.2: what is not understood is said to be, and the negotiation goes on.
      guard pair.value.count <= TextParser.valueLengthMax else { return .initiatorError }
      writer.append(pair.key, "NotUnderstood")
      return nil
    }
    let key = definition.key
    guard pair.value.count <= definition.valueLengthMax, !seen.contains(key) else { return .initiatorError }
    seen.insert(key)
    guard definition.stages.contains(KeyStages(loginStage)), definition.senders.contains(.initiator),
      !KeyTable.isReserved(pair.value)
    else { return .initiatorError }
    if definition.isLeadingOnly, identity.tsih != 0 { return .initiatorError }
    if identity.isDiscovery, definition.isIrrelevantInDiscovery {
      writer.append(pair.key, "Irrelevant")
      return nil
    }
    switch definition.kind {
    case .declaration:
      return declared(key, pair.value)
    case .numberDeclaration(let range):
      guard let number = pair.value.number, let value = UInt32(exactly: number), range.contains(value) else {
        return .initiatorError
      }
      if key == .maxRecvDataSegmentLength { parameters.initiatorMaxRecvDataSegmentLength = value }
      return nil
    case .list:
      return choose(key, pair, &writer)
    case .booleanAnd, .booleanOr:
      guard let offer = pair.value.boolean else { return reject(pair, &writer) }
      writer.append(pair.key, agree(key, offer) ? "Yes" : "No")
      return nil
    case .minimum(let range), .maximum(let range):
      guard let number = pair.value.number, let offer = UInt32(exactly: number), range.contains(offer) else {
        return reject(pair, &writer)
      }
      offered.insert(key)
      writer.append(pair.key, String(agree(key, offer)))
      return nil
    case .authentication:
      // Part of a method that was not chosen.
      return .initiatorError
    case .obsolete:
      return reject(pair, &writer)
    }
  }

  /// A value that cannot be: the answer is Reject, and what held before holds on (RFC 7143 §6.2).
  private func reject(_ pair: TextPair, _ writer: inout TextWriter) -> LoginStatus? {
    writer.append(pair.key, "Reject")
    return nil
  }

  private mutating func declared(_ key: Key, _ value: TextSlice) -> LoginStatus? {
    switch key {
    case .initiatorName:
      guard let name = ISCSIName.normalized(value.bytes) else { return .initiatorError }
      identity.initiatorName = name
    case .targetName:
      guard let name = ISCSIName.normalized(value.bytes) else { return .notFound }
      identity.targetName = name
    case .sessionType:
      guard value == "Normal" || value == "Discovery" else { return .sessionTypeNotSupported }
      parameters.sessionType = identity.isDiscovery ? .discovery : .normal
    default:
      break
    }
    return nil
  }

  private mutating func choose(_ key: Key, _ pair: TextPair, _ writer: inout TextWriter) -> LoginStatus? {
    for value in pair.value.list {
      switch key {
      case .authMethod where value == "None":
        writer.append(pair.key, "None")
        return nil
      case .headerDigest where value == "None" || (value == "CRC32C" && limits.offersCRC32C):
        parameters.digests.header = value == "CRC32C"
        writer.append(pair.key, value.string)
        return nil
      case .dataDigest where value == "None" || (value == "CRC32C" && limits.offersCRC32C):
        parameters.digests.data = value == "CRC32C"
        writer.append(pair.key, value.string)
        return nil
      case .taskReporting where value == "RFC3720":
        writer.append(pair.key, "RFC3720")
        return nil
      default:
        continue
      }
    }
    // Without a method in common, the login fails (RFC 7143 §12.1).
    if key == .authMethod { return .authenticationFailure }
    return reject(pair, &writer)
  }

  /// The outcome of a boolean key (RFC 7143 §6.2.2), noted and returned.
  private mutating func agree(_ key: Key, _ offer: Bool) -> Bool {
    switch key {
    case .initialR2T:
      parameters.initialR2T = offer || limits.initialR2T
      return parameters.initialR2T
    case .immediateData:
      parameters.immediateData = offer && limits.immediateData
      return parameters.immediateData
    default:
      // DataPDUInOrder and DataSequenceInOrder: the target wants its data in order.
      return true
    }
  }

  /// The outcome of a numerical key, noted and returned.
  private mutating func agree(_ key: Key, _ offer: UInt32) -> UInt32 {
    switch key {
    case .maxBurstLength:
      parameters.maxBurstLength = min(offer, limits.maxBurstLength)
      return parameters.maxBurstLength
    case .firstBurstLength:
      parameters.firstBurstLength = min(offer, limits.firstBurstLength)
      return parameters.firstBurstLength
    case .maxOutstandingR2T:
      parameters.maxOutstandingR2T = min(offer, limits.maxOutstandingR2T)
      return parameters.maxOutstandingR2T
    case .defaultTime2Wait:
      parameters.defaultTime2Wait = max(offer, 2)
      return parameters.defaultTime2Wait
    case .defaultTime2Retain:
      // Error recovery level 0: nothing is kept of a session whose connection is gone.
      parameters.defaultTime2Retain = 0
      return 0
    case .maxConnections:
      return 1
    case .iSCSIProtocolLevel:
      return min(offer, 1)
    case .errorRecoveryLevel:
      return 0
    default:
      return offer
    }
  }

  /// Applies what several keys say together. The first burst is part of a burst (RFC 7143 §13.14).
  private mutating func settle() -> LoginStatus? {
    if parameters.firstBurstLength > parameters.maxBurstLength {
      if offered.contains(.firstBurstLength), offered.contains(.maxBurstLength) { return .initiatorError }
      parameters.firstBurstLength = parameters.maxBurstLength
    }
    return nil
  }

  // MARK: Who it is

  private mutating func identify(_ authority: borrowing LoginAuthority) -> LoginStatus? {
    guard !identity.initiatorName.isEmpty else { return .missingParameter }
    if let targetName = identity.targetName {
      switch authority.find(targetName, initiator: identity.initiatorName) {
      case .found(let node): identity.node = node
      case .notFound: return .notFound
      case .notAllowed: return .authorizationFailure
      }
    } else if !identity.isDiscovery {
      return .missingParameter
    }
    return nil
  }

  /// What the target declares by itself: its portal group and its alias at once, its segment length once in the operational stage.
  private mutating func declare(_ current: UInt8, _ authority: borrowing LoginAuthority, _ writer: inout TextWriter) {
    if !hasDeclaredGroup, identity.node >= 0 {
      // In the first answer to a text that is complete, if it names a target (RFC 7143 §13.9); the alias in normal sessions
      // (§13.6).
      hasDeclaredGroup = true
      writer.append("TargetPortalGroupTag", groupTag)
      if !identity.isDiscovery, let alias = authority.nodes[Int(identity.node)].alias {
        writer.append("TargetAlias", alias)
      }
    }
    if current == LoginStage.operationalNegotiation.rawValue, !hasDeclaredLength {
      hasDeclaredLength = true
      parameters.targetMaxRecvDataSegmentLength = limits.maxRecvDataSegmentLength
      writer.append("MaxRecvDataSegmentLength", limits.maxRecvDataSegmentLength)
    }
  }
}

/// What a login asks about the target nodes.
struct LoginAuthority {
  enum Answer {
    case found(Int32)
    case notFound
    case notAllowed
  }

  let nodes: [TargetNode]
  /// Where the login arrived.
  let portal: Int

  /// The node of that name, if it is reached at this portal and the initiator may use it.
  func find(_ name: String, initiator: String) -> Answer {
    guard let index = nodes.firstIndex(where: { $0.name == name && $0.isReached(at: portal) }) else { return .notFound }
    if let allowed = nodes[index].initiators, !allowed.contains(initiator) { return .notAllowed }
    return .found(Int32(index))
  }
}

/// A set of text keys.
struct KeySet {
  private var bits: UInt64 = 0

  func contains(_ key: Key) -> Bool { bits >> UInt64(key.rawValue) & 1 != 0 }
  mutating func insert(_ key: Key) { bits |= 1 << UInt64(key.rawValue) }
}
