/// The rooms of the house and the arrows between them.
enum Rooms {
  /// What each room may import. The law is here; Package.swift and the import lines are held against it.
  static let arrows: [String: Set<String>] = [
    "Ring": ["CMemory"],
    "ISCSI": ["CDigest"],
    "SCSI": [],
    "Target": ["Ring", "ISCSI", "SCSI", "CMemory"],
    "Initiator": ["Ring", "ISCSI", "SCSI"],
    "Load": ["Ring", "ISCSI", "SCSI"],
    "Monitor": ["Ring", "ISCSI"],
    // Synchronization: the post office is where rings of different threads meet.
    "HostRing": ["Ring", "CHost", "Glibc", "Synchronization"],
    "SimClock": ["Ring"],
    "SimNet": ["Ring", "SimClock"],
    "SimDisk": ["Ring", "SimClock"],
    "SimRing": ["Ring", "SimClock", "SimNet", "SimDisk"],
    "FaultInject": ["Ring", "SimClock", "SimNet", "SimDisk", "SimRing"],
    "Conformance": [
      "Ring", "ISCSI", "SCSI", "Target", "Initiator", "Monitor", "SimClock", "SimNet", "SimDisk", "SimRing",
      "FaultInject", "CLua", "Foundation",
    ],
    "Fuzzing": ["Ring", "ISCSI", "SCSI", "Target", "Initiator", "Load", "SimClock"],
    "Fuzz": ["Fuzzing", "Glibc"],
    "simsan": [
      "Conformance", "HostRing", "FaultInject", "SimClock", "Ring", "Target", "Initiator", "Load", "Monitor", "ISCSI",
      "CAllocation", "Foundation", "Glibc",
    ],
  ]

  /// C shims: no arrows of ours leave them.
  static let shims: Set<String> = ["CDigest", "CMemory", "CHost", "CLua", "CAllocation"]

  /// State machines without I/O, and the wire formats that they speak.
  static let machines: Set<String> = ["Ring", "ISCSI", "SCSI", "Target", "Initiator", "Load", "Monitor"]

  /// The simulated world.
  static let simulation: Set<String> = ["SimClock", "SimNet", "SimDisk", "SimRing", "FaultInject"]

  /// Where a run must be a pure function of scenario, seed and program.
  static let deterministic = machines.union(simulation).union(["Fuzzing"])
}

/// Imports follow the arrows of ``Rooms``.
enum ImportRule {
  static let name = "import"

  static func check(_ file: SourceFile, arrows: [String: Set<String>] = Rooms.arrows) -> [Finding] {
    guard let allowed = arrows[file.room] else {
      return [
        Finding(
          path: file.path, line: 1, rule: name, found: "room \(file.room) is not known",
          instead: "give it its arrows in Tests/ArchitectureTests/Rules/Rooms.swift")
      ]
    }
    return imports(file).compactMap { module, line in
      guard !allowed.contains(module), module != file.room else { return nil }
      let list = allowed.sorted().joined(separator: ", ")
      return Finding(
        path: file.path, line: line, rule: name, found: "\(file.room) imports \(module)",
        instead: list.isEmpty ? "it knows nobody" : "it may import \(list)")
    }
  }

  private static let kinds: Set<String> = [
    "struct", "class", "enum", "protocol", "func", "var", "let", "typealias", "actor",
  ]

  static func imports(_ file: SourceFile) -> [(module: String, line: Int)] {
    let tokens = file.tokens
    return tokens.indices.compactMap { index in
      guard tokens[index].text == "import", tokens[index].kind == .word, index + 1 < tokens.count else { return nil }
      let next = kinds.contains(tokens[index + 1].text) && index + 2 < tokens.count ? index + 2 : index + 1
      return (tokens[next].text, tokens[index].line)
    }
  }
}

/// Package.swift says the same as ``Rooms``: a dependency that no arrow allows would only wait for its first import.
///
/// What stands under Benchmarks/ may measure any room, and no room knows it.
enum ManifestRule {
  static func check(_ manifest: String) -> [Finding] {
    let tokens = Lexer.split(manifest).tokens
    var findings: [Finding] = []
    let names = stringContents(manifest)
    for (room, dependencies, line) in rooms(tokens, names) {
      guard let allowed = Rooms.arrows[room] else {
        if !Rooms.shims.contains(room) {
          findings.append(
            Finding(
              path: "Package.swift", line: line, rule: "import", found: "room \(room) is not known",
              instead: "give it its arrows in Tests/ArchitectureTests/Rules/Rooms.swift"))
        }
        continue
      }
      for dependency in dependencies where !allowed.contains(dependency) {
        findings.append(
          Finding(
            path: "Package.swift", line: line, rule: "import", found: "\(room) depends on \(dependency)",
            instead: "it may depend on \(allowed.sorted().joined(separator: ", "))"))
      }
    }
    return findings
  }

  /// What each string of the file says, in order, one for each string token.
  private static func stringContents(_ text: String) -> [String] {
    var contents: [String] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let code = line.prefix(upTo: line.range(of: "//")?.lowerBound ?? line.endIndex)
      let parts = code.split(separator: "\"", omittingEmptySubsequences: false)
      contents += stride(from: 1, to: parts.count, by: 2).map { String(parts[$0]) }
    }
    return contents
  }

  /// `room("Name", ["A", "B"])` and `.executableTarget(name: "Name", dependencies: ["A"], …)`.
  private static func rooms(_ tokens: [Token], _ strings: [String]) -> [(String, [String], Int)] {
    var found: [(String, [String], Int)] = []
    var nextString = 0
    var index = 0
    while index < tokens.count {
      let opens = tokens[index].text == "room" || tokens[index].text == "executableTarget"
      guard opens, index + 1 < tokens.count, tokens[index + 1].text == "(" else {
        if tokens[index].kind == .string { nextString += 1 }
        index += 1
        continue
      }
      let line = tokens[index].line
      var said: [String] = []
      var depth = 0
      var isPath = false
      var isBench = false
      index += 1
      repeat {
        if tokens[index].text == "(" { depth += 1 }
        if tokens[index].text == ")" { depth -= 1 }
        if tokens[index].text == "path" { isPath = true }
        if tokens[index].kind == .string {
          let string = nextString < strings.count ? strings[nextString] : ""
          nextString += 1
          if !isPath {
            said.append(string)
          } else if string.hasPrefix("Benchmarks/") {
            isBench = true
          }
          isPath = false
        }
        index += 1
      } while depth > 0 && index < tokens.count
      if let name = said.first, !isBench { found.append((name, Array(said.dropFirst()), line)) }
    }
    return found
  }
}
