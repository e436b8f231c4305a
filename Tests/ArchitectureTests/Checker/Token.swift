/// A word, number, string or run of punctuation of a Swift file.
struct Token: Equatable {
  enum Kind { case word, number, string, punctuation }

  var kind: Kind

  /// As written; for a string only its opening quotes, so that what a string says never matches a rule.
  var text: String

  /// Counted from 1.
  var line: Int

  /// Whether nothing stands between it and the token before it.
  var touchesPrevious: Bool
}

/// A comment, one for each line that it covers.
struct Comment: Equatable {
  /// Without its `//`.
  var text: String

  /// Counted from 1.
  var line: Int
}

/// Splits Swift into tokens and comments: enough of the language to tell code from comments and strings, and no more.
struct Lexer {
  private(set) var tokens: [Token] = []
  private(set) var comments: [Comment] = []

  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var touches = false

  /// How many parentheses are open within each string interpolation that we are in, and which string it is part of.
  private var interpolations: [(depth: Int, string: StringStyle)] = []

  private struct StringStyle {
    var hashes: Int
    var multiline: Bool
  }

  static func split(_ text: String) -> (tokens: [Token], comments: [Comment]) {
    var lexer = Lexer(bytes: Array(text.utf8))
    lexer.run()
    return (lexer.tokens, lexer.comments)
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private func byte(_ ahead: Int = 0) -> UInt8 {
    position + ahead < bytes.count ? bytes[position + ahead] : 0
  }

  private func starts(with text: StaticString) -> Bool {
    for index in 0..<text.utf8CodeUnitCount where byte(index) != text.utf8Start[index] { return false }
    return true
  }

  private mutating func run() {
    while position < bytes.count {
      let here = byte()
      if here == UInt8(ascii: "\n") {
        line += 1
        position += 1
        touches = false
      } else if here == 0x20 || here == 0x09 || here == 0x0D {
        position += 1
        touches = false
      } else if starts(with: "//") {
        lineComment()
      } else if starts(with: "/*") {
        blockComment()
      } else if let style = stringOpening() {
        emit(.string, "\"")
        stringBody(style)
      } else if Self.isWord(here) || here == UInt8(ascii: "`") {
        word()
      } else {
        punctuation()
      }
    }
  }

  private mutating func emit(_ kind: Token.Kind, _ text: String) {
    tokens.append(Token(kind: kind, text: text, line: line, touchesPrevious: touches))
    touches = true
  }

  private func text(from start: Int) -> String { String(decoding: bytes[start..<position], as: UTF8.self) }

  private mutating func lineComment() {
    let start = position
    while position < bytes.count, byte() != UInt8(ascii: "\n") { position += 1 }
    comments.append(Comment(text: String(text(from: start).drop { $0 == "/" || $0 == " " }), line: line))
    touches = false
  }

  private mutating func blockComment() {
    var depth = 0
    var start = position
    repeat {
      if starts(with: "/*") {
        depth += 1
        position += 2
      } else if starts(with: "*/") {
        depth -= 1
        position += 2
      } else {
        if byte() == UInt8(ascii: "\n") {
          comments.append(Comment(text: text(from: start), line: line))
          line += 1
          start = position + 1
        }
        position += 1
      }
    } while depth > 0 && position < bytes.count
    comments.append(Comment(text: text(from: start), line: line))
    touches = false
  }

  /// The style of the string that opens here, past whose quotes it moves; nil if none does.
  private mutating func stringOpening() -> StringStyle? {
    var hashes = 0
    while byte(hashes) == UInt8(ascii: "#") { hashes += 1 }
    guard byte(hashes) == UInt8(ascii: "\"") else { return nil }
    let multiline = byte(hashes + 1) == UInt8(ascii: "\"") && byte(hashes + 2) == UInt8(ascii: "\"")
    position += hashes + (multiline ? 3 : 1)
    return StringStyle(hashes: hashes, multiline: multiline)
  }

  private mutating func stringBody(_ style: StringStyle) {
    while position < bytes.count {
      let here = byte()
      if here == UInt8(ascii: "\n") {
        if !style.multiline { return }
        line += 1
        position += 1
      } else if here == UInt8(ascii: "\\"), hashes(at: 1) >= style.hashes {
        position += 1 + style.hashes
        if byte() == UInt8(ascii: "(") {
          position += 1
          interpolations.append((1, style))
          return
        }
        position += 1
      } else if here == UInt8(ascii: "\""), closes(style) {
        position += (style.multiline ? 3 : 1) + style.hashes
        touches = true
        return
      } else {
        position += 1
      }
    }
  }

  private func hashes(at ahead: Int) -> Int {
    var count = 0
    while byte(ahead + count) == UInt8(ascii: "#") { count += 1 }
    return count
  }

  private func closes(_ style: StringStyle) -> Bool {
    let quotes = style.multiline ? 3 : 1
    for index in 0..<quotes where byte(index) != UInt8(ascii: "\"") { return false }
    return hashes(at: quotes) >= style.hashes
  }

  private mutating func word() {
    let start = position
    let isNumber = byte() >= UInt8(ascii: "0") && byte() <= UInt8(ascii: "9")
    while Self.isWord(byte()) || byte() == UInt8(ascii: "`") { position += 1 }
    emit(isNumber ? .number : .word, text(from: start).filter { $0 != "`" })
  }

  private mutating func punctuation() {
    let start = position
    let here = byte()
    position += 1
    if Self.isOperator(here) {
      while Self.isOperator(byte()), !starts(with: "//"), !starts(with: "/*") { position += 1 }
    }
    emit(.punctuation, text(from: start))
    guard var innermost = interpolations.last else { return }
    if here == UInt8(ascii: "(") { innermost.depth += 1 }
    if here == UInt8(ascii: ")") { innermost.depth -= 1 }
    interpolations[interpolations.count - 1] = innermost
    if innermost.depth == 0 {
      interpolations.removeLast()
      stringBody(innermost.string)
    }
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), 0x80...0xFF, UInt8(ascii: "@"), UInt8(ascii: "$"):
      return true
    default:
      return false
    }
  }

  private static func isOperator(_ byte: UInt8) -> Bool {
    "/=-+!*%<>&|^~?".utf8.contains(byte)
  }
}
