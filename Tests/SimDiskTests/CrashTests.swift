import Ring
import SimClock
import SimDisk
import Testing

@Suite struct CrashTests {
  @Test("What was flushed survives every crash; what was not survives in any combination", arguments: 1...40)
  func subsets(_ seed: Int) {
    let medium = Medium(seed: UInt64(seed)) { $0.size = 1 << 20 }
    medium.write(0, 1, 4096)
    medium.flush()
    for index in 0..<16 as Range<UInt64> { medium.write(65536 + index * 4096, UInt8(index + 10), 4096) }
    medium.disk.crash()
    #expect(medium.read(0, 4096) == [UInt8](repeating: 1, count: 4096))
    for index in 0..<16 as Range<UInt64> {
      let content = medium.read(65536 + index * 4096, 4096)
      for unit in 0..<8 {
        let sector = content[unit * 512..<unit * 512 + 512]
        #expect(sector.allSatisfy { $0 == sector.first }, "a sector is never torn")
        #expect(sector.first == 0 || sector.first == UInt8(index + 10))
      }
    }
    #expect(medium.disk.unflushedLength == 0)
    let image = medium.read(0, 1 << 20)
    medium.disk.crash()
    #expect(medium.read(0, 1 << 20) == image, "what survived is stable")
  }

  @Test("Over many seeds a crash loses, keeps and tears")
  func variety() {
    var lost = 0
    var kept = 0
    var torn = 0
    for seed in 0..<60 as Range<UInt64> {
      let medium = Medium(seed: seed) { $0.size = 1 << 20 }
      medium.write(0, 9, 8192)
      medium.disk.crash()
      switch medium.read(0, 8192).count(where: { $0 == 9 }) {
      case 0: lost += 1
      case 8192: kept += 1
      default: torn += 1
      }
    }
    #expect(lost > 5 && kept > 5 && torn > 5, "\(lost) lost, \(kept) kept, \(torn) torn")
  }

  @Test("What is torn survives in part, and what lies within one atomic unit is not torn", arguments: 0..<50)
  func tornInPart(_ seed: Int) {
    let medium = Medium(seed: UInt64(seed)) { $0.size = 1 << 20 }
    let fault = medium.disk.injectTearing(atomicUnit: 4096)
    medium.write(0, 1, 8192)
    medium.write(20480, 1, 4096)
    // Of a part of a unit and a part of the next one.
    medium.write(36352, 1, 1024)
    medium.disk.crash()
    #expect(medium.read(0, 8192).count { $0 == 1 } == 4096)
    #expect([0, 4096].contains(medium.read(20480, 4096).count { $0 == 1 }))
    #expect(medium.read(36352, 1024).count { $0 == 1 } == 512)
    #expect(medium.disk.fired(fault) == 2)
    medium.write(65536, 1, 65536)
    medium.flush()
    medium.disk.clear(at: 65536, length: 65536, allocated: seed % 2 == 0)
    medium.disk.crash()
    let left = medium.read(65536, 65536).count { $0 == 1 }
    #expect(left > 0 && left < 65536 && left % 4096 == 0)
    #expect(medium.disk.fired(fault) == 3)
  }

  @Test("Zeroes and discards are torn between atomic units too, wherever they begin", arguments: 0..<50)
  func tornClears(_ seed: Int) {
    let medium = Medium(seed: UInt64(seed)) {
      $0.size = 1 << 20
      $0.atomicUnit = 4096
      $0.survival = .torn
    }
    medium.write(0, 1, 65536)
    medium.flush()
    medium.disk.clear(at: 512, length: 16384, allocated: true)
    medium.disk.crash()
    let image = medium.read(0, 65536)
    for unit in 0..<16 {
      // The first and the last unit are cleared in part.
      let start = unit == 0 ? 512 : unit * 4096
      let end = unit == 4 ? unit * 4096 + 512 : (unit + 1) * 4096
      #expect(Set(image[start..<end]).count == 1)
    }
  }

  @Test("A write with FUA survives every crash, and older writes do not come back over it", arguments: 1...40)
  func forceUnitAccess(_ seed: Int) {
    let medium = Medium(seed: UInt64(seed)) { $0.size = 1 << 20 }
    medium.write(0, 1, 8192)
    medium.write(4096, 2, 4096, fua: true)
    medium.write(12288, 3, 4096)
    medium.disk.crash()
    #expect(medium.read(4096, 4096) == [UInt8](repeating: 2, count: 4096))
    #expect(medium.read(0, 4096).allSatisfy { $0 == 0 || $0 == 1 })
  }

  @Test("A newer unflushed write may replace one with FUA, whole or in part", arguments: 1...20)
  func newer(_ seed: Int) {
    let medium = Medium(seed: UInt64(seed)) { $0.size = 1 << 20 }
    medium.write(0, 1, 4096, fua: true)
    medium.write(0, 2, 4096)
    medium.disk.crash()
    #expect(medium.read(0, 4096).allSatisfy { $0 == 1 || $0 == 2 })
  }

