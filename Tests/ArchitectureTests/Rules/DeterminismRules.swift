/// What would make a run depend on anything but the scenario, the seed and the program.
enum DeterminismRules {
  static let patterns: [PatternRule] = [
    PatternRule(
      name: "clock",
      patterns: [
        "Date (", "Date .", "ContinuousClock", "SuspendingClock", "DispatchTime", "clock_gettime", "gettimeofday",
        "ProcessInfo", "systemUptime",
      ],
      instead: "take the `now` that `step` was handed"),
    PatternRule(
      name: "random",
      patterns: [
        "SystemRandomNumberGenerator", ". random ( in", ". randomElement ( )", ". shuffled ( )", ". shuffle ( )",
        "arc4random", "getrandom", "drand48", "UUID ( )",
      ],
      instead: "draw from a named stream (SimClock)"),
    PatternRule(
      name: "hash",
      patterns: [". hashValue", "Hasher"],
      instead: "fold it into the rolling trace hash (SimClock): the standard library's hash is seeded per process"),
    PatternRule(
      name: "concurrency",
      patterns: [
        "Task {", "Task .", "Task (", "Task <", "_Concurrency", "async", "await", "actor", "DispatchQueue",
        "DispatchSemaphore", "Thread",
        "pthread_create", "NSLock", "Mutex", "OSAllocatedUnfairLock", "withTaskGroup", "AsyncStream",
      ],
      instead: "keep the state in the machine, set a timer or post a message: only the outermost loop has threads"),
    PatternRule(
      name: "floating-point",
      patterns: ["Double", "Float", "CGFloat", "Float80", "Float16"],
      instead: "use integers and ratios: rounding differs between processors and optimisations"),
    PatternRule(
      name: "identity",
      patterns: ["ObjectIdentifier", "Unmanaged", "unsafeBitCast", "withUnsafePointer ( to : & self"],
      instead: "name it by index or token: addresses differ from run to run"),
    PatternRule(
      name: "input-output",
      patterns: ["print (", "debugPrint (", "dump (", "readLine (", "FileHandle", "FileManager", "getenv"],
      instead: "emit an operation, or return the value to the outermost loop"),
  ]

  static let names = Set(patterns.map(\.name)).union([IterationRule.name])

  /// What holds for who plays the scenarios, too: it has actors and numbers of Lua, and reads files.
  static let namesOfRunner: Set<String> = ["clock", "random", "hash", IterationRule.name]

  /// `own` are the names of the room's own types: an iSCSI task is called Task, and means no thread there.
  static func check(
    _ file: SourceFile, unordered: Set<String>, own: Set<String> = [], rules: Set<String> = names
  ) -> [Finding] {
    let findings = patterns.filter { rules.contains($0.name) }.flatMap { $0.check(file) }.filter { finding in
      !own.contains { finding.found == $0 || finding.found.hasPrefix($0 + " ") }
    }
    return unexcused(findings + IterationRule.check(file, unordered: unordered), in: file, rules: rules)
  }

  private static let typeWords: Set<String> = ["struct", "class", "enum", "actor", "typealias", "protocol"]

  /// The names of the types that each room declares.
  static func ownTypes(_ files: [SourceFile]) -> [String: Set<String>] {
    var types: [String: Set<String>] = [:]
    for file in files {
      for (word, name) in zip(file.tokens, file.tokens.dropFirst()) where typeWords.contains(word.text) {
        types[file.room, default: []].insert(name.text)
      }
    }
    return types
  }
}

/// A Dictionary or Set is never walked: its order differs from process to process.
///
/// There are no types here, only tokens: a name counts as unordered when it is declared as a Dictionary or Set in the same
/// file, or in the same room and nowhere there as something else.
enum IterationRule {
  static let name = "iteration"

  private static let instead =
    "walk an array kept beside it, or `.sorted()` with a total order: a Dictionary or Set has none"

