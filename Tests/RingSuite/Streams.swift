import Ring

extension RingSuite {
  /// What receives and sends mean while the connection is up.
  static let streams: [RingTest] = [
    RingTest("bytes arrive as sent, in both directions") { stage in
      let connection = try stage.connect()
      try stage.send(stage.left, connection.left, pattern(300, seed: 1))
      try expect(stage.receive(stage.right, connection.right, 300), pattern(300, seed: 1), "bytes left to right")
      try stage.send(stage.right, connection.right, pattern(70, seed: 2))
      try expect(stage.receive(stage.left, connection.left, 70), pattern(70, seed: 2), "bytes right to left")
    },

    RingTest("a receive takes what is there and does not wait to be full") { stage in
      let connection = try stage.connect()
      let extent = try stage.right.buffer(4096, filledWith: 0xEE)
      let receiving = stage.right.emit { $0.receive(on: connection.right, into: extent, token: $1) }
      stage.settle()
      try expect(stage.right.completion(receiving), nil, "completion of a receive before anything was sent")
      try stage.send(stage.left, connection.left, [1, 2, 3])
      let first = try stage.wait(stage.right, receiving, "receive")
      try expect(first.result <= 3 && first.result >= 1, "1 to 3 bytes, not \(first.result)")
      let rest = try stage.receive(stage.right, connection.right, 3 - Int(first.result))
      try expect(stage.right.bytes(extent.prefix(Int(first.result))) + rest, [1, 2, 3], "bytes")
      try expect(stage.right.bytes(extent)[3], 0xEE, "the byte after what was received")
    },

    RingTest("a receive that is smaller than what is there leaves the rest for the next") { stage in
      let connection = try stage.connect()
      try stage.send(stage.left, connection.left, pattern(1000))
      stage.settle()
      var received: [UInt8] = []
      let extent = try stage.right.buffer(7)
      while received.count < 1000 {
        let part = extent.prefix(1000 - received.count)
        let got = try stage.succeed(stage.right, "receive") { $0.receive(on: connection.right, into: part, token: $1) }
        try expect(got > 0 && got <= part.length, "1...\(part.length) bytes, not \(got)")
        received += stage.right.bytes(part.prefix(Int(got)))
      }
      try expect(received, pattern(1000), "bytes")
    },

    RingTest("a vectored receive fills its extents in order") { stage in
      let connection = try stage.connect()
      let content = pattern(3 + 64 + 1 + 500)
      try stage.send(stage.left, connection.left, content)
      stage.settle()
      let page = try stage.right.buffer(4096)
      // Not in the order of their addresses, so that a ring that sorts them is found out.
      var parts = [page.slice(2000, 3), page.slice(100, 64), page.slice(99, 1), page.slice(1000, 500)]
      var received: [UInt8] = []
      while received.count < content.count {
        let now = parts
        let got = Int(
          try stage.succeed(stage.right, "receive") { $0.receive(on: connection.right, into: now, token: $1) })
        try expect(got > 0, "bytes received")
        received += now.flatMap { stage.right.bytes($0) }.prefix(got)
        parts = dropping(got, from: parts)
      }
      try expect(received, content, "bytes")
    },

    RingTest("a vectored send sends its extents in order") { stage in
      let connection = try stage.connect()
      let content = pattern(1 + 999 + 24)
      let page = try stage.left.buffer(4096)
      let parts = [page.slice(4000, 1), page.slice(1, 999), page.slice(3000, 24)]
      var taken = 0
      for part in parts {
        stage.left.arena.bytes(part).copyBytes(from: content[taken..<(taken + part.length)])
        taken += part.length
      }
      try stage.send(stage.left, connection.left, extents: parts)
      try expect(stage.receive(stage.right, connection.right, content.count), content, "bytes")
    },

    RingTest("a send of hundreds of extents keeps their order") { stage in
      let connection = try stage.connect()
      let content = pattern(1500 * 5)
      let whole = try stage.left.buffer(content)
      let parts = (0..<1500).map { whole.slice($0 * 5, 5) }
      try stage.send(stage.left, connection.left, extents: parts)
      try expect(stage.receive(stage.right, connection.right, content.count), content, "bytes")
    },

    RingTest("more to come holds nothing back for good") { stage in
      let connection = try stage.connect()
      let extent = try stage.left.buffer([7, 8])
      try stage.succeed(stage.left, "send") {
        $0.send(on: connection.left, from: [extent.prefix(1)], moreToCome: true, token: $1)
      }
      try stage.succeed(stage.left, "send") { $0.send(on: connection.left, from: [extent.dropFirst(1)], token: $1) }
      try expect(stage.receive(stage.right, connection.right, 2), [7, 8], "bytes")
    },

    RingTest("to set no-delay pushes out what more to come holds back") { stage in
      let connection = try stage.connect()
      let extent = try stage.left.buffer([7])
      try stage.succeed(stage.left, "send") {
        $0.send(on: connection.left, from: [extent], moreToCome: true, token: $1)
      }
      try stage.succeed(stage.left, "no-delay") { $0.noDelay(connection.left, true, token: $1) }
      // What nobody pushes waits for 200 ms.
      let alarm = stage.right.emit { $0.timer(at: stage.right.ring.now + .milliseconds(150), token: $1) }
      try expect(stage.receive(stage.right, connection.right, 1), [7], "bytes")
      try expect(stage.right.completion(alarm) == nil, true, "it came before the alarm")
    },

    RingTest("nothing is lost or held for good while no-delay is switched") { stage in
      let connection = try stage.connect()
      let content = pattern(64)
      let whole = try stage.left.buffer(content)
      for index in 0..<content.count {
        try stage.succeed(stage.left, "no-delay") { $0.noDelay(connection.left, index % 3 == 0, token: $1) }
        try stage.succeed(stage.left, "send") {
          $0.send(on: connection.left, from: [whole.slice(index, 1)], token: $1)
        }
      }
      try expect(stage.receive(stage.right, connection.right, content.count), content, "bytes")
    },

    RingTest("a sender stalls when the peer does not read, and goes on when it does") { stage in
      let connection = try stage.connect()
      let piece = try stage.left.buffer(pattern(64 << 10))
      var sent = 0
      var sending: Token?
      // No world buffers a gigabyte.
      while sent < 1 << 30 {
        let token = stage.left.emit { $0.send(on: connection.left, from: [piece], token: $1) }
        stage.left.turn(.milliseconds(5))
        if stage.left.completion(token) == nil { stage.settle(.milliseconds(300)) }
        guard let completion = stage.left.completion(token) else {
          sending = token
          break
        }
        try expect(completion.error, .none, "send")
        try expect(completion.result > 0, "bytes sent")
        sent += Int(completion.result)
        // Sends may be short; the pattern starts anew with each, which the reading side below relies on not at all.
      }
      guard let sending else { throw RingTestFailure("the sender never stalled", #fileID, #line) }
      try expect(sent > 0, "something was taken before the stall")

      let sink = try stage.right.buffer(1 << 20)
      var received = 0
      while stage.left.completion(sending) == nil {
        received += Int(
          try stage.succeed(stage.right, "receive") { $0.receive(on: connection.right, into: sink, token: $1) })
        stage.left.turn(.microseconds(500))
      }
      let last = try stage.wait(stage.left, sending, "the stalled send")
      try expect(last.error, .none, "the stalled send")
      try expect(last.result > 0 && last.result <= 64 << 10, "1...65536 bytes, not \(last.result)")
      sent += Int(last.result)
      while received < sent {
        received += Int(
          try stage.succeed(stage.right, "receive") { $0.receive(on: connection.right, into: sink, token: $1) })
      }
      try expect(received, sent, "bytes received")
    },

    RingTest("a long stream arrives whole and in order through partial sends and receives") { stage in
      let connection = try stage.connect()
      let content = pattern(3 << 20)
      let source = try stage.left.buffer(content)
      let sink = try stage.right.buffer(96 << 10)
      var rest = source
      var received: [UInt8] = []
      received.reserveCapacity(content.count)
      var sending: Token?
      var receiving: Token?
      try stage.run("the stream's end") {
        if let token = sending, let completion = stage.left.completion(token) {
          try expect(completion.error, .none, "send")
          rest = rest.dropFirst(Int(completion.result))
          sending = nil
        }
        if sending == nil, rest.length > 0 {
          sending = stage.left.emit { $0.send(on: connection.left, from: [rest.prefix(512 << 10)], token: $1) }
        }
        if let token = receiving, let completion = stage.right.completion(token) {
          try expect(completion.error, .none, "receive")
          received += stage.right.bytes(sink.prefix(Int(completion.result)))
          receiving = nil
        }
        if receiving == nil, received.count < content.count {
          receiving = stage.right.emit { $0.receive(on: connection.right, into: sink, token: $1) }
        }
        return received.count >= content.count
      }
      try expect(received == content, "the bytes received are the bytes sent")
    },

    RingTest("both directions of a connection work at the same time") { stage in
      let connection = try stage.connect()
      let leftExtent = try stage.left.buffer(64)
      let rightExtent = try stage.right.buffer(64)
      let leftReceive = stage.left.emit { $0.receive(on: connection.left, into: leftExtent, token: $1) }
      let rightReceive = stage.right.emit { $0.receive(on: connection.right, into: rightExtent, token: $1) }
      try stage.send(stage.left, connection.left, [0xAA])
      try stage.send(stage.right, connection.right, [0xBB])
      try expect(stage.wait(stage.right, rightReceive, "receive").result, 1, "bytes at the right")
      try expect(stage.wait(stage.left, leftReceive, "receive").result, 1, "bytes at the left")
      try expect(stage.right.bytes(rightExtent)[0], 0xAA, "the byte at the right")
      try expect(stage.left.bytes(leftExtent)[0], 0xBB, "the byte at the left")
    },

    RingTest("half-close: the peer reads the end of the stream, and can still send") { stage in
      let connection = try stage.connect()
      try stage.send(stage.left, connection.left, [1, 2, 3])
      try stage.succeed(stage.left, "shutdown") { $0.shutdown(connection.left, token: $1) }
      try expect(stage.receive(stage.right, connection.right, 3), [1, 2, 3], "what was sent before the half-close")
      try stage.expectEnd(stage.right, connection.right)
      try stage.expectEnd(stage.right, connection.right)
      try stage.send(stage.right, connection.right, [4, 5])
      try expect(stage.receive(stage.left, connection.left, 2), [4, 5], "what came back")
      let extent = try stage.left.buffer(1)
      try stage.fail(stage.left, .brokenPipe, "send after the half-close") {
        $0.send(on: connection.left, from: [extent], token: $1)
      }
    },

    RingTest("a receive that waits completes with zero bytes when the peer half-closes") { stage in
      let connection = try stage.connect()
      let extent = try stage.right.buffer(64)
      let receiving = stage.right.emit { $0.receive(on: connection.right, into: extent, token: $1) }
      stage.settle()
      try stage.succeed(stage.left, "shutdown") { $0.shutdown(connection.left, token: $1) }
      let completion = try stage.wait(stage.right, receiving, "receive")
      try expect(completion.error, .none, "receive")
      try expect(completion.result, 0, "bytes")
    },

    RingTest("a shutdown emitted after a send in one batch does not cut the send off") { stage in
      let connection = try stage.connect()
      let extent = try stage.left.buffer(pattern(5000))
      let sending = stage.left.put { $0.send(on: connection.left, from: [extent], token: $1) }
      let shutting = stage.left.put { $0.shutdown(connection.left, token: $1) }
      stage.left.submit()
      let sent = try stage.wait(stage.left, sending, "send")
      try expect(sent.error, .none, "send")
      try expect(stage.wait(stage.left, shutting, "shutdown").error, .none, "shutdown")
      let received = try stage.receive(stage.right, connection.right, Int(sent.result))
      try expect(received, Array(pattern(5000).prefix(Int(sent.result))), "bytes")
      try stage.expectEnd(stage.right, connection.right)
    },

    RingTest("many operations of one batch each complete once") { stage in
      let (listener, address) = try stage.right.ring.listen(at: stage.address(), backlog: 64)
      let count = 24
      let accepting = (0..<count).map { _ in stage.right.put { $0.accept(on: listener, token: $1) } }
      stage.right.submit()
      let connecting = (0..<count).map { _ in stage.left.put { $0.connect(to: address, token: $1) } }
      stage.left.submit()
      let left = try connecting.map { Handle(try stage.wait(stage.left, $0, "connect").result) }
      let right = try accepting.map { Handle(try stage.wait(stage.right, $0, "accept").result) }
      try expect(Set(left).count, count, "different handles on the left")
      try expect(Set(right).count, count, "different handles on the right")

      let extents = try right.map { _ in try stage.right.buffer(8) }
      let receiving = zip(right, extents).map { socket, extent in
        stage.right.put { $0.receive(on: socket, into: extent, token: $1) }
      }
      stage.right.submit()
      let sends = try left.enumerated().map { index, socket in
        let extent = try stage.left.buffer([UInt8(index)])
        return stage.left.put { $0.send(on: socket, from: [extent], token: $1) }
      }
      stage.left.submit()
      for token in sends { try expect(stage.wait(stage.left, token, "send").result, 1, "bytes sent") }
      var seen: Set<UInt8> = []
      for (token, extent) in zip(receiving, extents) {
        try expect(stage.wait(stage.right, token, "receive").result, 1, "bytes received")
        seen.insert(stage.right.bytes(extent)[0])
      }
      try expect(seen.count, count, "different bytes received")
    },

    RingTest("one reap brings all the completions that are there") { stage in
      let count = 100
      let due = stage.left.ring.now + .milliseconds(1)
      let tokens = (0..<count).map { _ in stage.left.put { $0.timer(at: due, token: $1) } }
      stage.left.submit()
      for token in tokens { try expect(stage.wait(stage.left, token, "timer").error, .none, "timer") }
      try expect(stage.left.batchSizes.max() ?? 0, count, "completions in the fullest batch")
    },
  ]

  /// What is left of `parts` after their first `count` bytes.
  static func dropping(_ count: Int, from parts: [Extent]) -> [Extent] {
    var count = count
    var result: [Extent] = []
    for part in parts {
      let rest = part.dropFirst(count)
      count -= part.length - rest.length
      if rest.length > 0 { result.append(rest) }
    }
    return result
  }
}