  @Test("A flush covers what came before its mark, and only promises that", arguments: 1...20)
  func mark(_ seed: Int) {
    let medium = Medium(seed: UInt64(seed)) { $0.size = 1 << 20 }
    medium.write(0, 1, 4096)
    let mark = medium.disk.flushMark
    medium.write(0, 2, 4096)
    medium.disk.flush(upTo: mark)
    #expect(medium.read(0, 4096).allSatisfy { $0 == 2 })
    #expect(medium.disk.unflushedLength == 4096)
    medium.disk.crash()
    #expect(medium.read(0, 4096).allSatisfy { $0 == 1 || $0 == 2 })
  }

  @Test("Without a cache every write is stable when it completes")
  func writeThrough() {
    let medium = Medium {
      $0.size = 1 << 20
      $0.isCached = false
    }
    medium.write(100, [1, 2, 3])
    medium.disk.crash()
    #expect(medium.read(100, 3) == [1, 2, 3])
  }

  @Test("A cache that is full writes back its oldest")
  func cacheLength() {
    let medium = Medium {
      $0.size = 1 << 20
      $0.cacheLength = 16384
      $0.survival = .none
    }
    for index in 0..<8 as Range<UInt64> { medium.write(index * 4096, UInt8(index + 1), 4096) }
    #expect(medium.disk.unflushedLength == 16384)
    medium.disk.crash()
    #expect(medium.read(0, 16384).allSatisfy { $0 != 0 })
    #expect(medium.read(16384, 16384).allSatisfy { $0 == 0 })
  }

  @Test("A cache holds only so many writes, however short, and writes back its oldest")
  func manyWrites() {
    let medium = Medium {
      $0.size = 1 << 20
      $0.survival = .none
    }
    for index in 0..<70_000 as Range<UInt64> { medium.write(index, 1, 1) }
    #expect(medium.disk.unflushedLength == 1 << 16)
    medium.disk.crash()
    let kept = 70_000 - 1 << 16
    #expect(medium.read(0, 70_000) == [UInt8](repeating: 1, count: kept) + [UInt8](repeating: 0, count: 1 << 16))
  }

  @Test("Of very many writes those before the mark of a flush are stable, and the others in their order")
  func manyMarks() {
    let medium = Medium {
      $0.size = 1 << 20
      $0.survival = .none
    }
    var mark: UInt64 = 0
    for index in 0..<5000 as Range<UInt64> {
      if index == 3000 { mark = medium.disk.flushMark }
      medium.write(index % 1000 * 2, [UInt8(truncatingIfNeeded: index / 1000 + 1), 7])
    }
    medium.disk.flush(upTo: mark)
    #expect(medium.disk.unflushedLength == 4000)
    #expect(medium.read(0, 2000) == (0..<1000).flatMap { _ in [5, 7] as [UInt8] })
    medium.write(0, [9, 9], fua: true)
    medium.disk.crash()
    #expect(medium.read(0, 2000) == [9, 9] + (1..<1000).flatMap { _ in [3, 7] as [UInt8] })
  }

  @Test("The fate of unflushed writes can be fixed", arguments: [DiskOptions.Survival.all, .none, .torn])
  func survival(_ survival: DiskOptions.Survival) {
    let medium = Medium {
      $0.size = 1 << 20
      $0.survival = survival
      $0.atomicUnit = 4096
    }
    medium.write(0, 1, 64 << 10)
    medium.disk.crash()
    let count = medium.read(0, 64 << 10).count { $0 == 1 }
    switch survival {
    case .all: #expect(count == 64 << 10)
    case .none: #expect(count == 0)
    default: #expect(count > 0 && count < 64 << 10 && count % 4096 == 0)
    }
  }

  @Test("Discards and zeroes are as volatile as writes", arguments: 1...20)
  func discards(_ seed: Int) {
    let medium = Medium(seed: UInt64(seed)) { $0.size = 1 << 30 }
    medium.write(4096, 5, 4096)
    medium.flush()
    medium.disk.clear(at: 0, length: 1 << 30, allocated: false)
    #expect(medium.read(4096, 1) == [0])
    medium.disk.crash()
    let content = medium.read(4096, 4096)
    #expect(content.allSatisfy { $0 == 0 || $0 == 5 })
    medium.disk.clear(at: 0, length: 1 << 30, allocated: false)
    medium.flush()
    medium.disk.crash()
    #expect(medium.read(4096, 4096).allSatisfy { $0 == 0 })
  }

  @Test("After a failed flush what was cached may be gone, and is no longer cached", arguments: 1...10)
  func failedFlush(_ seed: Int) {
    let medium = Medium(seed: UInt64(seed)) { $0.size = 1 << 20 }
    medium.write(0, 1, 4096)
    medium.flush()
    medium.write(0, 2, 4096)
    medium.disk.loseCache()
    let content = medium.read(0, 4096)
    #expect(content.allSatisfy { $0 == 1 || $0 == 2 })
    #expect(medium.disk.unflushedLength == 0)
    medium.disk.crash()
    #expect(medium.read(0, 4096) == content)
  }

  @Test("The same seed leaves the same image")
  func determinism() {
    func image(_ seed: UInt64) -> [UInt8] {
      let medium = Medium(seed: seed) { $0.size = 1 << 18 }
      for index in 0..<64 as Range<UInt64> { medium.write(index * 1536, UInt8(index + 1), 4096) }
      medium.disk.crash()
      return medium.read(0, 1 << 18)
    }
    #expect(image(5) == image(5))
    #expect(image(5) != image(6))
  }
}
