import Ring
import SimClock
import SimDisk
import Testing

/// A medium on a timeline of its own, with calls that take arrays.
struct Medium {
  let disk: Disk

  init(seed: UInt64 = 1, _ adjust: (inout DiskOptions) -> Void = { _ in }) {
    var options = DiskOptions()
    adjust(&options)
    disk = Disk(name: "m", options: options, timeline: Timeline(seed: seed))
  }

  func write(_ offset: UInt64, _ bytes: [UInt8], fua: Bool = false) {
    bytes.withUnsafeBytes { disk.write(at: offset, $0, forceUnitAccess: fua) }
  }

  func write(_ offset: UInt64, _ byte: UInt8, _ count: Int, fua: Bool = false) {
    write(offset, [UInt8](repeating: byte, count: count), fua: fua)
  }

  func read(_ offset: UInt64, _ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xCC, count: count)
    bytes.withUnsafeMutableBytes { disk.read(at: offset, into: $0) }
    return bytes
  }

  func flush() { disk.flush(upTo: disk.flushMark) }
}

@Suite struct ContentTests {
  @Test("What was written is read, at any place and length; what was not is zeroes")
  func model() {
    let medium = Medium { $0.size = 1 << 20 }
    var model = [UInt8](repeating: 0, count: 1 << 20)
    var random = RandomStreams(seed: 2).stream("model")
    for round in 0..<600 {
      let offset = random.next(below: model.count)
      let count = random.next(below: min(20_000, model.count - offset)) + 1
      switch random.next(below: 8) {
      case 0:
        medium.disk.clear(at: UInt64(offset), length: UInt64(count), allocated: false)
        for place in offset..<offset + count { model[place] = 0 }
      case 1:
        medium.disk.clear(at: UInt64(offset), length: UInt64(count), allocated: true)
        for place in offset..<offset + count { model[place] = 0 }
      case 2: medium.flush()
      default:
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ round) }
        medium.write(UInt64(offset), bytes)
        model.replaceSubrange(offset..<offset + count, with: bytes)
      }
      let from = random.next(below: model.count)
      let length = min(random.next(below: 9000), model.count - from)
      #expect(medium.read(UInt64(from), length) == Array(model[from..<from + length]), "round \(round)")
    }
    #expect(medium.read(0, model.count) == model)
  }

  @Test("A huge medium costs only what is written on it, up to its last byte")
  func huge() {
    let size: UInt64 = 1 << 50
    let medium = Medium { $0.size = size }
    medium.write(size - 3, [1, 2, 3])
    medium.write(1 << 40, [4])
    #expect(medium.read(size - 4, 4) == [0, 1, 2, 3])
    #expect(medium.read(1 << 40, 2) == [4, 0])
    #expect(medium.disk.allocatedLength == 8192)
    #expect(medium.disk.seek(from: 0, toHole: false) == 1 << 40)
    #expect(medium.disk.seek(from: 1 << 40, toHole: true) == 1 << 40 + 4096)
    medium.disk.clear(at: 0, length: size, allocated: true)
    #expect(medium.disk.allocatedLength == 0)
    #expect(medium.disk.seek(from: 0, toHole: true) == size)
    medium.disk.clear(at: 8192, length: size - 8192, allocated: false)
    #expect(medium.disk.seek(from: 0, toHole: true) == 8192)
    #expect(medium.disk.seek(from: 8192, toHole: false) == size)
  }

  @Test("Discarding makes holes of whole pages and zeroes of pieces")
  func holes() {
    let medium = Medium { $0.size = 64 << 10 }
    medium.write(0, 7, 64 << 10)
    medium.disk.clear(at: 5000, length: 10_000, allocated: false)
    #expect(medium.disk.seek(from: 0, toHole: true) == 8192)
    #expect(medium.disk.seek(from: 8192, toHole: false) == 12288)
    #expect(medium.read(4999, 2) == [7, 0])
    #expect(medium.read(14_999, 2) == [0, 7])
  }

  @Test("Zeroes that keep their storage are no holes, also in a piece of a page, and after a crash")
  func zeroesWithStorage() {
    let medium = Medium {
      $0.size = 64 << 10
      $0.survival = .all
    }
    medium.disk.clear(at: 5000, length: 100, allocated: true)
    medium.disk.clear(at: 16384, length: 8192, allocated: true)
    for _ in 0..<2 {
      #expect(medium.disk.seek(from: 0, toHole: false) == 4096)
      #expect(medium.disk.seek(from: 4096, toHole: true) == 8192)
      #expect(medium.disk.seek(from: 8192, toHole: false) == 16384)
      #expect(medium.disk.seek(from: 16384, toHole: true) == 24576)
      medium.disk.crash()
    }
  }

  @Test("An access is checked before it is carried out")
  func checks() {
    let medium = Medium {
      $0.size = 8192
      $0.alignment = 512
    }
    let disk = medium.disk
    #expect(disk.check(.read, at: 0, length: 8192) == .none)
    #expect(disk.check(.read, at: 512, length: 8192) == .outOfRange)
    #expect(disk.check(.write, at: .max - 511, length: 1024) == .outOfRange)
    #expect(disk.check(.write, at: 1, length: 512) == .misaligned)
    disk.setReadOnly(true)
    #expect(disk.check(.write, at: 0, length: 512) == .readOnly)
    #expect(disk.check(.read, at: 0, length: 512) == .none)
    disk.remove()
    #expect(disk.check(.flush, at: 0, length: 0) == .removed)
    disk.insert()
    #expect(disk.check(.flush, at: 0, length: 0) == .none)
    let shrunk = disk.injectSize(4096)
    #expect(disk.check(.read, at: 4096, length: 512) == .mediumError)
    #expect(disk.fired(shrunk) == 1)
  }
}
