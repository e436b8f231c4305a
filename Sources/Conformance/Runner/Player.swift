import ISCSI
import Initiator
import Ring
import SimClock

/// Plays one case: runs the script's actors as coroutines on the playground's time, hands them what happens to the
/// initiators, and keeps what a failure has to show.
final class Player {
  /// What a call waits when it says nothing itself; less on a real target, where it is somebody's own time.
  var usualWait: Interval { .seconds(playground.simulation == nil ? 10 : 30) }

  /// What a case may take when it says nothing itself, of virtual time.
  static let usualTime = Interval.seconds(3600)

  /// The same on a real target: who has hung is not waited for by the hour.
  static let usualRealTime = Interval.seconds(300)

  /// The most events of one case.
  static let eventsMax: UInt64 = 20_000_000

  let each: Case
  let scenario: Scenario
  let script: Script
  let playground: any Playground
  let seed: UInt64
  let random: RandomStreams

  /// What the case may take, and when it fails for want of an end.
  let within: Interval
  let deadline: Instant

  // MARK: Actors

  /// A coroutine of the script.
  struct ActorState {
    var lua: LuaActor
    var location: SourceLocation?
    var hasEnded = false
    /// Who waits for its end.
    var waiters: [Int] = []
  }

  enum Resumption {
    case results([LuaValue])
    case failure(LuaFailure)
  }

  var actors: [ActorState] = []
  /// The places in it of those that run.
  private var actorIndex: [LuaActor: Int] = [:]
  private var waits = Waits()
  /// When a poll asks to be asked again though nothing has happened.
  private var alarm = Instant.distantFuture

  /// Has the waits polled at `time` at the latest.
  func wake(at time: Instant) { alarm = min(alarm, time) }

  private var ready: [(actor: LuaActor, with: Resumption)] = []
  /// Actors that were spawned and not yet started: a coroutine cannot be made while another one calls.
  private var spawned: [(index: Int, function: Int32, arguments: [LuaValue])] = []

  // MARK: What the script holds

  private(set) var connections: [ScriptConnection] = []
  var sessions: [ScriptSession] = []
  var tasks: [ScriptTask] = []
  var faults: [ScriptFault] = []
  /// By driver and the machine's own number.
  var connectionIndex: [ConnectionKey: Int] = [:]
  var taskIndex: [TaskKey: Int] = [:]
  var streams: [String: RandomStream] = [:]
  var durability = DurabilityModel()
  var nexuses = NexusModel()
  var expectations = OpenExpectations()

  // MARK: What is reported

  var failures: [CaseResult.Failure] = []
  private(set) var notes: [String] = []
  let recorder = LadderRecorder()
  var commandCount: UInt64 = 0
  private(set) var skipReason: String?
  /// When its last actor ended, or it failed. Behind that the world only comes to rest.
  private var endTime: Instant?

  init(_ each: Case, script: Script, playground: any Playground, seed: UInt64) {
    self.each = each
    self.script = script
    self.playground = playground
    self.seed = seed
    scenario = script.scenarios[each.scenario]
    random = RandomStreams(seed: seed)
    within = scenario.within ?? (playground.simulation == nil ? Self.usualRealTime : Self.usualTime)
    deadline = playground.now + within
    durability.add(playground.targets)
    nexuses.add(playground.targets, isFresh: playground.simulation != nil)
  }

  var now: Instant { playground.now }

  /// Keeps a connection that a driver's machine has begun.
  func keep(_ connection: ConnectionID, of driver: InitiatorDriver, to portal: SocketAddress, of target: Int)
    -> ScriptConnection
  {
    let made = ScriptConnection(
      index: connections.count, driver: driver, id: connection, target: target, portal: portal)
    connections.append(made)
    connectionIndex[ConnectionKey(driver: number(of: driver), connection: connection.rawValue)] = made.index
    return made
  }

  /// The place of a driver among all.
  func number(of driver: InitiatorDriver) -> Int { playground.drivers.firstIndex { $0 === driver } ?? 0 }

  /// The simulation, for a function that needs it.
  func simulation(for function: String) throws(LuaFailure) -> SimulatedPlayground {
    if let simulation = playground.simulation { return simulation }
    throw skipping("\(function) needs the simulation")
  }

  /// Ends the case as skipped.
  func skip(_ reason: String) { skipReason = skipReason ?? reason }

  /// Ends the case as skipped; the error ends the script.
  func skipping(_ reason: String) -> LuaFailure {
    skip(reason)
    return LuaFailure(reason, stops: true)
  }

  // MARK: Playing

