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

    init(_ ring: any HostRing, _ machine: any Machine) {
      self.ring = ring
      loop = HostLoop(ring: ring, machine: machine)
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
  private var thread: pthread_t?

  /// How many cores this process may run on: those of its affinity mask (sched_setaffinity(2)), at least one.
  public static var usableCores: Int { Int(simsan_usable_cores()) }

  public init(ring: any HostRing, machine: any Machine) { shared = Shared(ring, machine) }

  deinit { stop() }

  /// Starts the thread.
  ///
  /// - Throws: ``HostRingError`` when the system has no thread for it.
  public func start() throws(HostRingError) {
    guard thread == nil else { return }
    thread = try SystemThread.start(shared)
  }

  /// Runs `body` on the thread, between two turns of its loop, and waits for what it returns. One caller at a time; at
  /// once, on the caller's thread, while the thread does not run.
  public func perform<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result {
    guard thread != nil else { return body() }
    let answer = Answer<Result>()
    shared.put { answer.give(body()) }
    return answer.wait()
  }

  /// Ends the thread after the turn that it is in, and waits for that.
  public func stop() {
    guard let thread else { return }
    shared.stop()
    pthread_join(thread, nil)
    self.thread = nil
  }
}

/// A value that one thread waits for and another gives, once.
private final class Answer<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)

  func give(_ value: Value) { self.value.withLock { $0 = value } }

  /// Looks every now and then: nobody waits long, and seldom.
  func wait() -> Value {
    while true {
      if let value = value.withLock({ $0 }) { return value }
      usleep(20)
    }
  }
}
