import Glibc
import Ring
import Testing

@testable import HostRing

/// What rings do with block devices, where such can be had.
@Suite(.serialized) struct BlockDeviceTests {
  private static let kinds = HostRingKind.allCases.filter { HostRings.allows($0) }

  @Test(.enabled(if: LoopDevice.canBeMade, LoopDevice.areMissing), arguments: kinds)
  func aRangeThatIsNoMultipleOfTheDevicesBlocksIsZeroed(_ kind: HostRingKind) throws {
    try LoopDevice.with(size: 1 << 20, blockSize: 4096) { path in
      let arena = Arena(capacity: 65536)
      let ring = try HostRings.make(kind, arena: arena)
      let medium = try ring.openMedium(path: path, readOnly: false, direct: false).handle
      let whole = Extent(offset: 0, length: 32768)
      arena.bytes(whole).initializeMemory(as: UInt8.self, repeating: 7)
      let done = ring.perform(1) { $0.write(to: medium, at: 0, from: [whole], token: Token(1)) }
      #expect(done == [Completion(token: Token(1), result: 32768)])
      let zeroed = ring.perform(2) {
        $0.writeZeroes(on: medium, at: 512, length: 8192, token: Token(2))
        $0.discard(on: medium, at: 16384 + 512, length: 4096, token: Token(3))
      }
      #expect(Set(zeroed) == [Completion(token: Token(2)), Completion(token: Token(3))])
      _ = ring.perform(1) { $0.read(from: medium, at: 0, into: whole, token: Token(4)) }
      for (offset, byte) in arena.bytes(whole).enumerated() {
        let isZeroed = (512..<8704) ~= offset || (16896..<20992) ~= offset
        guard byte != (isZeroed ? 0 : 7) else { continue }
        Issue.record("byte \(offset) is \(byte)")
        break
      }
    }
  }

  /// The same without a device.
  @Test func whatTheKernelDoesNotZeroIsWritten() {
    for refusal in [EOPNOTSUPP, ENOSYS, EINVAL] { #expect(Worker.Job.mustBeWritten(-refusal)) }
    for other in [0, -EIO, -ENOSPC, -EFBIG] { #expect(!Worker.Job.mustBeWritten(other)) }
  }

  @Test(.enabled(if: LoopDevice.canBeMade, LoopDevice.areMissing), arguments: kinds, [false, true])
  func aFailureThatAStableWriteIsToldFailsTheNextFlush(_ kind: HostRingKind, _ direct: Bool) throws {
    // Data of another in the page cache, which the device cannot take.
    try LoopDevice.with(size: 16 << 20, room: 1 << 20) { path in
      let arena = Arena(capacity: 4096)
      let ring = try HostRings.make(kind, arena: arena)
      let medium = try ring.openMedium(path: path, readOnly: false, direct: direct).handle
      let block = [Extent(offset: 0, length: 4096)]
      func write() -> RingError? {
        let done = ring.perform(1) {
          $0.write(to: medium, at: 0, from: block, forceUnitAccess: true, token: Token(1))
        }
        return done.first?.error
      }
      func flush() -> RingError? { ring.perform(1) { $0.flush(medium, token: Token(2)) }.first?.error }
      #expect(write() == RingError.none && flush() == RingError.none)
      let other = open(path, O_RDWR)
      try #require(other >= 0)
      defer { close(other) }
      let data = [UInt8](repeating: 7, count: 4 << 20)
      try #require(pwrite(other, data, data.count, 4 << 20) == data.count)
      try #require(fsync(other) != 0)
      let failures: [RingError?] = [.mediumError, .noSpace]
      // A direct write to a device is not told, and leaves it to the flush.
      let isTold = failures.contains(write())
      #expect(isTold || direct)
      #expect(failures.contains(flush()))
      #expect(flush() == RingError.none)
    }
  }

  /// The same without a device.
  @Test func aFlushFailsOnceWithWhatAStableWriteWasTold() {
    var slot = HostSlot()
    func told(_ kind: Operation.Kind, isStable: Bool = false, _ result: Int64) -> Int64 {
      slot.told(kind, isStable: isStable, result)
    }
    let (failed, cancelled) = (-Int64(EIO), -Int64(ECANCELED))
    #expect(told(.write, isStable: true, failed) == failed)
    #expect(told(.write, isStable: true, 4096) == 4096 && told(.read, 4096) == 4096)
    #expect(told(.flush, cancelled) == cancelled, "which tells nobody anything")
    #expect(told(.flush, 0) == failed)
    #expect(told(.flush, 0) == 0)
    _ = told(.write, isStable: true, failed)
    #expect(told(.flush, -Int64(ENOSPC)) == -Int64(ENOSPC))
    #expect(told(.flush, 0) == 0, "one failure is enough")
    _ = told(.write, failed)
    _ = told(.write, isStable: true, cancelled)
    #expect(told(.flush, 0) == 0, "neither asked the kernel for what was written before")
  }

  @Test(.enabled(if: LoopDevice.canBeMade, LoopDevice.areMissing), arguments: kinds)
  func aDeviceThatRefusesToBeWrittenIsNotServedForWriting(_ kind: HostRingKind) throws {
    try LoopDevice.with(size: 1 << 20, isReadOnly: true) { path in
      let ring = try HostRings.make(kind, arena: Arena(capacity: 4096))
      let error = #expect(throws: MediumError.self) { try ring.openMedium(path: path, readOnly: false, direct: false) }
      #expect(error?.description.contains("read_only = true") == true)
      _ = try ring.openMedium(path: path, readOnly: true, direct: false)
    }
  }

  @Test(.enabled(if: LoopDevice.canBeMade, LoopDevice.areMissing), arguments: kinds)
  func aDeviceThatAnotherServesCanBeLookedAt(_ kind: HostRingKind) throws {
    try LoopDevice.with(size: 1 << 20) { path in
      let ring = try HostRings.make(kind, arena: Arena(capacity: 4096))
      let other = try HostRings.make(kind, arena: Arena(capacity: 4096))
      _ = try ring.openMedium(path: path, readOnly: false, direct: false)
      let error = #expect(throws: MediumError.self) {
        try other.openMedium(path: path, readOnly: false, direct: false)
      }
      #expect(error?.description.hasPrefix("\(path): is in use, by another server or program") == true)
      #expect(throws: MediumError.self) { try other.openMedium(path: path, readOnly: true, direct: false) }
      let looked = try other.openMedium(path: path, readOnly: false, direct: false, exclusive: false)
      #expect(looked.info.size == 1 << 20 && looked.info.isBlockDevice)
    }
  }
}
