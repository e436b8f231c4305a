import Foundation
import Ring
import SimNet
import SimRing

/// What the eight stages of a pipeline take: a file of Benchmarks/pipelines. Times in nanoseconds.
struct Setup: Decodable {
  struct Link: Decodable {
    var latencyNs: UInt64
    /// Bits a second; zero for no limit.
    var bandwidth: UInt64
    /// Bytes that a shaper lets pass at once.
    var burst: Int
    var mtu: Int
  }

  /// One host: its thread, its transmission, its softirq, by the names of docs/simulation.md.
  struct Host: Decodable {
    var wake: UInt64
    var step: UInt64
    var completion: UInt64
    /// Of 1024 bytes from and to sockets.
    var received: UInt64
    var sent: UInt64
    var send: UInt64
    var segmentOut: UInt64
    var kibibyteOut: UInt64
    var segmentIn: UInt64
    var kibibyteIn: UInt64
    var interruptDelay: UInt64
    /// Whether all stages of the host share one core.
    var oneCore: Bool

    var thread: ThreadWork {
      var work = ThreadWork()
      work.wake = Interval(nanoseconds: wake)
      work.step = Interval(nanoseconds: step)
      work.completion = Interval(nanoseconds: completion)
      work.kibibyteIn = Interval(nanoseconds: received)
      work.kibibyteOut = Interval(nanoseconds: sent)
      return work
    }

    var network: NetworkWork {
      var work = NetworkWork()
      work.send = Interval(nanoseconds: send)
      work.segmentOut = Interval(nanoseconds: segmentOut)
      work.kibibyteOut = Interval(nanoseconds: kibibyteOut)
      work.segmentIn = Interval(nanoseconds: segmentIn)
      work.kibibyteIn = Interval(nanoseconds: kibibyteIn)
      work.interruptDelay = Interval(nanoseconds: interruptDelay)
      work.oneCore = oneCore
      return work
    }
  }

  var name: String
  var about: String
  var link: Link
  var server: Host
  var client: Host

  /// - Throws: What is wrong with the file.
  init(file: String) throws {
    self = try JSONDecoder().decode(Setup.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
  }
}
