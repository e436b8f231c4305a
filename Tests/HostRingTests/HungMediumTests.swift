import Foundation
import HostRing
import Ring
import Testing

/// A medium whose file system does not answer, beside others.
@Suite(.serialized) struct HungMediumTests {
  private static let kinds = HostRingKind.allCases.filter { HostRings.allows($0) }

  /// The kernel gives a ring four threads for each core, if it is not told otherwise.
  @Test(.enabled(if: LoopDevice.canBeMade, LoopDevice.areMissing), arguments: kinds)
  func oneThatHangsLeavesThreadsOfTheKernelToOthers(_ kind: HostRingKind) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-hung-\(UUID().uuidString)").path
    try #require(FileManager.default.createFile(atPath: path, contents: Data(count: 65536)))
    defer { try? FileManager.default.removeItem(atPath: path) }
    try LoopDevice.withFileSystem { folder, freeze in
      let image = folder + "/image"
      try #require(FileManager.default.createFile(atPath: image, contents: Data(count: 1 << 20)))
      let ring = try HostRings.make(kind, arena: Arena(capacity: 65536))
      let hanging = try ring.openMedium(path: image, readOnly: false, direct: false).handle
      let other = try ring.openMedium(path: path, readOnly: false, direct: false).handle
      try freeze(true)
      let count = 4 * HostThread.usableCores + 8
      let before = ring.perform(1) { operations in
        for number in 0..<count {
          operations.discard(on: hanging, at: UInt64(number) * 4096, length: 4096, token: Token(UInt64(number)))
        }
        operations.flush(other, token: Token(1000))
      }
      #expect(before == [Completion(token: Token(1000))])
      try freeze(false)
      let after = ring.perform(count) { _ in }
      #expect(Set(after) == Set((0..<count).map { Completion(token: Token(UInt64($0))) }))
    }
  }
}
