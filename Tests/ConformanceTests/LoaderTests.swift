import Ring
import Testing

@testable import Conformance

/// What a scenario file may say, and how its mistakes are reported.
@Suite struct LoaderTests {
  private func mistake(_ text: String) -> String {
    do throws(FileMistake) {
      _ = try Script(file: "a.lua", text: text)
      return "no mistake"
    } catch { return error.message }
  }

  @Test func aFileDeclaresScenarios() throws {
    let script = try Script(
      file: "a.lua",
      text: """
        scenario { title = "One", covers = { "ISCSI-PDU-001" }, play = function(t) end }
        scenario {
          title = "Two", needs = { "sim-net" },
          world = { target { iqn = "iqn.2026-11.example:disk", luns = { { size = "8MiB", cache = "write-through" } } },
                    link { between = { "a", "target" }, latency = "200us", bandwidth = "1Gbit/s", burst = "64KiB" },
                    host { name = "a", work = { step = "1us", one_core = true }, initiator = true,
                           acknowledgement_delay = "40ms" } },
          play = function(t) end,
        }
        """)
    #expect(script.scenarios.map(\.title) == ["One", "Two"])
    #expect(script.scenarios[0].covers == ["ISCSI-PDU-001"])
    #expect(script.scenarios.map(\.location.line) == [1, 2])
    guard case .fixed(let world) = script.scenarios[1].world else { throw LuaFailure("no world") }
    #expect(world.targets[0].units[0].size == 8 << 20)
    #expect(!world.targets[0].units[0].isWriteBack)
    #expect(world.links[0].latency == .microseconds(200))
    #expect(world.links[0].bandwidth == 1_000_000_000)
    #expect(world.links[0].burst == 65536)
    #expect(world.hosts[0].networkWork.oneCore)
    #expect(world.hosts[0].hasInitiator)
    #expect(world.hosts[0].acknowledgementDelay == .milliseconds(40))
    #expect(world.hostNames == ["target", "a"])
    #expect(script.scenarios[1].needs == [.simNet, .configuration])
  }

