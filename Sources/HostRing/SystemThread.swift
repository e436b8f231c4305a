import CHost
import Glibc
import Ring

/// What a thread of the system does for all its life.
public protocol ThreadBody: AnyObject, Sendable {
  /// All of it.
  func run()
}

/// A thread of the system. None of them takes signals, which are for the main thread.
public final class SystemThread: Sendable {
  private let thread: pthread_t

  /// Starts the thread with the life of `body`, which it keeps for so long.
  ///
  /// - Throws: ``HostRingError`` when the system has no thread for it.
  public init(_ body: some ThreadBody) throws(HostRingError) {
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let life = Unmanaged.passRetained(Life(body))
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { pointer in
        guard let pointer else { return nil }
        Unmanaged<Life>.fromOpaque(pointer).takeRetainedValue().body.run()
        return nil
      }, life.toOpaque())
    guard error == 0 else {
      life.release()
      throw HostRingError("a thread", error)
    }
    self.thread = thread
  }

  /// Waits for its end, once. False when that takes longer than `patience`, because it is in a call of the system that does not
  /// return: then it is left to itself, and keeps its body until it has ended.
  public func end(within patience: Interval) -> Bool {
    if simsan_join(thread, patience.nanoseconds) == 0 { return true }
    pthread_detach(thread)
    return false
  }

  /// A body of any kind behind one pointer.
  private final class Life: Sendable {
    let body: any ThreadBody

    init(_ body: any ThreadBody) { self.body = body }
  }
}
