import Foundation

/// What `simsan help` prints, in lines that a terminal does not break.
enum HelpPage {
  /// The most that a line is long: terminals are at least so wide.
  static let columns = 80

  /// All commands.
  static func overview() -> String {
    let indent = "  simsan   ".count + (commands.map(\.name.count).max() ?? 0)
    let list = commands.map { laidOut($0.summary, behind: "  simsan \($0.name)", at: indent) }
    let what = "an iSCSI target that runs on real sockets and disks, or inside a deterministic simulation of them"
    return """
      \(laidOut("simsan \(version): \(what)"))

      \(list.joined(separator: "\n"))

      \(laidOut("`simsan help COMMAND` says more. Without arguments, in a folder that has scenarios/, it plays them."))
      Exit status: 0 all passed; 1 something failed; 2 the call or a file was wrong.
      """
  }

  /// One command with its options.
  static func page(of command: Command) -> String {
    let usage = ["simsan \(command.name)", command.options.isEmpty ? "" : "[OPTION…]", command.operands]
    var text = usage.filter { !$0.isEmpty }.joined(separator: " ") + "\n" + laidOut(command.summary, at: 4) + "\n"
    // Options without a help text are for the program's own use.
    let options = command.options.filter { !$0.help.isEmpty }
    let heads = options.map { "  \($0.name)" + ($0.value.map { " \($0)" } ?? "") }
    let indent = (heads.map(\.count).max() ?? 0) + 2
    if !options.isEmpty { text += "\n" }
    for (head, option) in zip(heads, options) { text += laidOut(option.help, behind: head, at: indent) + "\n" }
    if !command.discussion.isEmpty { text += "\n" + laidOut(command.discussion) + "\n" }
    return String(text.dropLast())
  }

  /// Text in lines of at most ``columns`` that begin at the column `indent`, the first of them behind `head`. An end of a line
  /// in the text stays one.
  private static func laidOut(_ text: String, behind head: String = "", at indent: Int = 0) -> String {
    var lines: [String] = []
    for part in text.split(separator: "\n", omittingEmptySubsequences: false) {
      var words = part.split(separator: " ")[...]
      repeat {
        var line = (lines.isEmpty ? head : "").padding(toLength: indent, withPad: " ", startingAt: 0)
        if let first = words.popFirst() { line += first }
        while let word = words.first, line.count + 1 + word.count <= columns {
          line += " " + word
          words.removeFirst()
        }
        lines.append(line)
      } while !words.isEmpty
    }
    return lines.joined(separator: "\n")
  }
}
