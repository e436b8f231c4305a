import Conformance
import Foundation
import ISCSI
import Monitor
import Ring
import SimNet
import Testing

@testable import simsan

/// `simsan check` on files: what it says of them, and what it ends with.
@Suite struct CheckCommandTests {
  private final class Lines {
    var all: [String] = []
  }

  /// A capture of logins whose answers lack the portal group tag, or do not.
  private func capture(logins: Int = 1, isRight: Bool = false) -> [UInt8] {
    let capture = PacketCapture()
    func put(_ pdu: ProtocolDataUnit, _ connection: UInt64, byClient: Bool) {
      pdu.encoded().withUnsafeBytes {
        capture.sent(
          connection: connection, byClient: byClient, bytes: $0, at: Instant(nanoseconds: connection * 1_500_000_000))
      }
    }
    for number in 0..<UInt16(logins) {
      let connection = UInt64(number) + 1
      capture.opened(
        connection: connection, client: SocketAddress(192, 0, 2, 4, port: 40000 + number),
        server: SocketAddress(192, 0, 2, 9, port: 3260), at: .zero)
      var request = ProtocolDataUnit(
        .loginRequest, data: Array("InitiatorName=iqn.2026-11.example:a\0SessionType=Normal\0".utf8))
      request.header.write { header in
        header.isImmediate = true
        header.isTransit = true
        header.currentStage = 1
        header.nextStage = 3
      }
      put(request, connection, byClient: true)
      var response = ProtocolDataUnit(.loginResponse, data: isRight ? Array("TargetPortalGroupTag=1\0".utf8) : [])
      response.header.write { header in
        header.isTransit = true
        header.currentStage = 1
        header.nextStage = 3
        header.tsih = number + 1
      }
      put(response, connection, byClient: false)
    }
    return capture.bytes
  }

  private func check(
    _ bytes: [UInt8], watching watched: [Side] = Side.allCases, timesMax: UInt64 = 10
  ) throws -> (lines: [String], count: UInt64) {
    let file = FileManager.default.temporaryDirectory.appending(path: "simsan-check-\(UUID().uuidString).pcapng")
    try Data(bytes).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let lines = Lines()
    let check = CaptureCheck(file.path, watching: watched, timesMax: timesMax) { lines.all.append($0) }
    try check.run()
    return (lines.all.map { $0.replacing(file.path, with: "FILE") }, check.count)
  }

  @Test func aBreachIsToldWithItsPlaceAndItsPDU() throws {
    let (lines, count) = try check(capture())
    #expect(count == 1)
    #expect(
      lines.first
        == "FILE: packet 5, 1.500000 s, 192.0.2.9:3260 > 192.0.2.4:40000: the target broke a rule (portal group tag missing): "
        + "no TargetPortalGroupTag in the login")
    #expect(lines.dropFirst().first?.hasPrefix("  in: login response transit csg=1 nsg=3") == true, "\(lines)")
    #expect(lines.last == "FILE: 5 packets, 1 iSCSI connection, 1 login, 2 PDUs, 0 commands: 1 breach of rules")
  }

  @Test func whatIsRightIsSaidToBe() throws {
    let (lines, count) = try check(capture(isRight: true))
    #expect(count == 0)
    #expect(lines == ["FILE: 5 packets, 1 iSCSI connection, 1 login, 2 PDUs, 0 commands: no rule broken"])
  }

  @Test func whatOftenComesIsToldTenTimes() throws {
    let (lines, count) = try check(capture(logins: 12))
    #expect(count == 12)
    #expect(lines.count { $0.contains("portal group tag missing): no") } == 10)
    #expect(lines.contains("FILE: 12 times: the target broke a rule (portal group tag missing); --all tells of each"))
    #expect(try check(capture(logins: 12), timesMax: .max).lines.count { $0.contains("missing): no") } == 12)
  }

  @Test func oneEndCanBeAskedFor() throws {
    #expect(try check(capture(), watching: [.initiator]).count == 0)
  }

  @Test func aFileThatIsNoneSaysSo() throws {
    let empty = #expect(throws: UsageError.self) { try check(PacketCapture().bytes) }
    #expect(
      empty?.message.contains("expected connections that begin with an iSCSI login, found none in 0 packets") == true)
    let text = #expect(throws: UsageError.self) { try check(Array("no capture".utf8)) }
    #expect(text?.message.contains("byte 0: expected a capture file (pcap or pcapng), found something else") == true)
    let cutOff = try check(Array(capture().dropLast(3))).lines
    #expect(cutOff.contains("FILE: the file ends within a packet"))
    for (path, message) in [("/nowhere", "no such file"), (NSTemporaryDirectory(), "found a folder")] {
      let check = CaptureCheck(path, watching: [], timesMax: 1) { _ in }
      let error = #expect(throws: UsageError.self) { try check.run() }
      #expect(error?.message.contains(message) == true)
    }
  }

  @Test func aCallThatIsWrongSaysSo() throws {
    let none = #expect(throws: UsageError.self) { try checkCommand.run(try Arguments([], for: checkCommand)) }
    #expect(none?.message == "simsan check: expected capture files, found none")
    #expect(throws: UsageError.self) {
      try checkCommand.run(try Arguments(["--side", "both", "x"], for: checkCommand))
    }
  }
}
