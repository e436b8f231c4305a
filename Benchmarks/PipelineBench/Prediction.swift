import SimNet
import Target

/// The closed form: what the pipeline does by its works and delays alone, without playing it.
///
/// - At low depth each command goes round alone, and throughput is depth / round trip; the least round trip is the sum
///   of all works and delays.
/// - At high depth no queue runs empty and no delay is paid: throughput is one over the longest work of any stage, or of
///   any core, where the stages of a host share one. A send that carries a whole batch shares what it costs, and what the step
///   costs, among the batch; segments carry `perSegment` responses, and what each of them costs is shared by so many.
/// - The bend is at the depth where both are equal.
struct Prediction {
  static let request: Double = 48
  /// A Data-In of 512 bytes with status.
  static let response: Double = 48 + 512
  static let headers: Double = 66

  /// How many commands share what one thing costs.
  struct Sharing {
    /// A step of the server and its send.
    var serverStep = 1.0
    /// A segment of responses.
    var segment = 1.0
    /// A step of the client, its send and the segment that this makes: it answers what a receive brings.
    var clientStep = 1.0

    static let none = Sharing()

    private init() {}

    /// At `depth`, when every segment was seen to carry `perSegment` responses.
    init(_ policy: SendPolicy, depth: Int, perSegment: Double) {
      // From 12 on, half of what is outstanding is taken at a time (ReceivePace).
      let lump = Double(depth >= 12 ? depth / 2 : depth)
      segment = min(max(perSegment, 1), Double(depth))
      serverStep = policy == .batching ? lump : 1
      clientStep = policy == .batching ? lump : segment
    }
  }

  /// The work of each stage for a command, in nanoseconds.
  static func works(_ setup: Setup, _ sharing: Sharing) -> [(stage: String, work: Double)] {
    func thread(_ host: Setup.Host, _ bytesIn: Double, _ bytesOut: Double, _ together: Double) -> Double {
      // A batch takes one receive; its send completes in a step of its own, or with the next batch.
      (Double(host.step) + 2 * Double(host.completion)) / together + bytesIn / 1024 * Double(host.received)
        + bytesOut / 1024 * Double(host.sent)
    }
    func transmit(_ host: Setup.Host, _ bytes: Double, sends: Double, segments: Double) -> Double {
      Double(host.send) / sends + Double(host.segmentOut) / segments + bytes / 1024 * Double(host.kibibyteOut)
    }
    func softirq(_ host: Setup.Host, _ bytes: Double, _ together: Double) -> Double {
      Double(host.segmentIn) / together + bytes / 1024 * Double(host.kibibyteIn)
    }
    func wire(_ bytes: Double, _ together: Double) -> Double {
      guard setup.link.bandwidth > 0 else { return 0 }
      return (bytes + headers / together) * 8e9 / Double(setup.link.bandwidth)
    }
    let (client, server) = (setup.client, setup.server)
    return [
      ("CP", thread(client, response, request, sharing.clientStep)),
      ("CK", transmit(client, request, sends: sharing.clientStep, segments: sharing.clientStep)),
      ("W1", wire(request, sharing.clientStep)), ("SI", softirq(server, request, sharing.clientStep)),
      ("SP", thread(server, request, response, sharing.serverStep)),
      ("SK", transmit(server, response, sends: sharing.serverStep, segments: sharing.segment)),
      ("W2", wire(response, sharing.segment)), ("CI", softirq(client, response, sharing.segment)),
    ]
  }

  /// The least round trip of one command, in nanoseconds.
  static func roundTrip(_ setup: Setup) -> Double {
    works(setup, .none).reduce(0) { $0 + $1.work }
      + Double(setup.server.wake + setup.client.wake + setup.server.interruptDelay + setup.client.interruptDelay)
      + 2 * Double(setup.link.latencyNs)
  }

  /// The stage, or the host whose one core, has the longest work, and commands a second when it is always busy.
  static func plateau(_ setup: Setup, _ sharing: Sharing) -> (stage: String, rate: Double) {
    var works = works(setup, sharing)
    for (host, name, stages) in [
      (setup.client, "client", ["CP", "CK", "CI"]), (setup.server, "server", ["SI", "SP", "SK"]),
    ]
    where host.oneCore {
      works.append((name, works.reduce(0) { $0 + (stages.contains($1.stage) ? $1.work : 0) }))
    }
    let longest = works.max { $0.work < $1.work }
    return (longest?.stage ?? "", 1e9 / (longest?.work ?? 1))
  }

  /// Commands a second at `depth`.
  static func rate(_ setup: Setup, depth: Int, _ sharing: Sharing) -> Double {
    min(Double(depth) * 1e9 / roundTrip(setup), plateau(setup, sharing).rate)
  }
}
