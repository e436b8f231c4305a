/// Carries out the operations of one machine, in the real world or in a simulated one.
///
/// `HostRing` and `SimRing` conform. They pass one suite of tests on the meaning of every operation
/// (`Tests/RingSuite`); a difference between them is a bug in the simulation.
public protocol Ring: AnyObject {
  /// The time by the ring's clock. Constant between two calls of ``reap(into:until:)`` in the simulation.
  var now: Instant { get }

  /// Opens a listener at `address`, before or between steps. Port zero asks for any free one.
  ///
  /// - Returns: The listener's handle, and its address with the port filled in.
  /// - Throws: ``RingError`` when the address cannot be had.
  func listen(at address: SocketAddress, backlog: Int) throws(RingError) -> (listener: Handle, address: SocketAddress)

  /// Takes over the operations of `batch` and empties it. They may start now, or with the next ``reap(into:until:)``.
  func submit(_ batch: inout Operations)

  /// Appends the completions that have arrived; when there are none, waits for one until `deadline` at the latest.
  func reap(into completions: inout [Completion], until deadline: Instant)
}

/// A state machine without I/O: the target, the initiator.
///
/// It never calls a socket, a disk, a clock, a random source, a lock, a thread or `async`. All that it knows, it was
/// handed; all that it does is to emit operations.
public protocol Machine: AnyObject {
  /// The memory that its operations refer to.
  var arena: Arena { get }

  /// Takes a batch of completions and the time, and emits a batch of operations. Called first with no completions.
  func step(_ completions: [Completion], now: Instant, into operations: inout Operations)
}
