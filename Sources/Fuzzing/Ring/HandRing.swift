import Ring
import SimClock

/// Carries out what a machine asks for, by hand: the play is its network, its medium and its clock, and says what comes when.
///
/// On the way it holds the machine to its side of the seam; see ``LentMemory`` and the rules at ``Operations``.
final class HandRing {
  let machine: any Machine
  private(set) var now = Instant.zero
  private(set) var faults: [String] = []
  private(set) var trace = TraceHash()

  /// The most bytes that a receive brings and a send takes, and the most completions that one step gets.
  var receiveMax = Int.max
  var sendMax = Int.max
  var batchMax = Int.max
  /// What is sent is not taken; what the medium is asked for waits for ``finishMedium(_:_:)``.
  var holdsSends = false
  var holdsMedia = false
  /// What becomes of connects, of posts to other machines.
  var connectError = RingError.none
  var postError = RingError.none
  /// Whether the machine asks for a step without a completion.
  var hasWork: () -> Bool = { false }

  private(set) var sockets: [Socket] = []
  private var operations = Operations()
  private var completions: [Completion] = []
  private var listeners: [Token] = []
  private var timers: [(deadline: UInt64, token: Token)] = []
  private(set) var media: [MediaWork] = []
  private var medium: [UInt8]
  private var lent: LentMemory

  /// One end of a connection: the machine's.
  struct Socket {
    /// What the peer has sent and the machine has not received, and the other way round.
    var inbound: [UInt8] = []
    var outbound: [UInt8] = []
    var receive: (token: Token, extents: [Extent])?
    var send: (token: Token, extents: [Extent])?
    /// The peer has ended so, behind what it has sent.
    var peerEnd: RingError?
    var isShutDown = false
    var isClosed = false
  }

  /// An operation on the medium, with its extents.
  struct MediaWork {
    var operation: Operation
    var extents: [Extent]
  }

  static let listener = Handle(1)
  static let medium = Handle(7)
  private static let firstSocket: UInt64 = 100

  /// So many steps without a rest are none: each takes something that is there, or was asked for.
  private static let stepsMax = 200_000

  init(_ machine: any Machine, mediumLength: Int = 0) {
    self.machine = machine
    medium = Array(repeating: 0, count: mediumLength)
    lent = LentMemory(machine.arena)
  }

  func fault(_ words: String) {
    // One says enough, and what follows from it says less.
    if faults.isEmpty { faults.append(words) }
  }

  // MARK: The peer's side

  /// Opens a connection to the machine: its socket; nil when it accepts none.
  func accept() -> Int? {
    guard !listeners.isEmpty else { return nil }
    sockets.append(Socket())
    complete(Completion(token: listeners.removeFirst(), result: Self.firstSocket + UInt64(sockets.count - 1)))
    return sockets.count - 1
  }

  /// An accept fails so.
  func failAccept(_ error: RingError) {
    guard !listeners.isEmpty else { return }
    complete(Completion(token: listeners.removeFirst(), error: error))
  }

  /// Bytes for the machine.
  func feed(_ socket: Int, _ bytes: some Sequence<UInt8>) {
    guard isOpen(socket) else { return }
    sockets[socket].inbound += bytes
  }

  /// Takes what the machine has sent.
  func take(_ socket: Int) -> [UInt8] {
    defer { sockets[socket].outbound.removeAll(keepingCapacity: true) }
    return sockets[socket].outbound
  }

  /// The peer ends its stream, or resets the connection, which takes what is on its way.
  func end(_ socket: Int, _ error: RingError = .none) {
    guard isOpen(socket) else { return }
    sockets[socket].peerEnd = error
    if error != .none { sockets[socket].inbound = [] }
  }

  /// Whether bytes for the machine may still be sent on it.
  func isOpen(_ socket: Int) -> Bool {
    sockets.indices.contains(socket) && !sockets[socket].isClosed && sockets[socket].peerEnd == nil
  }

  /// Completes one of the operations that the medium has been asked for.
  func finishMedium(_ index: Int, _ error: RingError) {
    guard media.indices.contains(index) else { return }
    let work = media.remove(at: index)
    carryOutMedium(work, error)
  }

  // MARK: Steps

  /// How much comes at a time, as a byte of the input has it: all, for 0.
  func setPace(_ byte: UInt8) {
    let most = [Int.max, 5, 48, 1460]
    receiveMax = most[Int(byte & 3)]
    sendMax = most[Int(byte >> 2 & 3)]
    batchMax = byte & 16 == 0 ? Int.max : 1
  }

