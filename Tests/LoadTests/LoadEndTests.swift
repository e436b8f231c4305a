import Load
import Ring
import Target
import Testing

/// What becomes of the commands that are begun, or due, when measuring ends: a target that stands still then is told by the
/// latencies, and the commands a second stay those of the time that is measured.
@Suite struct LoadEndTests {
  /// Plays a load of 40 ms whose target pauses from the 20th on.
  ///
  /// - Parameter pause: How long; nil for ever.
  private func stall(
    for pause: Interval?, _ change: (inout LoadConfiguration, inout TargetLimits) -> Void = { _, _ in }
  ) throws -> LoadResult {
    let place = try LoadWorld(change)
    let process = place.targets[0].process
    #expect(place.run(until: .measuring))
    place.run(for: .milliseconds(20))
    place.world.pause(process)
    if let pause {
      place.run(for: pause)
      place.world.resume(process)
    }
    #expect(place.run(until: .ended))
    let result = place.load.currentResult
    #expect(result.latency.count == result.commands + result.lateCommands + result.unansweredCommands)
    #expect(result.failedCommands == 0)
    return result
  }

  @Test func ofAStallAtTheEndAllThatItDelaysCounts() throws {
    let result = try stall(for: .milliseconds(60)) { load, _ in load.rate = 10_000 }
    #expect(195...205 ~= result.commands, "\(result.commands) in the first half")
    #expect(195...205 ~= result.lateCommands, "\(result.lateCommands) in the second half")
    #expect(result.unansweredCommands == 0)
    #expect(result.lostSessions == 0)
    // What was due last was due at the end, 40 ms before the target went on.
    #expect(result.latency.percentile(450) < 1_000_000)
    #expect(result.latency.percentile(550) >= 40_000_000)
    #expect(result.latency.max >= 59_000_000)
  }

  @Test func withoutARateAStallAtTheEndCountsForWhatIsOutstanding() throws {
    let result = try stall(for: .milliseconds(60))
    #expect(result.lateCommands == 8)
    #expect(result.latency.max >= 59_000_000)
    #expect(result.lostSessions == 0)
  }

  @Test func whatHasNoAnswerCountsWithWhatItHasWaited() throws {
    let result = try stall(for: nil)
    #expect(result.unansweredCommands == 8)
    #expect(result.latency.max >= 2_000_000_000)
    #expect(result.lostSessions == 1)
    #expect(result.firstError?.contains("without an answer") == true, "\(result.firstError ?? "")")
  }

  @Test func whatIsNeverBegunCountsAsWell() throws {
    let result = try stall(for: nil) { load, _ in load.rate = 10_000 }
    #expect(195...205 ~= result.unansweredCommands, "\(result.unansweredCommands)")
    #expect(result.latency.percentile(550) >= 1_000_000_000, "half of the patience")
  }

  /// Commands that a target has no hope to answer in time are given up, and its sessions are not lost for that.
  @Test func aRateThatIsOutOfReachEnds() throws {
    let place = try LoadWorld(bandwidth: 10_000_000) { load, _ in load.rate = 100_000 }
    #expect(place.run(until: .ended))
    let result = place.load.currentResult
    #expect(result.commands > 0 && result.lateCommands > 100)
    #expect(result.unansweredCommands > 3_000)
    // Of 5 ms and 40 ms, without the few that ended within the first.
    #expect(4_450...4_501 ~= result.latency.count, "\(result.latency.count)")
    #expect(result.lostSessions == 0)
    #expect(result.firstError == nil)
  }

  @Test func theCommandsOfALostSessionHaveNoAnswer() throws {
    let place = try LoadWorld { _, _ in }
    #expect(place.run(until: .measuring))
    place.run(for: .milliseconds(20))
    place.world.crash(place.targets[0].process)
    #expect(place.run(until: .ended))
    let result = place.load.currentResult
    #expect(result.unansweredCommands == 8)
    #expect(result.latency.count == result.commands + 8)
  }
}
