import Foundation
import HostRing
import Ring
import RingSuite
import Testing

/// Two host rings of one process that talk over loopback, for the suite that all rings pass.
final class LoopbackPair: RingWorld {
  private let rings: [any HostRing]
  private let arenas = [Arena(capacity: 32 << 20), Arena(capacity: 32 << 20)]
  private var paths: [String] = []
  private var fillers: [SilentListener] = []
  private let folder: URL
  private let direct: Bool

  /// - Parameters:
  ///   - folder: Where the files of media are made.
  ///   - direct: Open them for direct I/O.
  init(
    _ kind: HostRingKind, busyPoll: Interval? = nil, folder: URL = FileManager.default.temporaryDirectory,
    direct: Bool = false
  ) throws {
    self.folder = folder
    self.direct = direct
    rings = try arenas.map { try HostRings.make(kind, arena: $0) }
    for ring in rings { ring.busyPoll = busyPoll }
  }

  deinit { for path in paths { try? FileManager.default.removeItem(atPath: path) } }

  private func index(_ side: Side) -> Int { side == .left ? 0 : 1 }

  func ring(_ side: Side) -> any Ring { rings[index(side)] }

  func arena(_ side: Side) -> Arena { arenas[index(side)] }

  func machine(_ side: Side) -> MachineID { rings[index(side)].machine }

  func address(of side: Side, ipv6: Bool) -> SocketAddress? {
    guard ipv6 else { return SocketAddress(127, 0, 0, 1, port: 0) }
    return Self.hasIPv6 ? SocketAddress(high: 0, low: 1, port: 0) : nil
  }

  /// Whether this machine has ::1; some containers do not.
  private static let hasIPv6: Bool = {
    guard let ring = try? HostRings.make(.epoll, arena: Arena(capacity: 4096)) else { return false }
    return (try? ring.listen(at: SocketAddress(high: 0, low: 1, port: 0), backlog: 1)) != nil
  }()

  func silentAddress(for side: Side) throws -> SocketAddress {
    let listener = try SilentListener()
    fillers.append(listener)
    return listener.address
  }

  func makeMedium(for side: Side, size: Int, readOnly: Bool) throws -> Handle {
    let path = folder.appendingPathComponent("simsan-ring-\(UUID().uuidString)").path
    paths.append(path)
    #expect(FileManager.default.createFile(atPath: path, contents: nil))
    try FileHandle(forWritingTo: URL(fileURLWithPath: path)).truncate(atOffset: UInt64(size))
    return try rings[index(side)].openMedium(path: path, readOnly: readOnly, direct: direct).handle
  }
}

/// A listener whose backlog is full, so that the kernel leaves further connects without an answer.
final class SilentListener {
  let address: SocketAddress
  private let ring: any HostRing
  private let listener: Handle

  init() throws {
    ring = try HostRings.make(.epoll, arena: Arena(capacity: 4096))
    (listener, address) = try ring.listen(at: SocketAddress(127, 0, 0, 1, port: 0), backlog: 0)
    var batch = Operations()
    for token in 0..<4 { batch.connect(to: address, token: Token(UInt64(token))) }
    ring.submit(&batch)
  }
}

@Suite(.serialized) struct HostRingSuiteTests {
  private static let kinds = HostRingKind.allCases.filter { HostRings.allows($0) }

  /// Files that live in memory, which rings carry out at once.
  @Test(.enabled(if: FileManager.default.isWritableFile(atPath: "/dev/shm"), "no /dev/shm"))
  func mediaInMemory() throws {
    for kind in Self.kinds {
      for test in RingSuite.media { try test.run(LoopbackPair(kind, folder: URL(fileURLWithPath: "/dev/shm"))) }
    }
  }

  @Test(arguments: kinds, RingSuite.media) func directMedia(_ kind: HostRingKind, _ test: RingTest) throws {
    let pair: LoopbackPair
    do {
      pair = try LoopbackPair(kind, direct: true)
      _ = try pair.makeMedium(for: .right, size: 65536, readOnly: true)
    } catch is MediumError {
      // A file system without direct I/O.
      return
    }
    try test.run(pair)
  }

  @Test(arguments: RingSuite.all) func epoll(_ test: RingTest) throws {
    try test.run(LoopbackPair(.epoll))
  }

  @Test(arguments: RingSuite.all) func epollThatPollsBusily(_ test: RingTest) throws {
    try test.run(LoopbackPair(.epoll, busyPoll: .microseconds(200)))
  }

  @Test(.enabled(if: HostRings.allows(.ioUring), "the kernel forbids io_uring here"), arguments: RingSuite.all)
  func ioUringThatPollsBusily(_ test: RingTest) throws {
    try test.run(LoopbackPair(.ioUring, busyPoll: .microseconds(200)))
  }

  @Test(.enabled(if: HostRings.allows(.ioUring), "the kernel forbids io_uring here"), arguments: RingSuite.all)
  func ioUring(_ test: RingTest) throws {
    try test.run(LoopbackPair(.ioUring))
  }
}
