import ISCSI
import Ring

/// What is noted for whoever runs the target.
extension TargetCore {
  /// Notes something about a connection, of whose initiator it says what is known.
  mutating func note(_ kind: TargetEvent.Kind, _ connection: UnsafeMutablePointer<Connection>) {
    var event = TargetEvent(kind)
    if connection.pointee.phase != .accepted {
      event.remoteAddress = connection.pointee.remoteAddress
      event.localAddress = connection.pointee.localAddress
    }
    if let session = connection.pointee.session {
      event.initiator = session.pointee.initiatorName
      event.target = session.pointee.node >= 0 ? nodes[Int(session.pointee.node)].configuration.name : nil
    } else if let identity = connection.pointee.login?.identity {
      event.initiator = identity.initiatorName.isEmpty ? nil : identity.initiatorName
      event.target = identity.targetName
    }
    journal.note(event)
  }

  /// Notes the end of a connection, unless it is over already, or has come only to see whether somebody listens.
  mutating func noteEnd(_ connection: UnsafeMutablePointer<Connection>, _ end: ConnectionEnd) {
    switch connection.pointee.phase {
    case .free, .draining, .closing:
      return
    case .accepted, .login:
      let hasSaidNothing = connection.pointee.login == nil && connection.pointee.available == 0
      if hasSaidNothing, end == .closedByInitiator || end == .broken(.connectionReset) { return }
    case .reinstating, .leaving, .fullFeature:
      break
    }
    note(.ended(end), connection)
  }

  /// Notes that a connection was turned away before anything was known of it.
  mutating func noteTurnedAway(_ reason: TargetEvent.NoRoom, at portal: Int) {
    var event = TargetEvent(.turnedAway(reason))
    event.localAddress = configuration.portals[portal].address
    journal.note(event)
  }

  /// Notes a failure of the medium that a task asked something of.
  mutating func noteFailure(_ error: RingError, of task: UnsafeMutablePointer<Task>) {
    guard let reference = task.pointee.unit?.reference else { return }
    let unit = self.unit(reference)
    noteMedium(
      .mediumFailed(
        command: unit.name(of: task.pointee.command), lun: unit.configuration.lun, lba: task.pointee.command.lba, error),
      of: reference)
  }

  /// Notes that a medium that hung goes on.
  mutating func noteAnswer(after wait: Interval, of task: UnsafeMutablePointer<Task>) {
    guard let reference = task.pointee.unit?.reference else { return }
    noteMedium(.mediumAnswers(lun: unit(reference).configuration.lun, after: wait), of: reference)
  }

  /// Notes the media that begin to hang. When the next one would have to be looked at.
  mutating func watchMedia() -> Instant {
    var next = Instant.distantFuture
    for node in nodes.indices {
      for (index, unit) in nodes[node].units.enumerated() {
        if unit.watch.beginsToHang(at: context.now) {
          let reference = UnitReference(node: Int32(node), unit: UInt32(index))
          noteMedium(.mediumHangs(lun: unit.configuration.lun), of: reference)
        }
        next = min(next, unit.watch.deadline ?? .distantFuture)
      }
    }
    return next
  }

  private func unit(_ reference: UnitReference) -> LogicalUnit {
    nodes[Int(reference.node)].units[Int(reference.unit)]
  }

  private mutating func noteMedium(_ kind: TargetEvent.Kind, of reference: UnitReference) {
    var event = TargetEvent(kind)
    event.target = nodes[Int(reference.node)].configuration.name
    journal.note(event)
  }

  /// The sessions that there are.
  var sessionSummaries: [SessionSummary] {
    var summaries: [SessionSummary] = []
    for index in 0..<sessions.touched {
      let session = sessions[index]
      guard session.pointee.phase != .free else { continue }
      let node = session.pointee.node
      summaries.append(
        SessionSummary(
          initiator: session.pointee.initiatorName,
          target: node >= 0 ? nodes[Int(node)].configuration.name : nil, isDiscovery: session.pointee.isDiscovery,
          remoteAddress: session.pointee.connection?.pointee.remoteAddress,
          localAddress: session.pointee.connection?.pointee.localAddress, tasks: session.pointee.taskCount))
    }
    return summaries
  }
}
