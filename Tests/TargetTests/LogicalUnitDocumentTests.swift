import Foundation
import Testing

@testable import Target

@Suite struct LogicalUnitDocumentTests {
  @Test func thePageOfCommandsNamesEachOne() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(contentsOf: root.appending(path: "docs/scsi-commands.md"), encoding: .utf8)
    let rows = page.split(separator: "\n").filter { $0.hasPrefix("|") }
    func code(_ descriptor: CommandDescriptor) -> String {
      let digits = { (value: UInt16) in String(format: "%02Xh", value) }
      let code = digits(UInt16(descriptor.operationCode))
      return descriptor.serviceAction.map { code + "/" + digits($0) } ?? code
    }
    for descriptor in CommandTable.shared.descriptors {
      let isThere = rows.contains { $0.contains(descriptor.name) && $0.contains(code(descriptor)) }
      #expect(isThere, "docs/scsi-commands.md has no row with \(descriptor.name) and \(code(descriptor))")
    }
  }
}
