/// What has happened since somebody last asked. Nobody need ask: it keeps the first of it, and counts the rest.
struct Journal {
  /// As many as are kept.
  static let lengthMax = 256

  private(set) var events: [TargetEvent] = []
  /// How many were not kept.
  private(set) var lost: UInt64 = 0

  var isEmpty: Bool { events.isEmpty }

  mutating func note(_ event: TargetEvent) {
    guard events.count < Self.lengthMax else {
      lost &+= 1
      return
    }
    events.append(event)
  }

  /// Hands over what there is, and begins anew.
  mutating func take() -> (events: [TargetEvent], lost: UInt64) {
    defer { self = Journal() }
    return (events, lost)
  }
}
