import Testing

@testable import Conformance

/// What the Lua sandbox takes away, replaces and bounds.
@Suite struct SandboxTests {
  /// Runs a script whose results are returned, or whose failure's message is.
  private func run(
    _ text: String, limits: LuaState.Limits = LuaState.Limits(), define: (LuaState) -> Void = { _ in }
  ) throws -> Result<[String], LuaFailure> {
    let state = try #require(LuaState(limits: limits))
    define(state)
    let actor: LuaActor
    do throws(LuaFailure) { actor = try state.load(file: "test.lua", text: text) } catch { return .failure(error) }
    switch state.resume(actor) {
    case .finished(let values): return .success(values.map(\.plain))
    case .waiting: return .failure(LuaFailure("it waits"))
    case .failed(let failure, _): return .failure(failure)
    }
  }

  private func results(_ text: String) throws -> [String] { try run(text).get() }

  private func failure(_ text: String, limits: LuaState.Limits = LuaState.Limits()) throws -> String {
    guard case .failure(let failure) = try run(text, limits: limits) else { return "no failure" }
    return failure.message
  }

  @Test(arguments: [
    "os", "io", "package", "debug", "coroutine", "load", "loadstring", "dofile", "loadfile", "require",
    "collectgarbage", "math.random", "math.randomseed", "math.sin", "math.exp", "string.dump", "xpcall", "warn",
  ])
  func whatReachesOutsideOrDiffersFromRunToRunIsAbsent(name: String) throws {
    let parts = name.split(separator: ".")
    let text = parts.count == 1 ? "return \(name) == nil" : "return \(parts[0]).\(parts[1]) == nil"
    #expect(try results(text) == ["true"])
  }

  @Test func pairsVisitsNumbersThenStringsThenBooleans() throws {
    let text = """
      local t = { zebra = 1, apple = 2, [10] = 3, [2] = 4, [1.5] = 5, [true] = 6, [false] = 7, [-3] = 8 }
      local seen = {}
      for k in pairs(t) do seen[#seen + 1] = tostring(k) end
      return table.concat(seen, " ")
      """
    #expect(try results(text) == ["-3 1.5 2 10 apple zebra false true"])
  }