  /// Members that visit elements in the order of the hash.
  private static let walks: Set<String> = [
    "forEach", "map", "filter", "reduce", "compactMap", "flatMap", "first", "keys", "values", "enumerated", "popFirst",
    "removeFirst", "makeIterator", "elements", "allSatisfy", "mapValues", "joined", "prefix", "dropFirst",
  ]

  /// What makes the visit harmless when it follows at once.
  private static let ordered: Set<String> = ["sorted", "count", "isEmpty", "contains"]

  /// The names that `file` declares: as a Dictionary or Set, and as anything else.
  static func declarations(_ file: SourceFile) -> (unordered: Set<String>, other: Set<String>) {
    var unordered: Set<String> = []
    var other: Set<String> = []
    let tokens = file.tokens
    for index in tokens.indices where tokens[index].kind == .word && index + 2 < tokens.count {
      let separator = tokens[index + 1].text
      let declares = index > 0 && (tokens[index - 1].text == "var" || tokens[index - 1].text == "let")
      guard separator == ":" || (separator == "=" && declares) else { continue }
      if isUnorderedType(tokens, at: index + 2) {
        unordered.insert(tokens[index].text)
      } else if declares {
        other.insert(tokens[index].text)
      }
    }
    return (unordered, other)
  }

  /// `[K: V]`, `Set<…>`, `Dictionary<…>`, at `start`; also where such a value is made.
  private static func isUnorderedType(_ tokens: [Token], at start: Int) -> Bool {
    let first = tokens[start]
    if first.text == "Set" || first.text == "Dictionary" {
      return start + 1 < tokens.count && (tokens[start + 1].text.hasPrefix("<") || tokens[start + 1].text == "(")
    }
    guard first.text == "[" else { return false }
    var depth = 0
    for token in tokens[start...] {
      switch token.text {
      case "[", "(", "{": depth += 1
      case "]", ")", "}":
        depth -= 1
        if depth == 0 { return false }
      case ":" where depth == 1: return true
      case "," where depth == 1: return false
      default: break
      }
    }
    return false
  }

  static func check(_ file: SourceFile, unordered: Set<String>) -> [Finding] {
    let tokens = file.tokens
    return tokens.indices.compactMap { index in
      let token = tokens[index]
      guard token.kind == .word, unordered.contains(token.text) else { return nil }
      func text(_ ahead: Int) -> String { index + ahead < tokens.count ? tokens[index + ahead].text : "" }
      if text(1) == "." && walks.contains(text(2)) {
        let harmless = text(3) == "." && ordered.contains(text(4))
        if harmless { return nil }
        return finding(file, token, token.text + "." + text(2))
      }
      if isLoopedOver(tokens, index), text(1) == "{" || text(1) == "where" {
        return finding(file, token, "for … in " + token.text)
      }
      return nil
    }
  }

  /// Whether `in` stands before the path of members that ends at `index`, and a `for` before that.
  private static func isLoopedOver(_ tokens: [Token], _ index: Int) -> Bool {
    var start = index
    while start >= 2, tokens[start - 1].text == ".", tokens[start - 2].kind == .word { start -= 2 }
    guard start >= 1, tokens[start - 1].text == "in" else { return false }
    let line = tokens[start - 1].line
    return tokens[..<start].last { $0.text == "for" || $0.line < line - 2 }?.text == "for"
  }

  private static func finding(_ file: SourceFile, _ token: Token, _ found: String) -> Finding {
    Finding(path: file.path, line: token.line, rule: name, found: found, instead: instead)
  }

  /// For each file, the names that count as unordered in it.
  static func unorderedNames(_ files: [SourceFile]) -> [Set<String>] {
    let declared = files.map(declarations)
    var byRoom: [String: (unordered: Set<String>, other: Set<String>)] = [:]
    for (file, names) in zip(files, declared) {
      byRoom[file.room, default: ([], [])].unordered.formUnion(names.unordered)
      byRoom[file.room, default: ([], [])].other.formUnion(names.other)
    }
    return zip(files, declared).map { file, names in
      guard let room = byRoom[file.room] else { return names.unordered }
      return names.unordered.union(room.unordered.subtracting(room.other))
    }
  }
}
