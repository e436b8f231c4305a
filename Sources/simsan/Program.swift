import Conformance
import Foundation

/// The program's version; the release's tag.
let version = "0.1.0"

/// Every command, in the order in which `simsan help` lists them.
let commands: [Command] = [
  runCommand, serveCommand, checkCommand, benchCommand, clausesCommand, metaCommand, helpCommand,
]

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
  } catch let mistake as FileMistake {
    complain(mistake.message)
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
    try say(HelpPage.overview())
    return 0
  }
  switch name {
  case "--version", "-V", "version":
    try say("simsan \(version)")
    return 0
  case "--help", "-h":
    try say(HelpPage.overview())
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
    try say(HelpPage.page(of: command))
    return 0
  }
  return try command.run(try Arguments(words, for: command))
}

let helpCommand = Command(
  name: "help", summary: "what a command does and takes", operands: "[COMMAND]", options: [], discussion: ""
) { arguments in
  guard let name = arguments.operands.first else {
    try say(HelpPage.overview())
    return 0
  }
  try say(HelpPage.page(of: try command(name, calledBy: "simsan help")))
  return 0
}
