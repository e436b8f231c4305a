import Ring

/// What the outermost machine lends to the rooms inside it during a step.
struct Context: ~Copyable {
  /// The memory of all buffers.
  let arena: Arena

  /// Hands out buffers of the arena.
  var buffers: BuddyAllocator

  /// The operations that this step emits.
  var operations = Operations()

  /// The time of this step.
  var now = Instant.zero

  /// Bytes copied into buffers, and into and out of memory that a unit keeps its blocks in.
  var bytesCopied: UInt64 = 0

  /// A run of zeroes, never written: what a null device returns.
  let zeroes: Extent

  /// The length of ``zeroes`` in bytes.
  static let zeroesLength = 4 << 20

  init(arena: Arena) {
    self.arena = arena
    var buffers = BuddyAllocator(capacity: arena.capacity)
    // allow(trap): an arena that cannot hold the zeroes is too small to run a target in; the configuration has checked
    // its size.
    guard let zeroes = buffers.allocate(min(Self.zeroesLength, arena.capacity / 4)) else {
      preconditionFailure("an arena of \(arena.capacity) bytes holds no buffer")
    }
    arena.bytes(zeroes).initializeMemory(as: UInt8.self, repeating: 0)
    self.buffers = buffers
    self.zeroes = zeroes
  }

  /// A buffer with the first `count` bytes of `data`; nil when there is no memory.
  mutating func copy(_ data: [UInt8], _ count: Int) -> Extent? {
    guard let buffer = buffers.allocate(count) else { return nil }
    arena.bytes(buffer).copyBytes(from: data.prefix(count))
    bytesCopied &+= UInt64(count)
    return buffer
  }

  /// The token of the one medium operation that a command may have outstanding.
  func mediumToken(_ command: borrowing Command) -> Token {
    Token(TokenKind.medium.rawValue << 56 | UInt64(command.generation & 0xFF_FFFF) << 32 | UInt64(command.task))
  }
}

/// The first byte of a token: whom a completion is for.
enum TokenKind: UInt64, Sendable {
  case accept = 1
  case describe = 2
  case receive = 3
  case send = 4
  case close = 5
  case medium = 6
  case timer = 7
  case cancel = 8
  case shutdown = 9
  case noDelay = 10
  case post = 11
  case mailbox = 12
  case hold = 13
  case look = 14
}
