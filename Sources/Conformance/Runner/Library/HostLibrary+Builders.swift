import ISCSI
import Initiator

/// `pdu.*` and `cdb.*`: values that scenarios build.
extension HostLibrary {
  static let builders: [HostFunction] =
    PDULanguage.constructors.map { name, opcode in
      HostFunction("pdu.\(name)") { (player, call) throws(LuaFailure) in
        .result(try description(call[0], opcode, path: call.function))
      }
    } + [
      HostFunction("pdu.raw") { (player, call) throws(LuaFailure) in
        .result(try description(call[0], nil, path: call.function))
      }
    ]
    + CDBLayout.all.map { layout in
      HostFunction("cdb.\(layout.name)") { (player, call) throws(LuaFailure) in
        var fields = try Fields(call[0], path: call.function)
        let values = try HostLibrary.values(of: layout, &fields)
        try fields.finish()
        return .result(.string(layout.encode(values)))
      }
    }

  /// Reads the fields of a CDB.
  static func values(
    of layout: CDBLayout, _ fields: inout Fields
  ) throws(LuaFailure) -> [(String, UInt64)] {
    var values: [(String, UInt64)] = []
    for field in layout.fields {
      if let value = try bits(field.name, field.width, &fields, wraps: false) { values.append((field.name, value)) }
    }
    return values
  }

  /// A field of so many bits: a number, or for one bit also a boolean. With `wraps` the low bits of what is too wide count.
  static func bits(
    _ name: String, _ width: Int, _ fields: inout Fields, wraps: Bool
  ) throws(LuaFailure) -> UInt64? {
    let value = fields.any(name)
    if value.isNone { return nil }
    if width == 1, case .boolean(let flag) = value { return flag ? 1 : 0 }
    let most = width >= 64 ? UInt64.max : 1 << UInt64(width) - 1
    guard let number = value.int else {
      throw fields.wrong(name, value, width == 1 ? "true or false" : "a whole number from 0 to \(most)")
    }
    let raw = UInt64(bitPattern: number)
    if width >= 64 || (number >= 0 && raw <= most) { return raw }
    // Serial numbers wrap: `cmdsn = c.cmdsn - 1` means what it says at zero, too.
    if wraps, width == 32 { return raw & most }
    throw fields.wrong(name, value, "a whole number from 0 to \(most)")
  }

  /// Checks what a scenario says of a PDU, and keeps it as a record that `send` reads again.
  private static func description(_ value: LuaValue, _ opcode: Opcode?, path: String) throws(LuaFailure) -> LuaValue {
    var fields = try Fields(value, path: path)
    var bits = opcode?.rawValue ?? 0
    if opcode == nil { bits = try fields.integer("opcode", in: 0...63) ?? 0 }
    _ = try read(&fields, opcodeBits: bits)
    try fields.finish()
    guard case .table(var table) = value else { return .table(record(bits, LuaTable())) }
    if opcode == nil { table.remove("opcode") }
    return .table(record(bits, table))
  }

  private static func record(_ bits: UInt8, _ table: LuaTable) -> LuaTable {
    var record = LuaTable(kind: .pdu, fields: [("opcode_number", .integer(Int64(bits)))])
    record.entries += table.entries
    return record
  }

  /// The template of a PDU that `pdu.NAME` has made.
  static func template(_ value: LuaValue, path: String) throws(LuaFailure) -> PDUTemplate {
    guard case .table(var table) = value, table.kind == .pdu, let bits = table["opcode_number"].int else {
      throw LuaFailure("\(path): expected a PDU such as pdu.nop_out {}, found \(value.found)")
    }
    table.remove("opcode_number")
    table.kind = nil
    var fields = try Fields(.table(table), path: path)
    let template = try read(&fields, opcodeBits: UInt8(truncatingIfNeeded: bits))
    try fields.finish()
    return template
  }

