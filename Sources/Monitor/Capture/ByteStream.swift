import ISCSI

/// Puts the segments of one direction of a connection in order, each byte once.
struct ByteStream {
  private struct Piece {
    var sequence: UInt32
    var bytes: ArraySlice<UInt8>
  }

  /// Of the SYN.
  private var initial: UInt32?
  /// The next byte's sequence number; nil before the SYN.
  private var next: UInt32?
  /// What has come before its turn, in order.
  private var early: [Piece] = []
  private var earlyLength = 0
  /// The sequence number behind the last byte, once it is known.
  private var end: UInt32?

  /// Bytes are missing that will not come.
  private(set) var isBroken = false

  /// The most bytes that wait for others, and the most pieces of them: larger than any window.
  private static let earlyLengthMax = 16 << 20
  private static let earlyMax = 16_384

  /// All of it has come.
  var hasEnded: Bool { end != nil && end == next }

  /// Begins behind a SYN; one that is repeated changes nothing.
  mutating func begin(after sequence: UInt32) {
    guard initial != sequence else { return }
    initial = sequence
    next = sequence &+ 1
  }

  /// Whether a SYN with this sequence number begins another stream.
  func isOther(_ sequence: UInt32) -> Bool { initial != sequence }

  /// Takes a segment, and hands on the bytes whose turn it is.
  mutating func take(_ segment: Segment, _ body: (ArraySlice<UInt8>) -> Void) {
    guard let first = next, !isBroken else { return }
    if segment.has(Segment.Flags.fin) { end = segment.sequence &+ UInt32(truncatingIfNeeded: segment.length) }
    let distance = Int(SerialNumber.distance(from: first, to: segment.sequence))
    // All of it has come already; a keep-alive is a byte of it.
    guard distance + segment.length > 0 else { return }
    guard distance <= 0 else {
      // What was cut off is missing where it stands.
      return wait(Piece(sequence: segment.sequence, bytes: segment.data))
    }
    let isCutOff = segment.data.count < segment.length
    hand(on: segment.data.dropFirst(min(-distance, segment.data.count)), body)
    if isCutOff { return breakOff() }
    while let piece = early.first, let next {
      let distance = Int(SerialNumber.distance(from: next, to: piece.sequence))
      guard distance <= 0 else { break }
      early.removeFirst()
      earlyLength -= piece.bytes.count
      hand(on: piece.bytes.dropFirst(min(-distance, piece.bytes.count)), body)
    }
  }

  private mutating func hand(on bytes: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>) -> Void) {
    guard !bytes.isEmpty else { return }
    next = next.map { $0 &+ UInt32(truncatingIfNeeded: bytes.count) }
    body(bytes)
  }

  private mutating func wait(_ piece: Piece) {
    guard !piece.bytes.isEmpty else { return }
    let place = early.firstIndex { SerialNumber.precedes(piece.sequence, $0.sequence) } ?? early.endIndex
    // A copy: what it is a part of goes on.
    early.insert(Piece(sequence: piece.sequence, bytes: Array(piece.bytes)[...]), at: place)
    earlyLength += piece.bytes.count
    if earlyLength > Self.earlyLengthMax || early.count > Self.earlyMax { breakOff() }
  }

  /// The other end has taken all before this sequence number: what is missing there was not captured.
  mutating func acknowledged(_ sequence: UInt32) {
    guard let next, !isBroken, !early.isEmpty || end != nil else { return }
    // The end of the stream is acknowledged as a byte.
    let last = end.map { SerialNumber.precedes($0, sequence) ? $0 : sequence } ?? sequence
    if SerialNumber.precedes(next, last) { breakOff() }
  }

  private mutating func breakOff() {
    isBroken = true
    early = []
    earlyLength = 0
  }
}
