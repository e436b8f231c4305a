import ISCSI
import Testing

/// What is set through a view is found at the standard's offset, and read back.
@Suite struct HeaderTests {
  /// Sets a field in a header of all zeroes and of all ones, and gives back the bytes that differ.
  private func changed(_ set: (MutableHeaderView) -> Void) -> [Int: UInt8] {
    var header = BasicHeader()
    header.write(set)
    var result: [Int: UInt8] = [:]
    for (index, byte) in header.array.enumerated() where byte != 0 { result[index] = byte }
    return result
  }

  @Test func commonFields() {
    #expect(changed { $0.opcodeBits = 0x3F } == [0: 0x3F])
    #expect(changed { $0.isImmediate = true } == [0: 0x40])
    #expect(changed { $0.isFinal = true } == [1: 0x80])
    #expect(changed { $0.totalAHSLength = 0x123 } == [4: 0x23])
    #expect(changed { $0.dataSegmentLength = 0x1AB_CDEF } == [5: 0xAB, 6: 0xCD, 7: 0xEF])
    #expect(changed { $0.lun = 0x01_0203_0405_0607_08 } == [8: 1, 9: 2, 10: 3, 11: 4, 12: 5, 13: 6, 14: 7, 15: 8])
    #expect(changed { $0.initiatorTaskTag = 0x0102_0304 } == [16: 1, 17: 2, 18: 3, 19: 4])
    #expect(changed { $0.begin(.reject) } == [0: 0x3F, 1: 0x80])
  }

  @Test func settingOneFieldLeavesItsNeighbours() {
    var header = BasicHeader()
    for index in 0..<48 { header.bytes[index] = 0xFF }
    header.write {
      $0.isImmediate = false
      $0.dataSegmentLength = 0
      $0.currentStage = 0
      $0.isid = ISID(rawValue: 0)
    }
    let bytes = header.array
    #expect(bytes[0] == 0xBF)
    #expect(bytes[1] == 0xF3)
    #expect(bytes[4...7] == [0xFF, 0, 0, 0])
    #expect(bytes[8...15] == [0, 0, 0, 0, 0, 0, 0xFF, 0xFF])
  }

  /// Every field of every PDU: the view's setter and the layout's offset name the same bits.
  @Test(arguments: Opcode.allCases) func viewsAgreeWithTheLayout(opcode: Opcode) throws {
    let layout = HeaderLayout.of(opcode)
    #expect(layout.opcode == opcode)
    for field in layout.fields {
      let value = 0xA5C3_96F1_5A3C_6978 & (field.width == 64 ? UInt64.max : (1 << UInt64(field.width)) - 1) | 1
      // Two PDUs have a reason, each its own.
      let name = field.name == "reason" && opcode == .reject ? "reject_reason" : field.name
      let access = try #require(Self.accessors[name], "no accessor of \(name)")
      var header = BasicHeader()
      header.write { access.set($0, value) }
      var byLayout = BasicHeader()
      field.write(value, to: &byLayout)
      #expect(header == byLayout, "\(opcode) \(field.name)")
      #expect(field.read(header) == value)
      #expect(header.read { access.get($0) } == value, "\(opcode) \(field.name)")
    }
  }

  private struct Accessor {
    let get: (HeaderView) -> UInt64
    let set: (MutableHeaderView, UInt64) -> Void
  }

  private static func flag(
    _ get: @escaping (HeaderView) -> Bool, _ set: @escaping (MutableHeaderView, Bool) -> Void
  ) -> Accessor {
    Accessor(get: { get($0) ? 1 : 0 }, set: { set($0, $1 != 0) })
  }

  private static func number<Value: FixedWidthInteger>(
    _ get: @escaping (HeaderView) -> Value, _ set: @escaping (MutableHeaderView, Value) -> Void
  ) -> Accessor {
    Accessor(get: { UInt64(get($0)) }, set: { set($0, Value(truncatingIfNeeded: $1)) })
  }

