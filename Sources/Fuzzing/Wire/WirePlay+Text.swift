import ISCSI

/// Text: pairs are found where they lie, and each value reads as what it stands for.
extension WirePlay {
  mutating func text() {
    let limit = input.flags()[0] ? 16 : 65_536
    let bytes = rest()
    bytes.withUnsafeBytes { buffer in
      var parser = TextParser(buffer, valueLimit: limit)
      var again: [UInt8] = []
      var isWellFormed = true
      // Each call takes a byte at least, and the last one finds nothing.
      for _ in 0...(buffer.count + 1) {
        do throws(TextError) {
          guard let pair = try parser.next() else {
            expect(!isWellFormed || again == bytes, "a text is made of other bytes than its pairs")
            return
          }
          again += Array(pair.key.bytes) + [UInt8(ascii: "=")] + Array(pair.value.bytes) + [0]
          look(at: pair)
        } catch { isWellFormed = false }
      }
      expect(false, "a text of \(buffer.count) bytes has no end")
    }
  }

  private mutating func look(at pair: TextPair) {
    let name = pair.key.string
    expect(KeyTable.find(pair.key)?.key == KeyTable.find(name)?.key, "\(name) is two keys")
    fold(Array(pair.value.bytes))
    let value = pair.value
    if let number = value.number {
      for text in [String(number), "0x" + String(number, radix: 16)] {
        expect(with(text) { $0.number } == number, "\(text) is not \(number)")
      }
    }
    if let binary = value.binary(lengthMax: 64) {
      expect(binary.count <= 64, "\(binary.count) bytes of 64")
      for text in ["0x" + TextEncoding.hexadecimal(binary), "0b" + TextEncoding.base64(binary)] {
        expect(with(text) { $0.binary(lengthMax: 64) } == binary, "\(text) is another value than \(value.string)")
      }
    }
    let joined = value.list.map { Array($0.bytes) }.joined(separator: [UInt8(ascii: ",")])
    expect(Array(joined) == Array(value.bytes), "\(value.string) is another list")
    if let name = ISCSIName.normalized(value.bytes) {
      expect(ISCSIName.normalized(name.utf8) == name, "\(name) is not normalized")
    }
  }

  private func with<Result>(_ text: String, _ body: (TextSlice) -> Result) -> Result {
    Array(text.utf8).withUnsafeBytes { body(TextSlice($0)) }
  }
}
