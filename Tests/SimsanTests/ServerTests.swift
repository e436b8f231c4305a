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

  @Test func aPortThatIsForbiddenIsNotCalledTaken() {
    #expect(Server.whyNotListened(.addressUnavailable).contains("taken by another program"))
    let message = Server.whyNotListened(.notPermitted)
    #expect(message.contains("CAP_NET_BIND_SERVICE") && !message.contains("taken"))
  }
}
