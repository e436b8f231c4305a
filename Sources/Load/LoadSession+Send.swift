import ISCSI
import Ring

/// What goes out: headers are put together in a staging buffer, data come from the pattern, and one send carries all.
extension LoadSession {
  /// What a PDU without data takes at most: a header, two digests and padding.
  private static let overhead = HeaderView.length + 12

  private var filling: Extent { fillsSecond ? staging.1 : staging.0 }

  /// What commands and their data leave free, for pings and the like.
  private static let reserve = 1024

  /// Whether a PDU of the load with its header in the staging buffer fits.
  private var hasRoom: Bool { staged + Self.overhead + Self.reserve <= filling.length }

  // MARK: PDUs

  /// A PDU whose data, if any, are copied behind its header.
  func stage(
    _ opcode: Opcode, _ machine: LoadMachine, copying data: [UInt8] = [], _ fill: (MutableHeaderView) -> Void
  ) {
    guard staged + Self.overhead + data.count + 4 <= filling.length else {
      return fail("has no room for what it has to send: the target takes nothing", machine)
    }
    let base = begin(opcode, machine)
    let header = MutableHeaderView(base)
    fill(header)
    header.dataSegmentLength = data.count
    finishHeader(base)
    guard !data.isEmpty else { return }
    let place = machine.arena.base + filling.offset + staged
    let padded = (data.count + 3) & ~3
    UnsafeMutableRawBufferPointer(start: place, count: data.count).copyBytes(from: data)
    for index in data.count..<padded { place.storeBytes(of: 0, toByteOffset: index, as: UInt8.self) }
    append(padded)
    if usesDigests, dataDigest {
      store(Digest.crc32c(UnsafeRawBufferPointer(start: place, count: padded)), at: place + padded)
      append(4)
    }
  }

  /// Room for a header, which the caller has seen is there.
  @inline(__always)
  private func begin(_ opcode: Opcode, isFinal: Bool = true, _ machine: LoadMachine) -> UnsafeMutableRawPointer {
    let base = machine.arena.base + filling.offset + staged
    MutableHeaderView(base).begin(opcode, isFinal: isFinal)
    return base
  }

  @inline(__always)
  private func finishHeader(_ base: UnsafeMutableRawPointer) {
    guard usesDigests, headerDigest else { return append(HeaderView.length) }
    store(
      Digest.crc32c(UnsafeRawBufferPointer(start: base, count: HeaderView.length)), at: base + HeaderView.length)
    append(HeaderView.length + 4)
  }

  private func store(_ digest: UInt32, at place: UnsafeMutableRawPointer) {
    place.storeBytes(of: digest.littleEndian, as: UInt32.self)
  }

  /// Queues what was staged last.
  @inline(__always)
  private func append(_ count: Int) {
    let extent = Extent(offset: filling.offset + staged, length: count)
    staged += count
    if let last = filled.indices.last, filled[last].end == extent.offset {
      filled[last].length += count
    } else {
      filled.append(extent)
    }
  }

  /// Queues `count` bytes of the pattern as a data segment, with padding and digest.
  private func appendPattern(_ count: Int, _ machine: LoadMachine) {
    filled.append(machine.pattern.prefix(count))
    let padding = -count & 3
    let place = machine.arena.base + filling.offset + staged
    for index in 0..<padding { place.storeBytes(of: 0, toByteOffset: index, as: UInt8.self) }
    if padding > 0 { append(padding) }
    if usesDigests, dataDigest {
      var digest = Digest.crc32c(UnsafeRawBufferPointer(machine.arena.bytes(machine.pattern.prefix(count))))
      digest = Digest.crc32c(UnsafeRawBufferPointer(start: place, count: padding), continuing: digest)
      store(digest, at: place + padding)
      append(4)
    }
  }

  // MARK: Commands of the load

