import Foundation
import ISCSI
import Testing

@testable import Conformance

/// The tables that the language is made of, held against each other.
@Suite struct LanguageTests {
  private var root: URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  }

  @Test func theAnnotationsInTheRepositoryAreThoseOfTheProgram() throws {
    let file = try String(contentsOf: root.appending(path: "scenarios/simsan.meta.lua"), encoding: .utf8)
    #expect(file == EditorAnnotations.text, "write it anew: simsan meta > scenarios/simsan.meta.lua")
  }

  @Test func everyFunctionOfTheLanguageIsAnnotated() {
    let text = EditorAnnotations.text
    let objects: [LuaKind: String] = [.target: "target_object", .fault: "fault_object"]
    for function in HostLibrary.all {
      var name = function.path
      if let kind = function.kind {
        // A session inherits what connections have.
        if kind == .session, HostLibrary.all.contains(where: { $0.kind == .connection && $0.path == function.path }) {
          continue
        }
        name = "\(objects[kind] ?? kind.name):\(function.path)"
      }
      #expect(text.contains("function \(name)("), "\(name) has no annotation")
    }
  }

  @Test func everyFunctionIsDocumented() throws {
    let scenarios = try String(contentsOf: root.appending(path: "docs/writing-scenarios.md"), encoding: .utf8)
    let faults = try String(contentsOf: root.appending(path: "docs/faults.md"), encoding: .utf8)
    for function in HostLibrary.all where !function.path.hasPrefix("cdb.") && !function.path.hasPrefix("pdu.") {
      let name = function.path.split(separator: ".").last.map(String.init) ?? function.path
      let text = function.path.hasPrefix("fault.") ? faults : scenarios
      #expect(text.contains(name), "\(function.name) is in neither docs/writing-scenarios.md nor docs/faults.md")
    }
  }

  @Test func noFunctionIsDefinedTwice() {
    var names: Set<String> = []
    for function in HostLibrary.all { #expect(names.insert(function.name).inserted, "\(function.name)") }
  }

  @Test func theAnnotationsAreLuaThatCanBeRead() throws {
    let state = try #require(LuaState())
    _ = try state.load(file: "simsan.meta.lua", text: EditorAnnotations.text)
  }

  @Test func theFieldsOfACDBDoNotOverlap() {
    for layout in CDBLayout.all {
      var used = Set<Int>()
      for field in layout.fields {
        #expect(field.bit + field.width <= layout.length * 8, "\(layout.name).\(field.name) is outside")
        for bit in field.bit..<(field.bit + field.width) {
          #expect(used.insert(bit).inserted, "\(layout.name).\(field.name) overlaps another field")
        }
      }
    }
  }

  @Test(
    arguments: [
      (
        "read10", [("lba", UInt64(0x0102_0304)), ("blocks", 0x0506), ("fua", 1)], [0x28, 0x08, 1, 2, 3, 4, 0, 5, 6, 0]
      ),
      ("read6", [("lba", 0x1F_FFFF), ("blocks", 7)], [0x08, 0x1F, 0xFF, 0xFF, 7, 0]),
      ("inquiry", [("evpd", 1), ("page_code", 0x83), ("allocation_length", 0x0102)], [0x12, 1, 0x83, 1, 2, 0]),
      (
        "mode_sense6", [("dbd", 1), ("pc", 2), ("page_code", 8), ("allocation_length", 255)],
        [0x1A, 8, 0x88, 0, 255, 0]
      ),
      (
        "read_capacity16", [("allocation_length", 32), ("control", 4)],
        [0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 4]
      ),
    ] as [(String, [(String, UInt64)], [UInt8])])
  func aCDBIsLaidOutAsTheStandardSays(name: String, fields: [(String, UInt64)], bytes: [UInt8]) throws {
    let layout = try #require(CDBLayout.named(name))
    #expect(layout.encode(fields) == bytes)
    for (name, value) in fields { #expect(layout.read(name, bytes) == value) }
    #expect(CDBLayout.of(bytes)?.name == name)
  }

  /// What follows the sense data is no sense data, whatever it looks like (RFC 7143 §11.4.7).
  @Test func senseDataEndWhereTheirLengthSays() {
    let unitAttention: [UInt8] = [0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0, 0, 0, 0, 0]
    var response = ProtocolDataUnit(.scsiResponse, data: [0, 18] + unitAttention)
    #expect(PDULanguage.detail(response).contains("[UNIT ATTENTION, POWER ON, RESET, OR BUS DEVICE RESET OCCURRED]"))
    response.data = [0, 0] + unitAttention
    #expect(!PDULanguage.detail(response).contains("UNIT ATTENTION"))
    response.data = [0, 8] + unitAttention
    #expect(PDULanguage.detail(response).contains("[UNIT ATTENTION, NO ADDITIONAL SENSE INFORMATION]"))
  }
}
