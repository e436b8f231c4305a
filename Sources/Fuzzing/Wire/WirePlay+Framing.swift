import ISCSI

/// PDUs: a stream is cut into what went in, however it comes, and each PDU is written as it was read.
extension WirePlay {
  mutating func framing() {
    let how = input.flags()
    let digests = DigestSettings(header: how[0], data: how[1])
    let limit = how[2] ? 64 : 0xFF_FFFF
    let step = 1 + input.below(200)
    var made: [ProtocolDataUnit] = []
    var stream: [UInt8] = []
    for _ in 0..<Int(how.byte >> 4 & 3) {
      let pdu = self.pdu()
      made.append(pdu)
      stream += pdu.encoded(EncodingOptions(digests: digests))
    }
    stream += rest()
    let whole = frames(of: stream, digests, limit, step: stream.count)
    let pieces = frames(of: stream, digests, limit, step: step)
    let isSame = whole.pdus == pieces.pdus && whole.error == pieces.error
    expect(isSame, "a stream is cut otherwise when it comes in pieces")
    if limit > 255 {
      expect(whole.pdus.prefix(made.count).map(\.pdu) == made, "what went in is not what came out")
    }
    var start = 0
    for framed in whole.pdus {
      let wire = Array(stream[start..<(start + framed.length)])
      start += framed.length
      if !framed.dataDigestIsWrong, framed.paddingIsZero {
        expect(framed.pdu.encoded(EncodingOptions(digests: digests)) == wire, "\(framed.pdu) is written otherwise")
      }
      look(at: framed.pdu)
    }
    checkDigest(of: stream, cut: min(step, stream.count))
  }

  /// A PDU whose lengths are right, of any header.
  private mutating func pdu() -> ProtocolDataUnit {
    var header = BasicHeader()
    for (index, byte) in input.take(HeaderView.length).enumerated() { header.bytes[index] = byte }
    var additional = Array(input.run().prefix(64))
    while additional.count % 4 != 0 { additional.append(0) }
    var pdu = ProtocolDataUnit(header: header, additionalHeaders: additional, data: input.run())
    pdu.setLengths()
    return pdu
  }

  private func frames(
    of stream: [UInt8], _ digests: DigestSettings, _ limit: Int, step: Int
  ) -> (pdus: [FramedPDU], error: FramingError?) {
    var framer = PDUFramer(dataSegmentLengthMax: limit)
    framer.digests = digests
    var pdus: [FramedPDU] = []
    do throws(FramingError) {
      for start in stride(from: 0, to: stream.count, by: max(step, 1)) {
        framer.append(stream[start..<min(start + step, stream.count)])
        while let framed = try framer.next() { pdus.append(framed) }
      }
    } catch { return (pdus, error) }
    return (pdus, nil)
  }

  private mutating func look(at pdu: ProtocolDataUnit) {
    fold(Array("\(pdu)".utf8))
    let layout = HeaderLayout.of(pdu.opcode ?? .nopOut)
    for field in layout.fields {
      var header = pdu.header
      let value = field.read(header)
      field.write(~value, to: &header)
      expect(header != pdu.header, "\(field.name) cannot be changed")
      field.write(value, to: &header)
      expect(header == pdu.header, "\(field.name) of \(pdu) is written otherwise")
    }
    walk(pdu.additionalHeaders)
  }

  /// Additional headers are found one behind the other, and nothing is left.
  private mutating func walk(_ bytes: [UInt8]) {
    let length = bytes.withUnsafeBytes { buffer -> Int? in
      var parser = AdditionalHeaderParser(buffer)
      var length = 0
      do throws(AdditionalHeaderError) {
        while let segment = try parser.next() { length += (segment.content.count + 7) & ~3 }
      } catch { return nil }
      return length
    }
    if let length { expect(length == bytes.count, "\(bytes.count) bytes of additional headers read as \(length)") }
  }

  /// The digest of a whole is that of its parts, wherever they begin.
  private mutating func checkDigest(of bytes: [UInt8], cut: Int) {
    bytes.withUnsafeBytes { buffer in
      let whole = Digest.crc32c(buffer)
      var parts = Digest.crc32c(UnsafeRawBufferPointer(rebasing: buffer[..<cut]))
      parts = Digest.crc32c(UnsafeRawBufferPointer(rebasing: buffer[cut...]), continuing: parts)
      expect(whole == parts, "the digest of \(buffer.count) bytes is another in two parts, cut at \(cut)")
    }
  }
}