  /// Plays the case to its end.
  func play() {
    script.player = self
    defer {
      script.player = nil
      // What waits for something holds the player.
      waits = Waits()
      ready = []
      spawned = []
    }
    let arguments: [LuaValue] = [.handle(.target, 0), each.argument]
    spawn(scenario.play, arguments, at: scenario.location)
    run()
    endTime = now
    if failures.isEmpty, skipReason == nil, let place = expectations.first {
      fail(
        "script", "expect(…): expected what must hold, such as :good() or :equals(…), found nothing behind it",
        at: place)
    }
    if failures.isEmpty, skipReason == nil {
      finish()
    } else if playground.simulation == nil {
      // Somebody's own target plays on with the next case.
      closeConnections()
    }
  }

  private func run() {
    while failures.isEmpty, skipReason == nil {
      collectEvents()
      settleWaits()
      startSpawned()
      if !ready.isEmpty {
        let batch = ready
        ready.removeAll()
        for (actor, resumption) in batch where failures.isEmpty && skipReason == nil { resume(actor, resumption) }
        continue
      }
      if waits.isEmpty { return }
      if now >= deadline || playground.eventCount > Self.eventsMax {
        stall()
        return
      }
      let next = min(waits.nextDeadline() ?? deadline, alarm, deadline)
      alarm = .distantFuture
      playground.advance(until: next)
    }
  }

  private func stall() {
    let time = "\(Quantity.text(within))\(playground.simulation == nil ? "" : " of virtual time")"
    let bound = now >= deadline ? time : "\(Self.eventsMax) events"
    let waiting = waits.all.map { "\($0.location.map { $0.description + ": " } ?? "")\($0.what)" }
    fail(
      "liveness", "expected the case to end within \(bound); it still waits for\n  " + waiting.joined(separator: "\n  ")
    )
  }

  /// Makes an actor of a function of the script, to be started soon. Its index.
  @discardableResult
  func spawn(_ function: Int32, _ arguments: [LuaValue], at location: SourceLocation?) -> Int {
    actors.append(ActorState(lua: LuaActor(number: -1), location: location))
    spawned.append((actors.count - 1, function, arguments))
    return actors.count - 1
  }

  private func startSpawned() {
    let batch = spawned
    spawned.removeAll()
    for (index, function, arguments) in batch {
      // The actor holds it from here on.
      defer { script.state.release(function) }
      do {
        let actor = try script.state.start(function, arguments)
        actors[index].lua = actor
        actorIndex[actor] = index
        ready.append((actor, .results([])))
      } catch {
        fail("script", error.message, at: actors[index].location)
      }
    }
  }

  private func resume(_ actor: LuaActor, _ resumption: Resumption) {
    let outcome =
      switch resumption {
      case .results(let values): script.state.resume(actor, values)
      case .failure(let failure): script.state.resume(actor, failing: failure)
      }
    switch outcome {
    case .waiting: break
    case .finished: ended(actor)
    case .failed(let failure, let traceback):
      ended(actor)
      // A stopped script has already been noted, or is skipped.
      if failures.isEmpty, skipReason == nil { fail("script", failure.message, traceback: traceback) }
      if let last = failures.indices.last, failures[last].source != nil {
        failures[last].source? += script.callers(in: traceback).map { "\n  called in line \($0.line): \($0.text)" }
          .joined()
      }
    }
  }

  private func ended(_ actor: LuaActor) {
    guard let index = actorIndex.removeValue(forKey: actor) else { return }
    actors[index].hasEnded = true
    waits.stir(&actors[index].waiters)
  }

  // MARK: Waiting

  /// Lets the calling actor wait until `poll` has results.
  ///
  /// - Parameters:
  ///   - subject: What `poll` looks at; it is asked again when something has happened to that.
  ///   - within: How long; ``usualWait`` when nil.
  ///   - timeout: What happens then; an error that names what was waited for when nil.
  func wait(
    _ call: LuaCall, for what: String, on subject: Waits.Subject, within: Interval?,
    timeout: (() throws(LuaFailure) -> [LuaValue])? = nil,
    _ poll: @escaping () throws(LuaFailure) -> [LuaValue]?
  ) throws(LuaFailure) -> LuaAnswer {
    collectEvents()
    if let values = try poll() { return .results(values) }
    guard call.mayWait else {
      throw LuaFailure("\(what): cannot be waited for within a callback of a library function")
    }
    let within = within ?? usualWait
    let expired: () throws(LuaFailure) -> [LuaValue] = { [unowned self] () throws(LuaFailure) in
      var message = "expected \(what) within \(Quantity.text(within)); nothing came"
      if case .task(let task) = subject { message += held(task) }
      message += recorder.tail()
      fail("liveness", message, at: call.location)
      throw LuaFailure(message, stops: true)
    }
    let wait = Waits.Wait(
      actor: call.actor, deadline: now + within, what: what, location: call.location, poll: poll,
      timeout: timeout ?? expired)
    let number = waits.add(wait, on: subject)
    switch subject {
    case .anything, .time: break
    case .task(let task): waits.join(number, &task.waiters)
    case .connection(let connection): waits.join(number, &connection.waiters)
    case .actors(let indices): for index in indices { waits.join(number, &actors[index].waiters) }
    }
    return .wait
  }

