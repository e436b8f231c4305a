import ISCSI
import Ring
import SCSI

/// Data-out: immediate, unsolicited and solicited (RFC 7143 §4.2.4, §11.7, §11.8).
extension TargetCore {
  /// The device server wants `count` bytes: gathers as many of them as the initiator sends.
  mutating func gather(_ task: UnsafeMutablePointer<Task>, _ count: Int) {
    task.pointee.deviceLength = count
    task.pointee.starvedLength = 0
    if task.pointee.isLent, lent.length < count { takeBack(task) }
    let gathered = task.pointee.gathered
    if task.pointee.isLent {
      task.pointee.command.buffer = lent
    } else if gathered.length >= count {
      task.pointee.command.buffer = gathered
      task.pointee.gathered = .empty
    } else if task.pointee.dataError == .none {
      guard let larger = context.buffers.allocate(count) else {
        // The length is bounded by the device server; if it can never be had, waiting for it would be for ever.
        guard count <= context.buffers.lengthMax / 4 else {
          task.pointee.command.status = Status.busy.rawValue
          deviceServerDone(task)
          return
        }
        task.pointee.starvedLength = count
        starve(task)
        return
      }
      let kept = min(task.pointee.received, gathered.length)
      if kept > 0 {
        (context.arena.base + larger.offset).copyMemory(from: context.arena.base + gathered.offset, byteCount: kept)
        statistics.bytesCopied &+= UInt64(kept)
      }
      free(gathered)
      task.pointee.gathered = .empty
      task.pointee.command.buffer = larger
    }
    task.pointee.wanted = min(count, task.pointee.command.expectedDataOut)
    task.pointee.phase = .gathering
    // With all of its data here it goes on at once.
    if task.pointee.unsolicitedOpen || task.pointee.received < task.pointee.wanted { keep(task) }
    gatherMore(task)
  }

  /// Goes on with the data of a task: waits, asks for more, or hands them to the device server.
  private mutating func gatherMore(_ task: UnsafeMutablePointer<Task>) {
    if task.pointee.unsolicitedOpen { return }
    if task.pointee.dataError != .none {
      // What was asked for still comes; the response waits for it (RFC 7143 §7.8).
      if task.pointee.outstandingR2Ts == 0 { failData(task) }
      return
    }
    if task.pointee.received >= task.pointee.wanted {
      task.pointee.command.dataOutLength = task.pointee.wanted
      task.pointee.phase = .active
      resume(task, .dataArrived)
      return
    }
    requestData(task)
  }

  /// Sends as many R2Ts as may be outstanding.
  private mutating func requestData(_ task: UnsafeMutablePointer<Task>) {
    let connection = task.pointee.connection
    let session = task.pointee.session
    if task.pointee.requestedEnd < task.pointee.solicitedStart {
      task.pointee.requestedEnd = task.pointee.solicitedStart
    }
    while task.pointee.outstandingR2Ts < session.pointee.parameters.maxOutstandingR2T,
      task.pointee.requestedEnd < task.pointee.wanted
    {
      guard let header = beginPDU(connection, .readyToTransfer) else { return }
      let offset = task.pointee.requestedEnd
      let length = min(task.pointee.wanted - offset, Int(session.pointee.parameters.maxBurstLength))
      header.lun = task.pointee.lunField
      header.initiatorTaskTag = task.pointee.initiatorTaskTag
      header.targetTransferTag = transferTag(task)
      stamp(connection, header, advance: false)
      header.r2tSN = task.pointee.nextR2TSN
      header.bufferOffset = UInt32(truncatingIfNeeded: offset)
      header.desiredDataTransferLength = UInt32(truncatingIfNeeded: length)
      finishPDU(connection, header)
      connection.pointee.lastDataOut = context.now
      task.pointee.nextR2TSN &+= 1
      task.pointee.outstandingR2Ts += 1
      task.pointee.requestedEnd = offset + length
    }
  }

  /// A transfer tag for the task's next R2T: its slot, its use, and the R2TSN. Never the reserved tag, as slots end below
  /// 65535.
  private func transferTag(_ task: UnsafeMutablePointer<Task>) -> UInt32 {
    (task.pointee.nextR2TSN & 0xFF) << 24 | (task.pointee.command.generation & 0xFF) << 16 | task.pointee.command.task
  }

  /// The end of the burst that is coming: R2Ts ask for whole bursts, but for the last one.
  private func burstEnd(_ task: UnsafeMutablePointer<Task>) -> Int {
    min(
      task.pointee.burstStart + Int(task.pointee.session.pointee.parameters.maxBurstLength),
      task.pointee.wanted)
  }

