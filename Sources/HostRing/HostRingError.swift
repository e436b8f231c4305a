import Glibc

/// Why a host ring cannot be had.
public struct HostRingError: Error, CustomStringConvertible, Sendable {
  public var what: String
  public var number: Int32

  init(_ what: String, _ number: Int32) {
    self.what = what
    self.number = number
  }

  public var description: String {
    let said = String(cString: strerror(number))
    return switch number {
    case EPERM, EACCES: "\(what): not allowed to this process, by a container or by a setting of the kernel (\(said))"
    case ENOSYS: "\(what): this kernel has none, or one that is too old (\(said))"
    case EMFILE, ENFILE: "\(what): too many open files; raise the limit (ulimit -n)"
    case EAGAIN where what == "libaio": "\(what): the system has no requests left; raise fs.aio-max-nr"
    default: "\(what): \(said)"
    }
  }
}
