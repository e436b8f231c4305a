import ISCSI
import Ring
import Testing

@testable import Target

/// Immediate data that a unit takes from the receive buffer, and what becomes of them when it cannot at once.
@Suite struct LentDataTests {
  private static let keys = [("InitialR2T", "Yes"), ("ImmediateData", "Yes")]

  @Test func whatIsTakenAtOnceIsCopiedOnce() {
    let bench = WireBench()
    let initiator = TargetMachineTests.session(bench, Self.keys)
    let data = TargetMachineTests.pattern(4096)
    let before = bench.machine.statistics.bytesCopied
    #expect(initiator.write(write10(0, 8), data)?.header.read { $0.status } == 0)
    #expect(bench.machine.statistics.bytesCopied - before == 4096)
    #expect(initiator.read(read10(0, 8), 4096)?.data == data)
  }

  /// An ORDERED write has to wait for one that wants its data by R2T; the receive buffer is used again meanwhile.
  @Test func whatHasToWaitIsKept() {
    let bench = WireBench()
    let initiator = TargetMachineTests.session(bench, Self.keys)
    let slow = TargetMachineTests.pattern(8192, 1)
    let fast = TargetMachineTests.pattern(4096, 2)
    let first = initiator.command(write10(100, 16), write: slow.count)
    let tag = first.header.read { $0.initiatorTaskTag }
    initiator.send(first)
    let request = initiator.receive().first { $0.opcode == .readyToTransfer }
    #expect(request != nil)
    var second = initiator.command(write10(0, 8), write: fast.count, immediate: fast)
    second.header.write { $0.taskAttribute = 2 }
    initiator.send(second)
    #expect(initiator.receive().isEmpty, "it waits")
    for _ in 0..<4 {
      var ping = ProtocolDataUnit(.nopOut, data: [UInt8](repeating: 0xEE, count: 4096))
      ping.header.write {
        $0.isImmediate = true
        $0.initiatorTaskTag = 0x7000_0000
        $0.targetTransferTag = reservedTag
        $0.cmdSN = initiator.cmdSN
      }
      initiator.send(ping)
    }
    _ = initiator.receive()
    initiator.sendData(tag, request?.header.read { $0.targetTransferTag } ?? 0, 0, slow, 8192)
    #expect(initiator.receive().count { $0.opcode == .scsiResponse && $0.header.read { $0.status } == 0 } == 2)
    #expect(initiator.read(read10(0, 8), fast.count)?.data == fast)
    #expect(initiator.read(read10(100, 16), slow.count)?.data == slow)
  }

  @Test func whatIsRefusedLeavesNothingBehind() {
    let bench = WireBench()
    let initiator = TargetMachineTests.session(bench, Self.keys)
    let data = TargetMachineTests.pattern(4096)
    #expect(initiator.write(write10(0, 8), data)?.header.read { $0.status } == 0)
    let before = bench.machine.statistics.bufferBytes
    #expect(initiator.write(write10(8190, 8), data)?.header.read { $0.status } == 2, "beyond the end")
    // Fewer bytes than the command wants, and more.
    #expect(initiator.write(write10(0, 9), data)?.header.read { $0.status } == 0)
    #expect(initiator.write(write10(16, 7), data)?.header.read { $0.status } == 0)
    #expect(bench.machine.statistics.bufferBytes == before)
    #expect(bench.machine.statistics.tasks == 0)
  }
}
