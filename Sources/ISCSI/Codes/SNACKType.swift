/// Type of a SNACK Request, RFC 7143 §11.16.1.
public enum SNACKType: UInt8, Sendable, CaseIterable {
  /// Data-In or R2T PDUs are missing.
  case dataOrR2T = 0
  case status = 1
  case dataACK = 2
  case rData = 3
}
