import ISCSI
import Ring
import SCSI

/// `expect(x):…`: what must hold. A failure says what was expected, what came, and the PDUs before it, and ends the case.
/// Each returns `x`.
extension HostLibrary {
  static let expectations: [HostFunction] = [
    HostFunction("expect") { (player, call) throws(LuaFailure) in
      guard !call.arguments.isEmpty else { throw LuaFailure("expect: expected a value, found nothing") }
      // The script holds the value, and lets go of it with the expectation.
      let number = player.expectations.open(at: call.location)
      return .result(.table(LuaTable(kind: .expectation, fields: [("value", call[0]), ("number", .integer(number))])))
    },

    // MARK: Results of commands

    expectation("good") { (player, call, value) throws(LuaFailure) in
      let table = try result(value, "good")
      try check(player, call, value, isStatus(table, 0), "GOOD")
    },
    expectation("status") { (player, call, value) throws(LuaFailure) in
      let table = try result(value, "status")
      let names = [
        Status.good, .checkCondition, .conditionMet, .busy, .reservationConflict, .taskSetFull, .acaActive,
        .taskAborted,
      ]
      let wanted =
        call[1].text.flatMap { text in names.first { $0.name == text }?.rawValue }
        ?? call[1].int.flatMap { UInt8(exactly: $0) }
      guard let wanted else {
        throw LuaFailure("status: expected one of \(names.map(\.name).joined(separator: ", ")), found \(call[1].found)")
      }
      try check(player, call, value, isStatus(table, wanted), Status(rawValue: wanted)?.name ?? "status \(wanted)")
    },
    expectation("check_condition") { (player, call, value) throws(LuaFailure) in
      let table = try result(value, "check_condition")
      let (key, additional, words) = try wantedSense(call)
      var isRight = isStatus(table, 2)
      if case .table(let sense) = table["sense"] {
        if let key { isRight = isRight && sense["key_number"].int == Int64(key.rawValue) }
        if let additional {
          let came = (sense["asc"].int ?? -1) << 8 | (sense["ascq"].int ?? -1)
          isRight = isRight && came == Int64(additional.rawValue)
        }
      } else if key != nil || additional != nil {
        isRight = false
      }
      try check(player, call, value, isRight, "CHECK CONDITION\(words)")
    },
    expectation("residual") { (player, call, value) throws(LuaFailure) in
      let table = try result(value, "residual")
      guard let wanted = call[1].int else {
        throw LuaFailure("residual: expected bytes: above 0 an underflow, below 0 an overflow; found \(call[1].found)")
      }
      // Only a command that has ended has a residual count, if one of 0. A script may have put any number there.
      let came = table["residual"].int.map { table["underflow"].isTrue ? $0 : table["overflow"].isTrue ? 0 &- $0 : 0 }
      let count = wanted.magnitude
      let words = wanted > 0 ? "an underflow of \(count)" : wanted < 0 ? "an overflow of \(count)" : "no residual"
      try check(player, call, value, came == wanted, words)
    },
    expectation("rejected") { (player, call, value) throws(LuaFailure) in
      let table = try result(value, "rejected")
      let reason = try rejectReason(call[1])
      let isRight = table["outcome"].text == "rejected" && (reason == nil || table["reason"].int == reason)
      try check(
        player, call, value, isRight,
        "a Reject" + (reason.map { ", reason \(RejectReason.words(UInt8(truncatingIfNeeded: $0)))" } ?? ""))
    },
    expectation("aborted") { (player, call, value) throws(LuaFailure) in
      try check(player, call, value, try result(value, "aborted")["outcome"].text == "aborted", "an aborted task")
    },
    expectation("lost") { (player, call, value) throws(LuaFailure) in
      let isLost = try result(value, "lost")["outcome"].text == "connection lost"
      try check(player, call, value, isLost, "the connection lost under the task")
    },
    expectation("response") { (player, call, value) throws(LuaFailure) in
      let table = try result(value, "response")
      guard let wanted = call[1].int else {
        throw LuaFailure(
          "response: expected a code such as 0 (RFC 7143 §11.4.3, §11.6.1, §11.15.1), found \(call[1].found)")
      }
      try check(player, call, value, table["response"].int == wanted, "response \(wanted)")
    },
    expectation("login_refused") { (player, call, value) throws(LuaFailure) in
      let table = try result(value, "login_refused")
      let status = call[1].int
      guard status != nil || call[1].isNone else {
        throw LuaFailure("login_refused: expected a status such as 0x0203 (RFC 7143 §11.13.5), found \(call[1].found)")
      }
      // A target that is dead has refused nothing.
      let isRight =
        table["outcome"].text == "login" && !table["successful"].isTrue
        && table["status"].int.map { status == nil || status == $0 } ?? false
      let words = status.map { "with status \(LoginStatus.words(UInt16(truncatingIfNeeded: $0)))" }
      try check(player, call, value, isRight, "a login that is refused \(words ?? "by a Login Response")")
    },
    expectation("login_accepted") { (player, call, value) throws(LuaFailure) in
      try check(player, call, value, try result(value, "login_accepted")["successful"].isTrue, "a login that succeeds")
    },

    // MARK: PDUs and connections

    expectation("pdu") { (player, call, value) throws(LuaFailure) in try pdu(player, call, value) },
    expectation("nothing") { (player, call, value) throws(LuaFailure) in
      try check(player, call, value, value.isNone, "no PDU")
    },
    expectation("closed") { (player, call, value) throws(LuaFailure) in
      let reason = try closeReason(call[1])
      let words = "the end of the connection" + (reason.map { " (\($0))" } ?? "")
      guard case .table(let table) = value, table.kind == .closure else { throw failure(player, call, value, words) }
      try check(player, call, value, reason == nil || table["reason"].text == reason, words)
    },
    HostFunction("closes", of: .expectation) { (player, call) throws(LuaFailure) in
      let value = try subject(player, call)
      let connection = try connection(player, value, "closes")
      var fields = try Fields(call[1], path: "closes")
      let within = try fields.time("within") ?? player.usualWait
      try fields.finish()
      let timeout: () throws(LuaFailure) -> [LuaValue] = { () throws(LuaFailure) in
        throw failure(
          player, call, value, "the connection to close within \(Quantity.text(within))", came: "an open connection")
      }
      return try player.wait(
        call, for: "the end of a connection", on: .connection(connection), within: within, timeout: timeout
      ) { () throws(LuaFailure) in connection.isGone ? [value] : nil }
    },
    HostFunction("stays_open", of: .expectation) { (player, call) throws(LuaFailure) in
      let value = try subject(player, call)
      let connection = try connection(player, value, "stays_open")
      var fields = try Fields(call[1], path: "stays_open")
      let time = try fields.time("for_") ?? Interval.seconds(1)
      try fields.finish()
      let end = player.now + time
      return try player.wait(
        call, for: "time to pass", on: .connection(connection), within: time,
        timeout: { () throws(LuaFailure) in [value] }
      ) { () throws(LuaFailure) in
        if connection.isGone {
          throw failure(
            player, call, value, "the connection to stay open for \(Quantity.text(time))",
            came: closureWords(connection))
        }
        return player.now >= end ? [value] : nil
      }
    },

    // MARK: Values

    expectation("equals") { (player, call, value) throws(LuaFailure) in
      try check(player, call, value, isEqual(value, call[1]), describe(call[1]))
    },
    expectation("differs") { (player, call, value) throws(LuaFailure) in
      try check(player, call, value, !isEqual(value, call[1]), "something other than \(describe(call[1]))")
    },
    expectation("at_least") { (player, call, value) throws(LuaFailure) in
      let least = try bound(call[1], "at_least")
      try check(player, call, value, order(value, least).map { $0 >= 0 } ?? false, "at least \(least.plain)")
    },
    expectation("at_most") { (player, call, value) throws(LuaFailure) in
      let most = try bound(call[1], "at_most")
      try check(player, call, value, order(value, most).map { $0 <= 0 } ?? false, "at most \(most.plain)")
    },
    expectation("one_of") { (player, call, value) throws(LuaFailure) in
      let choices = call.arguments.dropFirst()
      try check(
        player, call, value, choices.contains { isEqual(value, $0) },
        "one of " + choices.map(describe).joined(separator: ", "))
    },
    expectation("contains") { (player, call, value) throws(LuaFailure) in
      guard case .string(let part) = call[1] else {
        throw LuaFailure("contains: expected a string, found \(call[1].found)")
      }
      guard case .string(let whole) = value else {
        throw failure(player, call, value, "a string that contains \(describe(call[1]))")
      }
      try check(player, call, value, whole.contains(run: part), "a string that contains \(describe(call[1]))")
    },
    expectation("holds") { (player, call, value) throws(LuaFailure) in
      // Of a condition nobody wants to read that it was false.
      let came = call[2].isNone ? "something else" : describe(call[2])
      try check(player, call, value, value.isTrue, call[1].text ?? "a true value", came: came)
    },
  ]

