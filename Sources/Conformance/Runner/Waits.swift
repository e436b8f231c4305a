import Ring
import SimClock

/// The actors that wait for something, in the order in which they began to. Only those are asked for whom something has
/// happened or whose time has come, so that each of thousands costs what one costs.
struct Waits {
  /// An actor that waits for something.
  struct Wait {
    var actor: LuaActor
    var deadline: Instant
    /// In words, for a case that makes no progress.
    var what: String
    var location: SourceLocation?
    /// The results once they are there; nil before.
    var poll: () throws(LuaFailure) -> [LuaValue]?
    /// The results, or the error, when the deadline has come first.
    var timeout: () throws(LuaFailure) -> [LuaValue]
  }

  /// What has to happen before it is worth while to ask once more, if it is not the deadline.
  enum Subject {
    case anything
    /// Only time passes.
    case time
    case task(ScriptTask)
    case connection(ScriptConnection)
    /// The end of one of them, by their indices.
    case actors([Int])
  }

  /// By their numbers, which count them from the first one on.
  private var waits: [Int: Wait] = [:]
  private var begun = 0
  /// Those that are asked whatever has happened, and those for whom something has.
  private var restless: [Int] = []
  private var stirred: [Int] = []
  /// An event for each deadline, with the number; also of those that have ended before.
  private var deadlines = EventQueue()

  var isEmpty: Bool { waits.isEmpty }

  /// All of them, oldest first.
  var all: [Wait] { waits.keys.sorted().compactMap { waits[$0] } }

  private func isOpen(_ number: Int) -> Bool { waits.index(forKey: number) != nil }

  /// Adds one. Its number.
  mutating func add(_ wait: Wait, on subject: Subject) -> Int {
    begun += 1
    waits[begun] = wait
    // Nobody else handles it: the number says all.
    deadlines.push(
      Event(
        time: wait.deadline.nanoseconds, room: .ring, kind: 0, subject: 0, generation: 0, first: UInt64(begun)))
    if case .anything = subject { restless.append(begun) }
    return begun
  }

  /// Adds a wait to the `waiters` of what it waits for.
  func join(_ number: Int, _ waiters: inout [Int]) {
    while let first = waiters.first, !isOpen(first) { waiters.removeFirst() }
    waiters.append(number)
  }

  /// Something has happened to what `waiters` wait for.
  mutating func stir(_ waiters: inout [Int]) {
    guard !waiters.isEmpty else { return }
    waiters.removeAll { !isOpen($0) }
    stirred += waiters
  }

  /// The earliest deadline; nil when nobody waits.
  mutating func nextDeadline() -> Instant? {
    while let next = deadlines.first {
      if isOpen(Int(next.first)) { return Instant(nanoseconds: next.time) }
      _ = deadlines.pop()
    }
    return nil
  }

  /// The numbers of those to ask at `now`, oldest first; one may be there more than once.
  mutating func takeStirred(at now: Instant) -> [Int] {
    if !restless.isEmpty { restless = restless.filter(isOpen) }
    var numbers = stirred + restless
    stirred.removeAll(keepingCapacity: true)
    while let due = deadlines.pop(dueAt: now.nanoseconds) { numbers.append(Int(due.first)) }
    numbers.sort()
    return numbers
  }

  /// The wait of that number; nil when it has ended.
  subscript(number: Int) -> Wait? { waits[number] }

  mutating func end(_ number: Int) { waits[number] = nil }
}
