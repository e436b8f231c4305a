import ISCSI
import Ring
import SCSI

/// SCSI Command PDUs: from the header to the device server.
extension TargetCore {
  /// A command whose large immediate data have not all come: the memory for them. The command is admitted when they are
  /// complete and intact (RFC 7143 §7.8 wants a damaged one to count as not received). Nil when it is to go through the
  /// receive buffer.
  mutating func beginCommand(_ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView) -> Inflow? {
    guard header.isWrite, let session = connection.pointee.session else { return nil }
    let length = header.dataSegmentLength
    let expected = Int(header.expectedDataTransferLength)
    guard length <= expected else { return nil }
    guard mayBringData(session, connection) else { return Inflow(use: .discard, header: header) }
    // As large as the command's data are said to be, within what the initiator may send unasked, so that the data need
    // not move when more of them come; a longer command moves them once.
    let first = Int(session.pointee.parameters.firstBurstLength)
    guard let task = tasks.take(for: session, from: connection) else { return nil }
    guard let buffer = context.buffers.allocate(max(length, min(expected, max(first, Self.busyBufferLength)))) else {
      tasks.give(task)
      session.pointee.taskCount -= 1
      return nil
    }
    task.pointee.phase = .gathering
    task.pointee.gathered = buffer
    task.pointee.users.insert(.receiver)
    return makeInflow(.command, header, task, buffer.prefix(length))
  }

  func makeInflow(
    _ use: Inflow.Use, _ header: HeaderView, _ task: UnsafeMutablePointer<Task>, _ data: Extent
  ) -> Inflow {
    var inflow = Inflow(use: use, header: header)
    inflow.task = task.pointee.command.task
    inflow.destination = data
    inflow.data = data
    return inflow
  }

