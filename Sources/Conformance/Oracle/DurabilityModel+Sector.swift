extension DurabilityModel {
  /// One content that a sector may have.
  struct Version {
    /// Nil: anything.
    var hash: UInt64?
    /// Which write it is of; -1 for what was there from the start.
    var write: Int
    /// How many crashes of the unit there had been. What has come through a crash is on the medium, one of several
    /// that may be there, and replaces none of the others.
    var era = 0
    /// A COMPARE AND WRITE has found it and written in its place: no other has.
    var isFound = false
  }

  /// The contents that a sector may have.
  ///
  /// A version is replaced by any write that began after its end. So of all the writes that count, the one that began
  /// last decides for all versions at once. None of an era that a crash has ended is among them: it began before whatever
  /// is of a later era, and of two versions that came through a crash neither replaces the other.
  struct Sector {
    /// What a read may return, now or when more has ended; in the order of the writes.
    private(set) var versions: [Version]
    /// What reads have seen the last of, unless a power cut or a flush that fails brings it back.
    private(set) var covered: [Version] = []
    /// How many crashes of the unit it has been through.
    private(set) var crashes = 0
    /// How many flushes of the unit had failed when it was looked at last.
    private(set) var failedFlushes = 0
    /// What a read has seen when no write was under way: the matter is settled for what had ended then.
    var seen: (hash: UInt64, at: Moment)?
    /// When it is time to tidy: at twice as many versions as were left, which makes it a few steps a write.
    private var roomForVersions = roomMin
    private var roomForCovered = roomMin
    private static let roomMin = 8

    init(_ versions: [Version]) { self.versions = versions }

    /// Everything, in the order of the writes.
    var all: [Version] { covered.isEmpty ? versions : (covered + versions).sorted { $0.write < $1.write } }

    /// When the last of the writes that meet `condition` began: what had ended before is replaced. 0 when there is none.
    private func lastBegin(_ list: [Version], _ writes: [Write], _ condition: (Write) -> Bool) -> Moment {
      var last = 0
      for version in list where version.era == crashes && version.write >= 0 {
        let write = writes[version.write]
        if write.begin > last, condition(write) { last = write.begin }
      }
      return last
    }

    // MARK: Writes

    mutating func add(hash: UInt64?, write: Int) {
      versions.append(Version(hash: hash, write: write, era: crashes))
    }

    /// Takes back what a write has added that was not carried out.
    mutating func remove(write: Int) { versions.removeAll { $0.write == write } }

    /// Whether it is time to ``tidy(before:_:)``.
    var isFull: Bool { versions.count >= roomForVersions }

    /// Puts away what no read can return any more, and forgets what not even a power cut can bring back.
    ///
    /// - Parameter oldest: When the first of the commands under way began.
    mutating func tidy(before oldest: Moment, _ writes: [Write]) {
      // What is covered has been replaced by one that began later and is not: the last is among the versions.
      let last = lastBegin(versions, writes) { $0.isGood && $0.end < oldest }
      for version in versions where writes.end(of: version) < last { covered.append(version) }
      versions.removeAll { writes.end(of: $0) < last }
      if covered.count >= roomForCovered {
        let last = max(
          lastBegin(versions, writes) { $0.durable < oldest }, lastBegin(covered, writes) { $0.durable < oldest })
        covered.removeAll { writes.end(of: $0) < last }
        versions.removeAll { writes.end(of: $0) < last }
        roomForCovered = max(Self.roomMin, 2 * covered.count)
      }
      roomForVersions = max(Self.roomMin, 2 * versions.count)
    }

    // MARK: What strikes the whole unit

    /// Flushes have failed: GOOD has replaced nothing that was not durable.
    mutating func uncover(failedFlushes: Int) {
      guard self.failedFlushes < failedFlushes else { return }
      self.failedFlushes = failedFlushes
      (versions, covered) = (all, [])
      forgetFound()
    }

    /// What was read before a flush failed may have been read from the cache that was lost.
    mutating func forgetSeen(before moment: Moment) {
      if let seen, seen.at < moment { self.seen = nil }
    }

    mutating func crash(_ crash: Crash, _ writes: [Write]) {
      switch crash {
      case .wiped: versions = [Version(hash: DurabilityModel.zeroHash, write: -1, era: crashes)]
      case .power(let at, let cacheLost):
        forgetSeen(before: cacheLost)
        versions = survivors(at, writes)
      }
      covered = []
      seen = nil
      crashes += 1
      forgetFound()
    }

    /// What was written in its place may be gone, and it is there again.
    private mutating func forgetFound() {
      for index in versions.indices { versions[index].isFound = false }
    }

    /// What a power cut may leave: all that no durable write has replaced.
    private func survivors(_ at: Moment, _ writes: [Write]) -> [Version] {
      let all = all
      let isOldSeen = seen.map { seen in
        all.contains { $0.hash == seen.hash && $0.era < crashes }
          && !all.contains { $0.hash == seen.hash && $0.era == crashes }
      }
      let last = lastBegin(all, writes) { $0.durable < at }
      return all.filter { version in
        // What came through an earlier crash has been on the medium since, and a read has seen which it was.
        if isOldSeen == true, version.era < crashes, version.hash != nil, version.hash != seen?.hash { return false }
        return writes.end(of: version) >= last
      }
    }

    // MARK: Reads

    /// What a read that began at a moment may return.
    func legal(_ readBegan: Moment, _ writes: [Write]) -> some Sequence<Version> {
      let last = lastBegin(versions, writes) { $0.isGood && $0.end < readBegan }
      return versions.lazy.filter { version in
        let end = writes.end(of: version)
        if let seen, seen.at < readBegan, end < seen.at, version.hash != seen.hash, version.hash != nil { return false }
        return end >= last
      }
    }

    /// A COMPARE AND WRITE, the write with this number, has found `hash`, and written over it: whether that was there for it.
    ///
    /// Of several versions with that content the one that is replaced first is taken for the one that it has found: that
    /// leaves the others those that they can have found.
    mutating func find(_ hash: UInt64, by write: Int, began: Moment, _ writes: [Write]) -> Bool {
      let others = legal(began, writes).filter { $0.write != write && !$0.isFound }
      if others.contains(where: { $0.hash == nil }) { return true }
      let found = others.filter { $0.hash == hash }.min { writes.end(of: $0) < writes.end(of: $1) }
      guard let found else { return false }
      // One that writes what it has found leaves it there.
      guard versions.contains(where: { $0.write == write && $0.hash != hash }),
        let place = versions.firstIndex(where: { $0.write == found.write && $0.hash == hash })
      else { return true }
      versions[place].isFound = true
      return true
    }

    /// Whether all writes of what may be there had ended at a moment.
    func isSettled(_ moment: Moment, _ writes: [Write]) -> Bool { versions.allSatisfy { writes.end(of: $0) < moment } }
  }
}

extension [DurabilityModel.Write] {
  fileprivate func end(of version: DurabilityModel.Version) -> DurabilityModel.Moment {
    version.write < 0 ? 0 : self[version.write].end
  }
}
