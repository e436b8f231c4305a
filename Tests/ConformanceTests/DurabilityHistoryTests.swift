import ISCSI
import Initiator
import Ring
import Testing

@testable import Conformance

/// The durability model against its rules as they are written, where nothing is put away and nothing forgotten.
@Suite struct DurabilityHistoryTests {
  private static let sectors = 2
  /// Enough that not all of them may be read at a time.
  private static let letters: [UInt8] = Array(0..<12)

  /// The rules, read slowly.
  private struct Rules {
    struct Version {
      /// Nil: anything.
      var content: UInt8?
      /// -1 for what was there from the start.
      var write: Int
      var era: Int
    }

    struct Write {
      var begin: Int
      var end = Int.max
      var isGood = false
      var durable = Int.max
      var era: Int
    }

    var isCacheVolatile: Bool
    var moment = 1
    var writes: [Write] = []
    var sectors: [[Version]]
    var seen: [(content: UInt8, at: Int)?]
    var crashes = 0
    /// When a flush failed last.
    var cacheLost = 0

    init(isCacheVolatile: Bool, sectors count: Int) {
      self.isCacheVolatile = isCacheVolatile
      sectors = Array(repeating: [Version(content: 0, write: -1, era: 0)], count: count)
      seen = Array(repeating: nil, count: count)
    }

    mutating func tick() -> Int {
      moment += 1
      return moment
    }

    mutating func begin(_ contents: [(sector: Int, content: UInt8?)]) -> Int {
      writes.append(Write(begin: tick(), era: crashes))
      for (sector, content) in contents {
        sectors[sector].append(Version(content: content, write: writes.count - 1, era: crashes))
      }
      return writes.count - 1
    }

    mutating func end(_ write: Int, isGood: Bool, isFUA: Bool) {
      let now = tick()
      writes[write].end = now
      writes[write].isGood = isGood && (isFUA || writes[write].begin > cacheLost)
      if isGood, isFUA || !isCacheVolatile { writes[write].durable = now }
    }

    /// It was not carried out.
    mutating func refuse(_ write: Int) {
      writes[write].end = tick()
      for sector in sectors.indices { sectors[sector].removeAll { $0.write == write } }
    }

    mutating func flushed(begin: Int) {
      let now = tick()
      for (index, write) in writes.enumerated()
      where write.era == crashes && write.isGood && write.end < begin && write.durable == .max {
        writes[index].durable = now
      }
    }

    mutating func flushFailed() {
      cacheLost = tick()
      seen = Array(repeating: nil, count: seen.count)
      for (index, write) in writes.enumerated() where write.era == crashes && write.durable == .max {
        writes[index].isGood = false
      }
    }

    func end(_ version: Version) -> Int { version.write < 0 ? 0 : writes[version.write].end }

    func isReplaced(_ version: Version, in sector: Int, _ condition: (Write) -> Bool) -> Bool {
      sectors[sector].contains { other in
        other.write >= 0 && (other.era == crashes || version.era == crashes)
          && writes[other.write].begin > end(version) && condition(writes[other.write])
      }
    }

    mutating func crash() {
      let now = tick()
      for (number, sector) in sectors.enumerated() {
        let isOldSeen = seen[number].map { seen in
          sector.contains { $0.content == seen.content && $0.era < crashes }
            && !sector.contains { $0.content == seen.content && $0.era == crashes }
        }
        sectors[number] = sector.filter { version in
          if isOldSeen == true, version.era < crashes, let content = version.content, content != seen[number]?.content {
            return false
          }
          return !isReplaced(version, in: number) { $0.durable < now }
        }
        seen[number] = nil
      }
      crashes += 1
    }

    func mayRead(_ content: UInt8, _ sector: Int, began: Int) -> Bool {
      sectors[sector].contains { version in
        guard version.content == nil || version.content == content else { return false }
        if let seen = seen[sector], seen.at < began, end(version) < seen.at, let old = version.content,
          old != seen.content
        {
          return false
        }
        return !isReplaced(version, in: sector) { $0.isGood && $0.end < began }
      }
    }

    mutating func read(_ content: UInt8, _ sector: Int, began: Int) {
      let now = tick()
      if began > cacheLost, sectors[sector].allSatisfy({ end($0) < began }) { seen[sector] = (content, now) }
    }
  }

  private enum Kind {
    case write(isFUA: Bool)
    case vague
    case flush
    case read(sector: Int)
  }

  private struct Open {
    var kind: Kind
    /// The model's number of it.
    var index: Int
    var begin: Int
    var write = 0
    var isid: UInt64
    var isLost = false
  }

  private struct Chance {
    var state: UInt64
    mutating func below(_ count: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % count
    }
  }

  /// A model and the rules, told the same.
  private struct Pair {
    var model = DurabilityModel()
    var rules: Rules
    var open: [Open] = []
    var chance: Chance
    var compared = 0

    init(seed: UInt64, isCacheVolatile: Bool) {
      rules = Rules(isCacheVolatile: isCacheVolatile, sectors: sectors)
      chance = Chance(state: seed)
      let unit = UnitFacts(
        lun: 0, blockSize: 512, blockCount: 1000, startsZeroed: true, isCacheVolatile: isCacheVolatile)
      model.add([TargetFacts(iqn: "iqn.x:t", portals: [], units: [unit])])
    }

