/// Names one TCP connection of an initiator, from ``InitiatorMachine/connect(to:in:)`` on; never used twice.
public struct ConnectionID: Hashable, Sendable {
  public let rawValue: Int
  init(_ rawValue: Int) { self.rawValue = rawValue }
}

/// Names one session of an initiator: the state that its connections share. Never used twice.
public struct SessionID: Hashable, Sendable {
  public let rawValue: Int
  init(_ rawValue: Int) { self.rawValue = rawValue }
}

/// Names one request that the machine carries out by itself: a SCSI command, a task management function, a text
/// negotiation, a ping, a logout. Never used twice, unlike the Initiator Task Tag.
public struct TaskID: Hashable, Comparable, Sendable {
  public let rawValue: UInt64
  init(_ rawValue: UInt64) { self.rawValue = rawValue }

  public static func < (left: TaskID, right: TaskID) -> Bool { left.rawValue < right.rawValue }
}
