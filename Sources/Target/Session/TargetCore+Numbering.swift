import ISCSI
import Ring

/// Command numbering (RFC 7143 §4.2.2.1): which request is taken now, which waits for the ones before it, which is ignored.
extension TargetCore {
  /// What becomes of a request by its number.
  enum Turn {
    /// It is its turn, or it is immediate. The number has been counted.
    case now
    /// Others must come first.
    case later
    /// Outside the window, or received already: it is ignored without an answer.
    case never
  }

  /// Decides on a request's turn, and counts it if it is now.
  @inline(__always)
  mutating func turn(_ session: UnsafeMutablePointer<Session>, _ header: HeaderView) -> Turn {
    if header.isImmediate { return .now }
    let cmdSN = header.cmdSN
    if cmdSN == session.pointee.expCmdSN, !SerialNumber.precedes(session.pointee.maxCmdSN, cmdSN) {
      session.pointee.expCmdSN &+= 1
      return .now
    }
    guard SerialNumber.isWithin(cmdSN, first: session.pointee.expCmdSN, last: session.pointee.maxCmdSN),
      !session.pointee.held.contains(where: { $0.cmdSN == cmdSN })
    else { return .never }
    return .later
  }

  /// Most bytes of requests and of data that a session may have waiting for their turn.
  private var heldBytesMax: Int { min(1 << 20, context.arena.capacity / 64) }

  /// Keeps what must wait for its turn. False when that is too much to keep.
  mutating func hold(
    _ session: UnsafeMutablePointer<Session>, _ cmdSN: UInt32, _ content: HeldPDU.Content, length: Int
  ) -> Bool {
    guard session.pointee.heldBytes + length <= heldBytesMax else { return false }
    session.pointee.heldBytes += length
    let at =
      session.pointee.held.firstIndex { SerialNumber.precedes(cmdSN, $0.cmdSN) } ?? session.pointee.held.endIndex
    session.pointee.held.insert(HeldPDU(cmdSN: cmdSN, content: content, length: length), at: at)
    return true
  }

  /// Takes what has been waiting for the number that has just come, and answers who has waited for it.
  mutating func takeHeld(_ session: UnsafeMutablePointer<Session>) {
    while let first = session.pointee.held.first, first.cmdSN == session.pointee.expCmdSN {
      session.pointee.held.removeFirst()
      session.pointee.heldBytes -= first.length
      session.pointee.expCmdSN &+= 1
      switch first.content {
      case .nothing:
        break
      case .task(let index):
        guard let task = tasks[index], task.pointee.phase == .held else { break }
        start(task)
      case .request(let header, let data):
        guard let connection = session.pointee.connection else { return }
        header.withUnsafeBytes { headerBytes in
          data.withUnsafeBytes { dataBytes in
            // A header was kept whole: 48 bytes.
            guard let base = headerBytes.baseAddress else { return }
            request(connection, session, HeaderView(base), dataBytes)
          }
        }
        guard session.pointee.phase == .active else { return }
      }
    }
    noteNumbers(session)
  }

  /// Opens the window as far as tasks permit. MaxCmdSN never goes back (RFC 7143 §4.2.2.1).
  @inline(__always)
  func openWindow(_ session: UnsafeMutablePointer<Session>) {
    let window = limits.commandWindow
    let room = window > session.pointee.windowed ? window - session.pointee.windowed : 0
    let wanted = session.pointee.expCmdSN &+ min(room, session.pointee.aheadMax) &- 1
    if SerialNumber.precedes(session.pointee.maxCmdSN, wanted) { session.pointee.maxCmdSN = wanted }
  }

  /// Keeps ``TargetLimits/localBytesAheadMax``, if commands like this one go on coming: sets the session's `aheadMax`.
  ///
  /// Units with a medium are left out: the answers that open the window come later there, and the medium is to have as many
  /// commands as it can.
  ///
  /// - Parameter unsolicited: The bytes that come with the command unasked.
  @inline(__always)
  mutating func paceWrites(
    _ connection: UnsafeMutablePointer<Connection>, _ session: UnsafeMutablePointer<Session>, _ header: HeaderView,
    unsolicited: Int
  ) {
    guard let most = limits.localBytesAheadMax, unsolicited > most / Self.aheadLarge else { return }
    guard connection.pointee.isLocal, isWithoutMedium(session, header.lun) else { return }
    session.pointee.aheadMax = UInt32(clamping: max(most / unsolicited, 2))
  }

  /// Of commands that are so small a part of what may be on its way, as many may be as the window lets in.
  private static var aheadLarge: Int { 64 }

  /// Fills in StatSN, ExpCmdSN and MaxCmdSN of a response.
  ///
  /// - Parameter advance: Whether it is a response that takes a StatSN of its own; otherwise the next one is shown.
  @inline(__always)
  mutating func stamp(_ connection: UnsafeMutablePointer<Connection>, _ header: MutableHeaderView, advance: Bool) {
    header.statSN = connection.pointee.statSN
    if advance { connection.pointee.statSN &+= 1 }
    guard let session = connection.pointee.session else { return }
    openWindow(session)
    header.expCmdSN = session.pointee.expCmdSN
    header.maxCmdSN = session.pointee.maxCmdSN
  }
}
