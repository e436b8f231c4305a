import SCSI

/// What a command does to the blocks of a logical unit, as far as the durability model has to know.
enum Access {
  /// `length`: the bytes that come with GOOD.
  case read(lba: UInt64, length: UInt64)
  case write(lba: UInt64, data: [UInt8], forceUnitAccess: Bool)
  /// One block, written over and over.
  case same(lba: UInt64, blocks: UInt64, block: [UInt8])
  /// Zeroes, or whatever the unit shows of unmapped blocks, or what was there before.
  case unmap([(lba: UInt64, blocks: UInt64)])
  /// Writes only where all is as in `compare`, and says so with GOOD.
  case compareAndWrite(lba: UInt64, compare: [UInt8], data: [UInt8], forceUnitAccess: Bool)
  /// Says with GOOD that `data` are there.
  case verify(lba: UInt64, data: [UInt8])
  /// Zero blocks: all.
  case flush(lba: UInt64, blocks: UInt64)
  /// Nobody can say what is there afterwards.
  case unknown(lba: UInt64, blocks: UInt64)
  /// The cache's mode may have changed.
  case modeSelect
  /// Nobody can say what it does: FORMAT UNIT, SANITIZE, what a vendor has made up.
  case anything

  /// What `cdb` with its data does to `unit`; nil for what leaves the blocks alone. So does what is
  /// not known as long as nothing but data comes of it.
  ///
  /// - Parameter expectedDataIn: The most bytes that the initiator takes.
  static func of(_ cdb: [UInt8], dataOut: [UInt8], expectedDataIn: Int, unit: UnitFacts?) -> Access? {
    guard let unit else { return nil }
    guard let layout = CDBLayout.of(cdb) else { return dataOut.isEmpty && expectedDataIn > 0 ? nil : .anything }
    func value(_ name: String) -> UInt64 { layout.read(name, cdb) ?? 0 }
    let lba = value("lba")
    var blocks = value("blocks")
    if blocks == 0, layout.name == "read6" || layout.name == "write6" { blocks = 256 }
    let isFUA = value("fua") == 1
    switch layout.name.prefix(while: { !$0.isNumber }) {
    case "read":
      // RFC 7143 §11.4.5.1: of what the initiator does not expect nothing comes, and an overflow says so.
      return .read(lba: lba, length: min(blocks * UInt64(unit.blockSize), UInt64(expectedDataIn)))
    case "write", "write_and_verify":
      guard UInt64(dataOut.count) == blocks * UInt64(unit.blockSize) else { return .unknown(lba: lba, blocks: blocks) }
      // SBC-4 §5.44: what is verified is what the medium has.
      let isOnMedium = isFUA || layout.name.hasPrefix("write_and_verify")
      return .write(lba: lba, data: dataOut, forceUnitAccess: isOnMedium)
    case "write_same":
      if blocks == 0 { blocks = unit.blockCount - min(lba, unit.blockCount) }
      let block = value("ndob") == 1 ? [UInt8](repeating: 0, count: unit.blockSize) : dataOut
      // SBC-4 §5.53: blocks that it unmaps instead read as the block that was sent, where unmapped ones read as zeroes.
      let mayUnmap = value("unmap") == 1 && !(unit.readsUnmappedAsZeroes && block.allSatisfy { $0 == 0 })
      guard block.count == unit.blockSize, !mayUnmap else { return .unknown(lba: lba, blocks: blocks) }
      return .same(lba: lba, blocks: blocks, block: block)
    case "orwrite": return .unknown(lba: lba, blocks: blocks)
    case "compare_and_write":
      let half = dataOut.count / 2
      guard UInt64(half) == blocks * UInt64(unit.blockSize) else { return .unknown(lba: lba, blocks: blocks) }
      return .compareAndWrite(
        lba: lba, compare: Array(dataOut[..<half]), data: Array(dataOut[half...]), forceUnitAccess: isFUA)
    case "verify":
      guard value("bytchk") == 1, UInt64(dataOut.count) == blocks * UInt64(unit.blockSize) else { return nil }
      return .verify(lba: lba, data: dataOut)
    case "synchronize_cache": return value("immed") == 1 ? nil : .flush(lba: lba, blocks: blocks)
    case "unmap": return .unmap(ranges(dataOut))
    case "mode_select": return .modeSelect
    default: return nil
    }
  }

  /// The same access when the command was changed on purpose: whatever it writes, it is not known.
  ///
  /// - Parameter blockSize: The bytes of a block.
  func blurred(blockSize: Int) -> Access {
    switch self {
    case .write(let lba, let data, _), .compareAndWrite(let lba, _, let data, _):
      .unknown(lba: lba, blocks: UInt64(data.count / blockSize))
    case .same(let lba, let blocks, _): .unknown(lba: lba, blocks: blocks)
    case .read, .verify, .flush: .unknown(lba: 0, blocks: 0)
    case .unmap, .unknown, .modeSelect, .anything: self
    }
  }

  /// The same access without its bytes: what its end has to know of it.
  var outline: Access {
    switch self {
    case .write(let lba, _, let isFUA): .write(lba: lba, data: [], forceUnitAccess: isFUA)
    case .compareAndWrite(let lba, _, _, let isFUA):
      .compareAndWrite(lba: lba, compare: [], data: [], forceUnitAccess: isFUA)
    case .same(let lba, let blocks, _): .same(lba: lba, blocks: blocks, block: [])
    case .verify(let lba, _): .verify(lba: lba, data: [])
    case .read, .unmap, .flush, .unknown, .modeSelect, .anything: self
    }
  }

  /// The block descriptors of an UNMAP parameter list.
  private static func ranges(_ list: [UInt8]) -> [(lba: UInt64, blocks: UInt64)] {
    list.withUnsafeBytes { bytes in
      guard let list = UnmapList(bytes) else { return [] }
      return (0..<list.count).map { list.range($0) }
    }
  }
}
