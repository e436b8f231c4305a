import Foundation
import ISCSI
import Initiator
import Ring
import SCSI
import Testing

@testable import Conformance

/// A target of somebody's own, which has what it likes of what the standard leaves to it. It is ours, played on as if over real
/// sockets.
@Suite struct StrangerTests {
  private final class Stranger: Playground {
    let world: SimulatedPlayground
    private let credentials: CHAPCredentials?
    private let isReadOnly: Bool

    init(_ credentials: CHAPCredentials?, isReadOnly: Bool) throws {
      self.credentials = credentials
      self.isReadOnly = isReadOnly
      var unit = UnitDescription()
      unit.isReadOnly = isReadOnly
      var target = TargetDescription()
      target.units = [unit]
      var description = WorldDescription()
      description.targets = [target]
      world = try SimulatedPlayground(description, seed: 1)
    }

    var now: Instant { world.now }
    var drivers: [InitiatorDriver] { world.drivers }
    var targets: [TargetFacts] {
      world.targets.map { facts in
        var facts = facts
        facts.credentials = credentials
        facts.units[0].isWriteProtected = isReadOnly
        return facts
      }
    }
    var simulation: SimulatedPlayground? { nil }
    var traceHash: String { "" }
    var eventCount: UInt64 { world.eventCount }
    func driver(on host: String?) -> InitiatorDriver? { world.driver(on: host) }
    func corruptedSegments(towards driver: InitiatorDriver) -> UInt64 { 0 }
    func advance(until deadline: Instant) { world.advance(until: deadline) }
  }

  private func play(
    _ body: String, fields: String = "", credentials: CHAPCredentials? = nil, isReadOnly: Bool = false
  ) throws -> CaseResult {
    let folder = FileManager.default.temporaryDirectory.appending(path: "simsan-stranger-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "a.lua")
    let text = "scenario { title = 'x', \(fields) play = function(t)\nlocal s = t:login {}\n\(body)\nend }"
    try Data(text.utf8).write(to: file)
    let suite = Suite(paths: [file.path])
    try #require(suite.mistakes.isEmpty, "\(suite.mistakes)")
    return suite.play(0, seed: 1, on: .real { try Stranger(credentials, isReadOnly: isReadOnly) })
  }

  @Test(arguments: [
    ("expect(s:unmap { ranges = { { 0, 1 } } }):good()", "the target has no UNMAP"),
    ("expect(s:persistent_reserve_in {}):status('RESERVATION CONFLICT')", "the target has no PERSISTENT RESERVE IN"),
    ("expect(s:get_lba_status {}):good()", "the target has no GET LBA STATUS"),
  ])
  func whatItNeedNotHaveSkipsTheCase(body: String, reason: String) throws {
    let result = try play(body)
    #expect(result.outcome == .skipped, "\(result.failures)")
    #expect(result.reason == reason)
  }

  @Test(arguments: [
    // Refused for what is in it, and not because it is not there.
    "expect(s:orwrite { blocks = 1, wrprotect = 1 }):good()",
    "expect(s:report_supported_operation_codes { reporting_options = 7 }):good()",
    // Nobody knows what this is.
    "expect(s:command { cdb = '\\x13\\0\\0\\0\\0\\0' }):good()",
    "expect(s:read { lba = -1 }):good()",
  ])
  func whatItDoesWrongFailsIt(body: String) throws {
    #expect(try play(body).outcome == .failed)
  }

  @Test func aUnitThatTakesNoWritesFailsOnlyWhatIsAboutThat() throws {
    let write = try play("s:write { lba = 0, blocks = 1, async = true }:wait()", isReadOnly: true)
    #expect(write.outcome == .skipped && write.reason == "the unit is write protected", "\(write.failures)")
    #expect(try play("expect(s:read { lba = 0, blocks = 1 }):good()", isReadOnly: true).outcome == .passed)
    let refused = "expect(s:write { lba = 0, blocks = 1 }):check_condition('DATA PROTECT')"
    #expect(try play(refused, fields: "needs = { 'ro-lun' },", isReadOnly: true).outcome == .passed)
    // Who has not said so before may not refuse.
    #expect(try play(refused).outcome == .failed)
  }

  private static let credentials = CHAPCredentials(name: "suite", secret: Array("twelve bytes".utf8))

  /// Ours has no CHAP, and may be asked for it by who can do without.
  @Test(arguments: [
    "expect(s:relogin {}):equals(s)",
    "expect(t:login { type = 'discovery', target = false }.received.AuthMethod):equals('None')",
    "expect(t:try_login { isid = 2, chap = { name = 'b', secret = 'b' } }):login_refused(0x0201)",
  ])
  func whoAuthenticatesItselfIsServed(body: String) throws {
    let result = try play(body, credentials: Self.credentials)
    #expect(result.outcome == .passed, "\(result.failures)")
  }

  @Test func aTargetThatIsToAuthenticateItselfHasTo() throws {
    var credentials = Self.credentials
    credentials.targetSecret = Array("another secret".utf8)
    let result = try play("", credentials: credentials)
    #expect(
      result.failures.first?.message.contains("status 0x0201, authentication failure") == true, "\(result.failures)")
  }

