import Initiator
import Ring
import SimRing

/// What must hold when a scenario has been played.
extension Player {
  /// How long requests may take to end once all faults are lifted: longer than TCP waits between two repetitions.
  static let endTime = Interval.seconds(300)

  /// How long the world may take to come to rest once all connections are closed.
  static let settleTime = Interval.seconds(120)

  /// How long timers may be set beyond that: a script may have made what they are for as long as it likes.
  static let timerTime = Interval.seconds(86400)

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
    awaitTasks(simulation)
    guard failures.isEmpty else { return }
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
      let (sockets, operations) = (holdings(program, \.sockets), holdings(program, \.operations))
      fail(
        "resources",
        "expected the target on \(program.host) to have given everything back \(Quantity.text(Self.settleTime)) after the "
          + "last connection was closed\ncame: \(statistics.connections) connections, \(statistics.sessions) sessions, "
          + "\(statistics.tasks) tasks, \(statistics.buffers) buffers (\(program.idleBuffers) when idle), "
          + "\(sockets) sockets, \(operations) operations under way")
    }
    guard failures.isEmpty else { return }
    let last = now + Self.timerTime
    while now < last, running.contains(where: { holdings($0, \.timers) > 0 }) { playground.advance(until: last) }
    for program in running where holdings(program, \.timers) > 0 {
      fail(
        "resources",
        "expected the target on \(program.host) to set no more timers; \(Quantity.text(Self.timerTime)) after it came to rest "
          + "it still has \(holdings(program, \.timers))")
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
      && statistics.buffers <= program.idleBuffers && holdings(program, \.sockets) == 0
      && holdings(program, \.operations) == 0
  }

  /// What the rings of a program say that it holds, whatever its own books say.
  private func holdings(_ program: SimulatedPlayground.TargetProgram, _ count: KeyPath<SimRing.Holdings, Int>) -> Int {
    guard let world = playground.simulation?.world else { return 0 }
    return program.processes.reduce(0) { $0 + world.ring(of: $1).holdings[keyPath: count] }
  }

  // MARK: What is still under way

  /// With nothing wrong any more every request ends; so what a script has begun and not waited for does, too.
  private func awaitTasks(_ simulation: SimulatedPlayground) {
    let tasks = self.tasks.filter { !$0.hasEnded && !$0.session.isLost }
    guard !tasks.isEmpty, !hasOwnReason(tasks, simulation) else { return }
    func isUnderWay(_ task: ScriptTask) -> Bool { !task.hasEnded && !task.session.isLost }
    let end = now + Self.endTime
    while now < end, failures.isEmpty, tasks.contains(where: isUnderWay) {
      playground.advance(until: end)
      collectEvents()
    }
    guard failures.isEmpty, let task = tasks.first(where: isUnderWay) else { return }
    fail(
      "liveness",
      "expected the end of \(task.what) within \(Quantity.text(Self.endTime)) of the end of the script, with all faults "
        + "lifted; nothing came" + held(task) + recorder.tail())
  }

  /// What a function aborts of other nexuses ends without a word (SAM-5 §5.6).
  func excuseOthers(than management: ScriptTask) {
    for task in tasks where !task.hasEnded && task.session !== management.session { task.isCorrect = false }
  }

  /// Whether what is under way may wait for the script, or for a program that does not run: one that is deaf or silent may
  /// hold up others.
  private func hasOwnReason(_ tasks: [ScriptTask], _ simulation: SimulatedPlayground) -> Bool {
    tasks.contains { !$0.isCorrect } || connections.contains { $0.isScripted && !$0.isGone }
      || simulation.programs.contains { program in
        !program.isRunning || program.processes.contains(where: simulation.world.isPaused)
      }
  }
}
