/// The requests and answers of one connection in its login, whoever drives it: the keys that went over it, what they come to,
/// and what the target did wrong. "Ours" are the initiator's.
public struct Negotiation: Sendable {
  private struct Record {
    var pair: KeyValue
    var isOurs: Bool
  }

  /// Initiator Task Tag of the last request.
  public private(set) var tag: UInt32 = 0

  /// The same of the first, in case that a script has changed it.
  private var firstTag: UInt32?

  /// All pairs of both sides, in order.
  private var records: [Record] = []

  /// Where among them each key stands: first and last of the target's, last of ours. A target may send very many keys.
  private var theirFirst: [String: Int] = [:]
  private var theirLast: [String: Int] = [:]
  private var ourLast: [String: Int] = [:]

  /// Text whose C bit says that it goes on.
  private var ourText: [UInt8] = []
  private var theirText: [UInt8] = []

  /// The last request's stage and bits, which the response has to match.
  private var lastStage: UInt8 = 0
  private var lastNextStage: UInt8 = 0
  private var lastTransit = false
  private var lastISID = ISID(rawValue: 0)

  /// Login Requests so far.
  public private(set) var requestCount = 0

  public init() {}

  /// Takes a Login Request. Text that a script sends malformed counts for nothing.
  public mutating func sent(_ header: HeaderView, text: [UInt8]) {
    tag = header.initiatorTaskTag
    firstTag = firstTag ?? tag
    lastStage = header.currentStage
    lastNextStage = header.nextStage
    lastTransit = header.isTransit
    lastISID = header.isid
    requestCount += 1
    ourText += text
    guard !header.isContinued else { return }
    let pairs = (try? TextParser.pairs(of: ourText)) ?? []
    ourText = []
    for pair in pairs {
      ourLast[pair.key] = records.count
      records.append(Record(pair: pair, isOurs: true))
    }
  }

  /// The most text of a target in one login, in bytes, 32 times what RFC 7143 §6.2 has everybody take.
  public static let textLengthMax = 262_144

  /// The target's text so far, in bytes.
  public private(set) var theirLength = 0

  /// Takes the text of a response; gives back the pairs once the text is whole.
  public mutating func received(_ text: [UInt8], continued: Bool) throws(TextError) -> [KeyValue]? {
    theirLength += text.count
    theirText += text
    guard !continued else { return nil }
    defer { theirText = [] }
    let pairs = try TextParser.pairs(of: theirText)
    for pair in pairs {
      if theirFirst[pair.key] == nil { theirFirst[pair.key] = records.count }
      theirLast[pair.key] = records.count
      records.append(Record(pair: pair, isOurs: false))
    }
    return pairs
  }

  /// What the target sent, in order.
  public var received: [KeyValue] { records.filter { !$0.isOurs }.map(\.pair) }

  /// The last value that one side gave to a key, and its place.
  private func last(_ key: String, ours: Bool) -> (value: String, place: Int)? {
    guard let place = ours ? ourLast[key] : theirLast[key] else { return nil }
    return (records[place].pair.value, place)
  }

  /// True when the initiator has asked for a discovery session.
  public var isDiscovery: Bool { last(Key.sessionType.name, ours: true)?.value == "Discovery" }

  /// The value that the initiator has offered or declared last; nil when it has not.
  public func offered(_ key: Key) -> String? { last(key.name, ours: true)?.value }

  /// The agreed value of a negotiated key; nil when there is none, and the default or the old value stays.
  private func agreed(_ key: Key) -> String? {
    guard let ours = last(key.name, ours: true), let theirs = last(key.name, ours: false) else {
      // An offer that settles the outcome by itself.
      let offer = (last(key.name, ours: true) ?? last(key.name, ours: false))?.value
      return offer.flatMap { key.definition.kind.isSettled(by: $0) ? $0 : nil }
    }
    let answer = ours.place > theirs.place ? ours.value : theirs.value
    return KeyTable.isReserved(answer) ? nil : answer
  }

  private func agreedNumber(_ key: Key, _ old: UInt32) -> UInt32 {
    guard let text = agreed(key), let value = Self.number(text) else { return old }
    return value
  }

  private func agreedBoolean(_ key: Key, _ old: Bool) -> Bool {
    switch agreed(key) {
    case "Yes": true
    case "No": false
    default: old
    }
  }

