/// Response of a SCSI Response PDU, RFC 7143 §11.4.3. 80h to FFh are the vendor's.
public enum SCSIResponseCode: UInt8, Sendable {
  case commandCompletedAtTarget = 0x00
  case targetFailure = 0x01
}
