import ISCSI
import Ring
import SCSI

/// Data-In and SCSI Response (RFC 7143 §11.4, §11.7): how a task's end reaches the initiator.
extension TargetCore {
  /// The device server has said how the task ends. The response goes out at once, or when announced unsolicited data have
  /// all come: until then the initiator is still sending for this task (RFC 7143 §11.4.2).
  mutating func deviceServerDone(_ task: UnsafeMutablePointer<Task>) {
    if task.pointee.unsolicitedOpen || task.pointee.outstandingR2Ts > 0 {
      task.pointee.phase = .swallowing
      keep(task)
      return
    }
    respond(task)
  }

  /// Sends the data-in and the status of a task, and ends it.
  mutating func respond(_ task: UnsafeMutablePointer<Task>) {
    checkDirection(task)
    leaveTaskSet(task)
    unlist(task)
    task.pointee.phase = .responding
    answer(task)
    endAnswered(task)
  }

  /// Queues the answer of a task, if its connection is still there.
  @inline(__always)
  private mutating func answer(_ task: UnsafeMutablePointer<Task>) {
    let connection = task.pointee.connection
    // If its connection is gone, so will its session be.
    guard connection.pointee.session == task.pointee.session else { return }
    let status = task.pointee.command.status
    let residual = Residual(task)
    let length = task.pointee.isRead ? min(task.pointee.command.dataIn.length, Int(task.pointee.expectedLength)) : 0
    var dataInCount: UInt32 = 0
    if length > 0 {
      let isGood = status == Status.good.rawValue || status == Status.conditionMet.rawValue
      dataInCount = sendDataIn(connection, task, task.pointee.command.dataIn.prefix(length), isGood ? residual : nil)
      if isGood { return }
    }
    guard let header = beginPDU(connection, .scsiResponse) else { return }
    header.initiatorTaskTag = task.pointee.initiatorTaskTag
    header.status = status
    header.expDataSN = dataInCount
    residual.apply(to: header)
    stamp(connection, header, advance: true)
    if status == Status.checkCondition.rawValue, task.pointee.command.senseLength > 0 {
      if task.pointee.command.phase == Command.tellsFlushFailure { noteTold(connection, header.statSN, task) }
      finishWithSense(connection, header, task)
    } else {
      finishPDU(connection, header)
    }
  }

  private func noteTold(
    _ connection: UnsafeMutablePointer<Connection>, _ statSN: UInt32, _ task: UnsafeMutablePointer<Task>
  ) {
    guard let unit = task.pointee.unit else { return }
    let session = task.pointee.session
    session.pointee.toldFlushFailures.removeAll {
      SerialNumber.precedes($0.statSN, connection.pointee.expStatSN) || $0.unit == unit.reference
    }
    session.pointee.toldFlushFailures.append((statSN, unit.reference))
  }

  /// Ends a SCSI Response with SenseLength and the sense data (RFC 7143 §11.4.7).
  private mutating func finishWithSense(
    _ connection: UnsafeMutablePointer<Connection>, _ header: MutableHeaderView, _ task: UnsafeMutablePointer<Task>
  ) {
    let length = task.pointee.command.senseLength
    withUnsafeTemporaryAllocation(byteCount: 2 + Command.senseLengthMax, alignment: 2) { bytes in
      bytes[0] = 0
      bytes[1] = UInt8(truncatingIfNeeded: length)
      for index in 0..<length { bytes[2 + index] = task.pointee.command.sense[index] }
      finishPDU(connection, header, copying: UnsafeRawBufferPointer(rebasing: bytes[..<(2 + length)]))
    }
  }

  /// The session need not wait for an answered task, only its memory must.
  @inline(__always)
  private mutating func endAnswered(_ task: UnsafeMutablePointer<Task>) {
    task.pointee.isAnswered = true
    endAnswer(task.pointee.connection)
    let session = task.pointee.session
    releaseTaskIfDone(task)
    leaveSession(session)
  }

  /// A command that wants data while the initiator expects to be sent some (RFC 7143 §11.3.1 R and W bits). The other way
  /// round nothing is lost: the command runs, no data go anywhere, and the residual count says so.
  @inline(__always)
  private mutating func checkDirection(_ task: UnsafeMutablePointer<Task>) {
    guard task.pointee.expectedLength > 0, task.pointee.command.status == Status.good.rawValue else { return }
    let mismatch =
      task.pointee.isRead && task.pointee.deviceLength > 0 && task.pointee.command.dataIn.length == 0
    if mismatch {
      task.pointee.command.dataIn = .empty
      fail(task, Sense(.illegalRequest, .invalidFieldInCommandInformationUnit))
    }
  }

  /// Ends a command with CHECK CONDITION, for the transport's own reasons.
  mutating func fail(_ task: UnsafeMutablePointer<Task>, _ sense: Sense) {
    let descriptor = task.pointee.unit?.use { $0.modePages.wantsDescriptorSense } ?? false
    task.pointee.command.status = Status.checkCondition.rawValue
    task.pointee.command.senseLength = sense.encode(descriptor: descriptor, into: &task.pointee.command.sense)
  }

