import ISCSI
import Ring

/// Connections that change machines: one that was accepted by a machine whose login names a node of another is posted
/// there, with its socket and what its first text says, and the login goes on as if it had been accepted there.
extension TargetCore {
  // MARK: Leaving

  /// The login has named a node that `server` serves: makes the message, which goes when the answers to the parts of the
  /// text have been sent.
  mutating func handOver(
    _ connection: UnsafeMutablePointer<Connection>, _ request: HeaderView, _ text: [UInt8], to server: MachineID
  ) {
    // Machines that do not agree on who serves a node must not pass a connection round for ever.
    guard !connection.pointee.wasTakenOver else { return rejectLogin(connection, request, .targetError) }
    let rest = Extent(
      offset: connection.pointee.buffer.offset + connection.pointee.start, length: connection.pointee.available)
    let length = Handover.length + text.count + rest.length
    guard length <= handoverLengthMax, let message = context.buffers.allocate(length) else {
      return rejectLogin(connection, request, .outOfResources)
    }
    let handover = Handover(
      portal: UInt32(truncatingIfNeeded: connection.pointee.portal), statSN: connection.pointee.statSN,
      timeLeft: connection.pointee.deadline - context.now, localAddress: connection.pointee.localAddress,
      remoteAddress: connection.pointee.remoteAddress, request: FinalRequest(request),
      textLength: UInt32(truncatingIfNeeded: text.count))
    let bytes = context.arena.bytes(message)
    handover.encode(into: bytes)
    UnsafeMutableRawBufferPointer(rebasing: bytes[Handover.length...]).copyBytes(from: text)
    UnsafeMutableRawBufferPointer(rebasing: bytes[(Handover.length + text.count)...])
      .copyMemory(from: UnsafeRawBufferPointer(context.arena.bytes(rest)))
    statistics.bytesCopied &+= UInt64(length)
    connection.pointee.finalRequest = handover.request
    free(connection.pointee.buffer)
    connection.pointee.buffer = message
    connection.pointee.start = 0
    connection.pointee.end = 0
    connection.pointee.phase = .leaving
    pendingLogins -= 1
    connection.pointee.destination = server
    markDirty(connection)
  }

  /// Posts a connection that leaves. Nothing else is outstanding on its socket.
  mutating func post(_ connection: UnsafeMutablePointer<Connection>) {
    guard !connection.pointee.isPosting else { return }
    connection.pointee.isPosting = true
    // From here on it is the other machine's time.
    connection.pointee.deadline = .distantFuture
    context.operations.post(
      to: connection.pointee.destination, connection.pointee.buffer, socket: connection.pointee.socket,
      token: connection.pointee.token(.post))
  }

  mutating func posted(_ connection: UnsafeMutablePointer<Connection>, _ completion: Completion) {
    connection.pointee.isPosting = false
    guard connection.pointee.phase == .leaving else {
      releaseIfDone(connection)
      return
    }
    guard completion.error == .none else {
      // The other machine is not there, or does not get round to its messages: the socket is still here.
      guard let request = connection.pointee.finalRequest else {
        return close(connection, reset: true, because: .unserved)
      }
      withHeader(request) { core, header in core.rejectLogin(connection, header, .serviceUnavailable) }
      return
    }
    statistics.handovers &+= 1
    connection.pointee.phase = .closing
    releaseIfDone(connection)
  }

  // MARK: Arriving

  /// The longest message: a whole text, and what may stand in the receive buffer of a login.
  private var handoverLengthMax: Int { Handover.length + limits.textLengthMax + 2 * Self.idleBufferLength }

  /// The memory for messages, taken at the start.
  mutating func openMailbox() -> Extent {
    guard let buffer = context.buffers.allocate(handoverLengthMax) else {
      // allow(trap): it is the first buffer of an arena that is documented to be larger; no input comes into it.
      preconditionFailure("an arena that is too small for a machine that shares its nodes with others")
    }
    return buffer
  }

  mutating func awaitMessage() {
    context.operations.mailbox(into: mailbox, token: Token(TokenKind.mailbox.rawValue << 56))
  }

