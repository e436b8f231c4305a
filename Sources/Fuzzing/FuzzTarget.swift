import SimClock

/// What is fuzzed. Each makes a play of any bytes, and looks whether what must hold did.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// The wire formats: PDUs, text, SCSI data. What was read is written again, and read again.
  case wire
  /// The target machine, from hostile initiators; afterwards it serves a correct one.
  case target
  /// The initiator machine, from a hostile target.
  case initiator
  /// The load, from a hostile target.
  case load
  /// Both ends of a login and of the session that follows, over what they agree on.
  case negotiation

  /// Plays an input.
  ///
  /// - Parameter fill: What memory holds that nobody has written to.
  public func play(_ input: UnsafeRawBufferPointer, fill: UInt8 = 0) -> FuzzOutcome {
    let input = FuzzInput(input)
    switch self {
    case .wire: return WirePlay.play(input)
    case .target:
      let play = TargetPlay(input, fill: fill)
      play.run()
      return play.outcome
    case .initiator:
      let play = InitiatorPlay(input, fill: fill)
      play.run()
      return play.outcome
    case .load:
      let play = LoadPlay(input)
      play.run()
      return play.outcome
    case .negotiation:
      let play = NegotiationPlay(input, fill: fill)
      play.run()
      return play.outcome
    }
  }

  /// What is wrong with a play of an input; empty when nothing is. It is played twice: what comes of it may depend on nothing
  /// else, least of all on what memory held before.
  public func faults(of input: UnsafeRawBufferPointer) -> [String] {
    let first = play(input, fill: 0x00)
    guard first.faults.isEmpty else { return first.faults }
    let second = play(input, fill: 0xEE)
    if first == second { return [] }
    return second.faults + ["two plays of one input differ: something depends on what memory held before"]
  }
}

/// What became of an input.
public struct FuzzOutcome: Equatable, Sendable {
  /// What is wrong, in words.
  public var faults: [String] = []

  /// Over all that the machines did, and all that went over the wire.
  public var trace = TraceHash()
}
