import Glibc
import Ring

extension RingError {
  /// What an error number means for an operation on a socket.
  init(socketError number: Int32) {
    switch number {
    case 0: self = .none
    case ECANCELED: self = .cancelled
    case ECONNRESET, ECONNABORTED: self = .connectionReset
    case ECONNREFUSED: self = .connectionRefused
    case ETIMEDOUT: self = .timedOut
    case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN: self = .unreachable
    case EPIPE, ENOTCONN: self = .brokenPipe
    case EADDRINUSE: self = .addressInUse
    case EADDRNOTAVAIL, EAFNOSUPPORT: self = .addressUnavailable
    case EACCES, EPERM: self = .notPermitted
    case EMFILE, ENFILE, ENOMEM, ENOBUFS: self = .noResources
    case EBADF, ENOTSOCK: self = .staleHandle
    default: self = .other
    }
  }

  /// What an error number means for an operation on a medium.
  init(mediumError number: Int32) {
    switch number {
    case 0: self = .none
    case ECANCELED: self = .cancelled
    case ENOSPC, EDQUOT, EFBIG: self = .noSpace
    case EROFS, EBADF, EPERM, EACCES: self = .readOnly
    case EINVAL: self = .misaligned
    case ENODEV, ENXIO, ENOMEDIUM: self = .removed
    case EOPNOTSUPP, ENOSYS: self = .unsupported
    case ENOMEM, EAGAIN: self = .noResources
    default: self = .mediumError
    }
  }
}
