import Ring

/// One machine of a test, played by hand: it emits operations and collects the completions.
final class Party {
  let side: Side
  let ring: any Ring
  let arena: Arena
  private var memory: BuddyAllocator
  private var batch = Operations()
  private var nextToken: UInt64

  /// Every completion so far, in the order of arrival.
  fileprivate(set) var history: [Completion] = []

  /// How many completions each call of `reap` that brought any has brought.
  fileprivate(set) var batchSizes: [Int] = []

  init(_ side: Side, _ world: any RingWorld) {
    self.side = side
    ring = world.ring(side)
    arena = world.arena(side)
    memory = BuddyAllocator(capacity: arena.capacity)
    nextToken = side == .left ? 0x1_0000_0001 : 0x2_0000_0001
  }

  /// Emits one operation, as a batch of its own.
  func emit(_ body: (inout Operations, Token) -> Void) -> Token {
    let token = put(body)
    submit()
    return token
  }

  /// Adds an operation to the batch that ``submit()`` hands over.
  func put(_ body: (inout Operations, Token) -> Void) -> Token {
    nextToken += 1
    body(&batch, Token(nextToken))
    return Token(nextToken)
  }

  /// Hands over what was put.
  func submit() {
    ring.submit(&batch)
  }

  /// Memory of `length` bytes, filled with `byte`.
  func buffer(_ length: Int, filledWith byte: UInt8 = 0) throws -> Extent {
    guard let extent = memory.allocate(length) else {
      throw RingTestFailure("the world's arena is too small for the suite", #fileID, #line)
    }
    arena.bytes(extent).initializeMemory(as: UInt8.self, repeating: byte)
    return extent
  }

  /// Memory that holds `content`.
  func buffer(_ content: [UInt8]) throws -> Extent {
    let extent = try buffer(content.count)
    arena.bytes(extent).copyBytes(from: content)
    return extent
  }

  func free(_ extent: Extent) { memory.free(extent) }

  func bytes(_ extent: Extent) -> [UInt8] { [UInt8](arena.bytes(extent)) }

  /// The completion of `token`, if it has arrived.
  func completion(_ token: Token) -> Completion? { history.first { $0.token == token } }

  /// The place of a completion in the order of arrival.
  func place(_ token: Token) -> Int? { history.firstIndex { $0.token == token } }

  /// One turn: takes what has arrived, or waits for at most `patience`.
  func turn(_ patience: Interval) {
    var arrived: [Completion] = []
    ring.reap(into: &arrived, until: ring.now + patience)
    if !arrived.isEmpty { batchSizes.append(arrived.count) }
    history += arrived
  }
}

/// The two machines of a test and the world around them.
final class Stage {
  let world: any RingWorld
  let left: Party
  let right: Party

  /// How long, by the rings' own clocks, the suite waits for what must happen.
  static let patience = Interval.seconds(5)

  init(_ world: any RingWorld) {
    self.world = world
    left = Party(.left, world)
    right = Party(.right, world)
  }

  /// Drives both rings until `condition` holds; fails the test when it does not within ``patience``.
  func run(
    _ what: String, file: StaticString = #fileID, line: UInt = #line, until condition: () throws -> Bool
  ) throws {
    let (leftEnd, rightEnd) = (left.ring.now + Self.patience, right.ring.now + Self.patience)
    while try !condition() {
      guard left.ring.now < leftEnd, right.ring.now < rightEnd else {
        throw RingTestFailure("\(what): nothing came within \(Self.patience.nanoseconds / 1_000_000) ms", file, line)
      }
      left.turn(.microseconds(500))
      right.turn(.microseconds(500))
    }
  }

  /// Drives both rings for `interval`, so that what can happen happens.
  func settle(_ interval: Interval = .milliseconds(30)) {
    let (leftEnd, rightEnd) = (left.ring.now + interval, right.ring.now + interval)
    while left.ring.now < leftEnd || right.ring.now < rightEnd {
      left.turn(.microseconds(500))
      right.turn(.microseconds(500))
    }
  }

  /// Waits for an operation's completion.
  func wait(
    _ party: Party, _ token: Token, _ what: String, file: StaticString = #fileID, line: UInt = #line
  ) throws -> Completion {
    try run(what, file: file, line: line) { party.completion(token) != nil }
    guard let completion = party.completion(token) else {
      throw RingTestFailure("\(what): lost", file, line)
    }
    let count = party.history.count(where: { $0.token == token })
    guard count == 1 else { throw RingTestFailure("\(what): completed \(count) times", file, line) }
    guard completion.error == .none || completion.result == 0 else {
      throw RingTestFailure("\(what): failed and yet has a result: \(completion)", file, line)
    }
    return completion
  }

  /// Emits an operation and waits for its completion.
  func perform(
    _ party: Party, _ what: String, file: StaticString = #fileID, line: UInt = #line,
    _ body: (inout Operations, Token) -> Void
  ) throws -> Completion {
    try wait(party, party.emit(body), what, file: file, line: line)
  }