  @Test(arguments: [
    (
      "scenario {\n  titel = 'x',\n  play = function() end }",
      "a.lua:2: scenario: unknown field 'titel' (found string \"x\"); did you mean 'title'?"
    ),
    (
      "scenario {\n  title = 'x',\n  -- plya = 1\n  s = [[\n plya = 1]],\n  plya = 5,\n  play = function() end }",
      "a.lua:6: scenario: unknown field 'plya' (found number 5); did you mean 'play'?; expected: title, covers"
    ),
    ("scenario {\n  title = 5 }", "a.lua:2: scenario.title: expected a string, found number 5"),
    ("scenario { title = 'x' }", "a.lua:1: scenario.play: expected a function that plays the scenario"),
    ("scenario 'x'", "a.lua:1: scenario: expected a table of named fields, found string \"x\""),
    ("error({})", "a.lua: the script raised a table as an error"),
    ("error(setmetatable({}, { __tostring = function() return 'no disk' end }))", "a.lua: no disk"),
    (
      "target {\n  luns = {\n    { size = '64 MiB' },\n    { size = '64MiX' } } }",
      "a.lua:4: target.luns[2].size: expected a size such as \"64MiB\", or a number of bytes, found string \"64MiX\""
    ),
    (
      "target { luns = { { cache = 'write-bakc' } } }",
      "expected one of \"write-back\", \"write-through\", found string \"write-bakc\"; did you mean 'write-back'?"
    ),
    (
      "local disk = { size = 5 }\ntarget {\n  luns = { { size = '1MiB' },\n    disk } }",
      "a.lua:4: target.luns[2].size: expected a multiple of the block size"
    ),
    (
      "target {\n  luns = { { memory = true } },\n  limits = { login_timeout = #{ memory = 2 },\n    memory = 5 } }",
      "a.lua:4: target.limits.memory: expected a size from 1MiB to 1TiB"
    ),
    (
      "target { limits = { ping_interval = 0 } }",
      "a.lua:1: target.limits.ping_interval: expected a time such as \"200us\" or \"1.5s\", at least 1ms, found number 0"
    ),
    (
      "host { name = 'a', send_buffer = '1PiB' }",
      "a.lua:1: host.send_buffer: expected a size from 1B to 1GiB, found string \"1PiB\""
    ),
    ("host { name = 'a', receive_buffer = 0 }", "host.receive_buffer: expected a size from 1B to 1GiB, found number 0"),
    (
      "link { between = { 'a', 'b' }, bandwidth = '0bit/s' }",
      "link.bandwidth: expected a rate above 0 such as \"1Gbit/s\" or \"100MB/s\", found string \"0bit/s\""
    ),
    ("link { between = { 'a', 'b' }, queue = '2GiB' }", "link.queue: expected a size from 0B to 1GiB, found string"),
    ("target { iqn = 'disk' }", "expected an iSCSI name such as"),
    (
      "target { iqn = 'iqn.2026-11.example:disk_1' }",
      "of ASCII letters, digits, '-', '.' and ':' and up to 223 bytes, eui. with 16 hexadecimal digits, or naa. with 16 or "
        + "32 (RFC 7143 §4.2.7), found string \"iqn.2026-11.example:disk_1\""
    ),
    ("target { alias = '' }", "target.alias: expected 1 to 255 bytes, none of them zero, found string \"\""),
    ("target { alias = 'a\\0b' }", "target.alias: expected 1 to 255 bytes, none of them zero, found string"),
    ("target { alias = ('x'):rep(256) }", "target.alias: expected 1 to 255 bytes, none of them zero, found string"),
    (
      "target { initiators = { 'iqn.2026-11.example:a', 'eui.5' } }",
      "target.initiators: expected an iSCSI name such as"
    ),
    ("target { keys = { MaxOutstandingR2T = 65 } }", "expected a whole number from 1 to 64, found number 65"),
    ("target { luns = { { file = 'x', null = true } } }", "expected one of file, memory, null; found 2 of them"),
    ("target { luns = { { lun = 1 }, { lun = 1 } } }", "expected a LUN of its own, found a second 1"),
    ("target { luns = { { size = 1000 } } }", "a multiple of the block size of 512 bytes"),
    ("target { luns = { { disk = { atomic_unit = 700 } } } }", "disk.atomic_unit: expected a multiple of 512 bytes"),
    (
      "target { luns = { { size = '8388607TiB' } } }",
      "target.luns[1].size: expected less than 4194304TiB, found string \"8388607TiB\""
    ),
    ("link { between = { 'a' } }", "a.lua:1: link.between: expected two host names"),
    (
      "host { name = 'a', work = { wake = '2s' } }",
      "a.lua:1: host.work.wake: expected a time of at most 1s, found string \"2s\""
    ),
    (
      "host { name = 'a', work = { wkae = '2us' } }",
      "host.work: unknown field 'wkae' (found string \"2us\"); did you mean 'wake'?"
    ),
    ("host { name = 'a', work = 5 }", "host.work: expected a table of named fields, found number 5"),
    ("link { between = { 'a', 'b' }, loss = '3/2' }", "a ratio such as \"1/1000\", found string \"3/2\""),
    ("scenario { title = 'x', needs = { 'sim-nte' }, play = print }", "found \"sim-nte\"; did you mean 'sim-net'?"),
    (
      "scenario { title = 'x', matrix = { a = 5 }, play = print }",
      "scenario.matrix.a: expected a list of values, found number 5"
    ),
    ("scenario { title = 'x', matrix = { a = {} }, play = print }", "expected a list of values, found an empty table"),
    ("scenario { title = 'x', matrix = { a = { 1, 1 } }, play = print }", "found \"1\" twice"),
    (
      "scenario { title = 'x', world = { 5 }, play = print }",
      "scenario.world[1]: expected target { … }, host { … } or link"
    ),
    (
      "target { luns = {\n [0] = { size = '1MiB' }, [1] = { size = '2MiB' } } }",
      "a.lua:1: target.luns: expected a list, its values under 1, 2, 3 … without a gap; found one under number 0 "
        + "(the number of a logical unit is said within its table: lun = 0)"
    ),
    ("target { luns = { { size = '1MiB' }, nil, { size = '2MiB' } } }", "target.luns: expected a list"),
    ("target { luns = { { size = '1MiB' }, one = {} } }", "without a gap; found one under string \"one\""),
    ("target { portals = { '10.0.0.1', [3] = '10.0.0.2' } }", "target.portals: expected a list"),
    (
      "scenario { title = 'x', matrix = { a = { 1, nil, 2 } }, play = print }",
      "scenario.matrix.a: expected a list, its values under 1, 2, 3 … without a gap; found one under number 3"
    ),
    ("scenario { title = 'x', matrix = { a = { [0] = 1, 2 } }, play = print }", "found one under number 0"),
    (
      "scenario { title = 'x', matrix = { a = { 1 }, [2] = { 1, 2 } }, play = print }",
      "scenario.matrix: expected a name for each list such as cdb = { 10, 12, 16 }, found one under number 2"
    ),
    (
      "scenario { title = 'x', world = { [0] = target {}, target {} }, play = print }",
      "scenario.world: expected a list"
    ),
    ("scenaroi { title = 'x' }", "a.lua:1: attempt to call a nil value (global 'scenaroi'); did you mean 'scenario'?"),
    ("fault.disk.ful {}", "a.lua:1: fault.disk has no 'ful'; did you mean 'full'?; it has io_error, slow, stuck"),
    ("fault.netwrok.loss {}", "fault has no 'netwrok'; did you mean 'network'?; it has network, disk, process, clock"),
    ("return pdu.nop_ou {}", "pdu has no 'nop_ou'; did you mean 'nop_out'?"),
    ("scenario { title = 'x', play = function() end,", "a.lua:1: unexpected symbol near <eof>"),
  ])
  func aMistakeNamesItsPlaceWhatWasFoundAndWhatWasExpected(text: String, expected: String) {
    let found = mistake(text)
    #expect(found.contains(expected), "\(found)")
  }

