/// One test of the meaning of an operation, to be run against every kind of ring.
public struct RingTest: Sendable, CustomStringConvertible {
  /// The behaviour that it checks, as a sentence.
  public let name: String

  /// Plays it in a fresh world; throws ``RingTestFailure`` when the ring behaves otherwise.
  public let run: @Sendable (any RingWorld) throws -> Void

  public var description: String { name }

  init(_ name: String, _ body: @escaping @Sendable (Stage) throws -> Void) {
    self.name = name
    self.run = { world in try body(Stage(world)) }
  }
}

/// Why a test failed, and where in the suite.
public struct RingTestFailure: Error, CustomStringConvertible {
  public let description: String

  init(_ message: String, _ file: StaticString, _ line: UInt) {
    description = "\(file):\(line): \(message)"
  }
}

/// The whole suite.
public enum RingSuite {
  public static let all: [RingTest] =
    streams + endings + shutdowns + resets + cancelling + timers + media + messages + addresses
}

/// Fails the test when `actual` is not `expected`.
func expect<Value: Equatable>(
  _ actual: Value, _ expected: Value, _ what: String, file: StaticString = #fileID, line: UInt = #line
) throws {
  guard actual == expected else { throw RingTestFailure("\(what): expected \(expected), got \(actual)", file, line) }
}

/// Fails the test when `condition` does not hold.
func expect(_ condition: Bool, _ what: String, file: StaticString = #fileID, line: UInt = #line) throws {
  guard condition else { throw RingTestFailure("not so: \(what)", file, line) }
}
