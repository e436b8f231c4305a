import Conformance
import Foundation

/// What a run shows while it goes on: a live line on a terminal, else a line for each file when all its cases have ended.
final class Progress {
  private let total: Int
  private let isQuiet: Bool
  private let pages: FailurePages
  private var done = 0
  private var failed = 0
  private var skipped = 0
  /// The files in their order, with the cases that are still missing, and the counts.
  private var files: [(name: String, missing: Int, passed: Int, failed: Int, skipped: Int)] = []
  private var fileOfCase: [Int] = []
  private var nextFile = 0

  init(_ suite: Suite, isQuiet: Bool, pages: FailurePages) {
    self.pages = pages
    total = suite.caseCount
    self.isQuiet = isQuiet
    for index in 0..<total {
      let file = suite.file(of: index)
      if files.last?.name != file { files.append((file, 0, 0, 0, 0)) }
      files[files.count - 1].missing += 1
      fileOfCase.append(files.count - 1)
    }
  }

  func began(_ index: Int) throws(OutputLost) {
    if isTerminal, !isQuiet { try line(files[fileOfCase[index]].name) }
  }

  func ended(_ result: CaseResult) throws(OutputLost) {
    done += 1
    let file = fileOfCase[result.index]
    files[file].missing -= 1
    switch result.outcome {
    case .passed: files[file].passed += 1
    case .failed:
      pages.write(result)
      failed += 1
      files[file].failed += 1
    case .skipped:
      skipped += 1
      files[file].skipped += 1
    }
    if isQuiet { return }
    if isTerminal {
      if result.outcome == .failed {
        try say("\(lineStart)FAILED \(result.id)")
      }
      try line(files[file].name)
      return
    }
    while nextFile < files.count, files[nextFile].missing == 0 {
      let file = files[nextFile]
      let word = file.failed > 0 ? "FAIL" : file.passed > 0 ? "ok  " : "skip"
      var counts = "\(file.passed) passed"
      if file.failed > 0 { counts += ", \(file.failed) failed" }
      if file.skipped > 0 { counts += ", \(file.skipped) skipped" }
      try say("\(word) \(file.name)  \(counts)")
      nextFile += 1
    }
  }

  func finish() throws(OutputLost) { if isTerminal, !isQuiet { try put(lineStart) } }

  private func line(_ file: String) throws(OutputLost) {
    var text = "[\(done)/\(total)]"
    if failed > 0 { text += " \(failed) failed" }
    if skipped > 0 { text += " \(skipped) skipped" }
    // A line that is wrapped is not cleared.
    let columns = self.columns
    let line = "\(text)  \(file.suffix(max(0, columns - text.count - 3)))"
    try put(lineStart + line.prefix(columns - 1))
  }

  /// How wide the terminal is.
  private var columns: Int {
    var size = winsize()
    return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }
}
