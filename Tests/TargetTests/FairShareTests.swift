import ISCSI
import Ring
import SCSI
import Testing

@testable import Target

/// What one session may have of what is scarce, and how it gets on with that.
@Suite struct FairShareTests {
  /// A unit on a medium, and one in memory, which takes no buffers.
  private func bench(arenaLength: Int) -> WireBench {
    WireBench(
      units: [
        LogicalUnitConfiguration(lun: 0, blockCount: 8192, backing: .medium(Handle(7), alignment: 1)),
        LogicalUnitConfiguration(lun: 1, blockCount: 8192),
      ], mediumLength: 4 << 20, arenaLength: arenaLength)
  }

  private func session(_ bench: WireBench, isid: UInt64, _ keys: [(String, String)] = []) -> BenchInitiator {
    let initiator = BenchInitiator(bench)
    initiator.isid = isid
    #expect(initiator.login(keys) == 0)
    for lun in 0...1 { _ = initiator.read([0, 0, 0, 0, 0, 0], 0, lun: lun) }
    return initiator
  }

  /// However large its commands, each session leaves eight times as much as it has, but for the command that took it there.
  @Test(arguments: [8, 64, 512]) func eachSessionTakesAnEighthOfTheMemoryThatIsLeft(_ blocks: Int) {
    let bench = bench(arenaLength: 16 << 20)
    let initiators = (1...4).map { session(bench, isid: $0) }
    let idle = bench.machine.statistics.bufferBytes
    bench.holdsMedia = true
    var (taken, free) = (0, (16 << 20) - idle)
    for (others, initiator) in initiators.enumerated() {
      for _ in 0..<250 { initiator.send(initiator.command(read10(0, blocks), read: blocks * 512)) }
      let more = bench.machine.statistics.bufferBytes - idle - taken
      taken += more
      free -= more
      #expect(more <= free / 8 + 2 * blocks * 512, "session \(others + 1)")
      #expect(more >= min(250 * blocks * 512, free / 8), "session \(others + 1)")
    }
    bench.holdsMedia = false
    bench.releaseMedia()
    for initiator in initiators {
      #expect(initiator.receive().count { $0.header.read { $0.hasStatus && $0.status == 0 } } == 250)
    }
    #expect(bench.machine.statistics.tasks == 0)
  }

  /// Data that come unasked with commands that wait for others of their session are kept, as long as most of the memory is left.
  @Test(arguments: ["Yes", "No"]) func whatCommandsBringUnaskedTakesHalfOfTheMemoryThatIsLeft(_ immediate: String) {
    let bench = bench(arenaLength: 4 << 20)
    let data = [UInt8](repeating: 7, count: 65_536)
    let initiators = (1...3 as ClosedRange<UInt64>).map { isid in
      let keys = [("InitialR2T", "No"), ("ImmediateData", immediate), ("FirstBurstLength", "65536")]
      return session(bench, isid: isid, keys)
    }
    let idle = bench.machine.statistics.bufferBytes
    bench.holdsMedia = true
    var (taken, free) = (0, (4 << 20) - idle)
    for (others, initiator) in initiators.enumerated() {
      for _ in 0..<60 {
        let isImmediate = immediate == "Yes"
        let write = initiator.command(
          write10(0, 128), write: data.count, immediate: isImmediate ? data : [], isFinal: isImmediate)
        initiator.send(write)
        if !isImmediate { initiator.sendData(write.header.read { $0.initiatorTaskTag }, reservedTag, 0, data, 8192) }
      }
      let more = bench.machine.statistics.bufferBytes - idle - taken
      taken += more
      free -= more
      #expect(more <= free / 2 + 6 * data.count, "session \(others + 1)")
      #expect(more >= free / 4, "session \(others + 1)")
    }
    bench.holdsMedia = false
    bench.releaseMedia()
    for initiator in initiators {
      let statuses = initiator.receive().filter { $0.opcode == .scsiResponse }.map { $0.header.read { $0.status } }
      #expect(statuses.count == 60)
      #expect(statuses.allSatisfy { $0 == Status.good.rawValue || $0 == Status.busy.rawValue })
      #expect(initiator.write(write10(0, 128), data)?.header.read { $0.status } == 0)
    }
    #expect(bench.machine.statistics.tasks == 0)
  }

