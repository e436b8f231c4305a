/// Every scenario says in its title what must hold, and names the clauses that it covers.
enum ScenarioRules {
  /// `clauses` are the identifiers of scenarios/clauses.tsv.
  static func check(path: String, text: String, clauses: Set<String>) -> [Finding] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    var findings: [Finding] = []
    var blocks = 0
    var index = 0
    while index < lines.count {
      guard opens(lines[index]) else {
        index += 1
        continue
      }
      blocks += 1
      let start = index
      while index < lines.count, !(index > start && lines[index].hasPrefix("}")) { index += 1 }
      findings += check(block: lines[start..<min(index, lines.count)], path: path, clauses: clauses)
    }
    if blocks == 0 {
      findings.append(
        Finding(
          path: path, line: 1, rule: "scenario", found: "no scenario",
          instead: "`scenario {` or `explore {` at the start of a line, and `}` at the start of its last"))
    }
    return findings
  }

  /// The clauses that the examples of a document say they cover.
  static func checkExamples(path: String, text: String, clauses: Set<String>) -> [Finding] {
    text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { index, line in
      guard field(line) == "covers", line.contains("{ \"") else { return [Finding]() }
      return strings(line.prefix { $0 != "}" }).filter { !clauses.contains($0) }.map { id in
        Finding(
          path: path, line: index + 1, rule: "scenario", found: "clause \(id) is not known",
          instead: "name one of scenarios/clauses.tsv")
      }
    }
  }

  private static func opens(_ line: Substring) -> Bool {
    line.hasPrefix("scenario {") || line.hasPrefix("explore {") || line.hasPrefix("scenario{")
  }

  private static func check(block: ArraySlice<Substring>, path: String, clauses: Set<String>) -> [Finding] {
    func finding(_ line: Int, _ found: String, _ instead: String) -> Finding {
      Finding(path: path, line: line + 1, rule: "scenario", found: found, instead: instead)
    }
    let start = block.startIndex
    var findings: [Finding] = []
    let title = block.first { field($0) == "title" }
    if title.map(strings)?.first?.isEmpty ?? true {
      findings.append(finding(start, "no title", "title = \"what must hold, as a sentence\""))
    }
    guard let covers = block.firstIndex(where: { field($0) == "covers" }) else {
      findings.append(finding(start, "no covers", "covers = { \"ISCSI-…\" }, from scenarios/clauses.tsv"))
      return findings
    }
    var last = covers
    while last < block.endIndex - 1, !block[last].contains("}") { last += 1 }
    let ids = block[covers...last].flatMap(strings)
    if ids.isEmpty { findings.append(finding(covers, "covers nothing", "name a clause of scenarios/clauses.tsv")) }
    for id in ids where !clauses.contains(id) {
      findings.append(finding(covers, "clause \(id) is not known", "name one of scenarios/clauses.tsv"))
    }
    return findings
  }

  /// The name before `=`, if the line sets a field.
  private static func field(_ line: Substring) -> Substring? {
    guard let equals = line.firstIndex(of: "=") else { return nil }
    return line[..<equals].drop { $0 == " " }.prefix { $0 != " " }
  }

  private static func strings(_ line: Substring) -> [String] {
    let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
    return stride(from: 1, to: parts.count, by: 2).map { String(parts[$0]) }
  }

  /// The identifiers in the first column of scenarios/clauses.tsv.
  static func clauses(_ table: String) -> Set<String> {
    Set(table.split(separator: "\n").dropFirst().compactMap { $0.split(separator: "\t").first.map(String.init) })
  }
}
