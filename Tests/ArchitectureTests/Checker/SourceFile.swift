/// A Swift file of a room, split into tokens, with the exceptions that its comments ask for.
struct SourceFile {
  /// From the root of the repository: `Sources/Target/Login/Login.swift`.
  var path: String

  /// The room that it stands in: `Target`.
  var room: String

  var tokens: [Token]

  /// The exceptions that it claims, in the order of lines.
  var allowances: [Allowance]

  /// The lines that hold nothing but a comment.
  private var commentLines: Set<Int>

  init(path: String, text: String) {
    self.path = path
    let parts = path.split(separator: "/")
    room = parts.count > 2 ? String(parts[1]) : ""
    let (tokens, comments) = Lexer.split(text)
    self.tokens = tokens
    let codeLines = Set(tokens.map(\.line))
    commentLines = Set(comments.map(\.line)).subtracting(codeLines)
    allowances = comments.compactMap { Allowance(comment: $0) }
  }

  /// The exception that covers `rule` on `line`: on the line itself, or in the comment right above it, or above the
  /// `guard … else {` that leads to it.
  func allowance(for rule: String, line: Int) -> Allowance? {
    var first = line
    if tokens.last(where: { $0.line < line })?.text == "{", tokens.contains(where: { $0.line == line - 1 }) {
      first -= 1
    }
    while commentLines.contains(first - 1) { first -= 1 }
    return allowances.last { $0.rule == rule && $0.line >= first && $0.line <= line }
  }
}

/// An exception from a rule, claimed by a comment: `allow(trap): the table has 256 entries and the index is a byte`.
struct Allowance: Equatable {
  var rule: String
  var reason: String
  var line: Int

  init?(comment: Comment) {
    guard comment.text.hasPrefix("allow("), let close = comment.text.firstIndex(of: ")") else { return nil }
    rule = String(comment.text[comment.text.index(comment.text.startIndex, offsetBy: 6)..<close])
    reason = String(comment.text[comment.text.index(after: close)...].drop { $0 == ":" || $0 == " " })
    line = comment.line
  }
}

/// One breach of a rule.
struct Finding: CustomStringConvertible, Equatable {
  var path: String
  var line: Int
  var rule: String

  /// What stands there.
  var found: String

  /// What to write in its place.
  var instead: String

  var description: String { "\(path):\(line): [\(rule)] \(found): \(instead)" }
}

extension Sequence where Element == Finding {
  /// One a line, to stand in a failed expectation.
  var report: String { "\n" + map(\.description).joined(separator: "\n") }
}
