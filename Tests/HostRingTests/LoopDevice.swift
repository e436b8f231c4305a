import Foundation
import Testing

/// Block devices of a test's own. Only for root, and not in every container.
enum LoopDevice {
  /// What tests say that are skipped without them.
  static let areMissing: Comment = "loop devices cannot be made here"

  /// Whether they can be made here, and file systems be mounted.
  static let canBeMade = (try? with(size: 1 << 20, room: 1 << 20) { _ in }) != nil

  /// Makes a loop device that is there until `body` returns, and with it every ring that has opened it.
  ///
  /// - Parameters:
  ///   - size: Bytes.
  ///   - blockSize: Of a logical block, in bytes.
  ///   - isReadOnly: Whether it refuses to be written.
  ///   - room: How many bytes may be written: what is below it is then a file system in memory. Nil for as many as it has.
  ///   - body: Gets its path.
  static func with(
    size: UInt64, blockSize: Int = 512, isReadOnly: Bool = false, room: UInt64? = nil, _ body: (String) throws -> Void
  ) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-loop-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    if let room { try run("mount", "-t", "tmpfs", "-o", "size=\(room)", "simsan-test", folder) }
    // Lazily: the kernel may close what a ring had open only after the ring has gone.
    defer { if room != nil { _ = try? run("umount", "--lazy", folder) } }
    let file = folder + "/content"
    try run("truncate", "-s", "\(size)", file)
    let device = try run("losetup", "--find", "--show", "--sector-size", "\(blockSize)", file)
    defer { _ = try? run("losetup", "--detach", device) }
    if isReadOnly { try run("blockdev", "--setro", device) }
    defer { if isReadOnly { _ = try? run("blockdev", "--setrw", device) } }
    try body(device)
  }

  /// Mounts an ext4 file system that is there until `body` returns.
  ///
  /// - Parameter body: Gets its folder, and what has it take no writes from then on, or take them again: who writes meanwhile waits.
  static func withFileSystem(_ body: (_ folder: String, _ freeze: (Bool) throws -> Void) throws -> Void) throws {
    try with(size: 64 << 20) { device in
      try run("mkfs.ext4", "-q", device)
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-mount-\(UUID().uuidString)")
        .path
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      try run("mount", device, folder)
      defer { _ = try? run("umount", "--lazy", folder) }
      var isFrozen = false
      func freeze(_ on: Bool) throws {
        guard on != isFrozen else { return }
        try run("fsfreeze", on ? "--freeze" : "--unfreeze", folder)
        isFrozen = on
      }
      defer { try? freeze(false) }
      try body(folder, freeze)
    }
  }

  private struct Failure: Error { var command: String }

  /// Runs a command and returns the line that it prints.
  @discardableResult
  private static func run(_ command: String...) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let said = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure(command: command.joined(separator: " ")) }
    return String(decoding: said, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
