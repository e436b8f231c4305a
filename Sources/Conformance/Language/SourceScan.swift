/// Finds where a field is set in a script's text, since a Lua table does not remember.
enum SourceScan {
  /// The line of the first `name =` within the braces that open at or after `line`; nil when there is none.
  static func line(ofField name: String, from line: Int, in text: String) -> Int? {
    var scanner = Scanner(bytes: Array(text.utf8))
    scanner.skipLines(line - 1)
    let wanted = Array(name.utf8)
    var depth = 0
    while let token = scanner.next() {
      switch token {
      case .open: depth += 1
      case .close:
        depth -= 1
        if depth <= 0 { return nil }
      case .word(let word, let line) where depth > 0 && word == wanted:
        if scanner.isAtAssignment { return line }
      default: break
      }
    }
    return nil
  }

  private enum Token {
    case open
    case close
    case word([UInt8], line: Int)
    case other
  }

  /// Just enough of Lua's lexical rules to pass over comments and strings.
  private struct Scanner {
    let bytes: [UInt8]
    var at = 0
    var line = 1

    private func byte(_ ahead: Int = 0) -> UInt8 { at + ahead < bytes.count ? bytes[at + ahead] : 0 }

    private mutating func advance() {
      if byte() == UInt8(ascii: "\n") { line += 1 }
      at += 1
    }

    mutating func skipLines(_ count: Int) {
      while at < bytes.count, line <= count { advance() }
    }

    var isAtAssignment: Bool {
      var at = at
      while at < bytes.count, bytes[at] == 32 || bytes[at] == 9 { at += 1 }
      return at < bytes.count && bytes[at] == UInt8(ascii: "=")
        && !(at + 1 < bytes.count && bytes[at + 1] == UInt8(ascii: "="))
    }

    /// The number of `=` in a long bracket that opens here; nil when none does.
    private var longBracket: Int? {
      guard byte() == UInt8(ascii: "[") else { return nil }
      var level = 0
      while byte(1 + level) == UInt8(ascii: "=") { level += 1 }
      return byte(1 + level) == UInt8(ascii: "[") ? level : nil
    }

    private mutating func skipLong(_ level: Int) {
      while at < bytes.count {
        if byte() == UInt8(ascii: "]"), byte(level + 1) == UInt8(ascii: "]"),
          (0..<level).allSatisfy({ byte($0 + 1) == UInt8(ascii: "=") })
        {
          at += level + 2
          return
        }
        advance()
      }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
      byte == 95 || (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }

    mutating func next() -> Token? {
      guard at < bytes.count else { return nil }
      let first = byte()
      if first == UInt8(ascii: "-"), byte(1) == UInt8(ascii: "-") {
        at += 2
        if let level = longBracket {
          skipLong(level)
        } else {
          while at < bytes.count, byte() != UInt8(ascii: "\n") { at += 1 }
        }
        return .other
      }
      if let level = longBracket {
        skipLong(level)
        return .other
      }
      if first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") {
        at += 1
        while at < bytes.count, byte() != first, byte() != UInt8(ascii: "\n") {
          if byte() == UInt8(ascii: "\\") { at += 1 }
          advance()
        }
        at += 1
        return .other
      }
      if Self.isWord(first) {
        let start = at
        while Self.isWord(byte()) { at += 1 }
        return .word(Array(bytes[start..<at]), line: line)
      }
      advance()
      switch first {
      case UInt8(ascii: "{"): return .open
      case UInt8(ascii: "}"): return .close
      default: return .other
      }
    }
  }
}
