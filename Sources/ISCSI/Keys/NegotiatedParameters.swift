/// What a login has agreed on; made with the defaults of RFC 7143 §13.
public struct NegotiatedParameters: Hashable, Sendable {
  // MARK: The session

  public var sessionType = SessionType.normal

  /// 1 to 65535.
  public var maxConnections: UInt32 = 1
  public var initialR2T = true
  public var immediateData = true

  /// Bytes, 512 to 2^24 - 1.
  public var maxBurstLength: UInt32 = 262_144

  /// Bytes, 512 to 2^24 - 1; never above ``maxBurstLength``.
  public var firstBurstLength: UInt32 = 65_536

  /// Seconds, 0 to 3600.
  public var defaultTime2Wait: UInt32 = 2

  /// Seconds, 0 to 3600.
  public var defaultTime2Retain: UInt32 = 20

  /// 1 to 65535.
  public var maxOutstandingR2T: UInt32 = 1
  public var dataPDUInOrder = true
  public var dataSequenceInOrder = true

  /// 0 to 2.
  public var errorRecoveryLevel: UInt32 = 0
  public var taskReporting = TaskReporting.rfc3720

  /// 0 to 31; 2 and above permit what RFC 7144 adds.
  public var iSCSIProtocolLevel: UInt32 = 1

  // MARK: The connection

  public var digests = DigestSettings()

  /// The longest data segment that the initiator takes, in bytes, 512 to 2^24 - 1.
  public var initiatorMaxRecvDataSegmentLength: UInt32 = 8192

  /// The longest data segment that the target takes, in bytes, 512 to 2^24 - 1.
  public var targetMaxRecvDataSegmentLength: UInt32 = 8192

  public init() {}

  /// Takes what a text negotiation of the full feature phase has come to: MaxRecvDataSegmentLength may be declared anew
  /// (RFC 7143 §13.12).
  ///
  /// - Parameters:
  ///   - text: All that the initiator has sent; what is malformed counts for nothing.
  ///   - answer: What the target has sent.
  public mutating func declare(initiator text: [UInt8], target answer: [KeyValue]) {
    let name = Key.maxRecvDataSegmentLength.name
    func length(_ pairs: [KeyValue]) -> UInt32? {
      let value = pairs.last { $0.key == name }.flatMap { Negotiation.number($0.value) }
      return value.flatMap { (512...0xFF_FFFF).contains($0) ? $0 : nil }
    }
    let isRefused = answer.contains { $0.key == name && $0.value == "Reject" }
    if let declared = length((try? TextParser.pairs(of: text)) ?? []), !isRefused {
      initiatorMaxRecvDataSegmentLength = declared
    }
    if let declared = length(answer) { targetMaxRecvDataSegmentLength = declared }
  }
}

/// RFC 7143 §13.21.
public enum SessionType: UInt8, Sendable {
  case normal
  case discovery
}

/// RFC 7143 §13.23.
public enum TaskReporting: UInt8, Sendable {
  case rfc3720
  case responseFence
  case fastAbort
}

/// Which digests a connection uses, RFC 7143 §13.1.
public struct DigestSettings: Hashable, Sendable {
  public var header: Bool
  public var data: Bool

  @inlinable
  public init(header: Bool = false, data: Bool = false) {
    self.header = header
    self.data = data
  }
}