  /// A whole SCSI Command PDU (RFC 7143 §11.3).
  ///
  /// - Parameters:
  ///   - additional: Its additional header segments.
  ///   - immediate: Its immediate data, to be copied; nil when `prepared` has them in its buffer already, or if there is none
  ///     when there was no memory for them.
  ///   - prepared: The slot that was taken for it when its data began to come.
  mutating func commandArrived(
    _ connection: UnsafeMutablePointer<Connection>, _ header: HeaderView, additional: UnsafeRawBufferPointer,
    immediate: UnsafeRawBufferPointer?, prepared: UnsafeMutablePointer<Task>?
  ) {
    func refuse(_ reason: RejectReason?, _ core: inout TargetCore) {
      if let prepared {
        prepared.pointee.phase = .ending
        core.releaseTaskIfDone(prepared)
      }
      if let reason { core.reject(connection, header, reason) }
    }
    guard let session = connection.pointee.session else { return refuse(.protocolError, &self) }
    guard !session.pointee.isDiscovery else { return refuse(.commandNotSupported, &self) }
    let tag = header.initiatorTaskTag
    let isWrite = header.isWrite
    let attribute = TaskAttribute(rawValue: header.taskAttribute)
    // F=0 announces unsolicited data-out, which only a write has; data of neither direction are none (RFC 7143 §11.3.1).
    guard tag != reservedTag, let attribute, header.isFinal || isWrite, !(isWrite && header.isRead),
      isWrite || header.isRead || header.expectedDataTransferLength == 0
    else {
      return refuse(.invalidPDUField, &self)
    }
    if !additional.isEmpty, case .malformed = AdditionalHeaders(additional) { return refuse(.invalidPDUField, &self) }
    if let active = session.pointee.tags.find(tag) {
      // The same PDU once more is a retry of a command that has arrived (RFC 7143 §7.2.1), and is ignored.
      let isRetry = tasks[active].map { $0.pointee.cmdSN == header.cmdSN && !header.isImmediate } ?? false
      return refuse(isRetry ? nil : .taskInProgress, &self)
    }
    if header.isImmediate, session.pointee.immediate >= limits.immediateTasksMax {
      return refuse(.immediateCommandReject, &self)
    }
    let turn = turn(session, header)
    if case .never = turn { return refuse(nil, &self) }
    guard let task = prepared ?? tasks.take(for: session, from: connection) else {
      // No slot is left for it: the command is answered, and nothing else happens. SAM-5 §5.3.1 has two words for that.
      statistics.commands &+= 1
      respondWithoutTask(connection, header, status: hasTask(session, header.lun) ? .taskSetFull : .busy)
      // Data that it has announced are thrown away as they come.
      if !header.isFinal { session.pointee.noteAborted(tag) }
      if case .now = turn {
        takeHeld(session)
      } else {
        // Its number counts as received when those before it have come.
        _ = hold(session, header.cmdSN, .nothing, length: 0)
      }
      return
    }
    statistics.commands &+= 1
    connection.pointee.expStatSN = header.expStatSN
    task.pointee.initiatorTaskTag = tag
    task.pointee.cmdSN = header.cmdSN
    task.pointee.isImmediate = header.isImmediate
    task.pointee.lunField = header.lun
    let length = header.expectedDataTransferLength
    task.pointee.expectedLength = isWrite || header.isRead ? length : 0
    task.pointee.isWrite = isWrite
    task.pointee.isRead = header.isRead
    task.pointee.command.nexus = session.pointee.nexus
    task.pointee.command.attribute = attribute
    task.pointee.command.expectedDataOut = isWrite ? Int(length) : 0
    task.pointee.command.expectedDataIn = header.isRead ? Int(length) : 0
    withUnsafeMutablePointer(to: &task.pointee.command.cdb) { pointer in
      // 32 bytes of CDB, of which the header has sixteen.
      UnsafeMutableRawPointer(pointer).copyMemory(from: header.base + 32, byteCount: 16)
    }
    if !additional.isEmpty { takeExtendedCDB(&task.pointee.command, AdditionalHeaders(additional)) }
    session.pointee.aheadMax = .max
    if isWrite || header.dataSegmentLength > 0 {
      // A unit without a medium takes its blocks before this call is over, unless it is in another's way.
      var mayLend = false
      if case .now = turn, let immediate, !immediate.isEmpty { mayLend = isWithoutMedium(session, header.lun) }
      takeUnsolicited(task, session, header, immediate, mayLend: mayLend)
      if prepared == nil, immediate == nil, task.pointee.dataError == .none { task.pointee.dataError = .noMemory }
      paceWrites(
        connection, session, header,
        unsolicited: task.pointee.unsolicitedOpen ? task.pointee.unsolicitedLimit : header.dataSegmentLength)
    }
    if case .later = turn {
      task.pointee.phase = .held
      list(task)
      // Data of its own, and what it is to get for those that come unasked.
      let length = max(task.pointee.gathered.length, task.pointee.unsolicitedOpen ? task.pointee.unsolicitedLimit : 0)
      if !hold(session, header.cmdSN, .task(task.pointee.command.task), length: length) {
        connectionLost(connection, reset: true, because: .tooFarAhead)
      } else if isOvertaken(task) {
        abort(task)
      }
      return
    }
    if !session.pointee.overtaken.isEmpty, isOvertaken(task) { abort(task) } else { start(task) }
    if lent.length > 0 { takeBack(task) }
    if session.pointee.waitsForNumbers { takeHeld(session) }
  }

  /// Whether a session has a task in the task set of the unit that a LUN field names.
  private func hasTask(_ session: UnsafeMutablePointer<Session>, _ lun: UInt64) -> Bool {
    let node = nodes[Int(session.pointee.node)]
    let unit = node.unit(lun)?.reference
    var next = session.pointee.firstTask
    while next >= 0 {
      let task = tasks.slots + Int(next)
      if node.unit(task.pointee.lunField)?.reference == unit { return true }
      next = task.pointee.nextInSession
    }
    return false
  }

  private func takeExtendedCDB(_ command: inout Command, _ additional: AdditionalHeaders) {
    switch additional {
    case .extendedCDB(let extended):
      for index in 0..<extended.count { command.cdb[16 + index] = extended.bytes[index] }
      command.cdbLength = 16 + extended.count
    case .tooLong:
      command.cdbLength = Int.max
    case .none, .malformed:
      break
    }
  }

  /// Whether the unit that a session addresses so is there, and keeps its blocks in memory, or nowhere.
  @inline(__always)
  func isWithoutMedium(_ session: UnsafeMutablePointer<Session>, _ lun: UInt64) -> Bool {
    guard session.pointee.node >= 0 else { return false }
    let node = Int(session.pointee.node)
    return nodes[node].unit(lun)?.use { !$0.hasMedium } ?? false
  }

