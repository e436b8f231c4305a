import Ring
import SimClock

/// A stretch of the contents that does not read back as it was written. It lies over the pristine contents, so that it
/// goes without a trace when the fault is lifted, and where it is written over.
struct Damage {
  enum Effect {
    /// Other bytes are there, from this place in `bytes` on.
    case replaced
    /// One bit of the byte is inverted.
    case flipped(UInt8)
    /// Reading fails.
    case unreadable
  }

  var fault: UInt32
  var offset: UInt64
  var length: UInt64
  var effect: Effect
  var bytes: [UInt8] = []
  var end: UInt64 { offset + length }
}

extension Disk {
  /// Makes the atomic units of a range unreadable until they are written or the fault is lifted.
  public func injectLatentErrors(at offset: UInt64, length: UInt64) -> DiskFaultID {
    let id = DiskFaultID(rawValue: nextRule)
    nextRule += 1
    damage.append(Damage(fault: id.rawValue, offset: offset, length: length, effect: .unreadable))
    return id
  }

  /// Inverts `count` bits of a range, at places that are drawn.
  public func injectBitRot(at offset: UInt64, length: UInt64, count: Int) -> DiskFaultID {
    let id = DiskFaultID(rawValue: nextRule)
    nextRule += 1
    for _ in 0..<count where length > 0 {
      let place = offset + faultRandom.next(below: length)
      let bit = UInt8(faultRandom.next(below: UInt64(8)))
      damage.append(Damage(fault: id.rawValue, offset: place, length: 1, effect: .flipped(bit)))
    }
    return id
  }

  /// How many stretches of the contents a fault has damaged and nobody has written over.
  public func damageCount(_ id: DiskFaultID) -> Int { damage.count { $0.fault == id.rawValue } }

  /// Whether a range holds something that cannot be read.
  public func isUnreadable(at offset: UInt64, length: UInt64) -> Bool {
    guard !damage.isEmpty else { return false }
    let isUnreadable = damage.contains {
      if case .unreadable = $0.effect { $0.offset < offset + length && $0.end > offset } else { false }
    }
    if isUnreadable { counters.unreadableReads += 1 }
    return isUnreadable
  }

  func applyDamage(at offset: UInt64, to bytes: UnsafeMutableRawBufferPointer) {
    let end = offset + UInt64(bytes.count)
    for stretch in damage where stretch.offset < end && stretch.end > offset {
      if case .unreadable = stretch.effect { continue }
      counters.damagedReads += 1
      switch stretch.effect {
      case .unreadable: break
      case .flipped(let bit): bytes[Int(stretch.offset - offset)] ^= 1 << (bit & 7)
      case .replaced:
        let first = max(stretch.offset, offset)
        let last = min(stretch.end, end)
        var position = first
        while position < last {
          bytes[Int(position - offset)] = stretch.bytes[Int(position - stretch.offset)]
          position += 1
        }
      }
    }
  }

  /// What is written anew is no longer damaged.
  func repair(at offset: UInt64, length: UInt64) {
    let end = offset + length
    var kept: [Damage] = []
    for stretch in damage {
      guard stretch.offset < end, stretch.end > offset else {
        kept.append(stretch)
        continue
      }
      if stretch.offset < offset { kept.append(piece(stretch, stretch.offset, offset)) }
      if stretch.end > end { kept.append(piece(stretch, end, stretch.end)) }
    }
    damage = kept
  }

  private func piece(_ stretch: Damage, _ start: UInt64, _ end: UInt64) -> Damage {
    var result = stretch
    result.offset = start
    result.length = end - start
    if case .replaced = stretch.effect {
      result.bytes = Array(stretch.bytes[Int(start - stretch.offset)..<Int(end - stretch.offset)])
    }
    return result
  }

  /// Shows `bytes` at `offset` in place of what is there, until it is written over or `fault` is lifted.
  public func overlay(at offset: UInt64, _ bytes: [UInt8], by fault: DiskFaultID) {
    guard offset < size, !bytes.isEmpty else { return }
    let length = min(UInt64(bytes.count), size - offset)
    damage.append(
      Damage(
        fault: fault.rawValue, offset: offset, length: length, effect: .replaced, bytes: Array(bytes[..<Int(length)])))
  }
}
