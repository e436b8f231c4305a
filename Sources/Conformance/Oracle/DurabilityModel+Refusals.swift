import Initiator
import SCSI

/// Commands whose status says that they have done nothing, or what they have found.
extension DurabilityModel {
  /// Whether the status of a command says that it has written nothing. What a COMPARE AND WRITE says it has found, or not, is
  /// held against what may have been there.
  ///
  /// - Throws: When that cannot be.
  mutating func wasRefused(_ entry: Watched, _ outcome: CommandOutcome) throws(LuaFailure) -> Bool {
    guard outcome.response == 0 else { return false }
    switch Status(rawValue: outcome.status) {
    // SAM-5 §5.3.1: it has not come into the task set. SPC-4 §5.13.1: a reservation does not strike what is enabled already.
    case .reservationConflict, .taskSetFull, .acaActive: return true
    case .good:
      if case .compareAndWrite(let lba, _, _, _) = entry.what { try checkMatch(entry, lba) }
      return false
    case .checkCondition:
      let key = Sense(decoding: outcome.sense)?.key
      // It is not there, or not with these fields.
      if entry.isUnknown { return key == .illegalRequest }
      guard case .compareAndWrite(let lba, _, _, _) = entry.what, key == .miscompare else { return false }
      try checkMiscompare(entry, lba)
      return true
    default: return false
    }
  }

  /// What a COMPARE AND WRITE has found was there, and was there for it: another can have found it before only if it has left
  /// it there.
  private mutating func checkMatch(_ entry: Watched, _ lba: UInt64) throws(LuaFailure) {
    guard isKnown(entry.unit), let write = entry.writes.first else { return }
    for (index, hash) in entry.compared.enumerated() {
      let number = lba &* units[entry.unit].sectorsPerBlock &+ UInt64(index)
      var sector = take(entry.unit, number)
      let wasThere = sector.find(hash, by: write, began: entry.begin, writes)
      units[entry.unit].sectors[number] = sector
      guard wasThere else {
        throw failure(entry, number, "ended with GOOD, but what it compared with cannot have been there for it")
      }
    }
  }

  /// What a COMPARE AND WRITE has not found was not there for certain.
  private mutating func checkMiscompare(_ entry: Watched, _ lba: UInt64) throws(LuaFailure) {
    guard isKnown(entry.unit), let write = entry.writes.first else { return }
    let first = lba &* units[entry.unit].sectorsPerBlock
    for (index, hash) in entry.compared.enumerated() {
      let sector = take(entry.unit, first &+ UInt64(index))
      units[entry.unit].sectors[first &+ UInt64(index)] = sector
      if sector.legal(entry.begin, writes).contains(where: { $0.hash != hash && $0.write != write }) { return }
    }
    throw failure(entry, first, "ended with MISCOMPARE, but what it compared with was there")
  }

  private func failure(_ entry: Watched, _ sector: UInt64, _ what: String) -> LuaFailure {
    let unit = units[entry.unit]
    return LuaFailure("LUN \(unit.facts.lun), LBA \(sector / unit.sectorsPerBlock): a COMPARE AND WRITE \(what)")
  }
}
