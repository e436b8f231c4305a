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
    end += Int(truncatingIfNeeded: completion.result)
    parse(machine)
  }

  /// Takes what is complete in the buffer, and moves the rest to its front.
  func parse(_ machine: LoadMachine) {
    while phase != .ended, !dataOut.isActive {
      let available = end - start
      if skip > 0 {
        let count = min(available, skip)
        skip -= count
        start += count
        if skip > 0 { break }
        skippedHeader.read { handle($0, UnsafeRawBufferPointer(start: nil, count: 0), machine) }
        continue
      }
      guard available >= HeaderView.length, takePDU(available, machine) else { break }
    }
    guard start > 0 else { return }
    let left = end - start
    if left > 0 {
      let base = machine.arena.base + buffer.offset
      base.copyMemory(from: base + start, byteCount: left)
    }
    start = 0
    end = left
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
    guard length <= receiveSegmentMax else {
      fail("got a data segment of \(length) bytes: expected at most \(receiveSegmentMax)", machine)
      return false
    }
    let hasTrailer = usesDigests && dataDigest && length > 0
    let data = headerLength + digestLength
    let total = data + header.paddedDataSegmentLength + (hasTrailer ? 4 : 0)
    // Only the load's own data-in are of no interest, and without a digest nobody has to see them whole.
    let isSkipped = !hasTrailer && header.opcodeBits == Opcode.dataIn.rawValue && phase == .ready
    if !isSkipped {
      // A quarter of the buffer is more than any text or sense data; with digests the declared length is half of it.
      guard available >= total else {
        if total > buffer.length { fail("got a PDU of \(total) bytes where none so long is expected", machine) }
        return false
      }
      if hasTrailer {
        let covered = UnsafeRawBufferPointer(start: base + data, count: header.paddedDataSegmentLength)
        let sent = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: total - 4, as: UInt32.self))
        guard Digest.crc32c(covered) == sent else {
          fail("got data whose digest does not match", machine)
          return false
        }
      }
      start += total
      handle(header, UnsafeRawBufferPointer(start: base + data, count: length), machine)
      return true
    }
    if available >= total {
      start += total
      handle(header, UnsafeRawBufferPointer(start: nil, count: 0), machine)
    } else {
      skippedHeader = BasicHeader(copying: UnsafeRawBufferPointer(start: base, count: HeaderView.length))
      start += data
      skip = header.paddedDataSegmentLength
    }
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
      if header.initiatorTaskTag == Self.ownTag { return ownCommandEnded(status: header.status, machine) }
      guard let tag = activeTag(header, machine) else { return }
      // A read that is good has sent all of it with its last data; a write has nothing to show.
      let isWhole = !isReading[tag] || received[tag] == configuration.length
      ended(tag, isGood: header.status == 0 && header.response == 0 && !header.isUnderflow && isWhole, machine)
    case Opcode.readyToTransfer.rawValue:
      readyToTransfer(header, machine)
    case Opcode.nopIn.rawValue:
      if header.targetTransferTag != reservedTag { answerPing(header, machine) }
    case Opcode.loginResponse.rawValue:
      expStatSN = header.statSN &+ 1
      loginResponse(header, data, machine)
    case Opcode.logoutResponse.rawValue:
      leave(machine)
    case Opcode.asyncMessage.rawValue:
      fail("got an asynchronous message: event \(header.asyncEvent)", machine)
    case Opcode.reject.rawValue:
      fail("had a PDU rejected: reason \(header.rejectReason)", machine)
    default:
      fail("got a PDU that it does not expect: opcode \(header.opcodeBits)", machine)
    }
  }

  private func dataIn(_ header: HeaderView, _ data: UnsafeRawBufferPointer, _ machine: LoadMachine) {
    if header.hasStatus { expStatSN = header.statSN &+ 1 }
    if header.initiatorTaskTag == Self.ownTag {
      ownData(data, machine)
      if phase != .ended, header.hasStatus { ownCommandEnded(status: header.status, machine) }
      return
    }
    guard let tag = activeTag(header, machine) else { return }
    let length = header.dataSegmentLength
    guard isReading[tag], length <= configuration.length - received[tag] else {
      return fail("got more data than it has asked for", machine)
    }
    received[tag] += length
    guard header.hasStatus else { return }
    ended(tag, isGood: header.status == 0 && received[tag] == configuration.length, machine)
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
  private func ended(_ tag: Int, isGood: Bool, _ machine: LoadMachine) {
    isActive[tag] = false
    freeTags.append(UInt32(tag))
    machine.commandEnded(index, since: started[tag], bytes: configuration.length, isGood: isGood)
    if !isGood {
      machine.note("session \(index) (\(target.name)) had a command that did not end with GOOD and all its data")
    }
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
