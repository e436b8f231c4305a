import Foundation
import Testing

@testable import Conformance

/// What reports say, and that they can be read by those they are for.
@Suite struct ReportTests {
  private var run: RunResult {
    func result(_ index: Int, _ name: String, _ outcome: CaseResult.Outcome) -> CaseResult {
      var result = CaseResult(
        index: index, id: "scenarios/a.lua: \(name)", file: "scenarios/a.lua", line: 3, name: name,
        covers: ["ISCSI-PDU-001"], seed: 42)
      result.outcome = outcome
      result.traceHash = "\(index)"
      result.virtualTime = 1_500_000_000
      return result
    }
    var failed = result(1, "a <b> & \"c\" #2", .failed)
    failed.failures = [
      CaseResult.Failure(
        oracle: "durability", message: "expected <x>\ncame: \u{1}y", location: "scenarios/a.lua:9", traceback: "",
        time: 5)
    ]
    failed.ladder = [
      LadderEntry(time: 1_000, connection: 0, toTarget: true, what: "scsi command", detail: "READ(10) lba=<1>")
    ]
    var skipped = result(2, "z", .skipped)
    skipped.reason = "it needs the simulation"
    return RunResult(
      cases: [result(0, "good", .passed), failed, skipped], seed: 1, world: "simulation", isVerified: true)
  }

  @Test func theSummaryCounts() { #expect(run.summary == "1 passed, 1 failed, 1 skipped") }

  @Test func whyCasesWereSkippedIsCounted() {
    let reasons = ["so", nil, "thus", "so"]
    let cases = reasons.enumerated().map { index, reason in
      var result = CaseResult(index: index, id: "\(index)", file: "", line: 1, name: "", covers: [], seed: 1)
      result.outcome = reason == nil ? .passed : .skipped
      result.reason = reason
      return result
    }
    let found = RunResult(cases: cases, seed: 1, world: "simulation", isVerified: false).skipReasons
    #expect(found.map(\.reason) == ["so", "thus"])
    #expect(found.map(\.cases) == [2, 1])
  }

  @Test func jsonIsTheSameEachTime() throws {
    let (one, two) = (try Reports.json(run), try Reports.json(run))
    #expect(one == two)
    let object = try #require(try JSONSerialization.jsonObject(with: one) as? [String: Any])
    #expect(object["failed"] as? Int == 1)
    #expect((object["cases"] as? [[String: Any]])?.count == 3)
    #expect(object["hash"] as? String == run.overallHash)
  }

  /// Who plays a case twice compares all that is reported of it.
  @Test func wherePlaysOfACaseDifferIsFound() throws {
    let one = run.cases[1]
    #expect(Suite.firstDifference(one, one) == nil)
    let changes: [(inout CaseResult) -> Void] = [
      { $0.outcome = .skipped }, { $0.reason = "another" }, { $0.notes = ["another"] }, { $0.virtualTime += 1 },
      { $0.steps += 1 }, { $0.commands += 1 }, { $0.failures[0].message += "another" },
      { $0.failures[0].location = "another" }, { $0.failures[0].time += 1 }, { $0.failures[0].traceback = "another" },
      { $0.failures.removeAll() }, { $0.ladder[0].detail = "another" }, { $0.ladder.removeAll() },
    ]
    for change in changes {
      var other = one
      change(&other)
      let (once, then) = try #require(Suite.firstDifference(one, other))
      #expect(once != then)
    }
  }

  @Test func junitIsXMLWithEverythingEscaped() throws {
    let text = Reports.junit(run)
    #expect(text.contains("<testcase classname=\"scenarios/a.lua\" name=\"a &lt;b&gt; &amp; &quot;c&quot; #2\""))
    #expect(text.contains("time=\"1.500000000\""))
    #expect(text.contains("<skipped message=\"it needs the simulation\"/>"))
    #expect(text.contains("<failure type=\"durability\" message=\"expected &lt;x&gt;\">"))
    #expect(!text.unicodeScalars.contains { $0.value < 32 && $0 != "\n" })
    #expect(text.components(separatedBy: "<testcase").count == 4)
  }

  @Test func tapNumbersTheCases() {
    let lines = Reports.tap(run).split(separator: "\n").map(String.init)
    #expect(lines[0] == "TAP version 13")
    #expect(lines[1] == "1..3")
    #expect(lines.contains("ok 1 - scenarios/a.lua: good"))
    #expect(lines.contains("not ok 2 - scenarios/a.lua: a <b> & \"c\" \\#2"))
    #expect(lines.contains("ok 3 - scenarios/a.lua: z # SKIP it needs the simulation"))
  }

  /// A line that begins with `ok` is a case, also one out of the middle of a title.
  @Test func tapHasALineForEachCaseWhateverTheirTitlesHold() {
    var run = run
    for index in run.cases.indices { run.cases[index].id += "\nok 7 - a\r\nok 8 - b" }
    run.cases[1].failures[0].message += "\r\nok 9 - c"
    run.cases[2].reason = "so\nok 10 - d"
    let lines = Reports.tap(run).split(whereSeparator: \.isNewline).map(String.init)
    #expect(lines.filter { $0.hasPrefix("ok ") || $0.hasPrefix("not ok ") }.count == 3)
    #expect(lines.contains("ok 3 - scenarios/a.lua: z ok 7 - a ok 8 - b # SKIP so ok 10 - d"))
  }

  @Test func thePageOfAFailureSaysHowToPlayItAgain() {
    let page = Reports.page(run.cases[1], run: run)
    #expect(page.contains("simsan run scenarios/a.lua --seed 1 --verify --filter 'a <b> & \"c\" #2'"))
    #expect(page.contains("durability: scenarios/a.lua:9: expected <x>\ncame:"))
    #expect(page.contains("0.000001000  c0 -> scsi command  READ(10) lba=<1>"))
  }

  @Test func whatATargetSendsSteersNoTerminal() {
    var failed = run.cases[1]
    failed.failures[0].message = "expected a name\ncame: \u{1B}[2J\r\u{9B}A ü"
    failed.ladder[0].detail = "{ TargetAlias=a\n  0.1  c0 -> b\u{7F}\u{2028}c }"
    failed.notes = ["\u{1B}]0;title\u{7}"]
    let page = Reports.page(failed, run: run)
    #expect(page.contains("came: \u{FFFD}[2J\u{FFFD}\u{FFFD}A ü\n"))
    #expect(page.contains("{ TargetAlias=a\u{FFFD}  0.1  c0 -> b\u{FFFD}\u{FFFD}c }\n"))
    #expect(!page.unicodeScalars.contains { $0.value < 32 && $0 != "\n" || (0x7F...0x9F).contains($0.value) })
  }

  @Test func howToPlayAFailureAgainIsForAShell() {
    var run = run
    run.isVerified = false
    run.cases[1].file = "my scenarios/a.lua"
    run.cases[1].name = "it's"
    let page = Reports.page(run.cases[1], run: run)
    #expect(page.contains("simsan run 'my scenarios/a.lua' --seed 1 --filter 'it'\\''s'\n"))
    run.cases[1].file = "-a.lua"
    run.world = "iscsi://[::1]:3260/iqn.x:a/0"
    run.access = [("--chap", "my chap.lua"), ("--ring", "epoll")]
    let other = Reports.page(run.cases[1], run: run)
    #expect(
      other.contains(
        "run ./-a.lua --seed 1 --filter 'it'\\''s' --against 'iscsi://[::1]:3260/iqn.x:a/0' --chap 'my chap.lua' "
          + "--ring epoll\n"))
  }

