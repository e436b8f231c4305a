import Glibc
import HostRing

/// What a server says while it serves. Any thread may say something, and waits for nobody: one of its own writes it to standard
/// output, whose reader may be busy for as long as he likes, and whose disk may hang. What is too much for a pipe meanwhile is
/// left out.
final class ServerLog: Sendable {
  /// Copies what comes out of the pipe, until nothing more will.
  private final class Writer: ThreadBody {
    let outlet: Int32
    let output: Int32

    init(from outlet: Int32, to output: Int32) {
      self.outlet = outlet
      self.output = output
    }

    deinit { close(outlet) }

    func run() {
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = bytes.withUnsafeMutableBytes { read(outlet, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return }
        // Sessions do not end because nobody can read of them.
        try? writeAll(Array(bytes[..<count]), to: output)
      }
    }
  }

  private let inlet: Int32
  private let thread: SystemThread

  /// - Parameter output: What it is written to.
  init(to output: Int32 = STDOUT_FILENO) throws(UsageError) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw UsageError("simsan serve: cannot make a pipe: \(String(cString: strerror(errno)))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    inlet = ends[1]
    _ = fcntl(inlet, F_SETFL, O_NONBLOCK)
    do throws(HostRingError) {
      thread = try SystemThread(Writer(from: ends[0], to: output))
    } catch {
      close(inlet)
      throw UsageError("simsan serve: \(error)")
    }
  }

  /// Says a line, or several. Whole, as far as they are not longer than a page.
  func say(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(inlet, $0.baseAddress, $0.count) }
  }

  /// Ends it, when what has been said is written, or after a while. Nothing more is said.
  func end() {
    close(inlet)
    _ = thread.end(within: .seconds(2))
  }
}
