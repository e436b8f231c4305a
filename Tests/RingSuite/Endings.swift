import Ring

extension RingSuite {
  /// How connections, listeners and handles end.
  static let endings: [RingTest] = [
    RingTest("close: the peer reads what was sent, then the end of the stream") { stage in
      let connection = try stage.connect()
      try stage.send(stage.left, connection.left, pattern(2000))
      try stage.succeed(stage.left, "close") { $0.close(connection.left, token: $1) }
      try expect(stage.receive(stage.right, connection.right, 2000), pattern(2000), "bytes")
      try stage.expectEnd(stage.right, connection.right)
    },

    RingTest("a close with reset of the connecting side resets the accepting side's receive") { stage in
      let connection = try stage.connect()
      let extent = try stage.right.buffer(64)
      let receiving = stage.right.emit { $0.receive(on: connection.right, into: extent, token: $1) }
      stage.settle()
      try stage.succeed(stage.left, "close") { $0.close(connection.left, reset: true, token: $1) }
      try expect(stage.wait(stage.right, receiving, "receive").error, .connectionReset, "receive")
    },

    RingTest("a close with reset of the accepting side resets the connecting side's receive") { stage in
      let connection = try stage.connect()
      let extent = try stage.left.buffer(64)
      let receiving = stage.left.emit { $0.receive(on: connection.left, into: extent, token: $1) }
      stage.settle()
      try stage.succeed(stage.right, "close") { $0.close(connection.right, reset: true, token: $1) }
      try expect(stage.wait(stage.left, receiving, "receive").error, .connectionReset, "receive")
    },

    RingTest("a send after the peer's reset fails") { stage in
      let connection = try stage.connect()
      try stage.succeed(stage.right, "close") { $0.close(connection.right, reset: true, token: $1) }
      stage.settle()
      let extent = try stage.left.buffer(64)
      for attempt in 1...2 {
        let completion = try stage.perform(stage.left, "send") {
          $0.send(on: connection.left, from: [extent], token: $1)
        }
        try expect(
          completion.error == .connectionReset || completion.error == .brokenPipe,
          "send \(attempt) after a reset fails as reset or broken pipe, not \(completion.error)")
      }
    },

    RingTest("a send that is stalled fails when the peer resets") { stage in
      let connection = try stage.connect()
      let stalled = try stage.stalledSend(connection).token
      try stage.succeed(stage.right, "close") { $0.close(connection.right, reset: true, token: $1) }
      let completion = try stage.wait(stage.left, stalled, "the stalled send")
      try expect(
        completion.error == .connectionReset || completion.error == .brokenPipe,
        "fails as reset or broken pipe, not \(completion.error)")
    },

    RingTest("a close with bytes that nobody read resets the peer") { stage in
      let connection = try stage.connect()
      try stage.send(stage.left, connection.left, pattern(100))
      stage.settle()
      let extent = try stage.left.buffer(64)
      let receiving = stage.left.emit { $0.receive(on: connection.left, into: extent, token: $1) }
      try stage.succeed(stage.right, "close") { $0.close(connection.right, token: $1) }
      try expect(stage.wait(stage.left, receiving, "receive").error, .connectionReset, "receive")
    },

    RingTest("a send to a peer that closed fails in the end") { stage in
      let connection = try stage.connect()
      try stage.succeed(stage.right, "close") { $0.close(connection.right, token: $1) }
      try stage.expectEnd(stage.left, connection.left)
      let extent = try stage.left.buffer(64)
      var failure = RingError.none
      for _ in 0..<50 where failure == .none {
        failure = try stage.perform(stage.left, "send") { $0.send(on: connection.left, from: [extent], token: $1) }
          .error
        stage.settle(.milliseconds(5))
      }
      try expect(
        failure == .connectionReset || failure == .brokenPipe, "fails as reset or broken pipe, not \(failure)")
    },

    RingTest("operations outstanding on a socket complete as cancelled before its close") { stage in
      let connection = try stage.connect()
      let extent = try stage.right.buffer(64)
      let receiving = stage.right.emit { $0.receive(on: connection.right, into: extent, token: $1) }
      stage.settle()
      let closing = stage.right.emit { $0.close(connection.right, token: $1) }
      try expect(stage.wait(stage.right, closing, "close").error, .none, "close")
      try expect(stage.wait(stage.right, receiving, "receive").error, .cancelled, "receive")
      try expectOrder(stage.right, receiving, closing)
    },

    RingTest("a receive and a close of one batch complete in that order") { stage in
      let connection = try stage.connect()
      let extent = try stage.right.buffer(64)
      let receiving = stage.right.put { $0.receive(on: connection.right, into: extent, token: $1) }
      let closing = stage.right.put { $0.close(connection.right, token: $1) }
      stage.right.submit()
      try expect(stage.wait(stage.right, closing, "close").error, .none, "close")
      try expect(stage.wait(stage.right, receiving, "receive").error, .cancelled, "receive")
      try expectOrder(stage.right, receiving, closing)
      try stage.expectEnd(stage.left, connection.left)
    },

    RingTest("accepts outstanding on a listener complete as cancelled before its close") { stage in
      let (listener, _) = try stage.right.ring.listen(at: stage.address(), backlog: 4)
      let accepting = (0..<3).map { _ in stage.right.put { $0.accept(on: listener, token: $1) } }
      stage.right.submit()
      stage.settle()
      let closing = stage.right.emit { $0.close(listener, token: $1) }
      try expect(stage.wait(stage.right, closing, "close").error, .none, "close")
      for token in accepting {
        try expect(stage.wait(stage.right, token, "accept").error, .cancelled, "accept")
        try expectOrder(stage.right, token, closing)
      }
    },

    RingTest("connecting where nobody listens is refused") { stage in
      let (listener, address) = try stage.right.ring.listen(at: stage.address(), backlog: 4)
      try stage.succeed(stage.right, "close") { $0.close(listener, token: $1) }
      stage.settle()
      try stage.fail(stage.left, .connectionRefused, "connect") { $0.connect(to: address, token: $1) }
    },

    RingTest("a closed listener's connections go on") { stage in
      let connection = try stage.connect()
      try stage.succeed(stage.right, "close") { $0.close(connection.listener, token: $1) }
      try stage.send(stage.left, connection.left, [9])
      try expect(stage.receive(stage.right, connection.right, 1), [9], "bytes")
    },

    RingTest("every operation on a closed handle fails as stale") { stage in
      let connection = try stage.connect()
      let medium = try stage.world.makeMedium(for: .right, size: 64 << 10, readOnly: false)
      let right = stage.right
      for handle in [connection.right, connection.listener, medium] {
        try stage.succeed(right, "close") { $0.close(handle, token: $1) }
      }
      let extent = try right.buffer(4096)
      try stage.fail(right, .staleHandle, "accept") { $0.accept(on: connection.listener, token: $1) }
      try stage.fail(right, .staleHandle, "receive") { $0.receive(on: connection.right, into: extent, token: $1) }
      try stage.fail(right, .staleHandle, "send") { $0.send(on: connection.right, from: [extent], token: $1) }
      try stage.fail(right, .staleHandle, "shutdown") { $0.shutdown(connection.right, token: $1) }
      try stage.fail(right, .staleHandle, "no-delay") { $0.noDelay(connection.right, true, token: $1) }
      try stage.fail(right, .staleHandle, "close") { $0.close(connection.right, token: $1) }
      try stage.fail(right, .staleHandle, "describe") { $0.describe(connection.right, into: extent, token: $1) }
      try stage.fail(right, .staleHandle, "read") { $0.read(from: medium, at: 0, into: extent, token: $1) }
      try stage.fail(right, .staleHandle, "write") { $0.write(to: medium, at: 0, from: [extent], token: $1) }
      try stage.fail(right, .staleHandle, "flush") { $0.flush(medium, token: $1) }
      try stage.fail(right, .staleHandle, "discard") { $0.discard(on: medium, at: 0, length: 4096, token: $1) }
      try stage.fail(right, .staleHandle, "writeZeroes") { $0.writeZeroes(on: medium, at: 0, length: 4096, token: $1) }
      try stage.fail(right, .staleHandle, "seek") { $0.seek(on: medium, from: 0, toHole: true, token: $1) }
      try stage.fail(right, .staleHandle, "post") {
        $0.post(to: stage.world.machine(.left), extent, socket: connection.right, token: $1)
      }
      try stage.fail(right, .staleHandle, "receive on no handle") { $0.receive(on: .none, into: extent, token: $1) }
    },

    RingTest("an operation on a handle of the wrong kind fails as stale") { stage in
      let connection = try stage.connect()
      let medium = try stage.world.makeMedium(for: .right, size: 64 << 10, readOnly: false)
      let right = stage.right
      let extent = try right.buffer(4096)
      try stage.fail(right, .staleHandle, "accept on a socket") { $0.accept(on: connection.right, token: $1) }
      try stage.fail(right, .staleHandle, "receive on a listener") {
        $0.receive(on: connection.listener, into: extent, token: $1)
      }
      try stage.fail(right, .staleHandle, "send on a medium") { $0.send(on: medium, from: [extent], token: $1) }
      try stage.fail(right, .staleHandle, "read from a socket") {
        $0.read(from: connection.right, at: 0, into: extent, token: $1)
      }
      try stage.fail(right, .staleHandle, "flush of a listener") { $0.flush(connection.listener, token: $1) }
      try stage.fail(right, .staleHandle, "shutdown of a medium") { $0.shutdown(medium, token: $1) }
    },

    RingTest("a handle that was closed never names a newer socket") { stage in
      var old: [Handle] = []
      let extent = try stage.left.buffer(16)
      for _ in 0..<5 {
        let connection = try stage.connect()
        for handle in old {
          try stage.fail(stage.left, .staleHandle, "send on an old handle") {
            $0.send(on: handle, from: [extent], token: $1)
          }
        }
        try expect(!old.contains(connection.left), "a handle came twice")
        try stage.succeed(stage.left, "close") { $0.close(connection.left, token: $1) }
        old.append(connection.left)
      }
    },

    RingTest("an operation emitted after a close in the same batch fails as stale") { stage in
      let connection = try stage.connect()
      let extent = try stage.left.buffer(16)
      let closing = stage.left.put { $0.close(connection.left, token: $1) }
      let sending = stage.left.put { $0.send(on: connection.left, from: [extent], token: $1) }
      stage.left.submit()
      try expect(stage.wait(stage.left, closing, "close").error, .none, "close")
      try expect(stage.wait(stage.left, sending, "send").error, .staleHandle, "send")
    },
  ]

  /// `first` completed before `second`.
  static func expectOrder(
    _ party: Party, _ first: Token, _ second: Token, file: StaticString = #fileID, line: UInt = #line
  ) throws {
    guard let one = party.place(first), let two = party.place(second), one < two else {
      throw RingTestFailure("completed in the wrong order", file, line)
    }
  }
}
