import Ring
import SimClock

/// One direction of a connection: the bytes between the sender's `send` and the receiver's `receive`.
///
/// The bytes of both the send and the receive buffer lie in one circle of memory, from `read` to `written`. Positions
/// count the bytes of the stream from zero and never wrap; the end of the stream counts as one more byte, so that a FIN
/// is acknowledged as TCP does it.
///
///     read ≤ arrived ≤ next ≤ written(+1)      acked ≤ arrived
struct Pipe {
  var generation: UInt32 = 0
  var isLive = false

  /// The length of the circle that is needed: a power of two.
  private var capacity = 0

  /// The circle; made when the first bytes are sent, so that idle connections by the thousand cost little, and kept
  /// with the slot.
  var storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  /// The position whose byte lies at the start of the circle. A stream that is drained begins there again, so that few
  /// pages of it are ever touched.
  private var origin: UInt64 = 0

  var sender = SocketID.none
  var receiver = SocketID.none

  /// The receiver's host, which answers with a reset when the receiver is gone.
  var receiverHost: UInt32 = 0

  /// The directed links that data and acknowledgements take.
  var link: Int = 0
  var backLink: Int = 0

  var sendLimit: UInt64 = 0
  var receiveLimit: UInt64 = 0

  /// The bytes that the sender handed over.
  var written: UInt64 = 0
  /// What was transmitted. Goes back to `acked` when that has to be done again.
  var next: UInt64 = 0
  /// The most that was ever transmitted.
  var sent: UInt64 = 0
  /// What the sender knows to have arrived.
  var acked: UInt64 = 0
  /// What has arrived, in order.
  var arrived: UInt64 = 0
  /// What the receiver has read.
  var read: UInt64 = 0
  /// How far the sender may transmit, as far as it knows.
  var edge: UInt64 = 0
  /// How far the receiver last said that it may.
  var advertised: UInt64 = 0

  /// What the receiver last acknowledged, whether it owes an acknowledgement, and whether the timer for that is set.
  var acknowledged: UInt64 = 0
  var isAcknowledgementOwed = false
  var isAcknowledgementTimerSet = false

  /// The sender has said that nothing follows `written`.
  var isFinished = false
  /// The sender said that more follows at once: a partial segment waits.
  var isCorked = false
  /// The sender's TCP_NODELAY, negated; nil as long as it is what its host has for all.
  var nagle: Bool?
  var senderGone = false
  var receiverGone = false

  /// Until when the receiver's host acknowledges the end of the stream, in nanoseconds, although the receiver has closed and
  /// gone: in FIN-WAIT-2 and TIME-WAIT (RFC 9293 §3.6).
  var lingersUntil: UInt64 = 0

  /// The times of the last arrivals in either direction, in nanoseconds, which later ones do not overtake.
  var lastArrival: UInt64 = 0
  var lastAcknowledgement: UInt64 = 0

  /// When unacknowledged bytes are sent again, and when the earliest event for that is due, in nanoseconds. The event may be
  /// due before, and is then put off; it is never due later.
  var retransmitTime: UInt64 = .max
  var retransmitEventTime: UInt64 = .max
  /// When the last of them has left the link's queue, in nanoseconds.
  var leavesAt: UInt64 = 0
  var retries = 0
  /// A gap was noticed and what follows `acked` was sent again; no second time before this position is acknowledged.
  var recoverUntil: UInt64 = 0
  /// An event is under way that will transmit when the link's queue has room.
  var isPumpSet = false

  /// The number of the connection, and whether its client is this pipe's sender.
  var connection: UInt64 = 0
  var isFromClient = false

  /// The position after the last byte, the end of the stream included once it is known.
  var end: UInt64 { written + (isFinished ? 1 : 0) }

  /// The bytes that can be read.
  var readable: UInt64 { min(arrived, written) - read }

  /// The receiver has been told that the stream ends.
  var hasEnded: Bool { isFinished && arrived > written }

  /// The bytes that the send buffer has room for.
  var room: UInt64 { sendLimit - min(sendLimit, written - min(acked, written)) }

  mutating func reset(capacity: Int) {
    let generation = generation
    let storage = storage
    self = Pipe()
    self.generation = generation
    self.storage = storage
    self.capacity = capacity
    isLive = true
  }

  /// Where the byte at `position` lies.
  private func place(_ position: UInt64) -> Int {
    Int(truncatingIfNeeded: position &- origin) & (storage.count - 1)
  }

  /// Copies bytes in at `written`. The caller has checked the room.
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    if storage.count < capacity {
      // Only before the first byte of a stream.
      storage.deallocate()
      storage = .allocate(byteCount: capacity, alignment: 64)
    }
    if read == written { origin = written }
    let start = place(written)
    let first = min(bytes.count, storage.count - start)
    UnsafeMutableRawBufferPointer(rebasing: storage[start..<start + first])
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<first]))
    if first < bytes.count {
      storage.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[first...]))
    }
    written += UInt64(bytes.count)
  }

  /// Copies bytes out at `read`. The caller has checked that they are there.
  mutating func remove(into bytes: UnsafeMutableRawBufferPointer) {
    let start = place(read)
    let first = min(bytes.count, storage.count - start)
    bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[start..<start + first]))
    if first < bytes.count {
      UnsafeMutableRawBufferPointer(rebasing: bytes[first...])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[..<(bytes.count - first)]))
    }
    read += UInt64(bytes.count)
  }

  /// Inverts one bit of the byte at `position`.
  func flip(_ position: UInt64, bit: UInt8) {
    storage[place(position)] ^= 1 << (bit & 7)
  }
}
