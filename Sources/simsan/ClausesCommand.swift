import Conformance
import Foundation

let clausesCommand = Command(
  name: "clauses", summary: "which clauses of the standards the scenarios cover", operands: "[PATH…]",
  options: [
    Option("--results", "FILE", "a JSON report of a run, for which clauses passed and failed"),
    Option("--missing", nil, "list the clauses that no scenario names"),
    Option("--table", "FILE", "the catalogue; scenarios/clauses.tsv if not given"),
  ],
  discussion: "PATH is a scenario file or a folder of them; without one it is scenarios/."
) { arguments in
  let table = arguments["--table"] ?? "scenarios/clauses.tsv"
  guard let text = FileManager.default.contents(atPath: table) else {
    throw UsageError("\(table): cannot be read; expected the catalogue of clauses")
  }
  let suite = Suite(paths: arguments.operands.isEmpty ? ["scenarios"] : arguments.operands)
  if !suite.mistakes.isEmpty { throw UsageError(suite.mistakes.joined(separator: "\n")) }
  var results: Data?
  if let path = arguments["--results"] {
    results = FileManager.default.contents(atPath: path)
    if results == nil { throw UsageError("\(path): cannot be read; expected a report of simsan run --json") }
  }
  let coverage: Coverage
  do {
    coverage = try Coverage(table: String(decoding: text, as: UTF8.self), suite: suite, results: results)
  } catch {
    throw UsageError("\(arguments["--results"] ?? ""): expected a report of simsan run --json; \(error)")
  }
  if arguments.has("--missing") {
    for (clause, state, _) in coverage.clauses where state == .missing {
      try say("\(clause.id)\t\(clause.standard) \(clause.section)\t\(clause.title)")
    }
    return 0
  }
  for area in coverage.areas {
    let name = area.name.padding(toLength: 14, withPad: " ", startingAt: 0)
    try say("\(name) \(area.covered) of \(area.clauses)" + (area.failed > 0 ? ", \(area.failed) failed" : ""))
  }
  let covered = coverage.clauses.count - coverage.count(.missing)
  try say("\n\(covered) of \(coverage.clauses.count) clauses covered, \(coverage.count(.failed)) failed")
  return coverage.count(.failed) == 0 ? 0 : 1
}
