import ISCSI
import Load
import Ring
import Target
import Testing

/// The load against our own target, in the simulation.
@Suite struct LoadMachineTests {
  struct Shape: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var change: @Sendable (inout LoadConfiguration, inout TargetLimits) -> Void
  }

  static let shapes = [
    Shape(testDescription: "4 KiB reads") { _, _ in },
    Shape(testDescription: "4 KiB writes") { load, _ in load.readPercent = 0 },
    Shape(testDescription: "reads and writes, with digests") { load, _ in
      load.readPercent = 70
      load.headerDigest = true
      load.dataDigest = true
    },
    Shape(testDescription: "256 KiB sequential reads") { load, _ in
      load.length = 256 << 10
      load.order = .sequential
      load.depth = 4
    },
    Shape(testDescription: "256 KiB reads with digests") { load, _ in
      load.length = 256 << 10
      load.dataDigest = true
      load.depth = 4
    },
    Shape(testDescription: "256 KiB writes by R2T of 64 KiB in segments of 8 KiB") { load, limits in
      load.length = 256 << 10
      load.readPercent = 0
      load.depth = 4
      load.dataDigest = true
      limits.firstBurstLength = 4096
      limits.maxBurstLength = 65536
      limits.maxRecvDataSegmentLength = 8192
    },
    Shape(testDescription: "so many writes by R2T that answers come in pieces while data leave") { load, limits in
      load.length = 256 << 10
      load.readPercent = 0
      load.depth = 64
      limits.initialR2T = true
      limits.maxRecvDataSegmentLength = 8192
    },
    Shape(testDescription: "a window narrower than the depth") { load, limits in
      load.depth = 64
      limits.commandWindow = 4
    },
    Shape(testDescription: "20 sessions") { load, _ in
      load.sessions = 20
      load.depth = 3
    },
    Shape(testDescription: "20 sessions that read more than the room to wait with, with digests") { load, _ in
      load.sessions = 20
      load.depth = 32
      load.headerDigest = true
      load.dataDigest = true
    },
    Shape(testDescription: "20 sessions that write by many R2Ts") { load, limits in
      load.sessions = 20
      load.readPercent = 0
      load.depth = 200
      limits.commandWindow = 256
      limits.initialR2T = true
      limits.immediateData = false
    },
    Shape(testDescription: "200 sessions, whose buffers are smaller than what they read, with digests") { load, _ in
      load.sessions = 200
      load.depth = 1
      load.length = 256 << 10
      load.headerDigest = true
      load.dataDigest = true
    },
    Shape(testDescription: "a fixed rate") { load, _ in
      load.sessions = 4
      load.rate = 10_000
    },
  ]

  @Test(arguments: shapes) func everyShapeOfLoadIsPlayed(_ shape: Shape) throws {
    let played = try play(shape.change)
    #expect(played.result.firstError == nil)
    #expect(played.result.commands > 50)
    #expect(played.result.failedCommands == 0)
    #expect(played.result.lostSessions == 0)
    #expect(played.result.latency.count == played.result.commands + played.result.lateCommands)
    #expect(played.result.unansweredCommands == 0)
    #expect(played.result.commandsOfSession.reduce(0, +) == played.result.commands)
    #expect(played.result.slowestSessionPercent.map { $0 >= 50 } == true)
    #expect(Interval.milliseconds(40)...Interval.milliseconds(41) ~= played.result.measured)
    #expect(played.targets.sessions == 0, "everybody has logged out")
    #expect(played.targets.connectionsLost == 0)
  }

  @Test func theSameLoadTwiceIsTheSameToTheByte() throws {
    let change: @Sendable (inout LoadConfiguration, inout TargetLimits) -> Void = { load, _ in
      load.sessions = 5
      load.readPercent = 50
    }
    let first = try play(change)
    let second = try play(change)
    #expect(first.hash == second.hash)
    #expect(first.result.commands == second.result.commands)
    let other = try play { load, _ in
      load.sessions = 5
      load.readPercent = 50
      load.seed = 2
    }
    #expect(other.hash != first.hash, "another seed is another load")
  }

  @Test func aRateIsKept() throws {
    let result = try play { load, _ in
      load.sessions = 4
      load.rate = 5_000
    }.result
    #expect(195...205 ~= result.commands, "\(result.commands) in 40 ms")
  }

  /// A command may be begun before the timer for it has come, since what came before was late: the next one has a timer still.
  @Test func aRateIsKeptByAClockThatIsAheadOfTheTimers() throws {
    let place = try LoadWorld(delay: .microseconds(400)) { load, _ in load.rate = 2_000 }
    #expect(place.run(until: .ended))
    let result = place.load.currentResult
    #expect(78...82 ~= result.commands, "\(result.commands) in 40 ms")
  }

  /// 256 KiB take 2.1 ms at 1 Gbit/s, and the PDU that ends them begins with the status. Nothing else is on the way.
  @Test(arguments: [false, true]) func aReadEndsWithItsLastByte(hasDigest: Bool) throws {
    let result = try play(bandwidth: 1_000_000_000) { load, _ in
      load.length = 256 << 10
      load.rate = 250
      load.dataDigest = hasDigest
    }.result
    #expect(9...10 ~= result.commands, "\(result.commands) in 40 ms")
    #expect(result.latency.percentile(1) >= 2_097_152)
  }

  /// Data that are in the buffer as a whole, and others that are thrown away as they come.
  @Test(arguments: [1024, 256 << 10]) func damagedDataAreSaid(length: Int) throws {
    let result = try play(corruptions: 1) { load, _ in
      load.length = length
      load.headerDigest = true
      load.dataDigest = true
    }.result
    #expect(result.firstError?.contains("data whose digest does not match") == true, "\(result.firstError ?? "")")
    #expect(result.lostSessions == 1)
  }

  @Test func whatCannotBeReachedIsSaid() throws {
    let result = try play(listens: false) { _, _ in }.result
    #expect(result.lostSessions == 1)
    #expect(result.commands == 0)
    #expect(result.firstError?.contains("nobody listens there") == true)
  }

  @Test func aTargetThatIsNotThereIsSaid() throws {
    let result = try play { load, _ in load.targets[0].name += "x" }.result
    #expect(result.firstError?.contains("0x0203, not found") == true, "\(result.firstError ?? "")")
  }

  @Test func aLengthThatIsNoMultipleOfTheBlocksIsSaid() throws {
    let result = try play { load, _ in load.length = 1000 }.result
    #expect(result.firstError?.contains("multiple") == true, "\(result.firstError ?? "")")
  }

  private struct Played {
    var result: LoadResult
    var targets: TargetStatistics
    var hash: String
  }

  private func play(
    listens: Bool = true, bandwidth: UInt64? = nil, corruptions: Int = 0,
    _ change: (inout LoadConfiguration, inout TargetLimits) -> Void
  ) throws -> Played {
    let place = try LoadWorld(listens: listens, bandwidth: bandwidth, change)
    if corruptions > 0 {
      #expect(place.run(until: .measuring))
      place.world.network.corruptNext(corruptions, from: place.targets[0].host, to: place.host)
    }
    #expect(place.run(until: .ended))
    let target = place.targets[0].machine
    _ = place.world.run(until: { target.statistics.connections == 0 }, orUntil: place.world.now + .seconds(10))
    return Played(result: place.load.currentResult, targets: target.statistics, hash: "\(place.world.hash)")
  }
}
