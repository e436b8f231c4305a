import Initiator
import Ring

/// What must hold when a scenario has been played.
extension Player {
  /// How long the world may take to come to rest once all connections are closed.
  static let settleTime = Interval.seconds(120)

  func finish() {
    for fault in faults where !fault.mayMiss && fault.fired() == 0 {
      fail(
        "fault", "expected \(fault.name) to strike; it never did (if it need not, say may_miss = true)",
        at: fault.location)
    }
    for fault in faults { fault.lift() }
    guard let simulation = playground.simulation else {
      closeConnections()
      return
    }
    askToClose()
    let end = now + Self.settleTime
    let running = simulation.programs.filter(\.isRunning)
    while now < end, failures.isEmpty {
      collectEvents()
      // The last events of a connection come before the last completions of its operations.
      let areDriversAtRest = playground.drivers.allSatisfy { $0.machine.bytesInUse == 0 }
      if running.allSatisfy({ isAtRest($0) }), connections.allSatisfy(\.isGone), areDriversAtRest { break }
      playground.advance(until: end)
    }
    guard failures.isEmpty else { return }
    for program in running {
      guard let statistics = program.statistics, !isAtRest(program) else { continue }
      fail(
        "resources",
        "expected the target on \(program.host) to have given everything back \(Quantity.text(Self.settleTime)) after the "
          + "last connection was closed\ncame: \(statistics.connections) connections, \(statistics.sessions) sessions, "
          + "\(statistics.tasks) tasks, \(statistics.buffers) buffers (\(program.idleBuffers) when idle)")
    }
    for driver in playground.drivers where driver.machine.bytesInUse != 0 {
      fail(
        "resources", "the initiator on \(driver.host) still has \(driver.machine.bytesInUse) bytes of buffers in use")
    }
    for defect in simulation.world.defects.prefix(3) {
      fail("program", "a machine broke a rule of its ring: \(defect)")
    }
  }

  /// Also those whose stream the target has ended: a script may have told the initiator to leave them open.
  private func askToClose() {
    for connection in connections { try? connection.driver.machine.close(connection.id) }
  }

  /// Closes the connections to a real target, and lets the requests to do so go out.
  func closeConnections() {
    askToClose()
    let end = now + .seconds(2)
    while connections.contains(where: { !$0.isGone }), now < end {
      playground.advance(until: end)
      collectEvents()
    }
  }

  private func isAtRest(_ program: SimulatedPlayground.TargetProgram) -> Bool {
    guard let statistics = program.statistics else { return true }
    return statistics.connections == 0 && statistics.sessions == 0 && statistics.tasks == 0
      && statistics.buffers <= program.idleBuffers
  }
}