  /// Reads the fields of a PDU: those of the header by name, `byte0` to `byte47`, data, text, CDB, additional headers.
  private static func read(_ fields: inout Fields, opcodeBits: UInt8) throws(LuaFailure) -> PDUTemplate {
    var template = PDUTemplate(opcodeBits: opcodeBits)
    let opcode = Opcode(rawValue: opcodeBits)
    for field in HeaderLayout.of(opcode ?? .nopOut).fields {
      if field.name == "lun" {
        if let lun = try lun(&fields) { template.overrides.append(FieldOverride("lun", lun)) }
        continue
      }
      if field.name == "opcode", opcode == nil { continue }
      if let value = try bits(field.name, field.width, &fields, wraps: true) {
        template.overrides.append(FieldOverride(field.name, value))
      }
    }
    if opcode == .loginResponse, let status = try bits("status", 16, &fields, wraps: false) {
      template.overrides += [FieldOverride("status_class", status >> 8), FieldOverride("status_detail", status & 255)]
    }
    for offset in 0..<48 {
      let value = fields.hidden("byte\(offset)")
      if value.isNone { continue }
      guard let number = value.int, (0...255).contains(number) else {
        throw fields.wrong("byte\(offset)", value, "a whole number from 0 to 255")
      }
      template.overrides.append(FieldOverride("byte\(offset)", UInt64(number)))
    }
    template.data = try fields.bytes("data") ?? []
    if let text = try self.text(fields.any("text"), path: "\(fields.path).text") {
      guard template.data.isEmpty else {
        throw LuaFailure("\(fields.path): expected one of data and text, found both")
      }
      template.data = text
    }
    template.cdb = try fields.bytes("cdb") ?? []
    if template.cdb.count > 260 {
      throw fields.wrong("cdb", .text("\(template.cdb.count) bytes"), "260 bytes at most")
    }
    template.additionalHeaders = try fields.bytes("ahs") ?? []
    return template
  }

  /// `lun = 5` in the usual encoding, or `lun_raw` as the eight bytes are.
  static func lun(_ fields: inout Fields) throws(LuaFailure) -> UInt64? {
    let raw = fields.any("lun_raw")
    if !raw.isNone {
      guard let number = raw.int else { throw fields.wrong("lun_raw", raw, "the eight bytes as a number") }
      return UInt64(bitPattern: number)
    }
    let value = fields.any("lun")
    if value.isNone { return nil }
    guard let number = value.int, let lun = LogicalUnitNumber.encode(Int(number)) else {
      throw fields.wrong("lun", value, "a LUN from 0 to \(LogicalUnitNumber.numberMax), or lun_raw for eight bytes")
    }
    return lun
  }

  /// Key=value pairs: a string as it is, a table of keys in the order of their names, or a list of `{ key, value }` or
  /// `"Key=value"` in its own order.
  static func text(_ value: LuaValue, path: String) throws(LuaFailure) -> [UInt8]? {
    switch value {
    case .none: return nil
    case .string(let bytes): return bytes
    case .table(let table) where table.kind == nil:
      if let key = table.stray {
        throw LuaFailure("\(path): expected keys by name, or a list without a gap; found one under \(key.found)")
      }
      var bytes: [UInt8] = []
      for item in table.items {
        if case .string(let text) = item {
          bytes += text + [0]
        } else if case .table(let pair) = item, let key = pair.items.first, pair.items.count == 2 {
          bytes += key.bytes + [UInt8(ascii: "=")] + pair.items[1].bytes + [0]
        } else {
          throw LuaFailure("\(path): expected \"Key=value\" or { \"Key\", \"value\" }, found \(item.found)")
        }
      }
      for case (.string(let key), let value) in table.entries {
        guard value.text != nil || value.int != nil else {
          let name = String(decoding: key, as: UTF8.self)
          throw LuaFailure("\(path).\(name): expected a string or a number, found \(value.found)")
        }
        bytes += key + [UInt8(ascii: "=")] + value.bytes + [0]
      }
      return bytes
    default: throw LuaFailure("\(path): expected a table of keys, or a string, found \(value.found)")
    }
  }
}
