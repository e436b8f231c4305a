/// Finds where a field is set in a script's text, since a Lua table does not remember.
enum SourceScan {
  /// The line of the field that `path` names, in the call that stands on `line`: of `target.luns[2].size` the line of
  /// `size =` in the second table of `luns =` in `target { … }`.
  ///
  /// Where the text does not show the whole way, as when a variable stands for a table, the line of the last step that it
  /// shows; nil when it shows none.
  static func line(ofField path: String, from line: Int, in text: String) -> Int? {
    var scanner = Scanner(bytes: Array(text.utf8))
    scanner.skipLines(line - 1)
    var steps = path.split(separator: ".")[...]
    guard let function = steps.popFirst(), scanner.enterCall(of: Array(function.utf8)) else { return nil }
    var found: Int?
    for step in steps {
      if found != nil, !scanner.enterTable() { return found }
      let name = step.prefix { $0 != "[" }
      guard let lineOfName = scanner.skipToField(Array(name.utf8)) else { return found }
      found = lineOfName
      guard let number = Int(step.dropFirst(name.count + 1).dropLast()) else { continue }
      guard scanner.enterTable(), let lineOfItem = scanner.skipToItem(number) else { return found }
      found = lineOfItem
    }
    return found
  }

  private enum Token: Equatable {
    /// A brace, a bracket or a parenthesis.
    case open
    case close
    /// What parts the items of a table.
    case separator
    case word([UInt8])
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

    // MARK: The way to a field

    /// Goes into the table that a call on this line gives the function `name`. False when there is none.
    mutating func enterCall(of name: [UInt8]) -> Bool {
      let first = line
      while let token = next(), line == first {
        guard token == .word(name) else { continue }
        skipBlanks()
        if byte() == UInt8(ascii: "(") { advance() }
        if enterTable() { return true }
      }
      return false
    }

    /// Goes into the table that opens here. False when something else stands here.
    mutating func enterTable() -> Bool {
      skipBlanks()
      guard byte() == UInt8(ascii: "{") else { return false }
      advance()
      return true
    }

    /// Goes to the value of a field of the table that has been entered, and returns the line of its name.
    mutating func skipToField(_ name: [UInt8]) -> Int? {
      var depth = 0
      while let token = next() {
        switch token {
        case .open: depth += 1
        case .close:
          if depth == 0 { return nil }
          depth -= 1
        case .word(name) where depth == 0:
          let found = line
          if takeAssignment() { return found }
        default: break
        }
      }
      return nil
    }

    /// Goes to an item of the table that has been entered, counted from 1, and returns the line on which it begins.
    mutating func skipToItem(_ number: Int) -> Int? {
      var depth = 0
      var passed = 0
      while passed < number - 1 {
        switch next() {
        case .open: depth += 1
        case .close:
          if depth == 0 { return nil }
          depth -= 1
        case .separator where depth == 0: passed += 1
        case nil: return nil
        default: break
        }
      }
      skipBlanks()
      return line
    }

    private mutating func takeAssignment() -> Bool {
      skipBlanks()
      guard byte() == UInt8(ascii: "="), byte(1) != UInt8(ascii: "=") else { return false }
      advance()
      return true
    }

    // MARK: Tokens

    /// Passes over white space and comments.
    private mutating func skipBlanks() {
      while at < bytes.count {
        if byte() == UInt8(ascii: "-"), byte(1) == UInt8(ascii: "-") {
          at += 2
          if let level = longBracket {
            skipLong(level)
          } else {
            while at < bytes.count, byte() != UInt8(ascii: "\n") { at += 1 }
          }
        } else if byte() == 32 || (9...13).contains(byte()) {
          advance()
        } else {
          return
        }
      }
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

    private mutating func next() -> Token? {
      skipBlanks()
      guard at < bytes.count else { return nil }
      let first = byte()
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
        return .word(Array(bytes[start..<at]))
      }
      at += 1
      switch first {
      case UInt8(ascii: "{"), UInt8(ascii: "("), UInt8(ascii: "["): return .open
      case UInt8(ascii: "}"), UInt8(ascii: ")"), UInt8(ascii: "]"): return .close
      case UInt8(ascii: ","), UInt8(ascii: ";"): return .separator
      default: return .other
      }
    }
  }
}
