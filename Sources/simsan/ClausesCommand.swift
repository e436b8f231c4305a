import Conformance
import Foundation

let clausesCommand = Command(
  name: "clauses", summary: "which clauses of the standards the scenarios cover", operands: "[PATH…]",
  options: [
    Option("--results", "FILE", "a JSON report of a run, for which clauses passed and failed"),
    Option("--list", nil, "list all clauses: missing or covered, of those that were played passed or failed"),
    Option("--missing", nil, "list the clauses that no scenario names"),
    Option("--table", "FILE", "the catalogue; scenarios/clauses.tsv if not given"),
  ],
  discussion: "PATH is a scenario file or a folder of them; without one it is scenarios/."
) { arguments in
  let table = arguments["--table"] ?? "scenarios/clauses.tsv"
  let text = try InputFile.bytes(at: table, expecting: "catalogue of clauses")
  let suite = Suite(paths: arguments.operands.isEmpty ? ["scenarios"] : arguments.operands)
  if !suite.mistakes.isEmpty { throw UsageError(suite.mistakes.joined(separator: "\n")) }
  var results: Data?
  if let path = arguments["--results"] {
    // The PDUs before each failure are in it.
    results = Data(try InputFile.bytes(at: path, expecting: "report of simsan run --json", atMost: 1 << 30))
  }
  let coverage: Coverage
  do {
    coverage = try Coverage(table: String(decoding: text, as: UTF8.self), suite: suite, results: results)
  } catch {
    throw UsageError("\(arguments["--results"] ?? ""): expected a report of simsan run --json, found something else")
  }
  guard !coverage.clauses.isEmpty else {
    throw UsageError("\(table): expected lines of id, standard, clause and title with tabs between them, found none")
  }
  if !coverage.mistakes.isEmpty { throw UsageError(coverage.mistakes.joined(separator: "\n")) }
  let status: Int32 = coverage.count(.failed) == 0 ? 0 : 1
  if arguments.has("--list") {
    for (clause, state) in coverage.clauses {
      try say("\(state.rawValue)\t\(clause.id)\t\(clause.standard) \(clause.section)\t\(clause.title)")
    }
    return status
  }
  if arguments.has("--missing") {
    for (clause, state) in coverage.clauses where state == .missing {
      try say("\(clause.id)\t\(clause.standard) \(clause.section)\t\(clause.title)")
    }
    return 0
  }
  for area in coverage.areas {
    let name = area.name.padding(toLength: 14, withPad: " ", startingAt: 0)
    try say("\(name) \(area.covered) of \(area.clauses)" + (area.failed > 0 ? ", \(area.failed) failed" : ""))
  }
  let covered = coverage.clauses.count - coverage.count(.missing)
  var summary = "\(covered) of \(coverage.clauses.count) clauses covered"
  if results != nil {
    summary += ": \(coverage.count(.passed)) passed, \(coverage.count(.failed)) failed, "
    summary += "\(coverage.count(.covered)) not played"
  }
  try say("\n\(summary)")
  return status
}
