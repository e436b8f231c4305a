import ISCSI
import Ring
import SimClock
import SimNet
import Target

/// Reads the tables that describe a world.
enum WorldReader {
  // MARK: target

  static func target(_ value: LuaValue) throws(LuaFailure) -> TargetDescription {
    var fields = try Fields(value, path: "target")
    var target = TargetDescription()
    if let iqn = try fields.string("iqn") { target.iqn = try name(iqn, fields, "iqn") }
    target.host = try fields.string("host") ?? target.host
    target.alias = try fields.string("alias")
    if let alias = target.alias, !(1...TextParser.valueLengthMax ~= alias.utf8.count) || alias.utf8.contains(0) {
      throw fields.wrong("alias", .text(alias), "1 to \(TextParser.valueLengthMax) bytes, none of them zero")
    }
    let portals = try fields.strings("portals") ?? []
    guard portals.count <= portalsMax else {
      throw fields.wrong("portals", .integer(Int64(portals.count)), "at most \(portalsMax) addresses")
    }
    for text in portals {
      guard let address = SocketAddress(text) else {
        throw fields.wrong("portals", .text(text), "addresses such as \"192.0.2.1:3260\" or \"[::]:3260\"")
      }
      target.portals.append(address)
    }
    target.portalGroupTag = try fields.integer("portal_group", in: 0...65535) ?? 1
    target.initiators = try fields.strings("initiators")?.map { text throws(LuaFailure) in
      try name(text, fields, "initiators")
    }
    if let word = try fields.word("send_policy", among: sendPolicies.map(\.word)),
      let found = sendPolicies.first(where: { $0.word == word })
    {
      target.sendPolicy = found.policy
    }
    target.shard = try fields.integer("shard", in: 0...TargetDescription.shardMax)
    target.keys = try keys(fields.any("keys"))
    target.limits = try limits(fields.any("limits"))
    var numbers: Set<UInt16> = []
    for (index, value) in (try fields.list("luns", hint: lunHint) ?? []).enumerated() {
      let unit = try self.unit(value, position: index)
      if !numbers.insert(unit.lun).inserted {
        throw LuaFailure(
          "target.luns[\(index + 1)]: expected a LUN of its own, found a second \(unit.lun)",
          field: "target.luns[\(index + 1)]")
      }
      target.units.append(unit)
    }
    try fields.finish()
    if target.units.isEmpty { target.units = [UnitDescription()] }
    return target
  }

  /// The most portals of a target.
  private static let portalsMax = 256

  private static let lunHint = " (the number of a logical unit is said within its table: lun = 0)"

  /// The words for the ways in which answers go out.
  static let sendPolicies: [(word: String, policy: SendPolicy)] = [
    ("batching", .batching), ("nodelay", .noDelay), ("cork", .cork), ("adaptive-nagle", .adaptiveNagle),
  ]

  /// The name of a node in the form in which names are compared, which is the one that the target makes of what it is sent.
  private static func name(_ text: String, _ fields: Fields, _ field: String) throws(LuaFailure) -> String {
    if let name = ISCSIName.normalized(text.utf8) { return name }
    throw fields.wrong(
      field, .text(text),
      "an iSCSI name such as \"iqn.2026-11.example:disk\", of ASCII letters, digits, '-', '.' and ':' and up to "
        + "\(ISCSIName.lengthMax) bytes, eui. with 16 hexadecimal digits, or naa. with 16 or 32 (RFC 7143 §4.2.7)")
  }

  private static func keys(_ value: LuaValue) throws(LuaFailure) -> KeyDescription {
    var fields = try Fields(value, path: "target.keys")
    var keys = KeyDescription()
    keys.maxRecvDataSegmentLength = try fields.integer("MaxRecvDataSegmentLength", in: KeyTable.lengths)
    keys.maxBurstLength = try fields.integer("MaxBurstLength", in: KeyTable.lengths)
    keys.firstBurstLength = try fields.integer("FirstBurstLength", in: KeyTable.lengths)
    keys.maxOutstandingR2T = try fields.integer("MaxOutstandingR2T", in: 1...64)
    keys.initialR2T = try yes(&fields, "InitialR2T")
    keys.immediateData = try yes(&fields, "ImmediateData")
    keys.crc32c = try fields.flag("crc32c")
    try fields.finish()
    return keys
  }

  /// `"Yes"`, `"No"`, or a boolean.
  private static func yes(_ fields: inout Fields, _ name: String) throws(LuaFailure) -> Bool? {
    let value = fields.any(name)
    switch value {
    case .none: return nil
    case .boolean(let flag): return flag
    default:
      guard let text = value.text, text == "Yes" || text == "No" else {
        throw fields.wrong(name, value, "\"Yes\" or \"No\"")
      }
      return text == "Yes"
    }
  }

  /// Without any time between two pings there would be nothing else.
  private static let pingTimeMin = Interval.milliseconds(1)

