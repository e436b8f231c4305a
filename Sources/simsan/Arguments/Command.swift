/// A command of the program, with what it takes.
struct Command: Sendable {
  var name: String
  /// One line.
  var summary: String
  /// What stands after the options, such as `[PATH…]`.
  var operands: String
  /// The most of them: any number where `…` stands behind them.
  var operandsMax: Int { operands.isEmpty ? 0 : operands.contains("…") ? .max : 1 }
  var options: [Option]
  /// What else `simsan help NAME` says.
  var discussion: String
  /// Does it; the result is the exit status.
  var run: @Sendable (Arguments) throws -> Int32
}

/// An option of a command.
struct Option: Sendable {
  /// With its dashes.
  var name: String
  /// What its value is called; nil for an option without one.
  var value: String?
  var help: String

  init(_ name: String, _ value: String? = nil, _ help: String) {
    self.name = name
    self.value = value
    self.help = help
  }
}

/// A call or a file that is wrong: what was found, and what was expected. The exit status is 2.
struct UsageError: Error {
  var message: String

  init(_ message: String) { self.message = message }
}
