import ISCSI
import Ring
import SCSI
import Testing

@testable import Target

@Suite struct TargetMachineTests {
  /// Bytes that tell where they came from.
  static func pattern(_ count: Int, _ salt: Int = 0) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 131 &+ salt) ^ ($0 >> 8)) }
  }

  /// A session whose first unit attention has been taken.
  static func session(_ bench: WireBench, _ keys: [(String, String)] = []) -> BenchInitiator {
    let initiator = BenchInitiator(bench)
    #expect(initiator.login(keys) == 0)
    _ = initiator.read([0, 0, 0, 0, 0, 0], 0)
    return initiator
  }

  /// The same session on a new connection (RFC 7143 §6.3.4), which is the initiator's from then on.
  static func replaceConnection(of initiator: inout BenchInitiator) {
    let next = BenchInitiator(initiator.bench)
    next.isid = initiator.isid
    next.tsih = initiator.tsih
    next.cmdSN = initiator.cmdSN
    #expect(next.login() == 0)
    #expect(initiator.bench.isClosed(initiator.socket))
    initiator = next
  }

  @Test func aLoginWithoutSecurityStageSucceeds() {
    let bench = WireBench()
    let initiator = BenchInitiator(bench)
    #expect(initiator.login([("HeaderDigest", "None"), ("MaxBurstLength", "0x10000")]) == 0)
    #expect(initiator.tsih != 0)
    #expect(initiator.parameters["MaxBurstLength"] == "65536")
    #expect(initiator.parameters["TargetPortalGroupTag"] == "1")
    #expect(bench.machine.statistics.sessions == 1)
  }

  @Test(
    arguments: [
      ([], 0x0207), ([("TargetName", "iqn.2026-11.example:none"), ("InitiatorName", "iqn.2026-11.example:a")], 0x0203),
      ([("InitiatorName", "iqn.2026-11.example:a")], 0x0207), ([("InitiatorName", "iqn.x:y")], 0x0200),
      ([("InitiatorName", "iqn.2026-11.example:a"), ("InitiatorName", "iqn.2026-11.example:a")], 0x0200),
    ] as [([(String, String)], UInt16)])
  func aLoginThatCannotBeIsRefusedWithItsStatus(_ keys: [(String, String)], _ status: UInt16) {
    let bench = WireBench()
    let initiator = BenchInitiator(bench)
    var writer = TextWriter()
    for (key, value) in keys { writer.append(key, value) }
    #expect(initiator.login(text: writer.bytes) == status)
    #expect(bench.hasEnded(initiator.socket))
  }

  @Test func everyNumberLeadsToItsUnit() {
    let numbers: [UInt16] = [0, 7, 255, 256, 300, 16_383]
    let bench = WireBench(units: numbers.map { LogicalUnitConfiguration(lun: $0, blockCount: UInt64($0) + 64) })
    let initiator = BenchInitiator(bench)
    #expect(initiator.login() == 0)
    for lun in numbers.map(Int.init) + [1, 254, 257, 16_382] {
      let isThere = numbers.contains(UInt16(lun))
      _ = initiator.read([0, 0, 0, 0, 0, 0], 0, lun: lun)
      let capacity = initiator.read([0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8, lun: lun)
      #expect(capacity?.status == (isThere ? 0 : 2), "LUN \(lun)")
      let last = capacity?.data.prefix(4).reduce(0) { $0 << 8 | Int($1) }
      if isThere { #expect(last == lun + 63) }
    }
  }

  @Test func everyWriteShapeStoresTheData() {
    for initialR2T in ["Yes", "No"] {
      for immediateData in ["Yes", "No"] {
        for digest in ["None", "CRC32C"] {
          for (burst, first, r2ts) in [(512, 512, 1), (65536, 4096, 1), (65536, 65536, 4), (262_144, 131_072, 2)] {
            let bench = WireBench()
            let initiator = Self.session(
              bench,
              [
                ("InitialR2T", initialR2T), ("ImmediateData", immediateData), ("HeaderDigest", digest),
                ("DataDigest", digest), ("MaxBurstLength", "\(burst)"), ("FirstBurstLength", "\(first)"),
                ("MaxOutstandingR2T", "\(r2ts)"), ("MaxRecvDataSegmentLength", "65536"),
              ])
            for (index, blocks) in [1, 7, 128, 300].enumerated() {
              let data = Self.pattern(blocks * 512, index)
              let label = Comment(
                rawValue: "R2T \(initialR2T) imm \(immediateData) \(digest) \(burst)/\(first) x\(blocks)")
              let response = initiator.write(write10(1000 * index, blocks), data, segment: min(first, 8192))
              #expect(response?.header.read { $0.status } == 0, label)
              #expect(response?.header.read { $0.residualCount } == 0, label)
              let back = initiator.read(read10(1000 * index, blocks), blocks * 512)
              #expect(back?.status == 0, label)
              #expect(back?.data == data, label)
            }
            #expect(bench.machine.statistics.tasks == 0)
          }
        }
      }
    }
  }

  @Test func aStreamInPiecesOfAnySizeMeansTheSame() {
    for size in [1, 2, 3, 7, 47, 48, 49, 513, 8191] {
      let bench = WireBench()
      bench.receiveMax = size
      bench.sendMax = size * 3
      let initiator = Self.session(
        bench,
        [("HeaderDigest", "CRC32C"), ("DataDigest", "CRC32C"), ("InitialR2T", "No"), ("FirstBurstLength", "32768")])
      let data = Self.pattern(100 * 512, size)
      #expect(initiator.write(write10(3, 100), data, segment: 20_000)?.header.read { $0.status } == 0)
      #expect(initiator.read(read10(3, 100), data.count)?.data == data)
    }
  }

  @Test func largeDataGoStraightIntoTheBufferOfTheirTask() {
    let bench = WireBench()
    let initiator = Self.session(bench, [("MaxBurstLength", "1048576"), ("FirstBurstLength", "262144")])
    bench.receiveMax = 5000
    let data = Self.pattern(1 << 20)
    let before = bench.machine.statistics.bytesCopied
    #expect(initiator.write(write10(0, 2048), data, segment: 262_144)?.header.read { $0.status } == 0)
    // The unit keeps its blocks in memory, which is a copy of all of them.
    let copied = bench.machine.statistics.bytesCopied - before - UInt64(data.count)
    bench.receiveMax = .max
    #expect(initiator.read(read10(0, 2048), data.count)?.data == data)
    // The first burst moves once when the device server asks for four times as much.
    #expect(copied < 400_000, "\(copied) bytes copied")
  }

  /// Large writes that follow one another: what a receive brings of the next one goes into its own buffer too.
  @Test func nextLargeDataDoNotComeThroughTheReceiveBuffer() {
    let bench = WireBench()
    let initiator = Self.session(bench, [("MaxBurstLength", "1048576"), ("FirstBurstLength", "262144")])
    let data = Self.pattern(262_144)
    let before = bench.machine.statistics.bytesCopied
    var stream: [UInt8] = []
    for block in 0..<8 {
      let request = initiator.command(write10(block * 512, 512), write: data.count, immediate: data)
      stream += request.encoded(initiator.options)
    }
    bench.feed(initiator.socket, stream)
    #expect(initiator.receive().count { $0.opcode == .scsiResponse && $0.header.read { $0.status } == 0 } == 8)
    let copied = bench.machine.statistics.bytesCopied - before - UInt64(8 * data.count)
    // A receive buffer of the first one, and little of the others.
    #expect(copied < 16_384, "\(copied) bytes copied beside those of the unit")
    #expect(initiator.read(read10(7 * 512, 512), data.count)?.data == data)
  }

  @Test func commandsRunInTheOrderOfTheirNumbers() {
    let bench = WireBench()
    let initiator = Self.session(bench)
    let base = initiator.cmdSN
    let third = initiator.command(read10(0, 1), read: 512, cmdSN: base + 2)
    let second = initiator.command(read10(0, 1), read: 512, cmdSN: base + 1)
    let first = initiator.command(read10(0, 1), read: 512, cmdSN: base)
    initiator.send(third)
    initiator.send(second)
    #expect(initiator.receive().isEmpty)
    initiator.send(first)
    let tags = initiator.receive().map { $0.header.read { $0.initiatorTaskTag } }
    #expect(tags == [first, second, third].map { $0.header.read { $0.initiatorTaskTag } })
  }

  @Test func commandsOutsideTheWindowAreIgnored() {
    let bench = WireBench { $0.commandWindow = 4 }
    let initiator = Self.session(bench)
    for distance: UInt32 in [4, 5, 1 << 31, .max, .max - 1] {
      initiator.send(initiator.command(read10(0, 1), read: 512, cmdSN: initiator.cmdSN &+ distance))
    }
    #expect(initiator.receive().isEmpty)
    #expect(initiator.read(read10(0, 1), 512)?.status == 0)
  }

  /// Writes until the window has had time to close, and says how many commands it lets in then; and after one read more.
  private func window(
    _ units: [LogicalUnitConfiguration] = [LogicalUnitConfiguration(lun: 0, blockCount: 128)], blocks: Int = 8,
    segment: Int = 8192, most: Int? = 12_288, from address: SocketAddress = SocketAddress(127, 0, 0, 1, port: 999)
  ) -> [UInt32?] {
    let bench = WireBench(units: units, mediumLength: 128 * 512) {
      $0.commandWindow = 8
      $0.localBytesAheadMax = most
    }
    bench.remoteAddress = address
    let initiator = Self.session(bench, [("InitialR2T", "No")])
    let data = [UInt8](repeating: 1, count: blocks * 512)
    var answers: [ProtocolDataUnit?] = []
    for _ in 0..<16 { answers.append(initiator.write(write10(0, blocks), data, segment: segment)) }
    answers.append(initiator.read([0, 0, 0, 0, 0, 0], 0)?.last)
    return answers.suffix(2).map { $0?.header.read { $0.maxCmdSN &- $0.expCmdSN &+ 1 } }
  }

  @Test func anInitiatorOnThisHostSendsOnlySoMuchAhead() {
    #expect(window() == [3, 8], "three times 4 KiB; what has no data opens the window again")
    #expect(window(segment: 1024) == [3, 8], "unsolicited data-out count")
    #expect(window(blocks: 16) == [2, 8], "two commands in any case")
    #expect(window(most: 512 * 8 * 64) == [8, 8], "small ones are not counted")
    #expect(window(most: nil) == [8, 8])
    #expect(window(from: SocketAddress(192, 0, 2, 1, port: 999)) == [8, 8], "there is a distance to fill")
    let medium = LogicalUnitConfiguration(lun: 0, blockCount: 128, backing: .medium(Handle(7), alignment: 1))
    #expect(window([medium]) == [8, 8], "a medium is to have as many as it can")
  }

  @Test func abortTaskWaitsForTheMediumAndSilencesTheTask() {
    let bench = WireBench(mediumBlocks: 128)
    let initiator = Self.session(bench)
    bench.holdsMedia = true
    let read = initiator.command(read10(0, 1), read: 512)
    initiator.send(read)
    initiator.send(initiator.taskManagement(.abortTask, of: read))
    #expect(initiator.receive().isEmpty)
    bench.holdsMedia = false
    bench.releaseMedia()
    let answers = initiator.receive()
    #expect(answers.map(\.opcode) == [.taskManagementResponse])
    #expect(answers.first?.header.read { $0.response } == 0)
    #expect(bench.machine.statistics.tasks == 0)
  }

  /// Each counts the number before the next one's.
  @Test func abortTasksThatWaitForEachOtherAreTakenInTurn() {
    let bench = WireBench()
    let initiator = Self.session(bench)
    let first = initiator.cmdSN
    for index in 0..<UInt32(100) {
      var function = initiator.taskManagement(.abortTask, tag: 1000 + index)
      function.header.write {
        $0.isImmediate = false
        $0.cmdSN = first &+ 2 * index &+ 1
        $0.refCmdSN = first &+ 2 * index &+ 2
      }
      initiator.send(function)
    }
    #expect(initiator.receive().isEmpty)
    let command = initiator.command([0x00])
    initiator.send(command)
    let answers = initiator.receive()
    let tags = answers.map { $0.header.read { $0.initiatorTaskTag } }
    #expect(tags == [command.header.read { $0.initiatorTaskTag }] + (1000..<1100))
    #expect(answers.last?.header.read { $0.expCmdSN } == first &+ 201)
  }

  /// Commands that wait until the initiator has taken more of its answers have not met their unit yet, and the slots of their
  /// tasks have had commands of another one.
  @Test func abortTaskSetMeetsCommandsThatWaitForTheInitiator() {
    let bench = WireBench(units: [0, 1].map { LogicalUnitConfiguration(lun: $0, blockCount: 8192) })
    let initiator = Self.session(bench, [("InitialR2T", "Yes"), ("ImmediateData", "Yes")])
    _ = initiator.read([0, 0, 0, 0, 0, 0], 0, lun: 1)
    for _ in 0..<24 { initiator.send(initiator.command(write10(0, 1), write: 512, lun: 1)) }
    initiator.send(initiator.taskManagement(.abortTaskSet, lun: 1))
    // None of the data come that were asked for: it does not wait for them for ever.
    bench.advance(.seconds(2))
    #expect(initiator.receive().count { $0.opcode == .taskManagementResponse } == 1)
    #expect(bench.machine.statistics.tasks == 0)
    bench.holdsSends = true
    for _ in 0..<10 { initiator.send(initiator.command(read10(0, 512), read: 512 * 512)) }
    let write = initiator.command(write10(100, 1), write: 512, immediate: Self.pattern(512, 1))
    initiator.send(write)
    initiator.send(initiator.taskManagement(.abortTaskSet))
    bench.holdsSends = false
    bench.releaseSends()
    let answers = initiator.receive()
    #expect(answers.count { $0.opcode == .taskManagementResponse } == 1)
    #expect(answers.contains { $0.opcode == .dataIn }, "some reads were answered before")
    let tag = write.header.read { $0.initiatorTaskTag }
    #expect(!answers.contains { $0.header.read { $0.initiatorTaskTag } == tag })
    let isUntouched = initiator.read(read10(100, 1), 512)?.data == [UInt8](repeating: 0, count: 512)
    #expect(isUntouched)
    #expect(bench.machine.statistics.tasks == 0)
  }

  /// A session may have only so many bytes waiting for their turn; those of commands that were aborted are not among them.
  @Test func commandsThatWaitForTheirTurnAndAreAbortedMakeRoomForOthers() {
    let bench = WireBench()
    let initiator = Self.session(bench)
    let missing = initiator.command([0, 0, 0, 0, 0, 0])
    for round in 0..<4 {
      for _ in 0..<20 {
        initiator.send(initiator.command(write10(0, 16), write: 8192, immediate: Self.pattern(8192, round)))
      }
      guard round < 3 else { break }
      initiator.send(initiator.taskManagement(.logicalUnitReset))
      #expect(initiator.receive().isEmpty, "what is missing was sent before it, and is waited for")
    }
    initiator.send(missing)
    let answers = initiator.receive()
    #expect(answers.count { $0.opcode == .taskManagementResponse } == 3)
    let responses = answers.filter { $0.opcode == .scsiResponse }
    #expect(responses.count == 20, "the missing one is aborted as well")
    // The reset is told with the first of them.
    #expect(responses.dropFirst().allSatisfy { $0.header.read { $0.status } == 0 })
    #expect(initiator.read(read10(0, 16), 8192)?.data == Self.pattern(8192, 3))
  }

  /// The slot of one that was aborted is taken by the next command, which must not take its place in the queue too.
  @Test func commandsThatWaitForTheInitiatorKeepTheirOrderWhenOneIsAborted() {
    let bench = WireBench()
    let initiator = Self.session(bench, [("InitialR2T", "Yes"), ("ImmediateData", "Yes")])
    func write(_ data: [UInt8]) -> ProtocolDataUnit {
      var write = initiator.command(write10(100, 1), write: 512, immediate: data)
      write.header.write { $0.taskAttribute = TaskAttribute.ordered.rawValue }
      return write
    }
    bench.holdsSends = true
    for _ in 0..<10 { initiator.send(initiator.command(read10(0, 512), read: 512 * 512)) }
    let aborted = write(Self.pattern(512, 1))
    initiator.send(aborted)
    initiator.send(write(Self.pattern(512, 2)))
    initiator.send(initiator.taskManagement(.abortTask, of: aborted))
    initiator.send(write(Self.pattern(512, 3)))
    bench.holdsSends = false
    bench.releaseSends()
    #expect(initiator.receive().count { $0.opcode == .scsiResponse && $0.header.read { $0.status } == 0 } == 2)
    let isLast = initiator.read(read10(100, 1), 512)?.data == Self.pattern(512, 3)
    #expect(isLast)
  }

  /// A command that the medium does not give back, and an initiator that aborts it for ever, or again and again from new
  /// connections: no more is kept than there may be commands, and nothing of those who have gone.
  @Test func functionsThatWaitForTheMediumDoNotBecomeEverMore() {
    let bench = WireBench(mediumBlocks: 128) {
      $0.commandWindow = 8
      $0.immediateTasksMax = 4
    }
    let stuck = Self.session(bench)
    bench.holdsMedia = true
    stuck.send(stuck.command(read10(0, 1), read: 512))
    var last = stuck
    for number in 1..<5 {
      last = BenchInitiator(bench)
      last.isid += UInt64(number)
      #expect(last.login() == 0)
      for tag in 0..<20 as Range<UInt32> { last.send(last.taskManagement(.logicalUnitReset, tag: 0x7000_0000 + tag)) }
      let answers = last.receive()
      #expect(answers.count == 8 && answers.allSatisfy { $0.header.read { $0.response } == 255 }, "twelve wait")
      #expect(bench.machine.core.waitingFunctions.count == 12)
      if number == 2 { Self.replaceConnection(of: &last) }
      if number < 4 { bench.drop(last.socket) }
      #expect(bench.machine.core.waitingFunctions.count == (number < 4 ? 0 : 12))
    }
    bench.holdsMedia = false
    bench.releaseMedia()
    let answers = last.receive()
    #expect(answers.count == 12 && answers.allSatisfy { $0.header.read { $0.response } == 0 })
    #expect(bench.machine.statistics.tasks == 0)
  }

  @Test func aSecondLoginOfTheSamePortEndsTheFirstSessionAfterItsLastCommand() {
    let bench = WireBench(mediumBlocks: 128)
    let first = Self.session(bench)
    bench.holdsMedia = true
    first.send(first.command(read10(0, 1), read: 512))
    let second = BenchInitiator(bench)
    second.send(second.loginRequest(text: BenchInitiator.loginText()))
    #expect(second.receive().isEmpty)
    #expect(bench.isClosed(first.socket))
    bench.holdsMedia = false
    bench.releaseMedia()
    #expect(second.finishLogin() == 0)
    #expect(second.tsih != first.tsih)
    #expect(bench.machine.statistics.sessions == 1)
  }

  @Test func ofTwoLoginsThatWaitForASessionTheLaterOneCounts() {
    let bench = WireBench(mediumBlocks: 128)
    let first = Self.session(bench)
    bench.holdsMedia = true
    first.send(first.command(read10(0, 1), read: 512))
    let waiting = (0..<3).map { _ in
      let initiator = BenchInitiator(bench)
      initiator.send(initiator.loginRequest(text: BenchInitiator.loginText()))
      return initiator
    }
    #expect(bench.isClosed(waiting[0].socket) && bench.isClosed(waiting[1].socket))
    #expect(!bench.isClosed(waiting[2].socket) && waiting[2].receive().isEmpty)
    bench.holdsMedia = false
    bench.releaseMedia()
    #expect(waiting[2].finishLogin() == 0)
    #expect(bench.machine.statistics.sessions == 1 && bench.machine.statistics.connections == 1)
  }

  /// One for which there is no slot is answered whenever it comes, and its number is not waited for again.
  @Test func aCommandAheadOfItsTurnForWhichThereIsNoSlotIsCounted() {
    let bench = WireBench(mediumBlocks: 128) { $0.tasksMax = 1 }
    let initiator = Self.session(bench)
    bench.holdsMedia = true
    initiator.send(initiator.command(read10(0, 1), read: 512))
    let skipped = initiator.command(read10(1, 1), read: 512)
    initiator.send(initiator.command(read10(2, 1), read: 512))
    initiator.send(skipped)
    let refused = initiator.receive()
    #expect(refused.count == 2 && refused.allSatisfy { $0.header.read { $0.status } == Status.taskSetFull.rawValue })
    bench.holdsMedia = false
    bench.releaseMedia()
    _ = initiator.receive()
    #expect(initiator.read(read10(3, 1), 512)?.status == 0)
  }

  @Test func everythingIsGivenBackWhenAConnectionIsLost() {
    let bench = WireBench()
    let idle = bench.machine.statistics
    let initiator = Self.session(bench, [("InitialR2T", "Yes"), ("ImmediateData", "No")])
    for index in 0..<8 { initiator.send(initiator.command(write10(index, 64), write: 64 * 512)) }
    initiator.send(initiator.command(read10(0, 1), read: 512, cmdSN: initiator.cmdSN + 3))
    #expect(bench.machine.statistics.tasks == 9)
    bench.drop(initiator.socket)
    let after = bench.machine.statistics
    #expect(after.tasks == 0 && after.sessions == 0 && after.connections == 0)
    #expect(after.buffers == idle.buffers)
  }

  @Test func aLoginThatNeverComesIsGivenUp() {
    let bench = WireBench()
    let socket = bench.connect()
    bench.advance(.seconds(14))
    #expect(!bench.isClosed(socket))
    bench.advance(.seconds(2))
    #expect(bench.isClosed(socket))
    #expect(bench.machine.statistics.connections == 0)
  }

  @Test func aSilentInitiatorIsPingedAndThenDropped() {
    let bench = WireBench()
    let initiator = Self.session(bench)
    bench.advance(.seconds(31))
    let ping = initiator.receive()
    #expect(ping.map(\.opcode) == [.nopIn])
    bench.advance(.seconds(31))
    #expect(bench.isClosed(initiator.socket))
    #expect(bench.machine.statistics.sessions == 0)
  }

  @Test func anAnsweredPingKeepsTheSession() {
    let bench = WireBench()
    let initiator = Self.session(bench)
    for _ in 0..<5 {
      bench.advance(.seconds(31))
      let pings = initiator.receive()
      #expect(pings.count == 1)
      var answer = ProtocolDataUnit(.nopOut)
      let tag = pings.first?.header.read { $0.targetTransferTag } ?? 0
      answer.header.write {
        $0.isImmediate = true
        $0.initiatorTaskTag = reservedTag
        $0.targetTransferTag = tag
        $0.cmdSN = initiator.cmdSN
      }
      initiator.send(answer)
    }
    #expect(!bench.isClosed(initiator.socket))
    #expect(initiator.read(read10(0, 1), 512)?.status == 0)
  }

  @Test func discoveryListsTheTargetsAtTheAddressThatWasReached() throws {
    let bench = WireBench()
    let initiator = BenchInitiator(bench)
    #expect(initiator.login([("SessionType", "Discovery")], target: nil) == 0)
    var writer = TextWriter()
    writer.append("SendTargets", "All")
    var request = ProtocolDataUnit(.textRequest, data: writer.bytes)
    request.header.write {
      $0.initiatorTaskTag = 5
      $0.targetTransferTag = reservedTag
      $0.cmdSN = initiator.cmdSN
    }
    initiator.send(request)
    let answer = try #require(initiator.receive().first)
    let pairs = try TextParser.pairs(of: answer.data)
    #expect(
      pairs == [
        KeyValue("TargetName", WireBench.name), KeyValue("TargetAddress", "127.0.0.1:3260,1"),
        KeyValue("TargetName", WireBench.name + "2"), KeyValue("TargetAddress", "127.0.0.1:3260,1"),
      ])
  }

  @Test func keysOfDataAreIrrelevantInADiscoverySession() {
    let initiator = BenchInitiator(WireBench())
    let keys = [("SessionType", "Discovery"), ("MaxBurstLength", "65536"), ("DefaultTime2Wait", "5")]
    #expect(initiator.login(keys, target: nil) == 0)
    #expect(initiator.parameters["MaxBurstLength"] == "Irrelevant")
    #expect(initiator.parameters["DefaultTime2Wait"] == "5")
  }

  @Test func aMegabyteOfNoiseCostsNothingAndEndsTheConnection() {
    let bench = WireBench()
    let idle = bench.machine.statistics
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    for _ in 0..<64 {
      let socket = bench.connect()
      var noise: [UInt8] = []
      for _ in 0..<2048 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        for shift in stride(from: UInt64(0), to: 64, by: 8) { noise.append(UInt8(truncatingIfNeeded: state >> shift)) }
      }
      bench.feed(socket, noise)
      bench.advance(.seconds(16))
      #expect(bench.isClosed(socket))
    }
    #expect(bench.machine.statistics.buffers == idle.buffers)
  }
}
