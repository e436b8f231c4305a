import ISCSI
import Ring
import Testing

@testable import Target

/// Reads of a unit in memory are sent from where the blocks lie. An initiator that does not take them gets what was there
/// when the command ran, and keeps nobody from writing.
@Suite struct LoanTests {
  private static let keys = [("MaxRecvDataSegmentLength", "262144")]

  /// A unit whose first 512 blocks are written, and a session with it.
  private func begin(_ keys: [(String, String)] = keys) -> (bench: WireBench, reader: BenchInitiator, old: [UInt8]) {
    var unit = LogicalUnitConfiguration(lun: 0, blockCount: 8192)
    unit.isThin = true
    let bench = WireBench(units: [unit])
    let reader = TargetMachineTests.session(bench, keys)
    let old = TargetMachineTests.pattern(512 * 512, 1)
    for block in stride(from: 0, to: 512, by: 128) {
      let data = Array(old[(block * 512)..<((block + 128) * 512)])
      #expect(reader.write(write10(block, 128), data)?.header.read { $0.status } == 0)
    }
    return (bench, reader, old)
  }

  private func writer(_ bench: WireBench) -> BenchInitiator {
    let writer = BenchInitiator(bench)
    writer.isid += 1
    #expect(writer.login(initiator: "iqn.2026-11.example:b") == 0)
    // Takes the unit attention of power on.
    _ = writer.read([0x00, 0, 0, 0, 0, 0], 0)
    return writer
  }

  @Test func nothingIsCopied() {
    let (bench, reader, old) = begin()
    let before = bench.machine.statistics
    #expect(holds(reader, old))
    #expect(bench.machine.statistics.bytesCopied == before.bytesCopied)
    #expect(bench.machine.statistics.buffers == before.buffers)
  }

  enum Change: CaseIterable { case write, unmap, writeSame, compareAndWrite }

  /// The changed range is blocks 100 to 227, in the midst of pieces and chunks.
  @Test(arguments: Change.allCases, [false, true]) func whatIsLentDoesNotChange(_ change: Change, hasDigest: Bool) {
    let (bench, reader, old) = begin(hasDigest ? Self.keys + [("DataDigest", "CRC32C")] : Self.keys)
    let writer = writer(bench)
    let idle = bench.machine.statistics.buffers
    hold(bench, reader, old.count)
    #expect(bench.machine.statistics.buffers > idle, "it is lent")
    var new = old
    let answer: ProtocolDataUnit?
    switch change {
    case .write:
      let data = TargetMachineTests.pattern(128 * 512, 2)
      new.replaceSubrange((100 * 512)..<(228 * 512), with: data)
      answer = writer.write(write10(100, 128), data)
    case .unmap:
      new.replaceSubrange((100 * 512)..<(228 * 512), with: repeatElement(0, count: 128 * 512))
      let list: [UInt8] = [0, 22, 0, 16, 0, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 128, 0, 0, 0, 0]
      answer = writer.write([0x42, 0, 0, 0, 0, 0, 0, 0, UInt8(list.count), 0], list)
    case .writeSame:
      let block = TargetMachineTests.pattern(512, 3)
      new.replaceSubrange((100 * 512)..<(228 * 512), with: (0..<128).flatMap { _ in block })
      answer = writer.write([0x41, 0, 0, 0, 0, 100, 0, 0, 128, 0], block)
    case .compareAndWrite:
      let block = TargetMachineTests.pattern(512, 4)
      new.replaceSubrange((100 * 512)..<(101 * 512), with: block)
      let data = Array(old[(100 * 512)..<(101 * 512)]) + block
      answer = writer.write([0x89, 0, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 1, 0, 0], data)
    }
    #expect(answer?.header.read { $0.status } == 0)
    #expect(holds(writer, new), "who reads now gets the new bytes")
    bench.releaseSends()
    let isOld = dataIn(reader) == old
    #expect(isOld)
    #expect(bench.machine.statistics.buffers == idle)
    #expect(holds(reader, new))
    #expect(bench.machine.statistics.tasks == 0)
  }

  /// Reads all the blocks that were written, by an initiator that does not take the answer.
  private func hold(_ bench: WireBench, _ reader: BenchInitiator, _ length: Int) {
    bench.holdsSends = true
    reader.send(reader.command(read10(0, 512), read: length))
    bench.holdsSends = false
  }

  /// Whether a read of the blocks that were written gives `bytes`. A difference would take minutes to print.
  private func holds(_ initiator: BenchInitiator, _ bytes: [UInt8]) -> Bool {
    initiator.read(read10(0, 512), bytes.count)?.data == bytes
  }

  /// The data of the one read that was answered.
  private func dataIn(_ initiator: BenchInitiator) -> [UInt8] {
    initiator.receive().filter { $0.opcode == .dataIn }.flatMap(\.data)
  }

  /// An answered task outlives its session until its data have gone, and the session's place has another by then: of another
  /// target, or of none at all.
  @Test(arguments: [nil, WireBench.name + "2"]) func theNextSessionHasNothingToDoWithWhatTheLastOneWasLent(
    _ target: String?
  ) {
    let (bench, reader, old) = begin()
    let idle = bench.machine.statistics.buffers
    hold(bench, reader, old.count)
    #expect(bench.machine.statistics.buffers > idle, "it is lent")
    let next = BenchInitiator(bench)
    let text = BenchInitiator.loginText(
      target == nil ? [("SessionType", "Discovery")] : [], target: target, initiator: "iqn.2026-11.example:c")
    bench.drop(reader.socket, whileFeeding: next.socket, next.loginRequest(text: text).encoded(next.options))
    bench.holdsSends = false
    bench.releaseSends()
    #expect(next.finishLogin() == 0)
    #expect(bench.machine.statistics.sessions == 1)
    #expect(bench.machine.statistics.tasks == 0)
    #expect(bench.machine.statistics.buffers <= idle)
  }

  @Test func aLostConnectionGivesBackWhatItWasLent() {
    let (bench, reader, old) = begin()
    let writer = writer(bench)
    let idle = bench.machine.statistics.buffers
    for _ in 0..<3 { hold(bench, reader, old.count) }
    let data = TargetMachineTests.pattern(4096, 5)
    #expect(writer.write(write10(8, 8), data)?.header.read { $0.status } == 0)
    bench.drop(reader.socket)
    #expect(bench.machine.statistics.tasks == 0)
    #expect(bench.machine.statistics.buffers < idle)
    let isNew = writer.read(read10(8, 8), 4096)?.data == data
    #expect(isNew)
  }
}
