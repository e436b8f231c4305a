/// The named fields of each PDU, RFC 7143 §11.3 to §11.19.
///
/// The views state the same offsets once more, for speed; a test holds the two against each other.
public struct HeaderLayout: Sendable {
  public let opcode: Opcode

  /// All named fields in the order of the header. The bytes of a CDB are not among them.
  public let fields: [HeaderField]

  /// For each byte, the bits that no field covers: the reserved ones.
  public let reservedBits: [UInt8]

  /// The same, eight bytes at a time.
  private let reservedWords: InlineArray<6, UInt64>

  /// Bit 7 of byte 1 is the constant 1.
  public let hasConstantBit: Bool

  /// The layout of `opcode`.
  public static func of(_ opcode: Opcode) -> HeaderLayout { byOpcode[Int(opcode.rawValue)] }

  /// By the opcode's value, which is below 64. What is no opcode has the layout of a NOP-Out.
  private static let byOpcode: [HeaderLayout] = (0..<64).map { value in
    table.first { $0.opcode.rawValue == value } ?? table[0]
  }

  /// The field called `name`; nil when this PDU has none.
  public func field(_ name: String) -> HeaderField? { fields.first { $0.name == name } }

  /// The offset of the first byte with a reserved bit that is set; nil when all are zero.
  public func firstReservedByteSet(in header: BasicHeader) -> Int? {
    var isAnySet: UInt64 = 0
    header.read { view in
      for index in reservedWords.indices { isAnySet |= view.word64(index * 8) & reservedWords[index] }
    }
    guard isAnySet != 0 else { return nil }
    return (0..<HeaderView.length).first { header.bytes[$0] & reservedBits[$0] != 0 }
  }

  private init(_ opcode: Opcode, constantBit: Bool = true, cdb: Bool = false, _ own: [HeaderField]) {
    var fields = [HeaderField(name: "opcode", bit: 2, width: 6)]
    if opcode.isFromInitiator { fields.insert(HeaderField(name: "immediate", bit: 1, width: 1), at: 0) }
    if constantBit { fields.append(HeaderField(name: "final", bit: 8, width: 1)) }
    fields += own
    fields += [
      .byte("total_ahs_length", 4), HeaderField(name: "data_segment_length", bit: 40, width: 24), .word("itt", 16),
    ]
    if opcode.isFromInitiator {
      if opcode.hasCmdSN { fields.append(.word("cmdsn", 24)) }
      fields.append(.word("expstatsn", 28))
    } else {
      fields += [.word("statsn", 24), .word("expcmdsn", 28), .word("maxcmdsn", 32)]
    }
    var reserved = [UInt8](repeating: 0xFF, count: HeaderView.length)
    for field in fields {
      for index in field.bit..<(field.bit + field.width) {
        reserved[index / 8] &= ~(UInt8(0x80) >> UInt8(index % 8))
      }
    }
    if cdb { for index in 32..<48 { reserved[index] = 0 } }
    self.opcode = opcode
    self.fields = fields.sorted { $0.bit < $1.bit }
    hasConstantBit = constantBit && ![.scsiCommand, .dataOut, .dataIn, .textRequest, .textResponse].contains(opcode)
    reservedBits = reserved
    reservedWords = InlineArray<6, UInt64> { word in
      (0..<8).reduce(0) { $0 << 8 | UInt64(reserved[word * 8 + $1]) }
    }
  }

  private static let lun = HeaderField(name: "lun", bit: 64, width: 64)
  private static let ttt = HeaderField.word("ttt", 20)
  private static let isid = HeaderField(name: "isid", bit: 64, width: 48)

  private static let stages: [HeaderField] = [
    .bits("transit", 1, 7, 1), .bits("continue", 1, 6, 1), .bits("csg", 1, 3, 2), .bits("nsg", 1, 1, 2),
  ]

