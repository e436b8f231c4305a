import Foundation
import Testing

@testable import Conformance

/// Tests that play whole cases in the simulation.
protocol Playing {}

extension Playing {
  /// Plays the cases of a file.
  func play(_ text: String, seed: UInt64 = 1) throws -> [CaseResult] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "simsan-play-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "a.lua")
    try Data(text.utf8).write(to: file)
    let suite = Suite(paths: [file.path])
    try #require(suite.mistakes.isEmpty, "\(suite.mistakes)")
    return (0..<suite.caseCount).map { suite.play($0, seed: seed, on: .simulation) }
  }

  /// Plays one case with this body.
  func play(body: String, fields: String = "") throws -> CaseResult {
    try play("scenario { title = 'x', \(fields) play = function(t)\n\(body)\nend }")[0]
  }

  func failure(_ body: String, fields: String = "") throws -> (oracle: String, message: String) {
    let result = try play(body: body, fields: fields)
    #expect(result.outcome == .failed)
    let first = try #require(result.failures.first)
    return (first.oracle, Reports.describe(first))
  }
}
