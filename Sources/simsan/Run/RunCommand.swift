import Conformance
import Foundation

let runCommand = Command(
  name: "run", summary: "play scenarios in the simulation, or on a real target", operands: "[PATH…]",
  options: [
    Option(
      "--against", "URL",
      "play them on a real target, ours or anybody's: iscsi://HOST[:PORT]/IQN/LUN. "
        + "What needs the simulation is skipped, and says so. It overwrites the logical unit!"),
    Option(
      "--chap", "FILE",
      "log in to the real target with CHAP: a Lua file with return { name = \"…\", secret = \"…\" }\n"
        + "With target_secret = \"…\" it has to authenticate itself, too."),
    Option("--ring", "NAME", "how to reach a real target: io_uring or epoll"),
    Option("--seed", "N", "what all chance derives from; 1 if not given"),
    Option("--verify", nil, "play each case twice and compare all that happened"),
    Option("--jobs", "N", "so many processes; as many as there are processors if not given"),
    Option(
      "--filter", "WORDS",
      "only the cases whose file and name contain all of these words; with a whole name that case alone"),
    Option(
      "--clause", "ID",
      "only the cases that cover this clause of scenarios/clauses.tsv, or one of this area, such as ISCSI-LOGIN; may be given "
        + "several times"),
    Option("--shard", "I/N", "only part I (from 1) of N parts of the cases"),
    Option("--list", nil, "name the cases and play none"),
    Option(
      "--junit", "FILE", "write a JUnit report; this and the others: - for standard output, and nothing else there"),
    Option("--json", "FILE", "write everything as JSON; the same bytes for the same cases and seed"),
    Option("--html", "FILE", "write a page to read"),
    Option("--pcap", "FILE", "write what the connections of the case carried, for Wireshark; of one case only"),
    Option("--tap", nil, "print TAP instead of progress"),
    Option("--reports", "FOLDER", "where the pages of failures go; reports if not given"),
    Option("--worker", "K/N", ""), Option("--after", "I", ""),
  ],
  discussion: "PATH is a scenario file or a folder of them; without one it is scenarios/."
) { arguments in
  let options = try RunOptions(arguments)
  let suite = try options.suite()
  if options.listsOnly {
    for name in suite.caseNames { try say(name) }
    return 0
  }
  // Of a target that cannot be played on the run is told before it begins.
  let stage = try makeStage(options)
  if let worker = options.worker {
    try playAsWorker(suite, options, worker, stage)
    return 0
  }
  let pages = FailurePages(options)
  let progress = Progress(suite, isQuiet: options.isQuiet, pages: pages)
  let (results, signal) = try WorkerPool(suite, options).run(progress)
  try progress.finish()
  let run = options.run(of: results)
  let problems = try saveReports(of: run, suite, options)
  try tell(run, options, pages)
  if let signal {
    for problem in problems { complain(problem) }
    throw signal
  }
  if !problems.isEmpty { throw UsageError(problems.joined(separator: "\n")) }
  return run.count(.failed) == 0 ? 0 : 1
}

/// Plays one case as the options say.
func play(_ suite: Suite, _ index: Int, _ options: RunOptions, _ stage: Stage) -> CaseResult {
  options.isVerified ? suite.verify(index, seed: options.seed) : suite.play(index, seed: options.seed, on: stage)
}

/// Writes a file, and the folders that it is in. What is there is written to and not replaced: it may be a link or a pipe.
func save(_ data: Data, _ path: String) throws(UsageError) {
  let url = URL(fileURLWithPath: path)
  do {
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: url)
  } catch {
    throw UsageError("\(path): cannot be written: \(error.localizedDescription)")
  }
}

/// Writes a report to the file that it was asked for in; `-` is standard output.
func deliver(_ report: Data, to path: String) throws {
  if path == "-" { try writeAll(Array(report), to: STDOUT_FILENO) } else { try save(report, path) }
}

/// The pages of failures, written as they come: a run that is ended early has them, too.
struct FailurePages {
  private let options: RunOptions

  init(_ options: RunOptions) { self.options = options }

  /// The page of a failed case.
  func path(of result: CaseResult) -> String { "\(options.reports)/\(Reports.fileName(result)).txt" }

  func write(_ result: CaseResult) {
    let page = Reports.page(result, run: options.run(of: [result]))
    do { try save(Data(page.utf8), path(of: result)) } catch { complain(error.message) }
  }
}

/// Writes the files that were asked for. The result is what is wrong with those that cannot be written: they do not take
/// the others with them, nor what the run has found.
private func saveReports(of run: RunResult, _ suite: Suite, _ options: RunOptions) throws(OutputLost) -> [String] {
  let reports: [(path: String?, data: () throws -> Data)] = [
    (options.json, { try Reports.json(run) }), (options.junit, { Data(Reports.junit(run).utf8) }),
    (options.html, { Data(Reports.html(run).utf8) }),
    // A run repeats itself, so that the case is simply played once more with a witness.
    (run.isWhole ? options.pcap : nil, { Data(suite.capture(0, seed: options.seed)) }),
  ]
  var problems: [String] = []
  for (path, data) in reports {
    guard let path else { continue }
    do { try deliver(try data(), to: path) } catch let error as UsageError {
      problems.append(error.message)
    } catch let lost as OutputLost {
      throw lost
    } catch {
      problems.append("\(path): \(error)")
    }
  }
  return problems
}

/// Prints the summary.
private func tell(_ run: RunResult, _ options: RunOptions, _ pages: FailurePages) throws {
  if options.writesTAP { try put(Reports.tap(run)) }
  if options.isQuiet { return }
  let failed = run.cases.filter { $0.outcome == .failed }
  for result in failed {
    try say("\nFAILED \(result.id)")
    for failure in result.failures.prefix(3) {
      let lines = Reports.describe(failure).split(separator: "\n", omittingEmptySubsequences: false)
      for line in lines.prefix(12) { try say("  \(line.count <= 300 ? String(line) : line.prefix(300) + "…")") }
      if lines.count > 12 { try say("  …") }
    }
    try say("  more: \(pages.path(of: result))")
  }
  if failed.count > 1, options.html == nil {
    try say("\nall failures on one page: add --html \(options.reports)/run.html")
  }
  // Who plays a single case wants to read what it prints.
  if run.cases.count == 1, let only = run.cases.first { try put(Reports.notes(only)) }
  let reasons = run.skipReasons
  if !reasons.isEmpty {
    try say("\nskipped")
    for (reason, cases) in reasons { try say("  \(cases) because \(reason)") }
  }
  // A hash is of all cases.
  if run.hasTraces, run.isWhole { try say("\nseed \(run.seed), hash \(run.overallHash)") }
  try say(run.summary)
}
