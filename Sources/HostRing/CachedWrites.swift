import Ring

/// Whether a ring's own thread carries out writes to the page cache: it does, since to hand a copy of some pages to
/// another thread costs more than the copy, as long as none of them makes it wait.
///
/// The kernel makes a writer wait when more of the page cache is dirty than it likes, or when a page has to be read first.
/// After such a wait others do it, for so many times as long as it took: a device that is slow takes no more than a small
/// part of the ring's time. How long one wait is has no limit. A device that hangs, or a file system that is frozen, has the
/// ring hang with it in the first write, and all units of its shard. Nothing tells before: ext4 and tmpfs do not have
/// RWF_NOWAIT for writes to the page cache. Direct I/O does not come this way, nor do file systems of other hosts or programs
/// (NFS, SMB, FUSE), where nobody answering is no accident but what happens.
struct CachedWrites {
  /// What takes longer than this and its bytes at a rate that any memory has, has waited.
  private static let patience = Interval.milliseconds(1)
  private static let nanosecondsPerByte: UInt64 = 1
  /// Others do it for so many times what the wait took.
  private static let respite: UInt64 = 20

  private var returns = Instant.zero

  /// Whether the next write is the ring's own.
  func isOwn(at now: Instant) -> Bool { now >= returns }

  /// Writes of `bytes` in all, from `began` to `now`, were the ring's own.
  mutating func took(from began: Instant, to now: Instant, bytes: UInt64) {
    let time = now - began
    guard time > Self.patience + Interval.scaled(bytes, Self.nanosecondsPerByte) else { return }
    returns = now + Interval.scaled(time.nanoseconds, Self.respite)
  }
}
