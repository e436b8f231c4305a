import Ring

/// One scenario or world file in its own Lua state.
///
/// It is loaded once to learn what it declares, and again, into a fresh state, for each case that is played: nothing
/// that one case leaves behind reaches another.
final class Script {
  let file: String
  let text: String
  let state: LuaState
  private(set) var scenarios: [Scenario] = []
  private var caseCount = 0

  /// What `target`, `host` and `link` have made, by the numbers of their handles.
  private var worldParts: [WorldPart] = []

  /// The most of them in a file, and the most in a world.
  static let worldPartsMax = 4096

  /// The most logical units of a file's targets: as many as four targets can have.
  static let unitsMax = 65_536
  private var unitCount = 0

  /// What plays the file's functions; nil while it is only being loaded.
  weak var player: Player?

  private enum WorldPart {
    case target(TargetDescription)
    case host(HostDescription)
    case link(LinkDescription)

    func add(to world: inout WorldDescription) {
      switch self {
      case .target(let target): world.targets.append(target)
      case .host(let host): world.hosts.append(host)
      case .link(let link): world.links.append(link)
      }
    }
  }

  /// The text of a file, without the mark that some editors begin one with.
  ///
  /// - Throws: For bytes that are not UTF-8: they would be others in the script's strings.
  static func text(of bytes: [UInt8], file: String) throws(FileMistake) -> String {
    let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    var (decoder, rest, line) = (UTF8(), bytes.makeIterator(), 1)
    while case .scalarValue(let scalar) = decoder.decode(&rest) {
      if scalar == "\n" { line += 1 }
    }
    throw FileMistake(
      message: "\(file):\(line): expected UTF-8, found another byte (in a string, \"\\xE9\" is the byte E9h)")
  }

  /// Loads and runs the file.
  init(file: String, text: String, limits: LuaState.Limits = LuaState.Limits()) throws(FileMistake) {
    guard let state = LuaState(limits: limits) else {
      throw FileMistake(message: "\(file): there is no memory for a Lua state of \(limits.memory) bytes")
    }
    self.file = file
    self.text = text
    self.state = state
    define()
    _ = try state.run(file: file, text: text)
  }

  /// The world that the file describes, as `simsan serve` deploys it: all its targets.
  var world: WorldDescription {
    var world = WorldDescription()
    for part in worldParts { part.add(to: &world) }
    return world
  }

  // MARK: What stands in it

  /// The line of the file at a place, without the blanks around it and as far as a report takes it; nil where there is none.
  func source(at place: SourceLocation) -> String? {
    guard place.file == file else { return nil }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.indices.contains(place.line - 1) else { return nil }
    let line = lines[place.line - 1].drop { $0.isWhitespace }.prefix(200)
    return line.isEmpty ? nil : String(line)
  }

  /// The lines of the file that a traceback goes through above the first, which is where it begins.
  func callers(in traceback: String) -> [(line: Int, text: String)] {
    let lines = traceback.split(separator: "\n").compactMap { entry -> Int? in
      let entry = entry.drop { $0.isWhitespace }
      guard entry.hasPrefix("\(file):") else { return nil }
      return Int(entry.dropFirst(file.count + 1).prefix { $0.isNumber })
    }
    return lines.dropFirst().compactMap { line in
      source(at: SourceLocation(file: file, line: line)).map { (line, $0) }
    }
  }

  // MARK: What a file can call while it is loaded