  mutating func messageArrived(_ completion: Completion) {
    guard completion.error == .none else { return }
    if completion.handle != .none {
      let length = Int(clamping: completion.result)
      // A message that was cut off is none of this room's.
      if length <= mailbox.length,
        let (handover, text, rest) = Handover.decode(context.arena.bytes(mailbox.prefix(length))),
        Int(handover.portal) < configuration.portals.count
      {
        takeOver(completion.handle, handover, text: text, rest: rest)
      } else {
        refuse(completion.handle)
      }
    }
    awaitMessage()
  }

  /// Goes on with a login that another machine has accepted.
  private mutating func takeOver(
    _ socket: Handle, _ handover: Handover, text: UnsafeRawBufferPointer, rest: UnsafeRawBufferPointer
  ) {
    statistics.takeovers &+= 1
    guard
      let connection = newConnection(
        socket, Int(handover.portal), .login, bufferLength: max(Self.idleBufferLength, rest.count))
    else { return }
    connection.pointee.localAddress = handover.localAddress
    connection.pointee.remoteAddress = handover.remoteAddress
    connection.pointee.statSN = handover.statSN
    connection.pointee.wasTakenOver = true
    setDeadline(connection, context.now + min(handover.timeLeft, limits.loginTimeout))
    context.arena.bytes(connection.pointee.buffer.prefix(rest.count)).copyMemory(from: rest)
    connection.pointee.end = rest.count
    statistics.bytesCopied &+= UInt64(rest.count)
    withHeader(handover.request) { core, header in core.loginRequest(connection, header, text) }
    parse(connection)
    markDirty(connection)
  }
}

/// What goes to another machine with the socket of a connection: this record, big-endian; the text that named the node;
/// and what has been received behind it.
struct Handover {
  /// The portal that it was accepted on, by its index.
  var portal: UInt32
  /// StatSN of the next answer: the parts of a text that came in several have been answered.
  var statSN: UInt32
  /// What is left of the time that a login may take.
  var timeLeft: Interval
  var localAddress: SocketAddress
  var remoteAddress: SocketAddress
  /// The Login Request that the text ends with.
  var request: FinalRequest
  /// The length of the text in bytes.
  var textLength: UInt32

  /// The size of the record in bytes.
  static let length = 20 + 2 * SocketAddress.encodedLength + HeaderView.length

  /// Writes the record. `bytes` holds at least ``length``.
  func encode(into bytes: UnsafeMutableRawBufferPointer) {
    bytes.storeBytes(of: portal.bigEndian, toByteOffset: 0, as: UInt32.self)
    bytes.storeBytes(of: statSN.bigEndian, toByteOffset: 4, as: UInt32.self)
    bytes.storeBytes(of: timeLeft.nanoseconds.bigEndian, toByteOffset: 8, as: UInt64.self)
    bytes.storeBytes(of: textLength.bigEndian, toByteOffset: 16, as: UInt32.self)
    localAddress.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[20...]))
    remoteAddress.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[(20 + SocketAddress.encodedLength)...]))
    let header = UnsafeMutableRawBufferPointer(rebasing: bytes[(Self.length - HeaderView.length)...])
    for index in 0..<HeaderView.length { header[index] = request.bytes[index] }
  }

  /// Reads a message: the record, the text and the rest. Nil when it is none.
  static func decode(
    _ message: UnsafeMutableRawBufferPointer
  ) -> (handover: Handover, text: UnsafeRawBufferPointer, rest: UnsafeRawBufferPointer)? {
    let bytes = UnsafeRawBufferPointer(message)
    guard bytes.count >= length,
      let local = SocketAddress(decoding: UnsafeRawBufferPointer(rebasing: bytes[20...])),
      let remote = SocketAddress(
        decoding: UnsafeRawBufferPointer(rebasing: bytes[(20 + SocketAddress.encodedLength)...])),
      let header = UnsafeRawBufferPointer(rebasing: bytes[(length - HeaderView.length)...]).baseAddress
    else { return nil }
    let handover = Handover(
      portal: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self)),
      statSN: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)),
      timeLeft: Interval(
        nanoseconds: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))),
      localAddress: local, remoteAddress: remote, request: FinalRequest(HeaderView(header)),
      textLength: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self)))
    let end = length + Int(handover.textLength)
    guard end <= bytes.count else { return nil }
    return (
      handover, UnsafeRawBufferPointer(rebasing: bytes[length..<end]), UnsafeRawBufferPointer(rebasing: bytes[end...])
    )
  }
}
