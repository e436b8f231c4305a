import Foundation
import Testing

@testable import simsan

/// What becomes of what the program says.
@Suite struct OutputTests {
  private func errorOfWriting(to descriptor: Int32) -> Int32? {
    do throws(OutputLost) {
      try writeAll([1, 2, 3], to: descriptor)
      return nil
    } catch { return error.code }
  }

  /// A pipe holds 64 KiB, and this one says so instead of making its writer wait.
  @Test func aSlowReaderGetsAll() async throws {
    let pipe = Pipe()
    let descriptor = pipe.fileHandleForWriting.fileDescriptor
    #expect(fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0)
    let bytes = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8) }
    let reader = pipe.fileHandleForReading
    async let read = reader.readToEnd()
    try writeAll(bytes, to: descriptor)
    try pipe.fileHandleForWriting.close()
    let found = try await read.map { [UInt8]($0) }
    #expect(found == bytes)
  }

  @Test func aReaderThatHasGoneIsAnErrorAndNotTheEnd() throws {
    guardOutput()
    let pipe = Pipe()
    try pipe.fileHandleForReading.close()
    #expect(errorOfWriting(to: pipe.fileHandleForWriting.fileDescriptor) == EPIPE)
  }

  @Test func aFullDiskIsAnError() throws {
    let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
    #expect(errorOfWriting(to: full.fileDescriptor) == ENOSPC)
  }
}
