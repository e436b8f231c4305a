import CHost
import Glibc
import Ring
import Synchronization

/// A machine on a ring and a thread of its own: a shard of a server, beside the one that its main thread drives.
///
/// From ``start()`` to ``stop()`` the ring and the machine belong to the thread; whoever wants to know something of them
/// asks with ``perform(_:)``.
public final class HostThread {
  /// What the thread and its owner share. The loop is the thread's alone; the job is guarded.
  private final class Shared: ThreadBody, @unchecked Sendable {
    let ring: any HostRing
    private let loop: HostLoop
    private let job = Mutex<(@Sendable () -> Void)?>(nil)
    private let hasStopped = Atomic(false)

    init(_ ring: any HostRing, _ machine: any Machine, _ afterStep: (() -> Void)?) {
      self.ring = ring
      loop = HostLoop(ring: ring, machine: machine, afterStep: afterStep)
    }

    /// The thread's life.
    func run() {
      loop.run {
        let job = self.job.withLock { job in
          defer { job = nil }
          return job
        }
        job?()
        return hasStopped.load(ordering: .acquiring)
      }
    }

    func put(_ work: @escaping @Sendable () -> Void) {
      job.withLock { $0 = work }
      ring.interrupt()
    }

    func stop() {
      hasStopped.store(true, ordering: .releasing)
      ring.interrupt()
    }
  }

  private let shared: Shared
  private var thread: SystemThread?

  /// How long a thread may take to end, if nothing else is said: longer than a turn of any that does not hang.
  public static let usualPatience = Interval.seconds(5)

  /// How many cores this process may run on: those of its affinity mask (sched_setaffinity(2)), at least one.
  public static var usableCores: Int { Int(simsan_usable_cores()) }

  /// - Parameter afterStep: As of ``HostLoop/init(ring:machine:afterStep:)``, on the thread.
  public init(ring: any HostRing, machine: any Machine, afterStep: (() -> Void)? = nil) {
    shared = Shared(ring, machine, afterStep)
  }

  deinit { stop() }

  /// Starts the thread.
  ///
  /// - Throws: ``HostRingError`` when the system has no thread for it.
  public func start() throws(HostRingError) {
    guard thread == nil else { return }
    thread = try SystemThread(shared)
  }

  /// Runs `body` on the thread, between two turns of its loop, and waits for what it returns. One caller at a time; at
  /// once, on the caller's thread, while the thread does not run.
  ///
  /// Nil when it does not get round to that within `patience`: it hangs in a call of the system, for instance on a device that
  /// does not answer. It does it when that returns, unless it has been given something else by then.
  public func perform<Result: Sendable>(
    within patience: Interval = usualPatience, _ body: @escaping @Sendable () -> Result
  ) -> Result? {
    guard thread != nil else { return body() }
    let answer = Answer<Result>()
    shared.put { answer.give(body()) }
    return answer.wait(patience)
  }

  /// Has the thread end after the turn that it is in. ``stop(within:)`` waits for that.
  public func askToStop() { shared.stop() }

  /// Ends the thread after the turn that it is in, and waits for that. False when that turn takes longer than `patience`: the
  /// thread then goes on by itself, and nobody else may touch its ring and its machine.
  @discardableResult
  public func stop(within patience: Interval = usualPatience) -> Bool {
    guard let thread else { return true }
    shared.stop()
    self.thread = nil
    return thread.end(within: patience)
  }
}

/// A value that one thread waits for and another gives, once.
private final class Answer<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)

  func give(_ value: Value) { self.value.withLock { $0 = value } }

  /// Looks every now and then: nobody waits long, and seldom. Nil when it is not there in that time.
  func wait(_ patience: Interval) -> Value? {
    let start = simsan_monotonic_nanoseconds()
    while true {
      if let value = value.withLock({ $0 }) { return value }
      if simsan_monotonic_nanoseconds() - start >= patience.nanoseconds { return nil }
      usleep(20)
    }
  }
}
