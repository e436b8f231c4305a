import Foundation

/// Which clauses of the catalogue scenarios say they cover, and how those went.
public struct Coverage {
  /// A clause of the catalogue.
  public struct Clause: Sendable {
    public var id: String
    public var standard: String
    public var section: String
    public var title: String
    /// Those of a table, the text of `scenarios/clauses.tsv`: id, standard, clause, title.
    public static func all(in table: String) -> [Clause] {
      table.split(separator: "\n").dropFirst().compactMap { line in
        let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard columns.count >= 4 else { return nil }
        return Clause(id: columns[0], standard: columns[1], section: columns[2], title: columns[3])
      }
    }

    /// `ISCSI-LOGIN`.
    public var area: String { id.split(separator: "-").dropLast().joined(separator: "-") }
  }

  /// What is known of a clause.
  public enum State: String, Sendable, CaseIterable {
    case passed
    case failed
    /// Scenarios name it, and none of them was played.
    case covered
    /// No scenario names it.
    case missing
  }

  public private(set) var clauses: [(clause: Clause, state: State)] = []

  /// What scenarios say that they cover and the catalogue does not have, each with its file and line.
  public private(set) var mistakes: [String] = []

  /// - Parameters:
  ///   - table: The text of `scenarios/clauses.tsv`.
  ///   - suite: The cases that are counted.
  ///   - results: How they went, if they were played; from a `--json` report.
  public init(table: String, suite: Suite, results: Data? = nil) throws {
    var outcomes: [String: String] = [:]
    if let results {
      struct Report: Decodable { var cases: [CaseResult] }
      for result in try JSONDecoder().decode(Report.self, from: results).cases {
        for id in result.covers where outcomes[id] != "failed" {
          if result.outcome != .skipped { outcomes[id] = result.outcome.rawValue }
        }
      }
    }
    let covered = Set(suite.cases.flatMap(\.covers))
    for clause in Clause.all(in: table) {
      let state =
        outcomes[clause.id].flatMap(State.init(rawValue:)) ?? (covered.contains(clause.id) ? .covered : .missing)
      clauses.append((clause, state))
    }
    let known = Set(clauses.map(\.clause.id))
    var told: Set<String> = []
    for each in suite.cases {
      for id in each.covers where !known.contains(id) {
        let place = each.location.description
        let mistake = "\(place): scenario.covers: expected clauses of the catalogue, found \"\(id)\""
        guard told.insert(mistake).inserted else { continue }
        mistakes.append(mistake + Suggestion.clause(for: id, among: clauses.map(\.clause.id)))
      }
    }
  }

  /// How many clauses there are in that state.
  public func count(_ state: State) -> Int { clauses.count { $0.state == state } }

  /// The areas in the order of the catalogue, with how many clauses they have and how many are covered.
  public var areas: [(name: String, clauses: Int, covered: Int, failed: Int)] {
    var result: [(name: String, clauses: Int, covered: Int, failed: Int)] = []
    for (clause, state) in clauses {
      if result.last?.name != clause.area { result.append((clause.area, 0, 0, 0)) }
      result[result.count - 1].clauses += 1
      if state != .missing { result[result.count - 1].covered += 1 }
      if state == .failed { result[result.count - 1].failed += 1 }
    }
    return result
  }
}
