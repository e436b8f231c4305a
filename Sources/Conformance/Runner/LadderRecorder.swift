import ISCSI
import Initiator
import Ring

/// Keeps the last PDUs of all connections, for those who read a failure. They become text only then.
final class LadderRecorder {
  /// How many are kept.
  static let kept = 400

  private enum What {
    case pdu(ProtocolDataUnit, dataLength: Int, toTarget: Bool)
    case event(String, toTarget: Bool)
  }

  private struct Entry {
    var time: Instant
    var connection: Int
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
    add(Entry(time: time, connection: connection, what: .pdu(kept, dataLength: pdu.data.count, toTarget: toTarget)))
  }

  func event(_ text: String, toTarget: Bool, connection: Int, at time: Instant) {
    add(Entry(time: time, connection: connection, what: .event(text, toTarget: toTarget)))
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
      switch entry.what {
      case .pdu(let pdu, _, let toTarget):
        LadderEntry(
          time: entry.time.nanoseconds, connection: entry.connection, toTarget: toTarget,
          what: PDULanguage.name(pdu.header.read { $0.opcodeBits }), detail: PDULanguage.detail(pdu))
      case .event(let text, let toTarget):
        LadderEntry(
          time: entry.time.nanoseconds, connection: entry.connection, toTarget: toTarget, what: text, detail: "")
      }
    }
  }

  /// The last few, as the end of a message.
  func tail(_ count: Int = 8) -> String {
    let last = entries(last: count)
    if last.isEmpty { return "" }
    return "\nthe last PDUs:\n" + Ladder.text(last[...]).dropLast()
  }
}
