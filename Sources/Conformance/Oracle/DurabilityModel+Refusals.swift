import Initiator
import SCSI

/// Commands whose status says that they have done nothing, or what they have found.
extension DurabilityModel {
  /// Whether the status of a command says that it has written nothing. What a COMPARE AND WRITE or a VERIFY says it has
  /// found, or not, is held against what may have been there.
  ///
  /// - Throws: When that cannot be.
  mutating func wasRefused(_ entry: Watched, _ outcome: CommandOutcome) throws(LuaFailure) -> Bool {
    guard outcome.response == 0 else { return false }
    switch Status(rawValue: outcome.status) {
    // SAM-5 §5.3.1: it has not come into the task set. SPC-4 §5.13.1: a reservation does not strike what is enabled already.
    case .busy, .reservationConflict, .taskSetFull, .acaActive: return true
    case .good:
      if let lba = entry.what.comparedAt { try checkMatch(entry, lba) }
      return false
    case .checkCondition:
      guard let sense = Sense(decoding: outcome.sense), !sense.isDeferred else { return false }
      // It is not there, or not with these fields.
      if entry.isUnknown { return sense.key == .illegalRequest || sense.key == .unitAttention }
      if sense.key == .miscompare, let lba = entry.what.comparedAt {
        try checkMiscompare(entry, lba)
        return true
      }
      return Self.leavesMediumAlone(sense, entry.what)
    default: return false
    }
  }

  /// Whether a command that ends so has not been carried out at all.
  private static func leavesMediumAlone(_ sense: Sense, _ access: Access) -> Bool {
    switch sense.key {
    // SAM-5 §5.14.1.
    case .unitAttention: return true
    // SPC-4 §4.5.6: a wrong field of the CDB alters nothing; one of the parameter data may have been met in the middle.
    case .illegalRequest:
      switch sense.additional {
      case .invalidCommandOperationCode, .invalidFieldInCDB, .logicalUnitNotSupported: return true
      case .logicalBlockAddressOutOfRange: if case .unmap = access { return false } else { return true }
      default: return false
      }
    default: return false
    }
  }

  /// What was compared was there, and was there for a COMPARE AND WRITE: another can have found it before only if it has left
  /// it there.
  private mutating func checkMatch(_ entry: Watched, _ lba: UInt64) throws(LuaFailure) {
    guard isKnown(entry.unit) else { return }
    for (index, hash) in entry.compared.enumerated() {
      let number = lba &* units[entry.unit].sectorsPerBlock &+ UInt64(index)
      var sector = take(entry.unit, number)
      let wasThere =
        if let write = entry.writes.first {
          sector.find(hash, by: write, began: entry.begin, writes)
        } else {
          sector.legal(entry.begin, writes).contains { $0.hash == hash || $0.hash == nil }
        }
      units[entry.unit].sectors[number] = sector
      guard wasThere else {
        throw failure(entry, number, "ended with GOOD, but what it compared with cannot have been there for it")
      }
    }
  }

  /// What was not found was not there for certain.
  private mutating func checkMiscompare(_ entry: Watched, _ lba: UInt64) throws(LuaFailure) {
    guard isKnown(entry.unit) else { return }
    let first = lba &* units[entry.unit].sectorsPerBlock
    for (index, hash) in entry.compared.enumerated() {
      let sector = take(entry.unit, first &+ UInt64(index))
      units[entry.unit].sectors[first &+ UInt64(index)] = sector
      let own = entry.writes.first
      if sector.legal(entry.begin, writes).contains(where: { $0.hash != hash && $0.write != own }) { return }
    }
    throw failure(entry, first, "ended with MISCOMPARE, but what it compared with was there")
  }

  private func failure(_ entry: Watched, _ sector: UInt64, _ what: String) -> LuaFailure {
    let unit = units[entry.unit]
    let name = entry.writes.isEmpty ? "VERIFY" : "COMPARE AND WRITE"
    return LuaFailure("LUN \(unit.facts.lun), LBA \(sector / unit.sectorsPerBlock): a \(name) \(what)")
  }
}

extension Access {
  /// Where the blocks are that a command compares with data of its own; nil for one that does not.
  fileprivate var comparedAt: UInt64? {
    switch self {
    case .compareAndWrite(let lba, _, _, _), .verify(let lba, _): lba
    default: nil
    }
  }
}
