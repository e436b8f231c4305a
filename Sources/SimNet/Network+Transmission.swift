import Ring
import SimClock

/// Segments, acknowledgements, repetitions and resets.
extension Network {
  /// The bytes that a packet adds to its data: Ethernet, IP and TCP headers.
  static let headerLength = 66

  private static let flag: UInt64 = 1 << 63

  func segmentLengthMax(_ link: Int) -> Int { max(1, links[link].options.mtu - Self.headerLength) }

  /// How long `bytes` take on a link of `bandwidth` bits a second, in nanoseconds; saturates.
  static func transmissionTime(_ bytes: UInt64, _ bandwidth: UInt64) -> UInt64 {
    guard bandwidth > 0 else { return 0 }
    let (bits, overflow) = bytes.multipliedReportingOverflow(by: 8_000_000_000)
    return overflow ? .max : bits / bandwidth
  }

  /// Transmits what the window, the link's queue and the segmentation allow.
  func pump(_ pipe: Int) {
    guard pipes[pipe].isLive, !pipes[pipe].senderGone else { return }
    let link = pipes[pipe].link
    while pipes[pipe].next < pipes[pipe].end {
      let next = pipes[pipe].next
      let written = pipes[pipe].written
      let limit = min(written, pipes[pipe].edge)
      var length: UInt64 = 0
      if next < limit {
        let full = UInt64(segmentLengthMax(link))
        length = min(limit - next, full)
        if length < full, next + length == written, !pipes[pipe].isFinished, mustWait(pipe) { return }
        let whole = length
        length = cutSegment(link, at: next, length)
        if length < whole { links[link].counters.splits += 1 }
      } else if next < written {
        counters.zeroWindows += 1
        armTimer(pipe)
        return
      }
      let isLast = pipes[pipe].isFinished && next + length == written
      let bandwidth = links[link].options.bandwidth
      if bandwidth > 0 {
        let now = timeline.now.nanoseconds
        let queueTime = Self.transmissionTime(UInt64(max(links[link].options.queueLength, 0)), bandwidth)
        let freeAt = links[link].freeAt
        let full = freeAt > now && freeAt - now > queueTime
        if full {
          if !pipes[pipe].isPumpSet {
            pipes[pipe].isPumpSet = true
            schedule(
              .pump, at: freeAt - queueTime, subject: UInt32(pipe), generation: pipes[pipe].generation)
          }
          return
        }
      }
      transmit(pipe, start: next, length: length, isLast: isLast)
      pipes[pipe].next = next + length + (isLast ? 1 : 0)
      if pipes[pipe].next > pipes[pipe].sent {
        pipes[pipe].sent = pipes[pipe].next
      } else {
        counters.retransmissions += 1
      }
    }
  }

  /// Whether a partial segment at the end of what was written waits for more.
  private func mustWait(_ pipe: Int) -> Bool {
    if pipes[pipe].isCorked {
      if !pipes[pipe].isPumpSet {
        // As on Linux, a cork holds for 200 ms at most.
        pipes[pipe].isPumpSet = true
        schedule(
          .pump, at: (timeline.now + .milliseconds(200)).nanoseconds, subject: UInt32(pipe),
          generation: pipes[pipe].generation, 1)
      }
      return true
    }
    guard isLive(pipes[pipe].sender), pipes[pipe].next > pipes[pipe].acked else { return false }
    return pipes[pipe].nagle ?? hosts[Int(sockets[Int(pipes[pipe].sender.slot)].host)].options.nagle
  }

  private func cutSegment(_ link: Int, at position: UInt64, _ length: UInt64) -> UInt64 {
    switch links[link].options.segmentation {
    case .full: return length
    case .drawn:
      // Tiny segments are the interesting ones: a quarter of all are shorter than a PDU's header.
      let bound = links[link].random.chance(1, of: 4) ? min(length, 48) : length
      return 1 + links[link].random.next(below: bound)
    case .every, .points:
      guard let point = cutPoint(link, after: position) else { return length }
      return min(length, point - position)
    }
  }

