import Ring

/// Which of a world's two machines.
public enum Side: Sendable {
  case left
  case right
}

/// What a ring must bring along to be tested: a world with two machines that can reach each other.
///
/// The suite knows nothing else about a ring than this and `Ring` itself. A world is made anew for every test and left
/// alone afterwards; whatever the test left open goes with it.
///
/// The suite drives the two rings in turns, each time with `reap(into:until:)` and a deadline about a millisecond away by
/// that ring's own clock. A ring whose world has nothing to do returns at the deadline, with `now` at or after it: time
/// limits of the suite are counted on the rings' clocks.
public protocol RingWorld: AnyObject {
  /// The ring of one machine. The same object at every call.
  func ring(_ side: Side) -> any Ring

  /// The memory of one machine: at least 16 MiB.
  func arena(_ side: Side) -> Arena

  /// The name under which the other machine can post to it.
  func machine(_ side: Side) -> MachineID

  /// An address at which `side` can listen and the other side can reach it, with port 0. Nil when the world has no IPv6.
  func address(of side: Side, ipv6: Bool) -> SocketAddress?

  /// An address at which a connect of `side` is neither taken nor refused for at least five seconds.
  func silentAddress(for side: Side) throws -> SocketAddress

  /// Makes a medium of `size` bytes, all zeroes and all one hole, and opens it for `side`. Called before any operation of
  /// that side is outstanding on it. `size` is a multiple of 64 KiB.
  func makeMedium(for side: Side, size: Int, readOnly: Bool) throws -> Handle

  /// True when `discard` makes holes that `seek` finds, in units of at most 64 KiB.
  var hasHoles: Bool { get }
}

extension RingWorld {
  public var hasHoles: Bool { true }
}
