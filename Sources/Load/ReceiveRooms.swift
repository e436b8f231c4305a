import ISCSI
import Ring

/// Where the sessions of a load receive, and how much at a time.
///
/// A session has room for all its answers where that can be, so that the commands that follow from them leave together.
/// Otherwise the target, too, would get them in pieces, and answer them in pieces.
///
/// So much for each of many sessions is more than a cache holds; and a load that waits for memory falls behind its target,
/// whose answers then wait in memory as well. So each of many waits with a little room, and goes on in a large one when that is
/// full. The one that was given back last is lent next: a few are all that is used.
struct ReceiveRooms {
  /// What a session waits with, in bytes.
  let waitingLength: Int
  /// What it has when much comes, in bytes.
  let largeLength: Int
  private var free: [Extent] = []

  /// So many sessions have a large room each.
  private static let sessionsWithLargeRoom = 16
  /// Room for what comes at small depths, that is, for most of what is received alone.
  private static let manyWaitingLength = 8192

  init(_ load: LoadConfiguration) {
    let isFew = load.sessions <= Self.sessionsWithLargeRoom
    // Headers and digests; a response of its own behind the data; and a receive that is not filled needs no second one.
    let answers = load.depth * (load.length + 2 * HeaderView.length + 16) + 4096
    largeLength = min(max((answers + 4095) & ~4095, 1 << 16), isFew ? 1 << 20 : 1 << 18)
    waitingLength = isFew ? largeLength : Self.manyWaitingLength
  }

  /// What each session takes of the arena, in bytes: whenever one needs a large room, there is one.
  var lengthOfSession: Int { waitingLength == largeLength ? largeLength : waitingLength + largeLength }

  /// Divides what one session brings along, of ``lengthOfSession``: gives back the part with which it waits.
  mutating func add(_ extent: Extent) -> Extent {
    if waitingLength < extent.length { free.append(extent.dropFirst(waitingLength)) }
    return extent.prefix(waitingLength)
  }

  /// A large room; nil where each session waits with one.
  mutating func borrow() -> Extent? { free.popLast() }

  mutating func giveBack(_ room: Extent) { free.append(room) }
}
