import ISCSI

/// What authentication asks of the login that goes on.
enum AuthenticationStep {
  /// Nothing is in the way of the next stage; these keys go along.
  case goOn([KeyValue])
  /// These keys go first, without leaving the stage.
  case wait([KeyValue])
  case fail(String)
}

/// CHAP from the initiator's side, RFC 7143 §12.1.3.
extension InitiatorMachine {
  func authenticate(_ connection: Connection, _ pairs: [KeyValue]) -> AuthenticationStep {
    guard let driver = connection.driver, let credentials = driver.plan.credentials else { return .goOn([]) }
    func value(_ key: Key) -> String? { pairs.last { $0.key == key.name }?.value }
    switch driver.authentication {
    case .none, .done: return .goOn([])
    case .offered:
      switch value(.authMethod) {
      case "CHAP":
        connection.driver?.authentication = .algorithmSent
        return .wait([KeyValue("CHAP_A", credentials.algorithms)])
      case "None":
        connection.driver?.authentication = .done
        return .goOn([])
      case let other: return .fail("AuthMethod=\(other ?? "") to an offer of CHAP")
      }
    case .algorithmSent: return answerChallenge(connection, credentials, value)
    case .responseSent:
      connection.driver?.authentication = .done
      guard let secret = credentials.targetSecret else { return .goOn([]) }
      guard let algorithm = chosenAlgorithm(connection), value(.chapName) != nil,
        let response = value(.chapResponse).flatMap(binary)
      else { return .fail("the target did not authenticate itself") }
      let expected = algorithm.response(
        identifier: credentials.identifier, secret: secret, challenge: credentials.challenge)
      return response == expected ? .goOn([]) : .fail("the target's CHAP_R is wrong")
    }
  }

  private func answerChallenge(
    _ connection: Connection, _ credentials: CHAPCredentials, _ value: (Key) -> String?
  ) -> AuthenticationStep {
    guard let text = value(.chapAlgorithm), credentials.algorithms.split(separator: ",").contains(where: { $0 == text })
    else { return .fail("CHAP_A=\(value(.chapAlgorithm) ?? "") was not offered") }
    guard let algorithm = Int(text).flatMap(CHAPAlgorithm.init(rawValue:)) else {
      return .fail("CHAP_A=\(text) is not known here")
    }
    guard let identifier = value(.chapIdentifier).flatMap(Negotiation.number), identifier <= 255 else {
      return .fail("CHAP_I=\(value(.chapIdentifier) ?? "")")
    }
    guard let challenge = value(.chapChallenge).flatMap(binary) else {
      return .fail("CHAP_C=\(value(.chapChallenge) ?? "")")
    }
    let response = algorithm.response(
      identifier: UInt8(truncatingIfNeeded: identifier), secret: credentials.secret, challenge: challenge)
    var keys = [
      KeyValue("CHAP_N", credentials.name), KeyValue("CHAP_R", encoded(response, credentials)),
    ]
    if credentials.targetSecret != nil {
      keys.append(KeyValue("CHAP_I", String(credentials.identifier)))
      keys.append(KeyValue("CHAP_C", encoded(credentials.challenge, credentials)))
    }
    connection.driver?.authentication = .responseSent
    // T goes with the response: nothing is left to say in this stage.
    return .goOn(keys)
  }

  private func chosenAlgorithm(_ connection: Connection) -> CHAPAlgorithm? {
    connection.negotiation.received.last { $0.key == "CHAP_A" }.flatMap { Int($0.value) }
      .flatMap(CHAPAlgorithm.init(rawValue:))
  }

  private func binary(_ text: String) -> [UInt8]? {
    Array(text.utf8).withUnsafeBytes { TextSlice($0).binary(lengthMax: CHAPAlgorithm.challengeLengthMax) }
  }

  private func encoded(_ bytes: [UInt8], _ credentials: CHAPCredentials) -> String {
    credentials.usesBase64 ? "0b" + TextEncoding.base64(bytes) : "0x" + TextEncoding.hexadecimal(bytes)
  }
}
