import ISCSI
import Ring

/// A PDU that a script sends: what it sets, and for the rest what a correct initiator would send now.
///
/// Filled in when they are not set: opcode, F, the lengths, a new Initiator Task Tag (FFFFFFFFh where the PDU has none),
/// CmdSN (which the session then counts on, unless the PDU is immediate or CmdSN was set), ExpStatSN, and of the login the
/// version, ISID, TSIH and CID of the session. Login requests are immediate.
public struct PDUTemplate: Hashable, Sendable {
  /// The opcode's six bits; need not be one that exists.
  public var opcodeBits: UInt8

  /// Fields to set or change by name; see ``FieldOverride``.
  public var overrides: [FieldOverride] = []

  /// The CDB of a SCSI Command: up to 16 bytes go into the header, more into an additional header.
  public var cdb: [UInt8] = []

  /// All additional headers, before those of a long CDB.
  public var additionalHeaders: [UInt8] = []

  /// The data segment.
  public var data: [UInt8] = []

  public var wire = WireOptions()

  public init(_ opcode: Opcode) { opcodeBits = opcode.rawValue }

  /// - Parameter opcodeBits: Its low six bits are used.
  public init(opcodeBits: UInt8) { self.opcodeBits = opcodeBits & 0x3F }
}

/// How a PDU goes onto the wire, and what is wrong with it on purpose.
public struct WireOptions: Hashable, Sendable {
  /// Instead of what was negotiated.
  public var digests: DigestSettings?

  /// XORed onto the digests; a correct one with 0.
  public var headerDigestFlip: UInt32 = 0
  public var dataDigestFlip: UInt32 = 0

  /// What padding consists of.
  public var padByte: UInt8 = 0

  /// XORed onto single bytes on the wire, after the digests: offset from the PDU's first byte, mask.
  public var flips: [ByteFlip] = []

  /// Where to cut the bytes into separate sends, counted from the PDU's first byte, in ascending order. What is outside is
  /// ignored.
  public var splitAt: [Int] = []

  /// The time between the sends.
  public var pause = Interval.zero

  /// Sends no more than so many bytes of the PDU.
  public var truncateAt: Int?

  public init() {}
}

/// A byte that is damaged on its way.
public struct ByteFlip: Hashable, Sendable {
  public var offset: Int
  public var mask: UInt8

  public init(offset: Int, mask: UInt8) {
    self.offset = offset
    self.mask = mask
  }
}
