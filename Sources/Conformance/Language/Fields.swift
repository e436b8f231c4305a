import Ring

/// Reads the fields of a table that a scenario wrote, once each, and refuses what it does not know.
///
/// Every mistake says where it is, what was found there, and what was expected.
struct Fields {
  /// What messages call the table: `target`, `target.luns[1]`, `session:read`.
  let path: String
  private let table: LuaTable
  private var known: [String] = []

  /// - Throws: When `value` is no plain table; nothing counts as an empty one.
  init(_ value: LuaValue, path: String) throws(LuaFailure) {
    self.path = path
    switch value {
    case .none: table = LuaTable()
    case .table(let table) where table.kind == nil: self.table = table
    default: throw LuaFailure("\(path): expected a table of named fields, found \(value.found)")
    }
  }

  /// The value under `name`, whatever it is.
  mutating func any(_ name: String) -> LuaValue {
    if !known.contains(name) { known.append(name) }
    return table[name]
  }

  /// The value under `name`, which is refused in the end unless somebody else asks for it.
  func peek(_ name: String) -> LuaValue { table[name] }

  /// The value under `name`, without listing the name among what is expected.
  mutating func hidden(_ name: String) -> LuaValue {
    let value = table[name]
    if !value.isNone { known.append(name) }
    return value
  }

  /// The values without names.
  var items: [LuaValue] { table.items }

  /// The error for a value that is not what it should be.
  func wrong(_ name: String, _ value: LuaValue, _ expected: String) -> LuaFailure {
    LuaFailure("\(path).\(name): expected \(expected), found \(value.found)", field: "\(path).\(name)")
  }

  /// The value under `name` as `read` makes it out; nil when there is none.
  private mutating func value<Result>(
    _ name: String, _ expected: String, _ read: (LuaValue) -> Result?
  ) throws(LuaFailure) -> Result? {
    let value = any(name)
    if value.isNone { return nil }
    guard let result = read(value) else { throw wrong(name, value, expected) }
    return result
  }

  mutating func string(_ name: String) throws(LuaFailure) -> String? { try value(name, "a string", \.text) }

  mutating func bytes(_ name: String) throws(LuaFailure) -> [UInt8]? {
    try value(name, "a string") { if case .string(let bytes) = $0 { bytes } else { nil } }
  }

  mutating func flag(_ name: String) throws(LuaFailure) -> Bool? {
    try value(name, "true or false") { if case .boolean(let flag) = $0 { flag } else { nil } }
  }

  mutating func integer<T: FixedWidthInteger>(_ name: String, in range: ClosedRange<T>) throws(LuaFailure) -> T? {
    try value(name, "a whole number from \(range.lowerBound) to \(range.upperBound)") { value in
      value.int.flatMap { T(exactly: $0) }.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  mutating func size(_ name: String) throws(LuaFailure) -> UInt64? {
    try value(name, "a size such as \"64MiB\", or a number of bytes", Quantity.size)
  }

  mutating func size(_ name: String, in range: ClosedRange<UInt64>) throws(LuaFailure) -> UInt64? {
    guard let size = try size(name) else { return nil }
    guard range.contains(size) else {
      let bounds = "\(Quantity.text(bytes: range.lowerBound)) to \(Quantity.text(bytes: range.upperBound))"
      throw wrong(name, any(name), "a size from \(bounds)")
    }
    return size
  }

  mutating func time(_ name: String, atLeast least: Interval = .zero) throws(LuaFailure) -> Interval? {
    let bound = least > .zero ? ", at least \(Quantity.text(least))" : ""
    return try value(name, "a time such as \"200us\" or \"1.5s\"\(bound)") {
      Quantity.time($0).flatMap { $0 >= least ? $0 : nil }
    }
  }

  mutating func rate(_ name: String) throws(LuaFailure) -> UInt64? {
    try value(name, "a rate above 0 such as \"1Gbit/s\" or \"100MB/s\"") {
      Quantity.rate($0).flatMap { $0 > 0 ? $0 : nil }
    }
  }

  /// One of a few words.
  mutating func word(_ name: String, among words: [String]) throws(LuaFailure) -> String? {
    let value = any(name)
    if value.isNone { return nil }
    guard let text = value.text, words.contains(text) else {
      let hint = Suggestion.clause(for: value, among: words)
      let choice = words.map { "\"\($0)\"" }.joined(separator: ", ")
      var mistake = wrong(name, value, words.count == 1 ? choice : "one of \(choice)")
      mistake.message += hint
      throw mistake
    }
    return text
  }

  /// A list of values; one value that is no table stands for a list of it.
  ///
  /// - Parameter hint: What to write instead of a key, added to the error for a list that has some.
  mutating func list(_ name: String, hint: String = "") throws(LuaFailure) -> [LuaValue]? {
    let value = any(name)
    switch value {
    case .none: return nil
    case .table(let table) where table.kind == nil:
      return try Self.items(of: table, path: "\(path).\(name)", hint: hint)
    default: return [value]
    }
  }

  /// The values of a table that is a list and nothing else: whatever has another key would be left out in silence.
  static func items(of table: LuaTable, path: String, hint: String = "") throws(LuaFailure) -> [LuaValue] {
    if let key = table.stray ?? table.fields.first.map({ .text($0.name) }) {
      throw LuaFailure(
        "\(path): expected a list, its values under 1, 2, 3 … without a gap; found one under \(key.found)\(hint)",
        field: path)
    }
    return table.items
  }

  mutating func strings(_ name: String) throws(LuaFailure) -> [String]? {
    guard let values = try list(name) else { return nil }
    var result: [String] = []
    for value in values {
      guard let text = value.text else { throw wrong(name, value, "a list of strings") }
      result.append(text)
    }
    return result
  }

  mutating func function(_ name: String) throws(LuaFailure) -> Int32? {
    try value(name, "a function") { if case .function(let reference) = $0 { reference } else { nil } }
  }

  /// Refuses every field that nobody has asked for. `items` says how many values without names are in order.
  func finish(items: Int = 0) throws(LuaFailure) {
    for (name, value) in table.fields where !known.contains(name) {
      throw LuaFailure(
        "\(path): unknown field '\(name)' (found \(value.found))\(Suggestion.clause(for: name, among: known)); "
          + "expected: \(known.joined(separator: ", "))", field: "\(path).\(name)")
    }
    if table.items.count > items {
      let extra = table.items[items]
      throw LuaFailure(
        "\(path): a value without a name (found \(extra.found)); expected: \(known.joined(separator: ", "))")
    }
    if let key = table.stray {
      throw LuaFailure("\(path): unexpected key \(key.found); expected: \(known.joined(separator: ", "))")
    }
  }
}
