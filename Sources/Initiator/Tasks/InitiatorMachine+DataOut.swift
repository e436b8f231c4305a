import ISCSI
import Ring

/// A run of Data-Out that ends in F: the unsolicited data, or the answer to one R2T.
struct Burst {
  /// 0 for the unsolicited data, n for the nth R2T.
  var number: Int
  /// Target Transfer Tag.
  var tag: UInt32
  var lun: UInt64
  var offset: Int
  var length: Int
}

/// Data-Out and R2T, RFC 7143 §11.7, §11.8.
extension InitiatorMachine {
  /// Sends the Data-Out of one burst, with the deviations that the script wants. The burst is within the data.
  func sendBurst(_ slot: Int, _ connection: Connection, _ burst: Burst) {
    guard case .command(let state) = connection.session.slots[slot]?.kind,
      let tag = connection.session.slots[slot]?.tag
    else { return }
    let request = state.request
    let segment = max(1, request.segmentLength ?? Int(connection.parameters.targetMaxRecvDataSegmentLength))
    let end = min(burst.offset + burst.length, request.dataOut.count)
    var offset = min(burst.offset, end)
    var index = 0
    var last: [(ProtocolDataUnit, WireOptions)] = []
    var sentLength = 0
    repeat {
      let length = min(segment, end - offset)
      var pdu = ProtocolDataUnit(
        .dataOut, isFinal: offset + length == end, data: Array(request.dataOut[offset..<(offset + length)]))
      pdu.header.write { header in
        header.lun = burst.lun
        header.initiatorTaskTag = tag
        header.targetTransferTag = burst.tag
        header.expStatSN = connection.acknowledgedStatSN
        header.dataSN = UInt32(truncatingIfNeeded: index)
        header.bufferOffset = UInt32(truncatingIfNeeded: offset)
      }
      var plan = DataOutPlan(pdu: pdu)
      for edit in request.dataOutEdits where edit.applies(burst: burst.number, index: index) { plan.apply(edit.action) }
      for _ in 0..<plan.copies {
        sentLength += plan.pdu.data.count
        if plan.isLast {
          last.append((plan.pdu, plan.wire))
        } else {
          transmit(plan.pdu, plan.wire, on: connection)
        }
      }
      offset += length
      index += 1
    } while offset < end
    for (pdu, wire) in last { transmit(pdu, wire, on: connection) }
    state.sentLength += sentLength
    if burst.number > 0 { state.r2tsOnTheirWay.append(connection.queuedBytes) }
  }

  func readyToTransfer(_ pdu: ProtocolDataUnit, on connection: Connection) {
    guard let (slot, task, state) = answered(pdu, on: connection, \.command) else { return }
    let r2t = pdu.header.read {
      ReadyToTransfer(
        targetTransferTag: $0.targetTransferTag, r2tSN: $0.r2tSN, bufferOffset: $0.bufferOffset,
        desiredLength: $0.desiredDataTransferLength, lun: $0.lun)
    }
    guard check(r2t, state, task, pdu, on: connection) else { return }
    state.r2tCount += 1
    let holds = state.request.holdsR2Ts || !connection.automatic.answersR2Ts
    if holds {
      state.held.append((state.r2tCount, r2t))
      tell(connection, .readyToTransferHeld(task.id, r2t))
    } else {
      answer(r2t, number: state.r2tCount, slot, connection)
    }
  }

  /// With so many bytes on their way nothing is sent once more for an R2T: the longest burst (RFC 7143 §13.13).
  private static var unsentMax: UInt64 { 0xFF_FFFF }