  /// Lets time pass, and what is due with it.
  func advance(_ interval: Interval) {
    now = now + interval
    settle()
  }

  /// Brings what can come until nothing can.
  func settle() {
    for _ in 0..<Self.stepsMax {
      bring()
      guard !completions.isEmpty || hasWork() else { return }
      step()
    }
    fault("the machine does not come to rest")
  }

  private func bring() {
    for index in sockets.indices where !sockets[index].isClosed {
      bringReceive(index)
      if !holdsSends { takeSend(index) }
    }
    if !holdsMedia {
      let works = media
      media = []
      for work in works { carryOutMedium(work, .none) }
    }
    while let timer = timers.first, timer.deadline <= now.nanoseconds {
      timers.removeFirst()
      complete(Completion(token: timer.token))
    }
  }

  private func bringReceive(_ index: Int) {
    guard let receive = sockets[index].receive else { return }
    var completion = Completion(token: receive.token)
    if !sockets[index].inbound.isEmpty {
      giveBack(receive.token)
      var count = 0
      let most = min(receiveMax, sockets[index].inbound.count)
      for extent in receive.extents where count < most {
        let part = extent.prefix(most - count)
        machine.arena.bytes(part).copyBytes(from: sockets[index].inbound[count..<(count + part.length)])
        count += part.length
      }
      sockets[index].inbound.removeFirst(count)
      completion.result = UInt64(count)
    } else if let end = sockets[index].peerEnd {
      giveBack(receive.token)
      completion.error = end
    } else {
      return
    }
    sockets[index].receive = nil
    complete(completion)
  }

  private func takeSend(_ index: Int) {
    guard let send = sockets[index].send else { return }
    giveBack(send.token)
    sockets[index].send = nil
    if let end = sockets[index].peerEnd, end != .none {
      return complete(Completion(token: send.token, error: end))
    }
    var count = 0
    for extent in send.extents where count < sendMax {
      let part = extent.prefix(sendMax - count)
      let bytes = UnsafeRawBufferPointer(machine.arena.bytes(part))
      sockets[index].outbound += bytes
      trace.fold(UInt64(part.length), TraceHash.digest(bytes))
      count += part.length
    }
    complete(Completion(token: send.token, result: UInt64(count)))
  }

  private func complete(_ completion: Completion) { completions.append(completion) }

  /// One step, with what has completed, if anything. The first one of a machine has nothing.
  func step() {
    let count = min(batchMax, completions.count)
    let batch = Array(completions[..<count])
    completions.removeFirst(count)
    machine.step(batch, now: now, into: &operations)
    for operation in operations.items {
      let first = Int(operation.firstExtent)
      let extents = Array(operations.extents[first..<(first + Int(operation.extentCount))])
      trace.fold(UInt64(operation.kind.rawValue) << 56 ^ operation.token.rawValue, operation.offset &+ operation.length)
      carryOut(operation, extents)
    }
    operations.removeAll()
  }

  // MARK: Operations

  private func carryOut(_ operation: Operation, _ extents: [Extent]) {
    let token = operation.token
    switch operation.kind {
    case .accept: listeners.append(token)
    case .connect:
      guard connectError == .none else { return complete(Completion(token: token, error: connectError)) }
      sockets.append(Socket())
      complete(Completion(token: token, result: Self.firstSocket + UInt64(sockets.count - 1)))
    case .receive, .send, .shutdown, .close, .describe, .noDelay, .post: onSocket(operation, extents)
    case .read, .write, .flush, .discard, .writeZeroes, .seek:
      if operation.handle != Self.medium { fault("an operation on a medium that there is not") }
      lend(operation, extents)
      media.append(MediaWork(operation: operation, extents: extents))
    case .timer:
      let place = timers.firstIndex { $0.deadline > operation.offset } ?? timers.endIndex
      timers.insert((operation.offset, token), at: place)
    case .cancel: cancel(Token(operation.offset), token)
    case .mailbox: lend(operation, extents)
    }
  }

