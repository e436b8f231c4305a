import Ring

/// A target and an initiator, each on its ring, and the wires between their sockets.
final class Joint {
  let target: HandRing
  let initiator: HandRing

  /// The target's ends of the initiator's sockets, in their order; nil for one that was not accepted.
  private var ends: [Int?] = []

  init(target: HandRing, initiator: HandRing) {
    self.target = target
    self.initiator = initiator
  }

  /// Lets both do what they can, until nothing is on its way.
  func run() {
    repeat {
      initiator.settle()
      while ends.count < initiator.sockets.count {
        ends.append(target.accept())
        if ends[ends.count - 1] == nil { initiator.end(ends.count - 1, .connectionReset) }
      }
      target.settle()
    } while carry()
  }

  /// Lets time pass for both.
  func advance(_ interval: Interval) {
    initiator.advance(interval)
    target.advance(interval)
    run()
  }

  /// Whether anything was on its way.
  private func carry() -> Bool {
    var hasMoved = false
    for (here, end) in ends.enumerated() {
      guard let there = end else { continue }
      if Self.carry(from: initiator, here, to: target, there) { hasMoved = true }
      if Self.carry(from: target, there, to: initiator, here) { hasMoved = true }
    }
    return hasMoved
  }

  private static func carry(from one: HandRing, _ here: Int, to other: HandRing, _ there: Int) -> Bool {
    let bytes = one.take(here)
    if !bytes.isEmpty { other.feed(there, bytes) }
    let hasEnded = one.sockets[here].isShutDown || one.sockets[here].isClosed
    let isNews = hasEnded && other.isOpen(there)
    if isNews { other.end(there) }
    return !bytes.isEmpty || isNews
  }
}
