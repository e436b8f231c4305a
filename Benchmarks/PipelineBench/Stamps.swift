import Ring
import SimNet

/// The four time stamps of each command, taken where its bytes pass: request leaves the client, arrives at the server,
/// response leaves the server, arrives at the client. Requests and responses are of one length each and in order, so
/// that positions in the stream tell them apart, and sums suffice for means.
final class Stamps: NetworkTap {
  private struct Passage {
    let length: Int
    var bytes = 0
    var count = 0
    var time: UInt64 = 0

    mutating func pass(_ bytes: Int, at time: Instant) {
      self.bytes += bytes
      while (count + 1) * length <= self.bytes {
        count += 1
        self.time += time.nanoseconds
      }
    }
  }

  /// From the first command on that is measured; before it nothing is outstanding.
  var isArmed = false

  private var requestLeaves = Passage(length: 48)
  private var requestArrives = Passage(length: 48)
  private var responseLeaves = Passage(length: 48 + 512)
  private var responseArrives = Passage(length: 48 + 512)

  func opened(connection: UInt64, client: SocketAddress, server: SocketAddress, at time: Instant) {}

  func sent(connection: UInt64, byClient: Bool, bytes: UnsafeRawBufferPointer, at time: Instant) {
    guard isArmed else { return }
    if byClient { requestLeaves.pass(bytes.count, at: time) } else { responseLeaves.pass(bytes.count, at: time) }
  }

  func received(connection: UInt64, byClient: Bool, bytes: UnsafeRawBufferPointer, at time: Instant) {
    guard isArmed else { return }
    if byClient { responseArrives.pass(bytes.count, at: time) } else { requestArrives.pass(bytes.count, at: time) }
  }

  func ended(connection: UInt64, byClient: Bool, wasReset: Bool, at time: Instant) {}

  /// The mean times of a command in nanoseconds; nil while one is under way.
  var shares: (network: Double, server: Double)? {
    let count = requestLeaves.count
    guard count > 0, requestArrives.count == count, responseLeaves.count == count, responseArrives.count == count else {
      return nil
    }
    func mean(_ from: Passage, _ to: Passage) -> Double { (Double(to.time) - Double(from.time)) / Double(count) }
    return (
      mean(requestLeaves, requestArrives) + mean(responseLeaves, responseArrives), mean(requestArrives, responseLeaves)
    )
  }
}
