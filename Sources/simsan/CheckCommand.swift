import Conformance
import Foundation
import Monitor
import Ring

let checkCommand = Command(
  name: "check", summary: "hold captured traffic of anybody's target and initiator against RFC 7143", operands: "FILE…",
  options: [
    Option("--side", "END", "only what this end does wrong: initiator or target"),
    Option("--all", nil, "tell of everything, and not only of the first ten times that a rule is broken"),
  ],
  discussion:
    "FILE is a capture (pcap or pcapng) as tcpdump and Wireshark write it; - for standard input. Connections are judged "
    + "whose beginning is in it, whatever their port; so begin to capture before the initiator logs in:\n"
    + "tcpdump -i any -s 0 -w target.pcap port 3260"
) { arguments in
  guard !arguments.operands.isEmpty else { throw UsageError("simsan check: expected capture files, found none") }
  let side = try arguments.word("--side", among: ["initiator", "target"])
  let watched = Side.allCases.filter { side == nil || "\($0)" == side }
  var isClean = true
  for path in arguments.operands {
    let check = CaptureCheck(path, watching: watched, timesMax: arguments.has("--all") ? .max : 10) { try say($0) }
    try check.run()
    isClean = isClean && check.count == 0
  }
  return isClean ? 0 : 1
}

/// The check of one file: says what it finds as it reads.
final class CaptureCheck {
  private let path: String
  private let reader: CaptureReader
  /// How often a rule is told of.
  private let timesMax: UInt64
  private let say: (String) throws -> Void
  /// How often each was broken, in the order in which they came.
  private var broken: [(what: String, times: UInt64)] = []

  /// Breaches so far.
  private(set) var count: UInt64 = 0

  init(_ path: String, watching watched: [Side], timesMax: UInt64, say: @escaping (String) throws -> Void) {
    self.path = path
    self.timesMax = timesMax
    self.say = say
    reader = CaptureReader(watching: watched)
  }

  private static let pieceLength = 1 << 20

  func run() throws {
    let file = try open()
    do {
      while let piece = try file.read(upToCount: Self.pieceLength), !piece.isEmpty {
        try reader.read(piece, tell)
      }
    } catch let mistake as CaptureFile.Mistake {
      throw UsageError("\(path): byte \(mistake.offset): \(mistake.message)")
    } catch let error as CocoaError {
      throw UsageError("\(path): cannot be read: \(error.localizedDescription)")
    }
    try sum()
  }

  private func open() throws(UsageError) -> FileHandle {
    if path == "-" { return FileHandle.standardInput }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw UsageError("\(path): no such file; expected a capture (pcap or pcapng)")
    }
    if isFolder.boolValue { throw UsageError("\(path): expected a capture (pcap or pcapng), found a folder") }
    guard let file = FileHandle(forReadingAtPath: path) else { throw UsageError("\(path): cannot be read") }
    return file
  }

  private func tell(_ event: CaptureReader.Event) throws {
    switch event {
    case .broken(let finding, let packet, let from, let to):
      count += 1
      let what = "the \(finding.side) broke a rule (\(finding.rule.rawValue))"
      let place = broken.firstIndex { $0.what == what } ?? broken.endIndex
      if place == broken.endIndex { broken.append((what, 0)) }
      broken[place].times += 1
      guard broken[place].times <= timesMax else { return }
      try say("\(path): packet \(packet), \(Self.seconds(finding.time)), \(from) > \(to): \(what): \(finding.detail)")
      if let header = finding.header { try say("  in: \(header)") }
    case .gap(let packet, let from, let to, let time):
      try say(
        "\(path): packet \(packet), \(Self.seconds(time)), \(from) > \(to): bytes before it are missing in the file; "
          + "what this end sends is not judged any more")
    }
  }

  private func sum() throws {
    let summary = reader.summary
    let counters = reader.monitor.counters
    for (what, times) in broken where times > timesMax {
      try say("\(path): \(times) times: \(what); --all tells of each")
    }
    var notes: [String] = []
    if summary.begunBefore > 0 {
      notes.append(Self.counted(summary.begunBefore, "connection") + " had begun before the file did: not judged")
    }
    if summary.incomplete > 0 {
      notes.append(Self.counted(summary.incomplete, "packet") + " cut off, or a piece of one: left out")
    }
    if !summary.unknownLinks.isEmpty {
      let links = summary.unknownLinks.map { "\($0)" }.joined(separator: ", ")
      notes.append("packets of links of type \(links) were left out")
    }
    if !reader.isAtEnd { notes.append("the file ends within a packet") }
    guard counters.connections > 0 else {
      throw UsageError(
        (["\(path): expected connections that begin with an iSCSI login, found none in \(summary.packets) packets"]
          + notes)
          .joined(separator: "; "))
    }
    for note in notes { try say("\(path): \(note)") }
    let parts = [
      Self.counted(summary.packets, "packet"), Self.counted(counters.connections, "iSCSI connection"),
      Self.counted(counters.logins, "login"), Self.counted(counters.pdus, "PDU"),
      Self.counted(counters.commands, "command"),
    ]
    let verdict = count == 0 ? "no rule broken" : Self.counted(count, "breach", "breaches") + " of rules"
    try say("\(path): \(parts.joined(separator: ", ")): \(verdict)")
  }

  private static func counted(_ count: UInt64, _ one: String, _ many: String? = nil) -> String {
    "\(count) \(count == 1 ? one : many ?? one + "s")"
  }

  private static func seconds(_ time: Instant) -> String {
    let fraction = String(time.nanoseconds / 1000 % 1_000_000)
    return "\(time.nanoseconds / 1_000_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction) s"
  }
}