  private static let table: [HeaderLayout] = [
    HeaderLayout(.nopOut, [lun, ttt]),
    HeaderLayout(
      .scsiCommand, cdb: true,
      [
        .bits("read", 1, 6, 1), .bits("write", 1, 5, 1), .bits("attribute", 1, 2, 3), lun,
        .word("expected_data_transfer_length", 20),
      ]),
    HeaderLayout(
      .taskManagementRequest,
      [
        .bits("function", 1, 6, 7), lun, .word("referenced_task_tag", 20), .word("refcmdsn", 32),
        .word("expdatasn", 36),
      ]),
    HeaderLayout(
      .loginRequest, constantBit: false,
      stages + [
        .byte("version_max", 2), .byte("version_min", 3), isid, .half("tsih", 14), .half("cid", 20),
      ]),
    HeaderLayout(.textRequest, [.bits("continue", 1, 6, 1), lun, ttt]),
    HeaderLayout(.dataOut, [lun, ttt, .word("datasn", 36), .word("buffer_offset", 40)]),
    HeaderLayout(.logoutRequest, [.bits("reason", 1, 6, 7), .half("cid", 20)]),
    HeaderLayout(
      .snackRequest, [.bits("type", 1, 3, 4), lun, ttt, .word("begrun", 40), .word("runlength", 44)]),
    HeaderLayout(.nopIn, [lun, ttt]),
    HeaderLayout(
      .scsiResponse,
      [
        .bits("bidi_overflow", 1, 4, 1), .bits("bidi_underflow", 1, 3, 1), .bits("overflow", 1, 2, 1),
        .bits("underflow", 1, 1, 1), .byte("response", 2), .byte("status", 3), .word("snack_tag", 20),
        .word("expdatasn", 36), .word("bidi_read_residual_count", 40), .word("residual_count", 44),
      ]),
    HeaderLayout(.taskManagementResponse, [.byte("response", 2)]),
    HeaderLayout(
      .loginResponse, constantBit: false,
      stages + [
        .byte("version_max", 2), .byte("version_active", 3), isid, .half("tsih", 14), .byte("status_class", 36),
        .byte("status_detail", 37),
      ]),
    HeaderLayout(.textResponse, [.bits("continue", 1, 6, 1), lun, ttt]),
    HeaderLayout(
      .dataIn,
      [
        .bits("acknowledge", 1, 6, 1), .bits("overflow", 1, 2, 1), .bits("underflow", 1, 1, 1),
        .bits("has_status", 1, 0, 1), .byte("status", 3), lun, ttt, .word("datasn", 36), .word("buffer_offset", 40),
        .word("residual_count", 44),
      ]),
    HeaderLayout(.logoutResponse, [.byte("response", 2), .half("time2wait", 40), .half("time2retain", 42)]),
    HeaderLayout(
      .readyToTransfer,
      [lun, ttt, .word("r2tsn", 36), .word("buffer_offset", 40), .word("desired_data_transfer_length", 44)]),
    HeaderLayout(
      .asyncMessage,
      [
        lun, .byte("async_event", 36), .byte("async_vcode", 37), .half("parameter1", 38), .half("parameter2", 40),
        .half("parameter3", 42),
      ]),
    HeaderLayout(.reject, [.byte("reason", 2), .word("datasn", 36)]),
  ]
}

extension HeaderField {
  fileprivate static func byte(_ name: String, _ offset: Int) -> HeaderField {
    HeaderField(name: name, bit: offset * 8, width: 8)
  }

  fileprivate static func half(_ name: String, _ offset: Int) -> HeaderField {
    HeaderField(name: name, bit: offset * 8, width: 16)
  }

  fileprivate static func word(_ name: String, _ offset: Int) -> HeaderField {
    HeaderField(name: name, bit: offset * 8, width: 32)
  }

  /// `width` bits of byte `offset`, of which `high` is the highest (7 to 0).
  fileprivate static func bits(_ name: String, _ offset: Int, _ high: Int, _ width: Int) -> HeaderField {
    HeaderField(name: name, bit: offset * 8 + 7 - high, width: width)
  }
}
