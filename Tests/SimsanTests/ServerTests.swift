import Conformance
import Foundation
import HostRing
import Ring
import Testing

@testable import simsan

/// What keeps a server from starting is told, with what to do about it.
@Suite struct ServerTests {
  /// What a server of one target with the fields `target` says if it is not made.
  private func mistake(_ target: String, memory: UInt64 = 1 << 24, listens: Bool = false) throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-\(UUID().uuidString).lua").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let world = "target { iqn = \"iqn.2026-11.example:disk\", \(target) }"
    try world.write(toFile: path, atomically: true, encoding: .utf8)
    let file = try WorldFile(path: path)
    do throws(UsageError) {
      _ = try Server(file, portals: [], ring: nil, shards: nil, memory: memory, listens: listens)
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

  /// An address that is taken may be had in a moment; one that the host does not have is not waited for.
  @Test func anAddressOfNobodysIsRefusedAtOnce() throws {
    let start = SuspendingClock.now
    // RFC 5737 TEST-NET-3: no host has it.
    let message = try mistake("portals = { \"203.0.113.77:0\" }, luns = { { null = true } }", listens: true)
    #expect(message.contains("cannot listen at 203.0.113.77:0: it is no address of this host"))
    #expect(SuspendingClock.now - start < .seconds(2))
  }

  @Test func portalsOfWhichOneTakesInTheOtherAreNotCalledTaken() throws {
    func freePort() throws -> UInt16 {
      let ring = try HostRings.make(.epoll, arena: Arena(capacity: 4096))
      return try ring.listen(at: SocketAddress(127, 0, 0, 1, port: 0), backlog: 1).address.port
    }
    let port = try freePort()
    let portals = "portals = { \"0.0.0.0:\(port)\", \"127.0.0.1:\(port)\" }"
    let message = try mistake("\(portals), luns = { { null = true } }", listens: true)
    #expect(message.contains("0.0.0.0:\(port)") && message.contains("one of them takes in the other"))
  }

  @Test func aPortThatIsForbiddenIsNotCalledTaken() {
    #expect(Server.whyNotListened(.addressInUse).contains("taken by another program"))
    let message = Server.whyNotListened(.notPermitted)
    #expect(message.contains("CAP_NET_BIND_SERVICE") && !message.contains("taken"))
  }
}