  private static func limits(_ value: LuaValue) throws(LuaFailure) -> LimitDescription {
    var fields = try Fields(value, path: "target.limits")
    var limits = LimitDescription()
    limits.commandWindow = try fields.integer("command_window", in: 1...1024)
    limits.connections = try fields.integer("connections", in: 1...65000)
    limits.pendingLogins = try fields.integer("pending_logins", in: 1...65000)
    limits.loginTimeout = try fields.time("login_timeout")
    limits.pingInterval = try fields.time("ping_interval", atLeast: pingTimeMin)
    limits.pingTimeout = try fields.time("ping_timeout", atLeast: pingTimeMin)
    limits.tasks = try fields.integer("tasks", in: 1...65535)
    limits.memory = try fields.size("memory", in: (1 << 20)...(1 << 40))
    try fields.finish()
    return limits
  }

  /// No logical unit has so many bytes: sums of offsets stay far from the edge of a number.
  private static let sizeLimit: UInt64 = 1 << 62

  private static func unit(_ value: LuaValue, position: Int) throws(LuaFailure) -> UnitDescription {
    var fields = try Fields(value, path: "target.luns[\(position + 1)]")
    var unit = UnitDescription()
    unit.lun = try fields.integer("lun", in: 0...16383) ?? UInt16(truncatingIfNeeded: position)
    unit.size = try fields.size("size")
    unit.blockSize = try fields.integer("block_size", in: 512...4096) ?? 512
    guard unit.blockSize == 512 || unit.blockSize == 4096 else {
      throw fields.wrong("block_size", .integer(Int64(unit.blockSize)), "512 or 4096")
    }
    unit.physicalBlockSize = try fields.integer("physical_block_size", in: 512...(1 << 24))
    if let physical = unit.physicalBlockSize, physical & (physical - 1) != 0 || physical < unit.blockSize {
      throw fields.wrong(
        "physical_block_size", .integer(Int64(physical)), "a power of two that is not less than the block size")
    }
    let file = try fields.string("file")
    let isMemory = try fields.flag("memory") ?? false
    let isNull = try fields.flag("null") ?? false
    let backings = (file == nil ? 0 : 1) + (isMemory ? 1 : 0) + (isNull ? 1 : 0)
    guard backings <= 1 else {
      throw LuaFailure(
        "\(fields.path): expected one of file, memory, null; found \(backings) of them", field: fields.path)
    }
    if let file { unit.backing = .file(file) }
    if isMemory { unit.backing = .memory }
    if isNull { unit.backing = .null }
    unit.isReadOnly = try fields.flag("read_only") ?? false
    unit.isThin = try fields.flag("thin") ?? false
    unit.isRemovable = try fields.flag("removable") ?? false
    unit.isWriteBack = try fields.word("cache", among: ["write-back", "write-through"]) != "write-through"
    unit.isDirect = try fields.flag("direct") ?? false
    unit.serial = try text(&fields, "serial", atMost: 36)
    unit.vendor = try text(&fields, "vendor", atMost: 8)
    unit.product = try text(&fields, "product", atMost: 16)
    unit.revision = try text(&fields, "revision", atMost: 4)
    unit.disk = try disk(fields.any("disk"), path: "\(fields.path).disk")
    try fields.finish()
    if let size = unit.size {
      guard size < sizeLimit else {
        throw fields.wrong("size", fields.any("size"), "less than \(Quantity.text(bytes: sizeLimit))")
      }
      guard size >= UInt64(unit.blockSize), size % UInt64(unit.blockSize) == 0 else {
        throw fields.wrong(
          "size", .text(Quantity.text(bytes: size)), "a multiple of the block size of \(unit.blockSize) bytes")
      }
    } else if isMemory || isNull {
      unit.size = UnitDescription.defaultSize
    }
    return unit
  }

  private static func text(_ fields: inout Fields, _ name: String, atMost: Int) throws(LuaFailure) -> String? {
    guard let text = try fields.string(name) else { return nil }
    guard text.utf8.count <= atMost, text.utf8.allSatisfy({ (32...126).contains($0) }) else {
      throw fields.wrong(name, .text(text), "up to \(atMost) printable ASCII characters")
    }
    return text
  }

  private static func disk(_ value: LuaValue, path: String) throws(LuaFailure) -> DiskDescription {
    var fields = try Fields(value, path: path)
    var disk = DiskDescription()
    disk.latency = try fields.time("latency")
    disk.jitter = try fields.time("jitter")
    disk.bandwidth = try fields.rate("bandwidth")
    disk.flushLatency = try fields.time("flush_latency")
    disk.atomicUnit = try atomicUnit(&fields)
    try fields.finish()
    return disk
  }

