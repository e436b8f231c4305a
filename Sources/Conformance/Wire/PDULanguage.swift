import ISCSI
import SCSI

/// PDUs as scenarios see them: tables with the field names of ``HeaderLayout``, and a few that are put together.
enum PDULanguage {
  /// `pdu.NAME` for each opcode.
  static let constructors: [(name: String, opcode: Opcode)] = [
    ("nop_out", .nopOut), ("scsi_command", .scsiCommand), ("task_management", .taskManagementRequest),
    ("login", .loginRequest), ("text", .textRequest), ("data_out", .dataOut), ("logout", .logoutRequest),
    ("snack", .snackRequest), ("nop_in", .nopIn), ("scsi_response", .scsiResponse),
    ("task_management_response", .taskManagementResponse), ("login_response", .loginResponse),
    ("text_response", .textResponse), ("data_in", .dataIn), ("logout_response", .logoutResponse),
    ("r2t", .readyToTransfer), ("async_message", .asyncMessage), ("reject", .reject),
  ]

  /// The name of an opcode's bits, as `opcode` has it.
  static func name(_ bits: UInt8) -> String {
    Opcode(rawValue: bits)?.name ?? "opcode 0x\(String(bits, radix: 16))"
  }

  /// The opcode called `name`; nil for an unknown one.
  static func opcode(_ name: String) -> Opcode? {
    Opcode.allCases.first { $0.name == name } ?? constructors.first { $0.name == name }?.opcode
  }

  // MARK: A PDU that came, as a record

  /// All fields of `pdu`.
  static func record(_ pdu: ProtocolDataUnit) -> LuaValue {
    var fields: [(String, LuaValue)] = []
    let bits = pdu.header.read { $0.opcodeBits }
    let opcode = Opcode(rawValue: bits)
    for field in HeaderLayout.of(opcode ?? .nopOut).fields {
      let value = field.read(pdu.header)
      switch field.name {
      case "opcode": fields.append(("opcode", .text(name(bits))))
      case "lun": fields += [("lun", lun(value)), ("lun_raw", .integer(Int64(bitPattern: value)))]
      default:
        fields.append(
          (field.name, field.width == 1 ? .boolean(value == 1) : .integer(Int64(bitPattern: value))))
      }
    }
    fields.append(("opcode_number", .integer(Int64(bits))))
    fields.append(("data", .string(pdu.data)))
    if !pdu.additionalHeaders.isEmpty { fields.append(("ahs", .string(pdu.additionalHeaders))) }
    switch opcode {
    case .loginResponse: fields.append(("status", .integer(Int64(pdu.header.read { $0.loginStatus }))))
    case .scsiCommand: fields.append(("cdb", .string(Array(pdu.header.array[32..<48]))))
    case .scsiResponse: if let sense = senseRecord(senseData(pdu)) { fields.append(("sense", sense)) }
    case .reject:
      if pdu.data.count >= HeaderView.length {
        let rejected = pdu.data.withUnsafeBytes { BasicHeader(copying: $0) }
        fields.append(("rejected", record(ProtocolDataUnit(header: rejected))))
      }
    default: break
    }
    switch opcode {
    case .loginRequest, .loginResponse, .textRequest, .textResponse:
      fields.append(("text", .table(LuaTable(fields: pairs(pdu.data).map { ($0.key, .text($0.value)) }))))
    default: break
    }
    return .table(LuaTable(kind: .pdu, fields: fields))
  }

  /// The pairs of a text as far as it can be read; the last of a repeated key counts.
  static func pairs(_ bytes: [UInt8]) -> [KeyValue] {
    var result: [KeyValue] = []
    var places: [String: Int] = [:]
    for part in bytes.split(separator: 0) {
      let sides = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard sides.count == 2, !sides[0].isEmpty else { continue }
      let pair = KeyValue(String(decoding: sides[0], as: UTF8.self), String(decoding: sides[1], as: UTF8.self))
      if let place = places[pair.key] {
        result[place] = pair
      } else {
        places[pair.key] = result.count
        result.append(pair)
      }
    }
    return result
  }

  private static func lun(_ raw: UInt64) -> LuaValue {
    LogicalUnitNumber.decode(raw).map { .integer(Int64($0)) } ?? .integer(Int64(bitPattern: raw))
  }

  /// The sense data of a SCSI Response, empty when it has none: in its data segment, behind SenseLength and before what else there
  /// is (RFC 7143 §11.4.7).
  static func senseData(_ response: ProtocolDataUnit) -> [UInt8] {
    guard response.data.count > 2 else { return [] }
    return Array(response.data.dropFirst(2).prefix(Int(response.data.big16(0))))
  }

