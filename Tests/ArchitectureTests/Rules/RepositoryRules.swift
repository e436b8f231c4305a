/// What holds for every text file that is kept.
enum RepositoryRules {
  /// Swift, C and Lua files, by how they end, and the most lines that one may have. A file is one idea.
  static let lengthMax: [(suffix: String, lines: Int)] = [(".swift", 600), (".c", 600), (".h", 600), (".lua", 600)]

  /// A time of day is told, not measured by: it is set, and jumps.
  static let timeOfDay = PatternRule(
    name: "time-of-day", patterns: ["Date (", "CLOCK_REALTIME", "gettimeofday", "CFAbsoluteTimeGetCurrent"],
    instead: "SuspendingClock.now, or the ring's now")

  /// Written by a program from one table, for editors: nobody reads them from end to end.
  static let written: Set<String> = ["scenarios/simsan.meta.lua"]

  static func checkLength(path: String, text: String) -> [Finding] {
    guard !written.contains(path) else { return [] }
    guard let limit = lengthMax.first(where: { path.hasSuffix($0.suffix) })?.lines else { return [] }
    let lines = text.utf8.count { $0 == UInt8(ascii: "\n") }
    guard lines > limit else { return [] }
    return [
      Finding(
        path: path, line: lines, rule: "length", found: "\(lines) lines",
        instead: "split it by idea, Type+Feature.swift; the limit is \(limit)")
    ]
  }

  /// Where a file would only be true on one machine, and addresses of places that a build must not depend on.
  static func checkPlaces(path: String, text: String) -> [Finding] {
    var findings: [Finding] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      for start in machineFolders where containsFolder(line, start) {
        findings.append(
          Finding(
            path: path, line: index + 1, rule: "place", found: "\(start)…",
            instead: "a path from the repository's root, or one that the caller gives"))
      }
      for scheme in ["http", "https", "ftp", "ssh", "git"] where line.contains(scheme + "://") {
        findings.append(
          Finding(
            path: path, line: index + 1, rule: "place", found: "a \(scheme) address",
            instead: "name the package or the standard instead; nothing is fetched but through apt-get"))
      }
    }
    return findings
  }

  /// Assembled, so that this file does not break its own rule.
  private static let machineFolders = ["work", "root", "home", "opt", "Users"].map { "/" + $0 + "/" }

  private static func containsFolder(_ line: Substring, _ folder: String) -> Bool {
    var rest = line
    while let range = rest.range(of: folder) {
      let before = rest[..<range.lowerBound].last
      let isInner = before.map { $0.isLetter || $0.isNumber || "._-/}".contains($0) } ?? false
      if !isInner { return true }
      rest = rest[range.upperBound...]
    }
    return false
  }
}
