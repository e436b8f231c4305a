import ISCSI

/// The CDB bytes beyond the header's sixteen, from an Extended CDB AHS (RFC 7143 §11.2.2.3).
struct ExtendedCDB {
  /// The bytes that follow the first sixteen, at most sixteen.
  var bytes = InlineArray<16, UInt8>(repeating: 0)
  var count = 0
}

/// What a command's additional header segments say.
enum AdditionalHeaders {
  case none
  case extendedCDB(ExtendedCDB)
  /// A CDB longer than the device server takes; it is answered with INVALID COMMAND OPERATION CODE.
  case tooLong
  /// They break the format, or are of a type that no command here has; the PDU is rejected.
  case malformed

  /// Reads the AHS area of a SCSI Command (RFC 7143 §11.2.2). `area` is TotalAHSLength words long.
  init(_ area: UnsafeRawBufferPointer) {
    self = .none
    guard !area.isEmpty else { return }
    var parser = AdditionalHeaderParser(area)
    do throws(AdditionalHeaderError) {
      while let segment = try parser.next() {
        // Bidirectional commands (type 2) are not supported; a second CDB, or one that would have fitted into the header,
        // is an error.
        guard segment.type == .extendedCDB, case .none = self, !segment.content.isEmpty else {
          self = .malformed
          return
        }
        guard segment.content.count <= 16 else {
          self = .tooLong
          return
        }
        var extended = ExtendedCDB()
        extended.count = segment.content.count
        for (index, byte) in segment.content.enumerated() { extended.bytes[index] = byte }
        self = .extendedCDB(extended)
      }
    } catch {
      self = .malformed
    }
  }
}
