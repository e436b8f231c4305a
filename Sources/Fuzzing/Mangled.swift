import ISCSI

/// A PDU as it goes out, with what the input has made wrong in it.
struct Mangled {
  var pdu: ProtocolDataUnit

  /// Its bytes, in the parts in which they come: the other side has time to act in between.
  var parts: [[UInt8]]
}

extension FuzzInput {
  /// A PDU of which one thing or other may be wrong. Most go out as they are made: that is what zeroes say.
  mutating func mangled(_ pdu: ProtocolDataUnit, _ digests: DigestSettings) -> Mangled {
    var pdu = pdu
    let how = flags()
    if how[0] { pdu.header.bytes[below(HeaderView.length)] = byte() }
    if how[1] {
      let field = pick(HeaderLayout.of(pdu.opcode ?? .nopOut).fields)
      let change = UInt64(bitPattern: Int64(Int8(bitPattern: byte())))
      field.write(field.read(pdu.header) &+ change, to: &pdu.header)
    }
    if how[2] { pdu.additionalHeaders = Array(run().prefix(64)) }
    var options = EncodingOptions(digests: digests)
    if how[3] { options.dataDigestFlip = 1 }
    if how[4] { options.headerDigestFlip = 1 }
    if how[5] { options.padByte = 0xFF }
    let bytes = pdu.encoded(options)
    guard how[6] || how[7] else { return Mangled(pdu: pdu, parts: [bytes]) }
    let cut = Int(word16()) % (bytes.count + 1)
    let beginning = Array(bytes[..<cut])
    return Mangled(pdu: pdu, parts: how[7] ? [beginning] : [beginning, Array(bytes[cut...])])
  }
}
