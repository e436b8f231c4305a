import ISCSI

/// `expect(x):pdu { … }`: what a PDU has in its fields. Whatever would not be looked at is refused.
extension HostLibrary {
  /// What a PDU has or has not, whatever its kind.
  private static let mayBeMissing: Set<String> = ["ahs", "rejected", "sense"]

  static func pdu(_ player: Player, _ call: LuaCall, _ value: LuaValue) throws(LuaFailure) {
    guard case .table(let wanted) = call[1], wanted.kind == nil else {
      throw LuaFailure("pdu: expected a table of fields such as { opcode = \"reject\" }, found \(call[1].found)")
    }
    let fields = try fields(of: wanted, path: "pdu")
    let opcodes = try opcodes(wanted["opcode"])
    let all = fields.map { words($0.name, $0.value, of: wanted["opcode"]) }.joined(separator: ", ")
    guard case .table(let came) = value, came.kind == .pdu else {
      throw failure(player, call, value, "a PDU with \(all)")
    }
    if let opcodes, !opcodes.contains(where: { $0 == came["opcode_number"].int }) {
      throw failure(player, call, value, "a PDU with \(all)")
    }
    for (name, want) in fields where name != "opcode" {
      let found = came[name]
      if found.isNone, !mayBeMissing.contains(name) {
        let names = came.fields.map(\.name)
        throw LuaFailure(
          "pdu: a \(came["opcode"].plain) has no field '\(name)'\(Suggestion.clause(for: name, among: names)); "
            + "it has \(names.joined(separator: ", "))")
      }
      guard try matches(found, want, path: "pdu.\(name)") else {
        throw failure(
          player, call, value, words(name, want, of: came["opcode"]),
          came: "\(came["opcode"].plain) with \(words(name, found, of: came["opcode"]))")
      }
    }
  }

  /// A field with its value; a code of a PDU of that kind by its name, too.
  private static func words(_ name: String, _ value: LuaValue, of opcode: LuaValue = .none) -> String {
    guard let number = value.int else { return "\(name) \(describe(value))" }
    switch (name, opcode.text.flatMap(PDULanguage.opcode)) {
    case ("status", .loginResponse): return "\(name) \(LoginStatus.words(UInt16(truncatingIfNeeded: number)))"
    case ("reason", .reject): return "\(name) \(RejectReason.words(UInt8(truncatingIfNeeded: number)))"
    default:
      return "\(name) \(number)\(number > 9 ? " (\(PDULanguage.hex(UInt64(truncatingIfNeeded: number), 1)))" : "")"
    }
  }

  /// The opcodes that a PDU may have, given by name or number, alone or in a list; nil when nothing is said of it.
  private static func opcodes(_ value: LuaValue) throws(LuaFailure) -> [Int64]? {
    var values = [value]
    if value.isNone { return nil }
    if case .table(let table) = value, table.kind == nil {
      values = try Fields.items(of: table, path: "pdu.opcode")
    }
    var opcodes: [Int64] = []
    for value in values {
      if let number = value.int {
        opcodes.append(number)
      } else if let known = value.text.flatMap(PDULanguage.opcode) {
        opcodes.append(Int64(known.rawValue))
      } else {
        let names = Opcode.allCases.map(\.name)
        throw LuaFailure(
          "pdu.opcode: expected an opcode's name or number, or a list of them, found \(value.found)"
            + Suggestion.clause(for: value, among: names))
      }
    }
    return opcodes
  }

  /// Whether a value is the wanted one, or one of a list, or for text and sense has the fields of a table.
  private static func matches(_ found: LuaValue, _ want: LuaValue, path: String) throws(LuaFailure) -> Bool {
    guard case .table(let wanted) = want, wanted.kind == nil else {
      return isEqual(found, want) || sameText(found, want)
    }
    switch found {
    case .none: return false
    case .table(let table):
      if wanted.entries.isEmpty { throw LuaFailure("\(path): expected what to look for in it, found an empty table") }
      for (name, value) in try fields(of: wanted, path: path) {
        guard try matches(table[name], value, path: "\(path).\(name)") else { return false }
      }
      return true
    default:
      let choices = try Fields.items(of: wanted, path: path)
      return choices.contains { isEqual(found, $0) || sameText(found, $0) }
    }
  }

  /// The fields of a table in which something is looked for by name, and nothing else.
  private static func fields(
    of table: LuaTable, path: String
  ) throws(LuaFailure) -> [(name: String, value: LuaValue)] {
    guard let other = table.unnamed else { return table.fields }
    throw LuaFailure("\(path): expected fields by name such as { name = value }, found a value under \(other.found)")
  }

  /// A text key's value is a string; a scenario may write a number.
  private static func sameText(_ found: LuaValue, _ want: LuaValue) -> Bool {
    want.int.map { found.text == String($0) } ?? false
  }
}
