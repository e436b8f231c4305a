import ISCSI
import Testing

@Suite struct KeyTests {
  @Test func theTableIsInTheOrderOfTheCases() {
    #expect(KeyTable.all.map(\.key) == Key.allCases)
    #expect(Set(KeyTable.all.map(\.name.description)).count == KeyTable.all.count)
  }

  @Test func keysAreFoundByTheirExactName() {
    #expect(KeyTable.find("MaxBurstLength")?.key == .maxBurstLength)
    #expect(KeyTable.find("maxburstlength") == nil)
    #expect(KeyTable.find("MaxBurstLengt") == nil)
    Array("iSCSIProtocolLevel".utf8).withUnsafeBytes {
      #expect(KeyTable.find(TextSlice($0))?.key == .iSCSIProtocolLevel)
    }
    #expect(Key.iSCSIProtocolLevel.name == "iSCSIProtocolLevel")
  }

  /// The defaults of the table are legal values of their own key, and those of ``NegotiatedParameters``.
  @Test func defaults() throws {
    for definition in KeyTable.all {
      let text = definition.defaultValue.description
      guard !text.isEmpty else { continue }
      switch definition.kind {
      case .minimum(let range), .maximum(let range), .numberDeclaration(let range):
        #expect(range.contains(try #require(UInt32(text))), "\(definition.name)")
      case .booleanAnd, .booleanOr: #expect(text == "Yes" || text == "No")
      case .list(let values): #expect(values.contains(text))
      default: break
      }
    }
    let parameters = NegotiatedParameters()
    #expect(Key.maxBurstLength.definition.defaultValue.description == String(parameters.maxBurstLength))
    #expect(Key.firstBurstLength.definition.defaultValue.description == String(parameters.firstBurstLength))
    #expect(Key.defaultTime2Wait.definition.defaultValue.description == String(parameters.defaultTime2Wait))
    #expect(Key.defaultTime2Retain.definition.defaultValue.description == String(parameters.defaultTime2Retain))
    #expect(
      Key.maxRecvDataSegmentLength.definition.defaultValue.description
        == String(parameters.targetMaxRecvDataSegmentLength))
  }

  @Test func reservedValuesMayNotBeProposed() {
    for (text, reserved) in [("Reject", true), ("Irrelevant", true), ("NotUnderstood", true), ("None", false)] {
      #expect(Array(text.utf8).withUnsafeBytes { KeyTable.isReserved(TextSlice($0)) } == reserved)
    }
  }
}
