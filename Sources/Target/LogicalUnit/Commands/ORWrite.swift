import Ring
import SCSI

// ORWRITE(16): SBC-4 §5.10.

extension CommandTable {
  static let orWrite: [CommandDescriptor] = [
    CommandDescriptor(
      "ORWRITE(16)", OperationCode.orWrite16,
      usage: [
        0x8B, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x00,
      ], [.needsMedium, .writes],
      begin: { $0.beginWrite(&$1, &$2) }, resume: { $0.resumeORWrite(&$1, $2, &$3) })
  ]
}

extension LogicalUnit {
  fileprivate func resumeORWrite(
    _ command: inout Command, _ event: CommandEvent, _ context: inout Context
  ) -> Disposition {
    if case .dataArrived = event {
      guard !command.isAborted else { return .finished }
      guard keepArrived(&command) else { return good(&command) }
    }
    let merged = command.buffer.prefix(length(of: command))
    return resumeReplacing(&command, event, by: merged, &context) { _, old, context in
      merge(old, into: context.arena.bytes(merged))
      return nil
    }
  }

  /// Sets in `new` what is set in `old`. Both are as long, a multiple of eight bytes: whole blocks. Data that came with the
  /// command may still be where they were received, at any address.
  private func merge(_ old: UnsafeMutableRawBufferPointer, into new: UnsafeMutableRawBufferPointer) {
    for index in stride(from: 0, to: min(old.count, new.count), by: 8) {
      let merged =
        old.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        | new.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      new.storeBytes(of: merged, toByteOffset: index, as: UInt64.self)
    }
  }
}
