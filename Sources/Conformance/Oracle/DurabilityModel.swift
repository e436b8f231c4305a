import ISCSI
import Initiator
import Ring
import SCSI

/// Watches every block that the scripts write and read: per sector of 512 bytes, the exact set of contents that may be
/// read now.
///
/// A write lasts from its request to its end; until then, and where it overlaps another, its content may be read or not.
/// A write that ended with GOOD replaces what had ended before it began. What was answered is *durable* once it was
/// written with FUA, or a SYNCHRONIZE CACHE that began afterwards has ended with GOOD, or the unit has no volatile cache;
/// a power cut may bring back any content that no durable write has replaced. A write that failed, or whose end nobody
/// knows, may have happened or not.
///
/// Linear in the history: a command costs the sectors that it touches, in each what may be read there now; a crash nothing
/// until a sector is touched again.
struct DurabilityModel {
  static let sectorLength = 512

  /// The number of an event; the order of events is all that counts.
  typealias Moment = Int

  /// A command that was watched.
  struct Watched {
    var what: Access
    var unit: Int
    var begin: Moment
    /// Of an UNMAP one for each range.
    var writes: [Int] = []
    /// What a COMPARE AND WRITE or a VERIFY compares with: the hash of each sector.
    var compared: [UInt64] = []
    var nexus: Nexus
    var isOver = false

    var isUnknown: Bool { if case .anything = what { true } else { false } }
  }

  /// A write, for as long as one of its sectors remembers it.
  struct Write {
    var number: Int
    var begin: Moment
    var end: Moment = .max
    /// It ended with GOOD.
    var isGood = false
    var durable: Moment = .max
    /// The LBAs, for messages.
    var lba: UInt64
    var blocks: UInt64
    var time: Instant
  }

  enum Crash {
    /// Of what is not durable, anything may be gone. `cacheLost`: the unit's at that moment.
    case power(Moment, cacheLost: Moment)
    /// The contents are gone.
    case wiped
  }

  struct Unit {
    var target: Int
    var facts: UnitFacts
    var sectors: [UInt64: Sector] = [:]
    var crashes: [Crash] = []
    /// Writes that are not durable yet.
    var pending: [Int] = []
    /// Watched commands under way.
    var open: [Int] = []
    /// How often it became known that a flush had failed, or may have, and when last.
    var failedFlushes = 0
    var cacheLost: Moment = 0
    /// Raw bytes have gone to the target: nobody knows any more.
    var isBlind = false
    var sectorsPerBlock: UInt64 { UInt64(facts.blockSize / sectorLength) }
  }

  var units: [Unit] = []
  private(set) var watched: [Watched] = []
  var writes: [Write] = []
  private var moment: Moment = 1
  private var patterns: UInt64 = 0

  mutating func add(_ targets: [TargetFacts]) {
    for (index, target) in targets.enumerated() {
      for facts in target.units { units.append(Unit(target: index, facts: facts)) }
    }
  }

  private mutating func tick() -> Moment {
    moment += 1
    return moment
  }

  func find(_ target: Int, _ lun: Int) -> Int? {
    units.firstIndex { $0.target == target && $0.facts.lun == lun }
  }

  // MARK: Data to write

