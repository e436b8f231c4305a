import Conformance
import Foundation
import HostRing
import ISCSI

/// What `simsan run` was told.
struct RunOptions {
  var paths: [String]
  var seed: UInt64 = 1
  var isVerified = false
  var jobs: Int
  var filters: [String]
  /// Clauses and areas of them, of which a case covers one; all cases when there are none.
  var clauses: [String]
  var shard: (index: Int, count: Int)?
  var listsOnly = false
  var against: TargetURL?
  /// What the real target wants of everybody who logs in.
  var chap: CHAPCredentials?
  var ring: String?
  /// How it is to be reached, as the call says it.
  var access: [(option: String, value: String)]
  /// The clauses that cases cover, where the catalogue is at hand: for those who read of a failure.
  var catalogue: [Coverage.Clause]
  var junit: String?
  var json: String?
  var html: String?
  var pcap: String?
  var writesTAP = false
  var reports = "reports"
  /// Standard output is another program's: nothing is said there but the report that it wants.
  var isQuiet: Bool { writesTAP || [junit, json, html, pcap].contains("-") }
  /// The part of the cases that this process plays for another: `K/N` from 0.
  var worker: (index: Int, count: Int)?
  /// As a worker: only the cases behind this one.
  var workerAfter = -1

  init(_ arguments: Arguments) throws(UsageError) {
    paths = arguments.operands.isEmpty ? ["scenarios"] : arguments.operands
    seed = try arguments.number("--seed", in: 0...UInt64.max) ?? 1
    isVerified = arguments.has("--verify")
    jobs = try arguments.number("--jobs", in: 1...1024) ?? HostThread.usableCores
    filters = arguments.all("--filter")
    clauses = arguments.all("--clause")
    shard = try Self.part(arguments, "--shard", from: 1)
    worker = try Self.part(arguments, "--worker", from: 0)
    workerAfter = try arguments.number("--after", in: -1...Int.max) ?? -1
    listsOnly = arguments.has("--list")
    if let text = arguments["--against"] { against = try TargetURL(text) }
    if arguments.has("--chap"), against == nil {
      throw UsageError("--chap: expected a real target, with --against; found none")
    }
    chap = try arguments.credentials("--chap")
    access = ["--chap", "--ring"].compactMap { name in arguments[name].map { (name, $0) } }
    let table = FileManager.default.contents(atPath: "scenarios/clauses.tsv") ?? Data()
    catalogue = Coverage.Clause.all(in: String(decoding: table, as: UTF8.self))
    ring = try arguments.word("--ring", among: ringNames)
    junit = arguments["--junit"]
    json = arguments["--json"]
    html = arguments["--html"]
    pcap = arguments["--pcap"]
    writesTAP = arguments.has("--tap")
    let wanted =
      ["--junit", "--json", "--html", "--pcap"].filter { arguments[$0] == "-" } + (writesTAP ? ["--tap"] : [])
    guard wanted.count <= 1 else {
      throw UsageError("simsan run: expected one report on standard output, found \(wanted.joined(separator: " and "))")
    }
    reports = arguments["--reports"] ?? reports
    if against != nil {
      if isVerified { throw UsageError("--verify: expected the simulation; a real target does not repeat itself") }
      if pcap != nil { throw UsageError("--pcap: expected the simulation; capture real traffic with tcpdump") }
      jobs = 1
    } else if let ring {
      throw UsageError("--ring: expected --against, found \(ring) without it; the simulation has a ring of its own")
    }
  }

  /// A run as it was told, with what became of these cases.
  func run(of cases: [CaseResult]) -> RunResult {
    RunResult(
      cases: cases, seed: seed, world: against?.text ?? RunResult.simulation, isVerified: isVerified, access: access,
      clauses: catalogue)
  }

  /// `I/N`, counted from `first`; the result is counted from 0.
  private static func part(
    _ arguments: Arguments, _ name: String, from first: Int
  ) throws(UsageError) -> (index: Int, count: Int)? {
    guard let text = arguments[name] else { return nil }
    let parts = text.split(separator: "/").map { Int($0) }
    guard parts.count == 2, let index = parts[0], let count = parts[1], count > 0, index >= first,
      index - first < count
    else {
      throw UsageError("\(name): expected I/N with I from \(first) to \(first == 1 ? "N" : "N-1"), found \"\(text)\"")
    }
    return (index - first, count)
  }

  /// The suite that the options select.
  func suite() throws(UsageError) -> Suite {
    var suite = worker == nil ? Suite(paths: paths) : Suite(files: try WorkerPool.takeFiles())
    if !suite.mistakes.isEmpty { throw UsageError(suite.mistakes.joined(separator: "\n")) }
    for text in filters { suite.filter(text) }
    if !clauses.isEmpty { suite.select(clauses: clauses) }
    guard suite.caseCount > 0 else {
      var how = filters.isEmpty ? "" : " that contain \"\(filters.joined(separator: "\" and \""))\""
      if !clauses.isEmpty { how += " that cover \(clauses.joined(separator: " or "))" }
      throw UsageError("simsan run: expected cases\(how), found none")
    }
    if let shard { suite.shard(shard.index, of: shard.count) }
    if pcap != nil, suite.caseCount != 1, worker == nil {
      throw UsageError("--pcap: expected one case, found \(suite.caseCount); narrow them down with --filter")
    }
    return suite
  }
}

/// `iscsi://HOST[:PORT]/IQN[/LUN]`.
struct TargetURL {
  var text: String
  var host: String
  var port: UInt16
  var iqn: String
  var lun: Int

  /// - Parameter place: What a mistake is told of.
  init(_ text: String, place: String = "--against") throws(UsageError) {
    func wrong() -> UsageError {
      UsageError("\(place): expected iscsi://HOST[:PORT]/IQN/LUN, found \"\(text)\"")
    }
    self.text = text
    guard text.hasPrefix("iscsi://") else { throw wrong() }
    let parts = text.dropFirst("iscsi://".count).split(separator: "/", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), !parts[0].isEmpty, !parts[1].isEmpty else { throw wrong() }
    var place = parts[0]
    port = 3260
    if let colon = place.lastIndex(of: ":"), !place.hasSuffix("]"),
      place.first == "[" || place.count(where: { $0 == ":" }) == 1
    {
      guard let number = UInt16(place[place.index(after: colon)...]), number > 0 else { throw wrong() }
      port = number
      place = place[..<colon]
    }
    let isBracketed = place.first == "["
    guard !isBracketed || place.last == "]" else { throw wrong() }
    host = String(isBracketed ? place.dropFirst().dropLast() : place)
    guard !host.isEmpty else { throw wrong() }
    iqn = String(parts[1])
    guard let lun = parts.count == 3 ? Int(parts[2]) : 0, (0...16383).contains(lun) else { throw wrong() }
    self.lun = lun
  }
}
