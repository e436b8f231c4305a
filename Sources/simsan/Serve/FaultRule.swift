import Conformance
import FaultInject
import Ring
import SimClock

/// A rule of `simsan serve --fault`, such as `read+write:delay=50ms,chance=1/10,after=100,times=3`.
struct FaultRule {
  /// As it was written.
  var text: String
  var fault: RingFault

  private static let kinds: [(word: String, kind: Operation.Kind)] = [
    ("accept", .accept), ("receive", .receive), ("send", .send), ("read", .read), ("write", .write), ("flush", .flush),
    ("discard", .discard), ("zero", .writeZeroes),
  ]

  /// What can become of operations, and of which.
  private static let effects: [(word: String, effect: RingFault.Effect, kinds: [Operation.Kind])] = [
    ("error", .refuse(.mediumError), [.read, .write, .flush, .discard, .writeZeroes]),
    ("full", .refuse(.noSpace), [.write, .writeZeroes]),
    ("reset", .refuse(.connectionReset), [.receive, .send]),
    ("cut", .cutShort, [.receive, .send, .read, .write]),
    ("flip", .corrupt, [.receive, .read]),
    ("hold", .hold, kinds.map(\.kind)),
    ("delay", .delay(.zero), kinds.map(\.kind)),
  ]

  init(_ text: String) throws(UsageError) {
    func wrong(_ expected: String, _ found: some StringProtocol) -> UsageError {
      UsageError("--fault \(text): expected \(expected), found \"\(found)\"")
    }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw wrong("a rule such as read+write:delay=50ms,chance=1/10", text) }
    var kinds: [Operation.Kind] = []
    for word in parts[0].split(separator: "+", omittingEmptySubsequences: false) {
      guard let known = Self.kinds.first(where: { $0.word == word }) else {
        throw wrong("some of \(Self.kinds.map(\.word).joined(separator: ", ")) with + between them", word)
      }
      kinds.append(known.kind)
    }
    let words = parts[1].split(separator: ",", omittingEmptySubsequences: false)
    let first = Self.pair(words.first ?? "")
    guard let known = Self.effects.first(where: { $0.word == first.name }) else {
      throw wrong("one of \(Self.effects.map(\.word).joined(separator: ", "))", first.name)
    }
    guard kinds.allSatisfy(known.kinds.contains) else {
      let possible = Self.kinds.filter { known.kinds.contains($0.kind) }.map(\.word)
      throw wrong("\(known.word) of \(possible.joined(separator: ", "))", parts[0])
    }
    fault = RingFault(known.effect, on: kinds)
    self.text = text
    if known.word == "delay" {
      guard let time = first.value.flatMap({ Quantity.time(String($0)) }) else {
        throw wrong("a time such as delay=50ms", words.first ?? "")
      }
      fault.effect = .delay(time)
    } else if first.value != nil {
      throw wrong("\(known.word) without a value", words.first ?? "")
    }
    for word in words.dropFirst() {
      let (name, value) = Self.pair(word)
      switch name {
      case "chance":
        let numbers = (value ?? "").split(separator: "/", omittingEmptySubsequences: false).map { UInt64($0) }
        guard numbers.count == 2, let numerator = numbers[0], let denominator = numbers[1], denominator > 0 else {
          throw wrong("a ratio such as chance=1/10", word)
        }
        fault.chance = Ratio(numerator, in: denominator)
      case "after":
        guard let count = value.flatMap({ UInt64($0) }) else { throw wrong("a number such as after=100", word) }
        fault.after = count
      case "times":
        guard let count = value.flatMap({ UInt64($0) }) else { throw wrong("a number such as times=3", word) }
        fault.limit = count
      default: throw wrong("chance=N/M, after=N or times=N", word)
      }
    }
  }

  private static func pair(_ word: Substring) -> (name: Substring, value: Substring?) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    return (parts.first ?? "", parts.count == 2 ? parts[1] : nil)
  }
}
