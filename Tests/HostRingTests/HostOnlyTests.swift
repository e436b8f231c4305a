import Foundation
import HostRing
import Ring
import Testing

/// A file in the temporary folder that goes when the test does.
private final class ScratchFile {
  let path = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-host-\(UUID().uuidString)").path

  init(_ content: [UInt8]) { #expect(FileManager.default.createFile(atPath: path, contents: Data(content))) }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A ring that is made on one thread and used on another, and nowhere else.
private struct Moved<Value>: @unchecked Sendable { let value: Value }

extension HostRing {
  /// Emits a batch and reaps until `count` completions have come, or two seconds have passed.
  func perform(_ count: Int, _ fill: (inout Operations) -> Void) -> [Completion] {
    var batch = Operations()
    fill(&batch)
    submit(&batch)
    var completions: [Completion] = []
    let end = now + .seconds(2)
    while completions.count < count, now < end { reap(into: &completions, until: end) }
    return completions
  }

  /// Opens a file for direct I/O. Nil on a file system without, such as an old tmpfs, which has to say so.
  fileprivate func openDirect(_ path: String) -> (handle: Handle, info: MediumInfo)? {
    do {
      return try openMedium(path: path, readOnly: false, direct: true)
    } catch {
      #expect(error.description.contains("direct I/O"))
      return nil
    }
  }
}

/// What only the real world has: paths, threads and signals.
@Suite(.serialized) struct HostOnlyTests {
  static let kinds = HostRingKind.allCases.filter { HostRings.allows($0) }

  @Test(arguments: kinds) func aMediumThatCannotBeOpenedSaysWhy(_ kind: HostRingKind) throws {
    let ring = try HostRings.make(kind, arena: Arena(capacity: 4096))
    func message(_ path: String, readOnly: Bool = false) -> String {
      do {
        _ = try ring.openMedium(path: path, readOnly: readOnly, direct: false)
        return "opened"
      } catch { return error.description }
    }
    #expect(message("/nonexistent/disk.img").hasPrefix("/nonexistent/disk.img: there is no such file"))
    #expect(message("/tmp").hasSuffix("is a directory, not a file or block device"))
    #expect(message("/tmp", readOnly: true).hasSuffix("is a directory, not a file or block device"))
    #expect(message("/dev/null").hasSuffix("is neither a regular file nor a block device"))
  }

  @Test(arguments: kinds) func aFIFOIsRefusedAndNotWaitedFor(_ kind: HostRingKind) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-fifo-\(UUID().uuidString)").path
    try #require(mkfifo(path, 0o600) == 0)
    defer { unlink(path) }
    let ring = try HostRings.make(kind, arena: Arena(capacity: 4096))
    #expect(throws: MediumError.self) { try ring.openMedium(path: path, readOnly: true, direct: false) }
  }

  @Test(arguments: kinds) func aFileHasOneWriterOrAnyNumberOfReaders(_ kind: HostRingKind) throws {
    let file = ScratchFile([UInt8](repeating: 7, count: 4096))
    let ring = try HostRings.make(kind, arena: Arena(capacity: 4096))
    let other = try HostRings.make(kind, arena: Arena(capacity: 4096))
    /// Why the other cannot have it; nil if it can.
    func refusal(readOnly: Bool, exclusive: Bool = true) -> String? {
      do throws(MediumError) {
        let medium = try other.openMedium(
          path: file.path, readOnly: readOnly, direct: false, exclusive: exclusive
        ).handle
        _ = other.perform(1) { $0.close(medium, token: Token(1)) }
        return nil
      } catch { return error.description }
    }
    let writer = try ring.openMedium(path: file.path, readOnly: false, direct: false).handle
    for readOnly in [false, true] {
      #expect(refusal(readOnly: readOnly, exclusive: false) == nil, "it may be looked at, which changes nothing")
      #expect(refusal(readOnly: readOnly)?.hasPrefix("\(file.path): is in use, by another server or program") == true)
    }
    _ = ring.perform(1) { $0.close(writer, token: Token(1)) }
    _ = try ring.openMedium(path: file.path, readOnly: true, direct: false)
    #expect(refusal(readOnly: true) == nil)
    #expect(refusal(readOnly: false) != nil)
  }

  @Test(arguments: kinds) func aMediumHasTheSizeOfItsFile(_ kind: HostRingKind) throws {
    let file = ScratchFile([UInt8](repeating: 7, count: 12345))
    let ring = try HostRings.make(kind, arena: Arena(capacity: 4096))
    let (_, info) = try ring.openMedium(path: file.path, readOnly: true, direct: false)
    #expect(info.size == 12345 && info.alignment == 1 && info.isReadOnly && !info.isBlockDevice)
  }

  @Test(arguments: kinds) func aDeviceGetsTheFirstReadsWhileTheLastArePrepared(_ kind: HostRingKind) throws {
    let blocks = 10
    let file = ScratchFile((0..<blocks).flatMap { [UInt8](repeating: UInt8($0), count: 4096) })
    let arena = Arena(capacity: blocks * 4096)
    let ring = try HostRings.make(kind, arena: arena)
    // Only what is opened with O_DIRECT, on a file system that has it and is not in memory, goes to a device.
    guard let medium = ring.openDirect(file.path)?.handle else { return }
    var batch = Operations()
    for block in 0..<blocks {
      batch.read(
        from: medium, at: UInt64(block * 4096), into: Extent(offset: block * 4096, length: 4096),
        token: Token(UInt64(block)))
    }
    let before = ring.counters.systemCalls.media
    ring.submit(&batch)
    let calls = ring.counters.systemCalls.media - before
    // In memory each is carried out by itself. Of ten, four and four go out at once, the last two with the next turn of
    // io_uring, or by themselves.
    #expect(calls == (kind == .ioUring ? 2 : 3) || calls == UInt64(blocks))
    var completions: [Completion] = []
    let end = ring.now + .seconds(2)
    while completions.count < blocks, ring.now < end { ring.reap(into: &completions, until: end) }
    #expect(Set(completions.map(\.token.rawValue)) == Set(0..<UInt64(blocks)))
    #expect(completions.allSatisfy { $0.error == .none && $0.result == 4096 })
    for block in 0..<blocks {
      let bytes = arena.bytes(Extent(offset: block * 4096, length: 4096))
      #expect(bytes.allSatisfy { $0 == UInt8(block) })
    }
  }

  @Test(arguments: kinds) func directMediaAreAlignedAndSaySo(_ kind: HostRingKind) throws {
    let file = ScratchFile([UInt8](repeating: 7, count: 65536))
    let arena = Arena(capacity: 65536)
    let ring = try HostRings.make(kind, arena: arena)
    guard let (medium, info) = ring.openDirect(file.path) else { return }
    let alignment = info.alignment
    #expect(alignment >= 1 && 4096 % alignment == 0)
    let completions = ring.perform(5) {
      $0.read(from: medium, at: 4096, into: Extent(offset: 0, length: 8192), token: Token(1))
      $0.write(to: medium, at: 0, from: [Extent(offset: 8192, length: 4096)], forceUnitAccess: true, token: Token(2))
      $0.flush(medium, token: Token(3))
      $0.read(from: medium, at: 100, into: Extent(offset: 16384, length: 4096), token: Token(4))
      $0.read(from: medium, at: 0, into: Extent(offset: 16390, length: 4096), token: Token(5))
    }
    let byToken = Dictionary(uniqueKeysWithValues: completions.map { ($0.token.rawValue, $0) })
    #expect(byToken[1]?.result == 8192)
    #expect(arena.bytes(Extent(offset: 0, length: 8192)).allSatisfy { $0 == 7 })
    #expect(byToken[2]?.result == 4096)
    #expect(byToken[3]?.error == RingError.none)
    if alignment > 2 {
      #expect(byToken[4]?.error == .misaligned)
      #expect(byToken[5]?.error == .misaligned)
    }
  }

  @Test(arguments: kinds) func aFileThatWasCutShortIsAMediumError(_ kind: HostRingKind) throws {
    let file = ScratchFile([UInt8](repeating: 7, count: 65536))
    let ring = try HostRings.make(kind, arena: Arena(capacity: 65536))
    let (medium, _) = try ring.openMedium(path: file.path, readOnly: false, direct: false)
    try #require(truncate(file.path, 0) == 0)
    let completions = ring.perform(1) {
      $0.read(from: medium, at: 4096, into: Extent(offset: 0, length: 4096), token: Token(1))
    }
    #expect(completions == [Completion(token: Token(1), error: .mediumError)])
  }

  /// Something else has made it longer: that is not of the medium.
  @Test(arguments: kinds) func aSeekEndsWithTheMedium(_ kind: HostRingKind) throws {
    let file = ScratchFile([UInt8](repeating: 7, count: 65536))
    let ring = try HostRings.make(kind, arena: Arena(capacity: 4096))
    let (medium, _) = try ring.openMedium(path: file.path, readOnly: false, direct: false)
    let handle = try #require(FileHandle(forWritingAtPath: file.path))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(repeating: 7, count: 65536))
    let completions = ring.perform(2) {
      $0.seek(on: medium, from: 0, toHole: true, token: Token(1))
      $0.seek(on: medium, from: 65536, toHole: false, token: Token(2))
    }
    #expect(Set(completions) == Set([1, 2].map { Completion(token: Token($0), result: 65536) }))
  }

  /// The kernel takes 1024 at most.
  @Test(arguments: kinds) func ofVeryManyExtentsTheFirstOnesAreMoved(_ kind: HostRingKind) throws {
    let file = ScratchFile([UInt8](repeating: 7, count: 1 << 20))
    let ring = try HostRings.make(kind, arena: Arena(capacity: 1 << 20))
    let (medium, _) = try ring.openMedium(path: file.path, readOnly: false, direct: false)
    let extents = (0..<2000).map { Extent(offset: $0 * 512, length: 512) }
    let completions = ring.perform(2) {
      $0.read(from: medium, at: 0, into: extents, token: Token(1))
      $0.write(to: medium, at: 0, from: extents, token: Token(2))
    }
    #expect(Set(completions) == Set([1, 2].map { Completion(token: Token($0), result: 1024 * 512) }))
  }

  /// Both ends of a connection that a ring has with itself: the accepted one, and the one that connected.
  private func connection(_ ring: any HostRing) throws -> [Handle] {
    let (listener, address) = try ring.listen(at: SocketAddress(127, 0, 0, 1, port: 0), backlog: 4)
    let opened = ring.perform(2) {
      $0.accept(on: listener, token: Token(1))
      $0.connect(to: address, token: Token(2))
    }
    return try [1, 2].map { token in
      Handle(try #require(opened.first { $0.token.rawValue == token && $0.error == .none }).result)
    }
  }

  /// A machine that always has something to do, which needs no kernel, still hears from it.
  @Test(arguments: kinds) func whatIsDoneAtOnceKeepsNothingElseWaiting(_ kind: HostRingKind) throws {
    let ring = try HostRings.make(kind, arena: Arena(capacity: 8192))
    let sockets = try connection(ring)
    var completions = ring.perform(1) {
      $0.receive(on: sockets[0], into: Extent(offset: 0, length: 64), token: Token(3))
      $0.send(on: sockets[1], from: [Extent(offset: 4096, length: 5)], token: Token(4))
    }
    let end = ring.now + .seconds(2)
    while !completions.contains(where: { $0.token == Token(3) }), ring.now < end {
      var batch = Operations()
      batch.cancel(Token(99), token: Token(5))
      ring.submit(&batch)
      ring.reap(into: &completions, until: .distantFuture)
    }
    #expect(completions.contains(Completion(token: Token(3), result: 5)))
  }

  @Test(arguments: kinds) func manyWritesThatWaitAndTheirCancelsAllComplete(_ kind: HostRingKind) throws {
    // More than libaio's depth, and of every kind that the worker does.
    let file = ScratchFile([UInt8](repeating: 7, count: 4 << 20))
    let ring = try HostRings.make(kind, arena: Arena(capacity: 4 << 20))
    let (medium, _) = try ring.openMedium(path: file.path, readOnly: false, direct: false)
    let count = 600
    let completions = ring.perform(2 * count + 1) { batch in
      for index in 0..<count {
        let extent = Extent(offset: index * 4096, length: 4096)
        let (offset, token) = (UInt64(index) * 4096, Token(UInt64(index)))
        switch index % 4 {
        case 0: batch.write(to: medium, at: offset, from: [extent], forceUnitAccess: index % 40 == 0, token: token)
        case 1: batch.read(from: medium, at: offset, into: extent, token: token)
        case 2: batch.discard(on: medium, at: offset, length: 4096, token: token)
        default: batch.seek(on: medium, from: offset, toHole: true, token: token)
        }
      }
      for index in 0..<count { batch.cancel(Token(UInt64(index)), token: Token(UInt64(10_000 + index))) }
      batch.close(medium, token: Token(99_999))
    }
    #expect(completions.count == 2 * count + 1)
    #expect(Set(completions.map(\.token)).count == 2 * count + 1)
    #expect(completions.last?.token == Token(99_999))
    let place = Dictionary(uniqueKeysWithValues: completions.enumerated().map { ($1.token.rawValue, $0) })
    for index in 0..<UInt64(count) {
      guard let one = place[index], let cancel = place[10_000 + index] else { continue }
      #expect(one < cancel, "operation \(index) completes before its cancel")
      let isCancelled = completions[one].error == .cancelled
      #expect(completions[cancel].error == (isCancelled ? .none : .notFound))
    }
  }

  @Test(arguments: kinds) func aSecondReceiveBesideOneThatWaitsIsRefused(_ kind: HostRingKind) throws {
    // The simulation reports this as a defect of the machine, so that it is no test of the common suite.
    let ring = try HostRings.make(kind, arena: Arena(capacity: 8192))
    let sockets = try connection(ring)
    let second = ring.perform(1) {
      $0.receive(on: sockets[0], into: Extent(offset: 0, length: 64), token: Token(3))
      $0.receive(on: sockets[0], into: Extent(offset: 64, length: 64), token: Token(4))
    }
    #expect(second == [Completion(token: Token(4), error: .other)])
    let rest = ring.perform(2) { $0.send(on: sockets[1], from: [Extent(offset: 4096, length: 5)], token: Token(5)) }
    #expect(Set(rest) == [Completion(token: Token(3), result: 5), Completion(token: Token(5), result: 5)])
  }

  /// Each by what it is for: sockets have calls of their own with epoll, and none with io_uring.
  @Test(arguments: kinds) func systemCallsAreCounted(_ kind: HostRingKind) throws {
    let file = ScratchFile([UInt8](repeating: 7, count: 65536))
    let ring = try HostRings.make(kind, arena: Arena(capacity: 8192))
    let (medium, _) = try ring.openMedium(path: file.path, readOnly: false, direct: false)
    let sockets = try connection(ring)
    #expect(ring.counters.systemCalls.others > 0, "a connection costs some")
    let before = ring.counters.systemCalls
    _ = ring.perform(2) {
      $0.receive(on: sockets[0], into: Extent(offset: 0, length: 64), token: Token(3))
      $0.send(on: sockets[1], from: [Extent(offset: 4096, length: 5)], token: Token(4))
    }
    let after = ring.counters.systemCalls
    let ofSockets: UInt64 = kind == .epoll ? 1 : 0
    #expect(after.sends - before.sends == ofSockets)
    #expect(after.receives - before.receives >= ofSockets && (kind == .epoll || after.receives == 0))
    #expect(after.waits > before.waits)
    #expect(after.media == before.media && after.others == before.others)
    // A write to the page cache is the ring's own, with both of them.
    _ = ring.perform(1) { $0.write(to: medium, at: 0, from: [Extent(offset: 0, length: 512)], token: Token(5)) }
    let last = ring.counters.systemCalls
    #expect(last.media - after.media == 1)
    #expect(last.total == last.waits + last.receives + last.sends + last.media + last.others)
    #expect((last + last).total == 2 * last.total)
  }

  @Test(arguments: kinds) func anInboxThatNobodyEmptiesFillsUp(_ kind: HostRingKind) throws {
    let from = try HostRings.make(kind, arena: Arena(capacity: 4096))
    let to = try HostRings.make(kind, arena: Arena(capacity: 4096))
    let count = 65536 + 2
    let completions = from.perform(count) { batch in
      for index in 0..<count {
        batch.post(to: to.machine, Extent(offset: 0, length: 1), token: Token(UInt64(index)))
      }
    }
    #expect(completions.count { $0.error == .none } == 65536)
    #expect(completions.count { $0.error == .noResources } == 2)
  }

  /// Also long before there are so many.
  @Test(arguments: kinds) func longMessagesFillAnInboxAsWell(_ kind: HostRingKind) throws {
    let from = try HostRings.make(kind, arena: Arena(capacity: 16 << 20))
    let to = try HostRings.make(kind, arena: Arena(capacity: 4096))
    let completions = from.perform(6) { batch in
      for index in 0..<6 {
        batch.post(to: to.machine, Extent(offset: 0, length: 16 << 20), token: Token(UInt64(index)))
      }
    }
    #expect(completions.map(\.error) == [.none, .none, .none, .none, .noResources, .noResources])
  }

  @Test(arguments: kinds) func aRingCanBeMadeOnOneThreadAndUsedOnAnother(_ kind: HostRingKind) throws {
    let ring = Moved(value: try HostRings.make(kind, arena: Arena(capacity: 4096)))
    let done = DispatchSemaphore(value: 0)
    nonisolated(unsafe) var completions: [Completion] = []
    Thread.detachNewThread {
      completions = ring.value.perform(1) { $0.timer(at: .zero, token: Token(1)) }
      done.signal()
    }
    #expect(done.wait(timeout: .now() + 5) == .success)
    #expect(completions == [Completion(token: Token(1))])
  }

  @Test(arguments: kinds) func interruptWakesARingThatWaits(_ kind: HostRingKind) throws {
    let ring = try HostRings.make(kind, arena: Arena(capacity: 4096))
    let moved = Moved(value: ring)
    Thread.detachNewThread {
      usleep(20_000)
      moved.value.interrupt()
    }
    var completions: [Completion] = []
    let start = ring.now
    ring.reap(into: &completions, until: start + .seconds(5))
    #expect(completions.isEmpty)
    #expect(ring.now < start + .seconds(4))
  }

  @Test(arguments: kinds) func theLoopEndsOnASignal(_ kind: HostRingKind) throws {
    final class Idle: Machine {
      let arena = Arena(capacity: 4096)
      var steps = 0
      func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
        steps += 1
        // The signal comes while the ring waits for this timer, long before it is due.
        if steps == 1 {
          operations.timer(at: now + .seconds(60), token: Token(1))
          Thread.detachNewThread {
            usleep(30_000)
            kill(getpid(), SIGTERM)
          }
        }
      }
    }
    let machine = Idle()
    let ring = try HostRings.make(kind, arena: machine.arena)
    let start = ring.now
    HostLoop(ring: ring, machine: machine).runUntilSignal()
    #expect(ring.now < start + .seconds(30))
    #expect(machine.steps >= 1)
  }

  @Test(arguments: kinds) func aRingThatGoesTakesWhatItHoldsWithIt(_ kind: HostRingKind) throws {
    // Reads that are still under way write into memory that must not be gone; and every descriptor is given back.
    func descriptors() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
    let file = ScratchFile([UInt8](repeating: 7, count: 1 << 20))
    let before = try descriptors()
    for _ in 0..<10 {
      let ring = try HostRings.make(kind, arena: Arena(capacity: 1 << 20))
      // The kernel may let go of the one before only after its ring has gone.
      let (medium, _) = try ring.openMedium(path: file.path, readOnly: false, direct: false, exclusive: false)
      let (listener, address) = try ring.listen(at: SocketAddress(127, 0, 0, 1, port: 0), backlog: 4)
      var batch = Operations()
      batch.accept(on: listener, token: Token(1))
      batch.connect(to: address, token: Token(2))
      for index in 0..<16 {
        let extent = Extent(offset: index * 65536, length: 65536)
        batch.read(from: medium, at: UInt64(index) * 65536, into: extent, token: Token(UInt64(10 + index)))
      }
      batch.discard(on: medium, at: 0, length: 4096, token: Token(3))
      ring.submit(&batch)
      var completions: [Completion] = []
      ring.reap(into: &completions, until: ring.now)
    }
    // Nobody else has this file open.
    let links = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").map {
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) ?? ""
    }
    #expect(!links.contains(file.path))
    // A few of the process's own may come and go; tests beside this one hold more of them, for a while.
    for _ in 0..<400 where try descriptors() > before + 4 { usleep(50_000) }
    #expect(try descriptors() <= before + 4)
  }
}
