import Ring

extension RingSuite {
  /// How the sending side of a connection ends, and what is left of the connection then.
  static let shutdowns: [RingTest] = [
    RingTest("a shutdown after the peer has closed is no reset") { stage in
      let connection = try stage.connect()
      try stage.succeed(stage.right, "close") { $0.close(connection.right, token: $1) }
      try stage.expectEnd(stage.left, connection.left)
      stage.settle()
      try stage.succeed(stage.left, "shutdown") { $0.shutdown(connection.left, token: $1) }
      stage.settle()
      try stage.expectEnd(stage.left, connection.left)
    },

    RingTest("a shutdown waits for the send before it that is stalled") { stage in
      let connection = try stage.connect()
      let (stalled, sent) = try stage.stalledSend(connection)
      let shutting = stage.left.emit { $0.shutdown(connection.left, token: $1) }
      stage.settle()
      _ = try stage.receive(stage.right, connection.right, sent)
      let completion = try stage.wait(stage.left, stalled, "the stalled send")
      try expect(completion.error, .none, "the stalled send")
      try expect(stage.wait(stage.left, shutting, "shutdown").error, .none, "shutdown")
      try expectOrder(stage.left, stalled, shutting)
      _ = try stage.receive(stage.right, connection.right, Int(completion.result))
      try stage.expectEnd(stage.right, connection.right)
    },

    RingTest("a shutdown that waits is cancelled by a close, after the send before it") { stage in
      let connection = try stage.connect()
      let stalled = try stage.stalledSend(connection).token
      let shutting = stage.left.emit { $0.shutdown(connection.left, token: $1) }
      stage.settle()
      try stage.succeed(stage.left, "close") { $0.close(connection.left, token: $1) }
      try expect(stage.wait(stage.left, stalled, "the stalled send").error, .cancelled, "the stalled send")
      try expect(stage.wait(stage.left, shutting, "shutdown").error, .cancelled, "shutdown")
    },

    RingTest("a second shutdown succeeds, and one of a connection that has ended both ways fails as broken pipe") {
      stage in
      let connection = try stage.connect()
      try stage.succeed(stage.left, "shutdown") { $0.shutdown(connection.left, token: $1) }
      try stage.succeed(stage.left, "second shutdown") { $0.shutdown(connection.left, token: $1) }
      stage.settle()
      try stage.succeed(stage.right, "shutdown of the peer") { $0.shutdown(connection.right, token: $1) }
      stage.settle()
      try stage.fail(stage.left, .brokenPipe, "third shutdown") { $0.shutdown(connection.left, token: $1) }
    },

    RingTest("when both sides have shut down both read the end of the stream, and again") { stage in
      let connection = try stage.connect()
      try stage.succeed(stage.left, "shutdown") { $0.shutdown(connection.left, token: $1) }
      stage.settle()
      try stage.expectEnd(stage.right, connection.right)
      try stage.succeed(stage.right, "shutdown") { $0.shutdown(connection.right, token: $1) }
      stage.settle()
      try stage.expectEnd(stage.left, connection.left)
      try stage.expectEnd(stage.left, connection.left)
      try stage.expectEnd(stage.right, connection.right)
    },

    RingTest("a send after a shutdown fails as broken pipe") { stage in
      let connection = try stage.connect()
      try stage.succeed(stage.left, "shutdown") { $0.shutdown(connection.left, token: $1) }
      let extent = try stage.left.buffer(16)
      try stage.fail(stage.left, .brokenPipe, "send") { $0.send(on: connection.left, from: [extent], token: $1) }
    },
  ]

  /// What a reset leaves of a connection.
  static let resets: [RingTest] = [
    RingTest("bytes that arrived before a reset can be read, then the reset, then the end") { stage in
      let connection = try stage.connect()
      try stage.send(stage.left, connection.left, pattern(100))
      stage.settle()
      try stage.succeed(stage.left, "close") { $0.close(connection.left, reset: true, token: $1) }
      stage.settle()
      try expect(stage.receive(stage.right, connection.right, 100), pattern(100), "bytes")
      let extent = try stage.right.buffer(16)
      try stage.fail(stage.right, .connectionReset, "receive") {
        $0.receive(on: connection.right, into: extent, token: $1)
      }
      try stage.expectEnd(stage.right, connection.right)
    },

    RingTest("a send reports a reset, and a receive the end after it") { stage in
      let connection = try stage.connect()
      try stage.succeed(stage.left, "close") { $0.close(connection.left, reset: true, token: $1) }
      stage.settle()
      let extent = try stage.right.buffer(16)
      try stage.fail(stage.right, .connectionReset, "send") { $0.send(on: connection.right, from: [extent], token: $1) }
      try stage.expectEnd(stage.right, connection.right)
    },

    RingTest("after a reset a connection is not described, a shutdown is a broken pipe, and no-delay succeeds") {
      stage in
      let connection = try stage.connect()
      try stage.succeed(stage.left, "close") { $0.close(connection.left, reset: true, token: $1) }
      stage.settle()
      let extent = try stage.right.buffer(4096)
      try stage.fail(stage.right, .connectionReset, "describe") {
        $0.describe(connection.right, into: extent, token: $1)
      }
      try stage.succeed(stage.right, "no-delay") { $0.noDelay(connection.right, true, token: $1) }
      try stage.fail(stage.right, .brokenPipe, "shutdown") { $0.shutdown(connection.right, token: $1) }
    },

    RingTest("a connection that was reset before it was accepted is accepted, not described, and receives the reset") {
      stage in
      let (listener, address) = try stage.right.ring.listen(at: stage.address(), backlog: 16)
      let connected = try stage.succeed(stage.left, "connect") { $0.connect(to: address, token: $1) }
      stage.settle()
      try stage.succeed(stage.left, "close") { $0.close(Handle(connected), reset: true, token: $1) }
      stage.settle()
      let handle = Handle(try stage.succeed(stage.right, "accept") { $0.accept(on: listener, token: $1) })
      let extent = try stage.right.buffer(4096)
      try stage.fail(stage.right, .connectionReset, "describe") { $0.describe(handle, into: extent, token: $1) }
      try stage.fail(stage.right, .connectionReset, "receive") { $0.receive(on: handle, into: extent, token: $1) }
    },

    RingTest("a listener's close resets whom nobody had accepted") { stage in
      let (listener, address) = try stage.right.ring.listen(at: stage.address(), backlog: 16)
      let connected = try stage.succeed(stage.left, "connect") { $0.connect(to: address, token: $1) }
      stage.settle()
      try stage.succeed(stage.right, "close") { $0.close(listener, token: $1) }
      stage.settle()
      let extent = try stage.left.buffer(16)
      try stage.fail(stage.left, .connectionReset, "receive") {
        $0.receive(on: Handle(connected), into: extent, token: $1)
      }
    },
  ]
}
