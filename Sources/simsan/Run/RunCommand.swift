import Conformance

let runCommand = Command(
  name: "run", summary: "play scenarios in the simulation, or on a real target", operands: "[PATH…]",
  options: [
    Option("--list", nil, "name the cases and play none"),
    Option("--filter", "WORDS", "only the cases whose file and name contain all of these words"),
    Option("--shard", "I/N", "only part I (from 1) of N parts of the cases"),
  ],
  discussion: "PATH is a scenario file or a folder of them; without one it is scenarios/."
) { arguments in
  var suite = Suite(paths: arguments.operands.isEmpty ? ["scenarios"] : arguments.operands)
  if !suite.mistakes.isEmpty { throw UsageError(suite.mistakes.joined(separator: "\n")) }
  for words in arguments.all("--filter") { suite.filter(words: words.split(separator: " ").map(String.init)) }
  var run = RunResult(cases: [], seed: 1, world: "simulation", isVerified: false)
  for index in 0..<suite.caseCount {
    let result = suite.play(index, seed: 1, on: .simulation)
    run.cases.append(result)
    say(Reports.page(result, run: run))
  }
  say(run.summary)
  return 0
}
