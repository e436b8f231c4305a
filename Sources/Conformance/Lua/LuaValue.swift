/// A value that crosses the border between a script and its host.
enum LuaValue: Sendable {
  case none
  case boolean(Bool)
  case integer(Int64)
  case number(Double)
  case string([UInt8])
  case table(LuaTable)
  /// An object that the host keeps: its kind, and the host's name for it.
  case handle(LuaKind, Int64)
  /// A function of the script, by reference; see ``LuaState/release(_:)``.
  case function(Int32)
  /// Anything else, by the name of its type.
  case other(String)

  static func text(_ text: String) -> LuaValue { .string(Array(text.utf8)) }
}

/// What a handle or a record is. The raw values are what the shim knows them by.
enum LuaKind: Int32, CaseIterable, Sendable {
  case target = 1
  case connection
  case session
  case task
  case expectation
  case actor
  case fault
  case result
  case pdu
  case worldTarget
  case worldHost
  case worldLink
  case capacity
  case closure

  /// What messages call it.
  var name: String {
    switch self {
    case .worldTarget: "target description"
    case .worldHost: "host description"
    case .worldLink: "link description"
    case .result: "command result"
    case .pdu: "PDU"
    case .closure: "end of connection"
    default: "\(self)"
    }
  }

  /// What stands before its name.
  var article: String { name.first.map { "aeiou".contains($0) } == true ? "an" : "a" }
}

/// A table, its entries in the order that `pairs` has.
struct LuaTable: Sendable {
  /// What it is, when the host made it.
  var kind: LuaKind?
  var entries: [(key: LuaValue, value: LuaValue)] = []

  init(kind: LuaKind? = nil, fields: [(String, LuaValue)] = [], items: [LuaValue] = []) {
    self.kind = kind
    entries =
      items.enumerated().map { (.integer(Int64($0.offset) + 1), $0.element) }
      + fields.map { (.text($0.0), $0.1) }
  }

  /// The value under a name; `.none` when there is none.
  subscript(name: String) -> LuaValue {
    let wanted = Array(name.utf8)
    for (key, value) in entries {
      if case .string(let bytes) = key, bytes == wanted { return value }
    }
    return .none
  }

  /// Takes out the value under a name.
  mutating func remove(_ name: String) {
    let unwanted = Array(name.utf8)
    entries.removeAll { entry in
      if case .string(let bytes) = entry.key { bytes == unwanted } else { false }
    }
  }

  /// The values under 1, 2, 3 … as far as they go without a gap.
  var items: [LuaValue] {
    var result: [LuaValue] = []
    for (key, value) in entries {
      guard case .integer(let index) = key else { continue }
      if index == Int64(result.count) + 1 { result.append(value) }
    }
    return result
  }

  /// The first key that is neither a string nor the place of one of ``items``: what a reader of both would overlook.
  var stray: LuaValue? {
    let count = Int64(items.count)
    return entries.first { entry in
      switch entry.key {
      case .string: false
      case .integer(let index): index < 1 || index > count
      default: true
      }
    }?.key
  }

  /// The first key that is no string; nil when all values have names.
  var unnamed: LuaValue? {
    entries.first { entry in
      if case .string = entry.key { false } else { true }
    }?.key
  }

  /// The values under strings, in the order of their names.
  var fields: [(name: String, value: LuaValue)] {
    entries.compactMap { entry in
      guard case .string(let bytes) = entry.key else { return nil }
      return (String(decoding: bytes, as: UTF8.self), entry.value)
    }
  }
}

extension LuaValue {
  /// The text of a string; nil for any other value.
  var text: String? {
    guard case .string(let bytes) = self else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What a string consists of; of any other value its ``plain`` text.
  var bytes: [UInt8] {
    guard case .string(let bytes) = self else { return Array(plain.utf8) }
    return bytes
  }

  /// A whole number, also one that a script's division has made a float; nil for any other value.
  var int: Int64? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int64(exactly: value)
    default: nil
    }
  }

  /// What it is, when the host made it.
  var kind: LuaKind? {
    switch self {
    case .handle(let kind, _): kind
    case .table(let table): table.kind
    default: nil
    }
  }

  var isNone: Bool {
    if case .none = self { return true }
    return false
  }

  /// True for all but nil and false, as in Lua.
  var isTrue: Bool {
    switch self {
    case .none, .boolean(false): false
    default: true
    }
  }

  /// What messages say was found: `string "abc"`, `number 5`, `table`.
  var found: String {
    switch self {
    case .none: return "nothing"
    case .boolean(let value): return "boolean \(value)"
    case .integer(let value): return "number \(value)"
    case .number(let value): return "number \(value)"
    case .string(let bytes):
      let text = String(decoding: bytes.prefix(60), as: UTF8.self)
      return "string \"\(text)\(bytes.count > 60 ? "…" : "")\""
    case .table(let table):
      return table.kind.map { "\($0.article) \($0.name)" } ?? (table.entries.isEmpty ? "an empty table" : "a table")
    case .handle(let kind, _): return "\(kind.article) \(kind.name)"
    case .function: return "a function"
    case .other(let name): return "a \(name)"
    }
  }

  /// A short plain text, as `print` shows it.
  var plain: String {
    switch self {
    case .none: return "nil"
    case .boolean(let value): return "\(value)"
    case .integer(let value): return "\(value)"
    case .number(let value): return "\(value)"
    case .string(let bytes): return String(decoding: bytes, as: UTF8.self)
    case .table(let table):
      if let kind = table.kind { return kind.name }
      let parts = table.items.map(\.plain) + table.fields.map { "\($0.name) = \($0.value.plain)" }
      return "{ \(parts.joined(separator: ", ")) }"
    case .handle(let kind, let id): return "\(kind.name) \(id)"
    case .function: return "function"
    case .other(let name): return name
    }
  }
}

