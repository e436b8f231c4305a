import Testing

@testable import simsan

/// How the command line is read, and how its mistakes are reported.
@Suite struct ArgumentTests {
  private let command = Command(
    name: "try", summary: "", operands: "[WORD…]",
    options: [
      Option("--seed", "N", "a number"), Option("--verify", nil, "a flag"), Option("--filter", "WORDS", "words"),
      Option("--inner", "X", ""),
    ], discussion: ""
  ) { _ in 0 }

  private func mistake(_ words: String...) -> String {
    do throws(UsageError) {
      _ = try Arguments(words, for: command)
      return "no mistake"
    } catch { return error.message }
  }

  @Test func optionsAndOperandsMayBeMixed() throws {
    let arguments = try Arguments(["a", "--seed", "7", "--verify", "b", "--filter=x y", "--", "--c"], for: command)
    #expect(arguments.operands == ["a", "b", "--c"])
    #expect(arguments["--seed"] == "7")
    #expect(arguments.has("--verify"))
    #expect(arguments.all("--filter") == ["x y"])
    #expect(try arguments.number("--seed", in: 0...10) == 7)
  }

  /// So that what a script says first can be said otherwise behind it.
  @Test func ofAnOptionThatIsGivenTwiceTheLastValueCounts() throws {
    let arguments = try Arguments(["--seed", "1", "--filter", "x", "--seed=2"], for: command)
    #expect(arguments["--seed"] == "2")
    #expect(arguments.all("--seed") == ["1", "2"])
  }

  @Test func anUnknownOptionIsNamedWithTheNearestKnownOne() {
    #expect(
      mistake("--sed", "1")
        == "simsan try: unknown option --sed; did you mean '--seed'?; expected --seed, --verify, --filter")
    #expect(mistake("-x").contains("unknown option -x; expected"))
  }

  @Test func aValueIsWantedOrNot() {
    #expect(mistake("--seed") == "simsan try: --seed: expected N after it, found nothing")
    #expect(mistake("--verify=yes") == "simsan try: --verify: expected no value, found \"yes\"")
    #expect(mistake("--filter", "--verify").contains("--filter: expected WORDS after it, found the option --verify"))
    #expect(mistake("--filter=--verify", "--filter", "--others") == "no mistake")
  }

  @Test(arguments: [
    (metaCommand, ["x"], "simsan meta: expected no operand, found x"),
    (helpCommand, ["run", "serve"], "simsan help: expected [COMMAND], found run serve"),
    (serveCommand, ["a.lua", "b.lua"], "simsan serve: expected WORLD.lua, found a.lua b.lua"),
  ])
  func operandsThatNobodyReadsAreRefused(command: Command, words: [String], expected: String) {
    let error = #expect(throws: UsageError.self) { _ = try Arguments(words, for: command) }
    #expect(error?.message == expected)
  }

  @Test func numbersAreChecked() throws {
    let arguments = try Arguments(["--seed", "0x10", "--filter", "ten"], for: command)
    #expect(try arguments.number("--seed", in: 0...UInt64.max) == 16)
    #expect(throws: UsageError.self) { _ = try arguments.number("--filter", in: 0...9) }
    #expect(throws: UsageError.self) { _ = try arguments.number("--seed", in: 0...9) }
  }

  @Test func sizesAndTimesAreChecked() throws {
    func mistake<Value>(_ text: String, _ read: (Arguments) throws -> Value) throws -> String? {
      let arguments = try Arguments(["--seed", text], for: command)
      return (#expect(throws: UsageError.self) { _ = try read(arguments) })?.message
    }
    let arguments = try Arguments(["--seed", "64KiB", "--filter", "20ms"], for: command)
    #expect(try arguments.size("--seed", in: 0...UInt64.max) == 65536)
    #expect(try arguments.time("--filter", example: "1s") == .milliseconds(20))
    #expect(try arguments.time("--inner", example: "1s") == nil)
    #expect(
      try mistake("1KiB") { try $0.size("--seed", in: 4096...8192) }
        == "--seed: expected a size from 4KiB to 8KiB, found \"1KiB\"")
    #expect(
      try mistake("1KiX") { try $0.size("--seed", in: 512...UInt64.max) }
        == "--seed: expected a size from 512B up, found \"1KiX\"")
    #expect(
      try mistake("2s") { try $0.time("--seed", example: "50us", atMost: .seconds(1)) }
        == "--seed: expected a time such as 50us, at most 1s, found \"2s\"")
    #expect(
      try mistake("1us") { try $0.time("--seed", example: "1s", atLeast: .milliseconds(10)) }
        == "--seed: expected a time such as 1s, at least 10ms, found \"1us\"")
  }

  @Test func aPartIsOneOfThem() throws {
    func part(_ text: String) throws -> (index: Int, count: Int)? {
      try RunOptions(try Arguments(["--shard", text], for: runCommand)).shard
    }
    #expect(try part("2/8").map { [$0.index, $0.count] } == [1, 8])
    #expect(try part("8/8").map { [$0.index, $0.count] } == [7, 8])
    #expect(try part("1/\(Int.max)").map { [$0.index, $0.count] } == [0, Int.max])
    for text in ["0/8", "9/8", "1/0", "1", "1/2/3", "\(Int.min)/1"] {
      #expect(throws: UsageError.self) { _ = try part(text) }
    }
  }

  @Test(arguments: [
    ("iscsi://10.0.0.1/iqn.x:y/3", "10.0.0.1", UInt16(3260), 3), ("iscsi://host:99/iqn.x:y", "host", 99, 0),
    ("iscsi://[fd00::1]:5000/iqn.x:y/0", "fd00::1", 5000, 0), ("iscsi://[::1]/iqn.x:y/0", "::1", 3260, 0),
  ])
  func aTargetsURLIsTakenApart(text: String, host: String, port: UInt16, lun: Int) throws {
    let url = try TargetURL(text)
    #expect(url.host == host)
    #expect(url.port == port)
    #expect(url.lun == lun)
    #expect(url.iqn == "iqn.x:y")
  }

  @Test(arguments: [
    "", "iscsi://", "scsi://x/y/0", "iscsi://x", "iscsi://x//0", "iscsi://x:p/y/0", "iscsi://x/y/z",
    "iscsi://:3260/y/0", "iscsi://x:0/y/0", "iscsi://[::1/y/0", "iscsi://[]/y/0",
  ])
  func whatIsNoURL(text: String) {
    #expect(throws: UsageError.self) { _ = try TargetURL(text) }
  }

  @Test(arguments: [
    ([], "--chap: expected a real target, with --against; found none"),
    (
      ["--against", "iscsi://127.0.0.1/iqn.x:y/0"], "--chap: /nowhere/chap.lua: no such file; expected a file that says"
    ),
  ])
  func credentialsAreReadForARealTarget(words: [String], message: String) {
    #expect {
      try RunOptions(try Arguments(words + ["--chap", "/nowhere/chap.lua"], for: runCommand))
    } throws: { error in
      (error as? UsageError)?.message.hasPrefix(message) == true
    }
  }

  @Test func everyCommandHasAPageAndANameOfItsOwn() {
    #expect(Set(commands.map(\.name)).count == commands.count)
    for command in commands { #expect(!command.summary.isEmpty) }
  }
}