  /// Applies the rules of unsolicited data (RFC 7143 §4.2.4.2, §13.10, §13.11, §13.14) to a new command, and stores its
  /// immediate data if the device server must be asked for memory first.
  @inline(__always)
  private mutating func takeUnsolicited(
    _ task: UnsafeMutablePointer<Task>, _ session: UnsafeMutablePointer<Session>, _ header: HeaderView,
    _ immediate: UnsafeRawBufferPointer?, mayLend: Bool
  ) {
    let count = header.dataSegmentLength
    let expected = Int(task.pointee.expectedLength)
    let first = min(Int(session.pointee.parameters.firstBurstLength), expected)
    task.pointee.unsolicitedOpen = !header.isFinal
    if !header.isFinal { task.pointee.connection.pointee.lastDataOut = context.now }
    task.pointee.unsolicitedLimit = first
    if count > 0 {
      if !session.pointee.parameters.immediateData || !task.pointee.isWrite {
        task.pointee.dataError = .unexpectedUnsolicited
      } else if count > first {
        task.pointee.dataError = .incorrectAmount
      }
    }
    if !header.isFinal, session.pointee.parameters.initialR2T {
      // No unsolicited data-out may come, so that there is nothing to wait for.
      task.pointee.dataError = .unexpectedUnsolicited
      task.pointee.unsolicitedOpen = false
    }
    guard task.pointee.dataError == .none else { return }
    if let base = immediate?.baseAddress, count > 0 {
      if mayLend, count == expected, !task.pointee.unsolicitedOpen {
        if hasSpare(count) {
          task.pointee.isLent = true
          lent = Extent(offset: base - UnsafeRawPointer(context.arena.base), length: count)
        } else {
          task.pointee.dataError = .noMemory
        }
      } else {
        // The task's memory is that of the data announced; it is as much as may come unasked.
        let wanted = max(
          count, task.pointee.unsolicitedOpen ? first : expected <= Self.busyBufferLength ? expected : count)
        if mayBringData(session, task.pointee.connection), let buffer = context.buffers.allocate(wanted) {
          task.pointee.gathered = buffer
          (context.arena.base + buffer.offset).copyMemory(from: base, byteCount: count)
          statistics.bytesCopied &+= UInt64(count)
        } else {
          task.pointee.dataError = .noMemory
        }
      }
    }
    task.pointee.received = count
    task.pointee.solicitedStart = count
    if !task.pointee.unsolicitedOpen { task.pointee.burstStart = count }
  }

  /// Sees to ``spare``, for `count` bytes. False when there is no memory.
  @inline(__always)
  private mutating func hasSpare(_ count: Int) -> Bool { spare.length >= count || takeSpare(count) }

  private mutating func takeSpare(_ count: Int) -> Bool {
    free(spare)
    spare = context.buffers.allocate(count) ?? .empty
    return spare.length > 0
  }

  /// The receive buffer is needed again: what a task that goes on still has there moves into its own memory.
  mutating func takeBack(_ task: UnsafeMutablePointer<Task>) {
    let extent = lent
    lent = .empty
    guard task.pointee.isLent else { return }
    task.pointee.isLent = false
    let isWaiting = task.pointee.phase == .throttled
    if isWaiting, !mayBringData(task.pointee.session, task.pointee.connection) {
      task.pointee.dataError = .noMemory
      return
    }
    let own = spare.prefix(extent.length)
    spare = .empty
    (context.arena.base + own.offset).copyMemory(from: context.arena.base + extent.offset, byteCount: extent.length)
    statistics.bytesCopied &+= UInt64(extent.length)
    if task.pointee.command.buffer == extent {
      task.pointee.command.buffer = own
    } else {
      task.pointee.gathered = own
      // Only what waits is in the books.
      if task.pointee.isListed { count(task, task.pointee.countedBytes + own.length) }
    }
  }

