import CAllocation
import HostRing
import Ring
import Target

/// A target machine on a ring of its own. It belongs to one thread at a time.
struct Shard: @unchecked Sendable {
  let ring: any HostRing
  let machine: TargetMachine
}

/// The shards of a server, each on a thread of its own. One that hangs in a call of the system, as of a file whose device does not
/// answer, is waited for neither by reports nor at the end.
struct ShardThreads {
  private struct Entry {
    let shard: Shard
    let thread: HostThread
    /// What it has said last of what it has done.
    var counters: ServerCounters?
    /// Allocations on its thread that lists of its sessions took, which do not count.
    var reporting: UInt64 = 0
    var isSilent = false
  }

  private var entries: [Entry]

  /// Logins wait for so long that a shard answers; for one that did not, hardly at all.
  private static let patience = Interval.milliseconds(100)
  private static let impatience = Interval.milliseconds(1)
  /// The threads have so long to end their turns.
  private static let patienceAtEnd = Interval.seconds(2)

  /// Starts the threads.
  ///
  /// - Parameter log: Where they say what happens.
  init(_ shards: some Sequence<Shard>, log: ServerLog) throws(UsageError) {
    entries = shards.map { shard in
      let reporter = EventReporter(shard.machine, to: log)
      let thread = HostThread(ring: shard.ring, machine: shard.machine) { reporter.report(at: shard.ring.now) }
      return Entry(shard: shard, thread: thread)
    }
    do throws(HostRingError) {
      for entry in entries { try entry.thread.start() }
    } catch {
      throw UsageError("\(error); fewer threads: --shards")
    }
  }

  /// What one of them says; nil when it hangs.
  private mutating func ask<Answer: Sendable>(
    _ index: Int, _ question: @escaping @Sendable (Shard) -> Answer
  ) -> Answer? {
    let shard = entries[index].shard
    let patience = entries[index].isSilent ? Self.impatience : Self.patience
    let answer = entries[index].thread.perform(within: patience) { question(shard) }
    entries[index].isSilent = answer == nil
    return answer
  }

  /// What they have done, each of them until now, or until it was last heard of.
  mutating func counters() -> [ServerCounters] {
    for index in entries.indices {
      let reporting = entries[index].reporting
      let counters = ask(index) { ServerCounters($0.machine, $0.ring, reporting: reporting) }
      if let counters { entries[index].counters = counters }
    }
    return entries.compactMap(\.counters)
  }

  /// The sessions of those that answer.
  mutating func sessions() -> [SessionSummary] {
    var sessions: [SessionSummary] = []
    for index in entries.indices {
      let answer = ask(index) { shard in
        let before = simsan_allocation_count()
        let sessions = shard.machine.sessions
        return (sessions: sessions, allocations: simsan_allocation_count() - before)
      }
      guard let answer else { continue }
      sessions += answer.sessions
      entries[index].reporting += answer.allocations
    }
    return sessions
  }

  /// What is to be said of those that were not heard of the last time.
  var complaints: [String] {
    entries.indices.filter { entries[$0].isSilent }.map { index in
      "shard \(index) has not answered in \(Self.patience.nanoseconds / 1_000_000) ms, as when a device or a file server hangs; "
        + "what is said of it is as it was before"
    }
  }

  /// Ends the threads. The result is the shards that nobody uses any more.
  func stop() -> [Shard] {
    for entry in entries { entry.thread.askToStop() }
    var patience = Self.patienceAtEnd
    return entries.filter { entry in
      let hasEnded = entry.thread.stop(within: patience)
      // Who waits for one that hangs has waited for all.
      if !hasEnded { patience = .zero }
      return hasEnded
    }.map(\.shard)
  }
}