  @Test func aFileIsUTF8WithOrWithoutAMark() throws {
    let plain = Array("print 'ä'\n".utf8)
    #expect(try Script.text(of: plain, file: "a.lua") == "print 'ä'\n")
    #expect(try Script.text(of: [0xEF, 0xBB, 0xBF] + plain, file: "a.lua") == "print 'ä'\n")
    #expect(try Script.text(of: [], file: "a.lua").isEmpty)
    for bytes in [[0xE9], [0xC3], [0xED, 0xA0, 0x80]] as [[UInt8]] {
      do throws(FileMistake) {
        _ = try Script.text(of: plain + bytes, file: "a.lua")
        Issue.record("\(bytes) were taken")
      } catch { #expect(error.message.hasPrefix("a.lua:2: expected UTF-8, found another byte")) }
    }
  }

  @Test func aWorldOfItsOwnIsAConfigurationHoweverItIsDescribed() throws {
    let script = try Script(
      file: "a.lua",
      text: """
        scenario { title = "1", world = { target {} }, play = print }
        scenario { title = "2", world = function(case) return { target {} } end, play = print }
        scenario { title = "3", needs = { "cfg" }, world = function(case) return { target {} } end, play = print }
        scenario { title = "4", play = print }
        """)
    #expect(script.scenarios.map(\.needs) == [[.configuration], [.configuration], [.configuration], []])
  }

  @Test func aMatrixIsExpandedInAStableOrder() throws {
    let script = try Script(
      file: "/somewhere/scenarios/sbc/a.lua",
      text: """
        scenario { title = "T", matrix = { past = { 1, 255 }, cdb = { 10, 16 }, how = { { label = "x", n = 1 } } },
          play = function(t, case) end }
        """)
    let cases = Case.expand(script.scenarios[0], file: script.file)
    #expect(
      cases.map(\.id) == [
        "scenarios/sbc/a.lua: T [cdb=10 how=x past=1]", "scenarios/sbc/a.lua: T [cdb=10 how=x past=255]",
        "scenarios/sbc/a.lua: T [cdb=16 how=x past=1]", "scenarios/sbc/a.lua: T [cdb=16 how=x past=255]",
      ])
    #expect(Set(cases.map { $0.seed(from: 1) }).count == 4)
    #expect(cases[0].seed(from: 1) != cases[0].seed(from: 2))
    // Pinned: a change would give every recorded failure another seed.
    #expect(cases[0].seed(from: 1) == 2_064_710_946_452_166_097)
  }

