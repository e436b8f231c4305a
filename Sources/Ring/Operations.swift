/// The batch of operations that one step of a machine emits.
///
/// A machine appends with the methods below; the ring reads ``items`` and empties it. All storage is kept from step to
/// step, so that a steady state allocates nothing. Memory that an operation names belongs to the ring until the
/// operation completes.
public struct Operations {
  /// The operations, in the order in which they were emitted.
  public private(set) var items: [Operation] = []

  /// The extents of all operations of the batch.
  public private(set) var extents: [Extent] = []

  /// The addresses of the batch's connects.
  public private(set) var addresses: [SocketAddress] = []

  public init() {}

  @inlinable
  public var isEmpty: Bool { items.isEmpty }

  /// Empties the batch and keeps its storage.
  public mutating func removeAll() {
    items.removeAll(keepingCapacity: true)
    extents.removeAll(keepingCapacity: true)
    addresses.removeAll(keepingCapacity: true)
  }

  private mutating func append(_ operation: Operation) { items.append(operation) }

  private mutating func attach(_ list: some Collection<Extent>, to operation: inout Operation) {
    operation.firstExtent = UInt32(truncatingIfNeeded: extents.count)
    operation.extentCount = UInt32(truncatingIfNeeded: list.count)
    extents.append(contentsOf: list)
  }

  private mutating func attach(_ extent: Extent, to operation: inout Operation) {
    operation.firstExtent = UInt32(truncatingIfNeeded: extents.count)
    operation.extentCount = 1
    extents.append(extent)
  }

  // MARK: Sockets

  /// Waits for one connection on a listener. Result: the new socket's handle.
  public mutating func accept(on listener: Handle, token: Token) {
    append(Operation(kind: .accept, token: token, handle: listener))
  }

  /// Opens a connection to `address`. Result: the new socket's handle.
  /// Errors: refused, timed out, unreachable, address unavailable, no resources.
  public mutating func connect(to address: SocketAddress, token: Token) {
    var operation = Operation(kind: .connect, token: token, handle: .none)
    operation.offset = UInt64(addresses.count)
    addresses.append(address)
    append(operation)
  }

  /// Receives into `extents`, in order. Result: the bytes received, at least one and possibly fewer than asked; zero when
  /// the peer has shut down its sending side. At most one receive is outstanding on a socket. The extents have room for a
  /// byte at least.
  public mutating func receive(on socket: Handle, into extents: some Collection<Extent>, token: Token) {
    var operation = Operation(kind: .receive, token: token, handle: socket)
    attach(extents, to: &operation)
    append(operation)
  }

  /// Receives into one extent, and what it has no room for into `next`.
  public mutating func receive(on socket: Handle, into extent: Extent, then next: Extent = .empty, token: Token) {
    var operation = Operation(kind: .receive, token: token, handle: socket)
    attach(extent, to: &operation)
    if next.length > 0 {
      extents.append(next)
      operation.extentCount = 2
    }
    append(operation)
  }

  /// Sends `extents`, in order. Result: the bytes taken over for sending, at least one and possibly fewer than asked; it
  /// completes when the socket's send buffer has taken them. At most one send is outstanding on a socket. The extents hold a
  /// byte at least.
  public mutating func send(
    on socket: Handle, from extents: some Collection<Extent>, moreToCome: Bool = false, token: Token
  ) {
    var operation = Operation(kind: .send, token: token, handle: socket)
    operation.moreToCome = moreToCome
    attach(extents, to: &operation)
    append(operation)
  }

  /// Shuts down the sending side: the peer reads end of stream after what was sent, and a send that is outstanding is waited
  /// for. Receiving goes on. Errors: broken pipe, when the connection was reset or has ended in both directions.
  public mutating func shutdown(_ socket: Handle, token: Token) {
    append(Operation(kind: .shutdown, token: token, handle: socket))
  }

  /// Sets TCP_NODELAY of a socket. On: partial segments go out at once, and so does one that is being held back, for want
  /// of an acknowledgement or because more was to come. Off: Nagle's algorithm (RFC 1122 §4.2.3.4). It holds for sends that
  /// are outstanding, and for those that follow.
  public mutating func noDelay(_ socket: Handle, _ isOn: Bool, token: Token) {
    var operation = Operation(kind: .noDelay, token: token, handle: socket)
    operation.length = isOn ? 1 : 0
    append(operation)
  }

  /// Closes a socket, a listener or a medium. Operations outstanding on it complete first, as cancelled. A socket with
  /// received bytes that nobody read is reset, as TCP does; with `reset`, always.
  public mutating func close(_ handle: Handle, reset: Bool = false, token: Token) {
    var operation = Operation(kind: .close, token: token, handle: handle)
    operation.length = reset ? 1 : 0
    append(operation)
  }

