import FaultInject
import Foundation
import Testing

@Suite struct DocumentationTests {
  @Test("Every fault has its line in docs/faults.md")
  func documented() throws {
    let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../docs/faults.md")
    let text = try String(contentsOf: page, encoding: .utf8)
    for name in FaultCatalogue.names { #expect(text.contains("| `\(name)` |"), "\(name)") }
  }
}
