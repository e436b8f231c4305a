/// What is needed for CHAP, RFC 7143 §12.1.3.
public struct CHAPCredentials: Hashable, Sendable {
  /// CHAP_N of the initiator, and its secret.
  public var name: String
  public var secret: [UInt8]

  /// CHAP_A: the offered algorithms, in order of preference.
  public var algorithms = "5"

  /// Asks the target to authenticate itself with this secret (mutual CHAP).
  public var targetSecret: [UInt8]?

  /// CHAP_I and CHAP_C of mutual CHAP. There is no random source in a machine: whoever makes the plan draws them.
  public var identifier: UInt8 = 1
  public var challenge: [UInt8] = []

  /// Sends binary values in Base64 instead of hexadecimal.
  public var usesBase64 = false

  public init(name: String, secret: [UInt8]) {
    self.name = name
    self.secret = secret
  }

  /// AuthMethod of an initiator that authenticates itself where the target wants that, and insists on it only where the target
  /// has to authenticate itself, too.
  public var usualOffer: String { targetSecret == nil ? "CHAP,None" : "CHAP" }
}

/// CHAP from the initiator's side, RFC 7143 §12.1.3, behind the offer of AuthMethod.
public struct CHAPExchange: Sendable {
  /// What authentication asks of the login that goes on.
  public enum Step: Equatable, Sendable {
    /// Nothing is in the way of the next stage; these keys go along.
    case goOn([KeyValue])
    /// These keys go first, without leaving the stage.
    case wait([KeyValue])
    case fail(String)
  }

  private enum State: Equatable {
    /// AuthMethod was offered; the choice is awaited.
    case offered
    /// CHAP_A was sent; the challenge is awaited.
    case algorithmSent
    /// CHAP_R was sent, of this algorithm.
    case responseSent(CHAPAlgorithm)
    case done
  }

  private let credentials: CHAPCredentials
  private var state = State.offered

  public init(_ credentials: CHAPCredentials) { self.credentials = credentials }

  /// Takes the keys of a Login Response that was successful.
  public mutating func take(_ pairs: [KeyValue]) -> Step {
    func value(_ key: Key) -> String? { pairs.last { $0.key == key.name }?.value }
    switch state {
    case .done: return .goOn([])
    case .offered:
      switch value(.authMethod) {
      case "CHAP":
        state = .algorithmSent
        return .wait([KeyValue("CHAP_A", credentials.algorithms)])
      // Only who wants to know whom it talks to insists on it.
      case "None" where credentials.targetSecret == nil:
        state = .done
        return .goOn([])
      case let other: return .fail("AuthMethod=\(other ?? "") to an offer of CHAP")
      }
    case .algorithmSent: return answerChallenge(value)
    case .responseSent(let algorithm):
      state = .done
      guard let secret = credentials.targetSecret else { return .goOn([]) }
      guard value(.chapName) != nil, let response = value(.chapResponse).flatMap(Self.binary) else {
        return .fail("the target did not authenticate itself")
      }
      let expected = algorithm.response(
        identifier: credentials.identifier, secret: secret, challenge: credentials.challenge)
      return response == expected ? .goOn([]) : .fail("the target's CHAP_R is wrong")
    }
  }

  /// Takes the keys of the response that ends the login. In words, what is missing of the authentication; nil when nothing is.
  public mutating func whyNotOver(with pairs: [KeyValue]) -> String? {
    switch take(pairs) {
    case .goOn where state == .done: nil
    case .goOn, .wait: "the target has ended the login before the authentication"
    case .fail(let why): why
    }
  }

  private mutating func answerChallenge(_ value: (Key) -> String?) -> Step {
    guard let text = value(.chapAlgorithm), credentials.algorithms.split(separator: ",").contains(where: { $0 == text })
    else { return .fail("CHAP_A=\(value(.chapAlgorithm) ?? "") was not offered") }
    guard let algorithm = Int(text).flatMap(CHAPAlgorithm.init(rawValue:)) else {
      return .fail("CHAP_A=\(text) is not known here")
    }
    guard let identifier = value(.chapIdentifier).flatMap(Self.number), identifier <= 255 else {
      return .fail("CHAP_I=\(value(.chapIdentifier) ?? "")")
    }
    guard let challenge = value(.chapChallenge).flatMap(Self.binary) else {
      return .fail("CHAP_C=\(value(.chapChallenge) ?? "")")
    }
    let response = algorithm.response(
      identifier: UInt8(truncatingIfNeeded: identifier), secret: credentials.secret, challenge: challenge)
    var keys = [KeyValue("CHAP_N", credentials.name), KeyValue("CHAP_R", encoded(response))]
    if credentials.targetSecret != nil {
      keys.append(KeyValue("CHAP_I", String(credentials.identifier)))
      keys.append(KeyValue("CHAP_C", encoded(credentials.challenge)))
    }
    state = .responseSent(algorithm)
    // T goes with the response: nothing is left to say in this stage.
    return .goOn(keys)
  }

  private static func number(_ text: String) -> UInt64? { Array(text.utf8).withUnsafeBytes { TextSlice($0).number } }

  private static func binary(_ text: String) -> [UInt8]? {
    Array(text.utf8).withUnsafeBytes { TextSlice($0).binary(lengthMax: CHAPAlgorithm.challengeLengthMax) }
  }

  private func encoded(_ bytes: [UInt8]) -> String {
    credentials.usesBase64 ? "0b" + TextEncoding.base64(bytes) : "0x" + TextEncoding.hexadecimal(bytes)
  }
}
