import Ring
import SimNet
import SimRing

/// How a server hands its responses to TCP.
enum Policy: String, CaseIterable {
  /// What a step has to answer, in one send: simsan's own way.
  case batch
  /// Each response in a send of its own, at once (TCP_NODELAY).
  case nodelay
  /// As nodelay, but a partial segment waits until the server has no more input.
  case cork
  /// As nodelay, and RFC 896's algorithm while the server is busy: see ``AdaptiveNagle``.
  case adaptive
}

/// The state of adaptive Nagle for a connection: counts of commands between moments without input.
struct AdaptiveNagle {
  static let threshold = 96
  static let margin = 40

  private(set) var isNagle = false
  /// The present period and the three before it.
  private var counts = [0, 0, 0, 0]

  /// A command was received.
  mutating func received() {
    counts[0] += 1
    if !isNagle, counts[0] >= Self.threshold, counts.reduce(0, +) >= 2 * (Self.threshold + Self.margin) {
      isNagle = true
    }
  }

  /// There was no more input: what waits goes out.
  mutating func idle() {
    if isNagle { isNagle = counts[0...2].contains { $0 >= Self.threshold + Self.margin } }
    counts = [0] + counts[0...2]
  }
}

/// Stands before a server's ring and sends by a policy what its machine wants sent in one piece.
final class PolicyRing: Ring {
  private let inner: SimRing
  private let policy: Policy
  private let network: Network
  private let host: HostID
  private var nagle = AdaptiveNagle()
  private var ready: [Completion] = []
  /// Sends that the policies took apart; beside them a bench has only its login.
  private(set) var failures = 0

  init(_ inner: SimRing, _ policy: Policy, network: Network, host: HostID) {
    self.inner = inner
    self.policy = policy
    self.network = network
    self.host = host
  }

  var now: Instant { inner.now }

  func listen(
    at address: SocketAddress, backlog: Int
  ) throws(RingError) -> (listener: Handle, address: SocketAddress) {
    try inner.listen(at: address, backlog: backlog)
  }

  func reap(into completions: inout [Completion], until deadline: Instant) {
    completions += ready
    ready.removeAll(keepingCapacity: true)
    inner.reap(into: &completions, until: deadline)
  }

  func submit(_ batch: inout Operations) {
    guard policy != .batch else { return inner.submit(&batch) }
    // Whether there is more input shows in the receive, so that begins before the sends.
    var sends: [(Operation, [Extent])] = []
    var rest = Operations()
    for operation in batch.items {
      let first = Int(operation.firstExtent)
      let extents = Array(batch.extents[first..<first + Int(operation.extentCount)])
      let length = extents.reduce(0) { $0 + $1.length }
      if operation.kind == .send, length % Int(Prediction.response) == 0 {
        sends.append((operation, extents))
      } else if operation.kind == .send {
        rest.send(on: operation.handle, from: extents, moreToCome: operation.moreToCome, token: operation.token)
      } else if operation.kind == .receive {
        rest.receive(on: operation.handle, into: extents, token: operation.token)
      } else {
        return inner.submit(&batch)
      }
    }
    batch.removeAll()
    inner.submit(&rest)
    inner.reap(into: &ready, until: .zero)
    let isIdle = ready.isEmpty
    for (operation, extents) in sends { send(operation, extents, isIdle: isIdle) }
  }

  /// Sends response by response. In the simulation a send completes at once while the buffer has room, as here it has.
  private func send(_ operation: Operation, _ extents: [Extent], isIdle: Bool) {
    let pieces = Self.pieces(extents)
    for (index, piece) in pieces.enumerated() {
      let isLast = index == pieces.count - 1
      if policy == .adaptive {
        nagle.received()
        // On idle TCP_NODELAY is set, which pushes out the partial segment; here it goes with the last response.
        if isLast, isIdle { nagle.idle() }
        let holds = nagle.isNagle && !(isLast && isIdle)
        network.configureHost(host) { $0.nagle = holds }
      }
      var batch = Operations()
      batch.send(
        on: operation.handle, from: piece, moreToCome: policy == .cork && !(isLast && isIdle), token: operation.token)
      inner.submit(&batch)
      var completions: [Completion] = []
      inner.reap(into: &completions, until: .zero)
      for completion in completions where completion.token != operation.token { ready.append(completion) }
      if !completions.contains(where: { $0.token == operation.token && $0.error == .none }) { failures += 1 }
    }
    let length = extents.reduce(0) { $0 + $1.length }
    ready.append(Completion(token: operation.token, error: .none, result: UInt64(length), handle: .none))
  }

  private static func pieces(_ extents: [Extent]) -> [[Extent]] {
    var pieces: [[Extent]] = [[]]
    var room = Int(Prediction.response)
    for extent in extents {
      var left = extent
      while left.length > 0 {
        if room == 0 {
          pieces.append([])
          room = Int(Prediction.response)
        }
        let part = left.prefix(room)
        pieces[pieces.count - 1].append(part)
        room -= part.length
        left = left.dropFirst(part.length)
      }
    }
    return pieces
  }
}
