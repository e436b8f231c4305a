import Ring
import SimClock
import SimDisk
import SimNet

/// A simulated process: one machine on one host, through all its lives.
public struct ProcessID: Hashable, Sendable {
  public var rawValue: UInt32

  public init(_ rawValue: UInt32) { self.rawValue = rawValue }

  /// What messages to this process are posted to.
  public var machine: MachineID { MachineID(rawValue) }
}

/// A simulated medium.
public struct DiskID: Hashable, Sendable {
  public var rawValue: UInt32

  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// One simulation: virtual time, hosts, links, media and processes. A run is a pure function of the seed and of the
/// calls that are made here.
///
///     let world = World(seed: 7)
///     let server = world.addHost("target", addresses: [SocketAddress(10, 0, 0, 1, port: 0)])
///     let disk = world.addDisk("lun0", on: server)                       // DiskOptions: size, cache, latencies
///     let target = world.addProcess("target", on: server)
///     let ring = world.ring(of: target)                                  // listen and open before the machine is made
///     let listener = try ring.listen(at: SocketAddress(10, 0, 0, 1, port: 3260), backlog: 128).listener
///     let medium = ring.open(disk)
///     world.start(target, machine)                                       // stepped from now on
///
/// **Time.** ``advanceOneInstant()`` goes to the next event and handles everything that is due then; ``run(until:)``
/// and ``run(until:orUntil:)`` repeat that. A machine is stepped once for all completions that are due at an instant,
/// and again a step time later at the earliest; what arrives meanwhile waits and makes one batch. ``ThreadWork`` says
/// what else a step takes.
///
/// **Faults.** ``crash(_:)`` ends a process whose host stays up: its sockets are closed or reset by the kernel, and
/// what the disks have cached stays. ``powerOff(_:)`` ends all processes of a host, silently for the network, and
/// leaves a crash image on its disks. ``pause(_:)`` and ``resume(_:)`` stop a machine whose kernel goes on. Links are
/// changed through ``network``, media through ``disk(_:)``; the room FaultInject puts names, handles and a ledger to
/// all this. Afterwards listen and open on the same ring again, then ``start(_:_:through:)`` a new machine.
///
/// **Trace.** ``hash`` and ``trace`` (checkpoints; with `trace.record(range)` the steps of a part); see ``Trace``.
///
/// **Watching.** ``network``'s `tap` sees the bytes of all connections; ``defects`` lists what machines did against the
/// rules of their ring.
public final class World {
  /// What a machine did that it may not do.
  public struct Defect: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
      /// A token was used for a second operation while the first was outstanding.
      case tokenReused
      /// A second receive on one socket.
      case secondReceive
      /// A second send on one socket.
      case secondSend
      /// Memory was written while an operation owned it. Looked for with ``World/checksBuffers``.
      case bufferChanged
    }