  /// Sense data as a table: key and additional code by name and number.
  static func senseRecord(_ bytes: [UInt8]) -> LuaValue? {
    guard let sense = Sense(decoding: bytes) else { return nil }
    var fields: [(String, LuaValue)] = [
      ("key", .text(sense.key.name)), ("key_number", .integer(Int64(sense.key.rawValue))),
      ("asc", .integer(Int64(sense.additional.code))), ("ascq", .integer(Int64(sense.additional.qualifier))),
      ("deferred", .boolean(sense.isDeferred)), ("raw", .string(bytes)),
      ("name", .text(sense.additional.name)),
    ]
    if let information = sense.information { fields.append(("information", .integer(Int64(bitPattern: information)))) }
    switch sense.specific {
    case .none: break
    case .field(let inCDB, let byte, let bit):
      fields += [("field_in_cdb", .boolean(inCDB)), ("field_byte", .integer(Int64(byte)))]
      if let bit { fields.append(("field_bit", .integer(Int64(bit)))) }
    case .progress(let value): fields.append(("progress", .integer(Int64(value))))
    }
    return .table(LuaTable(fields: fields))
  }

  static func hex(_ value: UInt64, _ digits: Int) -> String {
    let text = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, digits - text.count)) + text
  }

  // MARK: A PDU in a line

  /// The fields that matter to somebody who reads a ladder.
  static func detail(_ pdu: ProtocolDataUnit) -> String {
    let bits = pdu.header.read { $0.opcodeBits }
    guard let opcode = Opcode(rawValue: bits) else { return "bytes \(hexBytes(pdu.header.array, most: 48))" }
    var parts: [String] = []
    if opcode == .scsiCommand {
      let cdb = Array(pdu.header.array[32..<48])
      let layout = CDBLayout.of(cdb)
      var text = layout?.standardName ?? "CDB \(hexBytes(cdb, most: 16))"
      if let layout {
        for name in ["lba", "blocks", "page_code", "allocation_length", "fua"] {
          if let value = layout.read(name, cdb), value != 0 || name == "lba" { text += " \(name)=\(value)" }
        }
      }
      parts.append(text)
    }
    if opcode == .taskManagementRequest {
      let function = pdu.header.read { $0.taskManagementFunction }
      parts.append("function=\(function)")
    }
    for field in HeaderLayout.of(opcode).fields {
      let value = field.read(pdu.header)
      switch field.name {
      case "opcode", "total_ahs_length", "cdb", "function": continue
      case "final", "immediate", "read", "write", "transit", "continue", "has_status", "overflow", "underflow",
        "acknowledge", "bidi_overflow", "bidi_underflow":
        if value == 1 { parts.append(field.name) }
      case "itt", "ttt", "referenced_task_tag", "snack_tag":
        if value != 0xFFFF_FFFF || field.name == "itt" {
          parts.append("\(field.name)=\(value == 0xFFFF_FFFF ? "none" : String(value))")
        }
      case "statsn", "expstatsn", "cmdsn", "expcmdsn", "maxcmdsn", "csg", "nsg", "status", "response", "reason":
        parts.append("\(field.name)=\(value)")
      case "status_class":
        parts.append("status=\(hex(UInt64(pdu.header.read { $0.loginStatus }), 4))")
      case "status_detail": continue
      case "isid": parts.append("isid=\(hex(value, 12))")
      case "data_segment_length": if value > 0 { parts.append("data=\(value)B") }
      case "lun": if value != 0 { parts.append("lun=\(lun(value).plain)") }
      default: if value != 0 { parts.append("\(field.name)=\(value)") }
      }
    }
    switch opcode {
    case .loginRequest, .loginResponse, .textRequest, .textResponse:
      let text = pairs(pdu.data).map { "\($0.key)=\($0.value)" }.joined(separator: " ")
      if !text.isEmpty { parts.append("{ \(text.count <= 600 ? text : text.prefix(600) + "…") }") }
    case .scsiResponse:
      if let sense = Sense(decoding: senseData(pdu)) {
        parts.append("[\(sense.key.name), \(sense.additional.name)]")
      }
    default: break
    }
    return parts.joined(separator: " ")
  }

  static func hexBytes(_ bytes: [UInt8], most: Int) -> String {
    let shown = bytes.prefix(most).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    return bytes.count > most ? shown + " …" : shown
  }
}