  // MARK: Data-Out PDUs

  /// Whose a Data-Out is.
  private enum Owner {
    case task(UnsafeMutablePointer<Task>)
    /// Of a task that has ended: thrown away without a word.
    case gone
    /// Nobody's: rejected.
    case unknown
  }

  private func owner(_ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView) -> Owner {
    guard let session = connection.pointee.session else { return .unknown }
    let tag = header.initiatorTaskTag
    if header.targetTransferTag == reservedTag {
      guard let index = session.pointee.tags.find(tag), let task = tasks[index] else {
        return session.pointee.wasAborted(tag) ? .gone : .unknown
      }
      // Unsolicited data for a task that has none to come; when it was announced against the rules it is thrown away.
      if !task.pointee.unsolicitedOpen { return task.pointee.dataError != .none ? .gone : .unknown }
      return .task(task)
    }
    let index = header.targetTransferTag & 0xFFFF
    // A slot may have been used again, more than once, while the data of an aborted task were on their way.
    guard let task = tasks[index] else { return session.pointee.wasAborted(tag) ? .gone : .unknown }
    let use = header.targetTransferTag >> 16 & 0xFF
    let isSameUse = use == task.pointee.command.generation & 0xFF
    guard isSameUse, task.pointee.phase == .gathering, task.pointee.session == session,
      task.pointee.initiatorTaskTag == tag
    else {
      let wasUse = isSameUse || use == (task.pointee.command.generation &- 1) & 0xFF
      let isLate = session.pointee.wasAborted(tag) || wasUse && session.pointee.tags.find(tag) == nil
      return isLate ? .gone : .unknown
    }
    return .task(task)
  }

  /// What is wrong with a Data-Out of a task, if anything: sequence number, offset and amount.
  private func problem(_ task: UnsafeMutablePointer<Task>, _ header: HeaderView) -> DataError? {
    let length = header.dataSegmentLength
    let offset = Int(header.bufferOffset)
    // A hole in the numbers is a PDU that was lost (RFC 7143 §7.9).
    guard header.dataSN == task.pointee.nextDataSN else { return .serviceCRC }
    if header.targetTransferTag == reservedTag {
      guard offset == task.pointee.received else { return .serviceCRC }
      guard offset + length <= task.pointee.unsolicitedLimit else { return .incorrectAmount }
      // Only who has more to send than the first burst must fill it (RFC 7143 §11.3.4, §11.4.7.2).
      if header.isFinal, offset + length < task.pointee.unsolicitedLimit,
        task.pointee.unsolicitedLimit < Int(task.pointee.expectedLength)
      {
        return .incorrectAmount
      }
      return nil
    }
    // The tag's high byte is the R2TSN; sequences are answered in the order of the R2Ts (DataSequenceInOrder=Yes).
    let current = (task.pointee.nextR2TSN &- task.pointee.outstandingR2Ts) & 0xFF
    guard task.pointee.outstandingR2Ts > 0, header.targetTransferTag >> 24 == current, offset == task.pointee.received
    else { return .serviceCRC }
    let end = burstEnd(task)
    guard offset + length <= end else { return .incorrectAmount }
    if header.isFinal != (offset + length == end) { return header.isFinal ? .incorrectAmount : nil }
    return nil
  }

  /// A Data-Out of which not all data have come: whether they can go straight into the task's buffer.
  mutating func beginDataOut(_ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView) -> Inflow? {
    guard case .task(let task) = owner(connection, header), task.pointee.phase == .gathering,
      task.pointee.dataError == .none, !task.pointee.users.contains(.receiver), problem(task, header) == nil
    else { return nil }
    let offset = Int(header.bufferOffset)
    let length = header.dataSegmentLength
    guard offset + length <= task.pointee.command.buffer.length else { return nil }
    task.pointee.users.insert(.receiver)
    return makeInflow(.dataOut, header, task, task.pointee.command.buffer.slice(offset, length))
  }

  /// A whole Data-Out PDU. `data`: nil when there was no memory for them.
  mutating func dataOutPDU(
    _ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView, _ data: UnsafeRawBufferPointer?
  ) {
    switch owner(connection, header) {
    case .gone:
      abortedDataArrived(connection, header)
    case .unknown:
      reject(connection, header, .invalidPDUField)
    case .task(let task):
      if task.pointee.dataError == .none, problem(task, header) == nil {
        if let data {
          store(task, Int(header.bufferOffset), data)
        } else {
          task.pointee.dataError = .noMemory
        }
      }
      dataOutArrived(connection, task, header, header.dataSegmentLength)
    }
  }

