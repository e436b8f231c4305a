import ISCSI
import Ring

/// What is done of which nobody knows what it does.
extension DurabilityModel {
  /// Whether it can be told what is on a unit: not once a command has been carried out that is not known, nor while one is.
  func isKnown(_ unit: Int) -> Bool {
    !units[unit].isBlind && !units[unit].open.contains { watched[$0].isUnknown }
  }

  /// A PDU of the script's making was sent: what it may write is not known any more.
  mutating func noteRaw(_ command: BasicHeader, target: Int, at time: Instant) {
    switch command.opcode {
    case .scsiCommand:
      let cdb = Array(command.array[32..<48])
      let lun = command.read { LogicalUnitNumber.decode($0.lun) } ?? 0
      guard let unit = find(target, lun),
        let access = Access.of(
          cdb, dataOut: [], expectedDataIn: command.read { $0.isRead && !$0.isWrite ? 1 : 0 }, unit: units[unit].facts)
      else {
        return
      }
      switch access {
      case .unknown(let lba, let blocks), .same(let lba, let blocks, _):
        _ = begin(.unknown(lba: lba, blocks: blocks), target: target, lun: lun, by: Nexus(name: "", isid: 0), at: time)
      case .unmap, .anything: units[unit].isBlind = true
      case .modeSelect: units[unit].facts.isCacheVolatile = true
      // Without data these write no block.
      case .read, .verify, .flush, .compareAndWrite, .write: break
      }
    case .dataOut: forgetAll(target: target)
    default: break
    }
  }

  /// Nobody knows what is on the target's units any more.
  mutating func forgetAll(target: Int) {
    for unit in units.indices where units[unit].target == target { units[unit].isBlind = true }
  }
}
