import ISCSI

/// What the initiator sends.
extension WatchedConnection {
  func request(_ framed: FramedPDU) {
    let pdu = framed.pdu
    guard let opcode = pdu.opcode, opcode.isFromInitiator else {
      return find(.unexpectedOpcode, .initiator, "opcode \(pdu.header.read { $0.opcodeBits })", pdu.header)
    }
    if framed.dataDigestIsWrong {
      find(.dataDigestError, .initiator, "the digest does not match", pdu.header)
      // RFC 7143 §7.8: the target discards it, and asks for data again where it can.
      if opcode == .dataOut { session?.task(of: pdu.header.read { $0.initiatorTaskTag })?.isOrderly = false }
      return
    }
    checkForm(framed, opcode, .initiator)
    switch phase {
    case .login:
      guard opcode == .loginRequest else {
        return find(.outOfPhase, .initiator, "a \(opcode.name) in the login phase", pdu.header)
      }
      return loginRequest(pdu)
    case .loggedOut: return
    default: break
    }
    guard let session else { return }
    checkExpStatSN(pdu)
    switch opcode {
    case .loginRequest:
      find(.outOfPhase, .initiator, "a Login Request in the full feature phase", pdu.header)
    case .dataOut: dataOut(pdu, session)
    case .snackRequest: snack(pdu, session)
    default: begin(opcode, pdu, session)
    }
  }

  /// ExpStatSN acknowledges what the target has sent, and nothing is acknowledged back.
  private func checkExpStatSN(_ pdu: ProtocolDataUnit) {
    let expStatSN = pdu.header.read { $0.expStatSN }
    if let last = lastExpStatSN, SerialNumber.precedes(expStatSN, last) {
      find(.expStatSNWrong, .initiator, "ExpStatSN \(expStatSN) after \(last)", pdu.header)
    } else if let statSN, !streams[Int(Side.target.rawValue)].isLost, SerialNumber.precedes(statSN, expStatSN) {
      find(.expStatSNWrong, .initiator, "ExpStatSN \(expStatSN), the next StatSN is \(statSN)", pdu.header)
    }
    lastExpStatSN = expStatSN
  }

  /// A request that has a CmdSN, and an answer.
  private func begin(_ opcode: Opcode, _ pdu: ProtocolDataUnit, _ session: WatchedSession) {
    let (tag, cmdSN, isImmediate) = pdu.header.read { ($0.initiatorTaskTag, $0.cmdSN, $0.isImmediate) }
    // The answer to a ping of the target, which has none itself.
    if opcode == .nopOut, tag == Self.reservedTag { return take(cmdSN, isImmediate, pdu, session) }
    if let task = session.task(of: tag) {
      // Sent again, for want of an answer.
      if task.cmdSN == cmdSN, task.isImmediate == isImmediate, task.opcode == opcode, opcode != .textRequest { return }
      if opcode == .textRequest, task.opcode == opcode, !task.isAsked {
        return goOn(task, with: pdu, session)
      }
      find(.tagInUse, .initiator, "Initiator Task Tag \(Self.hex(tag))", pdu.header)
      take(cmdSN, isImmediate, pdu, session)
      return session.loosen(tag)
    }
    take(cmdSN, isImmediate, pdu, session)
    if tag == Self.reservedTag {
      return find(.tagInUse, .initiator, "the reserved Initiator Task Tag, of a \(opcode.name)", pdu.header)
    }
    guard !session.isLoose(tag) else { return }
    let task = WatchedTask(opcode, pdu.header, on: number, order: monitor.counters.pdus)
    session.add(task)
    switch opcode {
    case .scsiCommand: beginCommand(task, pdu)
    case .textRequest:
      task.saidFinal = pdu.header.read { $0.isFinal }
      task.text = pdu.data
    case .nopOut: task.text = pdu.data
    default:
      pdu.header.read { header in
        task.code = opcode == .logoutRequest ? header.logoutReason : header.taskManagementFunction
        task.referencedTag = header.referencedTaskTag
        task.connectionID = header.connectionID
        guard opcode == .taskManagementRequest else { return }
        switch TaskManagementFunction(rawValue: task.code) {
        // §11.5.1: a task that has not come counts as received once it is aborted.
        case .abortTask: session.arrived(header.refCmdSN)
        // §4.2.3.3: so may all that was sent before it.
        case .targetWarmReset, .targetColdReset: session.arrivedAll(before: header.cmdSN)
        default: break
        }
      }
    }
  }

