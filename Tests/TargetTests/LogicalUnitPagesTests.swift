import Ring
import SCSI
import Testing

@testable import Target

/// INQUIRY, REPORT LUNS, READ CAPACITY, MODE SENSE and MODE SELECT, REPORT SUPPORTED OPERATION CODES, START STOP UNIT.
@Suite struct LogicalUnitPagesTests {
  private func inquiry(_ bench: LogicalUnitBench, page: UInt8? = nil, allocation: UInt16 = 0xFFFF)
    -> LogicalUnitBench.Outcome
  {
    bench.run([0x12, page == nil ? 0 : 1, page ?? 0, UInt8(allocation >> 8), UInt8(allocation & 0xFF), 0])
  }

  private func big(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

  @Test func standardInquiryDataSayWhatWeAre() {
    let data = inquiry(LogicalUnitBench()).data
    #expect(data.count == 96 && data[0] == 0 && data[2] == 6 && data[3] & 0x0F == 2 && data[4] == 91)
    #expect(String(decoding: data[8..<36], as: UTF8.self) == "SIMSAN  VIRTUAL-DISK    0001")
    #expect(big(data[58..<66]) == 0x00A0_0960_0460_04C0)
    let removable = inquiry(LogicalUnitBench { $0.isRemovable = true }).data
    #expect(data[1] == 0 && removable[1] == 0x80)
  }

  @Test func everythingIsCutToItsAllocationLengthAndSaysTheSame() {
    let bench = LogicalUnitBench { $0.isThin = true }
    for page in [nil, UInt8(0x00), 0x80, 0x83, 0x86, 0x87, 0x88, 0xB0, 0xB1, 0xB2] as [UInt8?] {
      let whole = inquiry(bench, page: page).data
      for allocation in [0, 1, 4, 5, 35, 36, 255, 256] as [UInt16] {
        #expect(inquiry(bench, page: page, allocation: allocation).data == Array(whole.prefix(Int(allocation))))
      }
    }
    #expect(bench.leakedBuffers == 0)
  }

  @Test func everyPageCodeIsAPageOrRefused() {
    let bench = LogicalUnitBench()
    let listed = Array(inquiry(bench, page: 0).data.dropFirst(4))
    #expect(listed == listed.sorted())
    for page in UInt8.min...UInt8.max {
      let outcome = inquiry(bench, page: page)
      if listed.contains(page) {
        #expect(outcome.data[0] == 0 && outcome.data[1] == page)
        #expect(Int(big(outcome.data[2..<4])) == outcome.data.count - 4)
      } else {
        #expect(outcome.additional == .invalidFieldInCDB)
      }
    }
    #expect(bench.run([0x12, 0, 0x83, 0, 36, 0]).additional == .invalidFieldInCDB)
    #expect(bench.run([0x12, 2, 0, 0, 36, 0]).additional == .invalidFieldInCDB)
  }

  @Test func blockLimitsAreTheOnesThatAreEnforced() {
    let data = inquiry(LogicalUnitBench { $0.isThin = true }, page: 0xB0).data
    #expect(data.count == 64 && data[4] == 1 && data[5] == 128)
    #expect(big(data[8..<12]) == 8192 && big(data[12..<16]) == 2048)
    #expect(big(data[20..<24]) == 1 << 20 && big(data[24..<28]) == 256 && big(data[28..<32]) == 8)
    #expect(big(data[36..<44]) == 8192)
    #expect(big(inquiry(LogicalUnitBench(), page: 0xB0).data[20..<32]) == 0)
  }

  @Test func theDesignatorsNameTheUnitThePortAndTheTarget() {
    let data = inquiry(LogicalUnitBench(), page: 0x83).data
    var found: [(association: UInt8, type: UInt8, bytes: ArraySlice<UInt8>)] = []
    var index = 4
    while index + 4 <= data.count {
      let end = index + 4 + Int(data[index + 3])
      found.append((data[index + 1] >> 4 & 3, data[index + 1] & 0xF, data[(index + 4)..<end]))
      index = end
    }
    #expect(index == data.count)
    #expect(found.map(\.association) == [0, 0, 1, 1, 1, 2] && found.map(\.type) == [1, 3, 4, 5, 8, 8])
    #expect(found[1].bytes.count == 8 && found[1].bytes.first.map { $0 >> 4 } == 3)
    #expect(String(decoding: found[4].bytes, as: UTF8.self).hasPrefix("iqn.2026-11.example:bench,t,0x0001\0"))
    #expect(found[5].bytes.count % 4 == 0 && found[5].bytes.last == 0)
    // Not of the process, not of the place in memory: always the same.
    #expect(big(found[1].bytes) == big(LogicalUnitIdentity(unit(0), target: "iqn.2026-11.example:bench").naa[...]))
  }

  @Test func thePortsPageNamesEachPort() {
    let data = inquiry(LogicalUnitBench(), page: 0x88).data
    #expect(data.count == 4 + 12 + 4 + 36 && big(data[6..<8]) == 1 && big(data[14..<16]) == 40)
    #expect(String(decoding: data[20..<54], as: UTF8.self) == "iqn.2026-11.example:bench,t,0x0001")
  }

  /// Each portal group is a port; a nexus is told of the one that it goes through.
  @Test func eachPortalGroupIsAPort() {
    let bench = LogicalUnitBench(portalGroupTags: [3, 7])
    #expect(inquiry(bench).data[6] == 0x10)
    let ports = inquiry(bench, page: 0x88).data
    #expect(ports.count == 4 + 2 * (12 + 4 + 36))
    for (port, tag) in [(1, 3), (2, 7)] {
      let at = 4 + (port - 1) * 52
      #expect(big(ports[(at + 2)..<(at + 4)]) == UInt64(port))
      #expect(
        String(decoding: ports[(at + 16)..<(at + 50)], as: UTF8.self) == "iqn.2026-11.example:bench,t,0x000\(tag)")
    }
    #expect(
      Array(bench.run([0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0]).data.suffix(9)) == [2, 0, 0, 0, 1, 0, 0, 0, 2])
    bench.unit.nexusEstablished(1, portalGroupTag: 7)
    for (nexus, tag) in [(NexusIndex(0), 3), (1, 7)] {
      let page = bench.run([0x12, 1, 0x83, 1, 0, 0], nexus: nexus).data
      let name = Array("bench,t,0x000\(tag)".utf8)
      #expect(page.indices.contains { page[$0...].starts(with: name) })
      #expect(page.indices.contains { page[$0...].starts(with: [0x51, 0x94, 0, 4, 0, 0, 0, UInt8(nexus + 1)]) })
    }
  }

  private func unit(_ lun: UInt16) -> LogicalUnitConfiguration { LogicalUnitConfiguration(lun: lun, blockCount: 1) }

  @Test func unitsHaveDifferentNames() {
    var seen: Set<[UInt8]> = []
    for target in ["iqn.2026-11.example:a", "iqn.2026-11.example:b"] {
      for lun in UInt16(0)..<500 {
        let identity = LogicalUnitIdentity(unit(lun), target: target)
        #expect(seen.insert(identity.naa).inserted)
        #expect(seen.insert(Array(identity.serial.utf8.prefix(8))).inserted)
      }
    }
  }

  @Test func capacitiesAtTheEdges() {
    func capacity(_ blocks: UInt64) -> (UInt64, UInt64, [UInt8]) {
      let bench = LogicalUnitBench(.null, blocks: blocks)
      let short = bench.run([0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0]).data
      let long = bench.run([0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 96, 0, 0]).data
      #expect(short.count == 8 && long.count == 32 && big(short[4..<8]) == 512 && big(long[8..<12]) == 512)
      #expect(bench.run(blockCDB(0x88, blocks - 1, 1)).status == .good)
      #expect(bench.run(blockCDB(0x88, blocks, 1)).key == .illegalRequest)
      return (big(short[0..<4]), big(long[0..<8]), long)
    }
    for blocks in [1, 1 << 32 - 1, 1 << 32, 1 << 32 + 1, 1 << 54] as [UInt64] {
      let (short, long, _) = capacity(blocks)
      #expect(long == blocks - 1)
      #expect(short == min(blocks - 1, 0xFFFF_FFFF))
    }
    #expect(capacity(8).2[12..<16] == [0, 3, 0, 0])
    let bench = LogicalUnitBench { $0.isThin = true }
    #expect(bench.run([0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0]).data.count == 12)
    #expect(bench.run([0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0]).data[14] == 0xC0)
    #expect(bench.run([0x25, 0, 0, 0, 0, 1, 0, 0, 0, 0]).additional == .invalidFieldInCDB)
  }

  @Test func modeSenseReturnsEachPageInEachOfItsForms() {
    let bench = LogicalUnitBench()
    let all = bench.run([0x1A, 0, 0x3F, 0, 255, 0]).data
    #expect(Int(all[0]) == all.count - 1 && all[2] == 0x10 && all[3] == 8)
    #expect(big(all[4..<8]) == 2048 && big(all[9..<12]) == 512)
    var codes: [UInt8] = []
    var index = 12
    while index < all.count {
      codes.append(all[index])
      index += 2 + Int(all[index + 1])
    }
    #expect(codes == [0x01, 0x02, 0x08, 0x0A, 0x1C] && index == all.count)
    let long = bench.run([0x5A, 0x10, 0x3F, 0xFF, 0, 0, 0, 1, 0, 0]).data
    #expect(Int(big(long[0..<2])) == long.count - 2 && long[4] == 1 && big(long[6..<8]) == 16)
    #expect(big(long[8..<16]) == 2048 && big(long[20..<24]) == 512)
    for code in codes {
      let current = bench.run([0x1A, 8, code, 0, 255, 0]).data
      let changeable = bench.run([0x1A, 8, 0x40 | code, 0, 255, 0]).data
      let defaults = bench.run([0x1A, 8, 0x80 | code, 0, 255, 0]).data
      #expect(current == defaults && current.count == changeable.count && current[3] == 0)
      #expect(bench.run([0x1A, 8, 0xC0 | code, 0, 255, 0]).additional == .savingParametersNotSupported)
      #expect(bench.run([0x1A, 8, code, 1, 255, 0]).additional == .invalidFieldInCDB)
    }
    #expect(bench.run([0x1A, 0, 0x3E, 0, 255, 0]).additional == .invalidFieldInCDB)
    for allocation in [UInt8(0), 1, 3, 4, 40] {
      #expect(bench.run([0x1A, 0, 0x3F, 0, allocation, 0]).data == Array(all.prefix(Int(allocation))))
    }
    #expect(LogicalUnitBench { $0.isReadOnly = true }.run([0x1A, 0, 0x3F, 0, 4, 0]).data[2] == 0x90)
  }

  /// MODE SELECT(6) of one page.
  private func select(_ bench: LogicalUnitBench, _ list: [UInt8], nexus: NexusIndex = 0) -> LogicalUnitBench.Outcome {
    bench.run([0x15, 0x10, 0, 0, UInt8(list.count), 0], list, nexus: nexus)
  }

  private func page(_ bench: LogicalUnitBench, _ code: UInt8) -> [UInt8] {
    Array(bench.run([0x1A, 8, code, 0, 255, 0]).data.dropFirst(4))
  }

  @Test func descriptorSenseIsAskedForWithModeSelect() {
    let bench = LogicalUnitBench(nexuses: [0, 1])
    var control = page(bench, 0x0A)
    control[2] |= 0x04
    #expect(select(bench, [0, 0, 0, 0] + control).status == .good)
    #expect(page(bench, 0x0A) == control)
    let task = bench.submit(blockCDB(0x28, 5000, 1))
    #expect(task.command.sense[0] == 0x72)
    _ = bench.finish(task)
    // The others are told, and in the new format.
    #expect(bench.run([0], nexus: 1).sense == Sense(.unitAttention, .modeParametersChanged))
    #expect(bench.run([0], nexus: 0).status == .good)
    // The same once more changes nothing, and nobody is told.
    #expect(select(bench, [0, 0, 0, 0] + control).status == .good)
    #expect(bench.run([0], nexus: 1).status == .good)
    bench.unit.reset()
    _ = bench.run([0])
    #expect(page(bench, 0x0A)[2] & 0x04 == 0)
  }

  @Test func softwareWriteProtectionStopsWrites() {
    let bench = LogicalUnitBench { $0.isThin = true }
    var control = page(bench, 0x0A)
    control[4] |= 0x08
    #expect(select(bench, [0, 0, 0, 0] + control).status == .good)
    #expect(bench.run([0x1A, 0, 0x3F, 0, 4, 0]).data[2] == 0x90)
    for code in [UInt8(0x0A), 0x2A, 0xAA, 0x8A, 0x2E, 0x41, 0x93, 0x8B] {
      #expect(bench.run(blockCDB(code, 0, 1), [0]).key == .dataProtect)
    }
    #expect(bench.run([0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0]).key == .dataProtect)
    #expect(bench.run(compareAndWrite(0, 1), [0]).key == .dataProtect)
    #expect(bench.run(blockCDB(0x28, 0, 1)).status == .good)
  }

  @Test func switchingTheWriteCacheOffMakesWhatIsInItStable() {
    let bench = LogicalUnitBench()
    var caching = page(bench, 0x08)
    caching[2] = 0
    var list: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 8, 0, 0, 0, 2, 0] + caching
    #expect(bench.run([0x55, 0x10, 0, 0, 0, 0, 0, 0, UInt8(list.count), 0], list).status == .good)
    bench.run(blockCDB(0x2A, 0, 1), pattern(512))
    #expect(bench.log == ["flush", "write 0+512 fua"])
    #expect(inquiry(bench, page: 0x86).data[6] == 0)
    list[14] = 0x10
    #expect(
      bench.run([0x55, 0x10, 0, 0, 0, 0, 0, 0, UInt8(list.count), 0], list).sense
        == Sense(.illegalRequest, .invalidFieldInParameterList, specific: .field(inCDB: false, byte: 13, bit: nil)))
  }

  /// The long descriptor has its length at another place, and there only.
  @Test func aLongBlockDescriptorIsLookedAt() {
    let bench = LogicalUnitBench()
    var control = page(bench, 0x0A)
    control[2] |= 0x04
    func select(long: UInt8, _ length: UInt8, _ descriptor: [UInt8]) -> LogicalUnitBench.Outcome {
      let list: [UInt8] = [0, 0, 0, 0, long, 0, 0, length] + descriptor + control
      return bench.run([0x55, 0x10, 0, 0, 0, 0, 0, 0, UInt8(list.count), 0], list)
    }
    func field(_ byte: UInt16) -> Sense {
      Sense(.illegalRequest, .invalidFieldInParameterList, specific: .field(inCDB: false, byte: byte, bit: nil))
    }
    let blocks: [UInt8] = [0, 0, 0, 0, 0, 0, 8, 8]
    #expect(select(long: 1, 16, blocks + [0, 0, 0, 0, 0, 0, 16, 0]).sense == field(20))
    #expect(select(long: 1, 16, blocks + [0, 0, 2, 0, 0, 0, 0, 0]).sense == field(20))
    #expect(select(long: 0, 16, blocks + [0, 0, 0, 0, 0, 0, 2, 0]).sense == field(6))
    #expect(select(long: 1, 8, [0, 0, 8, 0, 0, 0, 2, 0]).sense == field(6))
    #expect(page(bench, 0x0A)[2] & 0x04 == 0)
    #expect(select(long: 1, 16, blocks + [0, 0, 0, 0, 0, 0, 2, 0]).status == .good)
    #expect(page(bench, 0x0A) == control)
  }

  /// What was begun with the cache is in it when it is flushed, or nobody would flush it any more.
  @Test func switchingTheWriteCacheOffWaitsForTheWritesUnderWay() {
    let bench = LogicalUnitBench()
    var caching = page(bench, 0x08)
    caching[2] = 0
    let write = bench.submit(blockCDB(0x2A, 0, 1), pattern(512))
    _ = bench.step(write)
    let list: [UInt8] = [0, 0, 0, 0] + caching
    let select = bench.submit([0x15, 0x10, 0, 0, UInt8(list.count), 0], list)
    _ = bench.step(select)
    #expect([write, select].map(\.disposition) == [.pending, .blocked])
    #expect(bench.finish(write).status == .good)
    _ = bench.unit.takeReady()
    bench.retry(select)
    #expect(bench.finish(select).status == .good)
    #expect(bench.log == ["write 0+512", "flush"])
  }

  @Test func modeSelectIsAllOrNothingAndSaysWhatIsWrong() {
    let bench = LogicalUnitBench()
    var control = page(bench, 0x0A)
    control[2] |= 0x04
    var wrong = control
    wrong[3] ^= 0x20
    #expect(
      select(bench, [0, 0, 0, 0] + control + wrong).sense
        == Sense(.illegalRequest, .invalidFieldInParameterList, specific: .field(inCDB: false, byte: 19, bit: 5)))
    #expect(page(bench, 0x0A)[2] & 0x04 == 0)
    #expect(select(bench, [0, 0, 0, 0] + [0x3E, 0]).additional == .invalidFieldInParameterList)
    #expect(select(bench, [0, 0, 0, 0] + [0x0A, 9] + control[2...]).additional == .invalidFieldInParameterList)
    for length in 1..<16 where length != 4 {
      let outcome = select(bench, Array(([0, 0, 0, 0] + control).prefix(length)))
      #expect(outcome.additional == .parameterListLengthError)
    }
    #expect(select(bench, [0, 0, 0, 0]).status == .good)
    #expect(select(bench, [0, 0, 0, 8, 0, 0, 0, 0]).additional == .parameterListLengthError)
    // Whatever the number of blocks: it cannot be changed, and is not looked at.
    for blocks in [0, 7, 2048, 0xFFFF_FFFF] as [UInt32] {
      var descriptor: [UInt8] = [0, 0, 0, 8]
      descriptor.append32(blocks)
      #expect(select(bench, descriptor + [0, 0, 2, 0]).status == .good)
      #expect(select(bench, descriptor + [0, 0, 2, 8]).additional == .invalidFieldInParameterList)
    }
    #expect(bench.run([0x15, 0x10, 0, 0, 0, 0]).status == .good)
    #expect(bench.run([0x15, 0x11, 0, 0, 4, 0], [0, 0, 0, 0]).additional == .invalidFieldInCDB)
    #expect(bench.run([0x15, 0x00, 0, 0, 4, 0], [0, 0, 0, 0]).additional == .invalidFieldInCDB)
    #expect(page(bench, 0x0A)[2] & 0x04 == 0)
  }

  @Test func requestSenseHasBothFormats() {
    let bench = LogicalUnitBench()
    for length in [0, 1, 7, 18, 252] as [UInt8] {
      #expect(bench.run([0x03, 0, 0, 0, length, 0]).data.count == min(18, Int(length)))
      #expect(bench.run([0x03, 1, 0, 0, length, 0]).data.count == min(8, Int(length)))
    }
    #expect(Sense(decoding: bench.run([0x03, 0, 0, 0, 252, 0]).data) == Sense(.noSense, .none))
  }

  @Test(arguments: [true, false]) func everyCommandOfTheListIsThereAndNoOther(hasOptions: Bool) {
    let bench = LogicalUnitBench {
      $0.isThin = hasOptions
      $0.isRemovable = hasOptions
    }
    let all = bench.run([0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0]).data
    #expect(Int(big(all[0..<4])) == all.count - 4 && (all.count - 4) % 8 == 0)
    let timed = bench.run([0xA3, 0x0C, 0x80, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0]).data
    #expect((timed.count - 4) / 20 == (all.count - 4) / 8 && timed[9] & 0x02 != 0 && timed[13] == 0x0A)
    var listed: Set<UInt64> = []
    var withActions: Set<UInt8> = []
    for index in stride(from: 4, to: all.count, by: 8) {
      let code = all[index]
      let action = all[(index + 2)..<(index + 4)]
      #expect(listed.insert(UInt64(code) << 16 | big(action)).inserted)
      if all[index + 5] & 1 != 0 { withActions.insert(code) }
      // Asked for by itself, it is as long as the list says, and begins with its own code.
      let one = bench.run([0xA3, 0x0C, 0x03, code] + action + [0, 0, 0xFF, 0xFF, 0, 0]).data
      #expect(one[1] & 0x07 == 3 && one[2...3] == all[(index + 6)..<(index + 8)] && one[4] == code)
      let length = Int(big(one[2..<4]))
      #expect(one.count == 4 + length)
      checkUsage(bench, Array(one[4...]))
    }
    for code in UInt8.min...UInt8.max {
      let one = bench.run([0xA3, 0x0C, 0x01, code, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0])
      let isListed = listed.contains(UInt64(code) << 16)
      if withActions.contains(code) {
        #expect(one.additional == .invalidFieldInCDB)
      } else {
        #expect(one.data[1] & 0x07 == (isListed ? 3 : 1))
      }
    }
    let absent = bench.run([0xA3, 0x0C, 0x03, 0x9E, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0, 0])
    #expect(absent.data == [0, 1, 0, 0])
    #expect(bench.run([0xA3, 0x0C, 0x02, 0x28, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0]).additional == .invalidFieldInCDB)
    for option in UInt8(4)...7 {
      #expect(bench.run([0xA3, 0x0C, option, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0]).additional == .invalidFieldInCDB)
    }
  }

  @Test(arguments: [true, false]) func theMapHasTheBitsThatTheUnitHasAUseFor(hasOptions: Bool) {
    let bench = LogicalUnitBench {
      $0.isThin = hasOptions
      $0.isRemovable = hasOptions
    }
    func usage(_ code: UInt8) -> ArraySlice<UInt8> {
      bench.run([0xA3, 0x0C, 0x01, code, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0]).data.dropFirst(4)
    }
    // UNMAP and LOEJ.
    #expect(usage(0x41).dropFirst().first == (hasOptions ? 0x08 : 0))
    #expect(usage(0x93).dropFirst().first == (hasOptions ? 0x09 : 0x01))
    #expect(usage(0x1B).dropFirst(4).first == (hasOptions ? 0xF7 : 0xF5))
  }

  /// Each bit that the map does not have is refused, with a pointer to it.
  private func checkUsage(_ bench: LogicalUnitBench, _ usage: [UInt8]) {
    let hasServiceAction = [0x9E, 0xA3].contains(usage[0])
    for index in 1..<usage.count {
      for bit in UInt8(0)..<8 where usage[index] & 1 << bit == 0 {
        if index == 1 && bit < 5 && hasServiceAction { continue }
        var cdb = [UInt8](repeating: 0, count: usage.count)
        cdb[0] = usage[0]
        if hasServiceAction { cdb[1] = usage[1] & 0x1F }
        cdb[index] |= 1 << bit
        let task = bench.submit(cdb)
        let outcome = bench.leave(task)
        #expect(
          outcome.sense
            == Sense(
              .illegalRequest, .invalidFieldInCDB,
              specific: .field(inCDB: true, byte: UInt16(index), bit: bit)),
          "operation code \(usage[0]) byte \(index) bit \(bit)")
      }
    }
  }

  @Test func taskManagementFunctionsAreListed() {
    let bench = LogicalUnitBench()
    #expect(bench.run([0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0]).data == [0xDA, 0, 0, 0])
    #expect(bench.run([0xA3, 0x0D, 0x80, 0, 0, 0, 0, 0, 0, 16, 0, 0]).data.count == 16)
    #expect(bench.run([0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0]).additional == .invalidFieldInCDB)
  }

  @Test func targetPortGroupsHoldEveryPort() {
    let bench = LogicalUnitBench()
    #expect(
      bench.run([0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0]).data == [
        0, 0, 0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1,
      ])
    #expect(bench.run([0xA3, 0x2A, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0]).data.prefix(5) == [0, 0, 0, 16, 0x10])
    #expect(bench.run([0xA3, 0x4A, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0]).additional == .invalidFieldInCDB)
  }

  @Test func aStoppedUnitIsNotReadyUntilItIsStarted() {
    let bench = LogicalUnitBench()
    #expect(bench.run([0x1B, 0, 0, 0, 0, 0]).status == .good)
    #expect(bench.log == ["flush"])
    // NO_FLUSH.
    #expect(bench.run([0x1B, 0, 0, 0, 4, 0]).status == .good)
    #expect(bench.log == ["flush"])
    for cdb in [[0], blockCDB(0x28, 0, 1), blockCDB(0x35, 0, 0)] {
      #expect(bench.run(cdb).sense == Sense(.notReady, .initializingCommandRequired))
    }
    #expect(inquiry(bench).status == .good)
    // FORCE_IDLE_0 asks for nothing of a unit that has no timers.
    #expect(bench.run([0x1B, 0, 0, 0, 0xA1, 0]).status == .good)
    #expect(bench.run([0]).key == .notReady)
    #expect(bench.run([0x1B, 0, 0, 0, 1, 0]).status == .good)
    #expect(bench.run([0]).status == .good)
    #expect(bench.run([0x1B, 0, 0, 0, 2, 0]).additional == .invalidFieldInCDB)
    #expect(bench.run([0x1E, 0, 0, 0, 1, 0]).additional == .invalidCommandOperationCode)
  }

  @Test func aMediumIsEjectedAndLoadedUnlessThatIsPrevented() {
    let bench = LogicalUnitBench(nexuses: [0, 1]) { $0.isRemovable = true }
    let eject: [UInt8] = [0x1B, 0, 0, 0, 2, 0]
    let load: [UInt8] = [0x1B, 0, 0, 0, 3, 0]
    let prevent: [UInt8] = [0x1E, 0, 0, 0, 1, 0]
    let allow: [UInt8] = [0x1E, 0, 0, 0, 0, 0]
    // A stop leaves it where it is, prevented or not.
    #expect(bench.run([0x1B, 0, 0, 0, 0, 0]).status == .good)
    #expect(bench.run([0]).sense == Sense(.notReady, .initializingCommandRequired))
    #expect(bench.run([0x1B, 0, 0, 0, 1, 0]).status == .good)
    #expect(bench.run([0]).status == .good)
    bench.run(prevent, nexus: 0)
    bench.run(prevent, nexus: 1)
    bench.run(allow, nexus: 0)
    #expect(bench.run(eject).sense == Sense(.illegalRequest, .mediumRemovalPrevented))
    bench.unit.nexusLost(1)
    #expect(bench.run(eject).status == .good)
    for cdb in [
      [0], blockCDB(0x28, 0, 1), blockCDB(0x2A, 0, 1), [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      // Also what it would refuse.
      blockCDB(0x35, 0, 0, flags: 0x02),
    ] {
      #expect(bench.run(cdb, [0]).sense == Sense(.notReady, .mediumNotPresent))
    }
    bench.unit.nexusEstablished(1)
    _ = bench.run([0], nexus: 1)
    #expect(bench.run(load).status == .good)
    #expect(bench.run([0], nexus: 0).status == .good)
    #expect(bench.run([0], nexus: 1).sense == Sense(.unitAttention, .mediumMayHaveChanged))
    bench.run(prevent)
    bench.unit.reset()
    _ = bench.run([0])
    #expect(bench.run(eject).status == .good)
  }

  @Test func aMissingUnitSaysSo() {
    var context = Context(arena: Arena(capacity: 16 << 20))
    let missing = MissingLogicalUnit(inventory: TargetInventory(name: "iqn.2026-11.example:bench", luns: [0, 5]))
    func run(_ cdb: [UInt8]) -> (UInt8, [UInt8], Sense?) {
      var command = Command()
      for (index, byte) in cdb.enumerated() { command.cdb[index] = byte }
      #expect(missing.submit(&command, &context) == .finished)
      let sense = (0..<command.senseLength).map { command.sense[$0] }
      return (command.status, Array(context.arena.bytes(command.dataIn)), Sense(decoding: sense))
    }
    let inquiry = run([0x12, 0, 0, 0, 36, 0])
    #expect(inquiry.0 == 0 && inquiry.1.count == 36 && inquiry.1[0] == 0x7F)
    #expect(run([0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0]).1.count == 24)
    #expect(Sense(decoding: run([0x03, 0, 0, 0, 18, 0]).1) == Sense(.illegalRequest, .logicalUnitNotSupported))
    for cdb in [[0], blockCDB(0x28, 0, 1), [0x9E, 0x10]] {
      #expect(run(cdb).2 == Sense(.illegalRequest, .logicalUnitNotSupported))
    }
    #expect(run([0x12, 1, 0x83, 0, 36, 0]).2?.additional == .invalidFieldInCDB)
    #expect(run([0x12, 1, 0, 0, 36, 0]).1 == [0x7F, 0, 0, 1, 0])
    #expect(run([0xA0, 0, 1, 0, 0, 0, 0, 0, 0, 64, 0, 0]).1 == [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(run([0xA0, 0, 3, 0, 0, 0, 0, 0, 0, 64, 0, 0]).2?.additional == .invalidFieldInCDB)
    #expect(run([0x03, 1, 0, 0, 18, 0]).1 == [0x72, 5, 0x25, 0, 0, 0, 0, 0])
  }

  @Test func aConfigurationThatCannotBeServedIsExplained() {
    func problem(_ change: (inout LogicalUnitConfiguration) -> Void) -> String? {
      var configuration = LogicalUnitConfiguration(blockCount: 8)
      change(&configuration)
      return configuration.problem
    }
    #expect(problem { _ in } == nil)
    #expect(problem { $0.blockLength = 520 }?.contains("520") == true)
    #expect(problem { $0.blockCount = 0 } != nil)
    #expect(problem { $0.blockCount = .max } != nil)
    #expect(problem { $0.lun = 16384 } != nil)
    #expect(problem { $0.backing = .medium(Handle(1), alignment: 4096) }?.contains("4096") == true)
    #expect(problem { $0.backing = .medium(Handle(1), alignment: 3) } != nil)
    #expect(problem { $0.naa = [0x60] } != nil)
    #expect(problem { $0.naa = [0x50, 0, 0, 0, 0, 0, 0, 1] } == nil)
    #expect(
      problem {
        $0.blockLength = 4096
        $0.backing = .medium(Handle(1), alignment: 4096)
      } == nil)
  }
}
