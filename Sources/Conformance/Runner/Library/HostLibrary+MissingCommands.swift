import SCSI

/// Commands that somebody's own target need not have. Ours has all that its scenarios use.
extension HostLibrary {
  /// What SBC-4 §5.1 (table 34) marks as mandatory, and WRITE(10), without which little can be found out.
  private static let mandatory: Set<String> = [
    "test_unit_ready", "request_sense", "inquiry", "read_capacity10", "read_capacity16", "read10", "read16", "write10",
    "report_luns",
  ]

  /// The name of the command that `value` is the result of, when a real target does not have it and need not.
  static func missingCommand(_ player: Player, _ value: LuaValue) -> String? {
    guard player.playground.simulation == nil, case .table(let result) = value, result.kind == .result,
      isStatus(result, Status.checkCondition.rawValue), case .string(let cdb) = result["cdb"],
      case .table(let record) = result["sense"], case .string(let bytes) = record["raw"],
      let sense = Sense(decoding: bytes)
    else { return nil }
    return missingCommand(cdb, refusedWith: sense)
  }

  /// The name of the command that a CDB is of, when the sense data say that it is not there, and it need not be: they are about
  /// the operation code or, where that has several commands, the service action.
  static func missingCommand(_ cdb: [UInt8], refusedWith sense: Sense) -> String? {
    guard sense.key == .illegalRequest, let layout = CDBLayout.of(cdb), !mandatory.contains(layout.name) else {
      return nil
    }
    let isMissing =
      switch (sense.additional, sense.specific) {
      case (.invalidCommandOperationCode, _): true
      case (.invalidFieldInCDB, .field(inCDB: true, byte: 1, _)): layout.serviceAction != nil
      case (.invalidFieldInCDB, .none): layout.serviceAction != nil && isPlain(cdb, layout)
      default: false
      }
    return isMissing ? layout.standardName : nil
  }

  /// Whether nothing but the service action can be wrong with a CDB that asks for data.
  private static func isPlain(_ cdb: [UInt8], _ layout: CDBLayout) -> Bool {
    layout.fields.allSatisfy { field in
      switch field.name {
      case "opcode", "lba": true
      case "allocation_length": layout.read(field.name, cdb) != 0
      default: layout.read(field.name, cdb) == 0
      }
    }
  }
}