  /// Begins a task whose turn it is, unless its session must take more of its answers first, or have more of its commands
  /// carried out.
  @inline(__always)
  mutating func start(_ task: UnsafeMutablePointer<Task>) {
    let connection = task.pointee.connection
    // One that ends with BUSY need not wait for that.
    if holdsItsShare(task.pointee.session, connection) || !connection.pointee.throttled.isEmpty,
      task.pointee.dataError != .noMemory
    {
      task.pointee.phase = .throttled
      list(task)
      count(task, task.pointee.gathered.length)
      connection.pointee.throttled.append(task.pointee.command.task)
      return
    }
    hand(task)
  }

  /// Whether a session holds more than its share, by what its tasks have and what is queued for it. Then it begins nothing more
  /// before it has given some back: however many there are that take what they get and keep it, some is left for the next. Who
  /// holds nothing always begins, and who holds something is on the way to giving it back.
  @inline(__always)
  func holdsItsShare(
    _ session: UnsafeMutablePointer<Session>, _ connection: UnsafeMutablePointer<Connection>
  ) -> Bool {
    session.pointee.taskBytes + connection.pointee.queue.bytes > share
  }

  /// Whether a session may have memory for data that come unasked: while it holds no more than half of what is left. Those of
  /// commands that wait to begin are no part of its share, which says when they may.
  func mayBringData(
    _ session: UnsafeMutablePointer<Session>, _ connection: UnsafeMutablePointer<Connection>
  ) -> Bool {
    session.pointee.taskBytes + session.pointee.waitingBytes + connection.pointee.queue.bytes <= 4 * share
  }

  /// Hands a task to its logical unit.
  @inline(__always)
  mutating func hand(_ task: UnsafeMutablePointer<Task>) {
    task.pointee.phase = .active
    guard task.pointee.dataError == .none else {
      // Data that break the rules of the session: the command is not executed.
      failData(task)
      return
    }
    guard task.pointee.command.cdbLength <= Command.cdbLengthMax else {
      fail(task, Sense(.illegalRequest, .invalidCommandOperationCode))
      deviceServerDone(task)
      return
    }
    task.pointee.unit = nodes[Int(task.pointee.session.pointee.node)].unit(task.pointee.lunField)
    submit(task)
  }

  @inline(__always)
  mutating func submit(_ task: UnsafeMutablePointer<Task>) {
    if let unit = task.pointee.unit {
      proceed(task, unit.use { $0.submit(&task.pointee.command, &context) })
    } else {
      proceed(
        task, nodes[Int(task.pointee.session.pointee.node)].missing.submit(&task.pointee.command, &context))
    }
  }

  mutating func resume(_ task: UnsafeMutablePointer<Task>, _ event: CommandEvent) {
    // Only a logical unit that exists waits for anything but memory.
    guard let unit = task.pointee.unit else { return }
    proceed(task, unit.use { $0.resume(&task.pointee.command, event, &context) })
  }

  /// Does what the device server asks for.
  @inline(__always)
  private mutating func proceed(_ task: UnsafeMutablePointer<Task>, _ disposition: Disposition) {
    guard disposition != .finished else { return deviceServerDone(task) }
    // Most small writes bring their data along, which lie in the receive buffer: what ``gather(_:_:)`` would find out is known of
    // them, and they go on here, with 70 instructions of 1,250 less.
    if case .wantsData(let count) = disposition, task.pointee.isLent, lent.length == count, let unit = task.pointee.unit
    {
      takeLent(task)
      let next = unit.use { $0.resume(&task.pointee.command, .dataArrived, &context) }
      guard next != .finished else { return deviceServerDone(task) }
      return wait(task, next)
    }
    wait(task, disposition)
  }

  /// What a task was lent are all the data that the device server wants.
  @inline(__always)
  private func takeLent(_ task: UnsafeMutablePointer<Task>) {
    task.pointee.deviceLength = lent.length
    task.pointee.wanted = lent.length
    task.pointee.command.buffer = lent
    task.pointee.command.dataOutLength = lent.length
  }

  /// Has a task wait for what the device server says.
  private mutating func wait(_ task: UnsafeMutablePointer<Task>, _ disposition: Disposition) {
    switch disposition {
    case .finished:
      break
    case .wantsData(let count):
      gather(task, count)
    case .pending:
      task.pointee.phase = .active
      mediumBegins(task)
      keep(task)
    case .blocked:
      task.pointee.phase = .active
      keep(task)
      if !starved.isEmpty, let unit = task.pointee.unit { endStarved(of: unit) }
    case .starved:
      // It has given up the blocks that it had, for others that hold memory.
      if let unit = task.pointee.unit, task.pointee.command.isInTaskSet, unit.use({ $0.hasReady }) {
        unitsToDrain.append(unit.reference)
      }
      starve(task)
    }
  }