  /// Queues the Data-In PDUs of a read; the last one carries the status if `residual` is given. Returns their number.
  private mutating func sendDataIn(
    _ connection: UnsafeMutablePointer<Connection>, _ task: UnsafeMutablePointer<Task>, _ data: Extent,
    _ residual: Residual?
  ) -> UInt32 {
    let segmentMax = connection.pointee.sendLengthMax
    let burstMax = Int(task.pointee.session.pointee.parameters.maxBurstLength)
    // Data that lie in the task's buffer, or that it was lent, keep it alive until they are sent. The zeroes of a null
    // device do not, nor do data that are copied at once.
    let isHeld =
      data.length > Self.copiedLengthMax
      && (task.pointee.command.buffer.length > 0 || task.pointee.command.loan.length > 0)
    let release = isHeld ? Outgoing.Release.task(task.pointee.command.task) : .nothing
    if isHeld { task.pointee.users.insert(.sender) }
    // Most reads are answered with one PDU: by the same code, in which all that varies below is known.
    if data.length <= min(segmentMax, burstMax) {
      let piece = DataIn(data: data)
      return sendDataIn(connection, task, piece, residual, release) ? 1 : 0
    }
    var piece = DataIn(data: data)
    var left = burstMax
    while piece.offset < data.length {
      let length = min(data.length - piece.offset, segmentMax, left)
      piece.data = data.slice(piece.offset, length)
      piece.isLast = piece.offset + length == data.length
      left -= length
      piece.endsBurst = left == 0 || piece.isLast
      guard sendDataIn(connection, task, piece, residual, release) else { return piece.dataSN }
      if piece.endsBurst { left = burstMax }
      piece.offset += length
      piece.dataSN &+= 1
    }
    return piece.dataSN
  }

  /// What one Data-In PDU carries of a read: all of it, unless something else is said.
  private struct DataIn {
    var data: Extent
    var offset = 0
    var dataSN: UInt32 = 0
    var isLast = true
    var endsBurst = true
  }

  /// Queues one Data-In PDU. False when there is no memory for it.
  @inline(__always)
  private mutating func sendDataIn(
    _ connection: UnsafeMutablePointer<Connection>, _ task: UnsafeMutablePointer<Task>, _ piece: DataIn,
    _ residual: Residual?, _ release: Outgoing.Release
  ) -> Bool {
    let isCopied = piece.data.length <= Self.copiedLengthMax
    guard
      let header = beginPDU(
        connection, .dataIn, isFinal: piece.endsBurst, copiedLength: isCopied ? piece.data.length : 0)
    else {
      // What the connection still has of the task goes with it.
      if release != .nothing { connection.pointee.queue.push(Outgoing(extent: .empty, release: release)) }
      return false
    }
    header.initiatorTaskTag = task.pointee.initiatorTaskTag
    header.targetTransferTag = reservedTag
    header.dataSN = piece.dataSN
    header.bufferOffset = UInt32(truncatingIfNeeded: piece.offset)
    if piece.isLast, let residual {
      header.hasStatus = true
      header.status = task.pointee.command.status
      residual.apply(to: header)
      stamp(connection, header, advance: true)
    } else {
      // StatSN is reserved without the S bit (RFC 7143 §11.7.4).
      stamp(connection, header, advance: false)
      header.statSN = 0
    }
    if isCopied {
      finishPDU(connection, header, copied: piece.data)
      // The last piece is copied, but the ones before it are still to be sent from the buffer.
      if piece.isLast, release != .nothing { connection.pointee.queue.push(Outgoing(extent: .empty, release: release)) }
    } else {
      finishPDU(connection, header, data: piece.data, release: piece.isLast ? release : .nothing)
    }
    return true
  }

  /// Answers a command for which there is no slot.
  mutating func respondWithoutTask(
    _ connection: UnsafeMutablePointer<Connection>, _ request: HeaderView, status: Status
  ) {
    let tag = request.initiatorTaskTag
    let expected = request.isWrite || request.isRead ? request.expectedDataTransferLength : 0
    guard let header = beginPDU(connection, .scsiResponse) else { return }
    header.initiatorTaskTag = tag
    header.status = status.rawValue
    if expected > 0 {
      header.isUnderflow = true
      header.residualCount = expected
    }
    stamp(connection, header, advance: true)
    finishPDU(connection, header)
  }
}

/// The difference between what a command transfers and what the initiator expects (RFC 7143 §11.4.5).
struct Residual {
  /// Bytes that the command transfers beyond what is expected; if there are fewer, below zero.
  private var excess = 0

  @inline(__always)
  init(_ task: UnsafePointer<Task>) {
    let expected = Int(task.pointee.expectedLength)
    // Of a command that reads but was sent as a write, nothing is transferred.
    var actual = task.pointee.isWrite ? task.pointee.deviceLength : task.pointee.command.dataIn.length
    if !task.pointee.isWrite, !task.pointee.isRead, task.pointee.deviceLength > 0 { actual = task.pointee.deviceLength }
    if task.pointee.command.status == Status.checkCondition.rawValue, task.pointee.isWrite,
      task.pointee.dataError != .none
    {
      actual = min(task.pointee.received, expected)
    }
    // An overflow is told of a command that went well; one that failed transferred what was expected at most.
    if actual > expected, task.pointee.command.status == Status.checkCondition.rawValue { return }
    excess = actual - expected
  }

  @inline(__always)
  func apply(to header: MutableHeaderView) {
    guard excess != 0 else { return }
    if excess > 0 { header.isOverflow = true } else { header.isUnderflow = true }
    header.residualCount = UInt32(clamping: excess.magnitude)
  }
}
