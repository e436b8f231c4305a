import CHost
import Ring

/// Drives one machine on one host ring: the outermost loop of a server.
public final class HostLoop {
  private let ring: any HostRing
  private let machine: any Machine
  private var operations = Operations()
  private var completions: [Completion] = []
  private let afterStep: (() -> Void)?

  /// - Parameter afterStep: Called after each step of the machine, when what it asks for has been submitted.
  public init(ring: any HostRing, machine: any Machine, afterStep: (() -> Void)? = nil) {
    self.ring = ring
    self.machine = machine
    self.afterStep = afterStep
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
    afterStep?()
  }

  /// Runs until `shouldStop` says so, which is asked between turns. ``HostRing/interrupt()`` makes a waiting ring ask.
  public func run(until shouldStop: () -> Bool) {
    step()
    while !shouldStop() { turn() }
  }

  /// Runs until SIGINT, SIGTERM or SIGHUP arrives. They are still taken then: whoever has something to end gives them back their
  /// meaning behind that (``StopSignal/disarm()``).
  ///
  /// A signal only writes into the eventfd that the ring waits on, so that it is noticed between two steps and never
  /// within one.
  ///
  /// - Parameters:
  ///   - ready: Called when signals are taken: whoever is told that the server is ready may send one.
  ///   - interval: How often to call `report` at least; nil for never, so that an idle server does not wake.
  ///   - report: Called between two turns: with true when SIGUSR1 asked for it, with false when `interval` has passed.
  public func runUntilSignal(
    ready: () -> Void = {}, reportEvery interval: Interval? = nil, report: (_ wasAsked: Bool) -> Void = { _ in }
  ) {
    StopSignal.arm(ring)
    step()
    ready()
    var next = interval.map { ring.now + $0 } ?? .distantFuture
    while !StopSignal.hasArrived {
      turn(until: next)
      if StopSignal.takeReportRequest() { report(true) }
      if let interval, ring.now >= next {
        report(false)
        // After a pause there is one report, and not one for each that was missed.
        next = max(next + interval, ring.now)
      }
    }
  }
}

/// The process's signals: SIGINT, SIGTERM and SIGHUP ask it to stop, SIGUSR1 to report. SIGXFSZ says nothing that the write which
/// went beyond `ulimit -f` is not told.
public enum StopSignal {
  /// Lets the signals interrupt `ring` instead of ending the process.
  public static func arm(_ ring: any HostRing) { simsan_stop_on_signals(ring.interruptDescriptor) }

  /// Whether one has arrived since ``arm(_:)``.
  public static var hasArrived: Bool { simsan_stop_was_asked() != 0 }

  /// Whether the process takes no notice of a signal: of SIGHUP, when it is to outlive its terminal (nohup).
  public static func isIgnored(_ number: Int32) -> Bool { simsan_signal_is_ignored(number) != 0 }

  /// Whether a report has been asked for since the last call.
  public static func takeReportRequest() -> Bool { simsan_take_report_request() != 0 }

  /// Gives the signals their usual meaning back.
  public static func disarm() { simsan_stop_on_signals(-1) }
}
