import ISCSI
import Ring
import Testing

@testable import Load

/// How a session of a load logs in to a target that the test plays.
@Suite struct LoadLoginTests {
  /// A session, and the socket that it has been given.
  private final class Played {
    let machine: LoadMachine
    private var operations = Operations()
    private var requests: [ProtocolDataUnit] = []
    private var framer = PDUFramer()
    private var receive: (token: Token, extent: Extent)?

    init(_ credentials: CHAPCredentials?) throws {
      var load = LoadConfiguration(targets: [
        LoadTarget(address: SocketAddress(192, 0, 2, 1, port: 3260), name: "iqn.2026-11.example:x", lun: 0)
      ])
      load.credentials = credentials
      machine = try LoadMachine(configuration: load)
      try run([])
    }

    private func run(_ first: [Completion]) throws {
      var completions = first
      repeat {
        operations.removeAll()
        machine.step(completions, now: .zero + .milliseconds(1), into: &operations)
        completions = []
        for operation in operations.items {
          let extents = operations.extents[
            Int(operation.firstExtent)..<Int(operation.firstExtent + operation.extentCount)]
          switch operation.kind {
          case .connect: completions.append(Completion(token: operation.token, result: 10))
          case .send:
            for extent in extents { framer.append(machine.arena.bytes(extent)) }
            completions.append(Completion(token: operation.token, result: UInt64(extents.reduce(0) { $0 + $1.length })))
          case .receive: receive = (operation.token, try #require(extents.first))
          case .close: completions.append(Completion(token: operation.token))
          default: break
          }
        }
        while let pdu = try framer.next()?.pdu { requests.append(pdu) }
      } while !completions.isEmpty
    }

    /// The next request: its keys, and whether it asks for the next stage.
    func request() throws -> (keys: [KeyValue], isTransit: Bool) {
      let request = try #require(requests.first)
      return (try TextParser.pairs(of: request.data), request.header.read { $0.isTransit })
    }

    /// Answers the next request, and grants what it asks for.
    func answer(_ pairs: (String, String)..., status: UInt16 = 0) throws {
      let request = requests.removeFirst()
      var writer = TextWriter()
      for (key, value) in pairs { writer.append(key, value) }
      var response = ProtocolDataUnit(.loginResponse, isFinal: false, data: writer.bytes)
      response.header.write { header in
        header.isTransit = status == 0 && request.header.read { $0.isTransit }
        header.currentStage = request.header.read { $0.currentStage }
        header.nextStage = request.header.read { $0.nextStage }
        header.loginStatus = status
      }
      let bytes = response.encoded()
      let (token, extent) = try #require(receive)
      machine.arena.bytes(extent.prefix(bytes.count)).copyBytes(from: bytes)
      try run([Completion(token: token, result: UInt64(bytes.count))])
    }

    var error: String? { machine.currentResult.firstError }
    var phase: LoadSession.Phase { machine.sessions[0].phase }
  }

  private static var credentials: CHAPCredentials {
    var credentials = CHAPCredentials(name: "load", secret: Array("a secret of ours".utf8))
    credentials.targetSecret = Array("a secret of theirs".utf8)
    credentials.challenge = [1, 2, 3]
    return credentials
  }

  @Test(arguments: [true, false]) func bothSidesAuthenticateThemselves(isRight: Bool) throws {
    let session = try Played(Self.credentials)
    #expect(try session.request().keys.last == KeyValue("AuthMethod", "CHAP"))
    #expect(try !session.request().isTransit)
    try session.answer(("AuthMethod", "CHAP"))
    #expect(try session.request() == ([KeyValue("CHAP_A", "5")], false))
    try session.answer(("CHAP_A", "5"), ("CHAP_I", "7"), ("CHAP_C", "0x0102"))
    let (keys, isTransit) = try session.request()
    let proof = CHAPAlgorithm.md5.response(identifier: 7, secret: Self.credentials.secret, challenge: [1, 2])
    #expect(keys.prefix(2) == [KeyValue("CHAP_N", "load"), KeyValue("CHAP_R", "0x" + TextEncoding.hexadecimal(proof))])
    #expect(isTransit)
    // A challenge is of this session alone.
    let challenge: [UInt8] = [1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0]
    #expect(keys.last == KeyValue("CHAP_C", "0x" + TextEncoding.hexadecimal(challenge)))
    let secret = isRight ? Self.credentials.targetSecret ?? [] : [0]
    let theirs = CHAPAlgorithm.md5.response(identifier: 1, secret: secret, challenge: challenge)
    try session.answer(("CHAP_N", "target"), ("CHAP_R", "0x" + TextEncoding.hexadecimal(theirs)))
    guard isRight else {
      #expect(session.error?.hasSuffix("gives its login up: the target's CHAP_R is wrong") == true)
      return
    }
    #expect(try session.request().keys.first == KeyValue("HeaderDigest", "None"))
    try session.answer()
    #expect(session.phase == .testing)
    #expect(session.error == nil)
  }

  @Test func whoOnlyAuthenticatesItselfIsServedWithoutAsWell() throws {
    var credentials = Self.credentials
    credentials.targetSecret = nil
    let session = try Played(credentials)
    #expect(try session.request().keys.last == KeyValue("AuthMethod", "CHAP,None"))
    try session.answer(("AuthMethod", "None"))
    #expect(try session.request() == ([], true))
    try session.answer()
    try session.answer()
    #expect(session.phase == .testing)
  }

  @Test func aTargetThatIsToAuthenticateItselfCannotDoWithout() throws {
    let session = try Played(Self.credentials)
    try session.answer(("AuthMethod", "None"))
    #expect(session.error?.hasSuffix("AuthMethod=None to an offer of CHAP") == true, "\(session.error ?? "")")
  }

  @Test func whoeverIsRefusedForWantOfAuthenticationIsToldOfIt() throws {
    let session = try Played(nil)
    #expect(try session.request().keys.last == KeyValue("AuthMethod", "None"))
    try session.answer(status: 0x0201)
    let error = session.error ?? ""
    #expect(error.contains("0x0201, authentication failure; if it wants CHAP, give it a name and a secret with --chap"))
  }

  /// RFC 7143 §11.13.5: class 1.
  @Test func whitherATargetHasMovedIsSaid() throws {
    let session = try Played(nil)
    try session.answer(("TargetAddress", "192.0.2.9:3260,1"), status: 0x0101)
    #expect(
      session.error?.hasSuffix("status 0x0101, target moved temporarily to 192.0.2.9:3260,1") == true,
      "\(session.error ?? "")")
  }
}
