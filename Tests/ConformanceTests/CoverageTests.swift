import Foundation
import Testing

@testable import Conformance

@Suite struct CoverageTests: Playing {
  private let table = """
    id\tstandard\tclause\ttitle
    A-X-001\tRFC 7143\t1\tplayed, and held
    A-X-002\tRFC 7143\t2\tdid not hold once
    A-Y-001\tRFC 7143\t3\tnobody played it
    B-001\tRFC 7143\t4\tnobody covers it
    """

  private let text = """
    scenario { title = 'good', covers = { 'A-X-001', 'A-X-002' }, play = function(t) end }
    scenario { title = 'bad', covers = { 'A-X-002' }, play = function(t) expect(1):equals(2) end }
    scenario { title = 'good again', covers = { 'A-X-001', 'A-X-002' }, play = function(t) end }
    scenario { title = 'skipped', covers = { 'A-Y-001', 'A-X-001' }, play = function(t) skip('not today') end }
    """

  private func coverage(plays: Bool) throws -> Coverage {
    let folder = FileManager.default.temporaryDirectory.appending(path: "simsan-coverage-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "a.lua")
    try Data(text.utf8).write(to: file)
    let suite = Suite(paths: [file.path])
    let cases = plays ? (0..<suite.caseCount).map { suite.play($0, seed: 1, on: .simulation) } : []
    let results = try Reports.json(RunResult(cases: cases, seed: 1, world: "simulation", isVerified: false))
    return try Coverage(table: table, suite: suite, results: plays ? results : nil)
  }

  /// One failure outweighs whatever else was played, before and after.
  @Test func aClauseHoldsOnlyIfAllThatWerePlayedPassed() throws {
    let coverage = try coverage(plays: true)
    #expect(coverage.clauses.map(\.state) == [.passed, .failed, .covered, .missing])
    #expect(coverage.clauses.map(\.cases) == [3, 3, 1, 0])
    #expect(
      coverage.areas.map { "\($0.name) \($0.clauses) \($0.covered) \($0.failed)" } == [
        "A-X 2 2 1", "A-Y 1 1 0", "B 1 0 0",
      ])
  }

  @Test func withoutResultsAClauseIsCoveredAtMost() throws {
    #expect(try coverage(plays: false).clauses.map(\.state) == [.covered, .covered, .covered, .missing])
  }
}