  /// What a power cut does not tear, in bytes. The durability model knows sectors, and no parts of them.
  static func atomicUnit(_ fields: inout Fields) throws(LuaFailure) -> Int? {
    guard let length: Int = try fields.integer("atomic_unit", in: 1...(1 << 20)) else { return nil }
    guard length % DurabilityModel.sectorLength == 0 else {
      throw fields.wrong(
        "atomic_unit", .integer(Int64(length)), "a multiple of \(DurabilityModel.sectorLength) bytes")
    }
    return length
  }

  // MARK: host and link

  static func host(_ value: LuaValue) throws(LuaFailure) -> HostDescription {
    var fields = try Fields(value, path: "host")
    var host = HostDescription()
    guard let name = try fields.string("name"), !name.isEmpty else {
      throw fields.wrong("name", .none, "a name for the host")
    }
    host.name = name
    if let text = try fields.string("address") {
      guard let address = SocketAddress(text, defaultPort: 0) else {
        throw fields.wrong("address", .text(text), "an address such as \"10.0.0.7\" or \"fd00::7\"")
      }
      host.address = address
    }
    host.sendBuffer = try fields.size("send_buffer", in: 1...bytesMax)
    host.receiveBuffer = try fields.size("receive_buffer", in: 1...bytesMax)
    host.nagle = try fields.flag("nagle") ?? false
    host.acknowledgementDelay = try fields.time("acknowledgement_delay")
    host.hasInitiator = try fields.flag("initiator") ?? false
    try work(of: &host, fields.any("work"))
    try fields.finish()
    return host
  }

  /// More than a real host or link keeps of a stream.
  private static let bytesMax: UInt64 = 1 << 30

  /// Longer than any stage of a real host takes; so sums stay far from the edge of a number.
  private static let workMax = Interval.seconds(1)

  private static func work(of host: inout HostDescription, _ value: LuaValue) throws(LuaFailure) {
    var fields = try Fields(value, path: "host.work")
    host.threadWork.wake = try workTime(&fields, "wake")
    host.threadWork.step = try workTime(&fields, "step")
    host.threadWork.completion = try workTime(&fields, "completion")
    host.threadWork.kibibyteIn = try workTime(&fields, "received")
    host.threadWork.kibibyteOut = try workTime(&fields, "sent")
    host.networkWork.send = try workTime(&fields, "send")
    host.networkWork.segmentOut = try workTime(&fields, "segment_out")
    host.networkWork.kibibyteOut = try workTime(&fields, "kibibyte_out")
    host.networkWork.transmitDelay = try workTime(&fields, "transmit_delay")
    host.networkWork.segmentIn = try workTime(&fields, "segment_in")
    host.networkWork.kibibyteIn = try workTime(&fields, "kibibyte_in")
    host.networkWork.interruptDelay = try workTime(&fields, "interrupt_delay")
    host.networkWork.oneCore = try fields.flag("one_core") ?? false
    try fields.finish()
  }

  /// Nothing where nothing is said.
  private static func workTime(_ fields: inout Fields, _ name: String) throws(LuaFailure) -> Interval {
    guard let time = try fields.time(name) else { return .zero }
    guard time <= workMax else { throw fields.wrong(name, fields.any(name), "a time of at most 1s") }
    return time
  }

  static func link(_ value: LuaValue) throws(LuaFailure) -> LinkDescription {
    var fields = try Fields(value, path: "link")
    var link = LinkDescription()
    link.between = try fields.strings("between") ?? []
    guard link.between.count == 2, link.between[0] != link.between[1] else {
      throw fields.wrong("between", fields.any("between"), "two host names such as { \"a\", \"target\" }")
    }
    link.latency = try fields.time("latency")
    link.jitter = try fields.time("jitter")
    link.bandwidth = try fields.rate("bandwidth")
    link.burst = try fields.size("burst", in: 0...bytesMax)
    link.mtu = try fields.integer("mtu", in: 128...65535)
    link.queue = try fields.size("queue", in: 0...bytesMax)
    link.loss = try ratio(&fields, "loss")
    link.corruption = try ratio(&fields, "corruption")
    link.shortReceive = try ratio(&fields, "short_receive")
    let segmentation = fields.any("segmentation")
    switch segmentation {
    case .none: break
    case _ where segmentation.text == "full": link.segmentation = .full
    case _ where segmentation.text == "drawn": link.segmentation = .drawn
    default:
      guard let every = segmentation.int, every > 0 else {
        throw fields.wrong("segmentation", segmentation, "\"full\", \"drawn\" or a number of bytes")
      }
      link.segmentation = .every(UInt64(every))
    }
    try fields.finish()
    return link
  }

  static func ratio(_ fields: inout Fields, _ name: String) throws(LuaFailure) -> Ratio? {
    let value = fields.any(name)
    if value.isNone { return nil }
    let parts = (value.text ?? "").split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let numerator = UInt64(parts[0]), let denominator = UInt64(parts[1]), denominator > 0,
      numerator <= denominator
    else { throw fields.wrong(name, value, "a ratio such as \"1/1000\"") }
    return Ratio(numerator, in: denominator)
  }
}
