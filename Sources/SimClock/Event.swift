/// Something that happens at a point of virtual time: a small value, so that the queue allocates nothing an event.
///
/// The room that scheduled an event gives the fields after ``room`` their meaning.
public struct Event: Sendable {
  /// The room that scheduled the event and will handle it.
  public enum Room: UInt8, Sendable {
    case network
    case ring
    case fault
  }

  /// When, in nanoseconds of virtual time.
  public var time: UInt64

  /// The order of insertion, which decides among events of one time.
  public internal(set) var sequence: UInt64 = 0

  public var room: Room

  /// What, in the room's own numbering.
  public var kind: UInt8

  /// Whom it happens to: an index into a slot table of the room.
  public var subject: UInt32

  /// The generation of that slot when the event was scheduled. An event whose slot has moved on is ignored, which is
  /// how an event is withdrawn.
  public var generation: UInt32

  public var first: UInt64
  public var second: UInt64

  public init(
    time: UInt64, room: Room, kind: UInt8, subject: UInt32, generation: UInt32, first: UInt64 = 0, second: UInt64 = 0
  ) {
    self.time = time
    self.room = room
    self.kind = kind
    self.subject = subject
    self.generation = generation
    self.first = first
    self.second = second
  }
}
