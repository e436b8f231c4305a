import Conformance
import Foundation

/// The program's version; the release's tag.
let version = "0.1.0"

/// Every command, in the order in which `simsan help` lists them.
let commands: [Command] = [runCommand, serveCommand, benchCommand, clausesCommand, metaCommand, helpCommand]

/// Calls the command that the arguments name, and exits with its status: 0 all is well, 1 something failed, 2 the call or
/// a file was wrong, or standard output is lost.
func simsanMain() -> Never {
  guardOutput()
  raiseDescriptorLimit()
  let words = Array(CommandLine.arguments.dropFirst())
  do {
    exit(try call(words))
  } catch let error as UsageError {
    complain(error.message)
    exit(2)
  } catch let signal as EndedBySignal {
    signal.end()
  } catch let lost as OutputLost {
    // Who has stopped reading knows that.
    if lost.code != EPIPE {
      complain("simsan: cannot write to standard output: \(String(cString: strerror(lost.code)))")
    }
    exit(2)
  } catch {
    complain("simsan: \(error)")
    exit(2)
  }
}

private func call(_ words: [String]) throws -> Int32 {
  guard let name = words.first else {
    // A run without arguments on a fresh clone does something useful.
    if FileManager.default.fileExists(atPath: "scenarios") { return try perform(runCommand, []) }
    try say(overview())
    return 0
  }
  switch name {
  case "--version", "-V", "version":
    try say("simsan \(version)")
    return 0
  case "--help", "-h":
    try say(overview())
    return 0
  default: break
  }
  return try perform(try command(name, calledBy: "simsan"), Array(words.dropFirst()))
}

/// The command of that name; `caller` is for the message that there is none.
private func command(_ name: String, calledBy caller: String) throws(UsageError) -> Command {
  if let command = commands.first(where: { $0.name == name }) { return command }
  let names = commands.map(\.name)
  let isFile = FileManager.default.fileExists(atPath: name)
  let hint = isFile ? "; did you mean 'simsan run \(name)'?" : Suggestion.clause(for: name, among: names)
  throw UsageError(
    "\(caller): unknown command \"\(name)\"\(hint); "
      + "expected \(names.joined(separator: ", "))")
}

private func perform(_ command: Command, _ words: [String]) throws -> Int32 {
  if words.contains("--help") || words.contains("-h") {
    try say(page(of: command))
    return 0
  }
  return try command.run(try Arguments(words, for: command))
}

let helpCommand = Command(
  name: "help", summary: "what a command does and takes", operands: "[COMMAND]", options: [], discussion: ""
) { arguments in
  guard let name = arguments.operands.first else {
    try say(overview())
    return 0
  }
  try say(page(of: try command(name, calledBy: "simsan help")))
  return 0
}

private func overview() -> String {
  let width = commands.map { $0.name.count }.max() ?? 0
  let list = commands.map { "  simsan \($0.name.padding(toLength: width, withPad: " ", startingAt: 0))  \($0.summary)" }
  return """
    simsan \(version): an iSCSI target that runs on real sockets and disks, or inside a deterministic simulation of them

    \(list.joined(separator: "\n"))

    `simsan help COMMAND` says more. Without arguments, in a folder that has scenarios/, it plays them.
    Exit status: 0 all passed; 1 something failed; 2 the call or a file was wrong.
    """
}

private func page(of command: Command) -> String {
  var text = "simsan \(command.name)\(command.options.isEmpty ? "" : " [OPTION…]") \(command.operands)\n"
  text += "    \(command.summary)\n"
  // Options without a help text are for the program's own use.
  let options = command.options.filter { !$0.help.isEmpty }
  if !options.isEmpty {
    let heads = options.map { $0.name + ($0.value.map { " \($0)" } ?? "") }
    let width = heads.map(\.count).max() ?? 0
    text += "\n"
    for (head, option) in zip(heads, options) {
      let lines = option.help.split(separator: "\n")
      text += "  \(head.padding(toLength: width, withPad: " ", startingAt: 0))  \(lines.first ?? "")\n"
      for line in lines.dropFirst() { text += String(repeating: " ", count: width + 4) + line + "\n" }
    }
  }
  if !command.discussion.isEmpty { text += "\n\(command.discussion)\n" }
  return String(text.dropLast())
}
