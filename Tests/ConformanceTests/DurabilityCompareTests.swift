import ISCSI
import Initiator
import Ring
import Testing

@testable import Conformance

/// What the durability model holds against the answers of COMPARE AND WRITE.
@Suite struct DurabilityCompareTests {
  /// A model of one logical unit of zeroes.
  private final class Bench {
    var model = DurabilityModel()

    init(startsZeroed: Bool = true) {
      let unit = UnitFacts(lun: 0, blockSize: 512, blockCount: 1000, startsZeroed: startsZeroed)
      model.add([TargetFacts(iqn: "iqn.x:t", portals: [], units: [unit])])
    }

    private func data(_ letter: Character?) -> [UInt8] { [UInt8](repeating: letter?.asciiValue ?? 0, count: 512) }

    func begin(_ access: Access) throws -> Int {
      let index = model.begin(access, target: 0, lun: 0, by: .init(name: "iqn.x:a", isid: 1), at: .zero)
      return try #require(index)
    }

    func swap(_ old: Character?, _ new: Character?, fua: Bool = false) throws -> Int {
      try begin(.compareAndWrite(lba: 0, compare: data(old), data: data(new), forceUnitAccess: fua))
    }

    func verify(_ letter: Character?) throws -> Int { try begin(.verify(lba: 0, data: data(letter))) }

    /// Ends a command; whether the model takes that.
    @discardableResult
    func good(_ index: Int) throws -> Bool { try takes(index, CommandOutcome()) }

    func miscompare(_ index: Int) throws -> Bool {
      var outcome = CommandOutcome()
      outcome.status = 2
      outcome.sense = [0x70, 0, 0x0E, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x1D, 0, 0, 0, 0, 0]
      return try takes(index, outcome)
    }

    private func takes(_ index: Int, _ outcome: CommandOutcome) throws -> Bool {
      do { try model.end(index, .command(outcome)) } catch { return false }
      return true
    }

    func write(_ letter: Character) throws {
      try good(try begin(.write(lba: 0, data: data(letter), forceUnitAccess: false)))
    }

    func mayRead(_ letter: Character?) throws -> Bool {
      let copy = model
      defer { model = copy }
      var outcome = CommandOutcome()
      outcome.dataIn = data(letter)
      return try takes(try begin(.read(lba: 0, length: 512)), outcome)
    }
  }

  @Test func oneThatIsGoodHasFoundWhatWasThere() throws {
    let bench = Bench()
    #expect(try bench.good(try bench.swap(nil, "a")))
    #expect(try bench.mayRead("a"))
    #expect(try !bench.mayRead(nil))
    #expect(try bench.good(try bench.swap("a", "b")))
    #expect(try !bench.good(try bench.swap("a", "c")), "it was replaced")
  }

  @Test func aVerifyTellsWhatIsThere() throws {
    let bench = Bench()
    try bench.write("a")
    #expect(try bench.good(try bench.verify("a")))
    #expect(try !bench.good(try bench.verify("b")))
    #expect(try bench.miscompare(try bench.verify("b")))
    #expect(try !bench.miscompare(try bench.verify("a")))
    // While it is written to, both may be.
    let write = try bench.begin(.write(lba: 0, data: [UInt8](repeating: 0x62, count: 512), forceUnitAccess: false))
    for letter in ["a", "b"] as [Character] {
      #expect(try bench.good(try bench.verify(letter)))
      #expect(try bench.miscompare(try bench.verify(letter)))
    }
    #expect(try !bench.good(try bench.verify("c")))
    try bench.good(write)
    #expect(try !bench.good(try bench.verify("a")))
  }

  @Test func oneThatFindsAnotherContentWritesNothing() throws {
    let bench = Bench()
    try bench.write("a")
    let swap = try bench.swap("x", "b")
    #expect(try bench.mayRead("b"))
    #expect(try bench.miscompare(swap))
    #expect(try bench.mayRead("a"))
    #expect(try !bench.mayRead("b"))
    #expect(try !bench.miscompare(try bench.swap("a", "b")), "it was there")
  }

  @Test func ofTwoThatFindTheSameContentOneIsGood() throws {
    let bench = Bench()
    try bench.write("a")
    let (one, two) = (try bench.swap("a", "b"), try bench.swap("a", "c"))
    #expect(try bench.good(two))
    let copy = bench.model
    #expect(try !bench.good(one))
    bench.model = copy
    #expect(try bench.miscompare(one))
    #expect(try bench.mayRead("c"))
    #expect(try !bench.mayRead("b"))
  }

  @Test func aContentThatWasWrittenTwiceIsFoundTwice() throws {
    let bench = Bench()
    try bench.write("a")
    let swaps = try (0..<3).map { _ in try bench.swap("a", "b") }
    try bench.write("a")
    #expect(try bench.good(swaps[0]))
    #expect(try bench.good(swaps[1]))
    #expect(try !bench.good(swaps[2]))
  }

  @Test func oneThatWritesWhatItHasFoundLeavesItThere() throws {
    let bench = Bench()
    try bench.write("a")
    let (one, two) = (try bench.swap("a", "a"), try bench.swap("a", "b"))
    #expect(try bench.good(one))
    #expect(try bench.good(two))
  }

  @Test func whatItMetMayBeThereAgainAfterAPowerCut() throws {
    let bench = Bench()
    try bench.good(try bench.swap(nil, "a", fua: true))
    try bench.good(try bench.swap("a", "b"))
    bench.model.powerCut([0])
    #expect(try bench.good(try bench.swap("a", "c")))
  }

  @Test func whatNobodyKnowsMayBeAnything() throws {
    let bench = Bench(startsZeroed: false)
    let (one, two) = (try bench.swap("a", "b"), try bench.swap("x", "c"))
    #expect(try bench.good(one))
    #expect(try bench.good(two))
    #expect(try bench.miscompare(try bench.swap("b", "d")))
  }
}
