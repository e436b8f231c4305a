import Glibc

/// What is to be known of a medium that was opened.
public struct MediumInfo: Sendable, Equatable {
  /// Bytes.
  public var size: UInt64
  /// What offsets, lengths and memory must be multiples of, in bytes; 1 for any.
  public var alignment: Int
  public var isReadOnly: Bool
  public var isBlockDevice: Bool
}

/// Why a medium could not be opened, for people.
public struct MediumError: Error, CustomStringConvertible, Sendable {
  public var path: String
  public var number: Int32

  public var description: String {
    switch number {
    case ENOENT: "\(path): there is no such file; make it, for instance with: truncate -s 1G \(path)"
    case EISDIR: "\(path): is a directory, not a file or block device"
    case ENODEV: "\(path): is neither a regular file nor a block device"
    case EACCES, EPERM: "\(path): permission denied; check its owner and mode"
    case EROFS: "\(path): its file system, or the device itself, is read-only; say read_only = true"
    case EMFILE, ENFILE: "\(path): too many open files; raise the limit (ulimit -n)"
    case EINVAL: "\(path): cannot be opened for direct I/O; its file system does not offer it"
    case EBUSY:
      "\(path): is in use, by another server or program (fuser -v may name it), or as a block device that is mounted; "
        + "what all of them only read, with read_only = true, they may share"
    default: "\(path): \(String(cString: strerror(number)))"
    }
  }
}
