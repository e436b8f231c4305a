import CHost
import Glibc
import Ring
import Synchronization

/// Carries out what the kernel offers only as calls that wait, on a few threads of its own, so that the ring's loop does
/// not wait with it.
///
/// The threads start when they are first needed; a ring whose media are opened for direct I/O seldom needs any.
final class Worker {
  struct Job: @unchecked Sendable {
    enum Kind: Sendable {
      case read
      case write
      /// A write that is on stable media when it is done.
      case writeStable
      case flush
      case discard
      case writeZeroes
      case seekHole
      case seekData
    }

    var kind: Kind
    var descriptor: Int32
    var isBlockDevice: UInt32 = 0
    var offset: UInt64 = 0
    var length: UInt64 = 0
    /// Memory of the machine's arena, which belongs to the operation until it completes.
    var vector: UnsafeMutablePointer<iovec>?
    var count = 0
    /// What the ring knows the job by.
    var tag: Int
    /// Bytes moved, a position, or a negative errno; once it is done.
    var result: Int64 = 0
  }

  /// What the loop and the threads share.
  private final class Shared: ThreadBody, @unchecked Sendable {
    struct Queues {
      var jobs = JobQueue()
      var done: [Job] = []
      var hasStopped = false
    }

    let queues = Mutex(Queues())
    /// Counts what the threads have to look at. It has no reference counting of its own: `Worker` frees it.
    let wakeups: UnsafeMutablePointer<sem_t>
    let eventfd: Int32

    init(eventfd: Int32) {
      self.eventfd = eventfd
      wakeups = .allocate(capacity: 1)
      sem_init(wakeups, 0, 0)
    }

    deinit {
      sem_destroy(wakeups)
      wakeups.deallocate()
    }

    /// A thread's life.
    func run() {
      while true {
        while sem_wait(wakeups) != 0 {}
        guard performNext() else { return }
      }
    }

    /// Does the next job, if there is one. False when no more are to be done.
    func performNext() -> Bool {
      let (job, hasStopped) = queues.withLock { ($0.jobs.next(), $0.hasStopped) }
      if hasStopped { return false }
      guard var job else { return true }
      job.result = job.perform()
      let another = queues.withLock { queues in
        queues.done.append(job)
        // The eventfd of a ring that has gone may be something else by now.
        if !queues.hasStopped { simsan_eventfd_signal(eventfd) }
        return queues.jobs.finish(job)
      }
      if another { sem_post(wakeups) }
      return true
    }
  }

  private let shared: Shared
  private var threads: [SystemThread] = []
  private var outstanding = 0

  /// - Parameter eventfd: Signalled when a job is done.
  init(eventfd: Int32) { shared = Shared(eventfd: eventfd) }

  deinit { stop() }

  /// Waits for the jobs that have begun; those that have not never will. False when some take longer than `patience`, as on a
  /// device that hangs: what they work on must not go then.
  @discardableResult
  func stop(within patience: Interval = HostThread.usualPatience) -> Bool {
    shared.queues.withLock { $0.hasStopped = true }
    for _ in threads { sem_post(shared.wakeups) }
    var haveEnded = true
    // Who waits for one that hangs has waited for all.
    for thread in threads { haveEnded = thread.end(within: haveEnded ? patience : .zero) && haveEnded }
    threads = []
    return haveEnded
  }

  /// Gives a job to the threads.
  func add(_ job: Job) {
    outstanding += 1
    let (begins, begun) = shared.queues.withLock { ($0.jobs.add(job), $0.jobs.begunCount) }
    guard begins else { return }
    if threads.count < begun, let thread = try? SystemThread(shared) {
      threads.append(thread)
    }
    if threads.isEmpty {
      // No thread is to be had: it is done here, and the loop waits.
      _ = shared.performNext()
    } else {
      sem_post(shared.wakeups)
    }
  }

  /// Whether a job has been given whose result has not been taken.
  var isBusy: Bool { outstanding > 0 }

  /// Takes the jobs that are done, in exchange for an array without any, whose memory is for the next ones.
  func takeDone(_ done: inout [Job]) {
    assert(done.isEmpty)
    shared.queues.withLock { swap(&$0.done, &done) }
    outstanding -= done.count
  }
}

extension Worker.Job {
  /// Does it, and waits for it.
  func perform() -> Int64 {
    switch kind {
    case .read:
      let moved = preadv(descriptor, vector, Int32(count), off_t(offset))
      return moved < 0 ? -Int64(errno) : Int64(moved)
    case .write, .writeStable:
      let moved = pwritev(descriptor, vector, Int32(count), off_t(offset))
      if moved < 0 { return -Int64(errno) }
      let flushed = kind == .writeStable ? simsan_flush_data(descriptor) : 0
      return flushed < 0 ? Int64(flushed) : Int64(moved)
    case .flush:
      return Int64(simsan_flush_data(descriptor))
    case .seekHole, .seekData:
      // A block device says nothing of its holes: it is all data.
      if isBlockDevice != 0 { return kind == .seekHole ? -Int64(ENXIO) : Int64(offset) }
      return simsan_seek(descriptor, offset, kind == .seekHole ? 1 : 0)
    case .discard, .writeZeroes:
      let result =
        kind == .discard
        ? simsan_discard(descriptor, isBlockDevice, offset, length)
        : simsan_write_zeroes(descriptor, isBlockDevice, offset, length)
      return Self.mustBeWritten(result) ? writeZeroesByHand() : Int64(result)
    }
  }

  /// Whether a range that the kernel did not discard or zero, with that result, has to be written.
  static func mustBeWritten(_ result: Int32) -> Bool {
    // EINVAL: a block device is zeroed by the kernel in whole blocks of its own only, but written in any bytes.
    result == -EOPNOTSUPP || result == -ENOSYS || result == -EINVAL
  }

  /// Writes zeroes, where the system can neither make holes there nor zero the range.
  func writeZeroesByHand() -> Int64 {
    let pieceLength: UInt64 = 1 << 20
    let zeroes = UnsafeMutableRawPointer.allocate(byteCount: Int(pieceLength), alignment: 4096)
    defer { zeroes.deallocate() }
    zeroes.initializeMemory(as: UInt8.self, repeating: 0, count: Int(pieceLength))
    var done: UInt64 = 0
    while done < length {
      let written = simsan_pwrite(descriptor, zeroes, Int(min(pieceLength, length - done)), offset + done)
      guard written > 0 else { return written == 0 ? -Int64(EIO) : Int64(written) }
      done += UInt64(written)
    }
    return 0
  }
}