  /// Also where a unit in memory would have taken them where they lay, had they not to wait for an ordered command.
  @Test func whatCommandsBringThatWaitForOthersOfTheirUnitTakesHalfOfTheMemoryThatIsLeft() {
    let bench = bench(arenaLength: 1 << 20)
    let initiator = session(bench, isid: 1)
    let idle = bench.machine.statistics.bufferBytes
    let data = [UInt8](repeating: 7, count: 4096)
    var ordered = initiator.command(write10(0, 8), write: data.count, lun: 1)
    ordered.header.write { $0.taskAttribute = 2 }
    initiator.send(ordered)
    for _ in 0..<200 {
      initiator.send(initiator.command(write10(8, 8), write: data.count, immediate: data, lun: 1))
    }
    let taken = bench.machine.statistics.bufferBytes - idle
    #expect(taken <= ((1 << 20) - idle) / 2 + 6 * data.count, "\(taken) bytes")
    // The ordered one gets its data, and all go on.
    guard let asked = initiator.receive().first(where: { $0.opcode == .readyToTransfer }) else {
      return #expect(Bool(false), "nothing is asked for")
    }
    let (tag, transferTag) = asked.header.read { ($0.initiatorTaskTag, $0.targetTransferTag) }
    initiator.sendData(tag, transferTag, 0, data, 8192)
    // BUSY has been answered already, to those for whose data there was no memory.
    let answered = initiator.receive().count { $0.opcode == .scsiResponse }
    #expect(answered > 50, "\(answered)")
    #expect(bench.machine.statistics.tasks == 0)
  }

  /// Connections that were busy do not keep memory from commands in their receive buffers.
  @Test func receiveBuffersGrowWhileThereIsPlenty() {
    let bench = bench(arenaLength: 2 << 20)
    let initiators = (1...7).map { session(bench, isid: $0) }
    for initiator in initiators {
      // A stream that fills every receive buffer, and its last command.
      let ping = initiator.pingRequest(1000).encoded(initiator.options)
      let read = initiator.command(read10(0, 512), read: 262_144).encoded(initiator.options)
      bench.feed(initiator.socket, (0..<460).flatMap { _ in ping } + read)
    }
    for initiator in initiators {
      #expect(initiator.receive().last?.header.read { $0.hasStatus && $0.status == 0 } == true)
    }
  }

  /// The medium has what was aborted still, although it counts for no session any more.
  @Test(arguments: ["abort task set", "session"])
  func aUnitWhoseAbortedCommandsHaveMuchMemoryTakesNoMore(_ over: String) {
    let bench = bench(arenaLength: 4 << 20)
    var initiator = session(bench, isid: 1)
    let idle = bench.machine.statistics.bufferBytes
    bench.holdsMedia = true
    for _ in 0..<30 {
      for _ in 0..<20 { initiator.send(initiator.command(read10(0, 128), read: 65_536)) }
      if over == "session" {
        bench.drop(initiator.socket)
        initiator = session(bench, isid: 1)
      } else {
        initiator.send(initiator.taskManagement(.abortTaskSet))
        // Its answer opens the window.
        initiator.ping(0)
      }
    }
    // An eighth, and what a session had at that time.
    #expect(bench.machine.statistics.bufferBytes - idle <= (4 << 20) / 4 + 2 * 65_536)
    _ = initiator.receive()
    #expect(initiator.read(read10(0, 1), 512)?.status == Status.busy.rawValue)
    #expect(initiator.read(read10(0, 1), 512, lun: 1)?.status == Status.good.rawValue)
    bench.holdsMedia = false
    bench.releaseMedia()
    _ = initiator.receive()
    #expect(initiator.read(read10(0, 128), 65_536)?.status == Status.good.rawValue)
    #expect(bench.machine.statistics.tasks == 0)
  }

  /// What waits for others of its session goes on when they are aborted, whoever asks for that, and although the medium has
  /// them still.
  @Test(arguments: [TaskManagementFunction.abortTaskSet, .clearTaskSet, .logicalUnitReset], [true, false])
  func whatWaitsForOthersDoesNotWaitForAbortedOnes(_ function: TaskManagementFunction, _ isOwn: Bool) {
    guard isOwn || function != .abortTaskSet else { return }
    let bench = bench(arenaLength: 4 << 20)
    let greedy = session(bench, isid: 1)
    let other = session(bench, isid: 2)
    bench.holdsMedia = true
    // Immediate ones, whose end opens no window.
    func command(_ cdb: [UInt8], _ length: Int, lun: Int = 0) -> ProtocolDataUnit {
      var command = greedy.command(cdb, read: length, lun: lun, cmdSN: greedy.cmdSN)
      command.header.write { $0.isImmediate = true }
      return command
    }
    for _ in 0..<20 { greedy.send(command(read10(0, 128), 65_536)) }
    let waiting = command(read10(0, 1), 512, lun: 1)
    greedy.send(waiting)
    #expect(greedy.receive().isEmpty)
    let initiator = isOwn ? greedy : other
    initiator.send(initiator.taskManagement(function))
    let tag = waiting.header.read { $0.initiatorTaskTag }
    #expect(greedy.receive().contains { $0.opcode == .dataIn && $0.header.read { $0.initiatorTaskTag } == tag })
    bench.holdsMedia = false
    bench.releaseMedia()
    #expect(initiator.receive().contains { $0.opcode == .taskManagementResponse })
    #expect(bench.machine.statistics.tasks == 0)
  }
}
