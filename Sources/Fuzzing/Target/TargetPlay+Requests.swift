import ISCSI
import Ring
import SCSI

/// What the initiators of a ``TargetPlay`` send.
extension TargetPlay {
  func send(_ pdu: ProtocolDataUnit, on initiator: HostileInitiator) {
    let mangled = input.mangled(pdu, initiator.watch.digests)
    initiator.noteSent(mangled.pdu)
    for (index, part) in mangled.parts.enumerated() {
      if index > 0 { ring.settle() }
      ring.feed(initiator.socket, part)
    }
  }

  // MARK: SCSI commands

  private static let operationCodes: [UInt8] = [
    OperationCode.read10, OperationCode.write10, OperationCode.read16, OperationCode.write16, OperationCode.read6,
    OperationCode.write6, OperationCode.read12, OperationCode.write12, OperationCode.verify10, OperationCode.verify12,
    OperationCode.verify16, OperationCode.writeAndVerify10, OperationCode.writeAndVerify12,
    OperationCode.writeAndVerify16, OperationCode.writeSame10, OperationCode.writeSame16, OperationCode.compareAndWrite,
    OperationCode.orWrite16, OperationCode.synchronizeCache10, OperationCode.synchronizeCache16,
    OperationCode.prefetch10, OperationCode.prefetch16, OperationCode.unmap, OperationCode.testUnitReady,
    OperationCode.requestSense, OperationCode.inquiry, OperationCode.modeSelect6, OperationCode.modeSelect10,
    OperationCode.modeSense6, OperationCode.modeSense10, OperationCode.reserve6, OperationCode.release6,
    OperationCode.startStopUnit, OperationCode.preventAllowMediumRemoval, OperationCode.readCapacity10,
    OperationCode.serviceActionIn16, OperationCode.reportLUNs, OperationCode.maintenanceIn,
  ]

  /// Commands that are sent data.
  private static let writing: Set<UInt8> = [
    OperationCode.write6, OperationCode.write10, OperationCode.write12, OperationCode.write16,
    OperationCode.writeAndVerify10, OperationCode.writeAndVerify12, OperationCode.writeAndVerify16,
    OperationCode.writeSame10, OperationCode.writeSame16, OperationCode.compareAndWrite, OperationCode.orWrite16,
    OperationCode.unmap, OperationCode.modeSelect6, OperationCode.modeSelect10,
  ]

  func command(on initiator: HostileInitiator) {
    let place = input.byte()
    let code = place < 192 ? Self.operationCodes[Int(place) % Self.operationCodes.count] : input.byte()
    let how = input.flags()
    let blocks = how[0] ? Int(input.byte()) : 1 + input.below(4)
    let cdb = how[1] ? [code] + input.take(15) : blockCDB(code, lba: input.below(64), blocks)
    let isWrite = Self.writing.contains(code) != how[2]
    var length = blocks * 512
    if code == OperationCode.compareAndWrite { length *= 2 }
    if how[3] { length = Int(input.word16()) }
    let contents = how[4] ? input.run() : pattern(min(length, 8192))
    // All of the data with the command, a part, none.
    let immediate = isWrite ? Array(contents.prefix([contents.count, 0, 512, 1][input.below(4)])) : []
    var pdu = initiator.request(.scsiCommand, isImmediate: how[5], data: immediate)
    if how[6] { pdu.additionalHeaders = [0, 17, 1, 0] + pattern(16) }
    pdu.setLengths()
    let lun = input.byte()
    pdu.header.write { header in
      header.isFinal = !how[7] || !isWrite
      header.isRead = !isWrite && length > 0
      header.isWrite = isWrite
      header.taskAttribute = [1, 1, 1, 0, 2, 3, 4, 5][Int(lun >> 2 & 7)]
      header.lun = LogicalUnitNumber.encode([0, 1, 300, 7][Int(lun & 3)]) ?? 0
      header.expectedDataTransferLength = UInt32(length)
      for (index, byte) in cdb.prefix(16).enumerated() { header.cdb[index] = byte }
    }
    send(pdu, on: initiator)
  }

  /// The CDB of a command on blocks: its fields where the operation code has them.
  private func blockCDB(_ code: UInt8, lba: Int, _ blocks: Int) -> [UInt8] {
    var cdb = [UInt8](repeating: 0, count: 16)
    cdb[0] = code
    let (place, count): (Int, Int) =
      switch code >> 5 {
      case 0: (3, 4)
      case 4: (9, 13)
      case 5: (5, 9)
      default: (5, 8)
      }
    cdb[place] = UInt8(truncatingIfNeeded: lba)
    cdb[count] = UInt8(truncatingIfNeeded: blocks)
    return cdb
  }

  // MARK: Data-out

