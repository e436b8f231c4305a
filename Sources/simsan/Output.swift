import Glibc

/// Standard output cannot be written: whoever read it has gone, or the disk that it goes to is full. The exit status is 2.
struct OutputLost: Error {
  /// What `errno` says.
  var code: Int32
}

/// Has the program outlive those who read what it says: a write to a reader that has gone fails, and does not end it by
/// SIGPIPE. And has what it says go nowhere else: the next socket or medium would be given a standard descriptor that the
/// caller has closed, so that something stands in for it that cannot be written.
///
/// Processes that it starts inherit this; they are the same program.
func guardOutput() {
  signal(SIGPIPE, SIG_IGN)
  for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
    // The lowest that is free, which is this one.
    _ = open("/dev/null", O_RDONLY)
  }
}

/// Writes all of `bytes`, with as many calls as that takes.
func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws(OutputLost) {
  var done = 0
  while done < bytes.count {
    let count = bytes[done...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    if count >= 0 {
      done += count
      continue
    }
    switch errno {
    case EINTR: break
    case EAGAIN:
      // Whoever shares the descriptor has it not block.
      var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      poll(&polled, 1, -1)
    default: throw OutputLost(code: errno)
    }
  }
}

/// Whether standard output is a terminal, on which a line can be written over: see ``lineStart``.
let isTerminal = isatty(STDOUT_FILENO) == 1 && getenv("TERM").map { String(cString: $0) } != "dumb"

/// Takes back what stands in a terminal's line, and goes to its beginning.
let lineStart = "\r\u{1B}[K"

/// Prints text to standard output, at once: who reads it may be another program.
func put(_ text: String) throws(OutputLost) { try writeAll(Array(text.utf8), to: STDOUT_FILENO) }

/// Prints a line to standard output.
func say(_ text: String) throws(OutputLost) { try put(text + "\n") }

/// Prints a line to standard error. When that is lost, there is nobody to tell it.
func complain(_ text: String) { try? writeAll(Array((text + "\n").utf8), to: STDERR_FILENO) }
