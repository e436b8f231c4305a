import ISCSI
import Initiator
import Ring
import SCSI
import Testing

@testable import Conformance

/// What the model of nexuses lets a command end with, and what it does not.
@Suite struct NexusModelTests: Playing {
  /// A model of one target with two units, and two nexuses.
  private final class Bench {
    var model = NexusModel()
    let a = Nexus(name: "iqn.x:a", isid: 1)
    let b = Nexus(name: "iqn.x:b", isid: 1)

    init(isFresh: Bool = true) {
      let units = [0, 1].map { UnitFacts(lun: $0, blockSize: 512, blockCount: 1000) }
      model.add([TargetFacts(iqn: "iqn.x:t", portals: [], units: units)], isFresh: isFresh)
      for nexus in [a, b] { model.arrived(nexus, target: 0) }
    }

    func begin(_ name: String, _ nexus: Nexus, lun: Int = 0) throws -> Int {
      let cdb = try #require(CDBLayout.named(name)).encode([])
      let index = model.begin(cdb, target: 0, lun: lun, by: nexus)
      return try #require(index)
    }

    /// Ends a command; whether the model takes that.
    @discardableResult
    func end(_ index: Int, _ status: Status = .good, attention: Bool = false) -> Bool {
      var outcome = CommandOutcome()
      outcome.status = attention ? Status.checkCondition.rawValue : status.rawValue
      if attention { outcome.sense = [0x70, 0, 0x06, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0, 0, 0, 0, 0] }
      do { try model.end(index, .command(outcome)) } catch { return false }
      return true
    }

    @discardableResult
    func play(
      _ name: String, _ nexus: Nexus, lun: Int = 0, _ status: Status = .good, attention: Bool = false
    ) throws -> Bool {
      end(try begin(name, nexus, lun: lun), status, attention: attention)
    }

    func reset(by nexus: Nexus, lun: Int? = 0, isComplete: Bool = true) {
      model.endReset(model.beginReset(target: 0, lun: lun), isComplete: isComplete, by: nexus)
    }
  }

  @Test(arguments: ["write10", "read16", "test_unit_ready", "reserve6", "synchronize_cache10", "compare_and_write"])
  func aReservationKeepsOthersOut(command: String) throws {
    let bench = Bench()
    try bench.play("reserve6", bench.a)
    #expect(try bench.play(command, bench.b, .reservationConflict))
    #expect(try bench.play(command, bench.b, .busy))
    #expect(try bench.play(command, bench.b, attention: true))
    #expect(try !bench.play(command, bench.b))
  }

