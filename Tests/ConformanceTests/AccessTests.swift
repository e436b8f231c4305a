import ISCSI
import Initiator
import Ring
import Testing

@testable import Conformance

/// What the durability model makes of commands: which blocks they concern, of which units.
@Suite struct AccessTests {
  private let unit = UnitFacts(lun: 0, blockSize: 512, blockCount: 1000)

  /// In words, what a command does to the blocks of the unit.
  private func words(_ name: String, _ values: (String, UInt64)..., dataOut: Int = 0) throws -> String {
    let cdb = try #require(CDBLayout.named(name)).encode(values)
    let data = [UInt8](repeating: 1, count: dataOut)
    switch Access.of(cdb, dataOut: data, expectedDataIn: 1 << 20, unit: unit) {
    case .read(let lba, let length): return "read \(lba)+\(length)"
    case .write(let lba, let data, let isFUA): return "write \(lba)+\(data.count)\(isFUA ? " fua" : "")"
    case .same(let lba, let blocks, let block): return "same \(lba)+\(blocks) of \(block[0])"
    case .compareAndWrite(let lba, let compare, let data, let isFUA):
      return "compare \(lba)+\(compare.count)+\(data.count)\(isFUA ? " fua" : "")"
    case .verify(let lba, let data): return "verify \(lba)+\(data.count)"
    case .flush(let lba, let blocks): return "flush \(lba)+\(blocks)"
    case .unknown(let lba, let blocks): return "unknown \(lba)+\(blocks)"
    case .unmap: return "unmap"
    case .modeSelect: return "mode select"
    case .anything: return "anything"
    case nil: return "nothing"
    }
  }

  /// What is known of the blocks behind it stays known.
  @Test(arguments: [512, 4096]) func aWriteThatWasChangedIsOfAsManyBlocksAsItWas(blockSize: Int) {
    let data = [UInt8](repeating: 1, count: 2 * blockSize)
    for access in [
      Access.write(lba: 3, data: data, forceUnitAccess: true),
      .compareAndWrite(lba: 3, compare: data, data: data, forceUnitAccess: false),
    ] {
      guard case .unknown(3, 2) = access.blurred(blockSize: blockSize) else {
        Issue.record("\(access.blurred(blockSize: blockSize))")
        continue
      }
    }
  }