  private func goOn(_ task: WatchedTask, with pdu: ProtocolDataUnit, _ session: WatchedSession) {
    (task.cmdSN, task.isImmediate, task.saidFinal) = pdu.header.read { ($0.cmdSN, $0.isImmediate, $0.isFinal) }
    take(task.cmdSN, task.isImmediate, pdu, session)
    task.isAsked = true
    if task.text.count <= Self.textLengthMax { task.text += pdu.data }
  }

  /// Counts a CmdSN. What is outside the window the target ignores without a word.
  private func take(_ cmdSN: UInt32, _ isImmediate: Bool, _ pdu: ProtocolDataUnit, _ session: WatchedSession) {
    if isImmediate { return }
    if let last = session.maxCmdSN, !session.isLoose, SerialNumber.precedes(last, cmdSN) {
      find(.outsideWindow, .initiator, "CmdSN \(cmdSN), MaxCmdSN \(last)", pdu.header)
    }
    session.arrived(cmdSN)
  }

  // MARK: Commands and their data, RFC 7143 §11.3, §11.7

  private func beginCommand(_ task: WatchedTask, _ pdu: ProtocolDataUnit) {
    monitor.counters.commands += 1
    let isFinal = pdu.header.read { header in
      task.isRead = header.isRead
      task.isWrite = header.isWrite
      task.expectedOut = header.isWrite ? Int(header.expectedDataTransferLength) : 0
      task.expectedIn = header.isRead ? Int(header.expectedDataTransferLength) : 0
      return header.isFinal
    }
    if task.isBidirectional { task.expectedIn = Self.bidirectionalReadLength(pdu) ?? 0 }
    task.sent = pdu.data.count
    task.nextR2TOffset = pdu.data.count
    guard task.isWrite else {
      if !pdu.data.isEmpty { blame(task, .unsolicitedData, "data of a command that does not write", pdu) }
      return
    }
    if !pdu.data.isEmpty, !parameters.immediateData {
      blame(task, .unsolicitedData, "\(pdu.data.count) bytes of immediate data, with ImmediateData=No", pdu)
    }
    if pdu.data.count > task.expectedOut {
      blame(task, .dataBeyondLength, "\(pdu.data.count) bytes of \(task.expectedOut)", pdu)
    }
    // A target may find what it wants in data that were too many; the rest is between the two.
    if pdu.data.count > Int(parameters.firstBurstLength) {
      blame(task, .firstBurstTooLong, "\(pdu.data.count) bytes of \(parameters.firstBurstLength)", pdu)
    }
    if !isFinal {
      if parameters.initialR2T { blame(task, .unsolicitedData, "F is 0, with InitialR2T=Yes", pdu) }
      let end = min(task.expectedOut, Int(parameters.firstBurstLength))
      task.unsolicited = DataOutSequence(offset: pdu.data.count, end: max(end, pdu.data.count))
    }
  }

  /// The length that an additional header gives to the read of a bidirectional command (RFC 7143 §11.2.2.4).
  private static func bidirectionalReadLength(_ pdu: ProtocolDataUnit) -> Int? {
    pdu.additionalHeaders.withUnsafeBytes { bytes in
      var parser = AdditionalHeaderParser(bytes)
      while let segment = try? parser.next() {
        guard segment.type == .bidirectionalReadLength, segment.content.count >= 4 else { continue }
        return Int(UInt32(bigEndian: segment.content.loadUnaligned(as: UInt32.self)))
      }
      return nil
    }
  }