  /// Begins a command, whose latency counts from `start`. False when none can begin now.
  @inline(__always)
  func issue(_ machine: LoadMachine, at start: Instant) -> Bool {
    guard phase == .ready, !dataOut.isActive, hasRoom, Int32(bitPattern: maxCmdSN &- cmdSN) >= 0,
      filled.count < Self.extentsMax, let tag = freeTags.popLast()
    else { return false }
    let slot = Int(tag)
    let isRead =
      configuration.readPercent >= 100
      || configuration.readPercent > 0 && nextRandom() >> 33 % 100 < UInt64(configuration.readPercent)
    started[slot] = start
    isActive[slot] = true
    isReading[slot] = isRead
    received[slot] = 0
    let length = configuration.length
    let first = isRead ? 0 : min(firstBurstLength, length)
    let immediate = immediateData ? min(first, sendSegmentMax) : 0
    let hasUnsolicited = !initialR2T && immediate < first
    let base = begin(.scsiCommand, isFinal: !hasUnsolicited, machine)
    let header = MutableHeaderView(base)
    header.isRead = isRead
    header.isWrite = !isRead
    header.taskAttribute = 1
    header.dataSegmentLength = immediate
    header.lun = target.lun
    header.initiatorTaskTag = tag
    header.expectedDataTransferLength = UInt32(truncatingIfNeeded: length)
    header.cmdSN = cmdSN
    header.expStatSN = expStatSN
    cmdSN &+= 1
    let lba = nextLBA()
    // READ(16) and WRITE(16), SBC-4 §5.18 and §5.42.
    base.storeBytes(of: isRead ? 0x88 : 0x8A, toByteOffset: 32, as: UInt8.self)
    base.storeBytes(of: lba.bigEndian, toByteOffset: 34, as: UInt64.self)
    base.storeBytes(
      of: UInt32(truncatingIfNeeded: UInt64(length) >> blockShift).bigEndian, toByteOffset: 42, as: UInt32.self)
    finishHeader(base)
    if immediate > 0 { appendPattern(immediate, machine) }
    if hasUnsolicited {
      dataOut = DataOut(tag: tag, transferTag: reservedTag, offset: immediate, end: first, dataSN: 0)
      goOnWithDataOut(machine)
    }
    return true
  }

  @inline(__always)
  private func nextLBA() -> UInt64 {
    let unit: UInt64
    switch configuration.order {
    case .random:
      unit = nextRandom() % units
    case .sequential:
      unit = nextUnit
      nextUnit = nextUnit + 1 < units ? nextUnit + 1 : 0
    }
    return unit * UInt64(configuration.length) >> blockShift
  }

  /// Puts together as many Data-Out PDUs as there is room for.
  func goOnWithDataOut(_ machine: LoadMachine) {
    while dataOut.isActive, hasRoom, filled.count < Self.extentsMax {
      let count = min(dataOut.end - dataOut.offset, sendSegmentMax)
      let base = begin(.dataOut, isFinal: dataOut.offset + count == dataOut.end, machine)
      let header = MutableHeaderView(base)
      header.dataSegmentLength = count
      header.lun = target.lun
      header.initiatorTaskTag = dataOut.tag
      header.targetTransferTag = dataOut.transferTag
      header.expStatSN = expStatSN
      header.dataSN = dataOut.dataSN
      header.bufferOffset = UInt32(truncatingIfNeeded: dataOut.offset)
      finishHeader(base)
      appendPattern(count, machine)
      dataOut.offset += count
      dataOut.dataSN &+= 1
    }
  }

  func answerPing(_ ping: HeaderView, _ machine: LoadMachine) {
    stage(.nopOut, machine) { header in
      header.isImmediate = true
      header.lun = ping.lun
      header.initiatorTaskTag = reservedTag
      header.targetTransferTag = ping.targetTransferTag
      header.cmdSN = self.cmdSN
      header.expStatSN = self.expStatSN
    }
  }

  // MARK: Sending

  /// Entries of one send.
  private static let extentsMax = 512

  /// Goes on with what had no room before.
  func goOnSending(_ machine: LoadMachine) {
    guard dataOut.isActive else { return }
    goOnWithDataOut(machine)
    if !dataOut.isActive { parse(machine) }
  }

  func startSending(_ machine: LoadMachine, _ operations: inout Operations) {
    guard !isSending, phase != .ended else { return }
    if onItsWay.isEmpty {
      guard !filled.isEmpty else { return }
      swap(&filled, &onItsWay)
      fillsSecond.toggle()
      staged = 0
    }
    isSending = true
    operations.send(on: socket, from: onItsWay, token: machine.token(.send, index))
  }

  func sent(_ completion: Completion, _ machine: LoadMachine) {
    isSending = false
    guard phase != .ended else { return }
    guard completion.error == .none else { return fail("cannot send: \(completion.error)", machine) }
    var left = Int(truncatingIfNeeded: completion.result)
    var done = 0
    while done < onItsWay.count, left >= onItsWay[done].length {
      left -= onItsWay[done].length
      done += 1
    }
    if done == onItsWay.count {
      onItsWay.removeAll(keepingCapacity: true)
    } else {
      onItsWay.removeFirst(done)
      onItsWay[0] = onItsWay[0].dropFirst(left)
    }
  }
}
