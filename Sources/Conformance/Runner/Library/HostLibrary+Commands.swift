import ISCSI
import Initiator
import Ring
import SCSI

/// SCSI commands.
extension HostLibrary {
  static let commandMethods: [HostFunction] =
    CommandFamily.all.map { family in
      HostFunction(family.name, of: .session) { (player, call) throws(LuaFailure) in
        let session = try session(player, call[0], call.function)
        var fields = try Fields(call[1], path: call.function)
        var command = try build(family, &fields, session, player)
        let options = try finish(&command.request, &fields, session)
        blur(&command.access, of: command.request, on: session, player)
        let task = try player.execute(
          command.request, on: session, what: family.name, access: command.access, decode: decoder(of: family.name))
        return try answer(player, call, task, options)
      }
    } + [
      HostFunction("command", of: .session) { (player, call) throws(LuaFailure) in
        let session = try session(player, call[0], call.function)
        var fields = try Fields(call[1], path: call.function)
        guard let cdb = try fields.bytes("cdb"), (1...260).contains(cdb.count) else {
          throw fields.wrong("cdb", fields.any("cdb"), "1 to 260 bytes such as cdb.read10 { … }")
        }
        var request = CommandRequest(cdb: cdb)
        request.dataOut = try fields.bytes("data") ?? []
        request.expectedDataIn = try fields.integer("read", in: 0...0xFFFF_FFFF) ?? 0
        let options = try finish(&request, &fields, session)
        let lun = LogicalUnitNumber.decode(request.lun) ?? session.lun
        var access = Access.of(
          cdb, dataOut: request.dataOut, expectedDataIn: request.expectedDataIn, unit: player.unit(session.target, lun))
        blur(&access, of: request, on: session, player)
        let name = CDBLayout.of(cdb)?.standardName ?? "command"
        let task = try player.execute(request, on: session, what: name, access: access) { PDULanguage.record($0) }
        return try answer(player, call, task, options)
      },
      HostFunction("capacity", of: .session) { (player, call) throws(LuaFailure) in
        let session = try session(player, call[0], call.function)
        var fields = try Fields(call[1], path: call.function)
        var request = CommandRequest.readCapacity16
        let options = try finish(&request, &fields, session)
        let task = try player.execute(request, on: session, what: "read_capacity16") { PDULanguage.record($0) }
        return try player.wait(call, for: "the end of read_capacity16", on: .task(task), within: options.within) {
          () throws(LuaFailure) in
          guard let result = task.result else { return nil }
          guard case .command(let outcome) = result.outcome, outcome.status == 0, outcome.dataIn.count >= 12 else {
            throw LuaFailure("capacity: READ CAPACITY(16) did not end with GOOD" + player.recorder.tail())
          }
          return [.table(capacity(outcome.dataIn))]
        }
      },
    ]

  // MARK: Building

  struct BuiltCommand {
    var request: CommandRequest
    var access: Access?
  }

  private static func build(
    _ family: CommandFamily, _ fields: inout Fields, _ session: ScriptSession, _ player: Player
  ) throws(LuaFailure) -> BuiltCommand {
    let lunValue = fields.any("lun").int ?? Int64(session.lun)
    let unit = player.unit(session.target, Int(truncatingIfNeeded: lunValue))
    let blockSize = unit?.blockSize ?? 512
    let isVariant = family.layouts.count > 1
    let cdb: Int? = isVariant ? try fields.integer("cdb", in: 6...16) : nil
    let data = family.data.isOut ? try fields.bytes("data") : nil
    // What the CDB has no field for is not asked for, and refused in the end.
    let lba = UInt64(bitPattern: fields.peek("lba").int ?? 0)
    var blocks = fields.peek("blocks").int.map { UInt64(bitPattern: $0) }
    switch family.data {
    case .blocksOut: blocks = blocks ?? data.map { UInt64(($0.count + blockSize - 1) / blockSize) } ?? 1
    case .blocksIn, .verify, .oneBlockOut: blocks = blocks ?? 1
    default: break
    }
    guard let layout = family.layout(cdb: cdb, lba: lba, blocks: blocks ?? 0) else {
      let lengths = family.layouts.map { String($0.length) }.joined(separator: ", ")
      throw fields.wrong("cdb", .integer(Int64(cdb ?? 0)), "one of \(lengths)")
    }
    var values = try self.values(of: layout, &fields)
    func set(_ name: String, _ value: UInt64) {
      if layout.field(name) != nil, !values.contains(where: { $0.0 == name }) { values.append((name, value)) }
    }
    func value(_ name: String) -> UInt64 { values.first { $0.0 == name }?.1 ?? 0 }
    if let blocks { set("blocks", blocks) }
    var request = CommandRequest(cdb: [])
    let count = Int(truncatingIfNeeded: min(blocks ?? 0, 1 << 17))
    switch family.data {
    case .none: break
    case .parameterIn(let length):
      let width = layout.field("allocation_length")?.width ?? 64
      set("allocation_length", width >= 64 ? length : min(length, 1 << UInt64(width) - 1))
      request.expectedDataIn = Int(layout.field("allocation_length") == nil ? length : value("allocation_length"))
    case .parameterOut:
      request.dataOut = data ?? []
      set("parameter_list_length", UInt64(request.dataOut.count))
      if family.name == "mode_select" { set("pf", 1) }
    case .blocksIn: request.expectedDataIn = count * blockSize
    case .blocksOut:
      request.dataOut = data ?? player.durability.pattern(lba: lba, count: count, blockSize: blockSize)
    case .verify:
      if let data {
        set("bytchk", 1)
        request.dataOut = data
      }
    case .oneBlockOut:
      if value("ndob") == 0 {
        request.dataOut = data ?? player.durability.pattern(lba: lba, count: 1, blockSize: blockSize)
      }
    case .unmapList:
      let list = try unmapList(&fields)
      request.dataOut = data ?? list
      set("parameter_list_length", UInt64(request.dataOut.count))
    case .compareAndWrite:
      let compare = try fields.bytes("compare") ?? []
      let write = try fields.bytes("write") ?? []
      request.dataOut = data ?? compare + write
      set("blocks", UInt64(request.dataOut.count / 2 / blockSize))
    }
    request.cdb = layout.encode(values)
    if let expected: Int = try fields.integer("expected", in: 0...0xFFFF_FFFF) {
      switch family.data {
      case .parameterIn, .blocksIn: request.expectedDataIn = expected
      default: request.overrides.append(FieldOverride("expected_data_transfer_length", UInt64(expected)))
      }
    }
    let access = Access.of(
      request.cdb, dataOut: request.dataOut, expectedDataIn: request.expectedDataIn, unit: unit)
    return BuiltCommand(request: request, access: access)
  }

