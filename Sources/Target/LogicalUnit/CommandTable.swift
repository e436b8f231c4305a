import SCSI

/// One command: everything that the device server has to know to accept it. Each family of commands lists its own in its
/// file under `Commands/`; `CommandTable.families` lists the families.
struct CommandDescriptor: Sendable {
  typealias Begin = @Sendable (LogicalUnit, inout Command, inout Context) -> Disposition
  typealias Resume = @Sendable (LogicalUnit, inout Command, CommandEvent, inout Context) -> Disposition

  /// The standard's name.
  let name: String
  let operationCode: UInt8
  let serviceAction: UInt16?

  /// The CDB USAGE DATA of REPORT SUPPORTED OPERATION CODES (SPC-4 §6.35.3), as long as the CDB: a bit is set where the
  /// field is used, and the operation code and service action stand there as they are. A CDB with a bit set elsewhere is
  /// refused, so that the map is the truth. (GROUP NUMBER is taken, and leads to nothing: SBC-4 §4.23. What only some units have
  /// use for is refused by the others, and not in their map.)
  let usage: [UInt8]
  fileprivate(set) var rule: CommandRule
  let begin: Begin
  let resume: Resume

  init(
    _ name: String, _ operationCode: UInt8, serviceAction: UInt16? = nil, usage: [UInt8],
    kind: CommandRule.Kind = .other,
    _ properties: CommandRule.Properties = [], begin: @escaping Begin,
    resume: @escaping Resume = { _, command, _, _ in
      // A command that waits for nothing is never resumed.
      assertionFailure("resumed a command that does not wait")
      command.status = Status.checkCondition.rawValue
      return .finished
    }
  ) {
    self.name = name
    self.operationCode = operationCode
    self.serviceAction = serviceAction
    self.usage = usage
    rule = CommandRule(
      usage: usage, kind: kind, properties: properties, hasServiceAction: serviceAction != nil)
    self.begin = begin
    self.resume = resume
  }
}

/// The part of a ``CommandDescriptor`` that every command passes on its way in: plain values, next to each other.
struct CommandRule: Sendable {
  /// The two families on the path that must cost nothing are called directly; all others through their descriptor.
  enum Kind: UInt8 {
    case other
    case read
    case write
  }

  struct Properties: OptionSet {
    let rawValue: UInt16

    /// Executed in the presence of a unit attention condition, without reporting it (SPC-4 §4.2.3).
    static let ignoresUnitAttention = Properties(rawValue: 1 << 0)
    /// Executed whoever holds a reservation.
    static let ignoresReservation = Properties(rawValue: 1 << 1)
    /// Needs the medium, loaded and started.
    static let needsMedium = Properties(rawValue: 1 << 2)
    /// Changes the medium: refused where that is write-protected.
    static let writes = Properties(rawValue: 1 << 3)
    /// Of thin provisioned logical units only.
    static let needsThin = Properties(rawValue: 1 << 4)
    /// Of removable media only.
    static let needsRemovable = Properties(rawValue: 1 << 5)
    /// Of logical units with COMPARE AND WRITE only.
    static let needsCompareAndWrite = Properties(rawValue: 1 << 6)
    /// Runs at once, whatever is in the task set (SPC-4: may be handled as HEAD OF QUEUE).
    static let overtakes = Properties(rawValue: 1 << 7)
    /// There is no such operation code.
    static let isUnknown = Properties(rawValue: 1 << 8)
    /// The operation code has no such service action.
    static let isUnknownServiceAction = Properties(rawValue: 1 << 9)
  }

  /// Bits of the first 16 CDB bytes that must be zero, as two big-endian halves.
  let forbiddenHigh: UInt64
  let forbiddenLow: UInt64
  let kind: Kind
  let properties: Properties
  /// The operation code alone does not name the command.
  let hasServiceAction: Bool
  /// The command's place among ``CommandTable/descriptors``.
  fileprivate(set) var row: UInt8 = 0

  static let unknown = CommandRule(usage: [], kind: .other, properties: .isUnknown, hasServiceAction: false)
  static let unknownServiceAction = CommandRule(
    usage: [], kind: .other, properties: .isUnknownServiceAction, hasServiceAction: false)

  init(usage: [UInt8], kind: Kind, properties: Properties, hasServiceAction: Bool) {
    var high: UInt64 = 0
    var low: UInt64 = 0
    for index in 0..<16 {
      // What follows the CDB in its 16 bytes is padding (RFC 7143 §11.3.5) and is not looked at.
      var allowed = index < usage.count ? usage[index] : 0xFF
      // The service action has been looked up by now.
      if index == 1 && hasServiceAction { allowed |= 0x1F }
      if index < 8 { high = high << 8 | UInt64(~allowed) } else { low = low << 8 | UInt64(~allowed) }
    }
    // The first byte of the map is the operation code itself.
    forbiddenHigh = high & 0x00FF_FFFF_FFFF_FFFF
    forbiddenLow = low
    self.kind = kind
    self.properties = properties
    self.hasServiceAction = hasServiceAction
  }
}

/// All commands, found by operation code and service action.
struct CommandTable: Sendable {
  /// Every family that there is.
  private static let families: [[CommandDescriptor]] = [
    testUnitReady, requestSense, inquiry, reportLUNs, modeSense, modeSelect, maintenance,
    startStopUnit, reserve, readCapacity, getLBAStatus,
    read, write, verify, writeAndVerify, writeSame, unmap, compareAndWrite, orWrite,
    synchronizeCache, prefetch,
  ]

  static let shared = CommandTable()

  /// In the order of operation code and service action, as REPORT SUPPORTED OPERATION CODES lists them.
  let descriptors: [CommandDescriptor]
  /// For each operation code the rule of the first of its commands, or ``CommandRule/unknown``.
  private let rules: [CommandRule]

  private init() {
    var sorted = Self.families.joined().sorted {
      ($0.operationCode, $0.serviceAction ?? 0) < ($1.operationCode, $1.serviceAction ?? 0)
    }
    var rules = [CommandRule](repeating: .unknown, count: 256)
    for index in sorted.indices.reversed() {
      sorted[index].rule.row = UInt8(index)
      rules[Int(sorted[index].operationCode)] = sorted[index].rule
    }
    descriptors = sorted
    self.rules = rules
  }

  /// The rule for a CDB.
  @inline(__always)
  func rule(for cdb: borrowing InlineArray<32, UInt8>) -> CommandRule {
    let rule = rules[Int(cdb[0])]
    return rule.hasServiceAction ? self.rule(cdb[0], serviceAction: UInt16(cdb[1] & 0x1F)) : rule
  }

  // Kept out of the path of the others, where it would take their registers.
  @inline(never)
  private func rule(_ operationCode: UInt8, serviceAction: UInt16) -> CommandRule {
    find(operationCode, serviceAction: serviceAction)?.rule ?? .unknownServiceAction
  }

  /// The command of an operation code and a service action; without one, the first of that operation code.
  func find(_ operationCode: UInt8, serviceAction: UInt16?) -> CommandDescriptor? {
    let commands = descriptors.lazy.filter { $0.operationCode == operationCode }
    guard let serviceAction else { return commands.first }
    return commands.first { $0.serviceAction == serviceAction }
  }
}
