import SimNet

/// The closed form: what the pipeline does by its works and delays alone, without playing it.
///
/// - At low depth each command goes round alone, and throughput is depth / round trip; the least round trip is the sum
///   of all works and delays.
/// - At high depth no queue runs empty and no delay is paid: throughput is one over the longest work of any stage.
///   Threads take whole batches, so that the work of a step vanishes. Segments carry `perSegment` responses, and what
///   each of them and each send costs is shared by so many.
/// - The bend is at the depth where both are equal.
struct Prediction {
  static let request: Double = 48
  /// A Data-In of 512 bytes with status.
  static let response: Double = 48 + 512
  static let headers: Double = 66

  /// The work of each stage for a command, in nanoseconds, when every batch has `batch` commands and every segment
  /// `perSegment` responses.
  static func works(_ setup: Setup, batch: Double, perSegment: Double) -> [(stage: String, work: Double)] {
    func thread(_ host: Setup.Host, _ bytesIn: Double, _ bytesOut: Double) -> Double {
      // A batch takes one receive; its send completes in a step of its own, or with the next batch.
      (Double(host.step) + 2 * Double(host.completion)) / batch + bytesIn / 1024 * Double(host.received)
        + bytesOut / 1024 * Double(host.sent)
    }
    func transmit(_ host: Setup.Host, _ bytes: Double, _ together: Double) -> Double {
      Double(host.send + host.segmentOut) / together + bytes / 1024 * Double(host.kibibyteOut)
    }
    func softirq(_ host: Setup.Host, _ bytes: Double, _ together: Double) -> Double {
      Double(host.segmentIn) / together + bytes / 1024 * Double(host.kibibyteIn)
    }
    func wire(_ bytes: Double, _ together: Double) -> Double {
      guard setup.link.bandwidth > 0 else { return 0 }
      return (bytes + headers / together) * 8e9 / Double(setup.link.bandwidth)
    }
    return [
      ("CP", thread(setup.client, response, request)), ("CK", transmit(setup.client, request, batch)),
      ("W1", wire(request, batch)), ("SI", softirq(setup.server, request, batch)),
      ("SP", thread(setup.server, request, response)), ("SK", transmit(setup.server, response, perSegment)),
      ("W2", wire(response, perSegment)), ("CI", softirq(setup.client, response, perSegment)),
    ]
  }

  /// The least round trip of one command, in nanoseconds.
  static func roundTrip(_ setup: Setup) -> Double {
    works(setup, batch: 1, perSegment: 1).reduce(0) { $0 + $1.work }
      + Double(setup.server.wake + setup.client.wake + setup.server.interruptDelay + setup.client.interruptDelay)
      + 2 * Double(setup.link.latencyNs)
  }

  /// The most responses that a segment carries.
  static func perSegmentMax(_ setup: Setup) -> Double { (Double(setup.link.mtu) - headers) / response }

  /// The stage with the longest work, and commands a second when it is always busy.
  static func plateau(_ setup: Setup, batch: Double, perSegment: Double) -> (stage: String, rate: Double) {
    let longest = works(setup, batch: batch, perSegment: perSegment).max { $0.work < $1.work }
    return (longest?.stage ?? "", 1e9 / (longest?.work ?? 1))
  }

  /// Commands a second at `depth` when `perSegment` responses share a segment.
  static func rate(_ setup: Setup, depth: Int, perSegment: Double) -> Double {
    let together = min(max(perSegment, 1), Double(depth))
    return min(
      Double(depth) * 1e9 / roundTrip(setup), plateau(setup, batch: Double(depth), perSegment: together).rate)
  }
}