  @Test func theNameOfACaseCanBeTyped() throws {
    let script = try Script(
      file: "a.lua",
      text: #"scenario { title = "T", matrix = { text = { "a=b\0", "\27[31mred", "two\nlines", "é" } }, play = print }"#
    )
    let names = Case.expand(script.scenarios[0], file: script.file).map(\.name)
    #expect(names == [#"T [text=a=b\0]"#, #"T [text=\27[31mred]"#, #"T [text=two\10lines]"#, "T [text=é]"])
  }

  @Test func tooManyCombinationsAreRefused() {
    let text = """
      local many = {}
      for i = 1, 200 do many[i] = i end
      scenario { title = "x", matrix = { a = many, b = many }, play = print }
      """
    #expect(mistake(text).contains("scenario.matrix: expected 20000 combinations at most, found more"))
  }

  /// Each case has them in its name, and the file is loaded for each.
  @Test(arguments: [
    (
      "scenario { title = ('x'):rep(501), play = print }",
      "a.lua:1: scenario.title: expected a sentence of at most 500 bytes, found string \"xxx"
    ),
    (
      "local m = {} for i = 1, 33 do m['a' .. i] = { 1 } end scenario { title = 'x', matrix = m, play = print }",
      "a.lua:1: scenario.matrix: expected at most 32 lists, found 33"
    ),
    (
      "scenario { title = 'x', matrix = { [('x'):rep(61)] = { 1 } }, play = print }",
      "a.lua:1: scenario.matrix: expected names of at most 60 bytes, found string \"xxx"
    ),
    (
      "local l = {} for i = 1, 6000 do l[i] = i end\n"
        + "for i = 1, 4 do scenario { title = 'x' .. i, matrix = { a = l }, play = print } end",
      "a.lua:2: scenario: expected at most 20000 cases in one file, found more; make several files of it"
    ),
    (
      "local function l(n) return { label = ('x'):rep(n << 20) } end\n"
        + "scenario { title = 'x', matrix = { a = { l(1), l(2) } }, play = print }",
      "found \"\(String(repeating: "x", count: 59))…\" twice"
    ),
  ])
  func whatACaseTakesIsBounded(text: String, expected: String) {
    let found = mistake(text)
    #expect(found.contains(expected), "\(found)")
  }

  @Test(arguments: [
    (
      "for i = 1, 5000 do\nhost { name = 'a' } end",
      "a.lua:2: expected at most 4096 targets, hosts and links in one file, found more"
    ),
    (
      "local l, w = link { between = { 'a', 'b' } }, {} for i = 1, 5000 do w[i] = l end\n"
        + "scenario { title = 'x', world = w, play = print }",
      "a.lua:2: scenario.world: expected at most 4096 targets, hosts and links, found 5000"
    ),
    (
      "local l = {} for i = 1, 16384 do l[i] = { size = 512 } end for i = 1, 5 do\ntarget { luns = l } end",
      "a.lua:2: target: expected at most 65536 logical units in one file, found more"
    ),
    (
      "local p = {} for i = 1, 257 do p[i] = '10.0.0.1:' .. i end target { portals = p }",
      "a.lua:1: target.portals: expected at most 256 addresses, found number 257"
    ),
  ])
  func whatAWorldTakesIsBounded(text: String, expected: String) {
    let found = mistake(text)
    #expect(found.contains(expected), "\(found)")
  }

  @Test func namesAreKeptInTheFormInWhichTheyAreCompared() throws {
    let world = try Script(
      file: "a.lua",
      text: """
        target { iqn = "iqn.2026-11.example:Disk", initiators = { "iqn.1991-05.com.microsoft:WIN-7" } }
        target { iqn = "eui.02004567A425678D" }
        """
    ).world
    #expect(world.targets.map(\.iqn) == ["iqn.2026-11.example:disk", "eui.02004567a425678d"])
    #expect(world.targets[0].initiators == ["iqn.1991-05.com.microsoft:win-7"])
  }