  /// What an R2T has asked for, as it should be or not quite.
  func answerAsked(on initiator: HostileInitiator) {
    guard !initiator.asked.isEmpty else { return command(on: initiator) }
    let how = input.flags()
    let place = how[0] ? input.below(initiator.asked.count) : initiator.asked.count - 1
    let (tag, transferTag, start, asked) = initiator.asked[place].header.read {
      ($0.initiatorTaskTag, $0.targetTransferTag, Int($0.bufferOffset), Int($0.desiredDataTransferLength))
    }
    let length = how[1] ? min(asked, Int(input.word16())) : asked
    let segment = how[2] ? 512 : 65_536
    var offset = 0
    repeat {
      let count = min(segment, length - offset)
      var pdu = dataOut(tag, transferTag, number: offset / segment, start + offset, count)
      pdu.header.write { $0.isFinal = offset + count == length && !how[3] }
      send(pdu, on: initiator)
      offset += count
    } while offset < length
  }

  /// Data-out that nobody has asked for, of one of the last commands.
  func unsolicited(on initiator: HostileInitiator) {
    let how = input.byte()
    var pdu = dataOut(
      initiator.earlierTag(Int(how & 3)), reservedTag, number: Int(how >> 2 & 1), 512 * input.below(16),
      Int(how >> 4) * 512)
    pdu.header.write { $0.isFinal = how & 8 == 0 }
    send(pdu, on: initiator)
  }

  private func dataOut(
    _ tag: UInt32, _ transferTag: UInt32, number: Int, _ offset: Int, _ count: Int
  ) -> ProtocolDataUnit {
    var pdu = ProtocolDataUnit(.dataOut, data: pattern(count))
    pdu.header.write {
      $0.initiatorTaskTag = tag
      $0.targetTransferTag = transferTag
      $0.dataSN = UInt32(truncatingIfNeeded: number)
      $0.bufferOffset = UInt32(truncatingIfNeeded: offset)
    }
    return pdu
  }

  // MARK: Other requests

  func manage(on initiator: HostileInitiator) {
    let how = input.byte()
    let tag = initiator.earlierTag(input.below(8))
    var pdu = initiator.request(.taskManagementRequest, isImmediate: how & 0x80 == 0)
    pdu.header.write {
      $0.flags = 0x80 | how & 15
      $0.lun = LogicalUnitNumber.encode(Int(how >> 4 & 1)) ?? 0
      $0.referencedTaskTag = tag
      $0.refCmdSN = $0.cmdSN &- UInt32(how >> 5 & 3)
    }
    send(pdu, on: initiator)
  }

  func ping(on initiator: HostileInitiator) {
    let how = input.flags()
    var pdu = initiator.request(.nopOut, isImmediate: how[0], data: pattern(Int(how.byte >> 2) * 33))
    if how[1] {
      pdu.header.write {
        $0.initiatorTaskTag = reservedTag
        $0.targetTransferTag = initiator.pingTag
      }
    }
    send(pdu, on: initiator)
  }

  func text(on initiator: HostileInitiator) {
    let how = input.flags()
    let data: [UInt8] = how[0] ? input.run() : Array((how[1] ? "SendTargets=All\0" : "SendTargets=\0").utf8)
    var pdu = initiator.request(.textRequest, isImmediate: how[5], data: how[2] ? [] : data)
    pdu.header.write {
      $0.isFinal = !how[3]
      $0.isContinued = how[4]
      if how[6] {
        $0.targetTransferTag = initiator.textTag
        $0.initiatorTaskTag = initiator.earlierTag(0)
      }
    }
    send(pdu, on: initiator)
  }

  func logOut(on initiator: HostileInitiator) {
    let how = input.byte()
    var pdu = initiator.request(.logoutRequest, isImmediate: how & 4 == 0)
    pdu.header.write {
      $0.flags = 0x80 | how & 3
      // In the place of the transfer tag.
      $0.targetTransferTag = 0
      $0.connectionID = UInt16(how >> 3)
    }
    send(pdu, on: initiator)
  }

  /// Any opcode, with any header.
  func anything(on initiator: HostileInitiator) {
    var pdu = initiator.request(Opcode.allCases[input.below(Opcode.allCases.count)], data: input.run())
    for _ in 0..<input.below(8) { pdu.header.bytes[input.below(HeaderView.length)] = input.byte() }
    let length = pdu.data.count
    pdu.header.write { $0.dataSegmentLength = length }
    send(pdu, on: initiator)
  }

  /// One of the last requests once more, or with the next number but one.
  func again(on initiator: HostileInitiator) {
    guard !initiator.sent.isEmpty else { return }
    let how = input.byte()
    var pdu = initiator.sent[initiator.sent.count - 1 - Int(how & 7) % initiator.sent.count]
    if how & 8 != 0 {
      let (tag, number) = (initiator.nextTag(), initiator.cmdSN &+ UInt32(how >> 4 & 3))
      pdu.header.write {
        $0.initiatorTaskTag = tag
        $0.cmdSN = number
      }
    }
    send(pdu, on: initiator)
  }
}
