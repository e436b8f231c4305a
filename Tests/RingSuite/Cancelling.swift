import Ring

extension RingSuite {
  /// What cancel does to an operation that waits, and to one that does not.
  static let cancelling: [RingTest] = [
    RingTest("cancelling a receive that waits; the connection is as before") { stage in
      let connection = try stage.connect()
      let extent = try stage.right.buffer(64)
      let receiving = stage.right.emit { $0.receive(on: connection.right, into: extent, token: $1) }
      stage.settle()
      try cancel(receiving, stage.right, stage)
      try stage.send(stage.left, connection.left, [1, 2, 3])
      try expect(stage.receive(stage.right, connection.right, 3), [1, 2, 3], "bytes received after the cancel")
    },

    RingTest("cancelling an accept that waits; the next accept takes the connection") { stage in
      let (listener, address) = try stage.right.ring.listen(at: stage.address(), backlog: 4)
      let accepting = stage.right.emit { $0.accept(on: listener, token: $1) }
      stage.settle()
      try cancel(accepting, stage.right, stage)
      let connecting = stage.left.emit { $0.connect(to: address, token: $1) }
      try stage.succeed(stage.right, "accept") { $0.accept(on: listener, token: $1) }
      try expect(stage.wait(stage.left, connecting, "connect").error, .none, "connect")
    },

    RingTest("cancelling one of two accepts leaves the other") { stage in
      let (listener, address) = try stage.right.ring.listen(at: stage.address(), backlog: 4)
      let first = stage.right.emit { $0.accept(on: listener, token: $1) }
      let second = stage.right.emit { $0.accept(on: listener, token: $1) }
      stage.settle()
      try cancel(first, stage.right, stage)
      try stage.succeed(stage.left, "connect") { $0.connect(to: address, token: $1) }
      try expect(stage.wait(stage.right, second, "accept").error, .none, "the other accept")
    },

    RingTest("cancelling a connect that waits") { stage in
      let address = try stage.world.silentAddress(for: .left)
      let connecting = stage.left.emit { $0.connect(to: address, token: $1) }
      stage.settle()
      try expect(stage.left.completion(connecting), nil, "completion of a connect that nobody answers")
      try cancel(connecting, stage.left, stage)
    },

    RingTest("cancelling a send that is stalled") { stage in
      let connection = try stage.connect()
      try cancel(stage.stalledSend(connection).token, stage.left, stage)
    },

    RingTest("cancelling a send that is stalled does not hold up a shutdown behind it") { stage in
      let connection = try stage.connect()
      let stalled = try stage.stalledSend(connection).token
      let shutting = stage.left.emit { $0.shutdown(connection.left, token: $1) }
      stage.settle()
      try cancel(stalled, stage.left, stage)
      try expect(stage.wait(stage.left, shutting, "shutdown").error, .none, "shutdown")
    },

    RingTest("cancelling a timer") { stage in
      let timing = stage.left.emit { $0.timer(at: stage.left.ring.now + .seconds(60), token: $1) }
      stage.settle(.milliseconds(2))
      try cancel(timing, stage.left, stage)
    },

    RingTest("cancelling a mailbox that waits; the next mailbox takes the message") { stage in
      let extent = try stage.right.buffer(64)
      let waiting = stage.right.emit { $0.mailbox(into: extent, token: $1) }
      stage.settle()
      try cancel(waiting, stage.right, stage)
      let message = try stage.left.buffer([5, 6])
      try stage.succeed(stage.left, "post") { $0.post(to: stage.world.machine(.right), message, token: $1) }
      try expect(stage.succeed(stage.right, "mailbox") { $0.mailbox(into: extent, token: $1) }, 2, "message's length")
    },

    RingTest("an operation and its cancel in one batch complete in that order") { stage in
      let connection = try stage.connect()
      let extent = try stage.right.buffer(64)
      let receiving = stage.right.put { $0.receive(on: connection.right, into: extent, token: $1) }
      let cancelling = stage.right.put { $0.cancel(receiving, token: $1) }
      stage.right.submit()
      try expect(stage.wait(stage.right, cancelling, "cancel").error, .none, "cancel")
      try expect(stage.wait(stage.right, receiving, "receive").error, .cancelled, "receive")
      try expectOrder(stage.right, receiving, cancelling)
    },

    RingTest("cancelling an operation that has completed says not found") { stage in
      let timing = stage.left.emit { $0.timer(at: .zero, token: $1) }
      try expect(stage.wait(stage.left, timing, "timer").error, .none, "timer")
      try stage.fail(stage.left, .notFound, "cancel of a finished timer") { $0.cancel(timing, token: $1) }
      let connection = try stage.connect()
      try stage.send(stage.left, connection.left, [1])
      let extent = try stage.right.buffer(16)
      let receiving = stage.right.emit { $0.receive(on: connection.right, into: extent, token: $1) }
      try expect(stage.wait(stage.right, receiving, "receive").error, .none, "receive")
      try stage.fail(stage.right, .notFound, "cancel of a finished receive") { $0.cancel(receiving, token: $1) }
    },

    RingTest("cancelling what never was says not found") { stage in
      try stage.fail(stage.left, .notFound, "cancel") { $0.cancel(Token(0xDEAD_BEEF_0000_0000), token: $1) }
    },

    RingTest("a cancel that comes too late lets the operation complete first") { stage in
      // A write cannot be taken back once the medium has it; whichever way the race goes, the two answers agree.
      let medium = try stage.world.makeMedium(for: .left, size: 1 << 20, readOnly: false)
      let extent = try stage.left.buffer(64 << 10, filledWith: 3)
      for _ in 0..<20 {
        let writing = stage.left.put { $0.write(to: medium, at: 0, from: [extent], token: $1) }
        let cancelling = stage.left.put { $0.cancel(writing, token: $1) }
        stage.left.submit()
        let answer = try stage.wait(stage.left, cancelling, "cancel").error
        let outcome = try stage.wait(stage.left, writing, "write").error
        try expectOrder(stage.left, writing, cancelling)
        switch outcome {
        case .cancelled: try expect(answer, .none, "cancel of a write that was cancelled")
        case .none: try expect(answer, .notFound, "cancel of a write that went through")
        default: throw RingTestFailure("the write failed as \(outcome)", #fileID, #line)
        }
      }
    },

    RingTest("a second cancel of an operation says not found, and both complete") { stage in
      let medium = try stage.world.makeMedium(for: .left, size: 1 << 20, readOnly: false)
      let extent = try stage.left.buffer(64 << 10, filledWith: 3)
      for _ in 0..<20 {
        let writing = stage.left.put { $0.write(to: medium, at: 0, from: [extent], token: $1) }
        let first = stage.left.put { $0.cancel(writing, token: $1) }
        let second = stage.left.put { $0.cancel(writing, token: $1) }
        stage.left.submit()
        let outcome = try stage.wait(stage.left, writing, "write").error
        try expect(
          stage.wait(stage.left, first, "cancel").error, outcome == .cancelled ? .none : .notFound, "cancel")
        try expect(stage.wait(stage.left, second, "second cancel").error, .notFound, "second cancel")
      }
    },
  ]

  /// Cancels an operation that waits: it completes as cancelled, and the cancel with success after it.
  static func cancel(
    _ target: Token, _ party: Party, _ stage: Stage, file: StaticString = #fileID, line: UInt = #line
  ) throws {
    let cancelling = party.emit { $0.cancel(target, token: $1) }
    try expect(
      stage.wait(party, cancelling, "cancel", file: file, line: line).error, .none, "cancel", file: file, line: line)
    try expect(
      stage.wait(party, target, "the cancelled operation", file: file, line: line).error, .cancelled,
      "the cancelled operation", file: file, line: line)
    try expectOrder(party, target, cancelling, file: file, line: line)
  }
}