  private func onSocket(_ operation: Operation, _ extents: [Extent]) {
    let token = operation.token
    let index = Int(truncatingIfNeeded: operation.handle.rawValue &- Self.firstSocket)
    guard sockets.indices.contains(index) else { return fault("\(operation.kind) on a socket that there never was") }
    guard !sockets[index].isClosed else { return complete(Completion(token: token, error: .staleHandle)) }
    switch operation.kind {
    case .receive:
      if sockets[index].receive != nil { fault("two receives at a time on one socket") }
      if extents.allSatisfy({ $0.length == 0 }) { fault("a receive without room") }
      lend(operation, extents)
      sockets[index].receive = (token, extents)
    case .send:
      if sockets[index].send != nil { fault("two sends at a time on one socket") }
      if sockets[index].isShutDown { fault("a send behind the end of the stream") }
      if extents.contains(where: { $0.length == 0 }) { fault("a send of an extent without bytes") }
      lend(operation, extents)
      sockets[index].send = (token, extents)
    case .shutdown:
      sockets[index].isShutDown = true
      complete(Completion(token: token))
    case .close: close(index, token)
    case .describe:
      let bytes = machine.arena.bytes(extents.first ?? .empty)
      guard bytes.count >= 2 * SocketAddress.encodedLength else { return fault("no room for a description") }
      SocketAddress(127, 0, 0, 1, port: 3260).encode(into: bytes)
      let remote = UnsafeMutableRawBufferPointer(rebasing: bytes[SocketAddress.encodedLength...])
      SocketAddress(127, 0, 0, 1, port: 999).encode(into: remote)
      complete(Completion(token: token, result: UInt64(2 * SocketAddress.encodedLength)))
    case .post:
      if sockets[index].receive != nil || sockets[index].send != nil { fault("a socket moves that is in use") }
      if postError == .none { sockets[index].isClosed = true }
      complete(Completion(token: token, error: postError))
    default: complete(Completion(token: token))
    }
  }

  /// What is outstanding on a socket completes before its close does.
  private func close(_ index: Int, _ token: Token) {
    for outstanding in [sockets[index].receive, sockets[index].send].compactMap({ $0 }) {
      giveBack(outstanding.token)
      complete(Completion(token: outstanding.token, error: .cancelled))
    }
    sockets[index].receive = nil
    sockets[index].send = nil
    sockets[index].isClosed = true
    complete(Completion(token: token))
  }

  private func cancel(_ wanted: Token, _ token: Token) {
    var error = RingError.notFound
    if let index = sockets.indices.first(where: { sockets[$0].receive?.token == wanted }) {
      giveBack(wanted)
      sockets[index].receive = nil
      complete(Completion(token: wanted, error: .cancelled))
      error = .none
    }
    complete(Completion(token: token, error: error))
  }

  private func lend(_ operation: Operation, _ extents: [Extent]) {
    if let words = lent.lend(operation, extents) { fault(words) }
  }

  private func giveBack(_ token: Token) {
    if let words = lent.giveBack(token) { fault(words) }
  }

  // MARK: The medium

  private func carryOutMedium(_ work: MediaWork, _ error: RingError) {
    let operation = work.operation
    giveBack(operation.token)
    let moves = operation.kind == .read || operation.kind == .write
    let length = moves ? work.extents.reduce(0) { $0 + $1.length } : Int(truncatingIfNeeded: operation.length)
    var completion = Completion(token: operation.token, error: error)
    if error == .none, operation.kind == .seek {
      // It knows no holes.
      completion.result = operation.seekHole ? UInt64(medium.count) : min(operation.offset, UInt64(medium.count))
    } else if error == .none, operation.kind != .flush {
      guard operation.offset <= UInt64(medium.count), length <= medium.count - Int(operation.offset) else {
        fault("\(operation.kind) of \(length) bytes at \(operation.offset) of a medium of \(medium.count)")
        return complete(Completion(token: operation.token, error: .outOfRange))
      }
      move(work, Int(operation.offset), length)
      completion.result = UInt64(length)
    }
    complete(completion)
  }

  private func move(_ work: MediaWork, _ start: Int, _ length: Int) {
    guard work.operation.kind == .read || work.operation.kind == .write else {
      medium.replaceSubrange(start..<(start + length), with: repeatElement(0, count: length))
      return
    }
    var at = start
    for extent in work.extents {
      let bytes = machine.arena.bytes(extent)
      if work.operation.kind == .read {
        bytes.copyBytes(from: medium[at..<(at + extent.length)])
      } else {
        medium.replaceSubrange(at..<(at + extent.length), with: bytes)
      }
      at += extent.length
    }
  }
}
