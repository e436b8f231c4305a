import ISCSI
import Testing

@Suite struct TextTests {
  private func pairs(_ text: String) throws(TextError) -> [KeyValue] { try TextParser.pairs(of: Array(text.utf8)) }

  private func with<Result>(_ text: String, _ body: (TextSlice) -> Result) -> Result {
    Array(text.utf8).withUnsafeBytes { body(TextSlice($0)) }
  }

  @Test func pairsInOrder() throws {
    #expect(
      try pairs("A=1\0HeaderDigest=CRC32C,None\0X#Node.A-b+c@d_e=\0")
        == [KeyValue("A", "1"), KeyValue("HeaderDigest", "CRC32C,None"), KeyValue("X#Node.A-b+c@d_e", "")])
    #expect(try pairs("") == [])
    #expect(try pairs("InitiatorAlias=a=b\0") == [KeyValue("InitiatorAlias", "a=b")])
    #expect(try pairs("iSCSIProtocolLevel=2\0") == [KeyValue("iSCSIProtocolLevel", "2")])
  }

  @Test func malformedTextIsNamed() {
    #expect(throws: TextError.missingEquals) { try pairs("HeaderDigest\0") }
    #expect(throws: TextError.missingEquals) { try pairs("A=1\0\0") }
    #expect(throws: TextError.emptyKey) { try pairs("=CRC32C\0") }
    #expect(throws: TextError.missingFinalNUL) { try pairs("A=1\0B=2") }
    #expect(throws: TextError.illegalKeyCharacter) { try pairs("maxBurstLength=1\0") }
    #expect(throws: TextError.illegalKeyCharacter) { try pairs("1Key=1\0") }
    #expect(throws: TextError.illegalKeyCharacter) { try pairs("HeaderDigest =CRC32C\0") }
    #expect(throws: TextError.illegalKeyCharacter) { try pairs("Key*=1\0") }
  }

  @Test func keysHave63BytesAtMost() throws {
    let key = "K" + String(repeating: "x", count: 62)
    #expect(try pairs(key + "=1\0").first?.key == key)
    #expect(throws: TextError.keyTooLong) { try pairs(key + "x=1\0") }
  }

  @Test func valuesHaveTheCallersLimit() {
    Array("K=12345\0".utf8).withUnsafeBytes { bytes in
      #expect(throws: Never.self) {
        var parser = TextParser(bytes, valueLimit: 5)
        _ = try parser.next()
      }
      #expect(throws: TextError.valueTooLong) {
        var parser = TextParser(bytes, valueLimit: 4)
        _ = try parser.next()
      }
    }
  }

  @Test func parsingGoesOnBehindAMalformedPair() throws {
    Array("bad=1\0A=1\0".utf8).withUnsafeBytes { bytes in
      var parser = TextParser(bytes)
      #expect(throws: TextError.illegalKeyCharacter) { try parser.next() }
      #expect((try? parser.next())??.key.string == "A")
      #expect(throws: Never.self) {
        let rest = try parser.next()
        #expect(rest == nil)
      }
    }
  }

  @Test func numbers() {
    let good: [(String, UInt64)] = [
      ("0", 0), ("262144", 262144), ("0x40000", 262144), ("0X4aF", 0x4AF), ("0x0000", 0),
      ("18446744073709551615", .max), ("0xFFFFFFFFFFFFFFFF", .max),
    ]
    for (text, value) in good { #expect(with(text) { $0.number } == value, "\(text)") }
    for text in [
      "", "00", "0262144", "+1", "-1", " 1", "1 ", "0x", "0xG", "1A", "18446744073709551616",
      "99999999999999999999999", "0x10000000000000000", "512~65536", "1,2",
    ] {
      #expect(with(text) { $0.number } == nil, "\(text)")
    }
  }

  @Test func booleans() {
    #expect(with("Yes") { $0.boolean } == true)
    #expect(with("No") { $0.boolean } == false)
    for text in ["yes", "NO", "1", "", "Yes "] { #expect(with(text) { $0.boolean } == nil) }
  }

  @Test func binaryValues() {
    #expect(with("0x0aFF") { $0.binary(lengthMax: 16) } == [0x0A, 0xFF])
    #expect(with("0Xabc") { $0.binary(lengthMax: 16) } == [0x0A, 0xBC])
    #expect(with("0bTWFu") { $0.binary(lengthMax: 16) } == Array("Man".utf8))
    #expect(with("0BTWE=") { $0.binary(lengthMax: 16) } == Array("Ma".utf8))
    #expect(with("0bTQ==") { $0.binary(lengthMax: 16) } == Array("M".utf8))
    #expect(with("0b+/+/") { $0.binary(lengthMax: 16) } == [0xFB, 0xFF, 0xBF])
    for text in ["", "0x", "0b", "0xZZ", "0b***=", "0bTWF", "0bT===", "0b====", "12", "0bTW=u", "0bTQ==TQ=="] {
      #expect(with(text) { $0.binary(lengthMax: 16) } == nil, "\(text)")
    }
    #expect(with("0x010203") { $0.binary(lengthMax: 2) } == nil)
    #expect(with("0bTWFu") { $0.binary(lengthMax: 2) } == nil)
  }

  @Test func binaryValuesRoundTrip() throws {
    for length in 1..<20 {
      let value = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 200) }
      var writer = TextWriter()
      writer.append("H", "0x" + TextEncoding.hexadecimal(value))
      writer.append("B", "0b" + TextEncoding.base64(value))
      let pairs = try TextParser.pairs(of: writer.bytes)
      #expect(pairs.count == 2)
      for pair in pairs {
        #expect(with(pair.value) { $0.binary(lengthMax: 64) } == value)
      }
    }
  }

  @Test func lists() {
    func values(_ text: String) -> [String] { with(text) { $0.list.map(\.string) } }
    #expect(values("CRC32C,None") == ["CRC32C", "None"])
    #expect(values("None") == ["None"])
    #expect(values("CRC32C,,None,") == ["CRC32C", "", "None", ""])
    #expect(values("") == [""])
  }

  @Test func writing() throws {
    var writer = TextWriter()
    writer.append("A", "x")
    writer.append("N", 5)
    writer.append("B", true)
    #expect(writer.bytes == Array("A=x\0N=5\0B=Yes\0".utf8))
  }

  @Test func randomTextNeverTraps() {
    var state: UInt64 = 42
    let alphabet = Array("A=\0,0x0bZ#~9\u{7F}".utf8)
    for _ in 0..<2000 {
      let text = (0..<Int(state % 60)).map { _ -> UInt8 in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return alphabet[Int(state >> 33) % alphabet.count]
      }
      state = state &* 6_364_136_223_846_793_005 &+ 1
      text.withUnsafeBytes { bytes in
        var parser = TextParser(bytes)
        for _ in 0...text.count {
          do {
            guard let pair = try parser.next() else { return }
            _ = pair.value.number
            _ = pair.value.binary(lengthMax: 8)
            for value in pair.value.list { _ = value.boolean }
          } catch {}
        }
        Issue.record("the parser did not come to an end")
      }
    }
  }
}

