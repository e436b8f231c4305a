import Testing

@testable import simsan

/// What `simsan help` prints.
@Suite struct HelpPageTests {
  private var pages: [String] { [HelpPage.overview()] + commands.map(HelpPage.page(of:)) }

  @Test func noLineIsLongerThanATerminalIsWide() {
    for line in pages.joined(separator: "\n").split(separator: "\n") {
      #expect(line.count <= HelpPage.columns, "\(line)")
    }
  }

  @Test func everyWordIsThere() {
    func words(_ text: String) -> [Substring] { text.split { $0 == " " || $0 == "\n" } }
    for command in commands {
      let page = words(HelpPage.page(of: command)).joined(separator: " ")
      let options = command.options.filter { !$0.help.isEmpty }
      let texts = [command.summary, command.discussion] + options.flatMap { [$0.name, $0.value ?? "", $0.help] }
      for text in texts where !text.isEmpty { #expect(page.contains(words(text).joined(separator: " ")), "\(text)") }
    }
  }

  @Test func helpStandsBehindWhatItIsAbout() throws {
    let page = HelpPage.page(of: clausesCommand)
    let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(
      lines.prefix(3).map(String.init) == [
        "simsan clauses [OPTION…] [PATH…]", "    which clauses of the standards the scenarios cover", "",
      ])
    #expect(lines.contains("  --missing       list the clauses that no scenario names"))
    // An option's second line begins where its first does.
    let second = try #require(lines.firstIndex { $0.hasPrefix("  --list") }) + 1
    #expect(lines[second].hasPrefix("                  ") && !lines[second].hasPrefix("                   "))
  }
}
