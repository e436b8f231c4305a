import Testing

@testable import Conformance

/// What expectations and options refuse, because it would hold whatever comes.
@Suite struct ExpectationTests: Playing {
  /// A connection that has received a NOP-In, and a Text Response in `text`.
  private let answers = """
    local s = t:login {}
    s:send(pdu.nop_out { itt = 77, ttt = 0xFFFFFFFF, immediate = true, data = "x" })
    local answer = s:receive { within = "1s", opcode = "nop-in" }
    s:send(pdu.text { itt = 78, immediate = true, text = { SendTargets = "" } })
    local text = s:receive { within = "1s", opcode = "text response" }

    """

  /// Who reads of it need not have the standard at hand.
  @Test func aCodeIsToldByItsName() throws {
    let body = """
      local c = t:connect()
      c:send(pdu.login { csg = 1, nsg = 3, transit = true, text = { InitiatorName = "iqn.x:a", TargetName = "iqn.x:b" } })
      expect(c:receive()):pdu { opcode = "login response", status = 0x0201 }
      """
    let message = try failure(body).message
    #expect(
      message.contains(
        "expected status 0x0201, authentication failure\ncame: login response with status 0x0200, initiator error"),
      "\(message)")
  }

  /// That it was false is not what came.
  @Test(arguments: [
    ("expect(3 > 4):holds('a multiple of 4', 3)", "expected a multiple of 4\ncame: 3"),
    ("expect(nil):holds('an answer')", "expected an answer\ncame: something else"),
  ])
  func aConditionSaysWhatCame(body: String, message: String) throws {
    #expect(try failure(body).message.contains(message))
  }

  @Test(arguments: [
    ("{ opcode = { 'reject', 'async message' } }", "expected a PDU with opcode"),
    ("{ opcode = 0x3F }", "expected a PDU with opcode 63"),
    ("{ opcode = 'no such' }", "pdu.opcode: expected an opcode's name or number, or a list of them, found string"),
    ("{ opcode = { 'nop-in', 'rejcet' } }", "found string \"rejcet\"; did you mean 'reject'?"),
    ("{ opcode = true }", "or a list of them, found boolean true"),
    ("{ opcode = { name = 'nop-in' } }", "pdu.opcode: expected a list"),
    ("{ 'reject' }", "pdu: expected fields by name such as { name = value }, found a value under number 1"),
    ("{ ttt = { one = 1 } }", "pdu.ttt: expected a list"),
    ("{ statsn = 0/0 }", "nan"),
  ])
  func aPDUIsLookedIntoForAllThatIsSaid(fields: String, expected: String) throws {
    let message = try failure(answers + "expect(answer):pdu \(fields)").message
    #expect(message.contains(expected), "\(message)")
  }

  @Test(arguments: [
    ("{ 'NoSuchKey=1' }", "pdu.text: expected fields by name such as { name = value }, found a value under number 1"),
    ("{}", "pdu.text: expected what to look for in it, found an empty table"),
    ("{ TargetName = { 1, 2 } }", "expected text"),
    ("{ TargetName = t.iqn, MaxBurstLength = 512 }", "expected text"),
  ])
  func aTextIsLookedIntoForAllThatIsSaid(text: String, expected: String) throws {
    let message = try failure(answers + "expect(text):pdu { text = \(text) }").message
    #expect(message.contains(expected), "\(message)")
  }

  @Test func whatHoldsOfAPDUHolds() throws {
    let result = try play(
      body: answers + """
        expect(answer):pdu {}
        expect(answer):pdu { opcode = "nop-in", itt = { 76, 77 } }
        expect(answer):pdu { opcode = { "reject", "nop_in" }, final = true, data = "x" }
        expect(answer):pdu { opcode = { 0x20, 0x21 } }
        expect(text):pdu { text = { TargetName = { "nobody", t.iqn } } }
        """)
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  @Test(arguments: ["equals(5)", "equals(0/0)", "at_least(-1e9)", "at_most(1e9)", "one_of(1, 2)"])
  func whatIsNoNumberSatisfiesNoNumber(expectation: String) throws {
    #expect(try failure("expect(0/0):\(expectation)").message.contains("came: "))
    #expect(
      try failure("expect(5):\(expectation.contains("5") ? "equals(0/0)" : "at_least(0/0)")").oracle == "expectation")
  }

  @Test(arguments: [
    ("rejected('data digest error')", "expected a Reject, reason 0x02, data digest error\ncame: a Reject, reason 0x0"),
    ("rejected('protocol eror')", "found string \"protocol eror\"; did you mean 'protocol error'?"),
    ("rejected(true)", "found boolean true"),
  ])
  func theReasonOfARejectIsCompared(expectation: String, expected: String) throws {
    let body = "local s = t:login {}\nlocal r = s:text { text = { 'SendTargets=', 'SendTargets=' } }\n"
    let message = try failure(body + "expect(r):\(expectation)").message
    #expect(message.contains(expected), "\(message)")
    #expect(try play(body: body + "expect(expect(r):rejected('protocol error')):rejected(4)").outcome == .passed)
  }

  /// A script's strings may be long, and all but what is looked for.
  @Test(.timeLimit(.minutes(1))) func aLongStringIsLookedThroughOnce() throws {
    let strings = "local whole, part = ('a'):rep(1 << 21), ('a'):rep(1 << 20) .. 'b'\n"
    let holds = "expect(whole .. 'b'):contains(part)\nexpect('ab'):contains('')\nexpect(''):contains('')"
    #expect(try play(body: strings + holds).outcome == .passed)
    #expect(try failure(strings + "expect(whole):contains(part)").message.contains("a string that contains"))
    #expect(try failure("expect(''):contains('a')").message.contains("a string that contains \"a\"\ncame: \"\""))
  }

  /// The fields of a result are a script's to change.
  @Test func theResidualCountMayBeAnyNumber() throws {
    let change = "local r = t:login {}:test_unit_ready {}\nr.residual = math.mininteger\nr.overflow = true\n"
    #expect(try failure(change + "expect(r):residual(1)").message.contains("expected an underflow of 1"))
    #expect(try failure(change + "expect(r):residual(0)").message.contains("expected no residual"))
  }

  @Test func theStatusOfARefusedLoginIsANumber() throws {
    let body = "local r = t:try_login { target = 'iqn.2026-11.example:nobody' }\n"
    #expect(try play(body: body + "expect(r):login_refused(0x0203)").outcome == .passed)
    let message = try failure(body + "expect(r):login_refused('0x0203')").message
    #expect(message.contains("login_refused: expected a status such as 0x0203"), "\(message)")
  }

  @Test func aTargetThatIsDeadHasRefusedNoLogin() throws {
    let message = try failure("t:kill()\nexpect(t:try_login { within = '5s' }):login_refused()").message
    #expect(message.contains("expected a login that is refused by a Login Response"), "\(message)")
  }

  @Test func anExpectationSaysWhatMustHold() throws {
    let mistake = "expected what must hold, such as :good() or :equals(…), found nothing behind it"
    let message = try failure("expect(1):equals(1)\nexpect(t:login {}:test_unit_ready())\nexpect(2)").message
    #expect(message.contains(mistake) && message.contains("a.lua:3"), "\(message)")
    let body =
      "local e = expect(1)\ne:equals(1)\ne:at_least(0)\nexpect(2):one_of(1, t:login {}:test_unit_ready().status + 2)"
    #expect(try play(body: body).outcome == .passed)
  }

  @Test func senseDataThatAreMissingAreNoMistakeOfTheScript() throws {
    let (oracle, message) = try failure(
      """
      local s = t:login {}
      s:send(pdu.scsi_command { cdb = cdb.test_unit_ready {} })
      expect(s:receive { opcode = "scsi response" }):pdu { sense = { key = "ABORTED COMMAND" } }
      """)
    #expect(oracle == "expectation")
    let words = "expected sense { key = ABORTED COMMAND }\ncame: scsi response with sense nothing"
    #expect(message.contains(words), "\(message)")
  }

  @Test func aCommandThatNeverEndedHasNoResidual() throws {
    let body = """
      local s = t:login {}
      local task = s:read { lba = 0, blocks = 8, async = true }
      t:kill()
      local r = task:wait {}
      expect(r):lost()

      """
    #expect(try failure(body + "expect(r):residual(0)").message.contains("expected no residual\ncame: connection lost"))
    let most = "an overflow of 9223372036854775808"
    #expect(try failure(body + "expect(r):residual(math.mininteger)").message.contains("expected \(most)"))
  }

  /// Whose mistake it is: nothing that came is held against what a script has got wrong itself.
  @Test(arguments: [
    ("expect(t:login {}:logout {}):response('0')", "response: expected a code such as 0"),
    ("expect(t:login {}:logout {}):response()", "found nothing"),
    ("expect(t:try_connect { portal = '10.0.0.1:99' }):closed('endofstream')", "did you mean 'end of stream'?"),
    ("expect(t:try_connect { portal = '10.0.0.1:99' }):closed { within = '1s' }", "found a table"),
    ("expect(5):at_least('4')", "at_least: expected a number, found string \"4\""),
    ("expect(5):at_most(nil)", "at_most: expected a number, found nothing"),
    ("expect('ab'):contains(5)", "contains: expected a string, found number 5"),
  ])
  func whatIsComparedWithNothingIsTheScriptsMistake(body: String, expected: String) throws {
    let (oracle, message) = try failure(body)
    #expect(oracle == "script" && message.contains(expected), "\(message)")
  }

  @Test func whyAConnectionEndedIsSaidInWords() throws {
    let nobody = "t:try_connect { portal = '10.0.0.1:99' }"
    #expect(try play(body: "expect(\(nobody)):closed('connection refused')").outcome == .passed)
    let message = try failure("expect(\(nobody)):closed('timed out')").message
    #expect(
      message.contains("expected the end of the connection (timed out)\ncame: connect failed: connection refused"))
  }

  @Test(arguments: [
    ("t:login { keys = { 'HeaderDigest=CRC32C' } }", "login.keys: expected keys by name such as { HeaderDigest"),
    ("t:login { declare = { 'X-a=1' } }", "login.declare: expected keys by name"),
    ("t:login { session = 5 }", "login.session: expected a session, found number 5"),
    ("t:login { session = t:connect() }", "login.session: expected a session, found a connection"),
    (
      "t:login {}:test_unit_ready { set = { [20] = 1 } }",
      "session:test_unit_ready.set: expected fields by name such as { cmdsn = 5 } or { byte1 = 0x80 }, found a value under "
        + "number 20"
    ),
    ("t:login {}:ping { set = { 1 } }", "session:ping.set: expected fields by name"),
    ("t:login {}:ping { lun_raw = 'x' }", "session:ping.lun_raw: expected the eight bytes as a number, found string"),
    ("t:login {}:unmap { lba = 0, blocks = 8 }", "session:unmap: unknown field 'blocks' (found number 8)"),
    ("t:login {}:read { data = 'x' }", "session:read: unknown field 'data' (found string \"x\")"),
    ("t:login {}:test_unit_ready { lba = 5 }", "session:test_unit_ready: unknown field 'lba' (found number 5)"),
  ])
  func whatNobodyWouldReadIsRefused(body: String, expected: String) throws {
    let message = try failure(body).message
    #expect(message.contains(expected), "\(message)")
  }
}
