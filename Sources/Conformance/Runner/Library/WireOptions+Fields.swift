import ISCSI
import Initiator

/// How a PDU goes onto the wire: the second argument of `send`, and part of every command's options.
extension WireOptions {
  /// Reads `split_at`, `pause`, `truncate_at`, `pad_byte`, `header_digest_flip`, `data_digest_flip`, `flip`, `digests`.
  init(_ fields: inout Fields) throws(LuaFailure) {
    self.init()
    for value in try fields.list("split_at") ?? [] {
      guard let offset = value.int, offset > 0 else {
        throw fields.wrong("split_at", value, "an offset above 0, or a list of them")
      }
      splitAt.append(Int(offset))
    }
    splitAt.sort()
    pause = try fields.time("pause") ?? .zero
    truncateAt = try fields.integer("truncate_at", in: 0...(1 << 26))
    padByte = try fields.integer("pad_byte", in: 0...255) ?? 0
    headerDigestFlip = try fields.integer("header_digest_flip", in: 0...0xFFFF_FFFF) ?? 0
    dataDigestFlip = try fields.integer("data_digest_flip", in: 0...0xFFFF_FFFF) ?? 0
    let flip = fields.any("flip")
    switch flip {
    case .none: break
    case .table(let table) where table.kind == nil:
      for (key, value) in table.entries {
        guard let offset = key.int, offset >= 0, let mask = value.int, (1...255).contains(mask) else {
          throw fields.wrong("flip", value, "masks by offset, such as { [20] = 0x01 }")
        }
        flips.append(ByteFlip(offset: Int(offset), mask: UInt8(mask)))
      }
    default: throw fields.wrong("flip", flip, "masks by offset, such as { [20] = 0x01 }")
    }
    let digests = fields.any("digests")
    if !digests.isNone {
      var inner = try Fields(digests, path: "\(fields.path).digests")
      self.digests = DigestSettings(header: try inner.flag("header") ?? false, data: try inner.flag("data") ?? false)
      try inner.finish()
    }
  }
}

extension FieldOverride {
  /// Reads `set = { name = value }` for a PDU of `opcode`: the fields of its header, and `byte0` to `byte47`.
  static func list(_ value: LuaValue, opcode: Opcode, path: String) throws(LuaFailure) -> [FieldOverride] {
    guard case .table(let table) = value, table.kind == nil else {
      if value.isNone { return [] }
      throw LuaFailure("\(path): expected a table of fields, found \(value.found)")
    }
    if let other = table.unnamed {
      throw LuaFailure(
        "\(path): expected fields by name such as { cmdsn = 5 } or { byte1 = 0x80 }, found a value under \(other.found)"
      )
    }
    let layout = HeaderLayout.of(opcode)
    var result: [FieldOverride] = []
    for (name, _) in table.fields {
      let isByte = name.hasPrefix("byte") && Int(name.dropFirst(4)).map { (0..<48).contains($0) } == true
      let width = isByte ? 8 : layout.field(name)?.width
      guard let width else {
        let names = layout.fields.map(\.name)
        throw LuaFailure(
          "\(path): unknown field '\(name)'\(Suggestion.clause(for: name, among: names)); expected: "
            + names.joined(separator: ", ") + ", byte0 to byte47")
      }
      var fields = try Fields(.table(table), path: path)
      if name == "lun" {
        if let lun = try HostLibrary.lun(&fields) { result.append(FieldOverride("lun", lun)) }
      } else if let number = try HostLibrary.bits(name, width, &fields, wraps: true) {
        result.append(FieldOverride(name, number))
      }
    }
    return result
  }
}
