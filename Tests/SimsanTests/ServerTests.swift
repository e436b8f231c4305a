import Conformance
import Foundation
import Testing

@testable import simsan

/// What keeps a server from starting is told, with what to do about it.
@Suite struct ServerTests {
  /// What a server of one target with the fields `target` says if it is not made.
  private func mistake(_ target: String, memory: UInt64) throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-\(UUID().uuidString).lua").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let world = "target { iqn = \"iqn.2026-11.example:disk\", \(target) }"
    try world.write(toFile: path, atomically: true, encoding: .utf8)
    let file = try WorldFile(path: path)
    do throws(UsageError) {
      _ = try Server(file, portals: [], ring: nil, shards: nil, memory: memory, listens: false)
      return "no mistake"
    } catch { return error.message }
  }

  @Test func memoryThatTheSystemDoesNotGiveIsNoTrap() throws {
    let message = try mistake("luns = { { null = true } }", memory: 1 << 47)
    #expect(message.contains("128TiB of memory for buffers"))
    for way in ["--memory", "limits.memory", "ulimit -v"] { #expect(message.contains(way)) }
  }

  @Test func allDescriptorsThatTheProcessMayHaveAreThere() {
    var before = rlimit()
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    getrlimit(resource, &before)
    defer { setrlimit(resource, &before) }
    limit = before
    limit.rlim_cur = limit.rlim_max - 1
    setrlimit(resource, &limit)
    raiseDescriptorLimit()
    getrlimit(resource, &limit)
    #expect(limit.rlim_cur == before.rlim_max)
  }

  @Test func unitsThatShareAFileAreRefusedUnlessAllOnlyRead() throws {
    let image = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-\(UUID().uuidString).img").path
    try #require(FileManager.default.createFile(atPath: image, contents: Data(count: 4096)))
    let (link, name) = (image + ".link", image + ".name")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: image)
    try FileManager.default.linkItem(atPath: image, toPath: name)
    defer { for path in [image, link, name] { try? FileManager.default.removeItem(atPath: path) } }
    for other in [image, link, name] {
      func units(_ one: String, _ two: String) -> String {
        "luns = { { file = \"\(image)\", \(one) }, { lun = 7, file = \"\(other)\", \(two) } }"
      }
      let message = try mistake(units("", "read_only = true"), memory: 1 << 24)
      #expect(message.contains("LUN 7: ") && message.contains("expected a file of its own, found that of target"))
      #expect(try mistake(units("read_only = true", "read_only = true"), memory: 1 << 24) == "no mistake")
    }
  }

  @Test func aPortThatIsForbiddenIsNotCalledTaken() {
    #expect(Server.whyNotListened(.addressUnavailable).contains("taken by another program"))
    let message = Server.whyNotListened(.notPermitted)
    #expect(message.contains("CAP_NET_BIND_SERVICE") && !message.contains("taken"))
  }
}
