import Ring

extension RingSuite {
  /// Deadlines and the order in which they come.
  static let timers: [RingTest] = [
    RingTest("a timer completes at its deadline and not before") { stage in
      let deadline = stage.left.ring.now + .milliseconds(20)
      let timing = stage.left.emit { $0.timer(at: deadline, token: $1) }
      while stage.left.completion(timing) == nil {
        stage.left.turn(.seconds(1))
        if stage.left.ring.now < deadline {
          try expect(stage.left.completion(timing), nil, "completion before the deadline")
        }
      }
      try expect(stage.left.completion(timing)?.error, RingError.none, "timer")
      try expect(stage.left.ring.now >= deadline, "the deadline has come")
    },

    RingTest("a timer whose deadline has passed completes at once") { stage in
      try stage.succeed(stage.left, "timer at the ring's start") { $0.timer(at: .zero, token: $1) }
      let now = stage.left.ring.now
      try stage.succeed(stage.left, "timer now") { $0.timer(at: now, token: $1) }
    },

    RingTest("timers complete in the order of their deadlines, then of their submission") { stage in
      let start = stage.left.ring.now + .milliseconds(5)
      // Deadlines in microseconds after the start, with ties, and out of order.
      let offsets: [UInt64] = [300, 100, 200, 100, 0, 300, 50, 100, 0, 250, 200]
      let tokens = offsets.map { offset in
        stage.left.put { $0.timer(at: start + .microseconds(offset), token: $1) }
      }
      stage.left.submit()
      for token in tokens { try expect(stage.wait(stage.left, token, "timer").error, .none, "timer") }
      let expected = offsets.indices.sorted { (offsets[$0], $0) < (offsets[$1], $1) }.map { tokens[$0] }
      try expect(stage.left.history.map(\.token).filter(tokens.contains), expected, "order of completion")
    },

    RingTest("timers that are long past complete in the order of their deadlines too") { stage in
      stage.settle(.milliseconds(3))
      let tokens = [500, 100, 300, 100].map { microseconds in
        stage.left.put { $0.timer(at: Instant(nanoseconds: microseconds * 1000), token: $1) }
      }
      stage.left.submit()
      for token in tokens { try expect(stage.wait(stage.left, token, "timer").error, .none, "timer") }
      try expect(
        stage.left.history.map(\.token), [tokens[1], tokens[3], tokens[2], tokens[0]], "order of completion")
    },

    RingTest("a cancelled timer does not disturb the others") { stage in
      let start = stage.left.ring.now + .milliseconds(10)
      let tokens = (0..<9).map { index in
        stage.left.put { $0.timer(at: start + .microseconds(UInt64(index) * 37 % 9 * 100), token: $1) }
      }
      let cancelled = [tokens[0], tokens[4], tokens[8]]
      let cancels = cancelled.map { target in stage.left.put { $0.cancel(target, token: $1) } }
      stage.left.submit()
      for token in cancels { try expect(stage.wait(stage.left, token, "cancel").error, .none, "cancel") }
      for (index, token) in tokens.enumerated() {
        let expected: RingError = cancelled.contains(token) ? .cancelled : .none
        try expect(stage.wait(stage.left, token, "timer").error, expected, "timer \(index)")
      }
      let rest = tokens.indices.filter { !cancelled.contains(tokens[$0]) }
      let expected = rest.sorted { $0 * 37 % 9 < $1 * 37 % 9 }.map { tokens[$0] }
      try expect(stage.left.history.map(\.token).filter(expected.contains), expected, "order of completion")
    },

    RingTest("reap returns at its deadline when nothing happens, and not long before") { stage in
      let end = stage.left.ring.now + .milliseconds(10)
      var completions: [Completion] = []
      stage.left.ring.reap(into: &completions, until: end)
      try expect(completions.isEmpty, "no completions")
      try expect(stage.left.ring.now >= end, "the deadline has come")
    },

    RingTest("the clock never goes back") { stage in
      var last = stage.left.ring.now
      for _ in 0..<20 {
        stage.left.turn(.microseconds(50))
        let now = stage.left.ring.now
        try expect(now >= last, "the clock goes forward")
        last = now
      }
    },
  ]
}