  private func transmit(_ pipe: Int, start: UInt64, length: UInt64, isLast: Bool) {
    let link = pipes[pipe].link
    counters.segments += 1
    armTimer(pipe)
    let now = timeline.now.nanoseconds
    var entered = leaveTransmission(pipe, length)
    if links[link].options.bandwidth > 0 {
      let time = Self.transmissionTime(length + UInt64(Self.headerLength), links[link].options.bandwidth)
      let (done, overflow) = max(links[link].busyUntil, entered).addingReportingOverflow(time)
      links[link].busyUntil = overflow ? .max : done
      entered = max(entered, links[link].freeAt)
    }
    pipes[pipe].leavesAt = entered
    let arrival = cross(link, after: 0)
    if let arrival {
      let (late, overflow) = arrival.addingReportingOverflow(entered - now)
      pipes[pipe].lastArrival = max(overflow ? .max : late, pipes[pipe].lastArrival)
    } else {
      counters.segmentsLost += 1
    }
    if isLive(pipes[pipe].sender) {
      let reverse = sockets[Int(pipes[pipe].sender.slot)].incoming
      if reverse >= 0, pipes[reverse].isAcknowledgementOwed {
        acknowledge(reverse, at: arrival == nil ? nil : pipes[pipe].lastArrival)
      }
    }
    guard arrival != nil else { return }
    schedule(
      .segment, at: pipes[pipe].lastArrival, subject: UInt32(pipe), generation: pipes[pipe].generation, start,
      length | (isLast ? Self.flag : 0))
  }

  func segmentArrived(_ pipe: Int, start: UInt64, lengthAndEnd: UInt64) {
    let link = pipes[pipe].link
    guard passes(link), hosts[Int(pipes[pipe].receiverHost)].isUp else {
      counters.segmentsLost += 1
      return
    }
    if let time = leaveSoftirq(Int(pipes[pipe].receiverHost), lengthAndEnd & ~Self.flag) {
      schedule(
        .segmentTaken, at: time, subject: UInt32(pipe), generation: pipes[pipe].generation, start, lengthAndEnd)
    } else {
      segmentTaken(pipe, start: start, lengthAndEnd: lengthAndEnd)
    }
  }

  /// A segment is where its bytes go into the receive buffer.
  func segmentTaken(_ pipe: Int, start: UInt64, lengthAndEnd: UInt64) {
    guard hosts[Int(pipes[pipe].receiverHost)].isUp else {
      counters.segmentsLost += 1
      return
    }
    let length = lengthAndEnd & ~Self.flag
    let receiver = pipes[pipe].receiver
    guard isLive(receiver) else {
      let isBareEnd = lengthAndEnd == Self.flag && start <= pipes[pipe].arrived
      if isBareEnd, timeline.now.nanoseconds < pipes[pipe].lingersUntil {
        pipes[pipe].arrived = max(pipes[pipe].arrived, start + 1)
        return acknowledge(pipe)
      }
      // Nobody knows this connection here any more.
      sendReset(to: pipes[pipe].sender, over: pipes[pipe].backLink, after: 0)
      return
    }
    let index = Int(receiver.slot)
    let end = start + length + (lengthAndEnd & Self.flag != 0 ? 1 : 0)
    if sockets[index].state == .failed {
      sendReset(to: pipes[pipe].sender, over: pipes[pipe].backLink, after: pipes[pipe].lastAcknowledgement)
      return
    }
    if sockets[index].state == .orphaned, length > 0, end > pipes[pipe].arrived {
      // The owner has closed the socket and will never read this.
      sendReset(to: pipes[pipe].sender, over: pipes[pipe].backLink, after: pipes[pipe].lastAcknowledgement)
      release(index)
      return
    }
    // The answer to the connection request was lost: the client does not know yet that it is connected.
    guard sockets[index].state != .connecting else { return }
    guard start <= pipes[pipe].arrived else {
      acknowledge(pipe, hasGap: true)
      return
    }
    if end > pipes[pipe].arrived {
      let old = pipes[pipe].arrived
      pipes[pipe].arrived = end
      corrupt(pipe, from: old, to: min(end, pipes[pipe].written))
      if sockets[index].wantsReadable {
        sockets[index].wantsReadable = false
        signals.append(Signal(kind: .readable, owner: sockets[index].owner))
      }
      if delaysAcknowledgement(pipe, of: index) { return }
    }
    acknowledge(pipe)
  }

  /// Whether the acknowledgement of what has just arrived waits for something to ride on.
  private func delaysAcknowledgement(_ pipe: Int, of socket: Int) -> Bool {
    let delay = hosts[Int(sockets[socket].host)].options.acknowledgementDelay
    guard delay > .zero, !pipes[pipe].hasEnded,
      pipes[pipe].arrived - pipes[pipe].acknowledged < 2 * UInt64(segmentLengthMax(pipes[pipe].link))
    else { return false }
    pipes[pipe].isAcknowledgementOwed = true
    if !pipes[pipe].isAcknowledgementTimerSet {
      pipes[pipe].isAcknowledgementTimerSet = true
      schedule(
        .delayedAcknowledgement, at: (timeline.now + delay).nanoseconds, subject: UInt32(pipe),
        generation: pipes[pipe].generation)
    }
    return true
  }

