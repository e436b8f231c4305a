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
}
