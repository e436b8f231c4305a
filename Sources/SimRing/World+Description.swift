import Ring
import SimClock

/// The steps of a run in words, for a report of where two runs part.
extension World {
  /// What happened in a step: its time, where, and what.
  public func describe(_ record: TraceRecord) -> String {
    let microseconds = record.time / 1000
    let fraction = String(record.time % 1000)
    let time = "\(microseconds).\(String(repeating: "0", count: 3 - fraction.count))\(fraction) us"
    return "at \(time): \(text(record))"
  }

  private func text(_ record: TraceRecord) -> String {
    func hex(_ word: UInt64) -> String { "0x" + String(word, radix: 16) }
    func process(_ index: UInt32) -> String {
      Int(index) < processes.count ? "process \(processes[Int(index)].name)" : "process \(index)"
    }
    let payload = record.payload == 0 ? "" : ", bytes with digest \(hex(record.payload))"
    switch record.kind {
    case .operation:
      let kind = Operation.Kind(rawValue: record.detail).map { "\($0)" } ?? "?"
      return "\(process(record.subject)) emits \(kind), token \(hex(record.first)), parameters \(hex(record.second))"
    case .completion:
      let error = RingError(rawValue: record.detail) ?? .other
      let outcome = error == .none ? "result \(record.second)" : "\(error)"
      return "\(process(record.subject)) takes the completion of token \(hex(record.first)): \(outcome)"
    case .step: return "\(process(record.subject)) is stepped with \(record.first) completions"
    case .intervention:
      return "intervention \(record.detail) on \(record.subject): \(hex(record.first)), \(hex(record.second))"
    case .event where record.detail & 0x80 != 0:
      let kind = Operation.Kind(rawValue: record.detail & 0x7F).map { "\($0)" } ?? "?"
      return "\(process(record.subject)), \(kind) of token \(hex(record.first)) moves \(record.second) bytes\(payload)"
    case .event:
      let kind = record.detail & 31
      switch Event.Room(rawValue: record.detail >> 5) {
      case .network:
        return "network, \(network.describe(kind: kind, slot: record.subject, record.first, record.second))"
      case .ring:
        let name = EventKind(rawValue: kind).map { "\($0)" } ?? "?"
        return "\(process(record.subject)), \(name) event, \(record.first)"
      case .fault: return "fault \(record.subject), event \(kind)"
      case nil: return "event \(kind) of no room, for \(record.subject)"
      }
    }
  }
}
