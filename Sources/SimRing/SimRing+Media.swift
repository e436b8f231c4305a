import Ring
import SimClock
import SimDisk
import SimNet

/// Reads, writes and flushes: started here, in effect when the medium is done.
extension SimRing {
  private static func access(_ kind: Operation.Kind) -> Disk.Access {
    switch kind {
    case .write: .write
    case .flush: .flush
    case .discard: .discard
    case .writeZeroes: .writeZeroes
    case .seek: .seek
    default: .read
    }
  }

  func beginMediaAccess(_ operation: Operation, _ extents: UnsafeBufferPointer<Extent>) {
    guard let index = index(of: operation.handle, .medium) else { return finish(operation.token, .staleHandle) }
    let disk = world.disks[handles[index].disk]
    let access = Self.access(operation.kind)
    let length = operation.kind == .read || operation.kind == .write ? UInt64(Self.length(extents)) : operation.length
    let error = disk.check(access, at: operation.offset, length: length)
    guard error == .none else { return finish(operation.token, error) }
    let slot = keep(operation, extents)
    pending[slot].operation.length = length
    pending[slot].mark = disk.flushMark
    pending[slot].verdict = disk.judge(access, at: operation.offset, length: length)
    guard !pending[slot].verdict.isStuck else { return }
    let duration = disk.duration(access, length: length, forceUnitAccess: operation.forceUnitAccess)
    scheduleAccess(slot, after: duration + pending[slot].verdict.delay)
  }

  private func scheduleAccess(_ slot: Int, after duration: Interval) {
    world.schedule(
      .access, at: (timeline.now + duration).nanoseconds, process, incarnation, UInt64(slot),
      UInt64(pending[slot].generation))
  }

  /// Lets the accesses go on that only `fault` of `disk` held; they are judged anew.
  func releaseStuck(_ disk: Int, heldBy fault: DiskFaultID) {
    let held = outstanding { operation in
      guard operation.verdict.isStuck, let index = index(of: operation.operation.handle, .medium) else { return false }
      return handles[index].disk == disk
    }
    for slot in held { pending[slot].verdict.holders.removeAll { $0 == fault } }
    for slot in held where !pending[slot].verdict.isStuck {
      let operation = pending[slot].operation
      let access = Self.access(operation.kind)
      pending[slot].verdict = world.disks[disk].judge(access, at: operation.offset, length: operation.length)
      guard !pending[slot].verdict.isStuck else { continue }
      let duration = world.disks[disk].duration(
        access, length: operation.length, forceUnitAccess: operation.forceUnitAccess)
      scheduleAccess(slot, after: duration + pending[slot].verdict.delay)
    }
  }

  /// The medium is done with an access.
  func finishAccess(_ slot: Int, generation: UInt64) {
    guard slot < pending.count, pending[slot].isLive, UInt64(pending[slot].generation) == generation,
      let index = index(of: pending[slot].operation.handle, .medium)
    else { return }
    checkSeal(slot)
    let disk = world.disks[handles[index].disk]
    let operation = pending[slot].operation
    let verdict = pending[slot].verdict
    let access = Self.access(operation.kind)
    // The medium may have been pulled out, or have shrunk, meanwhile.
    var error = disk.check(access, at: operation.offset, length: operation.length)
    if error == .none { error = verdict.error }
    if error == .none, access == .read, disk.isUnreadable(at: operation.offset, length: verdict.length) {
      error = .mediumError
    }
    guard error == .none else {
      if access == .flush, error != .removed { disk.loseCache() }
      return complete(slot, error)
    }
    var result: UInt64 = 0
    switch access {
    case .read:
      result = verdict.length
      var offset = operation.offset
      let digest = withExtents(slot) { extents in
        forEach(extents, count: Int(result)) {
          disk.read(at: offset, into: $0)
          offset += UInt64($0.count)
        }
      }
      recordPayload(operation, result, digest)
    case .write:
      result = verdict.length
      recordPayload(operation, result, write(slot, to: disk))
    case .flush: disk.flush(upTo: pending[slot].mark)
    case .discard: disk.clear(at: operation.offset, length: operation.length, allocated: false)
    case .writeZeroes: disk.clear(at: operation.offset, length: operation.length, allocated: true)
    case .seek: result = disk.seek(from: operation.offset, toHole: operation.seekHole)
    }
    complete(slot, .none, result: result)
  }

  private func withExtents(_ slot: Int, _ body: (UnsafeBufferPointer<Extent>) -> UInt64) -> UInt64 {
    let extents = pending[slot].extents
    return extents.withUnsafeBufferPointer(body)
  }

  /// Writes what an access has to write; with `isCutOff` the power fails while it does. The digest of the data.
  private func write(_ slot: Int, to disk: Disk, isCutOff: Bool = false) -> UInt64 {
    let operation = pending[slot].operation
    let verdict = pending[slot].verdict
    let isDiverted = verdict.isLost || verdict.displacement > 0
    var before: [UInt8] = []
    var data: [UInt8] = []
    if isDiverted {
      before = Array(repeating: 0, count: Int(verdict.length))
      before.withUnsafeMutableBytes { disk.read(at: operation.offset, into: $0) }
    }
    disk.beginWrite(at: operation.offset, length: verdict.length, forceUnitAccess: operation.forceUnitAccess)
    let digest = withExtents(slot) { extents in
      forEach(extents, count: Int(verdict.length)) {
        disk.appendWrite(UnsafeRawBufferPointer($0))
        if isDiverted { data.append(contentsOf: $0) }
      }
    }
    if !isCutOff { disk.endWrite() }
    if isDiverted {
      disk.overlay(at: operation.offset, before, by: verdict.fault)
      if verdict.displacement > 0 {
        let (place, overflow) = operation.offset.addingReportingOverflow(verdict.displacement)
        if !overflow { disk.overlay(at: place, data, by: verdict.fault) }
      }
    }
    return digest
  }

  /// Completes what is outstanding on a medium as cancelled, in the order of submission.
  func cancelMediaAccesses(_ handle: Handle) {
    for slot in outstanding({ $0.operation.handle == handle }) { complete(slot, .cancelled) }
  }

  /// The process or its host dies: each write that is under way, of data or of zeroes, may still reach the medium's cache.
  func abandonWrites(isCutOff: Bool) {
    let kinds: [Operation.Kind] = [.write, .discard, .writeZeroes]
    for slot in outstanding({ kinds.contains($0.operation.kind) }) {
      guard let index = index(of: pending[slot].operation.handle, .medium), !pending[slot].verdict.isStuck,
        pending[slot].verdict.error == .none, world.disks[handles[index].disk].outlivesProcess()
      else { continue }
      let disk = world.disks[handles[index].disk]
      let operation = pending[slot].operation
      let access = Self.access(operation.kind)
      guard disk.check(access, at: operation.offset, length: operation.length) == .none else { continue }
      guard access == .write else {
        disk.clear(
          at: operation.offset, length: operation.length, allocated: access == .writeZeroes, isCutOff: isCutOff)
        continue
      }
      // Not promised yet, so not stable even with FUA: the crash may tear it.
      pending[slot].operation.forceUnitAccess = false
      _ = write(slot, to: disk, isCutOff: isCutOff)
    }
  }
}