  /// The UNMAP parameter list, SBC-4 §5.35.
  private static func unmapList(_ fields: inout Fields) throws(LuaFailure) -> [UInt8] {
    var descriptors: [UInt8] = []
    let ranges = try fields.list("ranges") ?? []
    for range in ranges {
      guard case .table(let table) = range, let lba = (table["lba"].int ?? table.items.first?.int),
        let blocks = (table["blocks"].int ?? (table.items.count > 1 ? table.items[1].int : nil))
      else { throw fields.wrong("ranges", range, "a list of ranges such as { lba = 0, blocks = 8 }") }
      descriptors.append64(UInt64(bitPattern: lba))
      descriptors.append32(UInt32(truncatingIfNeeded: blocks))
      descriptors.appendZeroes(4)
    }
    var list: [UInt8] = []
    list.append16(UInt16(truncatingIfNeeded: descriptors.count + 6))
    list.append16(UInt16(truncatingIfNeeded: descriptors.count))
    list.appendZeroes(4)
    return list + descriptors
  }

  /// Whatever a command does that was changed on purpose: it is not known, and may be of other blocks.
  private static func blur(
    _ access: inout Access?, of request: CommandRequest, on session: ScriptSession, _ player: Player
  ) {
    guard request.isChangedOnPurpose else { return }
    let unit = LogicalUnitNumber.decode(request.lun).flatMap { player.unit(session.target, $0) }
    access = unit.flatMap { access?.blurred(blockSize: $0.blockSize) }
    if request.isOfOtherBlocks { player.durability.forgetAll(target: session.target) }
  }

  /// Reads what every command can be told.
  private static func finish(
    _ request: inout CommandRequest, _ fields: inout Fields, _ session: ScriptSession
  ) throws(LuaFailure) -> RequestOptions {
    request.lun = try lun(&fields) ?? LogicalUnitNumber.encode(session.lun) ?? 0
    let attributes = ["untagged", "simple", "ordered", "head of queue", "aca"]
    let attribute = fields.any("attribute")
    if let name = attribute.text, let index = attributes.firstIndex(of: name) {
      request.attribute = UInt8(index)
    } else if let number = attribute.int, (0...7).contains(number) {
      request.attribute = UInt8(number)
    } else if !attribute.isNone {
      throw fields.wrong("attribute", attribute, "one of \(attributes.joined(separator: ", ")), or 0 to 7")
    }
    request.isImmediate = try fields.flag("immediate") ?? false
    request.ignoresWindow = try fields.flag("ignore_window") ?? false
    request.holdsR2Ts = try fields.flag("hold_r2ts") ?? false
    request.immediateLength = try fields.integer("immediate_length", in: 0...(1 << 26))
    request.unsolicitedLength = try fields.integer("unsolicited_length", in: 0...(1 << 26))
    request.segmentLength = try fields.integer("segment_length", in: 1...(1 << 24))
    request.overrides += try FieldOverride.list(fields.any("set"), opcode: .scsiCommand, path: "\(fields.path).set")
    request.dataOutEdits = try edits(&fields)
    let options = try RequestOptions(&fields)
    request.wire = options.wire
    try fields.finish()
    return options
  }

