import Ring
import SimClock
import SimDisk
import Testing

@Suite struct DiskFaultTests {
  @Test("A fault strikes the accesses that it names, as often as it may")
  func rules() {
    let disk = Medium().disk
    var fault = DiskFault(.fail(.mediumError))
    fault.writes = false
    fault.range = 4096..<8192
    fault.limit = 2
    let id = disk.inject(fault)
    #expect(disk.judge(.write, at: 4096, length: 512).error == .none)
    #expect(disk.judge(.read, at: 0, length: 4096).error == .none)
    #expect(disk.judge(.flush, at: 0, length: 0).error == .none)
    #expect(disk.judge(.read, at: 0, length: 4097).error == .mediumError)
    #expect(disk.judge(.read, at: 8191, length: 1).error == .mediumError)
    #expect(disk.judge(.read, at: 8191, length: 1).error == .none, "the limit is reached")
    #expect(disk.fired(id) == 2)
    disk.lift(id)
    #expect(disk.fired(id) == 2, "the count outlives the fault")
  }

  @Test("Where there is no room, storage can be given back")
  func full() {
    let disk = Medium().disk
    let id = disk.inject(DiskFault(.fail(.noSpace)))
    #expect(disk.judge(.write, at: 0, length: 512).error == .noSpace)
    #expect(disk.judge(.writeZeroes, at: 0, length: 512).error == .noSpace)
    #expect(disk.judge(.discard, at: 0, length: 512).error == .none)
    #expect(disk.fired(id) == 2)
  }

  @Test("Two faults that make an access slow add up")
  func slowTwice() {
    let disk = Medium().disk
    _ = disk.inject(DiskFault(.slow(.milliseconds(1))))
    _ = disk.inject(DiskFault(.slow(.milliseconds(2))))
    #expect(disk.judge(.read, at: 0, length: 512).delay == .milliseconds(3))
  }

  @Test("Of what lies over the contents the rest stays as it was where a part is written over")
  func overlaidInPart() {
    let medium = Medium()
    var shown = (0..<4096).map { UInt8(truncatingIfNeeded: $0 / 16) }
    let fault = medium.disk.inject(DiskFault(.lost))
    medium.write(4096, 0xFF, 4096)
    medium.disk.overlay(at: 4096, shown, by: fault)
    #expect(medium.read(4096, 4096) == shown)
    for (offset, count) in [(0, 512), (2048, 1000), (3584, 512)] {
      medium.write(UInt64(4096 + offset), 7, count)
      for index in offset..<offset + count { shown[index] = 7 }
      #expect(medium.read(4096, 4096) == shown)
    }
  }

  @Test("A short access moves whole sectors, fewer than asked and at least one")
  func short() {
    let disk = Medium().disk
    _ = disk.inject(DiskFault(.short))
    for _ in 0..<100 {
      let length = disk.judge(.read, at: 0, length: 8192).length
      #expect(length >= 512 && length < 8192 && length % 512 == 0)
    }
    #expect(disk.judge(.write, at: 0, length: 512).length == 512)
  }

  @Test("Bit rot inverts the bits that it says, heals where it is written over, and goes when it is lifted")
  func bitRot() {
    let medium = Medium()
    medium.write(0, 0xFF, 65536)
    let id = medium.disk.injectBitRot(at: 8192, length: 4096, count: 5)
    let rotten = medium.read(0, 65536)
    #expect(rotten.reduce(0) { $0 + (~$1).nonzeroBitCount } >= 1)
    #expect(rotten[..<8192].allSatisfy { $0 == 0xFF } && rotten[12288...].allSatisfy { $0 == 0xFF })
    medium.write(8192, 0xFF, 2048)
    #expect(medium.read(8192, 2048).allSatisfy { $0 == 0xFF })
    medium.disk.lift(id)
    #expect(medium.read(0, 65536).allSatisfy { $0 == 0xFF })
  }

  @Test("Bit rot inverts as many bits as it says, and no bit twice", arguments: [1, 7, 8, 9, 100])
  func rottenBits(_ count: Int) {
    let medium = Medium()
    _ = medium.disk.injectBitRot(at: 4096, length: 1, count: count)
    #expect(medium.read(4096, 1)[0].nonzeroBitCount == min(count, 8))
    #expect(medium.read(0, 4096).allSatisfy { $0 == 0 })
    _ = medium.disk.injectBitRot(at: 0, length: 0, count: count)
  }

  @Test("A latent error is met by reading and healed by writing")
  func latent() {
    let medium = Medium()
    _ = medium.disk.injectLatentErrors(at: 4096, length: 1024)
    #expect(medium.disk.isUnreadable(at: 0, length: 4097))
    #expect(!medium.disk.isUnreadable(at: 0, length: 4096))
    medium.write(4096, 1, 512)
    #expect(!medium.disk.isUnreadable(at: 4096, length: 512))
    #expect(medium.disk.isUnreadable(at: 4608, length: 512))
  }

  @Test("Writing over what cannot be read heals it when the write is stable: a crash that loses it shows it again")
  func latentAfterCrash() {
    let medium = Medium { $0.survival = .none }
    _ = medium.disk.injectLatentErrors(at: 0, length: 1024)
    medium.write(0, 1, 512)
    medium.flush()
    medium.write(512, 2, 512)
    #expect(!medium.disk.isUnreadable(at: 0, length: 1024))
    medium.disk.crash()
    #expect(!medium.disk.isUnreadable(at: 0, length: 512))
    #expect(medium.disk.isUnreadable(at: 512, length: 512))
  }

  @Test("Bit rot that was written over is healed by a crash that keeps the write only", arguments: [true, false])
  func bitRotAfterCrash(survives: Bool) {
    let medium = Medium { $0.survival = survives ? .all : .none }
    medium.write(0, 0xFF, 4096)
    medium.flush()
    _ = medium.disk.injectBitRot(at: 0, length: 4096, count: 1)
    let rotten = medium.read(0, 4096)
    medium.write(0, 0xFF, 4096)
    #expect(medium.read(0, 4096).allSatisfy { $0 == 0xFF })
    medium.disk.crash()
    #expect(medium.read(0, 4096) == (survives ? [UInt8](repeating: 0xFF, count: 4096) : rotten))
  }

  @Test("What was damaged after it had been cached stays so when the cache is written back")
  func damagedInCache() {
    let medium = Medium { $0.survival = .none }
    medium.write(0, 1, 4096)
    _ = medium.disk.injectLatentErrors(at: 0, length: 512)
    medium.flush()
    #expect(medium.disk.isUnreadable(at: 0, length: 512))
    medium.disk.crash()
    #expect(medium.disk.isUnreadable(at: 0, length: 512))
  }

  @Test("Media answer in the time that they are given")
  func durations() {
    let timeline = Timeline(seed: 1)
    var options = DiskOptions()
    options.latency = .microseconds(100)
    options.jitter = .zero
    options.throughput = 1_000_000_000
    let disk = Disk(name: "d", options: options, timeline: timeline)
    #expect(disk.duration(.read, length: 1000, forceUnitAccess: false) == .microseconds(101))
    #expect(disk.duration(.read, length: 1000, forceUnitAccess: false) == .microseconds(102), "transfers queue up")
    #expect(disk.duration(.flush, length: 0, forceUnitAccess: false) == options.flushLatency)
    let cached = disk.duration(.write, length: 0, forceUnitAccess: false)
    #expect(cached < disk.duration(.write, length: 0, forceUnitAccess: true))
  }
}
