import Foundation
import HostRing
import ISCSI
import Ring
import Target
import Testing

@testable import simsan

/// What a server says of its sessions and media, and how.
@Suite struct ServerLogTests {
  private func event(_ kind: TargetEvent.Kind, initiator: String? = "iqn.2026-11.example:a") -> TargetEvent {
    var event = TargetEvent(kind)
    event.initiator = initiator
    event.target = "iqn.2026-11.example:disk"
    event.remoteAddress = SocketAddress("192.0.2.7:51234")
    event.localAddress = SocketAddress("[2001:db8::1]:3260")
    return event
  }

  @Test func linesSayWhoWhereAndWhy() {
    #expect(
      event(.loggedIn).text
        == "iqn.2026-11.example:a (192.0.2.7:51234): logged in to iqn.2026-11.example:disk at [2001:db8::1]:3260")
    #expect(
      event(.ended(.silent)).text
        == "iqn.2026-11.example:a (192.0.2.7:51234): connection to iqn.2026-11.example:disk ended: it did not answer "
        + "(limits.ping_timeout)")
    #expect(
      event(.loginRefused(.authorizationFailure)).text.hasSuffix(
        "login to iqn.2026-11.example:disk refused at [2001:db8::1]:3260: the target's initiators do not name it"))
    #expect(
      event(.mediumFailed(command: "WRITE(10)", lun: 3, lba: 77, .noSpace)).text
        == "target iqn.2026-11.example:disk, LUN 3: the medium failed in WRITE(10), block 77: no space")
    #expect(
      TargetEvent(.turnedAway(.descriptors)).text
        == "a connection was turned away: the process has as many open files as it may (ulimit -n, or LimitNOFILE= of "
        + "systemd)")
  }

  @Test func everyReasonOfARefusalIsInWords() {
    for status in LoginStatus.allCases where status.rawValue >= 0x0200 {
      let text = event(.loginRefused(status)).text
      #expect(text.contains(": ") && text.contains(" "), "\(status)")
    }
  }

  /// What somebody sends is not to command a terminal, nor to look like a line of ours.
  @Test func whatIsNoLoginIsShownAsWhatItIs() {
    func shown(_ bytes: [UInt8]) -> Substring {
      event(.ended(.noLogin(bytes)), initiator: nil).text.split(separator: "begins with ", maxSplits: 1).last ?? ""
    }
    #expect(shown(Array("GET / HTTP/1.0\r\nHost: x".utf8)) == "\"GET / HTTP/1.0\"")
    #expect(shown([0x16, 0x03, 0x01, 0x02]) == "16 03 01 02")
    #expect(shown(Array("a\u{1B}[2Jb".utf8)) == "61 1b 5b 32 4a 62")
    #expect(shown([0x0A, 0x41]) == "0a 41")
    #expect(event(.ended(.noLogin([1])), initiator: nil).text.hasPrefix("192.0.2.7:51234: connection"))
  }

  @Test func aFloodHasManyLinesAtOnceAndFewForLong() {
    var budget = LineBudget()
    let start = Instant.zero + .seconds(100)
    let atOnce = (0..<5000).count { _ in budget.take(at: start) }
    #expect(atOnce == LineBudget.most)
    let leftOut = budget.takeLeftOut()
    #expect(leftOut == UInt64(5000 - LineBudget.most))
    var later = 0
    for millisecond in 0..<10_000 where budget.take(at: start + .milliseconds(UInt64(millisecond))) { later += 1 }
    #expect(later == 99)
    budget.leaveOut(7)
    let all = budget.takeLeftOut()
    #expect(all == 10_000 - 99 + 7)
    let rested = (0..<5000).count { _ in budget.take(at: start + .seconds(10_000)) }
    #expect(rested == LineBudget.most)
  }

  /// Neither who says something waits for a reader that does not read, nor the end.
  @Test func aReaderThatDoesNotReadHoldsUpNobody() throws {
    guardOutput()
    let pipe = Pipe()
    // The writer goes on for a while with what it has.
    _ = Unmanaged.passRetained(pipe)
    let log = try ServerLog(to: pipe.fileHandleForWriting.fileDescriptor)
    let start = SuspendingClock.now
    let line = String(repeating: "x", count: 1000)
    for _ in 0..<10_000 { log.say(line) }
    log.end()
    #expect(SuspendingClock.now - start < .seconds(10))
    // The writer is left to itself until it has a reader.
    let read = try #require(try pipe.fileHandleForReading.read(upToCount: 1001))
    #expect(String(decoding: read, as: UTF8.self) == line + "\n")
    try pipe.fileHandleForReading.close()
  }

  @Test func whatHasBeenSaidIsWrittenBeforeTheEnd() throws {
    let pipe = Pipe()
    let log = try ServerLog(to: pipe.fileHandleForWriting.fileDescriptor)
    for number in 0..<1000 { log.say("line \(number)") }
    log.end()
    try pipe.fileHandleForWriting.close()
    let read = try #require(try pipe.fileHandleForReading.readToEnd())
    let lines = String(decoding: read, as: UTF8.self).split(separator: "\n")
    #expect(lines.count == 1000 && lines.last == "line 999")
  }
}