  @Test func nextFollowsTheSameOrderAndFindsAnEmptyTable() throws {
    #expect(
      try results("return next({}), (next({ b = 1, a = 2 })), next({ b = 1, a = 2 }, 'a')") == ["nil", "a", "b", "1"])
  }

  @Test func pairsMayRemoveWhileItVisits() throws {
    let text = """
      local t = { a = 1, b = 2, c = 3 }
      local seen = ""
      for k in pairs(t) do seen = seen .. k; t.b = nil; t.z = 9 end
      return seen
      """
    #expect(try results(text) == ["ac"])
  }

  @Test func aTableAsAKeyCannotBeVisited() throws {
    #expect(try failure("for k in pairs({ [{}] = 1 }) do end").contains("test.lua:1: a table with a table as a key"))
  }

  @Test func noAddressIsShown() throws {
    let text = """
      return tostring({}), tostring(print == nil and tostring or tostring), ("%s"):format({}), select(2, pcall(string.format, "%p", {}))
      """
    #expect(
      try results(text) == ["table", "function", "table", "string.format: '%p' would show an address"])
  }

  @Test func finalizersAndWeakTablesAreRefused() throws {
    #expect(try failure("setmetatable({}, { __gc = function() end })").contains("'__gc' is not allowed"))
    #expect(try failure("setmetatable({}, { __mode = 'k' })").contains("'__mode' is not allowed"))
  }

  @Test func sortIsStable() throws {
    let text = """
      local t = {}
      for i = 1, 200 do t[i] = { i % 7, i } end
      table.sort(t, function(a, b) return a[1] < b[1] end)
      for i = 2, #t do
        if t[i - 1][1] > t[i][1] or t[i - 1][1] == t[i][1] and t[i - 1][2] > t[i][2] then return "wrong at " .. i end
      end
      local words = { "b", "c", "a" }
      table.sort(words)
      return table.concat(words)
      """
    #expect(try results(text) == ["abc"])
  }

  @Test(arguments: [
    ("('hello world'):find('o w')", "5 7"), ("('hello'):match('^(h)(.-)o$')", "h ell"),
    ("('key = value'):match('^(%w+)%s*=%s*(%w+)$')", "key value"), ("('a.b'):find('.', 1, true)", "2 2"),
    ("('abc'):gsub('%w', '%0%0')", "aabbcc 3"), ("('abc'):gsub('', '-')", "-a-b-c- 4"),
    ("('hello'):gsub('l', { l = 'L' })", "heLLo 2"), ("('x(y(z))w'):match('%b()')", "(y(z))"),
    ("('THE (quick) fox'):find('%f[%a]%a+%f[%A]')", "1 3"), ("('aXb'):match('()X()')", "2 3"),
    ("('abab'):match('(ab)%1')", "ab"), ("('[]x]'):match('[]]')", "]"), ("('a-z'):match('[a%-z]+')", "a-z"),
    ("('ÄB'):match('%u')", "B"), ("('abc'):find('b', -1)", "nil"), ("('abc'):gsub('b', '%%')", "a%c 1"),
    ("('one two'):gsub('%a+', string.upper, 1)", "ONE two 1"),
  ])
  func patternsMeanWhatTheManualSays(expression: String, expected: String) throws {
    #expect(try results("return \(expression)").joined(separator: " ") == expected)
  }

  @Test func gmatchVisitsEachMatch() throws {
    let text =
      "local r = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do r[#r + 1] = k .. v end return table.concat(r)"
    #expect(try results(text) == ["a1b2"])
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      "while true do end", "('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30))", "while true do pcall(error) end",
      "local s = ('x'):rep(1 << 20) for i = 1, 1 << 40 do local t = s .. i end",
      "table.move({}, 1, 1 << 60, 2)",
      "table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 0)",
      "table.remove(setmetatable({}, { __len = function() return 1 << 60 end }), 1)",
      "local s, p = ('x'):rep(1 << 22), ('x'):rep(1 << 21) .. 'y' while true do s:find(p, 1, true) end",
      "('x'):rep(1 << 20):find('[' .. ('y'):rep(1 << 20) .. ']')",
      "local s = '%f[' .. ('y'):rep(1 << 20) .. ']x' while true do ('x'):find(s) end",
      "local t = {} for i = 1, 1 << 14 do t[i] = '' end while true do table.concat(t) end",
      "table.concat(setmetatable({}, { __index = table.concat }), '', 1, 1 << 62)",
      "local t = {} for i = 1, 1 << 14 do t[i] = i end while true do table.unpack(t) end",
      "local function f(...) while true do local n = select('#', ...) end end f((' '):rep(1 << 14):byte(1, -1))",
      "local s = ('x'):rep(1 << 14) while true do s:byte(1, -1) end",
      "local s = ('x'):rep(1 << 14) while true do utf8.codepoint(s, 1, -1) end",
      "local s = ('x'):rep(1 << 22) while true do utf8.len(s) end",
      "local s = ('x'):rep(1 << 22) while true do utf8.offset(s, -1 << 21) end",
      "local s = ('x'):rep(1 << 22) while true do utf8.offset(s, 1 << 23) end",
      "local s = 'x' .. ('\\x80'):rep(1 << 22) while true do pcall(function() for _ in utf8.codes(s) do end end) end",
      "local s = ('1'):rep(1 << 20) while true do tonumber(s) end",
      "local s = ('b'):rep(1 << 22) while true do string.packsize(s) end",
    ])
  func whatDoesNotEndIsEnded(text: String) throws {
    let limits = LuaState.Limits(memory: 16 << 20, instructions: 2_000_000)
    #expect(
      try failure(text, limits: limits) == "test.lua:1: the script runs on and on: more than 2000000 instructions")
  }

  /// What is charged for a part is looked at as Lua looks at it.
  @Test(arguments: [
    ("('abc'):byte()", "97"), ("('abc'):byte(-1)", "99"), ("('abc'):byte(2, -1)", "98 99"), ("('abc'):byte(9)", ""),
    ("('abc'):byte(math.mininteger, math.maxinteger)", "97 98 99"), ("utf8.codepoint('äb', 1, -1)", "228 98"),
    ("utf8.len('äb')", "2"), ("utf8.len('äb', 3)", "1"), ("utf8.len('\\xFF')", "nil 1"), ("utf8.offset('äb', 2)", "3"),
    ("utf8.offset('äb', -1)", "3"), ("utf8.offset('äb', 9)", "nil"), ("utf8.offset('äb', 0, 2)", "1"),
    ("table.concat({ 1, 2, 3 }, '-', 2)", "2-3"), ("table.concat({})", ""), ("table.concat({ 1, 2 }, nil, 2, 1)", ""),
    ("table.unpack({ 1, 2, 3 }, 2)", "2 3"), ("table.unpack({ 1, 2 }, 1, 3)", "1 2 nil"), ("tonumber('10', 2)", "2"),
    ("tonumber(2 ^ 53)", "9007199254740992.0"), ("tonumber(true)", "nil"), ("string.unpack('<I2', '\\1\\2')", "513 3"),
    ("pcall(table.unpack, {}, 1, 1 << 40)", "false too many results to unpack"),
  ])
  func partsAreWhatTheManualSays(expression: String, expected: String) throws {
    #expect(try results("return \(expression)").joined(separator: " ") == expected)
  }

  /// A string costs what it is long, and a table what can be reached in it.
  @Test(arguments: [
    "local s = ('x'):rep(1 << 20) while true do take(s) end",
    "local t = {} for _ = 1, 12 do t = { t, t } end while true do take(t) end",
  ])
  func whatIsHandedOverForEverIsEnded(text: String) throws {
    var calls = 0
    let outcome = try run(text, limits: LuaState.Limits(memory: 16 << 20, instructions: 200_000)) { state in
      state.define("take") { call throws(LuaFailure) in
        calls += 1
        if calls == 1000 { throw LuaFailure("it goes on and on", stops: true) }
        return .nothing
      }
    }
    guard case .failure(let failure) = outcome else { throw LuaFailure("it has ended") }
    #expect(failure.message.contains("more than 200000 instructions"))
  }

  @Test func manyCopiesOfNothingAreNothing() throws {
    #expect(try results("return #(''):rep(1 << 62), #(''):rep(1 << 62, '')") == ["0", "0"])
  }

  @Test(arguments: [
    ("{ 1, 2, 3 }", "insert(t, 2, 9)", "1 9 2 3"), ("{ 1 }", "insert(t, 2, 9)", "1 9"), ("{}", "insert(t, 5)", "5"),
    ("{ 1, 2, 3 }", "remove(t, 1)", "2 3"), ("{ 1, 2, 3 }", "remove(t)", "1 2"), ("{ 1 }", "remove(t, 2)", "1"),
    ("{}", "remove(t, 0)", ""), ("{ 1, 2, 3 }", "move(t, 2, 3, 1)", "2 3 3"),
    ("{}", "insert(t, 3, 9)", "test.lua:1: bad argument #2 to 'insert' (position out of bounds)"),
    ("{}", "insert(t, 0, 9)", "test.lua:1: bad argument #2 to 'insert' (position out of bounds)"),
    ("{ 1 }", "remove(t, 4)", "test.lua:1: bad argument #2 to 'remove' (position out of bounds)"),
    ("{}", "insert(t, 1, 2, 3)", "test.lua:1: wrong number of arguments to 'insert'"),
    ("nil", "move(t, 1, 2, 3)", "test.lua:1: bad argument #1 to 'move' (table expected, got nil)"),
  ])
  func tablesAreChangedAsTheManualSays(table: String, call: String, expected: String) throws {
    switch try run("local t = \(table) table.\(call) return table.concat(t, ' ')") {
    case .success(let values): #expect(values == [expected])
    case .failure(let failure): #expect(failure.message == expected)
    }
  }

  @Test(arguments: [
    "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end", "return ('x'):rep(1 << 40)",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} while true do pcall(function() while true do t[#t + 1] = { #t } end end) end",
  ])
  func memoryIsBounded(text: String) throws {
    let limits = LuaState.Limits(memory: 4 << 20, instructions: 100_000_000)
    let message = try failure("\n" + text, limits: limits)
    let isRepetition = text.hasPrefix("return ('x'):rep")
    #expect(
      message == "test.lua:2: "
        + (isRepetition
          ? "string.rep: the result is larger than a script's memory (4194304 bytes)"
          : "the script needs more than the 4 MiB of memory that it may have"))
  }

  @Test func deepRecursionIsAnError() throws {
    #expect(try failure("local function f() return 1 + f() end f()").contains("stack overflow"))
  }

  @Test func anErrorNamesFileAndLine() throws {
    #expect(try failure("\n\nlocal x = nil\nreturn x.y") == "test.lua:4: attempt to index a nil value (local 'x')")
    #expect(try failure("local x = = 1") == "test.lua:1: unexpected symbol near '='")
    #expect(try failure("\nassert(1 == 2)") == "test.lua:2: the assertion does not hold")
    #expect(
      try failure("\nreturn string.format('%d', 'x')")
        == "test.lua:2: bad argument #2 to 'format' (number expected, got string)")
  }

  @Test func bytecodeIsRefused() throws {
    #expect(try failure("\u{1B}Lua").contains("attempt to load a binary chunk"))
  }

  // MARK: The border

  @Test func aHostFunctionReturnsRaisesAndStops() throws {
    func define(_ state: LuaState) {
      state.define("host.echo") { call throws(LuaFailure) in .results(call.arguments) }
      state.define("host.fail") { call throws(LuaFailure) in throw LuaFailure("no such thing") }
      state.define("host.stop") { call throws(LuaFailure) in throw LuaFailure("the end", stops: true) }
    }
    let echoed = try run("return host.echo(1, 2.5, 'x\\0y', true, nil, { 1, 2, a = { b = 3 } })", define: define).get()
    #expect(echoed == ["1", "2.5", "x\0y", "true", "nil", "{ 1, 2, a = { b = 3 } }"])
    let caught = try run("return pcall(function()\n host.fail()\nend)", define: define).get()
    #expect(caught == ["false", "test.lua:2: no such thing"])
    guard case .failure(let failure) = try run("return pcall(function()\n host.stop()\nend)", define: define) else {
      Issue.record("pcall caught what ends the scenario")
      return
    }
    #expect(failure.message == "test.lua:2: the end")
  }

  @Test func anActorWaitsAndGoesOn() throws {
    let state = try #require(LuaState())
    state.define("wait") { call throws(LuaFailure) in .wait }
    let text = "local a = wait()\nlocal ok, why = pcall(wait)\nreturn a, ok, why, (pcall(wait))"
    let actor = try state.load(file: "test.lua", text: text)
    guard case .waiting = state.resume(actor) else { throw LuaFailure("it does not wait") }
    #expect(state.location(of: actor) == SourceLocation(file: "test.lua", line: 1))
    guard case .waiting = state.resume(actor, [.integer(7)]) else { throw LuaFailure("it does not wait") }
    guard case .waiting = state.resume(actor, failing: LuaFailure("too late")) else { throw LuaFailure("no wait") }
    guard case .finished(let values) = state.resume(actor, [.integer(8)]) else { throw LuaFailure("it does not end") }
    #expect(values.map(\.plain) == ["7", "false", "test.lua:2: too late", "true"])
    guard case .failed = state.resume(actor) else { throw LuaFailure("an actor that has ended went on") }
  }

  @Test func objectsHaveMethodsAndRefuseChanges() throws {
    func define(_ state: LuaState) {
      state.define(kind: .session) { call throws(LuaFailure) in .result(.text("field \(call[1].plain)")) }
      state.define(kind: .result) { call throws(LuaFailure) in throw LuaFailure("no field \(call[1].plain)") }
      state.define(method: "name", of: .session) { call throws(LuaFailure) in .result(call[0]) }
      state.define("open") { call throws(LuaFailure) in .result(.handle(.session, 5)) }
      state.define("answer") { call throws(LuaFailure) in
        .result(.table(LuaTable(kind: .result, fields: [("status", .integer(0))])))
      }
    }
    #expect(
      try run(
        """
        local s, r = open(), answer()
        return s:name() == s, s.colour, tostring(s), r.status, select(2, pcall(function() return r.stauts end)),
          select(2, pcall(function() s.x = 1 end)), getmetatable(s)
        """, define: define
      ).get() == [
        "true", "field colour", "session 5", "0", "test.lua:2: no field stauts",
        "test.lua:3: a session 5 cannot be changed (field 'x')", "nil",
      ])
  }

  @Test func aTableThatHoldsItselfIsRefused() throws {
    let state = try #require(LuaState())
    state.define("take") { call throws(LuaFailure) in .nothing }
    let actor = try state.load(file: "test.lua", text: "local t = {} t.t = t take(t)")
    guard case .failed(let failure, let traceback) = state.resume(actor) else { throw LuaFailure("taken") }
    #expect(failure.message.contains("nested more than 32 deep"))
    #expect(traceback.contains("test.lua:1"))
  }

  @Test func theSameScriptUsesTheSameInstructions() throws {
    let text =
      "local t = {} for i = 1, 5000 do t['k' .. i] = i end local n = 0 for k, v in pairs(t) do n = n + v end return n"
    let left = try (0..<2).map { _ in
      let state = try #require(LuaState())
      _ = state.resume(try state.load(file: "test.lua", text: text))
      return state.instructionsLeft
    }
    #expect(left[0] == left[1])
  }
}
