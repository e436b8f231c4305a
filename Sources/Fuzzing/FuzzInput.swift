/// Reads an input from its front. Behind its end everything is zero, which says nothing unusual: so any bytes are an input, and
/// a longer one does first what its beginning does.
struct FuzzInput {
  private let bytes: UnsafeRawBufferPointer
  private var at = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool { at >= bytes.count }

  mutating func byte() -> UInt8 {
    guard at < bytes.count else { return 0 }
    defer { at += 1 }
    return bytes[at]
  }

  mutating func word16() -> UInt16 { UInt16(byte()) << 8 | UInt16(byte()) }

  mutating func word32() -> UInt32 { UInt32(word16()) << 16 | UInt32(word16()) }

  /// A number below `end`, which is 1 to 256.
  mutating func below(_ end: Int) -> Int { Int(byte()) % end }

  /// One of `choices`, of which there are 1 to 256.
  mutating func pick<Choice>(_ choices: [Choice]) -> Choice { choices[below(choices.count)] }

  /// Eight decisions.
  mutating func flags() -> Flags { Flags(byte: byte()) }

  /// The next `count` bytes, or as many as there are.
  mutating func take(_ count: Int) -> [UInt8] {
    let end = at + min(count, bytes.count - at)
    defer { at = end }
    return Array(bytes[at..<end])
  }

  /// A byte that says how many follow, and those.
  mutating func run() -> [UInt8] { take(Int(byte())) }

  struct Flags {
    let byte: UInt8

    subscript(bit: UInt8) -> Bool { byte >> bit & 1 != 0 }
  }
}

/// `count` bytes that tell where they belong.
func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }
