import Conformance
import Foundation

/// Plays the cases of a run in processes of their own, so that one case that brings the program down fails alone, and a run that
/// is ended has what it has found.
///
/// Worker K of N plays the cases whose number leaves K when divided by N. On its standard output it says, a line each,
/// what it begins (`begin 17`) and how it ended (a result as JSON). On its standard input it gets the files as the run has read
/// them, whatever has become of them since. What becomes of a case does not depend on N.
struct WorkerPool {
  private let suite: Suite
  private let options: RunOptions
  private let count: Int
  /// What a worker gets on its standard input.
  private let files: Data

  init(_ suite: Suite, _ options: RunOptions) throws {
    self.suite = suite
    self.options = options
    count = min(options.jobs, suite.caseCount)
    files = try JSONEncoder().encode(suite.files)
  }

  /// The files that the run has read, as a worker gets them.
  static func takeFiles() throws(UsageError) -> [Suite.File] {
    guard let data = try? FileHandle.standardInput.readToEnd(),
      let files = try? JSONDecoder().decode([Suite.File].self, from: data)
    else { throw UsageError("--worker: expected the files of a run on standard input") }
    return files
  }

  /// How long a worker may be silent before it is taken for hung.
  private static let silenceMax = Duration.seconds(600)

  private final class Worker {
    let process = Process()
    let pipe = Pipe()
    var buffer: [UInt8] = []
    /// The case that it plays now, and those that it has still to play.
    var current: Int?
    var left: [Int]
    /// By a clock that nobody sets, and that stands still while the machine sleeps.
    var lastWord = SuspendingClock.now
    var isOpen = true
    /// It has been silent for too long, and was ended for it.
    var isHung = false

    init(left: [Int]) { self.left = left }

    /// Ends it at once, and waits until it has ended.
    func end() {
      guard isOpen else { return }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }
  }

  /// Why a case was not played.
  static let ended = "the run was ended before"

  /// Plays all cases, or as many as there is time for until a signal ends the run.
  func run(_ progress: Progress) throws -> (results: [CaseResult], signal: EndedBySignal?) {
    var signal: EndedBySignal?
    var results = [CaseResult?](repeating: nil, count: suite.caseCount)
    let signals = try EndSignals()
    defer { signals.close() }
    var workers: [Worker] = []
    // They are in process groups of their own, where no Ctrl-C arrives.
    defer { for worker in workers { worker.end() } }
    for share in 0..<count { workers.append(try start(share, after: -1)) }
    while signal == nil, workers.contains(where: \.isOpen) {
      let open = workers.indices.filter { workers[$0].isOpen }
      var polled = open.map {
        pollfd(fd: workers[$0].pipe.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
      }
      polled.append(pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0))
      poll(&polled, nfds_t(polled.count), 1000)
      if polled[open.count].revents != 0 {
        signal = signals.take()
        break
      }
      for (place, index) in open.enumerated() {
        let worker = workers[index]
        if polled[place].revents != 0 {
          let data = worker.pipe.fileHandleForReading.availableData
          worker.lastWord = SuspendingClock.now
          if data.isEmpty {
            worker.isOpen = false
            worker.process.waitUntilExit()
          } else {
            worker.buffer += data
            for result in try lines(of: worker, progress) {
              results[result.index] = result
              try progress.ended(result)
            }
          }
        } else if options.against == nil, !worker.isHung, SuspendingClock.now - worker.lastWord > Self.silenceMax {
          worker.isHung = true
          worker.process.terminate()
        }
        if !worker.isOpen, let lost = worker.current ?? worker.left.first {
          // It did not survive that case; another worker goes on behind it.
          let status = worker.process.terminationReason == .uncaughtSignal ? "by signal" : "with status"
          let how =
            worker.isHung
            ? "the case had not ended after \(Self.silenceMax.components.seconds) s, and the process that played it was ended"
            : "the program ended \(status) \(worker.process.terminationStatus) while it played this case"
          let result = suite.broken(lost, seed: options.seed, message: how)
          results[lost] = result
          try progress.ended(result)
          let rest = worker.left.filter { $0 > lost }
          if !rest.isEmpty { workers[index] = try start(lost % count, after: lost) }
        }
      }
    }
    let all = results.enumerated().map { index, result in
      result
        ?? (signal != nil
          ? suite.skip(index, because: Self.ended)
          : suite.broken(index, seed: options.seed, message: "no worker has played this case"))
    }
    return (all, signal)
  }

  /// Starts the worker for a share of the cases, behind case `after`.
  private func start(_ share: Int, after: Int) throws -> Worker {
    let left = (0..<suite.caseCount).filter { $0 % count == share && $0 > after }
    let worker = Worker(left: left)
    worker.process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    var words = ["run", "--worker", "\(share)/\(count)", "--after", "\(after)", "--seed", "\(options.seed)"]
    if options.isVerified { words.append("--verify") }
    for filter in options.filters { words += ["--filter", filter] }
    for clause in options.clauses { words += ["--clause", clause] }
    if let url = options.against { words += ["--against", url.text] }
    for (option, value) in options.access { words += [option, value] }
    if let shard = options.shard { words += ["--shard", "\(shard.index + 1)/\(shard.count)"] }
    worker.process.arguments = words
    worker.process.standardOutput = worker.pipe
    let input = Pipe()
    worker.process.standardInput = input
    do { try worker.process.run() } catch {
      throw UsageError("simsan run: cannot start a process of itself: \(error.localizedDescription)")
    }
    // The writing end is the child's alone, so that its end is seen.
    try? worker.pipe.fileHandleForWriting.close()
    try? input.fileHandleForReading.close()
    // One that has ended already has not begun a case, which is seen as well.
    try? input.fileHandleForWriting.write(contentsOf: files)
    try? input.fileHandleForWriting.close()
    return worker
  }

  /// Takes the complete lines that a worker has said; the results among them.
  private func lines(of worker: Worker, _ progress: Progress) throws -> [CaseResult] {
    var found: [CaseResult] = []
    while let end = worker.buffer.firstIndex(of: UInt8(ascii: "\n")) {
      let line = Array(worker.buffer[..<end])
      worker.buffer.removeFirst(end + 1)
      if let number = Int(String(decoding: line, as: UTF8.self).dropFirst("begin ".count)),
        line.starts(with: "begin ".utf8)
      {
        worker.current = number
        try progress.began(number)
      } else if let result = try? JSONDecoder().decode(CaseResult.self, from: Data(line)) {
        worker.current = nil
        worker.left.removeAll { $0 == result.index }
        found.append(result)
      }
    }
    return found
  }
}

extension RunResult {
  /// Whether no signal has ended it before all of its cases were played.
  var isWhole: Bool { cases.allSatisfy { $0.reason != WorkerPool.ended } }
}

/// Plays a share of the cases for another process.
func playAsWorker(
  _ suite: Suite, _ options: RunOptions, _ share: (index: Int, count: Int), _ stage: Stage
) throws(OutputLost) {
  let encoder = JSONEncoder()
  // Why the rest is not played: a target that has died would fail it all, and say nothing of what killed it.
  var end: String?
  var before: CaseResult?
  for index in 0..<suite.caseCount where index % share.count == share.index && index > options.workerAfter {
    try say("begin \(index)")
    let result = end.map { suite.skip(index, because: $0) } ?? play(suite, index, options, stage)
    if let data = try? encoder.encode(result) { try say(String(decoding: data, as: UTF8.self)) }
    if result.outcome == .failed, let url = options.against, !takesConnections(url) {
      let or = before.map { ", or since the one before, \($0.id)" } ?? ""
      end = "the target takes no connections any more, since \(result.id)\(or)"
    }
    if result.outcome != .skipped { before = result }
  }
}
