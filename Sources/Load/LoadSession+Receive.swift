import ISCSI
import Ring

/// What comes in: PDUs are taken in place, and data-in are thrown away as they come.
extension LoadSession {
  func startReceiving(_ machine: LoadMachine, _ operations: inout Operations) {
    guard !isReceiving, buffer.length > end else { return }
    isReceiving = true
    operations.receive(
      on: socket, into: Extent(offset: buffer.offset + end, length: buffer.length - end),
      token: machine.token(.receive, index))
  }

  func received(_ completion: Completion, _ machine: LoadMachine) {
    isReceiving = false
    guard phase != .ended else { return }
    guard completion.error == .none, completion.result > 0 else {
      if phase == .loggingOut { return leave(machine) }
      let what = completion.error == .none ? "the target has closed the connection" : "\(completion.error)"
      return fail("lost its connection: \(what)", machine)
    }
    let count = Int(truncatingIfNeeded: completion.result)
    let isFull = count == buffer.length - end
    end += count
    parse(machine)
    if phase != .ended { changeRoom(isFull, machine) }
  }

  /// Goes on in a large room when the one to wait with was filled, and waits with that again when nothing more has come.
  private func changeRoom(_ isFull: Bool, _ machine: LoadMachine) {
    let isWaiting = buffer.offset == waitingRoom.offset
    hasMoreToReceive = false
    let left = end - start
    let next: Extent
    if isWaiting, isFull, let room = machine.rooms.borrow() {
      hasMoreToReceive = true
      next = room
    } else if !isWaiting, !isFull, left <= waitingRoom.length {
      machine.rooms.giveBack(buffer)
      next = waitingRoom
    } else {
      return
    }
    let base = machine.arena.base
    (base + next.offset).copyMemory(from: base + buffer.offset + start, byteCount: left)
    buffer = next
    start = 0
    end = left
  }

  /// Takes what is complete in the buffer, and moves the rest to its front, unless more is on its way behind it.
  func parse(_ machine: LoadMachine) {
    while phase != .ended, !dataOut.isActive {
      if skipping != nil {
        guard skip(machine) else { break }
        continue
      }
      let available = end - start
      guard available >= HeaderView.length, takePDU(available, machine) else { break }
    }
    guard start > 0, !isReceiving else { return }
    let left = end - start
    if left > 0 {
      let base = machine.arena.base + buffer.offset
      base.copyMemory(from: base + start, byteCount: left)
    }
    start = 0
    end = left
  }

  /// Goes on with data that are thrown away. False when more of them must come first.
  private func skip(_ machine: LoadMachine) -> Bool {
    guard var skipped = skipping else { return true }
    let base = UnsafeRawPointer(machine.arena.base + buffer.offset)
    let count = min(end - start, skipped.left)
    if let digest = skipped.digest {
      skipped.digest = Digest.crc32c(UnsafeRawBufferPointer(start: base + start, count: count), continuing: digest)
    }
    skipped.left -= count
    start += count
    skipping = skipped
    guard skipped.left == 0 else { return false }
    if let digest = skipped.digest {
      guard end - start >= 4 else { return false }
      guard checkDataDigest(base + start, digest, machine) else { return false }
      start += 4
    }
    skipping = nil
    skipped.header.read { handle($0, UnsafeRawBufferPointer(start: nil, count: 0), machine) }
    return true
  }

  private func checkDataDigest(_ trailer: UnsafeRawPointer, _ digest: UInt32, _ machine: LoadMachine) -> Bool {
    guard UInt32(littleEndian: trailer.loadUnaligned(as: UInt32.self)) == digest else {
      fail("got data whose digest does not match", machine)
      return false
    }
    return true
  }