  private func dataOut(_ pdu: ProtocolDataUnit, _ session: WatchedSession) {
    let (tag, transferTag, number, wireOffset, isFinal) = pdu.header.read {
      ($0.initiatorTaskTag, $0.targetTransferTag, $0.dataSN, $0.bufferOffset, $0.isFinal)
    }
    guard let task = session.task(of: tag), task.opcode == .scsiCommand, task.connection == self.number else {
      // What has been answered may still have data on their way.
      return
    }
    // A target may give several R2Ts of a task one tag.
    let place =
      task.r2ts.firstIndex { $0.tag == transferTag && $0.start <= wireOffset && wireOffset < $0.data.end }
      ?? task.r2ts.firstIndex { $0.tag == transferTag }
    guard var sequence = transferTag == Self.reservedTag ? task.unsolicited : place.map({ task.r2ts[$0].data }) else {
      return blame(
        task, .dataOutUnexpected,
        transferTag == Self.reservedTag ? "unsolicited data" : "no R2T has the tag \(Self.hex(transferTag))", pdu)
    }
    let end = Int(wireOffset) + pdu.data.count
    if number != sequence.nextDataSN {
      blame(task, .dataSNOutOfOrder, "DataSN \(number), expected \(sequence.nextDataSN)", pdu)
    }
    if wireOffset != sequence.offset, parameters.dataPDUInOrder || transferTag == Self.reservedTag {
      blame(task, .bufferOffsetOutOfOrder, "offset \(wireOffset), expected \(sequence.offset)", pdu)
    }
    if end > sequence.end {
      let isFirstBurst = transferTag == Self.reservedTag && end <= task.expectedOut
      let rule: ViolationRule = isFirstBurst ? .firstBurstTooLong : .dataBeyondLength
      blame(task, rule, "bytes \(wireOffset) to \(end) of \(sequence.end)", pdu)
    }
    task.sent += pdu.data.count
    sequence.nextDataSN = number &+ 1
    sequence.offset = parameters.dataPDUInOrder ? end : sequence.offset + pdu.data.count
    if let place {
      task.r2ts[place].data = sequence
      guard isFinal else { return }
      task.r2ts.remove(at: place)
      if sequence.offset < sequence.end {
        blame(task, .sequenceNotFull, "F at \(sequence.offset), the R2T asked for data up to \(sequence.end)", pdu)
      }
    } else {
      task.nextR2TOffset = max(task.nextR2TOffset, end)
      task.unsolicited = isFinal ? nil : sequence
    }
  }

  /// The initiator is wrong, and what the target makes of the task is its own business.
  private func blame(_ task: WatchedTask, _ rule: ViolationRule, _ detail: String, _ pdu: ProtocolDataUnit) {
    task.isOrderly = false
    find(rule, .initiator, detail, pdu.header)
  }

  /// RFC 7143 §11.16: numbers may repeat.
  private func snack(_ pdu: ProtocolDataUnit, _ session: WatchedSession) {
    if parameters.errorRecoveryLevel == 0 {
      find(.snackNotAgreed, .initiator, "a SNACK at error recovery level 0", pdu.header)
    }
    let (type, tag) = pdu.header.read { ($0.snackType, $0.initiatorTaskTag) }
    // What is acknowledged is not asked for again.
    if type == SNACKType.dataACK.rawValue { return }
    numbersAreLoose = true
    session.task(of: tag)?.isOrderly = false
  }

  static let reservedTag = UInt32.max

  /// The most text of one side in a negotiation that is kept, in bytes.
  static let textLengthMax = 1 << 20

  static func hex(_ value: some BinaryInteger) -> String { String(value, radix: 16) + "h" }
}
