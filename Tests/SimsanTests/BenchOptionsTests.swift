import Load
import Ring
import Testing

@testable import simsan

/// What `simsan bench` makes of its arguments.
@Suite struct BenchOptionsTests {
  private static let url = "iscsi://127.0.0.1/iqn.2026-11.example:disk/3"

  private func options(_ words: String...) throws -> BenchOptions {
    try BenchOptions(try Arguments(words + [Self.url], for: benchCommand))
  }

  private func mistake(_ words: [String]) -> String {
    do throws(UsageError) {
      _ = try BenchOptions(try Arguments(words, for: benchCommand))
      return "no mistake"
    } catch { return error.message }
  }

  @Test func whatIsNotSaidIsRandomReadsOf4KiB() throws {
    let load = try options().load
    #expect(load.length == 4096)
    #expect(load.depth == 32)
    #expect(load.sessions == 1)
    #expect(load.readPercent == 100)
    #expect(load.order == .random)
    #expect(load.rate == nil)
    #expect(!load.headerDigest && !load.dataDigest)
    #expect(load.targets.first?.address == SocketAddress(127, 0, 0, 1, port: 3260))
    #expect(load.targets.first?.lun == 3 << 48)
  }

  @Test func everyOptionArrives() throws {
    let load = try options(
      "--operation", "seqmixed", "--reads", "30", "--overwrite", "--size", "64KiB", "--depth", "7", "--sessions", "9",
      "--rate", "1000", "--time", "2s", "--warm-up", "0s", "--range", "1MiB", "--digests", "both", "--seed", "5"
    ).load
    #expect(load.order == .sequential)
    #expect(load.readPercent == 30)
    #expect(load.length == 65536)
    #expect(load.depth == 7)
    #expect(load.sessions == 9)
    #expect(load.rate == 1000)
    #expect(load.duration == .seconds(2))
    #expect(load.warmUp == .zero)
    #expect(load.range == 1 << 20)
    #expect(load.headerDigest && load.dataDigest)
    #expect(load.seed == 5)
  }

  @Test(arguments: ["randwrite", "seqwrite", "randmixed", "seqmixed"])
  func whatWritesWantsToBeAllowed(_ operation: String) throws {
    #expect(mistake(["--operation", operation, Self.url]).contains("--overwrite"))
    #expect(try options("--operation", operation, "--overwrite").load.readPercent < 100)
  }

  @Test(arguments: [
    ([], "a URL such as"), (["nonsense"], "iscsi://HOST"), (["--size", "100", url], "--size: expected"),
    (["--size", "17MiB", url], "--size: expected"), (["--depth", "0", url], "--depth: expected"),
    (["--time", "soon", url], "--time: expected"), (["--digests", "crc", url], "--digests: expected"),
    (["--chap", "/nowhere/chap.lua", url], "--chap: /nowhere/chap.lua: no such file"),
    (["--reads", "50", url], "--reads: expected"), (["--server-pid", "2147483646", url], "--server-pid: expected"),
  ])
  func mistakesAreTold(_ words: [String], _ told: String) {
    #expect(mistake(words).contains(told), "\(mistake(words))")
  }
}