  /// Takes the PDU at ``start``, of which a header is there. False when more of it must come first.
  @inline(__always)
  private func takePDU(_ available: Int, _ machine: LoadMachine) -> Bool {
    let base = UnsafeRawPointer(machine.arena.base + buffer.offset + start)
    let header = HeaderView(base)
    let headerLength = HeaderView.length + header.totalAHSLength * 4
    let digestLength = usesDigests && headerDigest ? 4 : 0
    guard available >= headerLength + digestLength else { return false }
    if digestLength > 0 {
      let sent = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: headerLength, as: UInt32.self))
      guard Digest.crc32c(UnsafeRawBufferPointer(start: base, count: headerLength)) == sent else {
        fail("got a header whose digest does not match", machine)
        return false
      }
    }
    let length = header.dataSegmentLength
    guard length <= Self.segmentMax else {
      fail("got a data segment of \(length) bytes: expected at most \(Self.segmentMax)", machine)
      return false
    }
    let hasTrailer = usesDigests && dataDigest && length > 0
    let data = headerLength + digestLength
    let total = data + header.paddedDataSegmentLength + (hasTrailer ? 4 : 0)
    guard available >= total else {
      if header.opcodeBits == Opcode.dataIn.rawValue, phase == .ready {
        // Nobody wants to see what the load reads.
        skipping = Skipping(
          header: BasicHeader(copying: UnsafeRawBufferPointer(start: base, count: HeaderView.length)),
          left: header.paddedDataSegmentLength, digest: hasTrailer ? 0 : nil)
        start += data
        return true
      }
      // A large room holds more than any text or sense data.
      if total > machine.rooms.largeLength {
        fail("got a PDU of \(total) bytes where none so long is expected", machine)
      }
      return false
    }
    if hasTrailer {
      let covered = UnsafeRawBufferPointer(start: base + data, count: header.paddedDataSegmentLength)
      guard checkDataDigest(base + total - 4, Digest.crc32c(covered), machine) else { return false }
    }
    start += total
    handle(header, UnsafeRawBufferPointer(start: base + data, count: length), machine)
    return true
  }

  private func handle(_ header: HeaderView, _ data: UnsafeRawBufferPointer, _ machine: LoadMachine) {
    let maxCmdSN = header.maxCmdSN
    if Int32(bitPattern: maxCmdSN &- self.maxCmdSN) > 0 || phase == .login { self.maxCmdSN = maxCmdSN }
    switch header.opcodeBits {
    case Opcode.dataIn.rawValue:
      dataIn(header, data, machine)
    case Opcode.scsiResponse.rawValue:
      expStatSN = header.statSN &+ 1
      if header.initiatorTaskTag == Self.ownTag { return ownCommandEnded(header, data, machine) }
      guard let tag = activeTag(header, machine) else { return }
      ended(tag, isGood: header.response == 0 && !header.isUnderflow && isComplete(tag, header), header, data, machine)
    case Opcode.readyToTransfer.rawValue:
      readyToTransfer(header, machine)
    case Opcode.nopIn.rawValue:
      if header.targetTransferTag != reservedTag { answerPing(header, machine) }
    case Opcode.loginResponse.rawValue:
      expStatSN = header.statSN &+ 1
      loginResponse(header, data, machine)
    case Opcode.logoutResponse.rawValue:
      guard phase == .loggingOut else { return fail("got a Logout Response that it has not asked for", machine) }
      leave(machine)
    case Opcode.asyncMessage.rawValue:
      fail("got an asynchronous message: event \(header.asyncEvent)", machine)
    case Opcode.reject.rawValue:
      fail("had a PDU rejected: reason \(RejectReason.words(header.rejectReason))", machine)
    default:
      fail("got a PDU that it does not expect: opcode \(header.opcodeBits)", machine)
    }
  }

  private func dataIn(_ header: HeaderView, _ data: UnsafeRawBufferPointer, _ machine: LoadMachine) {
    if header.hasStatus { expStatSN = header.statSN &+ 1 }
    if header.initiatorTaskTag == Self.ownTag {
      ownData(data, machine)
      if phase != .ended, header.hasStatus { ownCommandEnded(header, data, machine) }
      return
    }
    guard let tag = activeTag(header, machine) else { return }
    let length = header.dataSegmentLength
    guard isReading[tag], length <= configuration.length - received[tag] else {
      return fail("got more data than it has asked for", machine)
    }
    received[tag] += length
    guard header.hasStatus else { return }
    ended(tag, isGood: isComplete(tag, header), header, data, machine)
  }

  /// Whether a command ends with GOOD and all that it wants: a read that is good has sent all of it with its last data, and a
  /// write has nothing to show.
  @inline(__always)
  private func isComplete(_ tag: Int, _ header: HeaderView) -> Bool {
    header.status == 0 && (!isReading[tag] || received[tag] == configuration.length)
  }

  /// The tag of an answer, when it is that of a command outstanding.
  @inline(__always)
  private func activeTag(_ header: HeaderView, _ machine: LoadMachine) -> Int? {
    let tag = Int(header.initiatorTaskTag)
    guard phase == .ready, tag < isActive.count, isActive[tag] else {
      fail("got an answer with tag \(header.initiatorTaskTag), which no command of it has", machine)
      return nil
    }
    return tag
  }

  @inline(__always)
  private func ended(
    _ tag: Int, isGood: Bool, _ header: HeaderView, _ data: UnsafeRawBufferPointer, _ machine: LoadMachine
  ) {
    isActive[tag] = false
    freeTags.append(UInt32(tag))
    machine.commandEnded(index, since: started[tag], bytes: configuration.length, isGood: isGood)
    // Of thousands that fail the first is told.
    if !isGood, machine.result.firstError == nil { tellFailure(tag, header, data, machine) }
  }

  private func readyToTransfer(_ header: HeaderView, _ machine: LoadMachine) {
    guard let tag = activeTag(header, machine) else { return }
    let offset = Int(header.bufferOffset)
    let length = Int(header.desiredDataTransferLength)
    guard !isReading[tag], length > 0, offset <= configuration.length, length <= configuration.length - offset else {
      return fail("was asked for \(length) bytes at \(offset) of a command of \(configuration.length) bytes", machine)
    }
    dataOut = DataOut(
      tag: UInt32(tag), transferTag: header.targetTransferTag, offset: offset, end: offset + length, dataSN: 0)
    goOnWithDataOut(machine)
  }
}
