import Foundation
import Fuzzing
import Testing

/// Every input that is kept: those that reach the most, and those that once broke something. What a fuzzer has found needs no
/// fuzzer to be looked for again.
@Suite struct CorpusTests {
  struct Input: CustomTestStringConvertible {
    var target: FuzzTarget
    var file: URL

    var testDescription: String { "\(target.rawValue)/\(file.lastPathComponent)" }
  }

  private static let folder: URL = {
    var root = URL(fileURLWithPath: #filePath)
    for _ in 0..<3 { root.deleteLastPathComponent() }
    return root.appendingPathComponent("Fuzz/corpus")
  }()

  private static let inputs: [Input] = FuzzTarget.allCases.flatMap { target in
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path + "/" + target.rawValue)) ?? []
    return names.sorted().map { Input(target: target, file: folder.appendingPathComponent("\(target.rawValue)/\($0)")) }
  }

  @Test(arguments: inputs) func nothingBreaks(input: Input) throws {
    let bytes = try Data(contentsOf: input.file)
    let faults = bytes.withUnsafeBytes { input.target.faults(of: $0) }
    #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
  }

  /// A folder that was moved would leave nothing to play.
  @Test(arguments: FuzzTarget.allCases) func eachTargetHasInputs(target: FuzzTarget) {
    let files = Self.inputs.filter { $0.target == target }
    #expect((5...100).contains(files.count))
    let sizes = files.compactMap { try? Data(contentsOf: $0.file).count }
    #expect(sizes.allSatisfy { $0 <= 4096 })
  }

  /// Without any input there is a session, and no fault.
  @Test(arguments: FuzzTarget.allCases) func nothingAtAllBreaksNothing(target: FuzzTarget) {
    #expect([UInt8]().withUnsafeBytes { target.faults(of: $0) } == [])
  }
}