  /// `data_out = { { burst = 0, index = 1, drop = true }, … }`: what differs in single Data-Out PDUs.
  private static func edits(_ fields: inout Fields) throws(LuaFailure) -> [DataOutEdit] {
    var result: [DataOutEdit] = []
    for (number, value) in (try fields.list("data_out") ?? []).enumerated() {
      var inner = try Fields(value, path: "\(fields.path).data_out[\(number + 1)]")
      let burst: Int? = try inner.integer("burst", in: 0...(1 << 20))
      let index: Int? = try inner.integer("index", in: 0...(1 << 20))
      var actions: [DataOutEdit.Action] = []
      if try inner.flag("drop") == true { actions.append(.drop) }
      if try inner.flag("duplicate") == true { actions.append(.duplicate) }
      if try inner.flag("move_to_end") == true { actions.append(.moveToEnd) }
      if let data = try inner.bytes("data") { actions.append(.data(data)) }
      let changes = try FieldOverride.list(inner.any("set"), opcode: .dataOut, path: "\(inner.path).set")
      if !changes.isEmpty { actions.append(.change(changes)) }
      let wire = try WireOptions(&inner)
      if wire != WireOptions() { actions.append(.wire(wire)) }
      try inner.finish()
      result += actions.map { DataOutEdit(burst: burst, index: index, $0) }
    }
    return result
  }

  // MARK: Results

  private static func decoder(of name: String) -> (TaskResult) -> LuaValue {
    { result in
      guard case .table(var table) = PDULanguage.record(result), case .command(let outcome) = result.outcome,
        outcome.status == 0
      else { return PDULanguage.record(result) }
      let data = outcome.dataIn
      func add(_ name: String, _ value: LuaValue) { table.entries.append((.text(name), value)) }
      switch name {
      case "read_capacity10" where data.count >= 8:
        add("last_lba", .integer(Int64(data.big32(0))))
        add("block_size", .integer(Int64(data.big32(4))))
      case "read_capacity16" where data.count >= 12:
        for (name, value) in capacity(data).fields { add(name, value) }
      case "report_luns" where data.count >= 8:
        let count = min(Int(data.big32(0)), data.count - 8) / 8
        let luns = (0..<count).map { index in
          let raw = data.big64(8 + index * 8)
          return LuaValue.integer(LogicalUnitNumber.decode(raw).map { Int64($0) } ?? Int64(bitPattern: raw))
        }
        add("luns", .table(LuaTable(items: luns)))
      case "inquiry" where data.count >= 36:
        add("device_type", .integer(Int64(data[0] & 0x1F)))
        add("vendor", .text(String(decoding: data[8..<16], as: UTF8.self)))
        add("product", .text(String(decoding: data[16..<32], as: UTF8.self)))
        add("revision", .text(String(decoding: data[32..<36], as: UTF8.self)))
      default: break
      }
      return .table(table)
    }
  }

  /// READ CAPACITY(16)'s parameter data, SBC-4 §5.21.2. At least 12 bytes.
  private static func capacity(_ data: [UInt8]) -> LuaTable {
    let last = data.big64(0)
    var fields: [(String, LuaValue)] = [
      ("last_lba", .integer(Int64(bitPattern: last))), ("blocks", .integer(Int64(bitPattern: last &+ 1))),
      ("block_size", .integer(Int64(data.big32(8)))),
    ]
    if data.count >= 16 {
      fields.append(("physical_exponent", .integer(Int64(data[13] & 0x0F))))
      fields.append(("lbpme", .boolean(data[14] & 0x80 != 0)))
      fields.append(("lbprz", .boolean(data[14] & 0x40 != 0)))
    }
    return LuaTable(kind: .capacity, fields: fields)
  }
}

extension CommandRequest {
  /// READ CAPACITY(16), for all that it says.
  static var readCapacity16: CommandRequest {
    var request = CommandRequest(cdb: CDBLayout.named("read_capacity16")?.encode([("allocation_length", 32)]) ?? [])
    request.expectedDataIn = 32
    return request
  }

  static var modeSense6: CommandRequest {
    let fields: [(String, UInt64)] = [("page_code", 0x3F), ("allocation_length", 255)]
    var request = CommandRequest(cdb: CDBLayout.named("mode_sense6")?.encode(fields) ?? [])
    request.expectedDataIn = 255
    return request
  }

  /// Whether something other than what the CDB and the data say may reach the medium.
  fileprivate var isChangedOnPurpose: Bool {
    !overrides.isEmpty || !dataOutEdits.isEmpty || !wire.flips.isEmpty || wire.truncateAt != nil
      || wire.headerDigestFlip != 0 || wire.dataDigestFlip != 0
  }

  /// Whether its LUN or CDB (RFC 7143 §11.3) is other than what was asked for.
  fileprivate var isOfOtherBlocks: Bool {
    let layout = HeaderLayout.of(.scsiCommand)
    let places = overrides.compactMap { override in
      layout.field(override.name).map { $0.bit / 8 } ?? Int(override.name.dropFirst("byte".count))
    }
    return (places + wire.flips.map(\.offset)).contains { 8..<16 ~= $0 || 32..<48 ~= $0 }
  }
}
