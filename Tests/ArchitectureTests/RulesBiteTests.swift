import Testing

/// Each rule finds a planted breach and passes what it should pass: a rule that finds nothing proves nothing.
@Suite struct RulesBiteTests {
  private func file(_ text: String, in room: String = "Target") -> SourceFile {
    SourceFile(path: "Sources/\(room)/Planted.swift", text: text)
  }

  private func determinism(_ text: String) -> [String] {
    let planted = file(text)
    return DeterminismRules.check(planted, unordered: IterationRule.unorderedNames([planted])[0]).map(\.rule)
  }

  @Test func commentsAndStringsAreNotCode() {
    let text = #"""
      // Date() /* Task { */
      let a = "Date() \(Date()) try!" /* try! /* nested */ x! */
      let b = """
        fatalError()
        """
      let c = #"\(x!) "quoted" "#
      let d = !e
      """#
    #expect(Lexer.split(text).tokens.filter { $0.text == "Date" }.map(\.line) == [2])
    #expect(TrapRule.check(file(text)).isEmpty)
    #expect(Lexer.split(text).comments.map(\.line) == [1, 2])
  }

  @Test(arguments: [
    ("Target", "import Foundation", true), ("Target", "import SimNet", true), ("Target", "import Ring", false),
    ("ISCSI", "import Ring", true), ("ISCSI", "import CDigest", false), ("SCSI", "@testable import ISCSI", true),
    ("Conformance", "import HostRing", true), ("SimNet", "import struct SimDisk.Disk", true),
    ("HostRing", "import Glibc", false), ("Ring", "import Dispatch", true), ("Attic", "let x = 1", true),
  ])
  func importRule(room: String, text: String, breaks: Bool) {
    #expect(ImportRule.check(file(text, in: room)).isEmpty != breaks)
  }

  @Test func manifestRule() {
    let good = #"room("Target", ["Ring", "ISCSI", "SCSI"]), // "HostRing""#
    #expect(ManifestRule.check(good).isEmpty)
    #expect(ManifestRule.check(#"room("Target", ["Ring", "HostRing"])"#).map(\.found) == ["Target depends on HostRing"])
    #expect(ManifestRule.check(#"room("Attic")"#).count == 1)
    let bench = #".executableTarget(name: "machine-bench", dependencies: ["Ring"], path: "Benchmarks/MachineBench")"#
    #expect(ManifestRule.check(bench).isEmpty)
    #expect(ManifestRule.check(bench.replacing("Benchmarks", with: "Sources")).count == 1)
    #expect(ManifestRule.check(#".executableTarget(name: "simsan", dependencies: ["SimNet"])"#).count == 1)
  }

  @Test(arguments: [
    ("let t = Date()", "clock"), ("let t = ContinuousClock.now", "clock"),
    ("let r = Int.random(in: 0..<9)", "random"), ("list.shuffle()", "random"),
    ("let h = name.hashValue", "hash"), ("var h = Hasher()", "hash"),
    ("Task { work() }", "concurrency"), ("func f() async {}", "concurrency"), ("let t = Thread()", "concurrency"),
    ("let p: Double = 1", "floating-point"), ("if ObjectIdentifier(a) == b {}", "identity"),
    ("print(x)", "input-output"),
    ("var m: [UInt32: Int] = [:]; for (k, v) in m { use(k) }", "iteration"),
    ("var m = Set<Int>(); m.forEach { use($0) }", "iteration"),
    ("let m: Dictionary<Int, Int>; for v in self.m.values { use(v) }", "iteration"),
  ])
  func determinismRules(text: String, rule: String) {
    #expect(determinism(text) == [rule])
  }

  @Test func aRoomsOwnTaskIsNoThread() {
    let planted = file("struct Task { var tag: UInt32 }; let t = Task(tag: 1); Task.detached { await x() }")
    let own = DeterminismRules.ownTypes([planted])["Target"] ?? []
    #expect(own == ["Task"])
    #expect(DeterminismRules.check(planted, unordered: [], own: own).map(\.found) == ["await"])
    #expect(DeterminismRules.check(planted, unordered: []).count == 4)
    #expect(DeterminismRules.check(file("_Concurrency.Task { x() }"), unordered: [], own: own).count == 1)
  }

  @Test(arguments: [
    "let date = now", "stream.random(below: 9)", "list.shuffle(using: &stream)", "struct TaskManagement {}",
    "let task = Task2()", "var m: [Int: Int] = [:]; m[1] = 2; for k in m.keys.sorted() { use(k) }",
    "var m: [Int] = []; for v in m { use(v) }", "let pairs: [(a: Int, b: Int)] = []; for p in pairs { use(p) }",
    "// Date() is banned here", "text.append(\"print(x)\")",
  ])
  func determinismRulesPass(text: String) {
    #expect(determinism(text) == [])
  }

  @Test(arguments: [
    "let a = b!", "let a = try! b()", "let a = b as! Int", "var a: Int!", "f(x[0]!.y)", "fatalError(\"no\")",
    "preconditionFailure()", "let a = b.unsafelyUnwrapped",
  ])
  func trapRule(text: String) {
    #expect(TrapRule.check(file(text)).map(\.rule) == ["trap"])
    #expect(TrapRule.check(file(text + "  // allow(trap): the list is never empty here")).isEmpty)
    #expect(TrapRule.check(file("// Proof.\n// allow(trap): the list is never empty here\n// at all\n" + text)).isEmpty)
    #expect(TrapRule.check(file("// allow(trap): the list is never empty\nguard c else {\n" + text + "\n}")).isEmpty)
  }

  @Test(arguments: ["if !a {}", "a != b", "f(!a)", "a !== b", "let a = b ?? c", "return !a", "x = y && !z"])
  func trapRulePasses(text: String) {
    #expect(TrapRule.check(file(text)).isEmpty)
  }

  @Test func anExcuseNeedsAReasonAndANeed() {
    #expect(TrapRule.check(file("a!  // allow(trap)")).map(\.found) == ["excuse without a reason"])
    #expect(TrapRule.check(file("a  // allow(trap): there was one here")).map(\.found) == ["excuse without a need"])
    #expect(TrapRule.check(file("a!\nb  // allow(trap): on the wrong line")).count == 2)
  }

  @Test(arguments: [("Date().timeIntervalSince(start)", 1), ("SuspendingClock.now - start", 0)])
  func timeOfDayRule(text: String, count: Int) {
    #expect(RepositoryRules.timeOfDay.check(file(text, in: "simsan")).count == count)
  }

  @Test func lengthRule() {
    let long = String(repeating: "\n", count: 601)
    #expect(RepositoryRules.checkLength(path: "a.swift", text: long).count == 1)
    #expect(RepositoryRules.checkLength(path: "a.swift", text: String(long.dropLast())).isEmpty)
    #expect(RepositoryRules.checkLength(path: "a.tsv", text: long).isEmpty)
  }

  @Test(arguments: [
    ("see /" + "work/notes", true), ("=/" + "home/me/x", true), ("https" + "://a.example/", true),
    ("iscsi://127.0.0.1/iqn.x:a/0", false), ("Sources/work/x", false), ("$dir/" + "root/x", false),
  ])
  func placeRule(text: String, breaks: Bool) {
    // `$dir/root/` is under a folder that the caller gives.
    #expect(RepositoryRules.checkPlaces(path: "a.md", text: text).isEmpty != breaks)
  }

  @Test func scenarioRule() {
    func found(_ text: String) -> [String] {
      ScenarioRules.check(path: "a.lua", text: text, clauses: ["ISCSI-PDU-001"]).map(\.found)
    }
    let good = """
      local x = 1
      scenario {
        title = "A thing holds",
        covers = {
          "ISCSI-PDU-001",
        },
      }
      """
    #expect(found(good) == [])
    #expect(found(good.replacing("A thing holds", with: "")) == ["no title"])
    #expect(found(good.replacing("001", with: "999")) == ["clause ISCSI-PDU-999 is not known"])
    #expect(found(good.replacing("\"ISCSI-PDU-001\",", with: "")) == ["covers nothing"])
    #expect(found(good.replacing("covers", with: "cover")) == ["no covers"])
    #expect(found("-- nothing") == ["no scenario"])
    func foundInExamples(_ text: String) -> [String] {
      ScenarioRules.checkExamples(path: "a.md", text: text, clauses: ["ISCSI-PDU-001"]).map(\.found)
    }
    #expect(foundInExamples("  covers = { \"ISCSI-PDU-001\", \"X\" },   -- \"y\"") == ["clause X is not known"])
    #expect(foundInExamples("| `covers` | clauses of `scenarios/clauses.tsv` |") == [])
    #expect(found(good + "\n" + good.replacing("title", with: "name")) == ["no title"])
  }
}
