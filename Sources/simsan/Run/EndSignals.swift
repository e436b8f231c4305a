import Glibc
import HostRing

/// SIGINT, SIGTERM or SIGHUP has arrived: the program is to end, and by that signal, when what is to be done before is done.
struct EndedBySignal: Error {
  var number: Int32

  /// What the signal would have done at once.
  func end() -> Never {
    signal(number, SIG_DFL)
    raise(number)
    exit(128 + number)
  }
}

/// Where the handler writes the numbers of signals.
private nonisolated(unsafe) var inlet: Int32 = -1

/// SIGINT, SIGTERM and SIGHUP as something that can be polled, for a process with others to end before itself.
///
/// Handlers do not outlive exec: the others take these signals as usual.
final class EndSignals {
  private let numbers = [SIGINT, SIGTERM, SIGHUP].filter { $0 != SIGHUP || !StopSignal.isIgnored($0) }
  /// Readable when one has arrived.
  let descriptor: Int32

  init() throws(UsageError) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw UsageError("simsan run: cannot make a pipe: \(String(cString: strerror(errno)))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    descriptor = ends[0]
    inlet = ends[1]
    for number in numbers {
      signal(number) { number in
        let before = errno
        var byte = UInt8(truncatingIfNeeded: number)
        _ = write(inlet, &byte, 1)
        errno = before
      }
    }
  }

  /// Takes the signal that has made ``descriptor`` readable.
  func take() -> EndedBySignal {
    var byte: UInt8 = 0
    let count = read(descriptor, &byte, 1)
    return EndedBySignal(number: count == 1 ? Int32(byte) : SIGTERM)
  }

  /// Gives the signals their usual meaning back.
  func close() {
    for number in numbers { signal(number, SIG_DFL) }
    _ = Glibc.close(inlet)
    _ = Glibc.close(descriptor)
  }
}