  private func define() {
    for kind in LuaKind.allCases {
      state.define(kind: kind) { [unowned self] call throws(LuaFailure) in
        guard let player else { throw LuaFailure("a \(kind.name) has no fields before the scenario plays") }
        return try player.field(of: kind, call)
      }
    }
    declaring("scenario") { (script, call) throws(LuaFailure) in
      guard script.player == nil else { throw LuaFailure("scenario: expected at the top of the file, not within play") }
      let scenario = try ScenarioReader.scenario(
        call[0], index: script.scenarios.count, location: call.location ?? SourceLocation(file: script.file, line: 1)
      ) { value throws(LuaFailure) in try script.world(value) }
      script.caseCount += scenario.caseCount
      guard script.caseCount <= ScenarioReader.casesMax else {
        throw LuaFailure(
          "scenario: expected at most \(ScenarioReader.casesMax) cases in one file, found more; make several files of it"
        )
      }
      script.scenarios.append(scenario)
      return .nothing
    }
    declaring("explore") { (_, _) throws(LuaFailure) in
      throw LuaFailure("explore: this simsan does not explore yet; a file for it cannot be loaded")
    }
    declaring("target") { (script, call) throws(LuaFailure) in
      let target = try WorldReader.target(call[0])
      script.unitCount += target.units.count
      guard script.unitCount <= Self.unitsMax else {
        throw LuaFailure("target: expected at most \(Self.unitsMax) logical units in one file, found more")
      }
      return try script.part(.worldTarget, .target(target))
    }
    declaring("host") { (script, call) throws(LuaFailure) in
      try script.part(.worldHost, .host(try WorldReader.host(call[0])))
    }
    declaring("link") { (script, call) throws(LuaFailure) in
      try script.part(.worldLink, .link(try WorldReader.link(call[0])))
    }
    state.define("print") { [unowned self] call throws(LuaFailure) in
      // A file that is only loaded has no report that would show it.
      player?.note(call.arguments.map(\.plain).joined(separator: "\t"), at: call.location)
      return .nothing
    }
    for function in HostLibrary.all {
      let implementation: LuaState.HostFunction = { [unowned self] call throws(LuaFailure) in
        guard let player else { throw LuaFailure("\(function.name): can be called only while a scenario plays") }
        if let kind = function.kind, call[0].kind != kind {
          // The first argument would be overlooked: t.login { name = "…" }.
          throw LuaFailure(
            "\(function.name): expected \(kind.article) \(kind.name) before the colon, found \(call[0].found)")
        }
        var call = call
        call.function = function.name
        return try function.implementation(player, call)
      }
      if let kind = function.kind {
        state.define(method: function.path, of: kind, implementation)
      } else {
        state.define(function.path, implementation)
      }
    }
    for (table, names) in HostLibrary.tables {
      state.define(missingIn: table) { call throws(LuaFailure) in
        let name = call[0].plain
        throw LuaFailure(
          "\(table) has no '\(name)'\(Suggestion.clause(for: name, among: names)); it has \(names.joined(separator: ", "))"
        )
      }
    }
  }

  /// Defines a function that reads a table; a mistake in a field is reported at that field's line.
  private func declaring(_ name: String, _ body: @escaping (Script, LuaCall) throws(LuaFailure) -> LuaAnswer) {
    state.define(name) { [unowned self] call throws(LuaFailure) in
      do throws(LuaFailure) { return try body(self, call) } catch {
        var failure = error
        if let field = failure.field, let location = call.location, location.file == file,
          let line = SourceScan.line(ofField: field, from: location.line, in: text)
        {
          failure.location = SourceLocation(file: file, line: line)
        }
        throw failure
      }
    }
  }

  private func part(_ kind: LuaKind, _ part: WorldPart) throws(LuaFailure) -> LuaAnswer {
    guard worldParts.count < Self.worldPartsMax else {
      throw LuaFailure("expected at most \(Self.worldPartsMax) targets, hosts and links in one file, found more")
    }
    worldParts.append(part)
    return .result(.handle(kind, Int64(worldParts.count - 1)))
  }

  /// Reads a scenario's `world`: one description, or a list of them.
  func world(_ value: LuaValue) throws(LuaFailure) -> WorldDescription {
    let values: [LuaValue]
    switch value {
    case .handle: values = [value]
    case .table(let table) where table.kind == nil:
      values = try Fields.items(of: table, path: "scenario.world")
    default:
      throw LuaFailure(
        "scenario.world: expected a list such as { target { … }, link { … } }, found \(value.found)",
        field: "scenario.world")
    }
    guard values.count <= Self.worldPartsMax else {
      throw LuaFailure(
        "scenario.world: expected at most \(Self.worldPartsMax) targets, hosts and links, found \(values.count)",
        field: "scenario.world")
    }
    var world = WorldDescription()
    for (index, value) in values.enumerated() {
      guard case .handle(let kind, let id) = value, [.worldTarget, .worldHost, .worldLink].contains(kind),
        worldParts.indices.contains(Int(id))
      else {
        throw LuaFailure(
          "scenario.world[\(index + 1)]: expected target { … }, host { … } or link { … }, found \(value.found)",
          field: "scenario.world")
      }
      worldParts[Int(id)].add(to: &world)
    }
    return world
  }
}
