import Ring

extension RingSuite {
  /// Listeners and the addresses of sockets.
  static let addresses: [RingTest] = [
    RingTest("a listener at port zero gets a port of its own") { stage in
      let asked = try stage.address()
      let first = try stage.right.ring.listen(at: asked, backlog: 4)
      let second = try stage.right.ring.listen(at: asked, backlog: 4)
      try expect(first.address.port != 0 && second.address.port != 0, "the ports are filled in")
      try expect(first.address.port != second.address.port, "the ports differ")
      try expect(first.address.hasSameHost(as: asked), "the host is the one that was asked for")
      try expect(first.listener != second.listener, "the handles differ")
    },

    RingTest("a port that is taken is in use") { stage in
      let (_, address) = try stage.right.ring.listen(at: stage.address(), backlog: 4)
      do {
        _ = try stage.right.ring.listen(at: address, backlog: 4)
      } catch let error {
        return try expect(error as? RingError, .addressInUse, "the second listen")
      }
      throw RingTestFailure("two listeners at one address", #fileID, #line)
    },

    RingTest("an address of nobody's is not available") { stage in
      do {
        // RFC 5737 TEST-NET-3: no host has it.
        _ = try stage.right.ring.listen(at: SocketAddress(203, 0, 113, 77, port: 0), backlog: 4)
      } catch let error {
        return try expect(error as? RingError, .addressUnavailable, "listen")
      }
      throw RingTestFailure("a listener at an address that the host has not", #fileID, #line)
    },

    RingTest("a port can be had again at once after its listener and connections are closed") { stage in
      let connection = try stage.connect()
      for handle in [connection.right, connection.listener] {
        try stage.succeed(stage.right, "close") { $0.close(handle, token: $1) }
      }
      try stage.expectEnd(stage.left, connection.left)
      let (listener, _) = try stage.right.ring.listen(at: connection.address, backlog: 4)
      let accepting = stage.right.emit { $0.accept(on: listener, token: $1) }
      try stage.succeed(stage.left, "connect") { $0.connect(to: connection.address, token: $1) }
      try expect(stage.wait(stage.right, accepting, "accept").error, .none, "accept")
    },

    RingTest("describe names both ends, from either end") { stage in
      try describe(stage, ipv6: false)
    },

    RingTest("IPv6: connect, send, receive, describe") { stage in
      guard stage.world.address(of: .right, ipv6: true) != nil else { return }
      try describe(stage, ipv6: true)
      let connection = try stage.connect(ipv6: true)
      try stage.send(stage.left, connection.left, pattern(100))
      try expect(stage.receive(stage.right, connection.right, 100), pattern(100), "bytes")
    },

    RingTest("an IPv4 and an IPv6 wildcard listener share a port") { stage in
      guard let host6 = stage.world.address(of: .right, ipv6: true) else { return }
      var host4 = try stage.address()
      var host6WithPort = host6
      let any4 = SocketAddress(0, 0, 0, 0, port: 0)
      let (first, address) = try stage.right.ring.listen(at: any4, backlog: 4)
      let any6 = SocketAddress(high: 0, low: 0, port: address.port)
      let (second, _) = try stage.right.ring.listen(at: any6, backlog: 4)
      (host4.port, host6WithPort.port) = (address.port, address.port)
      let accept4 = stage.right.emit { $0.accept(on: first, token: $1) }
      let accept6 = stage.right.emit { $0.accept(on: second, token: $1) }
      try stage.succeed(stage.left, "connect by IPv4") { $0.connect(to: host4, token: $1) }
      try expect(stage.wait(stage.right, accept4, "accept on the IPv4 wildcard").error, .none, "accept")
      try expect(stage.right.completion(accept6), nil, "accept on the IPv6 wildcard, of an IPv4 connection")
      try stage.succeed(stage.left, "connect by IPv6") { $0.connect(to: host6WithPort, token: $1) }
      try expect(stage.wait(stage.right, accept6, "accept on the IPv6 wildcard").error, .none, "accept")
    },

    RingTest("connections wait in the backlog until they are accepted") { stage in
      let (listener, address) = try stage.right.ring.listen(at: stage.address(), backlog: 16)
      let connecting = (0..<5).map { _ in stage.left.put { $0.connect(to: address, token: $1) } }
      stage.left.submit()
      for token in connecting { try expect(stage.wait(stage.left, token, "connect").error, .none, "connect") }
      for _ in 0..<5 { try stage.succeed(stage.right, "accept") { $0.accept(on: listener, token: $1) } }
      let sixth = stage.right.emit { $0.accept(on: listener, token: $1) }
      stage.settle()
      try expect(stage.right.completion(sixth), nil, "completion of an accept without a connection")
    },
  ]

  static func describe(_ stage: Stage, ipv6: Bool) throws {
    let connection = try stage.connect(ipv6: ipv6)
    func ends(_ party: Party, _ socket: Handle) throws -> (local: SocketAddress, remote: SocketAddress) {
      let extent = try party.buffer(SocketAddress.encodedLength * 2, filledWith: 0xFF)
      let length = try stage.succeed(party, "describe") { $0.describe(socket, into: extent, token: $1) }
      try expect(length, UInt64(SocketAddress.encodedLength * 2), "bytes written")
      let bytes = UnsafeRawBufferPointer(party.arena.bytes(extent))
      guard let local = SocketAddress(decoding: bytes),
        let remote = SocketAddress(decoding: .init(rebasing: bytes[SocketAddress.encodedLength...]))
      else { throw RingTestFailure("not two addresses", #fileID, #line) }
      return (local, remote)
    }
    let left = try ends(stage.left, connection.left)
    let right = try ends(stage.right, connection.right)
    try expect(left.remote, connection.address, "the connecting end's remote address")
    try expect(right.local, connection.address, "the accepted end's local address")
    try expect(left.local, right.remote, "the connecting end's local address, as seen from the other end")
    try expect(left.local.isIPv4, !ipv6, "IPv4")
    try expect(left.local.port != 0, "the connecting end has a port")
  }
}
