import Glibc

/// What a thread of the system does for all its life.
protocol ThreadBody: AnyObject, Sendable {
  func run()
}

/// Threads of the system. None of them takes signals, which are for the main thread.
enum SystemThread {
  /// Starts a thread with the life of `body`, which it keeps for so long.
  ///
  /// - Throws: ``HostRingError`` when the system has no thread for it.
  static func start(_ body: some ThreadBody) throws(HostRingError) -> pthread_t {
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
    return thread
  }

  /// A body of any kind behind one pointer.
  private final class Life: Sendable {
    let body: any ThreadBody

    init(_ body: any ThreadBody) { self.body = body }
  }
}