    func data(_ content: UInt8) -> [UInt8] { [UInt8](repeating: content, count: 512) }

    mutating func begin() throws {
      let sector = chance.below(sectors)
      let letter = letters[chance.below(letters.count)]
      let isid = UInt64(chance.below(2))
      let kind: Kind
      let access: Access
      var contents = [(sector: sector, content: Optional(letter))]
      switch chance.below(20) {
      case 0:
        (kind, access) = (.vague, .unknown(lba: UInt64(sector), blocks: 1))
        contents = [(sector, nil)]
      case 1:
        (kind, access) = (.vague, .unmap([(UInt64(sector), 1)]))
        contents = [(sector, 0)]
      case 2: (kind, access) = (.flush, .flush(lba: 0, blocks: 0))
      case 3:
        (kind, access) = (.write(isFUA: false), .same(lba: 0, blocks: UInt64(sectors), block: data(letter)))
        contents = (0..<sectors).map { ($0, letter) }
      case 4...8: (kind, access) = (.read(sector: sector), .read(lba: UInt64(sector), length: 512))
      default:
        let isFUA = chance.below(8) == 0
        (kind, access) = (
          .write(isFUA: isFUA), .write(lba: UInt64(sector), data: data(letter), forceUnitAccess: isFUA)
        )
      }
      let index = model.begin(access, target: 0, lun: 0, by: .init(name: "iqn.x:a", isid: isid), at: .zero)
      var entry = Open(kind: kind, index: try #require(index), begin: 0, isid: isid)
      switch kind {
      case .write, .vague: entry.write = rules.begin(contents)
      case .flush, .read: _ = rules.tick()
      }
      entry.begin = rules.moment
      open.append(entry)
    }

    mutating func end() throws {
      let running = open.indices.filter { !open[$0].isLost }
      if running.isEmpty { return try begin() }
      let place = running[chance.below(running.count)]
      if chance.below(25) == 0 {
        open[place].isLost = true
        return try model.end(open[place].index, .connectionLost)
      }
      let entry = open.remove(at: place)
      var outcome = CommandOutcome()
      var isGood = chance.below(12) != 0
      if case .flush = entry.kind { isGood = chance.below(3) != 0 }
      outcome.status = isGood ? 0 : 2
      switch entry.kind {
      case .write where !isGood && chance.below(2) == 0:
        outcome.status = 0x18
        rules.refuse(entry.write)
      case .write(let isFUA): rules.end(entry.write, isGood: isGood, isFUA: isFUA)
      case .vague: rules.end(entry.write, isGood: false, isFUA: false)
      case .flush:
        if isGood {
          rules.flushed(begin: entry.begin)
        } else {
          outcome.sense = [0x70, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x0C, 0, 0, 0, 0, 0]
          rules.flushFailed()
        }
      case .read(let sector):
        outcome.status = 0
        guard let content = try compare(entry, sector) else { return }
        outcome.dataIn = data(content)
        rules.read(content, sector, began: entry.begin)
      }
      try model.end(entry.index, .command(outcome))
    }

    /// Holds the verdicts on every content against each other; one that may be read.
    mutating func compare(_ entry: Open, _ sector: Int) throws -> UInt8? {
      var legal: [UInt8] = []
      for content in letters + [99] {
        var copy = model
        var outcome = CommandOutcome()
        outcome.dataIn = data(content)
        var isTaken = true
        do { try copy.end(entry.index, .command(outcome)) } catch { isTaken = false }
        let mayBe = rules.mayRead(content, sector, began: entry.begin)
        try #require(isTaken == mayBe, "\(content) in sector \(sector) after \(rules.moment) moments")
        compared += 1
        if mayBe { legal.append(content) }
      }
      try #require(!legal.isEmpty)
      return legal[chance.below(legal.count)]
    }

    /// Ends what is under way without a known outcome.
    mutating func finish(_ isMeant: (Open) -> Bool) {
      let now = rules.tick()
      for entry in open where isMeant(entry) {
        switch entry.kind {
        case .write, .vague: rules.writes[entry.write].end = now
        // It may have failed.
        case .flush: rules.flushFailed()
        case .read: break
        }
      }
      open.removeAll(where: isMeant)
    }

    mutating func step() throws {
      switch chance.below(120) {
      case 0:
        finish { _ in true }
        rules.crash()
        model.powerCut([0])
      case 1:
        finish { _ in true }
        model.exit([0])
      case 2, 3:
        let isid = UInt64(chance.below(2))
        finish { $0.isid == isid }
        model.reinstated(.init(name: "iqn.x:a", isid: isid), target: 0)
      case 4...60 where open.count < 12: try begin()
      default: try end()
      }
    }
  }

  @Test(arguments: 1...24)
  func theModelTakesWhatTheRulesTakeAndNothingElse(seed: Int) throws {
    for isCacheVolatile in [true, false] {
      var pair = Pair(seed: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15, isCacheVolatile: isCacheVolatile)
      for _ in 0..<400 { try pair.step() }
      #expect(pair.compared > 100)
    }
  }
}
