import CHost
import Ring

/// Drives one machine on one host ring: the outermost loop of a server.
public final class HostLoop {
  private let ring: any HostRing
  private let machine: any Machine
  private var operations = Operations()
  private var completions: [Completion] = []

  public init(ring: any HostRing, machine: any Machine) {
    self.ring = ring
    self.machine = machine
  }

  /// One turn: waits for completions until `deadline` at the latest, has the machine take them, and submits what it asks
  /// for. Returns whether there were any.
  @discardableResult
  public func turn(until deadline: Instant = .distantFuture) -> Bool {
    ring.reap(into: &completions, until: deadline)
    let hadSome = !completions.isEmpty
    step()
    return hadSome
  }

  /// Steps the machine without waiting: at the start, and when something was asked of it from outside.
  public func step() {
    machine.step(completions, now: ring.now, into: &operations)
    completions.removeAll(keepingCapacity: true)
    ring.submit(&operations)
  }

  /// Runs until `shouldStop` says so, which is asked between turns. ``HostRing/interrupt()`` makes a waiting ring ask.
  public func run(until shouldStop: () -> Bool) {
    step()
    while !shouldStop() { turn() }
  }

  /// Runs until SIGINT or SIGTERM arrives.
  ///
  /// A signal only writes into the eventfd that the ring waits on, so that it is noticed between two steps and never
  /// within one.
  public func runUntilSignal() {
    StopSignal.arm(ring)
    run { StopSignal.hasArrived }
    StopSignal.disarm()
  }
}

/// The process's SIGINT and SIGTERM.
public enum StopSignal {
  /// Lets the signals interrupt `ring` instead of ending the process.
  public static func arm(_ ring: any HostRing) { simsan_stop_on_signals(ring.interruptDescriptor) }

  /// Whether one has arrived since ``arm(_:)``.
  public static var hasArrived: Bool { simsan_stop_was_asked() != 0 }

  /// Gives the signals their usual meaning back.
  public static func disarm() { simsan_stop_on_signals(-1) }
}
