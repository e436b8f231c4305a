import Ring

/// How one case ended. In the simulation, a function of the scenario, the seed and the program alone: no wall-clock time is in it.
public struct CaseResult: Codable, Equatable, Sendable {
  /// What became of it.
  public enum Outcome: String, Codable, Sendable {
    case passed
    case failed
    case skipped
  }

  /// Its place in the run's list of cases, from 0.
  public var index: Int
  /// The file and the name.
  public var id: String
  public var file: String
  public var line: Int
  public var name: String
  public var covers: [String]
  public var seed: UInt64
  public var outcome = Outcome.passed
  /// Why it was skipped.
  public var reason: String?
  public var failures: [Failure] = []
  /// What the script printed, with the virtual time.
  public var notes: [String] = []
  /// The PDUs of the case, kept for a failure only.
  var ladder: [LadderEntry] = []
  /// The rolling hash of all that happened; empty outside the simulation.
  public var traceHash = ""
  /// Nanoseconds that it took: virtual ones, or on a real target those of its ring.
  public var virtualTime: UInt64 = 0
  /// Steps of machines in it.
  public var steps: UInt64 = 0
  /// Commands that its initiators completed.
  public var commands: UInt64 = 0

  /// One thing that is wrong.
  public struct Failure: Codable, Equatable, Sendable {
    /// Who found it: `expectation`, `script`, `protocol`, `durability`, `nexus`, `liveness`, `resources`, `fault`,
    /// `determinism`, `program`.
    public var oracle: String
    /// With what was expected and what came.
    public var message: String
    /// `file:line`, when a line of the scenario led to it.
    public var location: String?
    /// What stands there, and in the lines that it was called from.
    public var source: String?
    public var traceback: String = ""
    /// Virtual nanoseconds.
    public var time: UInt64 = 0
  }
}

extension CaseResult {
  /// A case of which nothing is known yet.
  ///
  /// - Parameter seed: The case's own.
  init(_ each: Case, index: Int, seed: UInt64) {
    self.init(
      index: index, id: each.id, file: each.file, line: each.location.line, name: each.name, covers: each.covers,
      seed: seed)
  }
}

/// One line of a PDU ladder.
struct LadderEntry: Codable, Equatable, Sendable {
  /// Virtual nanoseconds.
  var time: UInt64
  /// The connection, numbered within the case.
  var connection: Int
  /// True from the initiator to the target.
  var toTarget: Bool
  /// `SCSI Command`, or what happened: `connected`, `closed`.
  var what: String
  /// The fields that matter.
  var detail: String
}

/// A whole run.
public struct RunResult: Sendable {
  public var cases: [CaseResult]
  public var seed: UInt64
  /// What it was played on: ``simulation``, or a URL.
  public var world: String
  public static let simulation = "simulation"
  /// Each case was played twice and compared.
  public var isVerified: Bool
  /// How a real target was to be reached, if that was said: options with their values.
  public var access: [(option: String, value: String)]
  /// What is known of the clauses that the cases cover.
  public var clauses: [Coverage.Clause]

  public init(
    cases: [CaseResult], seed: UInt64, world: String, isVerified: Bool,
    access: [(option: String, value: String)] = [], clauses: [Coverage.Clause] = []
  ) {
    self.cases = cases
    self.seed = seed
    self.world = world
    self.isVerified = isVerified
    self.access = access
    self.clauses = clauses
  }

  /// The clauses of the standards that a case is about, a line each.
  func clauses(of result: CaseResult) -> [String] {
    result.covers.map { id in
      guard let clause = clauses.first(where: { $0.id == id }) else { return id }
      return "\(id): \(clause.standard) \(clause.section.isEmpty ? "" : "§\(clause.section) ")\(clause.title)"
    }
  }

  /// Whether something has a trace: what is played on a real target has none.
  public var hasTraces: Bool { cases.contains { !$0.traceHash.isEmpty } }

  /// How many cases ended so.
  public func count(_ outcome: CaseResult.Outcome) -> Int { cases.count { $0.outcome == outcome } }

  /// `N passed, N failed, N skipped`.
  public var summary: String { "\(count(.passed)) passed, \(count(.failed)) failed, \(count(.skipped)) skipped" }

  /// Why cases were skipped, and how many for each reason, in the order in which the reasons come first.
  public var skipReasons: [(reason: String, cases: Int)] {
    var reasons: [(reason: String, cases: Int)] = []
    for result in cases where result.outcome == .skipped {
      let reason = result.reason ?? ""
      if let index = reasons.firstIndex(where: { $0.reason == reason }) {
        reasons[index].cases += 1
      } else {
        reasons.append((reason, 1))
      }
    }
    return reasons
  }

  /// One hash over the trace hashes and outcomes of all cases in their order: in two runs with the same the same has happened,
  /// to the byte. What scripts print of it is not in it.
  public var overallHash: String {
    var high = StableHash()
    var low = StableHash()
    low.add("low")
    for result in cases {
      high.add(result.id)
      high.add(result.traceHash)
      low.add(result.id)
      low.add(result.traceHash)
      low.add(result.outcome.rawValue)
    }
    return Self.hex(high.value) + Self.hex(low.value)
  }

  static func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
