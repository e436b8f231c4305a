import Foundation
import Testing

@testable import Conformance

/// What is said of the clauses that scenarios cover.
@Suite struct ClausesTests {
  private static let table = """
    id\tspec\tclause\ttitle
    A-B-001\tRFC 7143\t1.1\tPassed
    A-B-002\tRFC 7143\t1.2\tFailed
    A-B-003\tRFC 7143\t1.3\tSkipped
    A-C-001\tRFC 7143\t2.1\tMissing
    """

  private func coverage(_ text: String, play: Bool = false) throws -> Coverage {
    let file = FileManager.default.temporaryDirectory.appending(path: "simsan-clauses-\(UUID().uuidString).lua")
    try Data(text.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let suite = Suite(paths: [file.path])
    try #require(suite.mistakes.isEmpty, "\(suite.mistakes)")
    let cases = (0..<suite.caseCount).map { suite.play($0, seed: 1, on: .simulation) }
    let run = RunResult(cases: cases, seed: 1, world: "simulation", isVerified: false)
    return try Coverage(table: Self.table, suite: suite, results: play ? try Reports.json(run) : nil)
  }

  private static let scenarios = """
    scenario { title = "1", covers = { "A-B-001" }, play = function(t) end }
    scenario { title = "2", covers = { "A-B-001", "A-B-002" }, play = function(t) end }
    scenario { title = "3", covers = { "A-B-002" }, play = function(t) expect(1):equals(2) end }
    scenario { title = "4", covers = { "A-B-003" }, play = function(t) skip("so") end }
    scenario { title = "5", covers = { "A-B-002" }, play = function(t) end }
    """

  /// One failure outweighs what passed before and after it.
  @Test func aClauseIsAsTheWorstOfItsCases() throws {
    #expect(try coverage(Self.scenarios).clauses.map(\.state) == [.covered, .covered, .covered, .missing])
    let played = try coverage(Self.scenarios, play: true)
    #expect(played.clauses.map(\.state) == [.passed, .failed, .covered, .missing])
    #expect(played.areas.map(\.name) == ["A-B", "A-C"])
    #expect(played.areas.map { [$0.clauses, $0.covered, $0.failed] } == [[3, 3, 1], [1, 0, 0]])
    #expect(played.mistakes == [])
  }

  @Test func aClauseThatNobodyKnowsIsAMistake() throws {
    let text = "\nscenario { title = '1', covers = { 'A-B-001', 'A-B-01' }, matrix = { x = { 1, 2 } }, play = print }"
    let mistakes = try coverage(text).mistakes
    #expect(mistakes.count == 1)
    #expect(
      mistakes[0].hasSuffix(
        ".lua:2: scenario.covers: expected clauses of the catalogue, found \"A-B-01\"; did you mean 'A-B-001'?"))
  }
}
