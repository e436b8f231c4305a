import Foundation
import HostRing
import Ring
import Testing

/// Counts messages on a thread of its own, and posts each on to the next machine with one number taken off.
private final class Relay: Machine {
  let arena = Arena(capacity: Arena.pageLength)
  var next: MachineID?
  private(set) var arrived = 0

  private var inbox: Extent { Extent(offset: 0, length: 8) }
  private var outbox: Extent { Extent(offset: 8, length: 8) }

  func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    if completions.isEmpty, arrived == 0 { operations.mailbox(into: inbox, token: Token(1)) }
    for completion in completions where completion.token == Token(1) {
      arrived += 1
      let left = arena.bytes(inbox).loadUnaligned(as: UInt64.self)
      if left > 0, let next {
        arena.bytes(outbox).storeBytes(of: left - 1, as: UInt64.self)
        operations.post(to: next, outbox, token: Token(2))
      }
      operations.mailbox(into: inbox, token: Token(1))
    }
  }
}

/// Hangs in its first step until it is told to go on.
private final class Hanging: Machine {
  let arena = Arena(capacity: Arena.pageLength)
  let hangs = DispatchSemaphore(value: 0)
  let goesOn = DispatchSemaphore(value: 0)
  let hasEnded = DispatchSemaphore(value: 0)

  func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    hangs.signal()
    goesOn.wait()
    hasEnded.signal()
  }
}

/// A ring and a machine that belong to one thread at a time.
private struct Shard: @unchecked Sendable {
  let ring: any HostRing
  let machine = Relay()

  init(_ kind: HostRingKind) throws { ring = try HostRings.make(kind, arena: machine.arena) }
}

/// Machines on threads of their own.
@Suite(.serialized) struct HostThreadTests {
  static let kinds = HostRingKind.allCases.filter { HostRings.allows($0) }

  @Test(arguments: kinds, kinds) func messagesGoRoundAmongThreads(_ kind: HostRingKind, _ other: HostRingKind) throws {
    let shards = [try Shard(kind), try Shard(other), try Shard(kind)]
    for (index, shard) in shards.enumerated() { shard.machine.next = shards[(index + 1) % 3].ring.machine }
    let threads = shards.map { HostThread(ring: $0.ring, machine: $0.machine) }
    for thread in threads { try thread.start() }
    let poster = try Shard(kind)
    var batch = Operations()
    poster.machine.arena.bytes(Extent(offset: 0, length: 8)).storeBytes(of: 2999, as: UInt64.self)
    batch.post(to: shards[0].ring.machine, Extent(offset: 0, length: 8), token: Token(1))
    poster.ring.submit(&batch)
    var counts: [Int?] = [0, 0, 0]
    let end = poster.ring.now + .seconds(20)
    while counts != [1000, 1000, 1000], poster.ring.now < end {
      counts = zip(threads, shards).map { thread, shard in thread.perform { shard.machine.arrived } }
    }
    #expect(counts == [1000, 1000, 1000])
    for thread in threads { thread.stop() }
  }

  @Test(arguments: kinds) func whatIsAskedIsDoneOnTheThreadWhileItRuns(_ kind: HostRingKind) throws {
    let shard = try Shard(kind)
    let thread = HostThread(ring: shard.ring, machine: shard.machine)
    let here = pthread_self()
    #expect(thread.perform { pthread_self() } == here, "it does not run yet")
    try thread.start()
    let there = thread.perform { pthread_self() }
    #expect(there != here)
    #expect(thread.perform { pthread_self() } == there)
    thread.stop()
    #expect(thread.perform { pthread_self() } == here, "it has ended")
    thread.stop()
  }

  @Test(arguments: kinds) func aThreadEndsWithItsOwner(_ kind: HostRingKind) throws {
    for _ in 0..<20 {
      let shard = try Shard(kind)
      try HostThread(ring: shard.ring, machine: shard.machine).start()
    }
  }

  /// As on a device that does not answer: nobody else waits for it.
  @Test(arguments: kinds) func aThreadThatHangsIsNotWaitedForWithoutEnd(_ kind: HostRingKind) throws {
    let machine = Hanging()
    let ring = try HostRings.make(kind, arena: machine.arena)
    let thread = HostThread(ring: ring, machine: machine)
    try thread.start()
    machine.hangs.wait()
    let start = ring.now
    #expect(thread.perform(within: .milliseconds(20)) { 1 } == nil)
    #expect(!thread.stop(within: .milliseconds(20)))
    #expect(ring.now - start < .seconds(2))
    machine.goesOn.signal()
    // Its end is its own affair, and takes place.
    machine.hasEnded.wait()
  }

  @Test(arguments: kinds) func aMachineThatTakesNoMessagesIsFullSomeTime(_ kind: HostRingKind) throws {
    let deaf = try HostRings.make(kind, arena: Arena(capacity: Arena.pageLength))
    let length = 1 << 20
    let poster = try HostRings.make(kind, arena: Arena(capacity: length))
    var answers: [RingError] = []
    for _ in 0..<80 {
      var batch = Operations()
      batch.post(to: deaf.machine, Extent(offset: 0, length: length), token: Token(1))
      poster.submit(&batch)
      var completions: [Completion] = []
      poster.reap(into: &completions, until: poster.now + .seconds(2))
      answers += completions.map(\.error)
    }
    #expect(answers == Array(repeating: .none, count: 64) + Array(repeating: .noResources, count: 16))
  }

  @Test func thereIsACoreToRunOn() {
    #expect(HostThread.usableCores >= 1)
  }
}
