import Foundation
import Testing

@testable import simsan

/// What `simsan run` makes of its arguments.
@Suite struct RunOptionsTests {
  private func options(_ words: String...) throws -> RunOptions {
    try RunOptions(try Arguments(words, for: runCommand))
  }

  /// The names of the cases that are selected.
  private func cases(_ words: [String]) throws -> [String] {
    try RunOptions(try Arguments(words, for: runCommand)).suite().caseNames
  }

  /// The path of a file with three cases, for as long as `body` takes.
  private func withCases(_ body: (String) throws -> Void) throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-\(UUID().uuidString).lua")
    defer { try? FileManager.default.removeItem(at: file) }
    let covers = [("one", "'ISCSI-LOGIN-001'"), ("two", "'ISCSI-LOGIN-002', 'SCSI-READ-002'"), ("three", "")]
    let text = covers.map { "scenario { title = '\($0)', covers = { \($1) }, play = function() end }\n" }
    try text.joined().write(to: file, atomically: true, encoding: .utf8)
    try body(file.path)
  }

  @Test(arguments: [
    (["ISCSI-LOGIN-002"], ["two"]), (["iscsi-login"], ["one", "two"]), (["SCSI-READ"], ["two"]),
    (["ISCSI-LOGIN-001", "SCSI-READ-002"], ["one", "two"]),
  ])
  func casesAreSelectedByWhatTheyCover(clauses: [String], expected: [String]) throws {
    try withCases { path in
      let names = try cases([path] + clauses.flatMap { ["--clause", $0] })
      #expect(names.map { String($0.suffix(3)) } == expected)
    }
  }

  @Test func whatNothingCoversIsSaid() throws {
    try withCases { path in
      // A part of a name is none.
      let error = #expect(throws: UsageError.self) {
        try options(path, "--clause", "ISCSI-LOG", "--filter", "x").suite()
      }
      #expect(error?.message == "simsan run: expected cases that contain \"x\" that cover ISCSI-LOG, found none")
    }
  }

  /// Of several machines, each of which plays a part, some may find that there is nothing left for them.
  @Test func aPartMayBeEmpty() throws {
    try withCases { path in
      let parts = try ["1/2", "2/2"].map { try cases([path, "--filter", "two", "--shard", $0]).count }
      #expect(parts == [1, 0])
    }
  }

  @Test func aRingIsForARealTarget() throws {
    let error = #expect(throws: UsageError.self) { try options("--ring", "epoll") }
    #expect(error?.message.hasPrefix("--ring: expected --against, found epoll without it") == true)
    #expect(try options("--ring", "epoll", "--against", "iscsi://127.0.0.1/iqn.x:y/0").ring == "epoll")
  }

  @Test func aReportOnStandardOutputIsAllThatIsThere() throws {
    #expect(try options("--json", "-").isQuiet)
    #expect(try options("--tap").isQuiet)
    #expect(try !options("--json", "x.json").isQuiet)
    for (words, found) in [
      (["--json", "-", "--tap"], "--json and --tap"), (["--junit=-", "--html=-"], "--junit and --html"),
    ] {
      let error = #expect(throws: UsageError.self) { try RunOptions(try Arguments(words, for: runCommand)) }
      #expect(error?.message == "simsan run: expected one report on standard output, found \(found)")
    }
  }
}