  /// Emits an operation that must succeed, and waits for its result.
  @discardableResult
  func succeed(
    _ party: Party, _ what: String, file: StaticString = #fileID, line: UInt = #line,
    _ body: (inout Operations, Token) -> Void
  ) throws -> UInt64 {
    let completion = try perform(party, what, file: file, line: line, body)
    try expect(completion.error, .none, what, file: file, line: line)
    return completion.result
  }

  /// Emits an operation that must fail with `error`.
  func fail(
    _ party: Party, _ error: RingError, _ what: String, file: StaticString = #fileID, line: UInt = #line,
    _ body: (inout Operations, Token) -> Void
  ) throws {
    try expect(perform(party, what, file: file, line: line, body).error, error, what, file: file, line: line)
  }
}

extension Stage {
  /// A connection between the two machines.
  struct Connection {
    let listener: Handle
    let address: SocketAddress
    /// The left machine's end: the one that connected.
    let left: Handle
    /// The right machine's end: the one that was accepted.
    let right: Handle
  }

  /// The right machine's address with port 0.
  func address(ipv6: Bool = false) throws -> SocketAddress {
    guard let address = world.address(of: .right, ipv6: ipv6) else {
      throw RingTestFailure("the world has no address", #fileID, #line)
    }
    return address
  }

  /// Opens a listener on the right and connects to it from the left.
  func connect(ipv6: Bool = false) throws -> Connection {
    let (listener, address) = try right.ring.listen(at: address(ipv6: ipv6), backlog: 16)
    let accepting = right.emit { $0.accept(on: listener, token: $1) }
    let connected = try succeed(left, "connect") { $0.connect(to: address, token: $1) }
    let accepted = try wait(right, accepting, "accept")
    try expect(accepted.error, .none, "accept")
    return Connection(
      listener: listener, address: address, left: Handle(connected), right: Handle(accepted.result))
  }

  /// Receives exactly `count` bytes on `socket`, in as many receives as it takes.
  func receive(
    _ party: Party, _ socket: Handle, _ count: Int, file: StaticString = #fileID, line: UInt = #line
  ) throws -> [UInt8] {
    var received: [UInt8] = []
    let extent = try party.buffer(max(1, min(count, 1 << 20)))
    defer { party.free(extent) }
    while received.count < count {
      let part = extent.prefix(count - received.count)
      let got = try succeed(party, "receive", file: file, line: line) { $0.receive(on: socket, into: part, token: $1) }
      try expect(got > 0 && got <= part.length, "1...\(part.length) bytes received, not \(got)", file: file, line: line)
      received += party.bytes(part.prefix(Int(got)))
    }
    return received
  }

  /// Sends all of `content` on `socket`, in as many sends as it takes; the peer has room for it.
  func send(
    _ party: Party, _ socket: Handle, _ content: [UInt8], file: StaticString = #fileID, line: UInt = #line
  ) throws {
    let whole = try party.buffer(content)
    defer { party.free(whole) }
    try send(party, socket, extents: [whole], file: file, line: line)
  }

  /// The same with bytes that lie in `extents`.
  func send(
    _ party: Party, _ socket: Handle, extents: [Extent], file: StaticString = #fileID, line: UInt = #line
  ) throws {
    var rest = RingSuite.dropping(0, from: extents)
    while !rest.isEmpty {
      let part = rest
      let length = part.reduce(0) { $0 + $1.length }
      let sent = try succeed(party, "send", file: file, line: line) { $0.send(on: socket, from: part, token: $1) }
      try expect(sent > 0 && sent <= length, "1...\(length) bytes sent, not \(sent)", file: file, line: line)
      rest = RingSuite.dropping(Int(sent), from: rest)
    }
  }

  /// Sends from the left until a send stalls, since the right does not receive.
  ///
  /// - Returns: The send that waits, and the bytes that were sent before it.
  func stalledSend(_ connection: Connection) throws -> (token: Token, sent: Int) {
    let piece = try left.buffer(256 << 10)
    var sent = 0
    // No world buffers a gigabyte.
    for _ in 0..<4096 {
      let token = left.emit { $0.send(on: connection.left, from: [piece], token: $1) }
      left.turn(.milliseconds(5))
      if left.completion(token) == nil { settle(.milliseconds(200)) }
      guard let completion = left.completion(token) else { return (token, sent) }
      sent += Int(completion.result)
    }
    throw RingTestFailure("the sender never stalled", #fileID, #line)
  }

  /// The next receive finds the end of the stream.
  func expectEnd(_ party: Party, _ socket: Handle, file: StaticString = #fileID, line: UInt = #line) throws {
    let extent = try party.buffer(16)
    defer { party.free(extent) }
    let got = try succeed(party, "receive at the end", file: file, line: line) {
      $0.receive(on: socket, into: extent, token: $1)
    }
    try expect(got, 0, "bytes at the end of the stream", file: file, line: line)
  }
}

/// `count` bytes that differ from place to place, and from `seed` to `seed`.
func pattern(_ count: Int, seed: UInt32 = 1) -> [UInt8] {
  var state = seed &* 2_654_435_761 | 1
  return (0..<count).map { _ in
    state ^= state << 13
    state ^= state >> 17
    state ^= state << 5
    return UInt8(truncatingIfNeeded: state >> 8)
  }
}
