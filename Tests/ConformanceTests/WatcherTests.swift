import Testing

@testable import Conformance

/// What watches a case all along: each of them finds what it is there for.
@Suite struct WatcherTests: Playing {
  /// The initiator takes the first answer for one to its second request.
  private let breaksARule = """
    local c = t:connect()
    c:send(pdu.login { csg = 0, nsg = 1, transit = true,
      text = { InitiatorName = "iqn.2026-11.example:a", TargetName = t.iqn, AuthMethod = "None" } })
    c:send(pdu.login { csg = 1, nsg = 3, transit = true })
    c:receive {}

    """

  @Test func aRuleThatIsBrokenFailsTheCaseUnlessItExpectsThat() throws {
    let (oracle, message) = try failure(breaksARule)
    #expect(oracle == "protocol")
    #expect(message.contains("the target broke a rule (login stage, RFC 7143 §6.3): CSG 0 to 1"), "\(message)")
    #expect(try play(body: breaksARule, fields: "expects_violations = true,").outcome == .passed)
  }

  @Test func aBlockThatIsNotWhatWasWrittenFailsTheCase() throws {
    let (oracle, message) = try failure(
      """
      local s = t:login {}
      expect(s:write { lba = 0, blocks = 128 }):good()
      fault.network.bit_flip { between = { "target", "initiator" }, one_way = true, next = 1 }
      s:read { lba = 0, blocks = 128 }
      """)
    #expect(oracle == "durability")
    #expect(message.contains("which no write has put there"), "\(message)")
  }

  /// A digest that does not match is the way's fault only as often as a bit was inverted there.
  @Test func aWrongDigestIsForgivenWhereABitWasFlipped() throws {
    let body = """
      local s = t:login { keys = { DataDigest = "CRC32C" } }
      expect(s:write { lba = 0, blocks = 128 }):good()
      fault.network.bit_flip { between = { "target", "initiator" }, one_way = true, next = 1 }
      expect(s:read { lba = 0, blocks = 128 }):lost()
      """
    #expect(try play(body: body).outcome == .passed)
  }

  @Test func whatIsNotGivenBackFailsTheCase() throws {
    let (oracle, message) = try failure("t:login {}\nt:pause()")
    #expect(oracle == "resources")
    #expect(message.contains("expected the target on target to have given everything back 120s after"), "\(message)")
    #expect(message.contains("came: 1 connections, 1 sessions, 0 tasks"), "\(message)")
  }

  /// Of sixteen writes that nobody flushed some are lost.
  @Test func aPowerCutTakesWhatWasCached() throws {
    let body = """
      local s = t:login {}
      local data, lost = {}, 0
      for n = 1, 16 do
        data[n] = random.bytes("data", 4096)
        expect(s:write { lba = 8 * n, data = data[n] }):good()
      end
      CUT
      t:restart()
      s:relogin {}
      for n = 1, 16 do
        if s:read { lba = 8 * n, blocks = 8 }.data ~= data[n] then lost = lost + 1 end
      end
      expect(lost > 0):equals(LOST)
      """
    for (cut, isLost) in [("t:crash()", "true"), ("t:kill()", "false")] {
      let result = try play(
        body: body.replacing("CUT", with: cut).replacing("LOST", with: isLost))
      #expect(result.outcome == .passed, "\(cut): \(result.failures)")
    }
  }

  @Test func aConnectionThatDoesNotStayOpenIsToldAsSuch() throws {
    let (oracle, message) = try failure("expect(t:connect {}):stays_open { for_ = '20s' }")
    #expect(oracle == "expectation")
    #expect(message.contains("expected the connection to stay open for 20s\ncame: closed"), "\(message)")
    #expect(try play(body: "expect(t:connect {}):stays_open { for_ = '5s' }").outcome == .passed)
  }

  @Test func aRequestThatTheCommandWindowHoldsBackIsToldAsSuch() throws {
    let world = "world = { target { luns = { {} }, limits = { command_window = 1 } } },"
    let (oracle, message) = try failure(
      """
      local s = t:login {}
      fault.disk.stuck { of = { "read" } }
      s:read { async = true }
      s:test_unit_ready { within = "1s" }
      """, fields: world)
    #expect(oracle == "liveness")
    let reason = "nothing came\nit was not sent: the target takes commands up to MaxCmdSN 3, "
    #expect(message.contains(reason), "\(message)")
    #expect(message.contains("and the next has CmdSN 4"), "\(message)")
  }

