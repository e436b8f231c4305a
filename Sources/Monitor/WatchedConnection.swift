import ISCSI
import Ring

/// One connection: cuts its two streams into PDUs, and holds each of them against what went before.
///
/// In the login phase a request is taken in only when the one before it has been answered, as the target does it: what follows
/// a login may have digests, which its last answer decides.
final class WatchedConnection {
  enum Phase {
    /// Nothing has come.
    case new
    case login
    case fullFeature
    /// The target has agreed to a logout.
    case loggedOut
    /// It is not judged any more: it does not begin with a login, or its login was refused.
    case over
  }

  /// What has come of one end's stream.
  struct Stream {
    var framer = PDUFramer()
    /// Not all of it was seen, or it cannot be cut into PDUs.
    var isLost = false
    /// When its last bytes came.
    var time = Instant.zero
  }

  let number: UInt64
  unowned let monitor: ProtocolMonitor
  var phase = Phase.new
  /// What has come of the first header.
  private var opening: [UInt8] = []
  var streams = [Stream(), Stream()]
  var session: WatchedSession?
  var parameters = NegotiatedParameters()
  /// CID.
  var identifier: UInt16 = 0

  // MARK: Login

  var negotiation = Negotiation()
  /// The Login Request that has no answer yet.
  var pendingLogin: BasicHeader?

  // MARK: Numbers

  /// The next StatSN; nil before the first.
  var statSN: UInt32?
  /// Something was asked for again, so that numbers may repeat.
  var numbersAreLoose = false
  var lastExpCmdSN: UInt32?
  var lastMaxCmdSN: UInt32?
  var lastExpStatSN: UInt32?

  init(_ number: UInt64, _ monitor: ProtocolMonitor) {
    self.number = number
    self.monitor = monitor
  }

  func read(_ bytes: UnsafeRawBufferPointer, from side: Side, at time: Instant) {
    let index = Int(side.rawValue)
    if phase == .new { return begin(with: bytes, from: side, at: time) }
    guard phase != .over, !streams[index].isLost else { return }
    streams[index].framer.append(bytes)
    streams[index].time = time
    // What one end sends may let the other's stream go on.
    while take(from: side) || take(from: side.other) {}
  }

  /// What one end sends from here on is not known.
  func lose(_ side: Side) {
    streams[Int(side.rawValue)].isLost = true
    // Without what the login agrees on nothing can be judged.
    guard let session else { return phase = .over }
    session.loosen()
  }

  /// Its tasks end with it, or go on elsewhere.
  func close() {
    guard let session else { return }
    for case let task? in session.tasks where task.connection == number {
      if parameters.errorRecoveryLevel < 2 { session.end(task) } else { session.loosen(task.tag) }
    }
  }

  /// Takes one PDU, if it is there and it is its turn.
  private func take(from side: Side) -> Bool {
    let index = Int(side.rawValue)
    guard phase != .over, !streams[index].isLost, side == .target || pendingLogin == nil else { return false }
    let framed: FramedPDU
    do throws(FramingError) {
      guard let next = try streams[index].framer.next() else { return false }
      framed = next
    } catch {
      if case .headerDigestError(let header) = error {
        find(.headerDigestError, side, "the digest does not match", header)
      }
      lose(side)
      return true
    }
    monitor.counters.pdus += 1
    switch side {
    case .initiator: request(framed)
    case .target: response(framed)
    }
    return true
  }

  /// Whether it is a connection of iSCSI shows in its first bytes: they are a Login Request's header, or nearly so.
  private func begin(with bytes: UnsafeRawBufferPointer, from side: Side, at time: Instant) {
    opening.append(contentsOf: bytes)
    guard let first = opening.first else { return }
    let isLogin = side == .initiator && Opcode(rawValue: first & 0x3F) == .loginRequest
    guard isLogin, opening.count < HeaderView.length else {
      let header = opening.withUnsafeBytes { BasicHeader(copying: $0) }
      let isWhole = header.read { $0.versionMin == 0 && $0.totalAHSLength == 0 && $0.dataSegmentLength <= 0xFFFF }
      if isLogin, isWhole { monitor.counters.connections += 1 } else { monitor.counters.others += 1 }
      phase = isLogin && isWhole ? .login : .over
      let opening = opening
      self.opening = []
      return opening.withUnsafeBytes { read($0, from: side, at: time) }
    }
  }

  /// Tells of a breach.
  func find(_ rule: ViolationRule, _ side: Side, _ detail: String, _ header: BasicHeader? = nil) {
    monitor.tell(
      Finding(
        rule: rule, side: side, connection: number, time: streams[Int(side.rawValue)].time, detail: detail,
        header: header))
  }

  // MARK: Form, RFC 7143 §11

  /// What holds for every PDU, whatever it says.
  func checkForm(_ framed: FramedPDU, _ opcode: Opcode, _ side: Side) {
    let pdu = framed.pdu
    let layout = HeaderLayout.of(opcode)
    if let offset = layout.firstReservedByteSet(in: pdu.header) {
      find(.reservedBitsSet, side, "byte \(offset) is \(pdu.header.bytes[offset])", pdu.header)
    }
    if layout.hasConstantBit, !pdu.header.read({ $0.isFinal }) {
      find(.constantBitMissing, side, "bit 7 of byte 1 is 0", pdu.header)
    }
    if !pdu.additionalHeaders.isEmpty, opcode != .scsiCommand {
      find(.additionalHeaders, side, "\(pdu.additionalHeaders.count) bytes", pdu.header)
    }
    if !framed.paddingIsZero { find(.paddingNotZero, side, "padding holds other bytes", pdu.header) }
    // What was declared holds from the full feature phase on; before, the default does.
    let declared =
      phase == .login
      ? 8192
      : side == .target ? parameters.initiatorMaxRecvDataSegmentLength : parameters.targetMaxRecvDataSegmentLength
    if pdu.data.count > Int(declared) {
      find(.dataSegmentTooLong, side, "\(pdu.data.count) bytes of \(declared)", pdu.header)
    }
    switch opcode {
    case .readyToTransfer, .taskManagementResponse, .logoutResponse, .taskManagementRequest, .logoutRequest,
      .snackRequest:
      if !pdu.data.isEmpty { find(.dataSegmentMalformed, side, "there is none in this PDU", pdu.header) }
    default: break
    }
  }
}