  /// Inverts a bit of what has just arrived, when a fault or the link's options say so.
  private func corrupt(_ pipe: Int, from start: UInt64, to end: UInt64) {
    guard start < end else { return }
    let link = pipes[pipe].link
    if let forced = links[link].corruptions.firstIndex(where: { $0.left > 0 }) {
      links[link].corruptions[forced].left -= 1
      links[link].corruptions[forced].done += 1
      links[link].counters.forcedCorruptions += 1
    } else {
      guard links[link].random.chance(links[link].options.corruption) else { return }
      links[link].counters.corrupted += 1
    }
    counters.segmentsCorrupted += 1
    let position = start + links[link].random.next(below: end - start)
    pipes[pipe].flip(position, bit: UInt8(links[link].random.next(below: UInt64(8))))
  }

  /// Tells the sender what has arrived and how much more may come.
  func acknowledge(_ pipe: Int, hasGap: Bool = false) {
    acknowledge(pipe, hasGap: hasGap, at: cross(pipes[pipe].backLink, after: pipes[pipe].lastAcknowledgement))
  }

  /// - Parameter arrival: When the sender hears of it, in nanoseconds; nil when it is lost.
  private func acknowledge(_ pipe: Int, hasGap: Bool = false, at arrival: UInt64?) {
    let edge = pipes[pipe].read + pipes[pipe].receiveLimit
    pipes[pipe].advertised = edge
    pipes[pipe].acknowledged = pipes[pipe].arrived
    pipes[pipe].isAcknowledgementOwed = false
    guard let arrival else { return }
    pipes[pipe].lastAcknowledgement = max(arrival, pipes[pipe].lastAcknowledgement)
    schedule(
      .acknowledgement, at: pipes[pipe].lastAcknowledgement, subject: UInt32(pipe), generation: pipes[pipe].generation,
      pipes[pipe].arrived, edge | (hasGap ? Self.flag : 0))
  }

  func acknowledgementArrived(_ pipe: Int, position: UInt64, edgeAndGap: UInt64) {
    guard passes(pipes[pipe].backLink), !pipes[pipe].senderGone, isLive(pipes[pipe].sender) else { return }
    let index = Int(pipes[pipe].sender.slot)
    guard hosts[Int(sockets[index].host)].isUp else { return }
    pipes[pipe].retries = 0
    pipes[pipe].edge = max(pipes[pipe].edge, edgeAndGap & ~Self.flag)
    // As on Linux, where MSG_MORE is for what the send itself transmits.
    pipes[pipe].isCorked = false
    if position > pipes[pipe].acked {
      let hadRoom = pipes[pipe].room
      pipes[pipe].acked = position
      pipes[pipe].next = max(pipes[pipe].next, position)
      pipes[pipe].retransmitTime = deadline(pipe)
      if sockets[index].wantsWritable, pipes[pipe].room > hadRoom {
        sockets[index].wantsWritable = false
        signals.append(Signal(kind: .writable, owner: sockets[index].owner))
      }
    } else if edgeAndGap & Self.flag != 0, pipes[pipe].acked >= pipes[pipe].recoverUntil {
      pipes[pipe].recoverUntil = pipes[pipe].next
      pipes[pipe].next = pipes[pipe].acked
    }
    pump(pipe)
    if pipes[pipe].next > pipes[pipe].acked { scheduleRetransmit(pipe) }
    if pipes[pipe].acked >= pipes[pipe].end { finishIfOrphaned(pipes[pipe].sender) }
  }

  // MARK: Repetition

  private func deadline(_ pipe: Int, after start: UInt64 = 0) -> UInt64 {
    guard isLive(pipes[pipe].sender) else { return .max }
    let host = Int(sockets[Int(pipes[pipe].sender.slot)].host)
    let first = hosts[host].options.retransmitTimeout.nanoseconds
    let (doubled, overflow) = first.multipliedReportingOverflow(by: 1 << UInt64(min(pipes[pipe].retries, 30)))
    let wait = min(overflow ? .max : doubled, hosts[host].options.retransmitTimeoutMax.nanoseconds)
    let start = max(timeline.now, Instant(nanoseconds: start))
    return (start + Interval(nanoseconds: max(wait, 1))).nanoseconds
  }

  /// Sees to it that what is under way is sent again if nothing is heard of it.
  private func armTimer(_ pipe: Int) {
    if pipes[pipe].next == pipes[pipe].acked || pipes[pipe].retransmitEventTime == .max {
      pipes[pipe].retransmitTime = deadline(pipe)
    }
    scheduleRetransmit(pipe)
  }

  /// Schedules the event of the timer, unless one is due before. After an outage the one that is under way may be minutes
  /// late.
  private func scheduleRetransmit(_ pipe: Int) {
    let time = pipes[pipe].retransmitTime
    guard time < pipes[pipe].retransmitEventTime else { return }
    pipes[pipe].retransmitEventTime = time
    schedule(.retransmit, at: time, subject: UInt32(pipe), generation: pipes[pipe].generation)
  }

