import HostRing
import Ring
import Target

/// A shard of a server: a target machine on a ring of its own. It belongs to one thread at a time.
struct Shard: @unchecked Sendable {
  let ring: any HostRing
  let machine: TargetMachine
}

/// The shards of a server that have threads of their own, beside the one that its main thread drives. One that hangs in a call
/// of the system, as of a file whose device does not answer, is waited for neither by reports nor at the end.
struct ShardThreads {
  private struct Entry {
    let shard: Shard
    let thread: HostThread
    /// What it has said last of what it has done.
    var counters: ServerCounters?
    var isSilent = false
  }

  private var entries: [Entry]

  /// The sessions of the main thread wait for so long that another one answers; for one that did not, hardly at all.
  private static let patience = Interval.milliseconds(100)
  private static let impatience = Interval.milliseconds(1)
  /// A thread has so long to end its turn.
  private static let patienceAtEnd = Interval.seconds(2)

  /// Starts the threads.
  init(_ shards: some Sequence<Shard>) throws(UsageError) {
    entries = shards.map { Entry(shard: $0, thread: HostThread(ring: $0.ring, machine: $0.machine)) }
    do throws(HostRingError) {
      for entry in entries { try entry.thread.start() }
    } catch {
      throw UsageError("\(error); fewer threads: --shards")
    }
  }

  /// What they have done, each of them until now, or until it was last heard of.
  mutating func counters() -> [ServerCounters] {
    for index in entries.indices {
      let shard = entries[index].shard
      let patience = entries[index].isSilent ? Self.impatience : Self.patience
      let counters = entries[index].thread.perform(within: patience) { ServerCounters(shard.machine, shard.ring) }
      entries[index].isSilent = counters == nil
      if let counters { entries[index].counters = counters }
    }
    return entries.compactMap(\.counters)
  }

  /// What is to be said of those that were not heard of the last time.
  var complaints: [String] {
    entries.indices.filter { entries[$0].isSilent }.map { index in
      "shard \(index + 1) has not answered in \(Self.patience.nanoseconds / 1_000_000) ms, as when a device or a file server hangs; "
        + "what is said of it is as it was before"
    }
  }

  /// Ends the threads. The result is the shards that nobody uses any more.
  func stop() -> [Shard] {
    entries.filter { $0.thread.stop(within: Self.patienceAtEnd) }.map(\.shard)
  }
}
