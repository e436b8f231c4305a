import Ring
import SimClock

/// A stretch of the contents that does not read back as it was written. It lies over the pristine contents, so that it
/// goes without a trace when the fault is lifted, and where what was written over it is stable.
struct Damage {
  enum Effect {
    /// Other bytes are there, from this place in `bytes` on.
    case replaced
    /// One bit of the byte is inverted.
    case flipped(UInt8)
    /// Reading fails.
    case unreadable
  }

  var fault: DiskFaultID
  var offset: UInt64
  var length: UInt64
  var effect: Effect
  var bytes: [UInt8] = []
  /// The number in the log of the first write that came after it, and so heals it where the two meet.
  var age: UInt64
  var end: UInt64 { offset + length }

  /// The part of it from `start` to `end`.
  func part(_ start: UInt64, _ end: UInt64) -> Damage {
    var result = self
    result.offset = start
    result.length = end - start
    if case .replaced = effect { result.bytes = Array(bytes[Int(start - offset)..<Int(end - offset)]) }
    return result
  }
}

/// The damage of one image, oldest first.
struct DamageList {
  private(set) var stretches: [Damage] = []
  var isEmpty: Bool { stretches.isEmpty }

  mutating func append(_ stretch: Damage) { stretches.append(stretch) }

  mutating func remove(of fault: DiskFaultID) { stretches.removeAll { $0.fault == fault } }

  /// What the write with this number in the log puts there is no longer damaged.
  mutating func cut(_ offset: UInt64, _ length: UInt64, writtenAs number: UInt64) {
    guard !stretches.isEmpty else { return }
    let end = offset + length
    var kept: [Damage] = []
    for stretch in stretches {
      guard stretch.age <= number, stretch.offset < end, stretch.end > offset else {
        kept.append(stretch)
        continue
      }
      if stretch.offset < offset { kept.append(stretch.part(stretch.offset, offset)) }
      if stretch.end > end { kept.append(stretch.part(end, stretch.end)) }
    }
    stretches = kept
  }
}

extension Disk {
  /// Makes the atomic units of a range unreadable until they are written or the fault is lifted.
  public func injectLatentErrors(at offset: UInt64, length: UInt64) -> DiskFaultID {
    let id = makeFaultID()
    add(.unreadable, at: offset, length: length, by: id)
    return id
  }

  /// Inverts `count` bits of a range, at places that are drawn; all of them where it has no more.
  public func injectBitRot(at offset: UInt64, length: UInt64, count: Int) -> DiskFaultID {
    let id = makeFaultID()
    let count = length <= UInt64(max(count, 0)) / 8 ? Int(length) * 8 : count
    // A bit that is inverted twice is none.
    var inverted: Set<UInt64> = []
    while inverted.count < count {
      let place = offset + faultRandom.next(below: length)
      let bit = UInt8(faultRandom.next(below: UInt64(8)))
      guard inverted.insert(place << 3 | UInt64(bit)).inserted else { continue }
      add(.flipped(bit), at: place, length: 1, by: id)
    }
    return id
  }

  /// Damage lies over both images: a write over it takes it from what a read returns, and heals it once it is stable.
  private func add(
    _ effect: Damage.Effect, at offset: UInt64, length: UInt64, _ bytes: [UInt8] = [], by fault: DiskFaultID
  ) {
    let stretch = Damage(
      fault: fault, offset: offset, length: length, effect: effect, bytes: bytes, age: log.endNumber)
    damage.append(stretch)
    stableDamage.append(stretch)
  }

  /// Whether a range holds something that cannot be read, for an access that asks because it reads it.
  public func isUnreadable(at offset: UInt64, length: UInt64) -> Bool {
    var isUnreadable = false
    for stretch in damage.stretches where stretch.offset < offset + length && stretch.end > offset {
      guard case .unreadable = stretch.effect else { continue }
      isUnreadable = true
      strike(stretch.fault)
    }
    return isUnreadable
  }

  func applyDamage(at offset: UInt64, to bytes: UnsafeMutableRawBufferPointer) {
    let end = offset + UInt64(bytes.count)
    for stretch in damage.stretches where stretch.offset < end && stretch.end > offset {
      switch stretch.effect {
      case .unreadable: break
      case .flipped(let bit):
        bytes[Int(stretch.offset - offset)] ^= 1 << (bit & 7)
        strike(stretch.fault)
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

  /// Shows `bytes` at `offset` in place of what is there, until it is written over or `fault` is lifted; not at all when
  /// that was lifted while the write was under way.
  public func overlay(at offset: UInt64, _ bytes: [UInt8], by fault: DiskFaultID) {
    guard offset < size, !bytes.isEmpty, rules.contains(where: { $0.id == fault }) else { return }
    let length = min(UInt64(bytes.count), size - offset)
    add(.replaced, at: offset, length: length, Array(bytes[..<Int(length)]), by: fault)
  }
}
