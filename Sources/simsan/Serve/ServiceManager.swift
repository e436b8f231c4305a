import Glibc

/// Tells whoever has started this process as a service how it is, if he wants to know: a datagram to the socket that
/// NOTIFY_SOCKET names, as sd_notify(3) of systemd sends it. `READY=1` is what a unit of Type=notify waits for.
func tellServiceManager(_ state: String) {
  guard let text = getenv("NOTIFY_SOCKET") else { return }
  let name = Array(String(cString: text).utf8)
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  guard let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path), !name.isEmpty,
    start + name.count < MemoryLayout<sockaddr_un>.size
  else { return }
  withUnsafeMutableBytes(of: &address) { bytes in
    UnsafeMutableRawBufferPointer(rebasing: bytes[start...]).copyBytes(from: name)
    // A name that is of no file begins with a zero, which is written so.
    if name[0] == UInt8(ascii: "@") { bytes[start] = 0 }
  }
  // Nobody waits for a service manager that does not read.
  let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
  guard descriptor >= 0 else { return }
  defer { close(descriptor) }
  withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      _ = sendto(descriptor, state, state.utf8.count, 0, $0, socklen_t(start + name.count))
    }
  }
}