  /// What targets of one program say of a limit holds for all of them: the first that says something.
  @Test func everyKeyAndLimitOfATargetReachesItsProgram() throws {
    let world = try Script(
      file: "a.lua",
      text: """
        target {
          iqn = "iqn.2026-11.example:a",
          keys = { MaxRecvDataSegmentLength = 1024, MaxBurstLength = 2048, FirstBurstLength = 1536, MaxOutstandingR2T = 3,
            InitialR2T = "No", ImmediateData = "No", crc32c = false },
          limits = { command_window = 5, connections = 6, pending_logins = 7, login_timeout = "8s", ping_interval = "9s",
            ping_timeout = "10s" },
        }
        target { iqn = "iqn.2026-11.example:b", limits = { command_window = 50, tasks = 11 } }
        """
    ).world
    let limits = TargetBuilder.limits(world.targets)
    #expect(limits.maxRecvDataSegmentLength == 1024 && limits.maxBurstLength == 2048)
    #expect(limits.firstBurstLength == 1536 && limits.maxOutstandingR2T == 3)
    #expect(!limits.initialR2T && !limits.immediateData && !limits.offersCRC32C)
    #expect(limits.commandWindow == 5 && limits.connectionsMax == 6 && limits.pendingLoginsMax == 7)
    #expect(limits.loginTimeout == .seconds(8) && limits.pingInterval == .seconds(9))
    #expect(limits.pingTimeout == .seconds(10) && limits.tasksMax == 11)
  }

  @Test func everyFieldOfAUnitReachesIt() throws {
    let world = try Script(
      file: "a.lua",
      text: """
        target { luns = { {}, { lun = 7, size = "1MiB", block_size = 4096, physical_block_size = 16384, read_only = true,
          thin = true, removable = true, cache = "write-through", serial = "S", vendor = "V", product = "P", revision = "R" } } }
        """
    ).world
    let units = try TargetBuilder.node(world.targets[0], media: []).logicalUnits
    let unit = units[1]
    #expect(unit.lun == 7 && unit.blockCount == 256 && unit.blockLength == 4096 && unit.physicalBlockExponent == 2)
    #expect(unit.isReadOnly && unit.isThin && unit.isRemovable && !unit.isWriteCacheEnabled)
    #expect([unit.serial, unit.vendor, unit.product, unit.revision] == ["S", "V", "P", "R"])
    #expect(units[0].lun == 0 && units[0].blockCount == 131_072 && units[0].blockLength == 512)
    #expect(!units[0].isReadOnly && !units[0].isThin && !units[0].isRemovable && units[0].isWriteCacheEnabled)
  }

  @Test(arguments: [
    ("8bit/s", UInt64(8)), ("1.5kbit/s", 1500), ("10Gbit/s", 10_000_000_000), ("3B/s", 24), ("2kB/s", 16_000),
    ("100MB/s", 800_000_000), ("1KiB/s", 8192), ("2MiB/s", 16_777_216),
  ])
  func rates(text: String, bits: UInt64) { #expect(Quantity.rate(.text(text)) == bits) }

  @Test(arguments: [
    ("64MiB", UInt64(67_108_864)), ("512", 512), ("1.5KiB", 1536), ("1GB", 1_000_000_000), ("10 MiB", 10_485_760),
  ])
  func sizes(text: String, bytes: UInt64) { #expect(Quantity.size(text) == bytes) }

  @Test(arguments: ["", "MiB", "-1", "1.MiB", "1..5MiB", "1e3", "99999999999TiB", "0.3B", "1 mib"])
  func whatIsNoSize(text: String) { #expect(Quantity.size(text) == nil) }

  @Test func times() {
    #expect(Quantity.time(.text("1.5s")) == .milliseconds(1500))
    #expect(Quantity.time(.text("200us")) == .microseconds(200))
    #expect(Quantity.time(.integer(2)) == .seconds(2))
    #expect(Quantity.time(.number(0.5)) == .milliseconds(500))
    #expect(Quantity.time(.text("5 parsecs")) == nil)
    #expect(Quantity.text(.milliseconds(1500)) == "1.5s")
    #expect(Quantity.text(.microseconds(1_050)) == "1.05ms")
  }

  @Test func suggestions() {
    #expect(Suggestion.nearest(to: "filtre", among: ["filter", "files"]) == "filter")
    #expect(Suggestion.nearest(to: "xyz", among: ["filter", "seed"]) == nil)
  }

  /// A script's word can be as long as its memory.
  @Test(.timeLimit(.minutes(1))) func aLongWordIsNearToNothing() {
    let word = String(repeating: "x", count: 1 << 20)
    #expect(Suggestion.nearest(to: word, among: Array(repeating: "overflow", count: 100)) == nil)
    #expect(Suggestion.nearest(to: "filter" + word, among: ["seed", "filter"]) == "filter")
  }
}