@Suite struct NameTests {
  @Test(arguments: [
    "iqn.2001-04.com.example:storage.disk2", "iqn.1991-05.com.microsoft:host", "iqn.2026-11.example",
    "eui.02004567A425678D", "naa.52004567BA64678D", "naa.62004567BA64678D0123456789ABCDEF",
  ])
  func wellFormed(name: String) {
    #expect(ISCSIName.normalized(name.utf8) == name.lowercased())
  }

  @Test(arguments: [
    "", "iqn.", "foo.1", "iqn.2001-13.com.example", "iqn.2001-00.com.example", "iqn.01-04.com", "iqn.2001-04.",
    "iqn.2001-04.com..example", "iqn.2001-04.com.example:a b", "iqn.2001-04.com.example:a/b",
    "iqn.2001-04.com.example:a_b", "iqn.2001-04.com.example:a,b", "iqn.2001-04.com.example:ä",
    "iqn.2001-04.com.example:a\n", "eui.02004567A425678", "eui.02004567A425678G", "naa.52004567BA64678",
    "iqn.2001-04.:x",
  ])
  func malformed(name: String) {
    #expect(ISCSIName.normalized(name.utf8) == nil)
  }

  @Test func namesHave223BytesAtMost() {
    let name = "iqn.2001-04.com.example:" + String(repeating: "a", count: 199)
    #expect(name.utf8.count == 223)
    #expect(ISCSIName.normalized(name.utf8) == name)
    #expect(ISCSIName.normalized((name + "a").utf8) == nil)
  }
}
