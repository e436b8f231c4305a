import Conformance
import Ring

/// The arguments of a call, sorted into options and operands.
struct Arguments {
  private(set) var values: [(name: String, value: String)] = []
  private(set) var operands: [String] = []

  /// Sorts `words` by what `command` takes. `--name value` and `--name=value` are the same; after `--` all are operands.
  init(_ words: [String], for command: Command) throws(UsageError) {
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        operands += rest
        break
      }
      guard word.hasPrefix("-"), word != "-" else {
        operands.append(word)
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let option = command.options.first(where: { $0.name == parts[0] }) else {
        let names = command.options.filter { !$0.help.isEmpty }.map(\.name)
        throw UsageError(
          "simsan \(command.name): unknown option \(parts[0])\(Suggestion.clause(for: parts[0], among: names)); "
            + "expected \(names.isEmpty ? "none" : names.joined(separator: ", "))")
      }
      if let value = option.value {
        if parts.count == 2 {
          values.append((option.name, parts[1]))
        } else if let next = rest.popFirst() {
          guard !command.options.contains(where: { $0.name == next }) else {
            throw UsageError(
              "simsan \(command.name): \(option.name): expected \(value) after it, found the option \(next); "
                + "if that is meant, write \(option.name)=\(next)")
          }
          values.append((option.name, next))
        } else {
          throw UsageError("simsan \(command.name): \(option.name): expected \(value) after it, found nothing")
        }
      } else {
        guard parts.count == 1 else {
          throw UsageError("simsan \(command.name): \(option.name): expected no value, found \"\(parts[1])\"")
        }
        values.append((option.name, ""))
      }
    }
    guard operands.count <= command.operandsMax else {
      let expected = command.operands.isEmpty ? "no operand" : command.operands
      throw UsageError("simsan \(command.name): expected \(expected), found \(operands.joined(separator: " "))")
    }
  }

  /// Whether the option was given.
  func has(_ name: String) -> Bool { values.contains { $0.name == name } }

  /// The last value of the option; nil when it was not given.
  subscript(name: String) -> String? { values.last { $0.name == name }?.value }

  /// All values of the option.
  func all(_ name: String) -> [String] { values.filter { $0.name == name }.map(\.value) }

  /// A whole number.
  func number<T: FixedWidthInteger>(_ name: String, in range: ClosedRange<T>) throws(UsageError) -> T? {
    guard let text = self[name] else { return nil }
    let hexadecimal = text.hasPrefix("0x")
    let digits = hexadecimal ? String(text.dropFirst(2)) : text
    guard let value = T(digits, radix: hexadecimal ? 16 : 10), range.contains(value) else {
      throw UsageError(
        "\(name): expected a whole number from \(range.lowerBound) to \(range.upperBound), found \"\(text)\"")
    }
    return value
  }

  /// A number of bytes, such as `64KiB`.
  func size(_ name: String, in range: ClosedRange<UInt64>) throws(UsageError) -> UInt64? {
    guard let text = self[name] else { return nil }
    guard let size = Quantity.size(text), range.contains(size) else {
      let least = Quantity.text(bytes: range.lowerBound)
      let most = range.upperBound == .max ? "up" : "to \(Quantity.text(bytes: range.upperBound))"
      throw UsageError("\(name): expected a size from \(least) \(most), found \"\(text)\"")
    }
    return size
  }

  /// A length of time; `example` is for the message.
  func time(
    _ name: String, example: String, atLeast least: Interval = .zero, atMost most: Interval? = nil
  ) throws(UsageError) -> Interval? {
    guard let text = self[name] else { return nil }
    guard let time = Quantity.time(text), time >= least, most.map({ time <= $0 }) ?? true else {
      var bounds = ""
      if least > .zero { bounds += ", at least \(Quantity.text(least))" }
      if let most { bounds += ", at most \(Quantity.text(most))" }
      throw UsageError("\(name): expected a time such as \(example)\(bounds), found \"\(text)\"")
    }
    return time
  }

  /// One of a few words.
  func word(_ name: String, among words: [String]) throws(UsageError) -> String? {
    guard let text = self[name] else { return nil }
    guard words.contains(text) else {
      throw UsageError(
        "\(name): expected \(words.joined(separator: ", ")); found \"\(text)\"\(Suggestion.clause(for: text, among: words))"
      )
    }
    return text
  }
}