  @Test func aCommandConcernsWhatItSays() throws {
    #expect(try words("read6", ("lba", 3), ("blocks", 0)) == "read 3+131072", "256 blocks")
    #expect(try words("read16", ("lba", 3), ("blocks", 0)) == "read 3+0")
    #expect(try words("write10", ("lba", 3), ("blocks", 2), dataOut: 1024) == "write 3+1024")
    #expect(try words("write10", ("lba", 3), ("blocks", 2), ("fua", 1), dataOut: 1024) == "write 3+1024 fua")
    #expect(try words("write10", ("lba", 3), ("blocks", 2), dataOut: 512) == "unknown 3+2")
    #expect(
      try words("compare_and_write", ("lba", 3), ("blocks", 1), ("fua", 1), dataOut: 1024) == "compare 3+512+512 fua")
    #expect(try words("write_same16", ("lba", 3), ("blocks", 2), dataOut: 512) == "same 3+2 of 1")
    #expect(try words("write_same16", ("lba", 3), ("blocks", 2), ("ndob", 1)) == "same 3+2 of 0")
    #expect(try words("write_same16", ("lba", 3), ("blocks", 0), dataOut: 512) == "same 3+997 of 1", "to the end")
    #expect(try words("write_same16", ("lba", 3), ("blocks", 2), ("unmap", 1), dataOut: 512) == "unknown 3+2")
    #expect(try words("write_same16", ("lba", 3), ("blocks", 2), ("unmap", 1), ("ndob", 1)) == "same 3+2 of 0")
    #expect(try words("write_and_verify10", ("lba", 3), ("blocks", 2), dataOut: 1024) == "write 3+1024 fua")
    #expect(try words("verify10", ("lba", 3), ("blocks", 2), ("bytchk", 1), dataOut: 1024) == "verify 3+1024")
    #expect(try words("verify10", ("lba", 3), ("blocks", 2)) == "nothing", "nobody says what is there")
    #expect(try words("verify16", ("lba", 3), ("blocks", 2), ("bytchk", 3), dataOut: 512) == "nothing")
    #expect(try words("synchronize_cache10", ("lba", 3), ("blocks", 2)) == "flush 3+2")
    #expect(try words("synchronize_cache10", ("immed", 1)) == "nothing", "it is answered before it is done")
  }

  /// A model of two targets with a unit of zeroes each.
  private struct Bench {
    var model = DurabilityModel()

    init(isCacheVolatile: Bool = true) {
      let unit = UnitFacts(
        lun: 0, blockSize: 512, blockCount: 1000, startsZeroed: true, isCacheVolatile: isCacheVolatile)
      for name in ["one", "two"] { targets.append(TargetFacts(iqn: "iqn.x:\(name)", portals: [], units: [unit])) }
      model.add(targets)
    }

    private var targets: [TargetFacts] = []

    mutating func perform(_ access: Access, target: Int = 0, data: [UInt8] = []) throws {
      let index = model.begin(access, target: target, lun: 0, by: .init(name: "iqn.x:a", isid: 1), at: .zero)
      var outcome = CommandOutcome()
      outcome.dataIn = data
      try model.end(try #require(index), .command(outcome))
    }

    mutating func write(_ byte: UInt8, lba: UInt64 = 0, target: Int = 0) throws {
      try perform(
        .write(lba: lba, data: [UInt8](repeating: byte, count: 512), forceUnitAccess: false), target: target)
    }

    /// Whether a read may return a block of that.
    func mayRead(_ byte: UInt8, lba: UInt64 = 0, target: Int = 0) -> Bool {
      var copy = self
      let data = [UInt8](repeating: byte, count: 512)
      return (try? copy.perform(.read(lba: lba, length: 512), target: target, data: data)) != nil
    }
  }

  @Test func aFlushOfARangeIsOneOfThatRange() throws {
    var bench = Bench()
    for lba in [0, 10, 19, 20] as [UInt64] { try bench.write(1, lba: lba) }
    try bench.perform(.flush(lba: 10, blocks: 10))
    bench.model.powerCut([0])
    #expect([0, 10, 19, 20].map { bench.mayRead(0, lba: $0) } == [true, false, false, true])
    #expect([0, 10, 19, 20].allSatisfy { bench.mayRead(1, lba: $0) })
  }

  @Test func whatHappensToOneTargetDoesNotExcuseTheOther() throws {
    var bench = Bench()
    for target in 0...1 { try bench.write(1, target: target) }
    bench.model.powerCut([0])
    #expect(bench.mayRead(0, target: 0) && !bench.mayRead(0, target: 1))
    bench.model.forgetAll(target: 0)
    #expect(bench.mayRead(9, target: 0) && !bench.mayRead(9, target: 1))
  }

  /// A session is with one target, and a new one with another does not take its place.
  @Test func whoLogsInElsewhereMayStillBeWriting() throws {
    var bench = Bench()
    let write = Access.write(lba: 0, data: [UInt8](repeating: 1, count: 512), forceUnitAccess: false)
    let lost = bench.model.begin(write, target: 0, lun: 0, by: .init(name: "iqn.x:a", isid: 1), at: .zero)
    try bench.model.end(try #require(lost), .connectionLost)
    bench.model.reinstated(.init(name: "iqn.x:a", isid: 1), target: 1)
    try bench.write(2)
    #expect(bench.mayRead(1) && bench.mayRead(2))
    bench.model.reinstated(.init(name: "iqn.x:a", isid: 1), target: 0)
    try bench.write(3)
    #expect(!bench.mayRead(1) && bench.mayRead(3))
  }

  /// Two portal groups are two target ports: a session with one leaves that with the other as it is (RFC 7143 §6.3.5).
  @Test func whoLogsInToAnotherPortalGroupMayStillBeWriting() throws {
    var bench = Bench()
    func nexus(_ group: String) -> Nexus { .init(name: "iqn.x:a", isid: 1, portalGroup: group) }
    let write = Access.write(lba: 0, data: [UInt8](repeating: 1, count: 512), forceUnitAccess: false)
    let lost = bench.model.begin(write, target: 0, lun: 0, by: nexus("1"), at: .zero)
    try bench.model.end(try #require(lost), .connectionLost)
    bench.model.reinstated(nexus("2"), target: 0)
    try bench.write(2)
    #expect(bench.mayRead(1) && bench.mayRead(2))
    bench.model.reinstated(nexus("1"), target: 0)
    try bench.write(3)
    #expect(!bench.mayRead(1) && bench.mayRead(3))
  }

  @Test func aCacheThatWasSwitchedOnIsVolatile() throws {
    var bench = Bench(isCacheVolatile: false)
    try bench.write(1)
    try bench.perform(.modeSelect)
    try bench.write(2)
    bench.model.powerCut([0])
    #expect([0, 1, 2].map { bench.mayRead($0) } == [false, true, true])
  }

  /// What a script sends by hand may write what it likes.
  /// FORMAT UNIT, which the target has, or has not, or which is lost.
  @Test(arguments: ["good", "not there", "lost"]) func afterACommandThatIsNotKnownNobodyKnows(end: String) throws {
    var bench = Bench()
    try bench.write(1)
    let unit = try #require(bench.model.units.first?.facts)
    let access = try #require(Access.of([0x04, 0, 0, 0, 0, 0], dataOut: [], expectedDataIn: 0, unit: unit))
    let begun = bench.model.begin(access, target: 0, lun: 0, by: .init(name: "iqn.x:a", isid: 1), at: .zero)
    let format = try #require(begun)
    #expect(bench.mayRead(9) && !bench.mayRead(9, target: 1), "it is under way")
    var outcome = CommandOutcome()
    if end == "not there" {
      outcome.status = 2
      outcome.sense = [0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0]
    }
    try bench.model.end(format, end == "lost" ? .connectionLost : .command(outcome))
    #expect(bench.mayRead(9) == (end != "not there"))
    bench.model.reinstated(.init(name: "iqn.x:a", isid: 1), target: 0)
    #expect(bench.mayRead(9) == (end != "not there"))
    #expect(bench.mayRead(1) && !bench.mayRead(9, target: 1))
  }

  /// LOG SENSE: whatever it is, it reads.
  @Test func whatIsNotKnownButReadsWritesNothing() {
    let cdb: [UInt8] = [0x4D, 0, 0x40, 0, 0, 0, 0, 2, 0, 0]
    #expect(Access.of(cdb, dataOut: [], expectedDataIn: 512, unit: unit) == nil)
    #expect(Access.of(cdb, dataOut: [1], expectedDataIn: 512, unit: unit) != nil)
  }

  @Test(arguments: ["write10", "unmap", "data-out", "FORMAT UNIT"])
  func afterAPDUThatWritesNobodyKnows(kind: String) throws {
    var bench = Bench()
    try bench.write(1)
    let cdb = kind == "FORMAT UNIT" ? [0x04] : CDBLayout.named(kind)?.encode([("blocks", 1)])
    var header = BasicHeader(cdb == nil ? .dataOut : .scsiCommand)
    for (index, byte) in (cdb ?? []).enumerated() { header.bytes[32 + index] = byte }
    bench.model.noteRaw(header, target: 0, at: .zero)
    #expect(bench.mayRead(9) && bench.mayRead(1))
    #expect(!bench.mayRead(9, target: 1))
  }
}
