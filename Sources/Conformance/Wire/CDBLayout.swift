import SCSI

/// The named fields of a CDB, for `cdb.read10 { lba = 0, blocks = 1 }` and for reading one that went by.
struct CDBLayout: Sendable {
  /// The command's name in the scenario language.
  let name: String
  let operationCode: UInt8
  /// Where the operation code alone does not say which command it is.
  let serviceAction: UInt8?
  /// Bytes.
  let length: Int
  let fields: [Field]

  struct Field: Sendable {
    let name: String
    /// From bit 7 of byte 0.
    let bit: Int
    let width: Int
  }

  /// The layout called `name`; nil when there is none.
  static func named(_ name: String) -> CDBLayout? { all.first { $0.name == name } }

  /// The layout of the command that `cdb` is; nil when it is not known.
  static func of(_ cdb: [UInt8]) -> CDBLayout? {
    guard let code = cdb.first else { return nil }
    let action = cdb.count > 1 ? cdb[1] & 0x1F : 0
    return all.first { $0.operationCode == code && ($0.serviceAction == nil || $0.serviceAction == action) }
  }

  func field(_ name: String) -> Field? { fields.first { $0.name == name } }

  /// The CDB with the given fields, and zero elsewhere. Fields that the layout does not have are left out; of a value
  /// that is too wide the low bits go in.
  func encode(_ values: [(String, UInt64)]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: length)
    bytes[0] = operationCode
    if let serviceAction { bytes[1] = serviceAction }
    for (name, value) in values {
      guard let field = field(name) else { continue }
      for index in 0..<field.width {
        let place = field.bit + field.width - 1 - index
        let mask = UInt8(0x80) >> UInt8(place % 8)
        if value >> UInt64(index) & 1 == 1 { bytes[place / 8] |= mask } else { bytes[place / 8] &= ~mask }
      }
    }
    return bytes
  }

  /// The value of a field in a CDB; zero beyond its end.
  func read(_ name: String, _ cdb: [UInt8]) -> UInt64? {
    guard let field = field(name) else { return nil }
    var value: UInt64 = 0
    for place in field.bit..<(field.bit + field.width) {
      let byte = place / 8 < cdb.count ? cdb[place / 8] : 0
      value = value << 1 | UInt64(byte >> UInt8(7 - place % 8) & 1)
    }
    return value
  }

  /// The command's name as the standard has it, from ours: `READ(10)`.
  var standardName: String {
    let digits = name.reversed().prefix { $0.isNumber }.reversed()
    let words = name.dropLast(digits.count).replacing("_", with: " ").uppercased()
    return digits.isEmpty ? words : "\(words)(\(String(digits)))"
  }

  private init(_ name: String, _ code: UInt8, action: UInt16? = nil, _ length: Int, _ fields: [Field]) {
    self.name = name
    operationCode = code
    serviceAction = action.map { UInt8(truncatingIfNeeded: $0) }
    self.length = length
    self.fields = [Field(name: "opcode", bit: 0, width: 8)] + fields + [.number("control", length - 1, 1)]
  }

  // MARK: The table

  private static let lba32 = Field.number("lba", 2, 4)
  private static let lba64 = Field.number("lba", 2, 8)
  private static let dpo = Field.bits("dpo", 1, 4)
  private static let fua = Field.bits("fua", 1, 3)
  private static let bytchk = Field.bits("bytchk", 1, 2, 2)

  private static func protect(_ letters: String) -> Field { .bits(letters + "protect", 1, 7, 3) }

  /// The block address and count of a 10-, 12- or 16-byte command.
  private static func range(_ length: Int) -> [Field] {
    switch length {
    case 10: [lba32, .bits("group_number", 6, 4, 5), .number("blocks", 7, 2)]
    case 12: [lba32, .number("blocks", 6, 4), .bits("group_number", 10, 4, 5)]
    default: [lba64, .number("blocks", 10, 4), .bits("group_number", 14, 4, 5)]
    }
  }

  private static func reads(_ name: String, _ code: UInt8, _ length: Int) -> CDBLayout {
    CDBLayout(name, code, length, [protect("rd"), dpo, fua, .bits("rarc", 1, 2)] + range(length))
  }

  private static func writes(_ name: String, _ code: UInt8, _ length: Int) -> CDBLayout {
    CDBLayout(name, code, length, [protect("wr"), dpo, fua] + range(length))
  }

  private static func verifies(_ name: String, _ code: UInt8, _ length: Int, _ letters: String = "vr") -> CDBLayout {
    CDBLayout(name, code, length, [protect(letters), dpo, bytchk] + range(length))
  }

  private static let modePage: [Field] = [
    .bits("dbd", 1, 3), .bits("pc", 2, 7, 2), .bits("page_code", 2, 5, 6), .number("subpage_code", 3, 1),
  ]

  private static let shortRange: [Field] = [Field(name: "lba", bit: 11, width: 21), .number("blocks", 4, 1)]

  static let all: [CDBLayout] = [
    CDBLayout("test_unit_ready", OperationCode.testUnitReady, 6, []),
    CDBLayout(
      "request_sense", OperationCode.requestSense, 6, [.bits("desc", 1, 0), .number("allocation_length", 4, 1)]),
    CDBLayout("read6", OperationCode.read6, 6, shortRange),
    CDBLayout("write6", OperationCode.write6, 6, shortRange),
    CDBLayout(
      "inquiry", OperationCode.inquiry, 6,
      [.bits("evpd", 1, 0), .number("page_code", 2, 1), .number("allocation_length", 3, 2)]),
    CDBLayout(
      "mode_select6", OperationCode.modeSelect6, 6,
      [.bits("pf", 1, 4), .bits("sp", 1, 0), .number("parameter_list_length", 4, 1)]),
    CDBLayout("reserve6", OperationCode.reserve6, 6, []),
    CDBLayout("release6", OperationCode.release6, 6, []),
    CDBLayout("mode_sense6", OperationCode.modeSense6, 6, modePage + [.number("allocation_length", 4, 1)]),
    CDBLayout(
      "start_stop_unit", OperationCode.startStopUnit, 6,
      [
        .bits("immed", 1, 0), .bits("power_condition_modifier", 3, 3, 4), .bits("power_condition", 4, 7, 4),
        .bits("no_flush", 4, 2), .bits("load_eject", 4, 1), .bits("start", 4, 0),
      ]),
    CDBLayout("prevent_allow_medium_removal", OperationCode.preventAllowMediumRemoval, 6, [.bits("prevent", 4, 1, 2)]),
    CDBLayout("read_capacity10", OperationCode.readCapacity10, 10, [lba32, .bits("pmi", 8, 0)]),
    reads("read10", OperationCode.read10, 10),
    writes("write10", OperationCode.write10, 10),
    verifies("write_and_verify10", OperationCode.writeAndVerify10, 10, "wr"),
    verifies("verify10", OperationCode.verify10, 10),
    CDBLayout("prefetch10", OperationCode.prefetch10, 10, [.bits("immed", 1, 1)] + range(10)),
    CDBLayout("synchronize_cache10", OperationCode.synchronizeCache10, 10, [.bits("immed", 1, 1)] + range(10)),
    CDBLayout(
      "write_same10", OperationCode.writeSame10, 10,
      [protect("wr"), .bits("anchor", 1, 4), .bits("unmap", 1, 3)] + range(10)),
    CDBLayout(
      "unmap", OperationCode.unmap, 10,
      [.bits("anchor", 1, 0), .bits("group_number", 6, 4, 5), .number("parameter_list_length", 7, 2)]),
    CDBLayout(
      "mode_select10", OperationCode.modeSelect10, 10,
      [.bits("pf", 1, 4), .bits("sp", 1, 0), .number("parameter_list_length", 7, 2)]),
    CDBLayout(
      "mode_sense10", OperationCode.modeSense10, 10,
      [.bits("llbaa", 1, 4)] + modePage + [.number("allocation_length", 7, 2)]),
    CDBLayout(
      "persistent_reserve_in", 0x5E, 10, [.bits("service_action", 1, 4, 5), .number("allocation_length", 7, 2)]),
    CDBLayout(
      "persistent_reserve_out", 0x5F, 10,
      [
        .bits("service_action", 1, 4, 5), .bits("scope", 2, 7, 4), .bits("type", 2, 3, 4),
        .number("parameter_list_length", 5, 4),
      ]),
    reads("read16", OperationCode.read16, 16),
    CDBLayout(
      "compare_and_write", OperationCode.compareAndWrite, 16,
      [protect("wr"), dpo, fua, lba64, .number("blocks", 13, 1), .bits("group_number", 14, 4, 5)]),
    writes("write16", OperationCode.write16, 16),
    writes("orwrite16", OperationCode.orWrite16, 16),
    verifies("write_and_verify16", OperationCode.writeAndVerify16, 16, "wr"),
    verifies("verify16", OperationCode.verify16, 16),
    CDBLayout("prefetch16", OperationCode.prefetch16, 16, [.bits("immed", 1, 1)] + range(16)),
    CDBLayout("synchronize_cache16", OperationCode.synchronizeCache16, 16, [.bits("immed", 1, 1)] + range(16)),
    CDBLayout(
      "write_same16", OperationCode.writeSame16, 16,
      [protect("wr"), .bits("anchor", 1, 4), .bits("unmap", 1, 3), .bits("ndob", 1, 0)] + range(16)),
    CDBLayout(
      "read_capacity16", OperationCode.serviceActionIn16, action: ServiceAction.readCapacity16, 16,
      [lba64, .number("allocation_length", 10, 4), .bits("pmi", 14, 0)]),
    CDBLayout(
      "get_lba_status", OperationCode.serviceActionIn16, action: ServiceAction.getLBAStatus, 16,
      [lba64, .number("allocation_length", 10, 4)]),
    CDBLayout(
      "service_action_in16", OperationCode.serviceActionIn16, 16,
      [.bits("service_action", 1, 4, 5), lba64, .number("allocation_length", 10, 4)]),
    CDBLayout(
      "report_luns", OperationCode.reportLUNs, 12,
      [.number("select_report", 2, 1), .number("allocation_length", 6, 4)]),
    CDBLayout(
      "report_target_port_groups", OperationCode.maintenanceIn, action: ServiceAction.reportTargetPortGroups, 12,
      [.bits("parameter_data_format", 1, 7, 3), .number("allocation_length", 6, 4)]),
    CDBLayout(
      "report_supported_operation_codes", OperationCode.maintenanceIn,
      action: ServiceAction.reportSupportedOperationCodes, 12,
      [
        .bits("rctd", 2, 7), .bits("reporting_options", 2, 2, 3), .number("requested_operation_code", 3, 1),
        .number("requested_service_action", 4, 2), .number("allocation_length", 6, 4),
      ]),
    CDBLayout(
      "report_supported_task_management_functions", OperationCode.maintenanceIn,
      action: ServiceAction.reportSupportedTaskManagementFunctions, 12,
      [.bits("repd", 2, 7), .number("allocation_length", 6, 4)]),
    CDBLayout(
      "maintenance_in", OperationCode.maintenanceIn, 12,
      [.bits("service_action", 1, 4, 5), .number("allocation_length", 6, 4)]),
    reads("read12", OperationCode.read12, 12),
    writes("write12", OperationCode.write12, 12),
    verifies("write_and_verify12", OperationCode.writeAndVerify12, 12, "wr"),
    verifies("verify12", OperationCode.verify12, 12),
  ]
}

extension CDBLayout.Field {
  /// Whole bytes.
  fileprivate static func number(_ name: String, _ byte: Int, _ count: Int) -> CDBLayout.Field {
    CDBLayout.Field(name: name, bit: byte * 8, width: count * 8)
  }

  /// `width` bits of a byte, of which `high` (7 to 0) is the highest.
  fileprivate static func bits(_ name: String, _ byte: Int, _ high: Int, _ width: Int = 1) -> CDBLayout.Field {
    CDBLayout.Field(name: name, bit: byte * 8 + 7 - high, width: width)
  }
}
