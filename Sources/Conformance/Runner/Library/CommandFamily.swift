import SCSI

/// A method of sessions that sends a SCSI command: which CDBs it can use, and which way its data go.
struct CommandFamily: Sendable {
  enum Data: Sendable {
    case none
    /// Data-in of the allocation length; so many bytes when the script sets none.
    case parameterIn(UInt64)
    /// Data-out that the script gives, counted in `parameter_list_length`.
    case parameterOut
    /// So many blocks of data-in.
    case blocksIn
    /// So many blocks of data-out, generated when the script gives none.
    case blocksOut
    /// As BYTCHK says.
    case verify
    /// One block of data-out, or none with NDOB.
    case oneBlockOut
    /// `ranges = { { lba, blocks }, … }`.
    case unmapList
    /// `compare` and `write`.
    case compareAndWrite

    /// Whether a script may give it data.
    var isOut: Bool {
      switch self {
      case .none, .parameterIn, .blocksIn: false
      case .parameterOut, .blocksOut, .verify, .oneBlockOut, .unmapList, .compareAndWrite: true
      }
    }
  }

  /// What the method is called.
  var name: String
  /// The CDB lengths it can use, and the layout of each; the first is the usual one.
  var layouts: [(length: Int, name: String)]
  var data: Data

  init(_ name: String, _ layouts: [(Int, String)], _ data: Data) {
    self.name = name
    self.layouts = layouts.map { (length: $0.0, name: $0.1) }
    self.data = data
  }

  /// A command with one CDB, of the same name.
  init(_ name: String, _ data: Data) { self.init(name, [(0, name)], data) }

  /// The layout for the `cdb` that a script asked for, or for what fits the block address.
  func layout(cdb: Int?, lba: UInt64, blocks: UInt64) -> CDBLayout? {
    if let cdb {
      return layouts.first { $0.length == cdb }.flatMap { CDBLayout.named($0.name) }
    }
    let needsLong = lba > UInt64(UInt32.max) || blocks > 0xFFFF
    let long = layouts.first { $0.length == 16 }
    return ((needsLong ? long : nil) ?? layouts.first).flatMap { CDBLayout.named($0.name) }
  }

  static let all: [CommandFamily] = [
    CommandFamily("test_unit_ready", .none),
    CommandFamily("request_sense", .parameterIn(252)),
    CommandFamily("inquiry", .parameterIn(255)),
    CommandFamily("read_capacity10", .parameterIn(8)),
    CommandFamily("read_capacity16", .parameterIn(32)),
    CommandFamily("report_luns", .parameterIn(4096)),
    CommandFamily("mode_sense", [(6, "mode_sense6"), (10, "mode_sense10")], .parameterIn(255)),
    CommandFamily("mode_select", [(6, "mode_select6"), (10, "mode_select10")], .parameterOut),
    CommandFamily("read", [(10, "read10"), (6, "read6"), (12, "read12"), (16, "read16")], .blocksIn),
    CommandFamily("write", [(10, "write10"), (6, "write6"), (12, "write12"), (16, "write16")], .blocksOut),
    CommandFamily(
      "write_and_verify", [(10, "write_and_verify10"), (12, "write_and_verify12"), (16, "write_and_verify16")],
      .blocksOut),
    CommandFamily("verify", [(10, "verify10"), (12, "verify12"), (16, "verify16")], .verify),
    CommandFamily("prefetch", [(10, "prefetch10"), (16, "prefetch16")], .none),
    CommandFamily("synchronize_cache", [(10, "synchronize_cache10"), (16, "synchronize_cache16")], .none),
    CommandFamily("write_same", [(10, "write_same10"), (16, "write_same16")], .oneBlockOut),
    CommandFamily("unmap", .unmapList),
    CommandFamily("compare_and_write", .compareAndWrite),
    CommandFamily("orwrite", [(16, "orwrite16")], .blocksOut),
    CommandFamily("start_stop_unit", .none),
    CommandFamily("prevent_allow_medium_removal", .none),
    CommandFamily("reserve6", .none),
    CommandFamily("release6", .none),
    CommandFamily("persistent_reserve_in", .parameterIn(4096)),
    CommandFamily("persistent_reserve_out", .parameterOut),
    CommandFamily("get_lba_status", .parameterIn(4096)),
    CommandFamily("report_target_port_groups", .parameterIn(4096)),
    CommandFamily("report_supported_operation_codes", .parameterIn(65536)),
    CommandFamily("report_supported_task_management_functions", .parameterIn(16)),
  ]
}
