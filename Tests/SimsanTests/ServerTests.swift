import Conformance
import Foundation
import HostRing
import Ring
import Testing

@testable import simsan

/// What keeps a server from starting is told, with what to do about it.
@Suite struct ServerTests {
  /// The world file with that text.
  private func worldFile(_ world: String) throws -> WorldFile {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-\(UUID().uuidString).lua").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try world.write(toFile: path, atomically: true, encoding: .utf8)
    return try WorldFile(path: path)
  }

  /// What a server of one target with the fields `target` says if it is not made.
  private func mistake(_ target: String, memory: UInt64 = 1 << 24, listens: Bool = false) throws -> String {
    let file = try worldFile("target { iqn = \"iqn.2026-11.example:disk\", \(target) }")
    do throws(UsageError) {
      _ = try Server(file, portals: [], ring: nil, shards: nil, memory: memory, listens: listens)
      return "no mistake"
    } catch { return error.message }
  }

  /// An image of `length` bytes in the temporary folder, for as long as `body` takes, which is told its name there.
  private func withImage(length: Int, _ body: (String) throws -> Void) throws {
    let image = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-\(UUID().uuidString).img")
    try #require(FileManager.default.createFile(atPath: image.path, contents: Data(count: length)))
    defer { try? FileManager.default.removeItem(at: image) }
    try body(image.lastPathComponent)
  }

  @Test func aUnitThatIsLongerThanItsFileIsRefused() throws {
    try withImage(length: 8192) { image in
      let message = try mistake("luns = { { file = \"\(image)\", size = \"12KiB\" } }", memory: 1 << 24)
      #expect(message.contains("expected at least 12KiB (12288 bytes), found 8192 bytes"), "\(message)")
      #expect(try mistake("luns = { { file = \"\(image)\", size = \"8KiB\" } }", memory: 1 << 24) == "no mistake")
    }
  }

  /// A file is looked for from its world file's folder on, and a part of a block at its end is left over.
  @Test func aUnitIsAsLongAsTheWholeBlocksOfItsFile() throws {
    try withImage(length: 5000) { image in
      let world = try worldFile("target { iqn = \"iqn.2026-11.example:disk\", luns = { { file = \"\(image)\" } } }")
      let server = try Server(world, portals: [], ring: nil, shards: nil, memory: 1 << 24, listens: false)
      #expect(server.description.contains { $0.hasPrefix("  LUN 0  4608B, blocks of 512, file \(image)") })
    }
  }

  /// A target that says nothing of its shard is on the one with the fewest.
  @Test func targetsAreSpreadOverTheShards() throws {
    let names = ["a", "b", "c", "d"]
    let world = names.map { name in
      let shard = name == "a" ? "shard = 1, " : ""
      return "target { iqn = 'iqn.2026-11.example:\(name)', \(shard)luns = { { null = true } } }\n"
    }
    let server = try Server(
      worldFile(world.joined()), portals: [], ring: nil, shards: 2, memory: 1 << 24, listens: false)
    let places = server.description.filter { $0.hasPrefix("target ") }.map { $0.suffix(1) }
    #expect(places == ["1", "0", "0", "1"], "\(server.description)")
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
