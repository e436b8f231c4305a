/// A run of tokens that must not stand in some rooms, and what to write in its place.
struct PatternRule {
  /// The name that an `allow(…)` comment gives.
  var name: String

  /// Each is a run of tokens, separated by spaces; `|` separates the words that may stand at one place.
  var patterns: [String]

  var instead: String

  func check(_ file: SourceFile) -> [Finding] {
    patterns.flatMap { pattern -> [Finding] in
      let places = pattern.split(separator: " ").map { Set($0.split(separator: "|").map(String.init)) }
      return file.tokens.indices.compactMap { start in
        guard matches(places, file.tokens, at: start) else { return nil }
        let text = file.tokens[start..<start + places.count].map(\.text).joined(separator: " ")
        return Finding(path: file.path, line: file.tokens[start].line, rule: name, found: text, instead: instead)
      }
    }
  }

  private func matches(_ places: [Set<String>], _ tokens: [Token], at start: Int) -> Bool {
    guard start + places.count <= tokens.count else { return false }
    for (offset, place) in places.enumerated() {
      let token = tokens[start + offset]
      guard token.kind != .string, place.contains(token.text) else { return false }
    }
    return true
  }
}

/// The findings that no comment beside the line excuses, and the excuses that excuse nothing or give no reason.
///
/// `allow(rule): reason` on the line, or in the comment right above it.
func unexcused(_ findings: [Finding], in file: SourceFile, rules: Set<String>) -> [Finding] {
  var used: [Allowance] = []
  var left: [Finding] = []
  for finding in findings {
    if let allowance = file.allowance(for: finding.rule, line: finding.line) {
      if !used.contains(allowance) { used.append(allowance) }
    } else {
      left.append(finding)
    }
  }
  for allowance in file.allowances where rules.contains(allowance.rule) {
    if !used.contains(allowance) {
      left.append(
        Finding(
          path: file.path, line: allowance.line, rule: allowance.rule, found: "excuse without a need",
          instead: "remove the comment"))
    } else if allowance.reason.split(separator: " ").count < 3 {
      left.append(
        Finding(
          path: file.path, line: allowance.line, rule: allowance.rule, found: "excuse without a reason",
          instead: "allow(\(allowance.rule)): and why it cannot go wrong, in a few words"))
    }
  }
  return left
}
