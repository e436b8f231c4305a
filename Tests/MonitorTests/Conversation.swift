import Ring
import Testing

@testable import ISCSI
@testable import Monitor

/// A connection that both ends of are played by hand, and what the monitor says of it.
///
/// What is not said is what correct ends would send: numbers and tags follow from what went before.
final class Conversation {
  let monitor: ProtocolMonitor
  private let number: UInt64
  private var now = Instant.zero

  var digests = DigestSettings()
  var cmdSN: UInt32 = 10
  /// The next StatSN, and what the target acknowledges.
  var statSN: UInt32 = 100
  var expCmdSN: UInt32 = 10
  var window: UInt32 = 32
  var tag: UInt32 = 0

  /// - Parameter keys: What both have agreed on, beside the defaults.
  init(
    _ monitor: ProtocolMonitor = ProtocolMonitor(), number: UInt64 = 1, keys: [(String, String)] = [],
    logsIn: Bool = true
  ) {
    self.monitor = monitor
    self.number = number
    monitor.opened(number)
    if logsIn { logIn(keys) }
  }

  // MARK: Sending

  func bytes(_ bytes: [UInt8], from side: Side) {
    now = now + .microseconds(1)
    bytes.withUnsafeBytes { monitor.read($0, of: number, from: side, at: now) }
  }

  func send(
    _ pdu: ProtocolDataUnit, from side: Side, _ options: EncodingOptions? = nil,
    _ change: (MutableHeaderView) -> Void = { _ in }
  ) {
    var pdu = pdu
    pdu.header.write(change)
    bytes(pdu.encoded(options ?? EncodingOptions(digests: digests)), from: side)
  }

  /// A PDU of the initiator with its numbers; one that is not immediate takes a CmdSN.
  func ask(
    _ opcode: Opcode, isImmediate: Bool = false, isFinal: Bool = true, additional: [UInt8] = [], data: [UInt8] = [],
    _ change: (MutableHeaderView) -> Void = { _ in }
  ) {
    var pdu = ProtocolDataUnit(opcode, isFinal: isFinal, additionalHeaders: additional, data: data)
    if opcode.hasCmdSN, opcode != .loginRequest { tag += 1 }
    let hasNumber = opcode.hasCmdSN && opcode != .loginRequest
    pdu.header.write { header in
      header.initiatorTaskTag = tag
      if opcode.hasCmdSN { header.cmdSN = cmdSN }
      header.isImmediate = isImmediate
      header.expStatSN = statSN
      if opcode == .nopOut || opcode == .textRequest { header.targetTransferTag = .max }
      if opcode == .taskManagementRequest { header.referencedTaskTag = .max }
    }
    if hasNumber, !isImmediate {
      cmdSN &+= 1
      expCmdSN &+= 1
    }
    send(pdu, from: .initiator, nil, change)
  }

  /// A PDU of the target, of the newest task; it takes a StatSN where such a PDU does.
  func answer(
    _ opcode: Opcode, advances: Bool = true, isFinal: Bool = true, data: [UInt8] = [],
    _ options: EncodingOptions? = nil,
    _ change: (MutableHeaderView) -> Void = { _ in }
  ) {
    var pdu = ProtocolDataUnit(opcode, isFinal: isFinal, data: data)
    pdu.header.write { header in
      header.initiatorTaskTag = tag
      header.statSN = statSN
      header.expCmdSN = expCmdSN
      header.maxCmdSN = expCmdSN &+ window &- 1
      if [.nopIn, .textResponse, .dataIn].contains(opcode) { header.targetTransferTag = .max }
    }
    if advances { statSN &+= 1 }
    send(pdu, from: .target, options, change)
  }

  // MARK: Login

  static func text(_ pairs: [(String, String)]) -> [UInt8] {
    pairs.flatMap { Array("\($0.0)=\($0.1)".utf8) + [0] }
  }

