import ISCSI
import Initiator
import Ring
import Testing

/// Carries out the operations of an initiator by hand: connects at once, takes what is sent, and delivers what the test
/// plays as the target.
final class HandFedRing {
  let machine = InitiatorMachine(arenaCapacity: 16 << 20)
  private(set) var now = Instant.zero
  private var operations = Operations()
  private var sockets: [Socket] = []
  private var timers: [(deadline: Instant, token: Token)] = []

  /// The most bytes that one send takes.
  var sendLimit = Int.max

  /// Whether the initiator's digests have to be right.
  var checksDigests = true

  /// Refuses connects with this.
  var connectError = RingError.none

  /// The events that no `take…` has taken out.
  var events: [InitiatorEvent] = []

  struct Socket {
    var receive: (token: Token, extent: Extent)?
    var sent: [[UInt8]] = []
    var framer = PDUFramer()
    var isShutdown = false
    var isClosed = false
    var wasReset = false
  }

  /// Steps until nothing is left to do.
  func run(_ first: [Completion] = []) {
    var completions = first
    repeat {
      machine.step(completions, now: now, into: &operations)
      completions = carryOut()
    } while !completions.isEmpty || machine.hasWork
    events += machine.takeEvents()
  }

  private func carryOut() -> [Completion] {
    var result: [Completion] = []
    for operation in operations.items {
      let extents = operations.extents[
        Int(operation.firstExtent)..<Int(operation.firstExtent + operation.extentCount)]
      let socket = Int(truncatingIfNeeded: operation.handle.rawValue)
      switch operation.kind {
      case .connect:
        guard connectError == .none else {
          result.append(Completion(token: operation.token, error: connectError))
          continue
        }
        sockets.append(Socket())
        result.append(Completion(token: operation.token, result: UInt64(sockets.count - 1)))
      case .send:
        let bytes = extents.flatMap { Array(machine.arena.bytes($0)) }.prefix(sendLimit)
        sockets[socket].sent.append(Array(bytes))
        sockets[socket].framer.append(bytes)
        result.append(Completion(token: operation.token, result: UInt64(bytes.count)))
      case .receive:
        #expect(sockets[socket].receive == nil, "two receives at once")
        if let extent = extents.first { sockets[socket].receive = (operation.token, extent) }
      case .shutdown:
        sockets[socket].isShutdown = true
        result.append(Completion(token: operation.token))
      case .close:
        if let receive = sockets[socket].receive { result.append(Completion(token: receive.token, error: .cancelled)) }
        sockets[socket].receive = nil
        sockets[socket].isClosed = true
        sockets[socket].wasReset = operation.length == 1
        result.append(Completion(token: operation.token))
      case .cancel:
        let target = Token(operation.offset)
        var error = RingError.notFound
        for index in sockets.indices where sockets[index].receive?.token == target {
          sockets[index].receive = nil
          error = .none
          result.append(Completion(token: target, error: .cancelled))
        }
        result.append(Completion(token: operation.token, error: error))
      case .timer: timers.append((Instant(nanoseconds: operation.offset), operation.token))
      default: Issue.record("the initiator asked for \(operation.kind)")
      }
    }
    operations.removeAll()
    return result
  }

  // MARK: The target's side

  /// Lets time pass, and timers with it.
  func advance(_ interval: Interval) {
    now = now + interval
    let due = timers.filter { $0.deadline <= now }
    timers.removeAll { $0.deadline <= now }
    run(due.map { Completion(token: $0.token) })
  }

  /// Delivers bytes, in parts of at most `size`.
  func deliver(_ bytes: [UInt8], on socket: Int = 0, size: Int = Int.max) {
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let receive = sockets[socket].receive else { return }
      let part = rest.prefix(min(size, receive.extent.length))
      machine.arena.bytes(receive.extent).copyBytes(from: part)
      sockets[socket].receive = nil
      rest = rest.dropFirst(part.count)
      run([Completion(token: receive.token, result: UInt64(part.count))])
    }
  }

  /// Delivers PDUs together.
  func deliver(_ pdus: ProtocolDataUnit..., digests: DigestSettings = DigestSettings(), on socket: Int = 0) {
    deliver(pdus.flatMap { $0.encoded(EncodingOptions(digests: digests)) }, on: socket)
  }

  /// Ends the stream, or breaks it.
  func end(_ error: RingError = .none, on socket: Int = 0) {
    guard let receive = sockets[socket].receive else { return }
    sockets[socket].receive = nil
    run([Completion(token: receive.token, error: error)])
  }

  /// The sends on a socket so far.
  func sends(on socket: Int = 0) -> [[UInt8]] { sockets[socket].sent }

  func isReceiving(on socket: Int = 0) -> Bool { sockets[socket].receive != nil }

  func state(of socket: Int = 0) -> Socket { sockets[socket] }

  /// The PDUs that the initiator has sent since the last call.
  func takePDUs(on socket: Int = 0, digests: DigestSettings = DigestSettings()) throws -> [ProtocolDataUnit] {
    sockets[socket].framer.digests = digests
    var result: [ProtocolDataUnit] = []
    while let framed = try sockets[socket].framer.next() {
      #expect(!framed.dataDigestIsWrong || !checksDigests)
      result.append(framed.pdu)
    }
    return result
  }

  // MARK: Events

  /// Takes out what `pick` finds, and leaves the other events.
  private func take<Value>(_ pick: (InitiatorEvent.Kind) -> Value?) -> [Value] {
    let found = events.compactMap { pick($0.kind) }
    events.removeAll { pick($0.kind) != nil }
    return found
  }

  /// The rules that were broken since the last call.
  func takeViolations() -> [ViolationRule] {
    take { kind in
      switch kind {
      case .violation(let violation), .digestError(let violation): violation.rule
      default: nil
      }
    }
  }

  /// The tasks that ended since the last call.
  func takeResults() -> [TaskResult] {
    take { kind in
      if case .taskEnded(let result) = kind { result } else { nil }
    }
  }

  /// The login that ended since the last call; nil when none did, or several.
  func takeLogin() -> LoginResult? {
    let results = take { kind in
      if case .loginEnded(let result) = kind { result } else { nil as LoginResult? }
    }
    return results.count == 1 ? results[0] : nil
  }

  var closeReasons: [CloseReason] {
    events.compactMap { event in
      if case .closed(let reason) = event.kind { reason } else { nil }
    }
  }
}
