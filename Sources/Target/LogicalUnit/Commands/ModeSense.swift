import Ring
import SCSI

// MODE SENSE(6) and MODE SENSE(10): SPC-4 §6.13, §6.14.

extension CommandTable {
  static let modeSense: [CommandDescriptor] = [
    CommandDescriptor(
      "MODE SENSE(6)", OperationCode.modeSense6, usage: [0x1A, 0x08, 0xFF, 0xFF, 0xFF, 0x00],
      begin: { $0.beginModeSense(&$1, &$2) }),
    CommandDescriptor(
      "MODE SENSE(10)", OperationCode.modeSense10,
      usage: [0x5A, 0x18, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00],
      begin: { $0.beginModeSense(&$1, &$2) }),
  ]
}

extension LogicalUnit {
  fileprivate func beginModeSense(_ command: inout Command, _ context: inout Context) -> Disposition {
    let isShort = command.cdb[0] == OperationCode.modeSense6
    let control = command.cdb[2] >> 6
    let code = command.cdb[2] & 0x3F
    let subpage = command.cdb[3]
    // PC 11b asks for saved values, and none are saved.
    if control == 3 { return fail(&command, Sense(.illegalRequest, .savingParametersNotSupported)) }
    guard let pages = modePages.encoded(code, subpage: subpage, control: control) else {
      let isPageWrong = modePages.encoded(code, subpage: 0, control: control) == nil
      return fail(&command, isPageWrong ? invalidField(byte: 2, bit: 5) : invalidField(byte: 3))
    }
    let isLong = !isShort && command.cdb[1] & 0x10 != 0
    let hasDescriptor = command.cdb[1] & 0x08 == 0
    let descriptor =
      hasDescriptor
      ? ModeParameters.blockDescriptor(blocks: blockCount, blockLength: UInt32(blockLength), isLong: isLong) : []
    // WP, and DPOFUA: DPO and FUA are accepted.
    let specific: UInt8 = (writeProtection == nil ? 0 : 0x80) | 0x10
    let header =
      isShort
      ? ModeParameters.header6(specific: specific, descriptorLength: descriptor.count, pageLength: pages.count)
      : ModeParameters.header10(
        specific: specific, isLong: isLong, descriptorLength: descriptor.count, pageLength: pages.count)
    return answer(
      &command, header + descriptor + pages,
      allocationLength: isShort ? Int(command.cdb[4]) : Int(command.cdb.big16(7)), &context)
  }
}

extension ModePages {
  /// The pages that a PAGE CODE and SUBPAGE CODE ask for, one after the other; nil when there is none.
  fileprivate func encoded(_ code: UInt8, subpage: UInt8, control: UInt8) -> [UInt8]? {
    // There are no subpages: FFh asks for all, of which there is the one without a number.
    guard subpage == 0 || subpage == 0xFF else { return nil }
    var data: [UInt8] = []
    for index in current.indices where code == 0x3F || current[index].code == code {
      switch control {
      case 1: data += current[index].changeable
      case 2: data += defaults[index].bytes
      default: data += current[index].bytes
      }
    }
    return data.isEmpty ? nil : data
  }
}