  /// Copies data-out into the task's buffer; what is beyond the buffer is more than the command transfers.
  private mutating func store(_ task: UnsafeMutablePointer<Task>, _ offset: Int, _ data: UnsafeRawBufferPointer) {
    guard task.pointee.phase != .swallowing else { return }
    let isGathering = task.pointee.phase == .gathering
    if !isGathering, task.pointee.gathered.length == 0, task.pointee.unsolicitedLimit > 0 {
      // Unsolicited data of a task that the device server has not asked for yet.
      guard mayBringData(task.pointee.session, task.pointee.connection),
        let buffer = context.buffers.allocate(task.pointee.unsolicitedLimit)
      else {
        task.pointee.dataError = .noMemory
        return
      }
      task.pointee.gathered = buffer
      // What is ahead of its turn is counted by itself.
      if task.pointee.phase != .held { count(task, task.pointee.countedBytes + buffer.length) }
    }
    let buffer = isGathering ? task.pointee.command.buffer : task.pointee.gathered
    let count = min(data.count, buffer.length - offset)
    guard count > 0, let base = data.baseAddress else { return }
    (context.arena.base + buffer.offset + offset).copyMemory(from: base, byteCount: count)
    statistics.bytesCopied &+= UInt64(count)
  }

  /// The data of a Data-Out are in the buffer, or have been found not to belong there: the task goes on.
  mutating func dataOutArrived(
    _ connection: UnsafeMutablePointer<Connection>, _ task: UnsafeMutablePointer<Task>, _ header: HeaderView,
    _ length: Int
  ) {
    if task.pointee.dataError == .none, let problem = problem(task, header) { task.pointee.dataError = problem }
    let isFinal = header.isFinal
    connection.pointee.lastDataOut = context.now
    if task.pointee.dataError == .none {
      task.pointee.received += length
      task.pointee.nextDataSN &+= 1
    }
    endSequence(task, isUnsolicited: header.targetTransferTag == reservedTag, isFinal)
  }

  /// Counts the end of a sequence of Data-Outs, and lets the task go on.
  private mutating func endSequence(_ task: UnsafeMutablePointer<Task>, isUnsolicited: Bool, _ isFinal: Bool) {
    guard isFinal else { return }
    task.pointee.nextDataSN = 0
    task.pointee.burstStart = task.pointee.received
    if isUnsolicited {
      task.pointee.unsolicitedOpen = false
      task.pointee.solicitedStart = task.pointee.received
    } else if task.pointee.outstandingR2Ts > 0 {
      task.pointee.outstandingR2Ts -= 1
    }
    switch task.pointee.phase {
    case .gathering:
      gatherMore(task)
    case .swallowing:
      respond(task)
    case .free, .held, .throttled, .active, .starved, .responding, .ending:
      break
    }
  }

  /// A Data-Out was rejected for its data digest: its task fails when the rest has come.
  mutating func dataOutDamaged(_ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView) {
    switch owner(connection, header) {
    case .gone:
      abortedDataArrived(connection, header)
    case .unknown:
      return
    case .task(let task):
      task.pointee.dataError = .serviceCRC
      endSequence(task, isUnsolicited: header.targetTransferTag == reservedTag, header.isFinal)
    }
  }

  /// Whether the initiator has long sent other things, as answers to pings, and of no task that waits for data-out any.
  func withholdsData(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
    guard connection.pointee.lastReceived - connection.pointee.lastDataOut >= limits.pingTimeout,
      let session = connection.pointee.session
    else { return false }
    var next = session.pointee.firstTask
    while next >= 0 {
      let task = tasks.slots + Int(next)
      if task.pointee.unsolicitedOpen || task.pointee.outstandingR2Ts > 0 { return true }
      next = task.pointee.nextInSession
    }
    return false
  }

  /// Ends a task whose data-out was wrong (RFC 7143 §11.4.7.2).
  mutating func failData(_ task: UnsafeMutablePointer<Task>) {
    switch task.pointee.dataError {
    case .none:
      break
    case .unexpectedUnsolicited:
      fail(task, Sense(.abortedCommand, AdditionalSense(0x0C, 0x0C)))
    case .incorrectAmount:
      fail(task, Sense(.abortedCommand, AdditionalSense(0x0C, 0x0D)))
    case .serviceCRC:
      fail(task, Sense(.abortedCommand, AdditionalSense(0x47, 0x05)))
    case .noMemory:
      task.pointee.command.status = Status.busy.rawValue
    }
    deviceServerDone(task)
  }
}