  /// What keeps a request on this side, for a message; empty when nothing does.
  func held(_ task: ScriptTask) -> String {
    let connection = task.session.connection
    let machine = connection.driver.machine
    guard machine.initiatorTaskTag(of: task.id, on: connection.id) == nil,
      let session = machine.status(of: connection.id).flatMap({ machine.status(of: $0.session) }), session.waiting > 0
    else { return "" }
    return "\nit was not sent: the target takes commands up to MaxCmdSN \(session.maxCmdSN), and the next has CmdSN "
      + "\(session.cmdSN)"
  }

  /// Something has happened to a connection, or to a task.
  func stir(_ connection: ScriptConnection) { waits.stir(&connection.waiters) }
  func stir(_ task: ScriptTask) { waits.stir(&task.waiters) }

  private func settleWaits() {
    // In the order in which they began to wait, so that ties are the same in every run.
    var last = 0
    for number in waits.takeStirred(at: now) where number != last && failures.isEmpty {
      last = number
      guard let wait = waits[number] else { continue }
      let resumption: Resumption?
      do throws(LuaFailure) {
        if let values = try wait.poll() {
          resumption = .results(values)
        } else if now >= wait.deadline {
          resumption = .results(try wait.timeout())
        } else {
          resumption = nil
        }
      } catch {
        resumption = .failure(error)
      }
      if let resumption {
        waits.end(number)
        ready.append((wait.actor, resumption))
      }
    }
  }

  // MARK: Failures and notes

  /// Records what is wrong; the case ends soon.
  func fail(_ oracle: String, _ message: String, at location: SourceLocation? = nil, traceback: String = "") {
    failures.append(
      CaseResult.Failure(
        oracle: oracle, message: Self.start(of: message, 65536), location: location?.description,
        source: location.flatMap(script.source), traceback: traceback, time: now.nanoseconds))
  }

  /// Notes a line that the script printed.
  func note(_ line: String, at location: SourceLocation?) {
    guard notes.count < 1000 else { return }
    let place = location.map { $0.description + ": " } ?? ""
    notes.append("\(Reports.seconds(now.nanoseconds)) \(place)\(Self.start(of: line, 4096))")
  }

  /// As much of a text as a report takes: what a script prints or compares may be as long as its memory.
  private static func start(of text: String, _ most: Int) -> String {
    let scalars = text.unicodeScalars
    guard let end = scalars.index(scalars.startIndex, offsetBy: most, limitedBy: scalars.endIndex),
      end < scalars.endIndex
    else { return text }
    return text[..<end] + "…"
  }

  /// The draws of the script at one site.
  func draw(_ site: String, in range: ClosedRange<Int>) -> Int {
    var stream = streams[site] ?? random.stream("script.\(site)")
    defer { streams[site] = stream }
    return stream.integer(in: range)
  }

  /// As many bytes drawn at one site: it is looked up once, however long its name is.
  func drawBytes(_ site: String, count: Int) -> [UInt8] {
    var stream = streams[site] ?? random.stream("script.\(site)")
    defer { streams[site] = stream }
    return (0..<count).map { _ in UInt8(stream.integer(in: 0...255)) }
  }

  // MARK: The result

  /// What became of the case.
  func result(index: Int) -> CaseResult {
    var result = CaseResult(each, index: index, seed: seed)
    result.failures = failures
    result.notes = notes
    result.commands = commandCount
    if let skipReason {
      result.outcome = .skipped
      result.reason = skipReason
      result.failures = []
    } else if !failures.isEmpty {
      result.outcome = .failed
      result.ladder = recorder.entries()
    }
    result.virtualTime = (endTime ?? now).nanoseconds
    if playground.simulation != nil {
      result.traceHash = playground.traceHash
      result.steps = playground.eventCount
    }
    return result
  }
}
