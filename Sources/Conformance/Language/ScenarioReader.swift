import Ring

/// Reads `scenario { … }`.
enum ScenarioReader {
  /// The most cases of one scenario, and of one file: it is loaded anew for each.
  static let casesMax = 20_000

  /// The most bytes of a title, and of the name of a list of a matrix: each of its cases has them in its name.
  static let titleMax = 500
  static let axisNameMax = 60

  /// The most lists of a matrix.
  static let axesMax = 32

  static func scenario(
    _ value: LuaValue, index: Int, location: SourceLocation, worlds: (LuaValue) throws(LuaFailure) -> WorldDescription
  ) throws(LuaFailure) -> Scenario {
    var fields = try Fields(value, path: "scenario")
    let title = try fields.string("title")
    let covers = try fields.strings("covers") ?? []
    var needs: [Need] = []
    for name in try fields.strings("needs") ?? [] {
      guard let need = Need(rawValue: name) else {
        let names = Need.allCases.map(\.rawValue)
        throw LuaFailure(
          "scenario.needs: expected some of \(names.joined(separator: ", ")); found \"\(name)\""
            + Suggestion.clause(for: name, among: names), field: "scenario.needs")
      }
      needs.append(need)
    }
    let matrix = try self.matrix(fields.any("matrix"))
    let worldValue = fields.any("world")
    let world: Scenario.WorldSource
    switch worldValue {
    case .none: world = .standard
    case .function(let function): world = .function(function)
    default: world = .fixed(try worlds(worldValue))
    }
    if !worldValue.isNone, !needs.contains(.configuration) { needs.append(.configuration) }
    let within = try fields.time("within")
    let expectsViolations = try fields.flag("expects_violations") ?? false
    let play = try fields.function("play")
    // A misspelt field is named before the one that it leaves missing.
    try fields.finish()
    guard let title, !title.isEmpty else {
      throw fields.wrong("title", fields.any("title"), "a sentence that says what must hold")
    }
    guard title.utf8.count <= titleMax else {
      throw fields.wrong("title", fields.any("title"), "a sentence of at most \(titleMax) bytes")
    }
    guard let play else {
      throw fields.wrong("play", .none, "a function that plays the scenario, such as function(t) … end")
    }
    return Scenario(
      index: index, location: location, title: title, covers: covers, needs: needs, matrix: matrix, world: world,
      play: play, within: within, expectsViolations: expectsViolations)
  }

  private static func matrix(_ value: LuaValue) throws(LuaFailure) -> [Scenario.Axis] {
    if value.isNone { return [] }
    guard case .table(let table) = value, table.kind == nil, table.items.isEmpty else {
      throw LuaFailure(
        "scenario.matrix: expected a table of lists such as { cdb = { 10, 12, 16 } }, found \(value.found)",
        field: "scenario.matrix")
    }
    if let key = table.stray {
      throw LuaFailure(
        "scenario.matrix: expected a name for each list such as cdb = { 10, 12, 16 }, found one under \(key.found)",
        field: "scenario.matrix")
    }
    guard table.entries.count <= axesMax else {
      throw LuaFailure(
        "scenario.matrix: expected at most \(axesMax) lists, found \(table.entries.count)", field: "scenario.matrix")
    }
    var axes: [Scenario.Axis] = []
    var count = 1
    for (name, value) in table.fields {
      guard name.utf8.count <= axisNameMax else {
        throw LuaFailure(
          "scenario.matrix: expected names of at most \(axisNameMax) bytes, found \(LuaValue.text(name).found)",
          field: "scenario.matrix")
      }
      guard case .table(let list) = value, list.kind == nil, !list.entries.isEmpty else {
        throw LuaFailure(
          "scenario.matrix.\(name): expected a list of values, found \(value.found)", field: "scenario.matrix.\(name)")
      }
      let values = try Fields.items(of: list, path: "scenario.matrix.\(name)")
      axes.append(Scenario.Axis(name: name, values: values))
      let (product, overflow) = count.multipliedReportingOverflow(by: values.count)
      guard !overflow, product <= casesMax else {
        throw LuaFailure(
          "scenario.matrix: expected \(casesMax) combinations at most, found more", field: "scenario.matrix")
      }
      count = product
      var labels: Set<String> = []
      for item in values {
        if case .function = item {
          throw LuaFailure(
            "scenario.matrix.\(name): expected plain values, found a function", field: "scenario.matrix.\(name)")
        }
        let label = Case.label(item)
        guard labels.insert(label).inserted else {
          throw LuaFailure(
            "scenario.matrix.\(name): expected values that print differently (a table can have a label), "
              + "found \"\(label)\" twice", field: "scenario.matrix.\(name)")
        }
      }
    }
    return axes
  }
}