  // MARK: Shared

  private static func expectation(
    _ name: String, _ body: @escaping @Sendable (Player, LuaCall, LuaValue) throws(LuaFailure) -> Void
  ) -> HostFunction {
    HostFunction(name, of: .expectation) { (player, call) throws(LuaFailure) in
      let value = try subject(player, call)
      try body(player, call, value)
      return .result(value)
    }
  }

  private static func subject(_ player: Player, _ call: LuaCall) throws(LuaFailure) -> LuaValue {
    guard case .table(let table) = call[0], table.kind == .expectation else {
      throw LuaFailure("expected expect(…) before the colon, found \(call[0].found)")
    }
    if let number = table["number"].int { player.expectations.close(number) }
    return table["value"]
  }

  private static func result(_ value: LuaValue, _ name: String) throws(LuaFailure) -> LuaTable {
    guard case .table(let table) = value, table.kind == .result else {
      throw LuaFailure("expect(…):\(name): expected the result of a command or request, found \(value.found)")
    }
    return table
  }

  static func isStatus(_ table: LuaTable, _ status: UInt8) -> Bool {
    table["outcome"].text == "completed" && table["status"].int == Int64(status) && table["response"].int == 0
  }

  private static func check(
    _ player: Player, _ call: LuaCall, _ value: LuaValue, _ isRight: Bool, _ expected: String, came: String? = nil
  ) throws(LuaFailure) {
    if isRight { return }
    if let command = missingCommand(player, value) { throw player.skipping("the target has no \(command)") }
    throw failure(player, call, value, expected, came: came)
  }

