/// A function of the scenario language that plays.
struct HostFunction: Sendable {
  /// The kind whose method it is; nil for a global function.
  var kind: LuaKind?
  /// The method's name, or the dotted global name.
  var path: String
  var implementation: @Sendable (Player, LuaCall) throws(LuaFailure) -> LuaAnswer

  /// What messages call it: `spawn`, `session:read`.
  var name: String { kind.map { "\($0):\(path)" } ?? path }

  init(
    _ path: String, of kind: LuaKind? = nil,
    _ implementation: @escaping @Sendable (Player, LuaCall) throws(LuaFailure) -> LuaAnswer
  ) {
    self.kind = kind
    self.path = path
    self.implementation = implementation
  }
}

/// All of them, so that the sandbox, the documentation and the editor's annotations can be held against one list.
enum HostLibrary {
  static let all: [HostFunction] =
    actors + builders + targetMethods + connectionMethods + sessionMethods + commandMethods + taskMethods
    + expectations + faults + workloads

  /// The tables in which functions stand, such as `fault.network`, and the names that each has.
  static let tables: [(path: String, names: [String])] = {
    var tables: [(path: String, names: [String])] = []
    for function in all where function.kind == nil {
      let parts = function.path.split(separator: ".").map(String.init)
      for (depth, name) in parts.enumerated().dropFirst() {
        let path = parts[..<depth].joined(separator: ".")
        let index = tables.firstIndex { $0.path == path } ?? tables.endIndex
        if index == tables.endIndex { tables.append((path, [])) }
        if !tables[index].names.contains(name) { tables[index].names.append(name) }
      }
    }
    return tables
  }()
}