  /// Who made the target need not know the scenarios.
  @Test func whatAFailureIsAboutIsSaid() {
    var run = run
    run.clauses = Coverage.Clause.all(in: "id\tspec\tclause\ttitle\nISCSI-PDU-001\tRFC 7143\t11.2.1\tBHS is 48 bytes\n")
    run.cases[1].failures[0].source = "expect(x):equals(1)\n  called in line 12: check(x)"
    let page = Reports.page(run.cases[1], run: run)
    #expect(page.contains("scenarios/a.lua:9: expect(x):equals(1)\n  called in line 12: check(x)\nexpected <x>\ncame:"))
    #expect(page.contains("covers\n  ISCSI-PDU-001: RFC 7143 §11.2.1 BHS is 48 bytes\n"))
    let html = Reports.html(run)
    #expect(html.contains("<li>ISCSI-PDU-001: RFC 7143 §11.2.1 BHS is 48 bytes"))
    #expect(html.contains("play it again: <code>simsan run scenarios/a.lua --seed 1 --verify --filter "))
    #expect(html.contains("<tr><td>1<td>because it needs the simulation"))
  }

  @Test func aRunOnARealTargetHasNoHash() {
    var run = run
    #expect(Reports.html(run).contains("hash"))
    for index in run.cases.indices { run.cases[index].traceHash = "" }
    #expect(!Reports.html(run).contains("hash"))
  }

  @Test func theHTMLPageStandsAlone() {
    let page = Reports.html(run)
    #expect(page.contains("1 passed"))
    #expect(page.contains("READ(10) lba=&lt;1&gt;"))
    #expect(!page.contains("<b>"), "text of a scenario is not markup")
    for outside in ["://", "<script", "<link", "src="] { #expect(!page.contains(outside)) }
  }

  @Test func theOverallHashDependsOnEveryCase() {
    var other = run
    other.cases[0].traceHash = "x"
    #expect(other.overallHash != run.overallHash)
    #expect(run.overallHash.count == 32)
  }

  @Test func fileNamesOfFailuresDifferAndArePlain() {
    let names = run.cases.map { Reports.fileName($0) }
    #expect(Set(names).count == 3)
    for name in names { #expect(name.utf8.allSatisfy { $0 > 44 && $0 < 123 && $0 != 47 }, "\(name)") }
    // Outside of a folder of scenarios, a case's name does not say where its file is.
    var (one, other) = (run.cases[1], run.cases[1])
    (one.id, other.id) = ("a.lua: x", "a.lua: x")
    (one.file, other.file) = ("here/a.lua", "there/a.lua")
    #expect(Reports.fileName(one) != Reports.fileName(other))
  }
}