  func retransmitTimerFired(_ pipe: Int) {
    let now = timeline.now.nanoseconds
    // Otherwise an earlier event has taken this one's place.
    guard pipes[pipe].retransmitEventTime <= now else { return }
    pipes[pipe].retransmitEventTime = .max
    guard !pipes[pipe].senderGone, pipes[pipe].acked < pipes[pipe].end else { return }
    guard pipes[pipe].retransmitTime <= now else { return scheduleRetransmit(pipe) }
    if pipes[pipe].leavesAt > now {
      // As on Linux: what still waits for a slow link is not lost, and sending it again would wait behind it.
      pipes[pipe].retransmitTime = deadline(pipe, after: pipes[pipe].leavesAt)
      return scheduleRetransmit(pipe)
    }
    let sender = pipes[pipe].sender
    guard isLive(sender) else { return }
    let host = Int(sockets[Int(sender.slot)].host)
    pipes[pipe].retries += 1
    guard pipes[pipe].retries <= hosts[host].options.retransmitLimit else {
      failSocket(sender, .timedOut)
      return
    }
    pipes[pipe].next = pipes[pipe].acked
    pipes[pipe].recoverUntil = 0
    pipes[pipe].retransmitTime = deadline(pipe)
    if pipes[pipe].edge <= pipes[pipe].next, pipes[pipe].next < pipes[pipe].written {
      // The window is closed: ask whether that is still so.
      transmit(pipe, start: pipes[pipe].next, length: 0, isLast: false)
    } else {
      pump(pipe)
    }
    armTimer(pipe)
  }

  // MARK: Reset

  func sendReset(to socket: SocketID, over link: Int, after earliest: UInt64) {
    counters.resets += 1
    guard isLive(socket), let arrival = cross(link, after: earliest) else { return }
    schedule(.reset, at: arrival, subject: socket.slot, generation: socket.generation)
  }

  func resetArrived(at id: SocketID) {
    guard isLive(id) else { return }
    let socket = sockets[Int(id.slot)]
    guard hosts[Int(socket.host)].isUp, passes(linkTable[socket.remoteInterface][socket.localInterface]) else { return }
    if let time = leaveSoftirq(Int(socket.host), 0) {
      schedule(.resetTaken, at: time, subject: id.slot, generation: id.generation)
    } else {
      resetTaken(at: id)
    }
  }

  func resetTaken(at id: SocketID) {
    guard isLive(id), hosts[Int(sockets[Int(id.slot)].host)].isUp else { return }
    failSocket(id, sockets[Int(id.slot)].state == .connecting ? .connectionRefused : .connectionReset)
  }

  /// Ends a connection on one side: its owner learns of `error` with the next call.
  func failSocket(_ id: SocketID, _ error: RingError) {
    guard isLive(id) else { return }
    let index = Int(id.slot)
    switch sockets[index].state {
    case .orphaned: release(index)
    case .connecting: connectFailed(id, error)
    case .established:
      sockets[index].state = .failed
      sockets[index].error = error
      let outgoing = sockets[index].outgoing
      if outgoing >= 0 {
        tap?.ended(
          connection: pipes[outgoing].connection, byClient: pipes[outgoing].isFromClient, wasReset: true,
          at: timeline.now)
        pipes[outgoing].senderGone = true
        freePipeIfDone(outgoing)
        sockets[index].outgoing = -1
      }
      // Both are told: the owner may have a receive and a send outstanding.
      sockets[index].wantsReadable = false
      sockets[index].wantsWritable = false
      signals.append(Signal(kind: .readable, owner: sockets[index].owner))
      signals.append(Signal(kind: .writable, owner: sockets[index].owner))
    case .free, .failed: break
    }
  }

  // MARK: Crashes

  /// The host loses its power: its sockets are gone, and nobody is told.
  public func powerOff(_ host: HostID) {
    hosts[Int(host.rawValue)].isUp = false
    hosts[Int(host.rawValue)].transmission.abandon()
    hosts[Int(host.rawValue)].softirq.abandon()
    hosts[Int(host.rawValue)].core.abandon()
    for index in sockets.indices where sockets[index].state != .free && sockets[index].host == host.rawValue {
      release(index)
    }
    for index in pipes.indices where pipes[index].receiverHost == host.rawValue { pipes[index].lingersUntil = 0 }
    for index in listeners.indices where listeners[index].isLive && listeners[index].host == host.rawValue {
      listeners[index].isLive = false
      listeners[index].generation &+= 1
      freeListeners.append(UInt32(index))
    }
  }

  /// The host is there again, and knows nothing of its old connections.
  public func powerOn(_ host: HostID) { hosts[Int(host.rawValue)].isUp = true }
}
