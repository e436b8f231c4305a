import Foundation

/// Writes a run's results in the forms that other programs read.
public enum Reports {
  /// Everything, with keys in order: two runs of the same cases give the same bytes, however they were played.
  public static func json(_ run: RunResult) throws -> Data {
    struct Document: Encodable {
      var program = "simsan"
      var world: String
      var seed: UInt64
      var hash: String
      var passed: Int
      var failed: Int
      var skipped: Int
      var cases: [CaseResult]
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    var data = try encoder.encode(
      Document(
        world: run.world, seed: run.seed, hash: run.overallHash, passed: run.count(.passed), failed: run.count(.failed),
        skipped: run.count(.skipped), cases: run.cases))
    data.append(UInt8(ascii: "\n"))
    return data
  }

  /// JUnit's XML: a suite for each file.
  public static func junit(_ run: RunResult) -> String {
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    text += "<testsuites name=\"simsan\" tests=\"\(run.cases.count)\" failures=\"\(run.count(.failed))\""
    text += " skipped=\"\(run.count(.skipped))\">\n"
    for (file, cases) in byFile(run) {
      text += "  <testsuite name=\"\(xml(file))\" tests=\"\(cases.count)\""
      text += " failures=\"\(cases.count { $0.outcome == .failed })\""
      text += " skipped=\"\(cases.count { $0.outcome == .skipped })\">\n"
      for result in cases {
        text += "    <testcase classname=\"\(xml(file))\" name=\"\(xml(result.name))\" file=\"\(xml(result.file))\""
        text += " line=\"\(result.line)\" time=\"\(seconds(result.virtualTime))\">\n"
        if let reason = result.reason, result.outcome == .skipped {
          text += "      <skipped message=\"\(xml(reason))\"/>\n"
        }
        for failure in result.failures {
          text += "      <failure type=\"\(xml(failure.oracle))\" message=\"\(xml(firstLine(failure.message)))\">"
          text += xml(describe(failure)) + "</failure>\n"
        }
        text += "    </testcase>\n"
      }
      text += "  </testsuite>\n"
    }
    return text + "</testsuites>\n"
  }

  /// The Test Anything Protocol, version 13.
  public static func tap(_ run: RunResult) -> String {
    var text = "TAP version 13\n1..\(run.cases.count)\n"
    for (number, result) in run.cases.enumerated() {
      let name = onOneLine(result.id).replacingOccurrences(of: "#", with: "\\#")
      switch result.outcome {
      case .passed: text += "ok \(number + 1) - \(name)\n"
      case .skipped: text += "ok \(number + 1) - \(name) # SKIP \(onOneLine(result.reason ?? ""))\n"
      case .failed:
        text += "not ok \(number + 1) - \(name)\n  ---\n  failures:\n"
        for failure in result.failures {
          text += "    - oracle: \(failure.oracle)\n      message: |\n"
          text += describe(failure).split(whereSeparator: \.isNewline).map { "        \($0)\n" }.joined()
        }
        text += "  ...\n"
      }
    }
    return text
  }

  /// Text for a form in which the end of a line means something.
  private static func onOneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  /// A failed case's page as plain text: what is wrong, how to play it again, and the PDUs before it.
  public static func page(_ result: CaseResult, run: RunResult) -> String {
    var text = "\(result.id)\n\(result.file):\(result.line)\n\n"
    for failure in result.failures { text += describe(failure) + "\n\n" }
    let clauses = run.clauses(of: result)
    if !clauses.isEmpty { text += "covers\n" + clauses.map { "  \($0)\n" }.joined() + "\n" }
    text += "play it again: \(command(for: result, of: run))\n"
    if !result.traceHash.isEmpty { text += "trace hash: \(result.traceHash)\n" }
    text += notes(result)
    if !result.ladder.isEmpty { text += "\nPDUs\n" + Ladder.text(result.ladder) }
    return text
  }

  /// The call that plays a case again.
  static func command(for result: CaseResult, of run: RunResult) -> String {
    // What begins with a dash would be an option.
    let file = result.file.hasPrefix("-") ? "./\(result.file)" : result.file
    var words = ["simsan run \(word(file)) --seed \(run.seed)"]
    if run.isVerified { words.append("--verify") }
    words.append("--filter \(quoted(result.name))")
    if run.world != RunResult.simulation { words.append("--against \(word(run.world))") }
    words += run.access.map { "\($0.option) \(word($0.value))" }
    return words.joined(separator: " ")
  }

  /// What a case has printed, with a heading; empty when it has printed nothing.
  public static func notes(_ result: CaseResult) -> String {
    result.notes.isEmpty ? "" : "\nnotes\n" + result.notes.map { "  \(visible($0))\n" }.joined()
  }

  /// A word of a shell's command.
  private static func word(_ text: String) -> String {
    let isPlain = text.unicodeScalars.allSatisfy { scalar in
      scalar.isASCII && (scalar.properties.isAlphabetic || "0123456789/._-+:=@%,".unicodeScalars.contains(scalar))
    }
    return isPlain ? text : quoted(text)
  }

  private static func quoted(_ text: String) -> String {
    "'\(text.replacingOccurrences(of: "'", with: "'\\''"))'"
  }

  /// A file name for a case's page: its file and name as far as they go, and a number that tells cases apart, those of files
  /// of the same name, too.
  public static func fileName(_ result: CaseResult) -> String {
    var hash = StableHash()
    hash.add(result.file)
    hash.add(result.name)
    var text = ""
    for scalar in result.id.unicodeScalars.prefix(120) {
      let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
      if isPlain { text.unicodeScalars.append(scalar) } else if text.last != "-" { text += "-" }
    }
    while text.last == "-" { text.removeLast() }
    return "\(text)-\(RunResult.hex(hash.value).prefix(6))"
  }

  /// A failure in full.
  public static func describe(_ failure: CaseResult.Failure) -> String {
    var text = ""
    if let location = failure.location, !failure.message.hasPrefix(location) {
      text += "\(location): " + (failure.source.map { $0 + "\n" } ?? "")
    }
    text += failure.message
    if failure.oracle != "expectation" && failure.oracle != "script" { text = "\(failure.oracle): " + text }
    if !failure.traceback.isEmpty { text += "\n" + failure.traceback }
    return visible(text)
  }

  /// Text for people: what would steer their terminal becomes U+FFFD, for a target may have sent it.
  static func visible(_ text: String, onOneLine: Bool = false) -> String {
    func isVisible(_ scalar: Unicode.Scalar) -> Bool {
      switch scalar.value {
      case 9: true
      case 10: !onOneLine
      case 0x20..<0x7F, 0xA0...: scalar.value != 0x2028 && scalar.value != 0x2029
      default: false
      }
    }
    if text.unicodeScalars.allSatisfy(isVisible) { return text }
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { result.append(isVisible(scalar) ? scalar : "\u{FFFD}") }
    return String(result)
  }

  static func firstLine(_ text: String) -> String {
    text.split(separator: "\n", maxSplits: 1).first.map(String.init) ?? text
  }

  /// The cases by file, both in their order.
  static func byFile(_ run: RunResult) -> [(file: String, cases: [CaseResult])] {
    var files: [(file: String, cases: [CaseResult])] = []
    for result in run.cases {
      if files.last?.file == result.file {
        files[files.count - 1].cases.append(result)
      } else {
        files.append((result.file, [result]))
      }
    }
    return files
  }

  static func seconds(_ nanoseconds: UInt64) -> String {
    let fraction = String(nanoseconds % 1_000_000_000)
    return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 9 - fraction.count) + fraction
  }

  /// Text for XML and HTML; what XML cannot hold becomes U+FFFD.
  static func xml(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\n", "\t", "\r": result.unicodeScalars.append(scalar)
      case _ where scalar.value < 32 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

/// PDU ladders as text.
enum Ladder {
  /// A line for each entry.
  static func text(_ entries: [LadderEntry]) -> String { entries.map { line($0) + "\n" }.joined() }

  /// `    0.000250000  c1  -> SCSI Command  READ(10) itt=1 …`
  static func line(_ entry: LadderEntry) -> String {
    let time = Reports.seconds(entry.time)
    let padding = String(repeating: " ", count: max(0, 14 - time.count))
    let arrow = entry.toTarget ? "->" : "<-"
    let detail = entry.detail.isEmpty ? "" : "  \(Reports.visible(entry.detail, onOneLine: true))"
    return "  \(padding)\(time)  c\(entry.connection) \(arrow) \(entry.what)\(detail)"
  }
}
