/// AsyncEvent of an Asynchronous Message, RFC 7143 §11.9.1.
public enum AsyncEvent: UInt8, Sendable, CaseIterable {
  /// The data segment holds sense data.
  case scsiAsynchronousEvent = 0
  /// Within Parameter3 seconds the initiator is to log out.
  case logoutRequested = 1
  /// The connection that Parameter1 names will be dropped.
  case connectionDropped = 2
  /// All connections of the session will be dropped.
  case sessionDropped = 3
  /// Within Parameter3 seconds the initiator is to begin a text negotiation.
  case negotiationRequested = 4
  /// All tasks of the logical unit are being ended (RFC 7143, FastAbort).
  case tasksTerminated = 5
  case vendorSpecific = 255
}
