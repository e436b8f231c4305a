import ISCSI
import Ring

/// Logins that the machine drives.
extension InitiatorMachine {
  /// Logs in, as soon as the connection stands. The event `loginEnded` follows.
  public func login(_ plan: LoginPlan, on id: ConnectionID) throws(InitiatorError) {
    let connection = try open(id)
    switch connection.phase {
    case .connecting, .login: break
    default: throw .alreadyLoggedIn
    }
    guard connection.driver == nil else { throw .alreadyLoggedIn }
    for (_, overrides) in plan.overrides.sorted(by: { $0.key < $1.key }) {
      try ProtocolDataUnit.check(overrides, opcodeBits: Opcode.loginRequest.rawValue)
    }
    connection.driver = LoginDriver(plan: plan)
    if connection.phase == .login { startLogin(connection) }
  }

  func startLogin(_ connection: Connection) {
    guard let driver = connection.driver else { return }
    let session = connection.session
    connection.number = driver.plan.connectionID
    if !session.isEstablished {
      session.isid = driver.plan.isid
      session.cmdSN = driver.plan.firstCmdSN
    }
    enterStage(connection, first: true)
  }

  /// Sends the keys of the current stage.
  private func enterStage(_ connection: Connection, first: Bool) {
    guard var driver = connection.driver else { return }
    let plan = driver.plan
    let isLeading = !connection.session.isEstablished
    var pairs: [KeyValue] = []
    if first {
      pairs.append(KeyValue("InitiatorName", plan.initiatorName))
      if let target = plan.targetName { pairs.append(KeyValue("TargetName", target)) }
      if isLeading { pairs.append(KeyValue("SessionType", plan.sessionType == .discovery ? "Discovery" : "Normal")) }
      pairs += plan.declarations
    }
    var transit = plan.transitsAtOnce
    switch driver.stage {
    case .securityNegotiation:
      for pair in plan.securityKeys {
        let offersCHAP = plan.credentials != nil && pair == KeyValue("AuthMethod", "None")
        pairs.append(offersCHAP ? KeyValue("AuthMethod", "CHAP") : pair)
      }
      if let credentials = plan.credentials {
        driver.authentication = CHAPExchange(credentials)
        transit = false
      }
    case .operationalNegotiation:
      pairs += plan.operationalKeys.filter { pair in
        isLeading || plan.sendsLeadingOnlyKeys || KeyTable.find(pair.key)?.isLeadingOnly != true
      }
    case .fullFeature: break
    }
    connection.driver = driver
    sendLogin(pairs, transit: transit, on: connection)
  }

  /// Sends a Login Request of the current stage, and queues what does not fit into it.
  private func sendLogin(_ pairs: [KeyValue], transit: Bool, on connection: Connection) {
    guard var driver = connection.driver else { return }
    guard driver.turnCount < driver.plan.requestsMax else {
      violation(.loginDoesNotProgress, on: connection, "no end after \(driver.requestCount) requests")
      return fail(connection, .local)
    }
    driver.turnCount += 1
    var writer = TextWriter()
    for pair in pairs { writer.append(pair.key, pair.value) }
    driver.rest = writer.bytes
    driver.transitAtEnd = transit
    connection.driver = driver
    sendLoginText(connection)
  }

  /// Sends the next part of the queued text.
  private func sendLoginText(_ connection: Connection) {
    guard var driver = connection.driver else { return }
    let text = Array(driver.rest.prefix(max(1, driver.plan.segmentLength ?? 8192)))
    driver.rest.removeFirst(text.count)
    let continues = !driver.rest.isEmpty
    var pdu = ProtocolDataUnit(.loginRequest, isFinal: false, data: text)
    let session = connection.session
    pdu.header.write { header in
      header.isImmediate = true
      header.isTransit = driver.transitAtEnd && !continues
      header.isContinued = continues
      header.currentStage = driver.stage.rawValue
      header.nextStage = header.isTransit ? driver.nextStage.rawValue : 0
      header.isid = session.isid
      header.tsih = driver.plan.tsih ?? session.tsih
      header.connectionID = connection.number
      header.initiatorTaskTag = connection.negotiation.tag
      header.cmdSN = session.cmdSN
      header.expStatSN = connection.acknowledgedStatSN
    }
    // The names were checked when the plan was taken.
    try? pdu.apply(driver.plan.overrides[driver.requestCount] ?? [])
    let wire = driver.plan.wire[driver.requestCount] ?? WireOptions()
    driver.requestCount += 1
    connection.driver = driver
    transmit(pdu, wire, on: connection)
  }

  /// Goes on with a driven login. The response was successful, and did not end the login.
  ///
  /// - Parameter pairs: The pairs of the response; nil when its text goes on.
  func continueLogin(_ connection: Connection, _ header: BasicHeader, _ pairs: [KeyValue]?) {
    guard let driver = connection.driver else { return }
    guard let pairs else { return sendLogin([], transit: false, on: connection) }
    if !driver.rest.isEmpty { return sendLoginText(connection) }
    var answers = pairs.compactMap { connection.negotiation.answer(to: $0) }
    switch connection.driver?.authentication?.take(pairs) {
    case nil: break
    case .goOn(let keys): answers += keys
    case .wait(let keys): return sendLogin(keys, transit: false, on: connection)
    case .fail(let why):
      violation(.authentication, on: connection, why)
      endLogin(connection, status: nil)
      return fail(connection, .local)
    }
    let (transit, next) = header.read { ($0.isTransit, $0.nextStage) }
    guard transit else { return sendLogin(answers, transit: true, on: connection) }
    guard let stage = LoginStage(rawValue: next), next > driver.stage.rawValue else {
      // The violation was told with the response.
      endLogin(connection, status: nil)
      return fail(connection, .local)
    }
    guard let index = driver.plan.stages.firstIndex(of: stage) else {
      // One that the plan leaves out, and the target wants: there is nothing to say in it.
      connection.driver?.stageIndex += 1
      connection.driver?.plan.stages.insert(stage, at: driver.stageIndex + 1)
      return sendLogin([], transit: true, on: connection)
    }
    connection.driver?.stageIndex = index
    enterStage(connection, first: false)
  }

  /// Tells the end of a driven login, once.
  func endLogin(_ connection: Connection, status: UInt16?) {
    guard connection.driver != nil else { return }
    connection.driver = nil
    tell(
      connection,
      .loginEnded(
        LoginResult(
          session: connection.session.id, status: status,
          isSuccessful: status == 0 && connection.phase == .fullFeature, tsih: connection.session.tsih,
          parameters: connection.parameters, received: connection.negotiation.received)))
  }
}