  /// The device server has asked something of the medium for a task.
  private mutating func mediumBegins(_ task: UnsafeMutablePointer<Task>) {
    task.pointee.users.insert(.medium)
    let isFirst = task.pointee.unit?.use { $0.watch.begins(at: context.now) } ?? false
    if isFirst { schedule(context.now + MediumWatch.patience) }
  }

  mutating func mediumCompleted(_ index: UInt32, _ generation: UInt32, _ completion: Completion) {
    guard let task = tasks[index], task.pointee.users.contains(.medium),
      task.pointee.command.generation & 0xFF_FFFF == generation
    else { return }
    task.pointee.users.remove(.medium)
    if let wait = task.pointee.unit?.use({ $0.watch.ended(at: context.now) }) {
      noteAnswer(after: wait, of: task)
    }
    // What the medium cannot do at all is done otherwise.
    if completion.error != .none, completion.error != .unsupported, completion.error != .cancelled {
      noteFailure(completion.error, of: task)
    }
    if task.pointee.phase == .ending {
      // Aborted: the device server is told, and asked to do no more.
      proceedAborted(task, completion)
      return
    }
    resume(task, .medium(completion.error, completion.result))
  }

  private mutating func proceedAborted(_ task: UnsafeMutablePointer<Task>, _ completion: Completion) {
    let disposition = task.pointee.unit?.use {
      $0.resume(&task.pointee.command, .medium(completion.error, completion.result), &context)
    }
    if disposition == .pending { return mediumBegins(task) }
    leaveTaskSet(task)
    noteGone(task)
    releaseTaskIfDone(task)
  }

  // MARK: Waiting for others, and for memory

  /// Submits the tasks of a unit that may go on.
  mutating func drain(_ reference: UnitReference) {
    let unit = nodes[Int(reference.node)].units[Int(reference.unit)]
    while let index = unit.takeReady() {
      guard let task = tasks[index], task.pointee.phase == .active, task.pointee.command.isInTaskSet else { continue }
      submit(task)
    }
  }

  /// Puts a task at the end of those that wait for memory.
  mutating func starve(_ task: UnsafeMutablePointer<Task>) {
    task.pointee.phase = .starved
    keep(task)
    starved.append(task.pointee.command.task)
    if let unit = task.pointee.unit { endStarved(of: unit) }
  }

  /// Those that wait because of task attributes wait for the starved tasks of their unit as well, and hold memory, perhaps all
  /// of it: rather than wait for each other for ever, the starved ones end with BUSY.
  private mutating func endStarved(of unit: UncountedUnit) {
    guard unit.use({ $0.hasDormant }) else { return }
    for index in starved.all {
      guard let task = tasks[index], task.pointee.phase == .starved, task.pointee.unit?.reference == unit.reference
      else { continue }
      starved.remove(index)
      task.pointee.command.status = Status.busy.rawValue
      deviceServerDone(task)
    }
  }

  /// Lets tasks that wait for memory try again, the oldest first; stops at the first one that still finds none.
  mutating func retryStarved() {
    while let index = starved.popFirst() {
      guard let task = tasks[index], task.pointee.phase == .starved else { continue }
      if task.pointee.starvedLength > 0 {
        gather(task, task.pointee.starvedLength)
      } else {
        task.pointee.phase = .active
        submit(task)
      }
      if task.pointee.phase == .starved, starved.last == index {
        // It is back at the end of the queue; it goes to the front again, and memory must be given back first.
        starved.removeLast()
        starved.putBack(index)
        break
      }
    }
  }

  // MARK: The books

