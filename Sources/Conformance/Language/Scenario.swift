import Ring

/// One `scenario { … }` of a file, as declared.
struct Scenario {
  /// Its place among the scenarios of its file, from 0.
  var index: Int
  var location: SourceLocation
  /// What must hold, as a sentence.
  var title: String
  /// Identifiers of clauses of the catalogue.
  var covers: [String]
  /// What it needs of the world that it is played in; see ``Need``.
  var needs: [Need]
  /// The axes of its matrix, by name.
  var matrix: [Axis]
  var world: WorldSource
  /// The function that plays it.
  var play: Int32
  /// The most virtual time that it may take; ``Player/usualTime`` when nil.
  var within: Interval?
  /// The scenario provokes the target to break the protocol, so that the initiators' notes of it are no failure.
  var expectsViolations: Bool

  struct Axis {
    var name: String
    var values: [LuaValue]
  }

  /// How many cases it has: the combinations of its matrix.
  var caseCount: Int { matrix.reduce(1) { $0 * $1.values.count } }

  enum WorldSource {
    /// The default world, or what the needs make of it.
    case standard
    case fixed(WorldDescription)
    /// A function of the case.
    case function(Int32)
  }
}

/// What a scenario may need of its world; `docs/writing-scenarios.md` says what each word does.
enum Need: String, CaseIterable {
  /// Anything that only a simulation can do.
  case simulation
  case simNet = "sim-net"
  case simClock = "sim-clock"
  case simBackend = "sim-backend"
  /// A target that is configured for it.
  case configuration = "cfg"
  case standard = "std"
  case raw
  case digest
  case chap
  case twoInitiators = "2init"
  case twoConnections = "2conn"
  case twoPaths = "2path"
  case errorRecoveryLevel1 = "erl1"
  case errorRecoveryLevel2 = "erl2"
  /// It disturbs other initiators.
  case reset
  /// It overwrites the logical unit.
  case dataLoss = "dataloss"
  case removable
  case readOnly = "ro-lun"
  case thin
  case protection = "pi"
  case zoned = "zbc"
  case alua
  case odx
  case extendedCopy = "xcopy"
  case sanitize

  /// Whether a real target can meet it.
  var needsSimulation: Bool {
    switch self {
    case .simulation, .simNet, .simClock, .simBackend, .configuration: true
    default: false
    }
  }
}

/// One combination of a scenario's matrix: what is played, seeded, reported and sharded by itself.
struct Case {
  var file: String
  /// The file from its `scenarios` folder on, its name where it is in none: so that the seed does not depend on where the
  /// suite was called from.
  var stableFile: String
  var scenario: Int
  var title: String
  var covers: [String]
  var location: SourceLocation
  /// The combination, an entry for each axis.
  var choices: [(name: String, value: LuaValue)]

  /// The title, and the combination in brackets.
  var name: String {
    if choices.isEmpty { return title }
    return "\(title) [\(choices.map { "\($0.name)=\(Self.label($0.value))" }.joined(separator: " "))]"
  }

  /// The file and the name.
  var id: String { "\(stableFile): \(name)" }

  /// The case's own seed, from that of the run.
  func seed(from run: UInt64) -> UInt64 {
    var hash = StableHash()
    hash.add(run)
    hash.add(stableFile)
    hash.add(name)
    return hash.value
  }

  /// How a value of an axis is named: as it prints, or by its `label`.
  static func label(_ value: LuaValue) -> String {
    let label: String? = if case .table(let table) = value { table["label"].text } else { nil }
    let text = label ?? typed(value.plain)
    let scalars = text.unicodeScalars
    return scalars.count <= 60 ? text : String(scalars.prefix(59)) + "…"
  }

  /// Text with what nobody can type or read as Lua writes it, such as `\0`: a name is printed, and given to `--filter`.
  private static func typed(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
      if isControl { result += "\\\(scalar.value)" } else { result.unicodeScalars.append(scalar) }
    }
    return result
  }

  /// The cases of a scenario: the first axis varies slowest.
  ///
  /// - Parameter place: The file's path from the root on; `file` when nil.
  static func expand(_ scenario: Scenario, file: String, place: String? = nil) -> [Case] {
    let stableFile = stable(place ?? file)
    var combinations: [[(name: String, value: LuaValue)]] = [[]]
    for axis in scenario.matrix {
      combinations = combinations.flatMap { combination in axis.values.map { combination + [(axis.name, $0)] } }
    }
    return combinations.map {
      Case(
        file: file, stableFile: stableFile, scenario: scenario.index, title: scenario.title, covers: scenario.covers,
        location: scenario.location, choices: $0)
    }
  }

  private static func stable(_ path: String) -> String {
    let parts = path.split(separator: "/")
    guard let start = parts.lastIndex(of: "scenarios") else { return parts.last.map(String.init) ?? path }
    return parts[start...].joined(separator: "/")
  }

  /// What `play` gets as its second argument.
  var argument: LuaValue { .table(LuaTable(fields: choices.map { ($0.name, $0.value) })) }
}
