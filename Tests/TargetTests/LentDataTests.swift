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

  /// ORDERED writes have to wait for one that wants its data by R2T; the receive buffer is used again meanwhile. All of them
  /// come at once, behind one that need not.
  @Test func whatHasToWaitIsKept() {
    let bench = WireBench()
    let initiator = TargetMachineTests.session(bench, Self.keys)
    let slow = TargetMachineTests.pattern(8192, 1)
    let first = initiator.command(write10(100, 16), write: slow.count)
    let tag = first.header.read { $0.initiatorTaskTag }
    let waiting = [4096, 512, 4096, 6144].enumerated().map { index, length in
      (lba: 16 * index, data: TargetMachineTests.pattern(length, 2 + index))
    }
    let quick = TargetMachineTests.pattern(4096, 9)
    let idle = bench.machine.statistics.buffers
    var batch = initiator.command(write10(80, 8), write: quick.count, immediate: quick).encoded(initiator.options)
    batch += first.encoded(initiator.options)
    for write in waiting {
      var command = initiator.command(
        write10(write.lba, write.data.count / 512), write: write.data.count, immediate: write.data)
      command.header.write { $0.taskAttribute = 2 }
      batch += command.encoded(initiator.options)
    }
    bench.feed(initiator.socket, batch)
    let answers = initiator.receive()
    let request = answers.first { $0.opcode == .readyToTransfer }
    #expect(request != nil)
    #expect(answers.count == 2, "one is done and one asks for its data; the others wait")
    #expect(bench.machine.statistics.buffers == idle + 1 + waiting.count, "memory for each that has not ended")
    for _ in 0..<4 { initiator.ping(4096) }
    _ = initiator.receive()
    initiator.sendData(tag, request?.header.read { $0.targetTransferTag } ?? 0, 0, slow, 8192)
    let ended = initiator.receive().count { $0.opcode == .scsiResponse && $0.header.read { $0.status } == 0 }
    #expect(ended == 1 + waiting.count)
    #expect(bench.machine.statistics.buffers == idle)
    #expect(initiator.read(read10(80, 8), quick.count)?.data == quick)
    #expect(initiator.read(read10(100, 16), slow.count)?.data == slow)
    for write in waiting {
      #expect(initiator.read(read10(write.lba, write.data.count / 512), write.data.count)?.data == write.data)
    }
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