    public var kind: Kind
    public var process: ProcessID
    public var operation: Operation.Kind
    public var token: Token
    public var time: Instant
  }

  struct Process {
    var name: String
    var host: HostID
    var ring: SimRing
    var machine: (any Machine)?
    /// What the machine's operations go through: its ring, or a fault's filter in front of it.
    var front: any Ring
    /// How many faults presently hold it.
    var pauses = 0
    var isPaused: Bool { pauses > 0 }
    /// A step event is under way.
    var isStepSet = false
    var hasStarted = false
    /// When it may be stepped again, in nanoseconds.
    var busyUntil: UInt64 = 0
    var stepTime = Interval.microseconds(1)
    var completions: [Completion] = []
    var operations = Operations()
    var stepCount: UInt64 = 0
    var work = ThreadWork()
    var counters = Stage.Counters()
    /// A step is under way: `operations` begin when its work is done. With `isEndDue` it was done during a pause.
    var isWorking = false
    var isEndDue = false
    /// The step to come follows the last one at once, without ``ThreadWork/wake``.
    var isAwake = false
  }

  /// The kinds of the ring room's events.
  enum EventKind: UInt8 {
    case step
    case timer
    case access
    /// The work of a step is done.
    case end
  }

  public let timeline: Timeline
  public let network: Network

  var processes: [Process] = []
  var disks: [Disk] = []
  var diskHosts: [HostID] = []

  /// True while events are handled: a ring that is reaped then does not let time pass.
  private(set) var isHandling = false

  /// Handles the events of the room `fault`.
  public var faultHandler: (any EventHandler)?

  public private(set) var defects: [Defect] = []

  /// Looks for machines that touch memory which the ring owns: what a receive or a read will fill is filled with
  /// rubbish first, and memory of an outstanding operation that changes is a ``Defect``. Costs time; off by default.
  public var checksBuffers = false

  /// Events handled so far.
  public private(set) var eventCount: UInt64 = 0

  public init(seed: UInt64) {
    timeline = Timeline(seed: seed)
    network = Network(timeline: timeline)
  }

  // MARK: Time and trace

  /// Virtual time.
  public var now: Instant { timeline.now }

  /// The hash of everything that has happened.
  public var hash: TraceHash { timeline.trace.hash }

  /// The trace; ask it to record before the run.
  public var trace: Trace {
    get { timeline.trace }
    set { timeline.trace = newValue }
  }

  /// The seed's random streams, for whoever draws above.
  public var random: RandomStreams { timeline.random }

  /// When the next event is due; nil when nothing will happen by itself.
  public var nextTime: Instant? { timeline.nextTime }

  /// Goes to the time of the next event and handles all that is due then. False when there was none.
  @discardableResult
  public func advanceOneInstant() -> Bool {
    guard let next = timeline.nextTime else { return false }
    timeline.advance(to: next)
    handleDue()
    return true
  }

  /// Handles everything up to `time`, and leaves the clock there.
  public func run(until time: Instant) {
    while let next = timeline.nextTime, next <= time { advanceOneInstant() }
    timeline.advance(to: time)
  }

  /// Handles one instant after the other until `condition` holds, which is asked before each of them, or until `limit`
  /// has come. Whether the condition holds.
  @discardableResult
  public func run(until condition: () -> Bool, orUntil limit: Instant) -> Bool {
    while !condition() {
      guard let next = timeline.nextTime, next <= limit else {
        if limit < .distantFuture { timeline.advance(to: limit) }
        return condition()
      }
      advanceOneInstant()
    }
    return true
  }

  /// Handles what is due now.
  func handleDue() {
    guard !isHandling else { return }
    isHandling = true
    defer { isHandling = false }
    while let event = timeline.popDue() {
      eventCount += 1
      timeline.record(
        .event, detail: event.room.rawValue << 5 | event.kind, subject: event.subject, event.first, event.second)
      switch event.room {
      case .network: network.handle(event)
      case .ring: handle(event)
      case .fault: faultHandler?.handle(event)
      }
      deliverSignals()
    }
  }

  private func handle(_ event: Event) {
    let index = Int(event.subject)
    guard let kind = EventKind(rawValue: event.kind), index < processes.count else { return }
    let ring = processes[index].ring
    guard ring.incarnation == event.generation else { return }
    switch kind {
    case .step: stepDue(index)
    case .end: endStep(index)
    case .timer: ring.fireTimers()
    case .access: ring.finishAccess(Int(truncatingIfNeeded: event.first), generation: event.second)
    }
  }

  /// Tells the rings what the network has said.
  func deliverSignals() {
    guard !network.signals.isEmpty else { return }
    var next = 0
    while next < network.signals.count {
      let signal = network.signals[next]
      next += 1
      let process = Int(signal.owner >> 32)
      if process < processes.count { processes[process].ring.handle(signal) }
    }
    network.signals.removeAll(keepingCapacity: true)
  }

  func schedule(
    _ kind: EventKind, at time: UInt64, _ process: ProcessID, _ incarnation: UInt32, _ first: UInt64 = 0,
    _ second: UInt64 = 0
  ) {
    timeline.schedule(
      Event(
        time: time, room: .ring, kind: kind.rawValue, subject: process.rawValue, generation: incarnation, first: first,
        second: second))
  }

  // MARK: Steps

  /// A completion waits for the process: steps it when it may be.
  func wake(_ process: ProcessID) {
    let index = Int(process.rawValue)
    guard !processes[index].isStepSet, processes[index].machine != nil, !processes[index].isPaused else { return }
    guard !processes[index].isWorking else {
      processes[index].isAwake = true
      return
    }
    processes[index].isStepSet = true
    schedule(.step, at: stepTime(index), process, processes[index].ring.incarnation)
  }

  private func stepDue(_ index: Int) {
    processes[index].isStepSet = false
    guard let machine = processes[index].machine, !processes[index].isPaused else { return }
    // What else is due now belongs to the same batch.
    if let next = timeline.next, next.time == timeline.now.nanoseconds,
      next.room != .ring || next.kind != EventKind.step.rawValue
    {
      processes[index].isStepSet = true
      schedule(
        .step, at: timeline.now.nanoseconds, ProcessID(UInt32(index)), processes[index].ring.incarnation)
      return
    }
    var completions: [Completion] = []
    swap(&completions, &processes[index].completions)
    processes[index].front.reap(into: &completions, until: .zero)
    if !completions.isEmpty || !processes[index].hasStarted {
      processes[index].hasStarted = true
      processes[index].busyUntil = (timeline.now + processes[index].stepTime).nanoseconds
      processes[index].stepCount += 1
      timeline.record(.step, detail: 0, subject: UInt32(index), UInt64(completions.count))
      var operations = Operations()
      swap(&operations, &processes[index].operations)
      machine.step(completions, now: processes[index].front.now, into: &operations)
      if processes[index].machine === machine, !processes[index].work.isNone {
        swap(&operations, &processes[index].operations)
        beginWork(index, completions: completions.count)
      } else {
        // A machine that was crashed meanwhile has nothing left to say.
        if processes[index].machine === machine { processes[index].front.submit(&operations) }
        operations.removeAll()
        swap(&operations, &processes[index].operations)
      }
    }
    completions.removeAll(keepingCapacity: true)
    swap(&completions, &processes[index].completions)
  }

  func note(_ kind: Defect.Kind, _ process: ProcessID, _ operation: Operation) {
    defects.append(
      Defect(kind: kind, process: process, operation: operation.kind, token: operation.token, time: timeline.now))
  }

  // MARK: Building

  /// Adds a host with an interface for each address; ports are ignored.
  public func addHost(
    _ name: String, addresses: [SocketAddress], options: HostOptions = HostOptions()
  ) -> HostID {
    network.addHost(name, addresses: addresses, options: options)
  }

  /// Adds a medium that belongs to a host: when that loses its power, so does the medium. Names differ, since the
  /// medium's random streams are derived from its name.
  public func addDisk(_ name: String, on host: HostID, options: DiskOptions = DiskOptions()) -> DiskID {
    disks.append(Disk(name: name, options: options, timeline: timeline))
    diskHosts.append(host)
    return DiskID(UInt32(disks.count - 1))
  }

  /// The medium of that number.
  public func disk(_ id: DiskID) -> Disk { disks[Int(id.rawValue)] }

  /// The host that a medium belongs to.
  public func host(of disk: DiskID) -> HostID { diskHosts[Int(disk.rawValue)] }

  /// Adds a process without a machine. Its ring can listen and open media, and can be driven by hand.
  public func addProcess(_ name: String, on host: HostID) -> ProcessID {
    let id = ProcessID(UInt32(processes.count))
    let ring = SimRing(world: self, process: id, host: host)
    processes.append(Process(name: name, host: host, ring: ring, machine: nil, front: ring))
    return id
  }

  /// The ring of a process.
  public func ring(of process: ProcessID) -> SimRing { processes[Int(process.rawValue)].ring }

  func ring(for machine: MachineID) -> SimRing? {
    Int(machine.rawValue) < processes.count ? processes[Int(machine.rawValue)].ring : nil
  }

  /// The host that a process runs on.
  public func host(of process: ProcessID) -> HostID { processes[Int(process.rawValue)].host }

  /// The name of a process.
  public func name(of process: ProcessID) -> String { processes[Int(process.rawValue)].name }

  /// How often the machine of a process was stepped.
  public func stepCount(of process: ProcessID) -> UInt64 { processes[Int(process.rawValue)].stepCount }

  /// Whether a process stands still; see ``pause(_:)``.
  public func isPaused(_ process: ProcessID) -> Bool { processes[Int(process.rawValue)].isPaused }

  /// Whether a process has a machine.
  public func isRunning(_ process: ProcessID) -> Bool { processes[Int(process.rawValue)].machine != nil }

  /// Gives a process its machine, which is stepped from now on, first without completions.
  ///
  /// - Parameter front: A filter around the process's ring that its operations go through.
  public func start(_ process: ProcessID, _ machine: any Machine, through front: (any Ring)? = nil) {
    let index = Int(process.rawValue)
    timeline.record(.intervention, detail: 1, subject: process.rawValue)
    processes[index].machine = machine
    processes[index].front = front ?? processes[index].ring
    processes[index].ring.arena = machine.arena
    processes[index].hasStarted = false
    processes[index].isStepSet = false
    processes[index].isWorking = false
    processes[index].isEndDue = false
    processes[index].isAwake = false
    processes[index].busyUntil = timeline.now.nanoseconds
    wake(process)
  }

  /// Lets a ring be driven by hand: operations refer to `arena`.
  public func attach(_ arena: Arena, to process: ProcessID) { processes[Int(process.rawValue)].ring.arena = arena }

  /// The time that a step takes, at least.
  public func setStepTime(_ time: Interval, of process: ProcessID) {
    processes[Int(process.rawValue)].stepTime = time
  }

  // MARK: What goes wrong

  /// The machine stops; its kernel goes on. Completions wait, until ``resume(_:)`` was called as often. A new machine of the
  /// process waits as well.
  public func pause(_ process: ProcessID) {
    timeline.record(.intervention, detail: 2, subject: process.rawValue)
    processes[Int(process.rawValue)].pauses += 1
  }

  /// Lets the machine of a process go on, when it was called as often as ``pause(_:)``.
  public func resume(_ process: ProcessID) {
    timeline.record(.intervention, detail: 3, subject: process.rawValue)
    let index = Int(process.rawValue)
    guard processes[index].isPaused else { return }
    processes[index].pauses -= 1
    guard !processes[index].isPaused else { return }
    if processes[index].isEndDue { endStep(index) }
    wake(process)
  }

  /// The process dies and its host stays up: the kernel closes its sockets, with a reset where bytes were unread, and
  /// resets what nobody had accepted; writes under way may still happen; what media have cached stays cached.
  public func crash(_ process: ProcessID) {
    timeline.record(.intervention, detail: 4, subject: process.rawValue)
    let index = Int(process.rawValue)
    let ring = processes[index].ring
    ring.abandonWrites(isCutOff: false)
    ring.closeSockets()
    end(index)
    deliverSignals()
  }

  private func end(_ index: Int) {
    processes[index].ring.forget()
    processes[index].machine = nil
    processes[index].front = processes[index].ring
    processes[index].isStepSet = false
    processes[index].isWorking = false
    processes[index].isEndDue = false
    processes[index].operations.removeAll()
    processes[index].completions.removeAll(keepingCapacity: true)
  }

  /// The host loses its power: its processes are gone, the network hears nothing, and of what its media had cached any
  /// part survives.
  public func powerOff(_ host: HostID) {
    timeline.record(.intervention, detail: 5, subject: host.rawValue)
    for index in processes.indices where processes[index].host == host {
      processes[index].ring.abandonWrites(isCutOff: true)
    }
    network.powerOff(host)
    for index in processes.indices where processes[index].host == host { end(index) }
    for index in disks.indices where diskHosts[index] == host { disks[index].crash() }
  }

  /// The host is there again, without any process.
  public func powerOn(_ host: HostID) {
    timeline.record(.intervention, detail: 6, subject: host.rawValue)
    network.powerOn(host)
  }

  /// Takes a fault of a medium back, and lets go what it held.
  public func lift(_ fault: DiskFaultID, on disk: DiskID) {
    timeline.record(.intervention, detail: 7, subject: disk.rawValue)
    disks[Int(disk.rawValue)].lift(fault)
    for index in processes.indices { processes[index].ring.releaseStuck(Int(disk.rawValue), heldBy: fault) }
  }

  /// The clock of a process jumps forwards: timers that are due by it complete now.
  public func jumpClock(of process: ProcessID, by distance: Interval) {
    timeline.record(.intervention, detail: 9, subject: process.rawValue, distance.nanoseconds)
    let ring = processes[Int(process.rawValue)].ring
    ring.clock.jump(by: distance, now: timeline.now)
    ring.timerEventTime = .max
    ring.scheduleTimers()
  }

  /// The clock of a process runs faster or, with a negative value, slower from now on, beside what it drifts already: the
  /// same with the other sign takes it back.
  public func addClockDrift(of process: ProcessID, partsPerMillion: Int) {
    let ring = processes[Int(process.rawValue)].ring
    ring.clock.addDrift(partsPerMillion: partsPerMillion, now: timeline.now)
    timeline.record(.intervention, detail: 10, subject: process.rawValue, UInt64(bitPattern: Int64(ring.clock.drift)))
    ring.timerEventTime = .max
    ring.scheduleTimers()
  }

  /// The process has no descriptors left: its accepts and connects fail as out of resources, until
  /// ``endShortage(of:)`` was called as often.
  public func beginShortage(of process: ProcessID) {
    timeline.record(.intervention, detail: 11, subject: process.rawValue)
    processes[Int(process.rawValue)].ring.shortages += 1
  }

  /// Gives the process descriptors again, when it was called as often as ``beginShortage(of:)``.
  public func endShortage(of process: ProcessID) {
    timeline.record(.intervention, detail: 12, subject: process.rawValue)
    let ring = processes[Int(process.rawValue)].ring
    ring.shortages = max(0, ring.shortages - 1)
  }

  /// How often an operation of the process met a shortage.
  public func shortageCount(of process: ProcessID) -> UInt64 { processes[Int(process.rawValue)].ring.shortageCount }

  /// The processes of a host that have a machine.
  public func runningProcesses(on host: HostID) -> [ProcessID] {
    processes.indices.filter { processes[$0].host == host && processes[$0].machine != nil }
      .map { ProcessID(UInt32($0)) }
  }

  /// Resets the connections of a host (with `other`, or all; of one path, where addresses are given), as a middlebox does.
  ///
  /// - Parameter ofPeersAlone: Only the other ends learn of it; those on `host` do when they send.
  /// - Returns: How many there were.
  @discardableResult
  public func resetConnections(
    of host: HostID, at address: SocketAddress? = nil, with other: HostID? = nil, at otherAddress: SocketAddress? = nil,
    ofPeersAlone: Bool = false
  ) -> Int {
    timeline.record(.intervention, detail: 8, subject: host.rawValue)
    let connections = network.connections(of: host, at: address, with: other, at: otherAddress)
    let count = connections.count { network.injectReset($0, ofPeerAlone: ofPeersAlone) }
    deliverSignals()
    return count
  }

  /// Folds a decision of the layer above into the trace.
  public func record(_ detail: UInt8, subject: UInt32, _ first: UInt64 = 0, _ second: UInt64 = 0) {
    timeline.record(.intervention, detail: 0x80 | detail, subject: subject, first, second)
  }
}

/// Handles the events of a room that the world does not know.
public protocol EventHandler: AnyObject {
  func handle(_ event: Event)
}
