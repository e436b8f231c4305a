import ISCSI
import Ring
import SCSI

/// What is told of a command that has failed.
extension LoadSession {
  /// Notes how a command of the load has ended.
  func tellFailure(_ tag: Int, _ header: HeaderView, _ data: UnsafeRawBufferPointer, _ machine: LoadMachine) {
    var how = outcome(of: header, data)
    if isReading[tag], header.status == Status.good.rawValue, received[tag] < configuration.length {
      how += ", with \(received[tag]) of \(configuration.length) bytes"
    }
    machine.note(
      "session \(index) (\(target.name)) had a \(isReading[tag] ? "READ" : "WRITE")(16) that ended with \(how)")
  }

  /// In words, how a command has ended.
  ///
  /// - Parameter data: The data segment of a SCSI Response: two bytes that say how long the sense data are, and these (RFC 7143
  ///   §11.4.7). Empty for the status in a Data-In.
  func outcome(of header: HeaderView, _ data: UnsafeRawBufferPointer) -> String {
    let isResponse = header.opcodeBits == Opcode.scsiResponse.rawValue
    // With another response the status means nothing (RFC 7143 §11.4.2).
    if isResponse, header.response != SCSIResponseCode.commandCompletedAtTarget.rawValue {
      return "iSCSI response \(header.response) and no status"
    }
    var words = Status(rawValue: header.status)?.name ?? "status \(String(header.status, radix: 16))h"
    if isResponse, let sense = Sense(decoding: Array(data.dropFirst(2))) {
      words += ", \(sense.key.name), \(sense.additional.name)"
    }
    if header.isUnderflow { words += ", underflow of \(header.residualCount)" }
    if header.isOverflow { words += ", overflow of \(header.residualCount)" }
    return words
  }
}