  /// Writes the socket's local and remote addresses into `extent`, as two ``SocketAddress/encodedLength``-byte records.
  /// Result: bytes written. The extent holds at least both. Errors: connection reset, when there is no connection any more.
  public mutating func describe(_ socket: Handle, into extent: Extent, token: Token) {
    var operation = Operation(kind: .describe, token: token, handle: socket)
    attach(extent, to: &operation)
    append(operation)
  }

  // MARK: Media

  /// Reads from byte `offset` into `extents`. Result: bytes read, possibly short but never beyond the end: a range that is
  /// not wholly within the medium fails as out of range and moves nothing.
  public mutating func read(
    from medium: Handle, at offset: UInt64, into extents: some Collection<Extent>, token: Token
  ) {
    var operation = Operation(kind: .read, token: token, handle: medium)
    operation.offset = offset
    attach(extents, to: &operation)
    append(operation)
  }

  /// Reads from byte `offset` into one extent.
  public mutating func read(from medium: Handle, at offset: UInt64, into extent: Extent, token: Token) {
    var operation = Operation(kind: .read, token: token, handle: medium)
    operation.offset = offset
    attach(extent, to: &operation)
    append(operation)
  }

  /// Writes `extents` at byte `offset`. Result: bytes written, possibly short. The data may sit in a volatile cache,
  /// unless `forceUnitAccess`. A range that is not wholly within the medium fails as out of range and moves nothing.
  public mutating func write(
    to medium: Handle, at offset: UInt64, from extents: some Collection<Extent>, forceUnitAccess: Bool = false,
    token: Token
  ) {
    var operation = Operation(kind: .write, token: token, handle: medium)
    operation.offset = offset
    operation.forceUnitAccess = forceUnitAccess
    attach(extents, to: &operation)
    append(operation)
  }

  /// Makes everything stable that was written before, that is: whose completion was delivered before the flush was
  /// submitted. A write still outstanding may or may not be covered.
  public mutating func flush(_ medium: Handle, token: Token) {
    append(Operation(kind: .flush, token: token, handle: medium))
  }

  /// Gives back the storage of a range, which reads as zeroes afterwards.
  public mutating func discard(on medium: Handle, at offset: UInt64, length: UInt64, token: Token) {
    var operation = Operation(kind: .discard, token: token, handle: medium)
    operation.offset = offset
    operation.length = length
    append(operation)
  }

  /// Makes a range read as zeroes, with its storage allocated.
  public mutating func writeZeroes(on medium: Handle, at offset: UInt64, length: UInt64, token: Token) {
    var operation = Operation(kind: .writeZeroes, token: token, handle: medium)
    operation.offset = offset
    operation.length = length
    append(operation)
  }

  /// Finds the first hole (or the first data) at or after `offset`. Result: its position; the medium's size if there is
  /// none.
  public mutating func seek(on medium: Handle, from offset: UInt64, toHole: Bool, token: Token) {
    var operation = Operation(kind: .seek, token: token, handle: medium)
    operation.offset = offset
    operation.seekHole = toHole
    append(operation)
  }

  // MARK: Time, cancelling, messages

  /// Completes at `deadline`, or at once when that has passed. Timers that are due together complete in the order of
  /// their deadlines, and those of one deadline in the order of their submission.
  public mutating func timer(at deadline: Instant, token: Token) {
    var operation = Operation(kind: .timer, token: token, handle: .none)
    operation.offset = deadline.nanoseconds
    append(operation)
  }

  /// Cancels the outstanding operation `target`. It completes as cancelled, or as it would have when it was too late;
  /// either way before this operation's own completion, which says success or not found. A second cancel of one operation
  /// says not found, at once.
  public mutating func cancel(_ target: Token, token: Token) {
    var operation = Operation(kind: .cancel, token: token, handle: .none)
    operation.offset = target.rawValue
    append(operation)
  }

  /// Sends a message (a copy of `extent`'s bytes), and with it the ownership of `socket` if there is one, to another
  /// machine. Completes when the message is in that machine's queue.
  public mutating func post(to machine: MachineID, _ extent: Extent, socket: Handle = .none, token: Token) {
    var operation = Operation(kind: .post, token: token, handle: socket)
    operation.offset = UInt64(machine.rawValue)
    attach(extent, to: &operation)
    append(operation)
  }

  /// Waits for one message. Result: its length in bytes, copied into `extent`, cut off if it is longer; the completion's
  /// `handle` is the socket that came with it, named anew for this machine.
  public mutating func mailbox(into extent: Extent, token: Token) {
    var operation = Operation(kind: .mailbox, token: token, handle: .none)
    attach(extent, to: &operation)
    append(operation)
  }
}