  @Test func whoHoldsItAndWhatIsFreeIsLetIn() throws {
    let bench = Bench()
    try bench.play("reserve6", bench.a)
    #expect(try bench.play("write10", bench.a))
    for command in ["inquiry", "report_luns", "request_sense", "release6"] { #expect(try bench.play(command, bench.b)) }
    #expect(try bench.play("write10", bench.b, lun: 1))
    // The release of another has changed nothing.
    #expect(try !bench.play("write10", bench.b))
    try bench.play("release6", bench.a)
    #expect(try bench.play("write10", bench.b))
  }

  @Test func aConflictWithNobodyIsNone() throws {
    let bench = Bench()
    #expect(try !bench.play("write10", bench.b, .reservationConflict))
    try bench.play("reserve6", bench.b)
    #expect(try !bench.play("write10", bench.b, .reservationConflict))
    try bench.play("release6", bench.b)
    #expect(try !bench.play("reserve6", bench.a, .reservationConflict))
    #expect(try Bench(isFresh: false).play("write10", bench.b, .reservationConflict), "somebody else may have one")
  }

  @Test func whatOverlapsWithAChangeMayBeEither() throws {
    for status in [Status.good, .reservationConflict] {
      let bench = Bench()
      let (early, reserve) = (try bench.begin("write10", bench.b), try bench.begin("reserve6", bench.a))
      let between = try bench.begin("write10", bench.b)
      bench.end(reserve)
      #expect(bench.end(early, status) && bench.end(between, status))
      // Of two that reserve at once one succeeds, and nobody knows which lasts.
      let two = [try bench.begin("reserve6", bench.a), try bench.begin("release6", bench.a)]
      for command in two { bench.end(command) }
      #expect(try bench.play("write10", bench.b, status))
    }
  }

  @Test func aReservationMayEndWithItsNexus() throws {
    let bench = Bench()
    try bench.play("reserve6", bench.a)
    bench.model.left(bench.b, target: 0)
    #expect(try !bench.play("write10", bench.b))
    bench.model.left(bench.a, target: 0)
    for status in [Status.good, .reservationConflict] { #expect(try bench.play("write10", bench.b, status)) }
    try bench.play("reserve6", bench.b)
    #expect(try !bench.play("write10", bench.a))
    bench.model.exit([0])
    #expect(try bench.play("write10", bench.a))
  }

  @Test func aResetEndsAReservation() throws {
    let bench = Bench()
    try bench.play("reserve6", bench.a)
    bench.reset(by: bench.b, isComplete: false)
    for status in [Status.good, .reservationConflict] { #expect(try bench.play("write10", bench.b, status)) }
    try bench.play("reserve6", bench.a)
    bench.reset(by: bench.b)
    #expect(try !bench.play("write10", bench.b, .reservationConflict))
  }

  @Test func aResetIsToldToEveryOtherNexus() throws {
    let bench = Bench()
    bench.reset(by: bench.a)
    #expect(try bench.play("write10", bench.a), "who has asked for it knows")
    #expect(try bench.play("inquiry", bench.b), "it does not tell")
    #expect(try bench.play("write10", bench.b, lun: 1), "another unit")
    #expect(try !bench.play("write10", bench.b))
    bench.reset(by: bench.a, lun: nil)
    for lun in [0, 1] {
      #expect(try bench.play("write10", bench.b, lun: lun, attention: true))
      #expect(try bench.play("write10", bench.b, lun: lun), "it is told once")
    }
  }

  @Test func whatMayHaveBeenToldIsNotAskedForAgain() throws {
    let bench = Bench()
    let begun = bench.model.beginReset(target: 0, lun: 0)
    try bench.play("write10", bench.b, attention: true)
    bench.model.endReset(begun, isComplete: true, by: bench.a)
    #expect(try bench.play("write10", bench.b), "before the reset was answered")
    bench.reset(by: bench.a)
    let (one, two) = (try bench.begin("write10", bench.b), try bench.begin("write10", bench.b))
    #expect(bench.end(two), "the other one may be told")
    #expect(bench.end(one, attention: true))
    bench.reset(by: bench.a)
    bench.model.arrived(bench.b, target: 0)
    #expect(try bench.play("write10", bench.b), "a new nexus")
  }

  @Test func ofATargetThatIsPlayedByHandNothingIsKnown() throws {
    let bench = Bench()
    try bench.play("reserve6", bench.a)
    let write = try bench.begin("write10", bench.b)
    bench.model.forget(target: 0)
    #expect(bench.end(write))
    #expect(bench.model.begin([0, 0, 0, 0, 0, 0], target: 0, lun: 0, by: bench.a) == nil)
  }

  /// What scripts do: none of it is anybody's fault.
  @Test(arguments: [
    "a:close { reset = true } sleep '1s' expect(b:write {}):good()",
    "a:logout {} expect(b:write {}):good()",
    "t:login { name = 'iqn.2026-11.example:a' } expect(b:write {}):good()",
    "b:task_management { ['function'] = 'logical unit reset' } b:test_unit_ready() expect(b:write {}):good()",
    "b:task_management { ['function'] = 'target warm reset' } b:test_unit_ready() expect(b:write {}):good()",
    "t:kill() t:restart() b:relogin {} expect(b:write {}):good()",
    "a:send(pdu.scsi_command { cdb = cdb.release6 {} }) sleep '1s' expect(b:write {}):good()",
    "a:command { cdb = cdb.release6 {} } expect(b:write {}):good()",
    "expect(b:write {}):status('RESERVATION CONFLICT') a:release6 {} expect(b:write {}):good()",
  ])
  func aReservationThatEndsIsNoFault(play: String) throws {
    let result = try self.play(
      body: """
        local a, b = t:login { name = "iqn.2026-11.example:a" }, t:login { name = "iqn.2026-11.example:b" }
        expect(a:reserve6()):good()
        \(play)
        """)
    #expect(result.outcome == .passed, "\(result.failures)")
  }
}