  /// A number as the text of a key has it (RFC 7143 §6.1); nil when it is none, or does not fit.
  public static func number(_ text: String) -> UInt32? {
    let value = Array(text.utf8).withUnsafeBytes { TextSlice($0).number }
    return value.flatMap { UInt32(exactly: $0) }
  }

  /// The outcome of the login.
  ///
  /// - Parameter start: The defaults, or, of an added connection, what holds for its session.
  public func outcome(from start: NegotiatedParameters) -> NegotiatedParameters {
    var result = start
    result.sessionType = isDiscovery ? .discovery : start.sessionType
    result.maxConnections = agreedNumber(.maxConnections, start.maxConnections)
    result.initialR2T = agreedBoolean(.initialR2T, start.initialR2T)
    result.immediateData = agreedBoolean(.immediateData, start.immediateData)
    result.maxBurstLength = agreedNumber(.maxBurstLength, start.maxBurstLength)
    result.firstBurstLength = min(agreedNumber(.firstBurstLength, start.firstBurstLength), result.maxBurstLength)
    result.defaultTime2Wait = agreedNumber(.defaultTime2Wait, start.defaultTime2Wait)
    result.defaultTime2Retain = agreedNumber(.defaultTime2Retain, start.defaultTime2Retain)
    result.maxOutstandingR2T = agreedNumber(.maxOutstandingR2T, start.maxOutstandingR2T)
    result.dataPDUInOrder = agreedBoolean(.dataPDUInOrder, start.dataPDUInOrder)
    result.dataSequenceInOrder = agreedBoolean(.dataSequenceInOrder, start.dataSequenceInOrder)
    result.errorRecoveryLevel = agreedNumber(.errorRecoveryLevel, start.errorRecoveryLevel)
    result.iSCSIProtocolLevel = agreedNumber(.iSCSIProtocolLevel, start.iSCSIProtocolLevel)
    switch agreed(.taskReporting) {
    case "ResponseFence": result.taskReporting = .responseFence
    case "FastAbort": result.taskReporting = .fastAbort
    case "RFC3720": result.taskReporting = .rfc3720
    default: break
    }
    // Digests and data segment lengths are the connection's: an added one starts from the defaults.
    result.digests = DigestSettings(header: agreed(.headerDigest) == "CRC32C", data: agreed(.dataDigest) == "CRC32C")
    let defaults = NegotiatedParameters()
    result.initiatorMaxRecvDataSegmentLength =
      declaredLength(ours: true) ?? defaults.initiatorMaxRecvDataSegmentLength
    result.targetMaxRecvDataSegmentLength = declaredLength(ours: false) ?? defaults.targetMaxRecvDataSegmentLength
    return result
  }

  private func declaredLength(ours: Bool) -> UInt32? {
    last(Key.maxRecvDataSegmentLength.name, ours: ours).flatMap { Self.length($0.value) }
  }

  /// A declared MaxRecvDataSegmentLength that is within its range.
  static func length(_ text: String) -> UInt32? { number(text).flatMap { KeyTable.lengths.contains($0) ? $0 : nil } }

  // MARK: What the target did wrong

  /// The faults of a response's header, which answers the last request.
  public func faults(of header: HeaderView) -> [(ViolationRule, String)] {
    var result: [(ViolationRule, String)] = []
    // Who refuses the change of it may go on to say the first.
    let isFirst = header.statusClass != 0 && header.initiatorTaskTag == firstTag
    if header.initiatorTaskTag != tag, !isFirst {
      result.append((.loginFieldMismatch, "Initiator Task Tag is not that of the request"))
    }
    // The other fields mean nothing in a refusal.
    guard header.statusClass == 0 else { return result }
    if header.isid != lastISID { result.append((.loginFieldMismatch, "ISID is not that of the request")) }
    if header.versionActive != 0 {
      result.append((.loginFieldMismatch, "Version-active is \(header.versionActive)"))
    }
    if header.currentStage != lastStage {
      result.append((.loginStage, "CSG \(header.currentStage) to \(lastStage)"))
    }
    guard header.isTransit else { return result }
    if !lastTransit {
      result.append((.loginStage, "T without T in the request"))
    } else if header.nextStage > lastNextStage || header.nextStage <= header.currentStage {
      // §6.3: the target selects the next stage, up to the one that was asked for.
      result.append((.loginStage, "NSG \(header.nextStage) to \(lastNextStage)"))
    }
    if header.isContinued { result.append((.loginStage, "T and C")) }
    return result
  }

  /// So many faults of one response are told; more say nothing new.
  private static let faultsMax = 64

