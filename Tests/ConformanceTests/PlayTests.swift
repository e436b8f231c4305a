import FaultInject
import SimRing
import Testing

@testable import Conformance

/// Whole cases in the simulation: what passes, and what each watcher finds.
@Suite struct PlayTests: Playing {
  @Test func aCaseLogsInWritesAndReads() throws {
    let result = try play(
      body: """
        local s = t:login {}
        expect(s:write { lba = 3, data = ("A"):rep(512) }):good()
        expect(s:read { lba = 3 }.data):equals(("A"):rep(512))
        expect(s:logout().response):equals(0)
        print("done", s.closed)
        """)
    #expect(result.outcome == .passed, "\(result.failures)")
    #expect(result.notes.first?.hasSuffix("done\ttrue") == true, "\(result.notes)")
    #expect(result.commands == 5)
    #expect(result.ladder.isEmpty)
  }

  /// However long the name of their stream is.
  @Test(.timeLimit(.minutes(1))) func manyBytesAreDrawnInOneGo() throws {
    let result = try play(body: "expect(#random.bytes(('a'):rep(1 << 20), 100000)):equals(100000)")
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  /// However it is written down, and also what is not UTF-8.
  @Test func textIsSentByteForByte() throws {
    let result = try play(
      body: """
        local c = t:connect()
        local key, value = "X-\\xE9", "\\xFF"
        local forms = { { [key] = value }, { { key, value } }, { key .. "=" .. value }, key .. "=" .. value .. "\\0" }
        for _, text in ipairs(forms) do
          expect(c:send(pdu.text { text = text }).data):equals("X-\\xE9=\\xFF\\0")
        end
        """)
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  /// A script can print as much as it has memory for, and compare it.
  @Test func aReportTakesTheStartOfALongText() throws {
    let result = try play(
      body: "print(('é'):rep(100000))\nlocal t = {}\nfor i = 1, 100000 do t[i] = i end\nexpect(t):equals(0)")
    #expect(result.notes.first?.hasSuffix(": " + String(repeating: "é", count: 4096) + "…") == true)
    let message = try #require(result.failures.first?.message)
    #expect(message.hasPrefix("expected 0\ncame: { 1, 2, 3, ") && message.hasSuffix("…") && message.utf8.count < 70000)
  }

  @Test func whatASessionSendsIsForItsOwnLogicalUnit() throws {
    let result = try play(
      body: """
        local s = t:login { lun = 1 }
        expect(s:send(pdu.scsi_command { cdb = cdb.test_unit_ready {} }).lun):equals(1)
        expect(s:send(pdu.scsi_command { lun = 0, cdb = cdb.test_unit_ready {} }).lun):equals(0)
        expect(s:send(pdu.task_management { immediate = true, ["function"] = 2 }).lun):equals(1)
        expect(s:send(pdu.data_out { itt = 7, ttt = 8 }).lun):equals(1)
        expect(s:send(pdu.data_out { itt = 7 }).lun):equals(0)
        expect(s:send(pdu.nop_out { immediate = true }).lun):equals(0)
        """, fields: "world = { target { luns = { {}, { lun = 1 } } } },")
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  @Test func aWorldGoesWithItsPlaygroundWhateverIsStillInForce() throws {
    weak var world: World?
    func make() throws {
      let playground = try SimulatedPlayground(WorldDescription(), seed: 1)
      playground.faults.arm(ProcessPause(playground.programs[0].processes[0]))
      world = playground.world
      #expect(world != nil)
    }
    try make()
    #expect(world == nil)
  }

  @Test(arguments: [
    "expect(1):equals(2)", "together(function() sleep '1ms' expect(1):equals(2) end)",
    "spawn(function() sleep '1h' end) skip('enough')", "spawn(function() sleep '1s' end) spawn(error)",
  ])
  func aCaseLetsGoOfEverythingHoweverItEnds(body: String) throws {
    weak var player: Player?
    weak var world: World?
    func make() throws {
      let text = "scenario { title = 'x', play = function(t) local s = t:login {}\n\(body)\nend }"
      let script = try Script(file: "a.lua", text: text)
      let playground = try SimulatedPlayground(WorldDescription(), seed: 1)
      let made = Player(
        Case.expand(script.scenarios[0], file: script.file)[0], script: script, playground: playground, seed: 1)
      made.play()
      #expect(made.result(index: 0).outcome != .passed)
      (player, world) = (made, playground.world)
    }
    try make()
    #expect(player == nil)
    #expect(world == nil)
  }

  @Test func aPortalThatIsNotThereIsAnErrorOfTheScript() throws {
    let world =
      "world = { target { portals = { '[::]:3260' }, host = 'target' }, host { name = 'target', address = '10.0.0.7' } },"
    #expect(
      try failure("t:try_connect { portal = 1 }", fields: world).message.contains(
        "target:try_connect.portal: expected an address (the target has no portal in reach), found number 1"))
    #expect(try failure("t:try_connect { portal = 3 }").message.contains("(or a number from 1 to 2), found number 3"))
  }

  @Test func theResultOfARequestIsKeptOnlyForATask() throws {
    let script = try Script(
      file: "a.lua",
      text: """
        scenario { title = 'x', play = function(t)
          local s = t:login {}
          expect(s:read { lba = 0, blocks = 8 }):good()
          local task = s:read { lba = 0, blocks = 8, async = true }
          expect(task:wait()):good()
          expect(task.ended):holds()
          expect(#task:wait().data):equals(4096)
        end }
        """)
    let playground = try SimulatedPlayground(WorldDescription(), seed: 1)
    let player = Player(
      Case.expand(script.scenarios[0], file: script.file)[0], script: script, playground: playground, seed: 1)
    player.play()
    #expect(player.failures.isEmpty, "\(player.failures)")
    #expect(player.tasks.filter { $0.what == "read" }.map { $0.result != nil } == [false, true])
  }

  @Test func theWorkOfAHostIsInTheTimeOfACommand() throws {
    let result = try play(
      body: """
        local s = t:login { host = "a" }
        local start = now()
        for _ = 1, 10 do expect(s:test_unit_ready()):good() end
        local each = (now() - start) / 10
        expect(each > 0.00325 and each < 0.0033):holds("each command takes the work of all stages: " .. each)
        """,
      fields: """
        world = { target { host = "target" }, link { between = { "a", "target" }, latency = "10us", jitter = "1us" },
          host { name = "target", work = { wake = "2ms", segment_in = "500us", send = "300us", interrupt_delay = "200us" } },
          host { name = "a", work = { transmit_delay = "100us", send = "100us", segment_in = "50us" } } },
        """)
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  @Test func anInitiatorMayBeOnATargetsHost() throws {
    let world = "world = { target { host = 'x' }, host { name = 'x', initiator = true } },"
    let result = try play(
      body: """
        local s = t:login { host = 'x' }
        expect(s:write { lba = 3, blocks = 1 }):good()
        t:kill()
        t:restart()
        s:relogin {}
        local start = now()
        expect(s:read { lba = 3, blocks = 1 }):good()
        expect(now() - start):at_most(0.0002)
        """, fields: world)
    #expect(result.outcome == .passed, "\(result.failures)")
    let (_, message) = try failure("t:crash()", fields: world)
    #expect(message.contains("an initiator works on the host \"x\""), "\(message)")
  }

  @Test func theInitiatorOfAScriptHasNoThreadThatCouldBeBusy() throws {
    let fields = "world = { target {}, host { name = 'a', work = { step = '1us' } } },"
    #expect(
      try failure("t:login { host = 'a' }", fields: fields).message.contains("work of threads only where a target is"))
  }

  @Test func aFailedExpectationSaysWhatWasExpectedWhatCameAndThePDUsBefore() throws {
    let (oracle, message) = try failure("local s = t:login {}\nexpect(s:test_unit_ready()):status('BUSY')")
    #expect(oracle == "expectation")
    let expected = "a.lua:3: expect(s:test_unit_ready()):status('BUSY')\nexpected BUSY\ncame: GOOD\nthe last PDUs:"
    #expect(message.contains(expected), "\(message)")
    #expect(message.contains("-> scsi command  TEST UNIT READY"))
  }

  /// One function for all that a file expects alike is called from many places.
  @Test func aFailedExpectationSaysWhereItWasCalledFrom() throws {
    let body = """
      local function check(n)
        expect(n):equals(1)
      end
      check(1)
      check(2)
      """
    #expect(
      try failure(body).message.contains("a.lua:3: expect(n):equals(1)\n  called in line 6: check(2)\nexpected 1"))
  }

  @Test func aFailedExpectationCannotBeCaught() throws {
    #expect(try failure("pcall(function() expect(1):equals(2) end)").oracle == "expectation")
  }

  @Test func anErrorOfTheScriptHasItsLineAndItsCallers() throws {
    let result = try play(body: "local function f() return nil + 1 end\nf()")
    #expect(result.failures.first?.message.contains("a.lua:2: attempt to perform arithmetic on a nil value") == true)
    #expect(result.failures.first?.traceback.contains("a.lua:3:") == true)
  }

  @Test func anErrorOfAnActorFailsTheCase() throws {
    #expect(try failure("spawn(function() error('oh') end)\nsleep '1s'").message.contains("oh"))
  }

  @Test func aCallThatGetsNoAnswerFailsAndSaysWhatItWaitedFor() throws {
    let (oracle, message) = try failure(
      "local s = t:login {}\nfault.network.partition { may_miss = true }\ns:read { within = '2s' }")
    #expect(oracle == "liveness")
    let told = "a.lua:4: s:read { within = '2s' }\nexpected the end of read within 2s; nothing came"
    #expect(message.contains(told), "\(message)")
  }

  @Test func aCaseThatDoesNotEndIsEndedAndSaysWhereItStands() throws {
    let (oracle, message) = try failure("while true do sleep '1s' end", fields: "within = '1min',")
    #expect(oracle == "liveness")
    #expect(message.contains("expected the case to end within 60s of virtual time"), "\(message)")
    #expect(message.contains("a.lua:2: the end of a sleep"), "\(message)")
  }

  @Test func aFaultThatNeverStrikesIsReported() throws {
    let (oracle, message) = try failure("fault.disk.io_error {}\nt:login {}")
    #expect(oracle == "fault")
    #expect(message.contains("expected fault.disk.io_error to strike; it never did"))
    #expect(try play(body: "fault.disk.io_error { may_miss = true }\nt:login {}").outcome == .passed)
  }

  @Test func actorsTakeTurnsInVirtualTime() throws {
    let result = try play(
      body: """
        local order = ""
        together(function() sleep "2s" order = order .. "b" end, function() sleep "1s" order = order .. "a" end)
        local actor = spawn(function(x) sleep "1s" order = order .. x end, "c")
        actor:join()
        expect(order):equals("abc")
        expect(now()):equals(3.0)
        """)
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  @Test func anActorThatHasEndedKeepsNothing() throws {
    let result = try play(
      body: """
        for i = 1, 10000 do
          local text = ("x"):rep(32768) .. i
          together(function() return #text end)
        end
        """)
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  @Test func sleepsOfAPowerCutAndANewLogin() throws {
    let result = try play(
      body: """
        local s = t:login {}
        expect(s:write { lba = 0, blocks = 4, fua = true }):good()
        t:crash()
        local lost = s:read { lba = 0, blocks = 4, async = true }
        spawn(function() sleep "3s" t:restart() end)
        s:relogin { within = "20s" }
        expect(lost:wait {}):lost()
        expect(s:read { lba = 0, blocks = 4 }):good()
        expect(t:statistics().sessions):equals(1)
        """)
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  @Test(arguments: [
    ("t:logni {}", "a.lua:2: a target has no 'logni'; did you mean 'login'?"),
    ("t:login { nmae = 'x' }", "a.lua:2: login: unknown field 'nmae' (found string \"x\"); did you mean 'name'?"),
    ("t:login { host = 'b' }", "one of the initiators' hosts initiator"),
    (
      "t:login { host = 'target' }",
      "one of the initiators' hosts initiator (a target's host has one with initiator = true)"
    ),
    ("t:login { target = 'iqn.2026-11.example:nobody' }", "the target answered with status 0x0203, not found"),
    ("t:login {}:read { lba = 'x' }", "session:read.lba: expected a whole number from 0 to"),
    ("t:login {}:read { cdb = 11 }", "session:read.cdb: expected one of 10, 6, 12, 16, found number 11"),
    ("local r = t:login {}:read {} return r.stauts", "has no field 'stauts'; did you mean 'status'?"),
    ("pdu.login { cgs = 1 }", "pdu.login: unknown field 'cgs' (found number 1); did you mean 'csg'?"),
    ("pdu.login { csg = 4 }", "pdu.login.csg: expected a whole number from 0 to 3, found number 4"),
    ("cdb.read10 { lba = 1 << 32 }", "cdb.read10.lba: expected a whole number from 0 to 4294967295"),
    (
      "local s = t:login {} s.send('x')",
      "a.lua:2: session:send: expected a session before the colon, found string \"x\""
    ),
    ("t.login { name = 'iqn.x:a' }", "a.lua:2: target:login: expected a target before the colon, found a table"),
    ("expect(1):goood()", "an expectation has no field 'goood'; did you mean 'good'?; it has good, status"),
    ("t:connect():send(5)", "a.lua:2: connection:send: expected a PDU such as pdu.nop_out {}, found number 5"),
    (
      "t:login {}:receive { opcode = 'regect' }",
      "session:receive.opcode: expected an opcode's name, found \"regect\"; did"
    ),
    ("workload { on = 5 }", "a.lua:2: workload.on: expected a session, found number 5"),
    ("expect(t:login {}:test_unit_ready()):check_condition('ILLEGAL REQUST')", "did you mean 'ILLEGAL REQUEST'?"),
    ("sleep 'soon'", "sleep: expected a time such as \"200us\" or \"1.5s\", found string \"soon\""),
    (
      "('x'):gsub('x', function() sleep '1s' end)",
      "a.lua:2: the end of a sleep: cannot be waited for within a callback of a library function"
    ),
    (
      "fault.disk.io_error { lun = 7 }",
      "fault.disk.io_error.lun: expected a logical unit of iqn.2026-11.example:target: 0, found number 7"
    ),
    ("scenario { title = 'y', play = print }", "expected at the top of the file, not within play"),
  ])
  func aMistakeInACallSaysWhatItIs(body: String, expected: String) throws {
    let (_, message) = try failure(body)
    #expect(message.contains(expected), "\(message)")
  }

  @Test func rawPDUsGoOutAsTheyAreAndComeBackAsRecords() throws {
    let result = try play(
      body: """
        local c = t:connect {}
        local sent = c:send(pdu.login { csg = 1, nsg = 3, transit = true, isid = 0x800000000001,
          text = { "InitiatorName=iqn.2026-11.example:a", { "SessionType", "Discovery" } } }, { split_at = { 1, 48, 60 }, pause = "1ms" })
        expect(sent.itt):equals(0)
        local answer = expect(c:receive {}):pdu { opcode = "login response", status = 0, csg = 1, nsg = 3, transit = true }
        expect(answer.tsih):at_least(1)
        c:send(pdu.text { final = true, ttt = 0xFFFFFFFF, text = { SendTargets = "All" } })
        local text = expect(c:receive {}):pdu { opcode = "text response", text = { TargetName = t.iqn } }
        expect(text.itt):differs(0xFFFFFFFF)
        c:send(pdu.raw { opcode = 0x1C, itt = 7, byte1 = 0x80 })
        expect(c:receive {}):pdu { opcode = "reject", reason = { 4, 5, 9 } }
        expect(c:receive { within = "10ms" }):nothing()
        c:close { reset = true }
        expect(c:receive {}):closed("local")
        """)
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  /// And not until all is at rest behind it: that is no time of the case.
  @Test func aCaseTakesAsLongAsItsScript() throws {
    let result = try play(body: "t:login {}\nsleep '2s'")
    #expect(result.outcome == .passed && result.virtualTime / 1_000_000 == 2000, "\(result.virtualTime)")
  }

  @Test func theSameSeedPlaysTheSameAndAnotherDoesNot() throws {
    let text = """
      scenario { title = 'x', play = function(t)
        local s = t:login {}
        workload { on = s, ops = 50, depth = 4 }
        print(random.integer("a", 1, 1000000))
      end }
      """
    let (one, same, other) = (try play(text)[0], try play(text)[0], try play(text, seed: 2)[0])
    #expect(one.outcome == .passed, "\(one.failures)")
    #expect(one.traceHash == same.traceHash)
    #expect(one.traceHash != other.traceHash)
    // The folder differs from play to play.
    func drawn(_ result: CaseResult) -> Substring? { result.notes[0].split(separator: " ").last }
    #expect(drawn(one) == drawn(same))
    #expect(drawn(one) != drawn(other))
  }

  @Test func aWorldOfTheCaseIsBuilt() throws {
    let results = try play(
      """
      scenario {
        title = "x", matrix = { size = { 512, 4096 } },
        world = function(case)
          return { target { luns = { { size = "1MiB", block_size = case.size }, { lun = 9, null = true } } },
                   host { name = "a" }, host { name = "b" } }
        end,
        play = function(t, case)
          local a, b = t:login { host = "a" }, t:login { host = "b", name = "iqn.2026-11.example:b" }
          expect(a:capacity().block_size):equals(case.size)
          expect(a:capacity().blocks):equals((1 << 20) // case.size)
          expect(b:report_luns().luns[2]):equals(9)
          expect(a.host .. b.host):equals("ab")
        end,
      }
      """)
    #expect(results.map(\.outcome) == [.passed, .passed], "\(results.map(\.failures))")
  }

  @Test func aCaseMaySkipItself() throws {
    let result = try play(body: "skip('not today')")
    #expect(result.outcome == .skipped)
    #expect(result.reason == "not today")
  }
}
