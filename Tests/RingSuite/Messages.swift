import Ring

extension RingSuite {
  /// Messages between machines, and the sockets that move with them.
  static let messages: [RingTest] = [
    RingTest("a posted message arrives in a mailbox that waits") { stage in
      let extent = try stage.right.buffer(64)
      let waiting = stage.right.emit { $0.mailbox(into: extent, token: $1) }
      stage.settle()
      try expect(stage.right.completion(waiting), nil, "completion of a mailbox without a message")
      let message = try stage.left.buffer([1, 2, 3])
      try stage.succeed(stage.left, "post") { $0.post(to: stage.world.machine(.right), message, token: $1) }
      let arrived = try stage.wait(stage.right, waiting, "mailbox")
      try expect(arrived.error, .none, "mailbox")
      try expect(arrived.result, 3, "length")
      try expect(arrived.handle, .none, "no socket came with it")
      try expect(stage.right.bytes(extent.prefix(3)), [1, 2, 3], "bytes")
    },

    RingTest("messages that were posted before the mailbox asked arrive in order") { stage in
      for value in 1...5 as ClosedRange<UInt8> {
        let message = try stage.left.buffer([value])
        try stage.succeed(stage.left, "post") { $0.post(to: stage.world.machine(.right), message, token: $1) }
        // The message is a copy: what happens to the memory after the post does not matter.
        stage.left.arena.bytes(message)[0] = 0xFF
      }
      let extent = try stage.right.buffer(64)
      for value in 1...5 as ClosedRange<UInt8> {
        try expect(stage.succeed(stage.right, "mailbox") { $0.mailbox(into: extent, token: $1) }, 1, "length")
        try expect(stage.right.bytes(extent)[0], value, "message")
      }
    },

    RingTest("several mailboxes that wait are served in order") { stage in
      let extents = try (0..<3).map { _ in try stage.right.buffer(8) }
      let waiting = extents.map { extent in stage.right.put { $0.mailbox(into: extent, token: $1) } }
      stage.right.submit()
      for value in 1...3 as ClosedRange<UInt8> {
        let message = try stage.left.buffer([value])
        try stage.succeed(stage.left, "post") { $0.post(to: stage.world.machine(.right), message, token: $1) }
      }
      for (index, token) in waiting.enumerated() {
        try expect(stage.wait(stage.right, token, "mailbox").result, 1, "length")
        try expect(stage.right.bytes(extents[index])[0], UInt8(index + 1), "message")
      }
    },

    RingTest("a message that is longer than the mailbox's memory is cut off") { stage in
      let message = try stage.left.buffer([1, 2, 3, 4, 5])
      try stage.succeed(stage.left, "post") { $0.post(to: stage.world.machine(.right), message, token: $1) }
      let extent = try stage.right.buffer(8, filledWith: 0xEE)
      let length = try stage.succeed(stage.right, "mailbox") { $0.mailbox(into: extent.prefix(2), token: $1) }
      try expect(length, 5, "the message's own length")
      try expect(stage.right.bytes(extent.prefix(3)), [1, 2, 0xEE], "bytes")
    },

    RingTest("a machine can post to itself") { stage in
      let message = try stage.left.buffer([42])
      let extent = try stage.left.buffer(8)
      let posting = stage.left.put { $0.post(to: stage.world.machine(.left), message, token: $1) }
      let waiting = stage.left.put { $0.mailbox(into: extent, token: $1) }
      stage.left.submit()
      try expect(stage.wait(stage.left, posting, "post").error, .none, "post")
      try expect(stage.wait(stage.left, waiting, "mailbox").result, 1, "length")
      try expect(stage.left.bytes(extent)[0], 42, "message")
    },

    RingTest("posting to a machine that is not there is unreachable") { stage in
      let message = try stage.left.buffer([1])
      try stage.fail(stage.left, .unreachable, "post") { $0.post(to: MachineID(4_000_000), message, token: $1) }
    },

    RingTest("a socket moves with a message, with what it has received and not read") { stage in
      let connection = try stage.connect()
      try stage.send(stage.left, connection.left, [1, 2])
      stage.settle()
      // From the accepting machine over to the connecting one: both ends are now there.
      let message = try stage.right.buffer([7])
      try stage.succeed(stage.right, "post") {
        $0.post(to: stage.world.machine(.left), message, socket: connection.right, token: $1)
      }
      let extent = try stage.left.buffer(8)
      let arrived = try stage.perform(stage.left, "mailbox") { $0.mailbox(into: extent, token: $1) }
      try expect(arrived.error, .none, "mailbox")
      try expect(arrived.handle != .none, "a socket came with the message")
      try stage.fail(stage.right, .staleHandle, "receive on the socket that was given away") {
        $0.receive(on: connection.right, into: message, token: $1)
      }
      let moved = arrived.handle
      try expect(stage.receive(stage.left, moved, 2), [1, 2], "what had been received before the move")
      try stage.send(stage.left, connection.left, [3])
      try expect(stage.receive(stage.left, moved, 1), [3], "what was sent after the move")
      try stage.send(stage.left, moved, [4])
      try expect(stage.receive(stage.left, connection.left, 1), [4], "what came back")
    },

    RingTest("a socket moves before anything was sent, and then receives") { stage in
      let connection = try stage.connect()
      let message = try stage.right.buffer([0])
      try stage.succeed(stage.right, "post") {
        $0.post(to: stage.world.machine(.left), message, socket: connection.right, token: $1)
      }
      let extent = try stage.left.buffer(8)
      let moved = try stage.perform(stage.left, "mailbox") { $0.mailbox(into: extent, token: $1) }.handle
      let receiving = stage.left.emit { $0.receive(on: moved, into: extent, token: $1) }
      stage.settle()
      try stage.send(stage.left, connection.left, [3])
      try expect(stage.wait(stage.left, receiving, "receive").result, 1, "bytes")
    },

    RingTest("a socket with an operation outstanding does not move") { stage in
      let connection = try stage.connect()
      let extent = try stage.right.buffer(8)
      let receiving = stage.right.emit { $0.receive(on: connection.right, into: extent, token: $1) }
      stage.settle()
      let message = try stage.right.buffer([0])
      try stage.fail(stage.right, .other, "post") {
        $0.post(to: stage.world.machine(.left), message, socket: connection.right, token: $1)
      }
      try stage.send(stage.left, connection.left, [3])
      try expect(stage.wait(stage.right, receiving, "the receive that stayed").result, 1, "bytes")
    },
  ]
}
