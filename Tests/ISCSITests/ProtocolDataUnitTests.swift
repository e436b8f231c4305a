import ISCSI
import Testing

@Suite struct ProtocolDataUnitTests {
  private static let digests = [
    DigestSettings(), DigestSettings(header: true), DigestSettings(data: true),
    DigestSettings(header: true, data: true),
  ]

  private func samples() -> [ProtocolDataUnit] {
    (0..<10).map { length in
      var pdu = ProtocolDataUnit(
        .scsiCommand, additionalHeaders: length % 3 == 0 ? [0, 2, 1, 0, 0x55, 0, 0, 0] : [],
        data: (0..<length).map { UInt8($0 + 1) })
      pdu.header.write { $0.cmdSN = UInt32(length) }
      return pdu
    }
  }

  /// Every way to cut the stream in two, with and without digests.
  @Test(arguments: digests) func aStreamIsCutIntoThePDUsThatWentIn(digests: DigestSettings) throws {
    let pdus = samples()
    let stream = pdus.flatMap { $0.encoded(EncodingOptions(digests: digests)) }
    for cut in 0...stream.count {
      var framer = PDUFramer()
      framer.digests = digests
      var received: [ProtocolDataUnit] = []
      for part in [stream[..<cut], stream[cut...]] {
        framer.append(part)
        while let framed = try framer.next() {
          #expect(!framed.dataDigestIsWrong && framed.paddingIsZero)
          received.append(framed.pdu)
        }
      }
      #expect(received == pdus, "cut at \(cut)")
      #expect(framer.pendingCount == 0)
    }
  }

  /// What has been cut out is forgotten, and what has not stays in its place.
  @Test func aLongStreamIsCutInItsOrder() throws {
    let pdus = (0..<300).map { number in
      ProtocolDataUnit(.nopOut, data: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 700 + number))
    }
    let stream = pdus.flatMap { $0.encoded() }
    var framer = PDUFramer()
    var received: [ProtocolDataUnit] = []
    // Never at the end of a PDU.
    for start in stride(from: 0, to: stream.count, by: 90_001) {
      framer.append(stream[start..<min(start + 90_001, stream.count)])
      while let framed = try framer.next() { received.append(framed.pdu) }
      #expect(framer.pendingCount < 1100)
    }
    #expect(received == pdus)
  }

  @Test func lengthsOnTheWire() {
    let pdu = ProtocolDataUnit(.nopOut, data: [1, 2, 3, 4, 5])
    #expect(pdu.header.read { $0.dataSegmentLength } == 5)
    #expect(pdu.header.read { $0.paddedDataSegmentLength } == 8)
    #expect(pdu.encoded().count == 56)
    #expect(pdu.encoded(EncodingOptions(digests: DigestSettings(header: true, data: true))).count == 64)
    // No data segment, no data digest: RFC 7143 §11.2.3.
    let empty = ProtocolDataUnit(.nopOut)
    #expect(empty.encoded(EncodingOptions(digests: DigestSettings(header: true, data: true))).count == 52)
  }

  @Test func theDataDigestCoversThePadding() throws {
    var options = EncodingOptions(digests: DigestSettings(data: true))
    options.padByte = 0xFF
    var framer = PDUFramer()
    framer.digests = options.digests
    framer.append(ProtocolDataUnit(.nopOut, data: [1]).encoded(options))
    let framed = try #require(try framer.next())
    #expect(!framed.dataDigestIsWrong)
    #expect(!framed.paddingIsZero)
  }

  @Test func wrongDigestsAreNoticed() throws {
    var options = EncodingOptions(digests: DigestSettings(header: true, data: true))
    options.dataDigestFlip = 1
    let pdu = ProtocolDataUnit(.nopOut, data: [1])
    var framer = PDUFramer()
    framer.digests = options.digests
    framer.append(pdu.encoded(options))
    #expect(try framer.next()?.dataDigestIsWrong == true)

    options.headerDigestFlip = 0x8000_0000
    framer.append(pdu.encoded(options))
    #expect(throws: FramingError.headerDigestError(pdu.header)) { try framer.next() }
    #expect(throws: FramingError.headerDigestError(pdu.header)) { try framer.next() }
  }

  @Test func aDataSegmentAboveTheLimitIsRefusedAtOnce() {
    var pdu = ProtocolDataUnit(.nopOut)
    pdu.header.write { $0.dataSegmentLength = 1025 }
    var framer = PDUFramer(dataSegmentLengthMax: 1024)
    framer.append(pdu.encoded())
    #expect(throws: FramingError.dataSegmentTooLong(1025)) { try framer.next() }
  }

  @Test func aPDUDescribesItself() {
    var pdu = ProtocolDataUnit(.dataIn, data: [1, 2, 3])
    pdu.header.write {
      $0.initiatorTaskTag = 0x1F
      $0.dataSN = 12
      $0.hasStatus = true
    }
    #expect("\(pdu)" == "data-in final has_status data_segment_length=3 itt=1fh datasn=12 (3 bytes of data)")
    #expect("\(ProtocolDataUnit(.logoutRequest))" == "logout request")
    pdu.header.write { $0.opcodeBits = 0x1F }
    #expect("\(pdu)".hasPrefix("opcode 1fh 1f81"))
  }

  @Test func additionalHeaders() throws {
    let bytes: [UInt8] = [0, 3, 1, 0, 0xAA, 0xBB, 0, 0, 0, 5, 2, 0, 0, 0, 2, 0]
    try bytes.withUnsafeBytes { buffer in
      var parser = AdditionalHeaderParser(buffer)
      let first = try #require(try parser.next())
      #expect(first.type == .extendedCDB && Array(first.content) == [0xAA, 0xBB])
      let second = try #require(try parser.next())
      #expect(second.type == .bidirectionalReadLength && Array(second.content) == [0, 0, 2, 0])
      #expect(try parser.next() == nil)
    }
    for (bytes, error): ([UInt8], AdditionalHeaderError) in [
      ([0, 17, 1, 0], .lengthOutOfRange), ([0, 0, 1, 0], .lengthOutOfRange), ([0xFF, 0xFF, 1, 0], .lengthOutOfRange),
      ([0, 1], .tooShort),
    ] {
      bytes.withUnsafeBytes { buffer in
        var parser = AdditionalHeaderParser(buffer)
        #expect(throws: error) { try parser.next() }
      }
    }
  }
}
