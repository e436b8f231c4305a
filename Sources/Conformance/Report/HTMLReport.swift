extension Reports {
  /// One page that needs nothing else: totals, every case, and for a failure what is wrong and its PDUs.
  public static func html(_ run: RunResult) -> String {
    var body = "<h1>simsan run</h1>\n<p class=totals>"
    body += "<b class=passed>\(run.count(.passed)) passed</b> "
    body += "<b class=failed>\(run.count(.failed)) failed</b> "
    body += "<b class=skipped>\(run.count(.skipped)) skipped</b></p>\n"
    body += "<p>world <code>\(xml(run.world))</code>, seed <code>\(run.seed)</code>"
    if run.hasTraces { body += ", hash <code>\(run.overallHash)</code>" }
    body += "\(run.isVerified ? ", each case played twice" : "")</p>\n"
    let failed = run.cases.filter { $0.outcome == .failed }
    if !failed.isEmpty {
      body += "<h2>Failures</h2>\n"
      for result in failed { body += failure(result, run) }
    }
    let reasons = run.skipReasons
    if !reasons.isEmpty {
      body += "<h2>Skipped</h2>\n<table>\n"
      for (reason, cases) in reasons { body += "<tr><td>\(cases)<td>because \(xml(reason))\n" }
      body += "</table>\n"
    }
    body += "<h2>All cases</h2>\n"
    for (file, cases) in byFile(run) {
      let bad = cases.count { $0.outcome == .failed }
      body += "<details\(bad > 0 ? " open" : "")><summary><code>\(xml(file))</code> "
      body += "\(cases.count { $0.outcome == .passed }) of \(cases.count)</summary>\n<table>\n"
      for result in cases {
        body += "<tr class=\(result.outcome.rawValue)><td>\(result.outcome.rawValue)<td>"
        body +=
          result.outcome == .failed ? "<a href=\"#case\(result.index)\">\(xml(result.name))</a>" : xml(result.name)
        body += "<td>\(xml(result.covers.joined(separator: " ")))<td>\(xml(result.reason ?? ""))\n"
      }
      body += "</table></details>\n"
    }
    return """
      <!doctype html>
      <html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">
      <title>simsan: \(run.summary)</title>
      <style>
      :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
      body { max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
      code, pre { font: 13px/1.45 ui-monospace, monospace }
      pre { overflow-x: auto; padding: .75rem; border: 1px solid #8884; border-radius: 4px }
      table { border-collapse: collapse; width: 100% } td { padding: .15rem .6rem; vertical-align: top }
      .passed { color: #2a8a3e } .failed { color: #d1242f } .skipped { color: #9a6700 }
      tr.passed, tr.skipped, tr.failed { color: inherit }
      tr.passed td:first-child { color: #2a8a3e } tr.failed td:first-child { color: #d1242f }
      tr.skipped td:first-child { color: #9a6700 }
      section { border-left: 4px solid #d1242f; padding-left: 1rem; margin: 1.5rem 0 }
      .in { color: #0969da } .out { color: #8250df } summary { cursor: pointer }
      </style>
      \(body)</html>

      """
  }

  private static func failure(_ result: CaseResult, _ run: RunResult) -> String {
    var text = "<section id=case\(result.index)><h3>\(xml(result.name))</h3>\n"
    text += "<p><code>\(xml(result.file)):\(result.line)</code></p>\n"
    for failure in result.failures { text += "<pre>\(xml(describe(failure)))</pre>\n" }
    let clauses = run.clauses(of: result)
    if !clauses.isEmpty { text += "<ul>" + clauses.map { "<li>\(xml($0))\n" }.joined() + "</ul>\n" }
    text += "<p>play it again: <code>\(xml(command(for: result, of: run)))</code></p>\n"
    if !result.notes.isEmpty {
      text += "<details><summary>Notes</summary><pre>\(xml(result.notes.joined(separator: "\n")))</pre></details>\n"
    }
    if !result.ladder.isEmpty {
      text += "<details><summary>PDUs</summary><pre>"
      for entry in result.ladder {
        text += "<span class=\(entry.toTarget ? "out" : "in")>\(xml(Ladder.line(entry)))</span>\n"
      }
      text += "</pre></details>\n"
    }
    return text + "</section>\n"
  }
}