// MARK: The encoding of CLua

extension LuaValue {
  /// Encodes a list of values as the shim expects it.
  static func encode(_ values: [LuaValue]) -> [UInt8] {
    var bytes: [UInt8] = []
    append(UInt32(truncatingIfNeeded: values.count), to: &bytes)
    for value in values { value.append(to: &bytes) }
    return bytes
  }

  private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private static func append(_ tag: Unicode.Scalar, to bytes: inout [UInt8]) {
    bytes.append(UInt8(truncatingIfNeeded: tag.value))
  }

  private func append(to bytes: inout [UInt8]) {
    switch self {
    case .none, .other: Self.append("N", to: &bytes)
    case .boolean(let value): Self.append(value ? "T" : "F", to: &bytes)
    case .integer(let value):
      Self.append("I", to: &bytes)
      Self.append(value, to: &bytes)
    case .number(let value):
      Self.append("D", to: &bytes)
      Self.append(value.bitPattern, to: &bytes)
    case .string(let text):
      Self.append("S", to: &bytes)
      Self.append(UInt32(truncatingIfNeeded: text.count), to: &bytes)
      bytes.append(contentsOf: text)
    case .table(let table):
      let entries = table.entries.filter { !$0.value.isNone }
      Self.append("{", to: &bytes)
      Self.append(UInt32(bitPattern: table.kind?.rawValue ?? 0), to: &bytes)
      Self.append(UInt32(truncatingIfNeeded: entries.count), to: &bytes)
      for (key, value) in entries {
        key.append(to: &bytes)
        value.append(to: &bytes)
      }
    case .handle(let kind, let id):
      Self.append("@", to: &bytes)
      Self.append(kind.rawValue, to: &bytes)
      Self.append(id, to: &bytes)
    case .function(let reference):
      Self.append("f", to: &bytes)
      Self.append(reference, to: &bytes)
    }
  }

  /// Decodes a list of values that the shim has encoded; empty when the bytes are none.
  static func decode(_ bytes: UnsafeRawBufferPointer) -> [LuaValue] {
    var cursor = Cursor(bytes: bytes)
    guard let count: UInt32 = cursor.take() else { return [] }
    var values: [LuaValue] = []
    for _ in 0..<count {
      guard let value = cursor.value() else { return values }
      values.append(value)
    }
    return values
  }

  private struct Cursor {
    let bytes: UnsafeRawBufferPointer
    var at = 0

    mutating func take<T: FixedWidthInteger>() -> T? {
      guard bytes.count - at >= MemoryLayout<T>.size else { return nil }
      let value = bytes.loadUnaligned(fromByteOffset: at, as: T.self)
      at += MemoryLayout<T>.size
      return T(littleEndian: value)
    }

    mutating func run() -> [UInt8]? {
      guard let length: UInt32 = take(), bytes.count - at >= Int(length) else { return nil }
      defer { at += Int(length) }
      return Array(bytes[at..<(at + Int(length))])
    }

    mutating func value() -> LuaValue? {
      guard let tag: UInt8 = take() else { return nil }
      switch Unicode.Scalar(tag) {
      case "N": return LuaValue.none
      case "T": return .boolean(true)
      case "F": return .boolean(false)
      case "I": return take().map { (value: Int64) in .integer(value) }
      case "D": return take().map { (value: UInt64) in .number(Double(bitPattern: value)) }
      case "S": return run().map { .string($0) }
      case "?": return run().map { .other(String(decoding: $0, as: UTF8.self)) }
      case "f": return take().map { (value: Int32) in .function(value) }
      case "@":
        guard let kind: Int32 = take(), let id: Int64 = take() else { return nil }
        return LuaKind(rawValue: kind).map { .handle($0, id) } ?? .other("object")
      case "{":
        guard let kind: Int32 = take(), let count: UInt32 = take() else { return nil }
        var table = LuaTable(kind: LuaKind(rawValue: kind))
        for _ in 0..<count {
          guard let key = value(), let value = value() else { return nil }
          table.entries.append((key, value))
        }
        return .table(table)
      default: return nil
      }
    }
  }
}
