import Ring
import SCSI

// MODE SELECT(6) and MODE SELECT(10): SPC-4 §6.11, §6.12.

extension CommandTable {
  static let modeSelect: [CommandDescriptor] = [
    CommandDescriptor(
      "MODE SELECT(6)", OperationCode.modeSelect6, usage: [0x15, 0x10, 0x00, 0x00, 0xFF, 0x00],
      begin: { $0.beginModeSelect(&$1, &$2) }, resume: { $0.resumeModeSelect(&$1, $2, &$3) }),
    CommandDescriptor(
      "MODE SELECT(10)", OperationCode.modeSelect10,
      usage: [0x55, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00],
      begin: { $0.beginModeSelect(&$1, &$2) }, resume: { $0.resumeModeSelect(&$1, $2, &$3) }),
  ]
}

extension LogicalUnit {
  fileprivate func beginModeSelect(_ command: inout Command, _ context: inout Context) -> Disposition {
    let isShort = command.cdb[0] == OperationCode.modeSelect6
    let length = isShort ? Int(command.cdb[4]) : Int(command.cdb.big16(7))
    if length == 0 { return good(&command) }
    // Without PF the pages would be of a vendor's own format, of which there is none.
    if command.cdb[1] & 0x10 == 0 { return fail(&command, invalidField(byte: 1, bit: 4)) }
    command.phase = 1
    return .wantsData(length)
  }

  fileprivate func resumeModeSelect(
    _ command: inout Command, _ event: CommandEvent, _ context: inout Context
  ) -> Disposition {
    switch event {
    case .dataArrived:
      guard !command.isAborted else { return .finished }
      return select(&command, &context)
    case .medium(let error, _):
      // The cache was switched off, and what was in it has been flushed, or not.
      if let failed = failedFlush(&command, error) { return failed }
      return command.isAborted ? .finished : good(&command)
    }
  }

  private func select(_ command: inout Command, _ context: inout Context) -> Disposition {
    let isShort = command.cdb[0] == OperationCode.modeSelect6
    let list = Array(context.arena.bytes(command.buffer.prefix(command.dataOutLength)))
    var pages = modePages
    if let sense = apply(list, headerLength: isShort ? 4 : 8, to: &pages) { return fail(&command, sense) }
    guard !pages.holdsTheSame(as: modePages) else { return good(&command) }
    let mustFlush = modePages.isWriteCacheEnabled && !pages.isWriteCacheEnabled
    // Writes that were begun with the cache are over before it is flushed; later ones begin without it.
    if mustFlush, hasMedium, !lock(&command, from: 0, to: blockCount, exclusive: true) { return .blocked }
    modePages = pages
    establish(.modeParametersChanged, except: command.nexus)
    return mustFlush && !startFlush(&command, &context) ? .pending : good(&command)
  }

  /// Applies a whole parameter list to `pages`. What is wrong with it, when something is; `pages` is of no use then.
  private func apply(_ list: [UInt8], headerLength: Int, to pages: inout ModePages) -> Sense? {
    let tooShort = Sense(.illegalRequest, .parameterListLengthError)
    guard list.count >= headerLength else { return tooShort }
    let isLong = headerLength == 8 && list[4] & 0x01 != 0
    let descriptorLength = headerLength == 4 ? Int(list[3]) : Int(list[6]) << 8 | Int(list[7])
    guard list.count >= headerLength + descriptorLength else { return tooShort }
    if descriptorLength > 0 {
      guard descriptorLength == (isLong ? 16 : 8) else {
        return invalidParameter(byte: headerLength == 4 ? 3 : 6)
      }
      if let sense = checkDescriptor(list, at: headerLength, isLong: isLong) { return sense }
    }
    var index = headerLength + descriptorLength
    while index < list.count {
      guard index + 2 <= list.count else { return tooShort }
      // PS is reserved here; SPF announces a subpage, and there are none.
      if list[index] & 0x80 != 0 { return invalidParameter(byte: index, bit: 7) }
      if list[index] & 0x40 != 0 { return invalidParameter(byte: index, bit: 6) }
      guard let page = pages.current.firstIndex(where: { $0.code == list[index] & 0x3F }) else {
        return invalidParameter(byte: index, bit: 5)
      }
      let current = pages.current[page].bytes
      guard list[index + 1] == current[1] else { return invalidParameter(byte: index + 1) }
      guard index + current.count <= list.count else { return tooShort }
      let wanted = Array(list[index..<(index + current.count)])
      for offset in 2..<current.count {
        let forbidden = (wanted[offset] ^ current[offset]) & ~pages.current[page].changeable[offset]
        if forbidden != 0 { return invalidParameter(byte: index + offset, bit: 7 - forbidden.leadingZeroBitCount) }
      }
      pages.replace(page, wanted)
      index += current.count
    }
    return nil
  }

  /// Neither the capacity nor the block length can be changed. NUMBER OF LOGICAL BLOCKS is to be ignored then (SBC-4 §6.5.2.2).
  private func checkDescriptor(_ list: [UInt8], at index: Int, isLong: Bool) -> Sense? {
    let place = isLong ? index + 12..<index + 16 : index + 5..<index + 8
    let length = list[place].reduce(0) { $0 << 8 | Int($1) }
    return length == blockLength ? nil : invalidParameter(byte: place.lowerBound)
  }
}