  private static var accessors: [String: Accessor] {
    [
      "opcode": number({ $0.opcodeBits }, { $0.opcodeBits = $1 }),
      "immediate": flag({ $0.isImmediate }, { $0.isImmediate = $1 }),
      "final": flag({ $0.isFinal }, { $0.isFinal = $1 }),
      "continue": flag({ $0.isContinued }, { $0.isContinued = $1 }),
      "total_ahs_length": number({ $0.totalAHSLength }, { $0.totalAHSLength = $1 }),
      "data_segment_length": number({ $0.dataSegmentLength }, { $0.dataSegmentLength = $1 }),
      "lun": number({ $0.lun }, { $0.lun = $1 }),
      "itt": number({ $0.initiatorTaskTag }, { $0.initiatorTaskTag = $1 }),
      "ttt": number({ $0.targetTransferTag }, { $0.targetTransferTag = $1 }),
      "cmdsn": number({ $0.cmdSN }, { $0.cmdSN = $1 }),
      "expstatsn": number({ $0.expStatSN }, { $0.expStatSN = $1 }),
      "statsn": number({ $0.statSN }, { $0.statSN = $1 }),
      "expcmdsn": number({ $0.expCmdSN }, { $0.expCmdSN = $1 }),
      "maxcmdsn": number({ $0.maxCmdSN }, { $0.maxCmdSN = $1 }),
      "read": flag({ $0.isRead }, { $0.isRead = $1 }),
      "write": flag({ $0.isWrite }, { $0.isWrite = $1 }),
      "attribute": number({ $0.taskAttribute }, { $0.taskAttribute = $1 }),
      "expected_data_transfer_length": number(
        { $0.expectedDataTransferLength }, { $0.expectedDataTransferLength = $1 }),
      "function": number({ $0.taskManagementFunction }, { $0.taskManagementFunction = $1 }),
      "referenced_task_tag": number({ $0.referencedTaskTag }, { $0.referencedTaskTag = $1 }),
      "refcmdsn": number({ $0.refCmdSN }, { $0.refCmdSN = $1 }),
      "expdatasn": number({ $0.expDataSN }, { $0.expDataSN = $1 }),
      "transit": flag({ $0.isTransit }, { $0.isTransit = $1 }),
      "csg": number({ $0.currentStage }, { $0.currentStage = $1 }),
      "nsg": number({ $0.nextStage }, { $0.nextStage = $1 }),
      "version_max": number({ $0.versionMax }, { $0.versionMax = $1 }),
      "version_min": number({ $0.versionMin }, { $0.versionMin = $1 }),
      "version_active": number({ $0.versionActive }, { $0.versionActive = $1 }),
      "isid": Accessor(get: { $0.isid.rawValue }, set: { $0.isid = ISID(rawValue: $1) }),
      "tsih": number({ $0.tsih }, { $0.tsih = $1 }),
      "cid": number({ $0.connectionID }, { $0.connectionID = $1 }),
      "status_class": number({ $0.statusClass }, { $0.statusClass = $1 }),
      "status_detail": number({ $0.statusDetail }, { $0.statusDetail = $1 }),
      "datasn": number({ $0.dataSN }, { $0.dataSN = $1 }),
      "r2tsn": number({ $0.r2tSN }, { $0.r2tSN = $1 }),
      "buffer_offset": number({ $0.bufferOffset }, { $0.bufferOffset = $1 }),
      "desired_data_transfer_length": number({ $0.desiredDataTransferLength }, { $0.desiredDataTransferLength = $1 }),
      "acknowledge": flag({ $0.isAcknowledge }, { $0.isAcknowledge = $1 }),
      "has_status": flag({ $0.hasStatus }, { $0.hasStatus = $1 }),
      "overflow": flag({ $0.isOverflow }, { $0.isOverflow = $1 }),
      "underflow": flag({ $0.isUnderflow }, { $0.isUnderflow = $1 }),
      "bidi_overflow": flag({ $0.isBidirectionalOverflow }, { $0.isBidirectionalOverflow = $1 }),
      "bidi_underflow": flag({ $0.isBidirectionalUnderflow }, { $0.isBidirectionalUnderflow = $1 }),
      "response": number({ $0.response }, { $0.response = $1 }),
      "status": number({ $0.status }, { $0.status = $1 }),
      "snack_tag": number({ $0.snackTag }, { $0.snackTag = $1 }),
      "bidi_read_residual_count": number(
        { $0.bidirectionalReadResidualCount }, { $0.bidirectionalReadResidualCount = $1 }),
      "residual_count": number({ $0.residualCount }, { $0.residualCount = $1 }),
      "reason": number({ $0.logoutReason }, { $0.logoutReason = $1 }),
      "reject_reason": number({ $0.rejectReason }, { $0.rejectReason = $1 }),
      "type": number({ $0.snackType }, { $0.snackType = $1 }),
      "begrun": number({ $0.begRun }, { $0.begRun = $1 }),
      "runlength": number({ $0.runLength }, { $0.runLength = $1 }),
      "time2wait": number({ $0.time2Wait }, { $0.time2Wait = $1 }),
      "time2retain": number({ $0.time2Retain }, { $0.time2Retain = $1 }),
      "async_event": number({ $0.asyncEvent }, { $0.asyncEvent = $1 }),
      "async_vcode": number({ $0.asyncVCode }, { $0.asyncVCode = $1 }),
      "parameter1": number({ $0.parameter1 }, { $0.parameter1 = $1 }),
      "parameter2": number({ $0.parameter2 }, { $0.parameter2 = $1 }),
      "parameter3": number({ $0.parameter3 }, { $0.parameter3 = $1 }),
    ]
  }

  @Test func theCDBIsAtByte32() {
    var header = BasicHeader()
    header.write { $0.cdb[0] = 0x28 }
    header.write { $0.cdb[15] = 0x99 }
    #expect(header.array[32] == 0x28 && header.array[47] == 0x99)
    #expect(header.read { $0.cdb.count } == 16)
  }

  @Test func loginStatusIsClassAndDetail() {
    #expect(changed { $0.loginStatus = LoginStatus.invalidDuringLogin.rawValue } == [36: 2, 37: 0x0B])
    #expect(LoginStatus.targetMovedPermanently.statusClass == 1)
    #expect(LoginStatus.targetMovedPermanently.statusDetail == 2)
  }

  @Test func reservedBitsAreFound() {
    var header = BasicHeader(.dataIn)
    #expect(HeaderLayout.of(.dataIn).firstReservedByteSet(in: header) == nil)
    header.bytes[2] = 1
    #expect(HeaderLayout.of(.dataIn).firstReservedByteSet(in: header) == 2)
    var command = BasicHeader(.scsiCommand)
    command.bytes[47] = 1
    #expect(HeaderLayout.of(.scsiCommand).firstReservedByteSet(in: command) == nil)
    command.bytes[1] |= 0x10
    #expect(HeaderLayout.of(.scsiCommand).firstReservedByteSet(in: command) == 1)
  }
}