  /// The reason that `rejected(reason)` asks for, by name or by number; nil when it asks for none.
  private static func rejectReason(_ value: LuaValue) throws(LuaFailure) -> Int64? {
    if value.isNone { return nil }
    if let number = value.int { return number }
    if let known = RejectReason.allCases.first(where: { $0.name == value.text }) { return Int64(known.rawValue) }
    let names = RejectReason.allCases.map(\.name)
    throw LuaFailure(
      "rejected: expected a number, or one of \(names.joined(separator: ", ")); found \(value.found)"
        + Suggestion.clause(for: value, among: names))
  }

  /// Why the connection is to have ended, as `closed(reason)` asks; nil when it does not.
  private static func closeReason(_ value: LuaValue) throws(LuaFailure) -> String? {
    if value.isNone { return nil }
    if let reason = value.text, closeReasons.contains(reason) { return reason }
    throw LuaFailure(
      "closed: expected one of \(closeReasons.joined(separator: ", ")); found \(value.found)"
        + Suggestion.clause(for: value, among: closeReasons))
  }

  /// What a number is compared with. Anything else is the script's mistake, and not what came.
  private static func bound(_ value: LuaValue, _ name: String) throws(LuaFailure) -> LuaValue {
    switch value {
    case .integer, .number: return value
    default: throw LuaFailure("\(name): expected a number, found \(value.found)")
    }
  }

  /// Records the failed expectation, and makes the error that ends the script.
  static func failure(
    _ player: Player, _ call: LuaCall, _ value: LuaValue, _ expected: String, came: String? = nil
  ) -> LuaFailure {
    let message = "expected \(expected)\ncame: \(came ?? describe(value))" + player.recorder.tail()
    player.fail("expectation", message, at: call.location)
    return LuaFailure(message, stops: true)
  }

  static func describe(_ value: LuaValue) -> String {
    switch value {
    case .table(let table) where table.kind == .result: return PDULanguage.words(table)
    case .table(let table) where table.kind == .closure: return table["words"].text ?? "the end of the connection"
    case .table(let table) where table.kind == .pdu:
      return "a \(table["opcode"].text ?? "PDU")"
    case .none: return "nothing"
    case .string(let bytes):
      let isText = bytes.allSatisfy { (32...126).contains($0) }
      return isText
        ? "\"\(String(decoding: bytes.prefix(200), as: UTF8.self))\""
        : "\(bytes.count) bytes (\(PDULanguage.hexBytes(bytes, most: 32)))"
    default: return value.plain
    }
  }