  @Test(arguments: [
    ("fault.disk.io_error { of = { 'write' }, times = 1 }", "expected GOOD from write of"),
    ("s:task_management { ['function'] = 'abort task set', async = true }", "came aborted"),
  ])
  func aWorkloadWantsGoodUnlessItToleratesOthers(trouble: String, expected: String) throws {
    func body(_ field: String) -> String {
      """
      local s = t:login {}
      local done
      together(function() done = workload { on = s, ops = 200, depth = 16, mix = { write = 100 }, \(field) } end,
        function() sleep "500us" \(trouble) end)
      expect(done.errors):at_least(1)
      """
    }
    let message = try failure(body("")).message
    #expect(message.contains(expected), "\(message)")
    let result = try play(body: body("tolerate_errors = true"))
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  @Test func aFaultBeginsWhenItIsToAndStrikesWhereItIsTo() throws {
    let result = try play(
      body: """
        local s = t:login {}
        fault.disk.io_error { of = "read", after = "1s", for_ = "1s" }
        for _, sense in ipairs { false, "MEDIUM ERROR", false } do
          local read = s:read {}
          if sense then expect(read):check_condition(sense) else expect(read):good() end
          sleep "1s"
        end
        local before = t:statistics().commands
        fault.network.partition { between = { "target", "initiator" }, one_way = true, for_ = "1s" }
        local ready = s:test_unit_ready { async = true }
        sleep "10ms"
        expect(t:statistics().commands):equals(before + 1)
        expect(ready.ended):equals(false)
        expect(ready:wait()):good()
        """)
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  /// Such a write takes the time of the medium.
  @Test func soManyWritesOfAWorkloadHaveFUAAsItSays() throws {
    let result = try play(
      body: """
        local s = t:login {}
        for fua, least in pairs { [0] = 0, [50] = 0.1, [100] = 0.3 } do
          local start = now()
          workload { on = s, ops = 30, depth = 1, mix = { write = 1 }, fua = fua }
          local took = now() - start
          expect(took >= least and took < least + 0.15):holds(fua .. " percent took " .. took)
        end
        """, fields: "world = { target { luns = { { disk = { latency = '10ms', jitter = '0s' } } } } },")
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  /// The last byte of the LBA, the LUN, and a bit of each on the way.
  @Test(arguments: [
    ("set = { byte37 = 9 }", "lba = 9"), ("set = { lun = 1 }", "lun = 1, lba = 0"), ("flip = { [37] = 9 }", "lba = 9"),
    ("flip = { [9] = 1 }", "lun = 1, lba = 0"),
  ])
  func whereACommandWasToWriteNobodyElseIsBlamed(change: String, place: String) throws {
    let result = try play(
      body: """
        local s = t:login {}
        expect(s:write { lba = 0, data = ("a"):rep(512) }):good()
        s:test_unit_ready { lun = 1 }
        expect(s:write { lba = 0, data = ("b"):rep(512), \(change) }):good()
        expect(s:read { lba = 0 }.data):equals(("a"):rep(512))
        expect(s:read { \(place) }.data):equals(("b"):rep(512))
        """, fields: "world = { target { luns = { {}, {} } } },")
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  @Test(arguments: [
    "check_condition('ILLEGAL REQUEST', 'INVALID FIELD IN CDB')", "check_condition('MEDIUM ERROR')",
    "check_condition('MEDIUM ERROR', 0x2100)",
  ])
  func keyAndAdditionalSenseAreBothCompared(expectation: String) throws {
    let body = "local s = t:login {}\nlocal r = s:read { lba = s:capacity().last_lba + 1 }\n"
    #expect(try play(body: body + "expect(r):check_condition('ILLEGAL REQUEST', 0x2100)").outcome == .passed)
    #expect(try failure(body + "expect(r):\(expectation)").oracle == "expectation")
  }
}