  /// Writes a task into the books of its session, unless it is there already: it outlives the call in which it came, and
  /// has to be found again, and left room in the command window. Most tasks do not: their data have come with them, and
  /// their blocks are in memory.
  mutating func list(_ task: UnsafeMutablePointer<Task>) {
    guard !task.pointee.isListed else { return }
    task.pointee.isListed = true
    let session = task.pointee.session
    let index = task.pointee.command.task
    task.pointee.previousInSession = -1
    task.pointee.nextInSession = session.pointee.firstTask
    if session.pointee.firstTask >= 0 { tasks.slots[Int(session.pointee.firstTask)].previousInSession = Int32(index) }
    session.pointee.firstTask = Int32(index)
    _ = session.pointee.tags.insert(task.pointee.initiatorTaskTag, index)
    if task.pointee.isImmediate { session.pointee.immediate += 1 } else { session.pointee.windowed += 1 }
  }

  /// Writes a task that its logical unit has seen into the books of both, and what memory it has now.
  mutating func keep(_ task: UnsafeMutablePointer<Task>) {
    list(task)
    count(
      task, task.pointee.command.buffer.length + task.pointee.command.auxiliary.length + task.pointee.gathered.length)
    task.pointee.unit?.use { $0.enter(&task.pointee.command) }
  }

  /// Notes what memory a task has that is in the books.
  func count(_ task: UnsafeMutablePointer<Task>, _ bytes: Int) {
    let session = task.pointee.session
    let change = bytes - task.pointee.countedBytes
    if task.pointee.phase == .throttled {
      session.pointee.waitingBytes += change
    } else {
      session.pointee.taskBytes += change
    }
    task.pointee.countedBytes = bytes
  }

  /// Takes a task out of its session's books: it has been answered, or never will be.
  @inline(__always)
  mutating func unlist(_ task: UnsafeMutablePointer<Task>) {
    if task.pointee.isListed { strike(task) }
  }

  private mutating func strike(_ task: UnsafeMutablePointer<Task>) {
    task.pointee.isListed = false
    let session = task.pointee.session
    count(task, 0)
    session.pointee.tags.remove(task.pointee.initiatorTaskTag)
    if task.pointee.isImmediate { session.pointee.immediate -= 1 } else { session.pointee.windowed -= 1 }
    let next = task.pointee.nextInSession
    let previous = task.pointee.previousInSession
    if previous >= 0 { tasks.slots[Int(previous)].nextInSession = next } else { session.pointee.firstTask = next }
    if next >= 0 { tasks.slots[Int(next)].previousInSession = previous }
  }

  /// The logical unit need not think of the task any more.
  @inline(__always)
  mutating func leaveTaskSet(_ task: UnsafeMutablePointer<Task>) {
    // The device server gives its own second buffers back without a word.
    if !starved.isEmpty { memoryWasFreed = true }
    if task.pointee.command.isInTaskSet { finish(task) }
  }

  private mutating func finish(_ task: UnsafeMutablePointer<Task>) {
    guard let unit = task.pointee.unit else { return }
    let hasReady = unit.use {
      $0.finish(&task.pointee.command)
      return $0.hasReady
    }
    // Tasks that it held up may go on.
    if hasReady { unitsToDrain.append(unit.reference) }
  }

  /// Gives the slot and the memory back, once nobody uses them.
  @inline(__always)
  mutating func releaseTaskIfDone(_ task: UnsafeMutablePointer<Task>) {
    guard task.pointee.phase == .ending || task.pointee.isAnswered, task.pointee.users.isEmpty else { return }
    releaseTask(task)
  }

  private mutating func releaseTask(_ task: UnsafeMutablePointer<Task>) {
    if task.pointee.isLent {
      task.pointee.isLent = false
      if task.pointee.command.buffer == lent { task.pointee.command.buffer = .empty }
      lent = .empty
    }
    if task.pointee.command.loan.length > 0 { task.pointee.unit?.use { $0.takeBack(&task.pointee.command) } }
    free(task.pointee.command.buffer)
    free(task.pointee.gathered)
    let isAnswered = task.pointee.isAnswered
    let session = task.pointee.session
    tasks.give(task)
    if !isAnswered { leaveSession(session) }
  }

  /// One task less that a session waits for.
  @inline(__always)
  mutating func leaveSession(_ session: UnsafeMutablePointer<Session>) {
    session.pointee.taskCount -= 1
    if session.pointee.phase == .ending, session.pointee.taskCount == 0 { sessionEnded(session) }
  }
}