  /// Blocks of data such as no other write of the case has.
  mutating func pattern(lba: UInt64, count: Int, blockSize: Int) -> [UInt8] {
    patterns += 1
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count * blockSize)
    for sector in 0..<UInt64(count * blockSize / Self.sectorLength) {
      var word = patterns << 40 ^ (lba &+ sector) &* 0x9E37_79B9_7F4A_7C15
      for _ in 0..<(Self.sectorLength / 8) {
        word ^= word << 13
        word ^= word >> 7
        word ^= word << 17
        withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
      }
    }
    return bytes
  }

  static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var state: UInt64 = 0x2545_F491_4F6C_DD1D
    for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      state = (state ^ word) &* 0xD6E8_FEB8_6659_FD93
      state ^= state >> 32
    }
    return state
  }

  /// The hash of each sector of `data`.
  static func hashes(_ data: [UInt8]) -> [UInt64] {
    data.withUnsafeBytes { bytes in
      (0..<(bytes.count / sectorLength)).map { index in
        hash(UnsafeRawBufferPointer(rebasing: bytes[(index * sectorLength)..<((index + 1) * sectorLength)]))
      }
    }
  }

  static let zeroHash: UInt64 = [UInt8](repeating: 0, count: sectorLength).withUnsafeBytes { hash($0) }

  // MARK: Commands

  /// A command is asked for. Its number, for ``end(_:_:)``; nil when there is nothing to watch.
  mutating func begin(
    _ access: Access, target: Int, lun: Int, by nexus: Nexus, at time: Instant
  ) -> Int? {
    guard let unit = find(target, lun), !units[unit].facts.forgetsWrites else { return nil }
    let begin = tick()
    var entry = Watched(what: access.outline, unit: unit, begin: begin, nexus: nexus)
    switch access {
    case .write(let lba, let data, _), .compareAndWrite(let lba, _, let data, _):
      let blocks = UInt64(data.count / units[unit].facts.blockSize)
      entry.writes.append(addWrite(unit, lba, blocks, begin, time))
      let first = lba &* units[unit].sectorsPerBlock
      for (index, hash) in Self.hashes(data).enumerated() { addVersion(unit, first &+ UInt64(index), hash) }
      if case .compareAndWrite(_, let compare, _, _) = access { entry.compared = Self.hashes(compare) }
    case .same(let lba, let blocks, let block):
      entry.writes.append(addWrite(unit, lba, blocks, begin, time))
      let hashes = Self.hashes(block)
      addVersions(unit, lba, blocks) { hashes[Int($0) % hashes.count] }
    case .unmap(let ranges):
      let hash = units[unit].facts.readsUnmappedAsZeroes ? Self.zeroHash : nil
      for range in ranges {
        entry.writes.append(addWrite(unit, range.lba, range.blocks, begin, time))
        addVersions(unit, range.lba, range.blocks) { _ in hash }
      }
    case .unknown(let lba, let blocks):
      entry.writes.append(addWrite(unit, lba, blocks, begin, time))
      addVersions(unit, lba, blocks) { _ in nil }
    case .verify(_, let data): entry.compared = Self.hashes(data)
    case .modeSelect: units[unit].facts.isCacheVolatile = true
    case .read, .flush, .anything: break
    }
    watched.append(entry)
    units[unit].open.append(watched.count - 1)
    return watched.count - 1
  }

  private mutating func addWrite(_ unit: Int, _ lba: UInt64, _ blocks: UInt64, _ begin: Moment, _ time: Instant) -> Int
  {
    writes.append(Write(number: writes.count + 1, begin: begin, lba: lba, blocks: blocks, time: time))
    units[unit].pending.append(writes.count - 1)
    return writes.count - 1
  }

  /// The most sectors of one command that are watched; beyond, the unit is given up.
  private static let sectorsMax: UInt64 = 1 << 20

  private mutating func addVersions(_ unit: Int, _ lba: UInt64, _ blocks: UInt64, _ hash: (UInt64) -> UInt64?) {
    let perBlock = units[unit].sectorsPerBlock
    guard blocks <= Self.sectorsMax / perBlock, lba <= units[unit].facts.blockCount else {
      units[unit].isBlind = units[unit].isBlind || lba <= units[unit].facts.blockCount
      return
    }
    for index in 0..<(blocks * perBlock) {
      addVersion(unit, lba &* perBlock &+ index, hash(index))
    }
  }

  /// Adds a content of the newest write.
  private mutating func addVersion(_ unit: Int, _ number: UInt64, _ hash: UInt64?) {
    var sector = take(unit, number)
    if sector.isFull {
      sector.tidy(before: units[unit].open.reduce(moment) { min($0, watched[$1].begin) }, writes)
    }
    sector.add(hash: hash, write: writes.count - 1)
    units[unit].sectors[number] = sector
  }

  /// A write was not carried out: none of its contents is there.
  private mutating func takeBack(_ write: Int, _ unit: Int, _ now: Moment) {
    writes[write].end = now
    let perBlock = units[unit].sectorsPerBlock
    guard writes[write].blocks <= Self.sectorsMax / perBlock else { return }
    for index in 0..<(writes[write].blocks * perBlock) {
      let number = writes[write].lba &* perBlock &+ index
      var sector = take(unit, number)
      sector.remove(write: write)
      units[unit].sectors[number] = sector
    }
  }

  /// Takes a sector out of its unit, so that its lists grow in place, with all that has struck the unit applied to it.
  /// Whoever takes one puts it back.
  mutating func take(_ unit: Int, _ number: UInt64) -> Sector {
    let start = Version(hash: units[unit].facts.startsZeroed ? Self.zeroHash : nil, write: -1)
    var sector = units[unit].sectors.updateValue(Sector([]), forKey: number) ?? Sector([start])
    sector.uncover(failedFlushes: units[unit].failedFlushes)
    while sector.crashes < units[unit].crashes.count {
      sector.crash(units[unit].crashes[sector.crashes], writes)
    }
    sector.forgetSeen(before: units[unit].cacheLost)
    return sector
  }

  /// A command has ended.
  ///
  /// - Throws: When it has read what it may not.
  mutating func end(_ index: Int, _ result: TaskResult.Outcome) throws(LuaFailure) {
    let entry = watched[index]
    units[entry.unit].open.removeAll { $0 == index }
    guard !entry.isOver else { return }
    watched[index].isOver = true
    watched[index].compared = []
    var isGood = false
    var data: [UInt8] = []
    var mayHaveLostCache = false
    switch result {
    case .command(let outcome):
      let key = Sense(decoding: outcome.sense)?.key
      mayHaveLostCache = key == .mediumError || key == .hardwareError
      isGood = outcome.status == 0 && outcome.response == 0
      data = outcome.dataIn
    case .connectionLost:
      // It may still take effect, until the session is replaced or the target ends.
      watched[index].isOver = false
      units[entry.unit].open.append(index)
      return
    case .aborted: mayHaveLostCache = true
    default: break
    }
    let now = tick()
    if case .command(let outcome) = result, try wasRefused(entry, outcome) {
      for write in entry.writes { takeBack(write, entry.unit, now) }
      return
    }
    switch entry.what {
    case .read(let lba, let length):
      guard isGood else { break }
      guard UInt64(data.count) == length else {
        throw LuaFailure(
          "LUN \(units[entry.unit].facts.lun), LBA \(lba): a READ ended with GOOD, but not with its data\n"
            + "expected: \(length) bytes\ncame: \(data.count) bytes")
      }
      if isKnown(entry.unit) { try check(entry, lba, data) }
    case .write(_, _, let isFUA), .compareAndWrite(_, _, _, let isFUA):
      ended(entry, now, isGood: isGood, isDurable: isGood && isFUA)
    case .same: ended(entry, now, isGood: isGood, isDurable: false)
    // The old content may be there as well: it replaces nothing.
    case .unmap, .unknown: ended(entry, now, isGood: false, isDurable: false)
    case .flush(let lba, let blocks):
      if isGood {
        flushed(entry, lba, blocks, now)
      } else if mayHaveLostCache {
        loseCache(entry.unit, now)
      }
    case .anything: units[entry.unit].isBlind = true
    case .verify, .modeSelect: break
    }
  }

  /// A flush has failed, or may have: what was cached may be gone. Nothing that is not durable replaces anything any more,
  /// and no read has settled anything.
  private mutating func loseCache(_ unit: Int, _ now: Moment) {
    for index in units[unit].pending { writes[index].isGood = false }
    units[unit].failedFlushes += 1
    units[unit].cacheLost = now
  }

  private mutating func ended(_ entry: Watched, _ now: Moment, isGood: Bool, isDurable: Bool) {
    for index in entry.writes {
      writes[index].end = now
      // What had begun before a flush failed may have been in the cache that was lost.
      writes[index].isGood = isGood && (isDurable || writes[index].begin > units[entry.unit].cacheLost)
      if isDurable || isGood && !units[entry.unit].facts.isCacheVolatile {
        writes[index].durable = now
        // Among the last: only what began while it was under way comes after it.
        if let place = units[entry.unit].pending.lastIndex(of: index) { units[entry.unit].pending.remove(at: place) }
      }
    }
  }

  private mutating func flushed(_ entry: Watched, _ lba: UInt64, _ blocks: UInt64, _ now: Moment) {
    var left: [Int] = []
    for index in units[entry.unit].pending {
      let write = writes[index]
      let isCovered =
        write.lba >= lba && (blocks == 0 || write.lba &+ write.blocks <= lba &+ blocks) && write.end < entry.begin
      if isCovered, write.isGood {
        writes[index].durable = now
      } else if write.end == .max || write.isGood {
        left.append(index)
      }
    }
    units[entry.unit].pending = left
  }

  // MARK: Reads

  private mutating func check(_ entry: Watched, _ lba: UInt64, _ data: [UInt8]) throws(LuaFailure) {
    let first = lba &* units[entry.unit].sectorsPerBlock
    for (index, hash) in Self.hashes(data).enumerated() {
      let number = first &+ UInt64(index)
      var sector = take(entry.unit, number)
      defer { units[entry.unit].sectors[number] = sector }
      let legal = sector.legal(entry.begin, writes)
      guard legal.contains(where: { $0.hash == hash || $0.hash == nil }) else {
        throw LuaFailure(
          message(entry, number, hash, Array(data[(index * Self.sectorLength)...].prefix(16)), sector, Array(legal)))
      }
      // With no write under way when the read began, and no flush that failed since, what it saw is what is there.
      if entry.begin > units[entry.unit].cacheLost, sector.isSettled(entry.begin, writes) {
        sector.seen = (hash, moment)
      }
    }
  }

  private func message(
    _ entry: Watched, _ number: UInt64, _ hash: UInt64, _ bytes: [UInt8], _ sector: Sector, _ legal: [Version]
  ) -> String {
    let unit = units[entry.unit]
    func words(_ version: Version) -> String {
      if version.write < 0 { return version.hash == nil ? "what was there before" : "zeroes, as at the start" }
      let write = writes[version.write]
      let state =
        write.end == .max
        ? "under way or lost" : write.isGood ? (write.durable < .max ? "GOOD, durable" : "GOOD, not flushed") : "failed"
      return "write \(write.number) of LBA \(write.lba), \(write.blocks) blocks, asked for at "
        + "\(Reports.seconds(write.time.nanoseconds)) (\(state))"
    }
    var text = "LUN \(unit.facts.lun), LBA \(number / unit.sectorsPerBlock): the content that was read may not be there"
    text += "\nexpected one of:" + legal.map { "\n  " + words($0) }.joined()
    if hash == Self.zeroHash {
      text += "\ncame: zeroes"
    } else if let known = sector.all.first(where: { $0.hash == hash }) {
      text += "\ncame: " + words(known)
    } else {
      text += "\ncame: \(PDULanguage.hexBytes(bytes, most: 16)) …, which no write has put there"
    }
    return text
  }

  // MARK: Crashes

  /// Commands of the nexus that were lost with their connection take no more effect: it has logged in to the target again.
  mutating func reinstated(_ nexus: Nexus, target: Int) {
    for unit in units.indices where units[unit].target == target {
      finish(unit) { $0.nexus == nexus && !$0.isOver }
    }
  }

  /// Ends commands without a known outcome.
  private mutating func finish(_ unit: Int, _ isMeant: (Watched) -> Bool) {
    let now = tick()
    for index in units[unit].open where isMeant(watched[index]) {
      watched[index].isOver = true
      if case .flush = watched[index].what { loseCache(unit, now) }
      if watched[index].isUnknown { units[unit].isBlind = true }
      for write in watched[index].writes where writes[write].end == .max { writes[write].end = now }
    }
    units[unit].open.removeAll { watched[$0].isOver }
  }

  /// The power of the targets' host is cut.
  mutating func powerCut(_ targets: [Int]) {
    for unit in units.indices where targets.contains(units[unit].target) {
      finish(unit) { _ in true }
      // What the crash leaves is on the medium; a later flush says nothing about it.
      units[unit].pending = []
      let now = tick()
      units[unit].crashes.append(
        units[unit].facts.isLostOnExit ? .wiped : .power(now, cacheLost: units[unit].cacheLost))
    }
  }

  /// The targets' program ends; what their host has cached stays.
  mutating func exit(_ targets: [Int]) {
    for unit in units.indices where targets.contains(units[unit].target) {
      finish(unit) { _ in true }
      if units[unit].facts.isLostOnExit { units[unit].crashes.append(.wiped) }
    }
  }
}
