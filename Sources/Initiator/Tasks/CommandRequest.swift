import ISCSI

/// A SCSI command that the machine carries through: window, data in both directions, status.
public struct CommandRequest: Hashable, Sendable {
  /// As SAM-5 §4.7 encodes it; ``LogicalUnitNumber/encode(_:)``.
  public var lun: UInt64 = 0

  /// 1 to 260 bytes.
  public var cdb: [UInt8]

  /// What is written; empty when nothing is.
  public var dataOut: [UInt8] = []

  /// How many bytes are expected to be read, up to 2^32 - 1; 0 when none are.
  public var expectedDataIn = 0

  /// ATTR, RFC 7143 §11.3.1: 0 untagged, 1 simple, 2 ordered, 3 head of queue, 4 ACA.
  public var attribute: UInt8 = 1
  public var isImmediate = false

  /// Sends it at once, even when the command window is closed.
  public var ignoresWindow = false

  /// Fields of the SCSI Command PDU that differ.
  public var overrides: [FieldOverride] = []
  public var wire = WireOptions()

  /// Bytes of immediate data, instead of as many as was negotiated.
  public var immediateLength: Int?

  /// Bytes of unsolicited data in all, immediate data included, instead of as many as was negotiated.
  public var unsolicitedLength: Int?

  /// The longest data segment of a Data-Out, instead of the target's MaxRecvDataSegmentLength.
  public var segmentLength: Int?

  /// Deviations of single Data-Out PDUs.
  public var dataOutEdits: [DataOutEdit] = []

  /// Holds back the answers to R2Ts, see ``AutomaticBehaviour/answersR2Ts``.
  public var holdsR2Ts = false

  public init(cdb: [UInt8]) { self.cdb = cdb }

  /// Nothing in it is wrong on purpose, so that a correct target asks for each byte of the data once.
  public var isCorrect: Bool { overrides.isEmpty && dataOutEdits.isEmpty && wire == WireOptions() }
}

/// A deviation of some of the Data-Out PDUs of a command.
public struct DataOutEdit: Hashable, Sendable {
  /// The burst: 0 for the unsolicited data, n for what the nth R2T asks for, nil for all.
  public var burst: Int?

  /// The PDU within its burst, from 0; nil for all.
  public var index: Int?
  public var action: Action

  /// What is done to the PDU.
  public enum Action: Hashable, Sendable {
    case change([FieldOverride])
    case wire(WireOptions)
    case drop
    case duplicate
    /// Sends it after all others of its burst.
    case moveToEnd
    /// Replaces the data segment; its length in the header tells the truth.
    case data([UInt8])
  }

  public init(burst: Int? = nil, index: Int? = nil, _ action: Action) {
    self.burst = burst
    self.index = index
    self.action = action
  }

  func applies(burst: Int, index: Int) -> Bool {
    (self.burst ?? burst) == burst && (self.index ?? index) == index
  }
}

/// What an R2T asks for.
public struct ReadyToTransfer: Hashable, Sendable {
  public var targetTransferTag: UInt32
  public var r2tSN: UInt32
  /// Bytes.
  public var bufferOffset: UInt32
  /// Bytes.
  public var desiredLength: UInt32
  public var lun: UInt64
}