  private static func closureWords(_ connection: ScriptConnection) -> String {
    if case .table(let table) = closure(connection) { return table["words"].text ?? "" }
    return ""
  }

  static func isEqual(_ a: LuaValue, _ b: LuaValue) -> Bool {
    switch (a, b) {
    case (.none, .none): return true
    case (.boolean(let x), .boolean(let y)): return x == y
    case (.string(let x), .string(let y)): return x == y
    case (.handle(let k, let x), .handle(let l, let y)): return k == l && x == y
    case (.table(let x), .table(let y)):
      return x.entries.count == y.entries.count
        && zip(x.entries, y.entries).allSatisfy { isEqual($0.key, $1.key) && isEqual($0.value, $1.value) }
    default: return order(a, b) == 0
    }
  }

  /// Negative, zero or positive for two numbers; nil for anything else, and for a NaN, which stands in no order.
  private static func order(_ a: LuaValue, _ b: LuaValue) -> Int? {
    func number(_ value: LuaValue) -> Double? {
      switch value {
      case .integer(let value): Double(value)
      case .number(let value): value
      default: nil
      }
    }
    if case .integer(let x) = a, case .integer(let y) = b { return x < y ? -1 : x > y ? 1 : 0 }
    guard let x = number(a), let y = number(b), !x.isNaN, !y.isNaN else { return nil }
    return x < y ? -1 : x > y ? 1 : 0
  }

  /// The sense that `check_condition(key, additional)` asks for, by name or by number.
  private static func wantedSense(
    _ call: LuaCall
  ) throws(LuaFailure) -> (SenseKey?, AdditionalSense?, words: String) {
    var key: SenseKey?
    var additional: AdditionalSense?
    var words = ""
    if !call[1].isNone {
      key =
        call[1].text.flatMap { text in SenseKey.allCases.first { $0.name == text } }
        ?? call[1].int.flatMap { UInt8(exactly: $0) }.flatMap(SenseKey.init(rawValue:))
      guard let key else {
        let names = SenseKey.allCases.map(\.name)
        throw LuaFailure(
          "check_condition: expected a sense key such as \"ILLEGAL REQUEST\", found \(call[1].found)"
            + Suggestion.clause(for: call[1], among: names))
      }
      words += ", \(key.name)"
    }
    if !call[2].isNone {
      additional =
        call[2].text.flatMap { AdditionalSense(text: $0) }
        ?? call[2].int.flatMap { UInt16(exactly: $0) }.map { AdditionalSense(rawValue: $0) }
      guard let additional else {
        throw LuaFailure(
          "check_condition: expected an additional sense code by the standard's name, or as a number such as 0x2100; "
            + "found \(call[2].found)")
      }
      words += ", \(additional.name)"
    }
    return (key, additional, words)
  }
}

extension [UInt8] {
  /// Whether `run` occurs in it, in a time that grows with the sum of their lengths and not with their product: a script's
  /// strings may be long. (Knuth, Morris and Pratt.)
  fileprivate func contains(run: [UInt8]) -> Bool {
    if run.isEmpty { return true }
    // Of the run's first `index + 1` bytes, how many at their end are those that it begins with.
    var borders = [Int](repeating: 0, count: run.count)
    /// How much of the run there is behind `byte`, when there was so much before it, and not all.
    func matched(_ before: Int, _ byte: UInt8) -> Int {
      var length = before
      while length > 0, run[length] != byte { length = borders[length - 1] }
      return run[length] == byte ? length + 1 : 0
    }
    for index in run.indices.dropFirst() { borders[index] = matched(borders[index - 1], run[index]) }
    var length = 0
    for byte in self {
      length = matched(length, byte)
      if length == run.count { return true }
    }
    return false
  }
}

/// The expectations of a case that have not said yet what must hold of their value: `expect(r)` alone checks nothing.
struct OpenExpectations {
  private var places: [Int64: SourceLocation?] = [:]
  private var count: Int64 = 0

  /// Notes an expectation. Its number.
  mutating func open(at place: SourceLocation?) -> Int64 {
    count += 1
    places.updateValue(place, forKey: count)
    return count
  }

  /// The expectation of that number has said something.
  mutating func close(_ number: Int64) { places.removeValue(forKey: number) }

  /// Where the first of them stands that has said nothing; nil when there is none.
  var first: SourceLocation?? { places.min { $0.key < $1.key }.map(\.value) }
}
