import ISCSI
import Initiator
import Ring

/// Keeps the last PDUs of all connections, for those who read a failure. They become text only then.
final class LadderRecorder {
  /// How many are kept.
  static let kept = 400

  private enum What {
    case pdu(ProtocolDataUnit)
    case event(String)
  }

  private struct Entry {
    var time: Instant
    var connection: Int
    var toTarget: Bool
    var what: What
  }

  private var ring: [Entry] = []
  private var next = 0

  func pdu(_ pdu: ProtocolDataUnit, toTarget: Bool, connection: Int, at time: Instant) {
    var kept = pdu
    // Text and sense are shown, data are not.
    switch pdu.opcode {
    case .dataOut, .dataIn, .scsiCommand, .nopIn, .nopOut: kept.data = []
    default: break
    }
    add(Entry(time: time, connection: connection, toTarget: toTarget, what: .pdu(kept)))
  }

  func event(_ text: String, toTarget: Bool, connection: Int, at time: Instant) {
    add(Entry(time: time, connection: connection, toTarget: toTarget, what: .event(text)))
  }

  private func add(_ entry: Entry) {
    if ring.count < Self.kept {
      ring.append(entry)
    } else {
      ring[next] = entry
      next = (next + 1) % Self.kept
    }
  }

  /// All that are kept, oldest first; or the last so many of them.
  func entries(last count: Int = LadderRecorder.kept) -> [LadderEntry] {
    (ring[next...] + ring[..<next]).suffix(count).map { entry in
      let (what, detail) =
        switch entry.what {
        case .pdu(let pdu): (PDULanguage.name(pdu.header.read { $0.opcodeBits }), PDULanguage.detail(pdu))
        case .event(let text): (text, "")
        }
      return LadderEntry(
        time: entry.time.nanoseconds, connection: entry.connection, toTarget: entry.toTarget, what: what, detail: detail
      )
    }
  }

  /// The last few, as the end of a message.
  func tail(_ count: Int = 8) -> String {
    let last = entries(last: count)
    if last.isEmpty { return "" }
    return "\nthe last PDUs:\n" + Ladder.text(last).dropLast()
  }
}