  /// False when the R2T cannot be answered.
  private func check(
    _ r2t: ReadyToTransfer, _ state: CommandState, _ task: InitiatorTask, _ pdu: ProtocolDataUnit,
    on connection: Connection
  ) -> Bool {
    let parameters = connection.parameters
    guard state.isWrite else {
      violation(.r2tUnexpected, on: connection, "the command does not write", pdu)
      return false
    }
    if !task.wasRecovered, r2t.r2tSN != state.nextR2TSN {
      violation(.r2tSNOutOfOrder, on: connection, "R2TSN \(r2t.r2tSN), expected \(state.nextR2TSN)", pdu)
    }
    state.nextR2TSN = r2t.r2tSN &+ 1
    if state.isBidirectional { state.nextDataSN = state.nextR2TSN }
    if r2t.targetTransferTag == reservedTag {
      violation(.transferTag, on: connection, "R2T with the reserved tag", pdu)
    }
    if r2t.lun != state.lun { violation(.lunMismatch, on: connection, "LUN \(String(r2t.lun, radix: 16))h", pdu) }
    let end = Int(r2t.bufferOffset) + Int(r2t.desiredLength)
    guard r2t.desiredLength > 0, end <= state.expectedDataOut else {
      violation(
        .r2tOutOfBounds, on: connection, "bytes \(r2t.bufferOffset) to \(end) of \(state.expectedDataOut)", pdu)
      return false
    }
    if r2t.desiredLength > parameters.maxBurstLength {
      violation(.r2tTooLong, on: connection, "\(r2t.desiredLength) bytes of \(parameters.maxBurstLength)", pdu)
    }
    let offset = Int(r2t.bufferOffset)
    if parameters.dataSequenceInOrder, offset < state.nextR2TOffset {
      // §13.19: with recovery the last one may be sent again, the only one that may be outstanding then.
      if parameters.errorRecoveryLevel > 0, offset >= state.lastR2TOffset {
        state.forgetR2Ts()
      } else if !task.wasRecovered {
        violation(.r2tOutOfOrder, on: connection, "offset \(offset) after \(state.nextR2TOffset)", pdu)
      }
    }
    state.lastR2TOffset = offset
    state.nextR2TOffset = end
    // What has not left this side cannot have been received: its R2T is still outstanding.
    state.r2tsOnTheirWay.removeAll { $0 <= connection.sentBytes }
    let outstanding = state.held.count + state.r2tsOnTheirWay.count + 1
    if outstanding > Int(parameters.maxOutstandingR2T) {
      violation(.r2tTooMany, on: connection, "\(outstanding) of \(parameters.maxOutstandingR2T)", pdu)
    }
    // 48 bytes ask for as much as the command has, and a target need not take any of it.
    let isRepeated = state.sentLength >= state.request.dataOut.count
    if isRepeated, connection.queuedBytes - connection.sentBytes > Self.unsentMax { return false }
    // A script may have announced more than it has.
    return end <= state.request.dataOut.count
  }

  private func answer(_ r2t: ReadyToTransfer, number: Int, _ slot: Int, _ connection: Connection) {
    sendBurst(
      slot, connection,
      Burst(
        number: number, tag: r2t.targetTransferTag, lun: r2t.lun, offset: Int(r2t.bufferOffset),
        length: Int(r2t.desiredLength)))
  }

  /// Sends the data that held R2Ts of a task asked for, in the order in which they came, or the other way round.
  public func answerHeldR2Ts(of task: TaskID, on id: ConnectionID, reversed: Bool = false) throws(InitiatorError) {
    let connection = try open(id)
    guard let slot = connection.session.slot(of: task), case .command(let state) = connection.session.slots[slot]?.kind
    else { throw .noSuchTask }
    let held = state.held
    state.held = []
    for (number, r2t) in reversed ? held.reversed() : held { answer(r2t, number: number, slot, connection) }
  }

  /// Takes note of a Data-Out that a script has built and that was queued: it may answer an R2T that is held.
  func noteDataOut(_ pdu: ProtocolDataUnit, on connection: Connection) {
    let (tag, transferTag, isFinal) = pdu.header.read { ($0.initiatorTaskTag, $0.targetTransferTag, $0.isFinal) }
    let session = connection.session
    guard let slot = session.slot(tag: tag), let task = session.slots[slot], task.connection == connection.id,
      case .command(let state) = task.kind,
      let index = state.held.firstIndex(where: { $0.r2t.targetTransferTag == transferTag })
    else { return }
    state.sentLength += pdu.data.count
    guard isFinal else { return }
    state.held.remove(at: index)
    state.r2tsOnTheirWay.append(connection.queuedBytes)
  }
}

/// One Data-Out on its way through the script's deviations.
private struct DataOutPlan {
  var pdu: ProtocolDataUnit
  var wire = WireOptions()
  var copies = 1
  var isLast = false

  mutating func apply(_ action: DataOutEdit.Action) {
    switch action {
    // The names were checked when the command was taken.
    case .change(let overrides): try? pdu.apply(overrides)
    case .wire(let options): wire = options
    case .drop: copies = 0
    // What is sent twice is not sent four times because two edits say so: a script may have any number of them.
    case .duplicate: copies = min(copies, 1) * 2
    case .moveToEnd: isLast = true
    case .data(let bytes):
      pdu.data = bytes
      pdu.setLengths()
    }
  }
}
