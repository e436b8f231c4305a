import ISCSI
import Ring
import SimNet
import Target
import Testing

@testable import Load

/// What commands a load consists of, and what counts of them.
@Suite struct LoadCommandTests {
  /// A READ(16) or WRITE(16) on its way to a target.
  private struct Command {
    var connection: UInt64
    var isRead: Bool
    var lba: UInt64
    var blocks: UInt64
  }

  /// Takes the commands down as they go by.
  private final class Listener: NetworkTap {
    private var framers: [UInt64: PDUFramer] = [:]
    private(set) var commands: [Command] = []

    func sent(connection: UInt64, byClient: Bool, bytes: UnsafeRawBufferPointer, at time: Instant) {
      guard byClient else { return }
      var framer = framers[connection] ?? PDUFramer()
      framer.append(bytes)
      while let pdu = try? framer.next()?.pdu { take(pdu.header.array, connection) }
      framers[connection] = framer
    }

    private func take(_ header: [UInt8], _ connection: UInt64) {
      guard header[0] & 0x3F == Opcode.scsiCommand.rawValue, [0x88, 0x8A].contains(header[32]) else { return }
      func number(_ range: Range<Int>) -> UInt64 { header[range].reduce(0) { $0 << 8 | UInt64($1) } }
      commands.append(
        Command(connection: connection, isRead: header[32] == 0x88, lba: number(34..<42), blocks: number(42..<46)))
    }

    func opened(connection: UInt64, client: SocketAddress, server: SocketAddress, at time: Instant) {}
    func received(connection: UInt64, byClient: Bool, bytes: UnsafeRawBufferPointer, at time: Instant) {}
    func ended(connection: UInt64, byClient: Bool, wasReset: Bool, at time: Instant) {}
  }

  private func play(
    isReadOnly: Bool = false, _ change: (inout LoadConfiguration, inout TargetLimits) -> Void
  ) throws -> (commands: [Command], result: LoadResult) {
    let place = try LoadWorld(isReadOnly: isReadOnly, change)
    let listener = Listener()
    place.world.network.tap = listener
    #expect(place.run(until: .ended))
    return (listener.commands, place.load.currentResult)
  }

  /// The unit has 16384 blocks of 512 bytes.
  @Test func aRandomLoadIsAllOverTheUnit() throws {
    let (commands, result) = try play { load, _ in load.readPercent = 30 }
    #expect(commands.allSatisfy { $0.blocks == 8 && $0.lba % 8 == 0 && $0.lba < 16384 })
    #expect(commands.contains { $0.lba < 1024 } && commands.contains { $0.lba >= 15360 })
    #expect(20...40 ~= commands.count { $0.isRead } * 100 / commands.count)
    #expect(result.bytes == result.commands * 4096 && result.failedCommands == 0)
  }

  /// What lies beyond it may be somebody's.
  @Test(arguments: [LoadConfiguration.Order.random, .sequential])
  func nothingBeyondTheRangeIsTouched(_ order: LoadConfiguration.Order) throws {
    let (commands, _) = try play { load, _ in
      load.readPercent = 0
      load.order = order
      load.range = 100_000
    }
    // 24 whole units of 4 KiB.
    #expect(Set(commands.map(\.lba)) == Set((0..<24).map { $0 * 8 }))
  }

  /// Each session goes on where it was, from a place of its own, and from the end to the beginning.
  @Test func sequentialSessionsFollowEachOther() throws {
    let (commands, _) = try play { load, _ in
      load.order = .sequential
      load.sessions = 4
      load.range = 64 << 12
    }
    let sessions = Dictionary(grouping: commands, by: \.connection).values.map { $0.map(\.lba) }
    #expect(Set(sessions.map { $0[0] }) == [0, 128, 256, 384])
    for lbas in sessions {
      #expect(lbas.count > 64)
      #expect(zip(lbas, lbas.dropFirst()).allSatisfy { $1 == ($0 + 8) % 512 })
    }
  }

  @Test func whatIsRefusedHasFailed() throws {
    let (commands, result) = try play(isReadOnly: true) { load, _ in load.readPercent = 0 }
    #expect(commands.count > 50)
    #expect(result.failedCommands > 50 && result.commands == 0 && result.bytes == 0 && result.latency.count == 0)
    let end = "had a WRITE(16) that ended with CHECK CONDITION, DATA PROTECT, WRITE PROTECTED"
    #expect(result.firstError?.contains(end) == true, "\(result.firstError ?? "")")
  }

  /// Figures with digests that are none would be better than they should be.
  @Test func digestsThatTheTargetDoesNotAgreeToAreMissed() throws {
    let (commands, result) = try play { load, limits in
      load.dataDigest = true
      limits.offersCRC32C = false
    }
    #expect(commands.isEmpty && result.lostSessions == 1)
    #expect(result.firstError?.contains("was to have digests (header false, data true)") == true)
  }

  @Test func theSlowestSessionIsHeldAgainstTheMean() {
    var result = LoadResult()
    #expect(result.slowestSessionPercent == nil)
    result.commandsOfSession = [150, 50, 100]
    result.commands = 300
    #expect(result.slowestSessionPercent == 50)
  }
}
