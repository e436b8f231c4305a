import Ring
import SimNet

/// The four time stamps of each command, taken where its bytes pass: request leaves the client, arrives at the server,
/// response leaves the server, arrives at the client. Requests and responses are of one length each and in order, so
/// that positions in the stream tell them apart.
final class Stamps: NetworkTap {
  /// A place that bytes pass, and those that have passed it since the last whole PDU.
  private struct Place {
    let length: Int
    var bytes = 0

    /// The PDUs that are whole with these bytes.
    mutating func pass(_ count: Int) -> Int {
      let (whole, rest) = (bytes + count).quotientAndRemainder(dividingBy: length)
      bytes = rest
      return whole
    }
  }

  /// What lies between two places: when each command that is there came, and how long those took that have gone.
  private struct Way {
    private var arrivals: [Instant] = []
    private var gone = 0
    private var time: UInt64 = 0
    private var count: UInt64 = 0

    mutating func enter(at now: Instant) { arrivals.append(now) }

    mutating func leave(at now: Instant) {
      guard gone < arrivals.count else { return }
      time += (now - arrivals[gone]).nanoseconds
      count += 1
      gone += 1
      if gone == 4096 {
        arrivals.removeFirst(gone)
        gone = 0
      }
    }

    mutating func beginMean() {
      time = 0
      count = 0
    }

    var mean: Double? { count > 0 ? Double(time) / Double(count) : nil }
  }

  /// From the first command on, when nothing is under way.
  var isArmed = false

  private var requestLeaves = Place(length: 48)
  private var requestArrives = Place(length: 48)
  private var responseLeaves = Place(length: 48 + 512)
  private var responseArrives = Place(length: 48 + 512)
  private var request = Way()
  private var server = Way()
  private var response = Way()

  func opened(connection: UInt64, client: SocketAddress, server: SocketAddress, at time: Instant) {}

  func sent(connection: UInt64, byClient: Bool, bytes: UnsafeRawBufferPointer, at time: Instant) {
    guard isArmed else { return }
    if byClient {
      for _ in 0..<requestLeaves.pass(bytes.count) { request.enter(at: time) }
    } else {
      for _ in 0..<responseLeaves.pass(bytes.count) {
        server.leave(at: time)
        response.enter(at: time)
      }
    }
  }

  func received(connection: UInt64, byClient: Bool, bytes: UnsafeRawBufferPointer, at time: Instant) {
    guard isArmed else { return }
    if byClient {
      for _ in 0..<responseArrives.pass(bytes.count) { response.leave(at: time) }
    } else {
      for _ in 0..<requestArrives.pass(bytes.count) {
        request.leave(at: time)
        server.enter(at: time)
      }
    }
  }

  func ended(connection: UInt64, byClient: Bool, wasReset: Bool, at time: Instant) {}

  /// What has gone through so far no longer counts.
  func beginMeans() {
    request.beginMean()
    server.beginMean()
    response.beginMean()
  }

  /// The mean times of a command in nanoseconds; nil when none has come back.
  var shares: (network: Double, server: Double)? {
    guard let request = request.mean, let server = server.mean, let response = response.mean else { return nil }
    return (request + response, server)
  }
}