  func loginRequest(
    _ pairs: [(String, String)], isContinued: Bool = false, _ change: (MutableHeaderView) -> Void = { _ in }
  ) {
    var pdu = ProtocolDataUnit(.loginRequest, isFinal: !isContinued, data: Self.text(pairs))
    pdu.header.write { header in
      header.isImmediate = true
      header.isTransit = !isContinued
      header.isContinued = isContinued
      header.setBits(1, 0x0F, isContinued ? 0x04 : 0x07)
      header.isid = ISID(random: 1, qualifier: 2)
      header.cmdSN = cmdSN
      header.initiatorTaskTag = tag
      header.expStatSN = statSN
    }
    send(pdu, from: .initiator, EncodingOptions(), change)
  }

  func loginResponse(
    _ pairs: [(String, String)], isContinued: Bool = false, _ change: (MutableHeaderView) -> Void = { _ in }
  ) {
    answer(.loginResponse, isFinal: !isContinued, data: Self.text(pairs), EncodingOptions()) { header in
      header.setBits(1, 0x0F, isContinued ? 0x04 : 0x07)
      header.isid = ISID(random: 1, qualifier: 2)
      header.tsih = isContinued ? 0 : 7
      change(header)
    }
  }

  static let names = [("InitiatorName", "iqn.2026-11.example:a"), ("TargetName", "iqn.2026-11.example:t")]

  private func logIn(_ keys: [(String, String)]) {
    loginRequest(Self.names + keys)
    loginResponse([("TargetPortalGroupTag", "1")] + keys)
    let pairs = keys.filter { $0.1 == "CRC32C" }.map(\.0)
    digests = DigestSettings(header: pairs.contains("HeaderDigest"), data: pairs.contains("DataDigest"))
  }

  // MARK: Commands

  func read(_ length: UInt32, _ change: (MutableHeaderView) -> Void = { _ in }) {
    ask(.scsiCommand) { header in
      header.isRead = true
      header.expectedDataTransferLength = length
      change(header)
    }
  }

  func write(
    _ length: UInt32, isFinal: Bool = true, data: [UInt8] = [], _ change: (MutableHeaderView) -> Void = { _ in }
  ) {
    ask(.scsiCommand, isFinal: isFinal, data: data) { header in
      header.isWrite = true
      header.expectedDataTransferLength = length
      change(header)
    }
  }

  /// Data-In of so many bytes.
  func dataIn(
    _ count: Int, at offset: UInt32 = 0, number: UInt32 = 0, isFinal: Bool = true, hasStatus: Bool = false,
    _ change: (MutableHeaderView) -> Void = { _ in }
  ) {
    answer(.dataIn, advances: hasStatus, isFinal: isFinal, data: [UInt8](repeating: 7, count: count)) { header in
      header.bufferOffset = offset
      header.dataSN = number
      header.hasStatus = hasStatus
      if !hasStatus { header.statSN = 0 }
      change(header)
    }
  }

  func r2t(
    _ length: UInt32, at offset: UInt32 = 0, number: UInt32 = 0, tag transferTag: UInt32 = 5,
    _ change: (MutableHeaderView) -> Void = { _ in }
  ) {
    answer(.readyToTransfer, advances: false) { header in
      header.bufferOffset = offset
      header.desiredDataTransferLength = length
      header.r2tSN = number
      header.targetTransferTag = transferTag
      change(header)
    }
  }

  func dataOut(
    _ count: Int, at offset: UInt32 = 0, number: UInt32 = 0, tag transferTag: UInt32 = 5, isFinal: Bool = true,
    _ change: (MutableHeaderView) -> Void = { _ in }
  ) {
    ask(.dataOut, isFinal: isFinal, data: [UInt8](repeating: 8, count: count)) { header in
      header.bufferOffset = offset
      header.dataSN = number
      header.targetTransferTag = transferTag
      change(header)
    }
  }

  func response(data: [UInt8] = [], _ change: (MutableHeaderView) -> Void = { _ in }) {
    answer(.scsiResponse, data: data, nil, change)
  }

  // MARK: What was found

  /// The rules that were broken since it was asked last, with who has broken them.
  func found() -> [String] { monitor.takeFindings().map { "\($0.side): \($0.rule.rawValue)" } }
}
