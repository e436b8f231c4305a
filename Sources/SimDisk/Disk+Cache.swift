import Ring
import SimClock

/// The volatile cache: what is stable, and what a crash leaves.
extension Disk {
  /// Plays the oldest entries of the log, up to number `mark`, into the stable image.
  func destage(upTo mark: UInt64) {
    while log.count > 0, log.removedCount < mark {
      play(log[0], log.removedCount)
      log.removeFirst()
    }
  }

  /// Writes back what does not fit into the cache.
  func trimCache() {
    while log.dataLength > options.cacheLength || log.count > 1 << 16 { destage(upTo: log.removedCount + 1) }
  }

  /// Plays an entry, or a part of it, into the stable image. Its number in the log tells what damage it heals.
  private func play(_ entry: WriteLog.Entry, _ number: UInt64) {
    stableDamage.cut(entry.offset, entry.length, writtenAs: number)
    switch entry.kind {
    case .data:
      log.forEachPiece(from: entry.position, length: Int(entry.length)) { piece, done in
        stable.write(at: entry.offset + UInt64(done), piece)
      }
    case .zeroes: stable.clear(at: entry.offset, length: entry.length, allocated: true)
    case .discard: stable.clear(at: entry.offset, length: entry.length, allocated: false)
    }
  }

  /// The power fails: of each write that was not flushed, all, nothing or any of its atomic units survive, as drawn.
  /// What is left is what is read from now on, and it is stable.
  public func crash() {
    counters.crashes += 1
    settle()
  }

  /// After a failed flush what was cached is indeterminate: each part of it may be on the medium or lost, and nothing
  /// will write it back. Reads show at once what is there.
  public func loseCache() { settle() }

  private func settle() {
    for index in 0..<log.count { survive(log[index], log.removedCount + UInt64(index)) }
    let length = UInt64(PageMap.pageLength)
    for index in 0..<log.count where log[index].length > 0 {
      let entry = log[index]
      current.copy(entry.offset / length..<(entry.offset + entry.length + length - 1) / length, from: stable)
    }
    damage = stableDamage
    log.removeAll()
  }

  private func survive(_ entry: WriteLog.Entry, _ number: UInt64) {
    if entry.isStable {
      play(entry, number)
      return
    }
    let tearing = tearings.last
    let unit = tearing?.unit ?? max(options.atomicUnit, 1)
    let units = Self.unitCount(entry, unit)
    var fate: UInt64 =
      switch tearing == nil ? options.survival : .torn {
      case .drawn: crashRandom.next(below: UInt64(4))
      case .torn: 2
      case .none: 0
      case .all: 1
      }
    // What lies within one unit has no parts: it is there or it is not.
    if fate > 1, units <= 1 { fate = crashRandom.next(below: UInt64(2)) }
    switch fate {
    case 0: break
    case 1: play(entry, number)
    default:
      counters.writesTorn += 1
      if let tearing { strike(tearing.id) }
      tear(entry, number, unit, units)
    }
  }

  /// How many atomic units a write touches.
  private static func unitCount(_ entry: WriteLog.Entry, _ unit: UInt64) -> UInt64 {
    entry.length == 0 ? 0 : (entry.offset + entry.length - 1) / unit - entry.offset / unit + 1
  }

  /// Lets some of the atomic units of a write survive, and not all of them. It has two at least.
  private func tear(_ entry: WriteLog.Entry, _ number: UInt64, _ unit: UInt64, _ units: UInt64) {
    guard entry.kind == .data else {
      // These can be huge: a part from a drawn cut on survives, or the part before it.
      let cut = (entry.offset / unit + 1 + crashRandom.next(below: units - 1)) * unit - entry.offset
      var piece = entry
      if crashRandom.chance(1, of: 2) {
        piece.length = cut
      } else {
        piece.offset += cut
        piece.length -= cut
      }
      play(piece, number)
      return
    }
    // One that survives, and another one that does not; of the rest any.
    let kept = crashRandom.next(below: units)
    var lost = crashRandom.next(below: units - 1)
    if lost >= kept { lost += 1 }
    var done: UInt64 = 0
    var bits: UInt64 = 0
    for index in 0..<units {
      let offset = entry.offset + done
      let length = min(unit - offset % unit, entry.length - done)
      if index % 64 == 0 { bits = crashRandom.next() }
      if index == kept || index != lost && bits & 1 != 0 {
        var piece = entry
        piece.offset = offset
        piece.length = length
        piece.position = entry.position + done
        play(piece, number)
      }
      bits >>= 1
      done += length
    }
  }
}
