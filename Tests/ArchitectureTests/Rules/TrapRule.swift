/// Nothing that traps, unless a comment beside it says why it cannot be reached by a peer or a file.
///
/// `precondition` and `assert` are statements of what holds and are not counted; range and overflow checks of the language
/// are not visible here.
enum TrapRule {
  static let name = "trap"

  private static let instead =
    "return an error, or guard; if it cannot be reached, say why in a comment: allow(trap): reason"

  private static let patterns = PatternRule(
    name: name, patterns: ["fatalError", "preconditionFailure", ". unsafelyUnwrapped"], instead: instead)

  static func check(_ file: SourceFile) -> [Finding] {
    unexcused(patterns.check(file) + bangs(file), in: file, rules: [name])
  }

  /// `try!`, `as!`, and a `!` after a value or a type.
  private static func bangs(_ file: SourceFile) -> [Finding] {
    let tokens = file.tokens
    return tokens.indices.dropFirst().compactMap { index in
      let bang = tokens[index]
      let before = tokens[index - 1]
      guard bang.kind == .punctuation, bang.text == "!", bang.touchesPrevious else { return nil }
      let isValue = before.kind != .punctuation || [")", "]", "}", "?", ">"].contains(before.text)
      guard isValue else { return nil }
      return Finding(path: file.path, line: bang.line, rule: name, found: before.text + "!", instead: instead)
    }
  }
}