  /// What it is about would not be seen: it is refused for want of authentication.
  @Test(arguments: [
    "t:connect():send(pdu.login {})", "t:login { stages = { 'operational' } }",
    "t:login { keys = { AuthMethod = 'SRP,None' } }", "t:login { keys = { AuthMethod = false } }",
  ])
  func whatLogsInWithoutAuthenticationIsSkipped(body: String) throws {
    let result = try play(body, credentials: Self.credentials)
    #expect(result.outcome == .skipped, "\(result.failures)")
    #expect(result.reason == "it logs in by hand, and the target wants CHAP")
  }

  /// The time of a case is real there.
  @Test func whoNeverComesToAnEndIsLeftAfterFiveMinutes() throws {
    let failure = try #require(try play("repeat sleep '1s' until false").failures.first)
    #expect(failure.oracle == "liveness")
    #expect(failure.message.hasPrefix("expected the case to end within 300s; it still waits for"), "\(failure.message)")
  }

  @Test(arguments: ["expect(s):closes {}", "s:automatic { answer_r2ts = false }\ns:write { blocks = 1000 }"])
  func whoDoesNotAnswerIsGivenUpAfterTenSeconds(body: String) throws {
    let failure = try #require(try play(body).failures.first)
    #expect(failure.message.contains("within 10s"), "\(failure.message)")
  }

  @Test func theTimeThatACaseTookIsReported() throws {
    let result = try play("sleep '2s'")
    #expect(result.outcome == .passed && result.virtualTime / 1_000_000_000 == 2)
  }

  @Test func whatItMustHaveIsNotMissing() throws {
    let unknown = Sense(.illegalRequest, .invalidCommandOperationCode)
    for layout in CDBLayout.all {
      let isMandatory = ["inquiry", "read10", "write10", "read_capacity16"].contains(layout.name)
      let isOptional = ["orwrite16", "read12", "mode_sense6", "get_lba_status"].contains(layout.name)
      let missing = HostLibrary.missingCommand(layout.encode([]), refusedWith: unknown)
      if isMandatory { #expect(missing == nil, "\(layout.name)") }
      if isOptional { #expect(missing == layout.standardName) }
    }
    // Where the sense data do not say what is wrong, nothing else may be.
    let unsaid = Sense(.illegalRequest, .invalidFieldInCDB)
    let status = try #require(CDBLayout.named("get_lba_status"))
    #expect(HostLibrary.missingCommand(status.encode([("allocation_length", 24)]), refusedWith: unsaid) != nil)
    #expect(HostLibrary.missingCommand(status.encode([]), refusedWith: unsaid) == nil)
    // What is expected of it is not skipped.
    #expect(try play("expect(s:unmap { ranges = {} }):check_condition('ILLEGAL REQUEST', 0x2000)").outcome == .passed)
  }
}