  /// The faults of pairs that have just been received, which are the last records.
  public func faults(of pairs: [KeyValue]) -> [(ViolationRule, String)] {
    var result: [(ViolationRule, String)] = []
    let first = records.count - pairs.count
    for (index, pair) in pairs.enumerated() where result.count < Self.faultsMax {
      if let place = theirFirst[pair.key], place < first + index, pair.key != "TargetAddress" {
        result.append((.repeatedKey, "\(pair.key) came before"))
        continue
      }
      if let fault = fault(of: pair, offer: last(pair.key, ours: true)?.value) { result.append(fault) }
    }
    return result
  }

  private func fault(of pair: KeyValue, offer: String?) -> (ViolationRule, String)? {
    let isReserved = KeyTable.isReserved(pair.value)
    guard let definition = KeyTable.find(pair.key) else {
      return offer == nil && isReserved ? (.unsolicitedAnswer, "\(pair.key)=\(pair.value) answers no offer") : nil
    }
    if pair.value == "NotUnderstood" { return (.illegalAnswer, "\(pair.key)=NotUnderstood of a key of the standard") }
    if isReserved {
      return offer == nil ? (.unsolicitedAnswer, "\(pair.key)=\(pair.value) answers no offer") : nil
    }
    let text = "\(pair.key)=\(pair.value)" + (offer.map { " to the offer \($0)" } ?? "")
    switch definition.kind {
    case .list:
      guard let offer else { return nil }
      let isOffered = offer.split(separator: ",").contains { $0 == pair.value }
      return isOffered ? nil : (.illegalAnswer, text + " is none of the offered values")
    case .booleanAnd:
      if pair.value != "Yes" && pair.value != "No" { return (.illegalAnswer, text) }
      return offer == "No" && pair.value == "Yes" ? (.illegalAnswer, text) : nil
    case .booleanOr:
      if pair.value != "Yes" && pair.value != "No" { return (.illegalAnswer, text) }
      return offer == "Yes" && pair.value == "No" ? (.illegalAnswer, text) : nil
    case .minimum(let range), .maximum(let range):
      guard let value = Self.number(pair.value), range.contains(value) else { return (.illegalAnswer, text) }
      guard let offer, let ours = Self.number(offer), range.contains(ours) else { return nil }
      if case .minimum = definition.kind { return value > ours ? (.illegalAnswer, text) : nil }
      return value < ours ? (.illegalAnswer, text) : nil
    case .numberDeclaration(let range):
      guard definition.senders.contains(.target), let value = Self.number(pair.value), range.contains(value) else {
        return (.illegalAnswer, text)
      }
      return nil
    case .declaration:
      return definition.senders.contains(.target) ? nil : (.illegalAnswer, text + " is not a target's key")
    case .obsolete: return offer == nil || pair.value == "No" ? nil : (.illegalAnswer, text)
    case .authentication: return nil
    }
  }

  /// Negotiated keys that the initiator offered and the target had to answer and did not, at the end of a login.
  public var unanswered: [String] {
    records.filter { record in
      guard record.isOurs else { return false }
      let definition = KeyTable.find(record.pair.key)
      if definition?.kind.isDeclarative == true || definition?.kind == .authentication { return false }
      if definition?.kind.isSettled(by: record.pair.value) == true { return false }
      // An answer of ours to an offer of theirs is not an offer.
      return theirLast[record.pair.key] == nil
    }.map(\.pair.key)
  }

  /// The initiator's answer to a key that the target brought up; nil when it needs none.
  public func answer(to pair: KeyValue) -> KeyValue? {
    guard last(pair.key, ours: true) == nil else { return nil }
    guard let definition = KeyTable.find(pair.key) else { return KeyValue(pair.key, "NotUnderstood") }
    switch definition.kind {
    case .declaration, .numberDeclaration, .authentication: return nil
    case .obsolete: return KeyValue(pair.key, "Reject")
    case .list(let known):
      let choice = pair.value.split(separator: ",").first { known.contains(String($0)) }
      return KeyValue(pair.key, choice.map(String.init) ?? "Reject")
    case .booleanAnd, .booleanOr:
      return KeyValue(pair.key, pair.value == "Yes" || pair.value == "No" ? pair.value : "Reject")
    case .minimum(let range), .maximum(let range):
      let isLegal = Self.number(pair.value).map(range.contains) ?? false
      return KeyValue(pair.key, isLegal ? pair.value : "Reject")
    }
  }
}
