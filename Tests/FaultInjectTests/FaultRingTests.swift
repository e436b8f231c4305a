import FaultInject
import Ring
import RingSuite
import SimClock
import SimRing
import Testing

@Suite struct FaultRingTests {
  private func bench() -> (Bench, FaultRing) {
    let bench = Bench()
    let ring = FaultRing(bench.fronts[0], arena: bench.arenas[0], random: bench.world.random.stream("ring"))
    bench.fronts[0] = ring
    return (bench, ring)
  }

  @Test("A delayed completion comes later by so much, with what it would have brought")
  func delay() throws {
    let (bench, ring) = bench()
    let (left, right) = try bench.connect()
    let fault = ring.add(RingFault(.delay(.milliseconds(20)), on: [.receive]))
    let receiving = bench.emit(0) { $0.receive(on: left, into: bench.extent(0, 64), token: $1) }
    _ = bench.perform(1) { $0.send(on: right, from: [bench.put([1, 2, 3], 1)], token: $1) }
    bench.run(.milliseconds(15))
    #expect(bench.completion(receiving) == nil)
    bench.run(.milliseconds(10))
    #expect(bench.completion(receiving)?.result == 3)
    #expect(bench.bytes(bench.extent(0, 3)) == [1, 2, 3])
    #expect(ring.fired(fault) == 1)
  }

  @Test("What is handed on is as stable as it was to be")
  func forceUnitAccess() {
    let bench = Bench(survival: .none)
    bench.fronts[0] = FaultRing(bench.fronts[0], arena: bench.arenas[0], random: bench.world.random.stream("ring"))
    let medium = bench.open()
    for (offset, isForced) in [(UInt64(0), true), (4096, false)] {
      let written = bench.perform(0) {
        $0.write(to: medium, at: offset, from: [bench.put([7])], forceUnitAccess: isForced, token: $1)
      }
      #expect(written?.result == 1)
    }
    bench.plan.arm(HostPowerOff(bench.hosts[0]))
    var bytes = [UInt8](repeating: 9, count: 4097)
    bytes.withUnsafeMutableBytes { bench.world.disk(bench.disk).read(at: 0, into: $0) }
    #expect(bytes[0] == 7 && bytes[4096] == 0)
  }

  @Test("A refused operation fails and is not carried out")
  func refuse() throws {
    let (bench, ring) = bench()
    let medium = bench.open()
    let fault = ring.add(RingFault(.refuse(.noSpace), on: [.write], limit: 1))
    let extent = bench.put([9, 9])
    #expect(bench.perform(0) { $0.write(to: medium, at: 0, from: [extent], token: $1) }?.error == .noSpace)
    _ = bench.perform(0) { $0.read(from: medium, at: 0, into: bench.extent(512, 2), token: $1) }
    #expect(bench.bytes(bench.extent(512, 2)) == [0, 0])
    #expect(bench.perform(0) { $0.write(to: medium, at: 0, from: [extent], token: $1) }?.result == 2)
    #expect(ring.fired(fault) == 1)
  }

  @Test("So many operations pass before it strikes as it says")
  func after() throws {
    let (bench, ring) = bench()
    let medium = bench.open()
    let fault = ring.add(RingFault(.refuse(.noSpace), on: [.write], after: 2, limit: 1))
    let extent = bench.put([9, 9])
    let errors = (0..<4).map { _ in
      bench.perform(0) { $0.write(to: medium, at: 0, from: [extent], token: $1) }?.error ?? .other
    }
    #expect(errors == [RingError.none, RingError.none, .noSpace, RingError.none])
    #expect(ring.fired(fault) == 1)
  }

  @Test("Where one fault does not strike the next one may")
  func several() throws {
    let (bench, ring) = bench()
    let medium = bench.open()
    let faults = [RingError.noSpace, .mediumError].map {
      ring.add(RingFault(.refuse($0), on: [.write], limit: 1))
    }
    let never = ring.add(RingFault(.refuse(.other), on: [.write], chance: .never))
    let last = ring.add(RingFault(.refuse(.readOnly), on: [.write]))
    let errors = (0..<3).map { _ in
      bench.perform(0) { $0.write(to: medium, at: 0, from: [bench.put([9])], token: $1) }?.error
    }
    #expect(errors == [.noSpace, .mediumError, .readOnly])
    #expect((faults + [never, last]).map { ring.fired($0) } == [1, 1, 0, 1])
  }

  @Test(
    "What a delay keeps back, or would, completes before its cancel, and before its handle's close",
    arguments: [true, false], [true, false])
  func keptBack(isHere: Bool, isClose: Bool) throws {
    let (bench, ring) = bench()
    let (left, right) = try bench.connect()
    _ = ring.add(RingFault(.delay(.seconds(1)), on: [.receive]))
    let receiving = bench.emit(0) { $0.receive(on: left, into: bench.extent(0, 64), token: $1) }
    if isHere { _ = bench.perform(1) { $0.send(on: right, from: [bench.put([1], 1)], token: $1) } }
    bench.run(.milliseconds(5))
    #expect(bench.completion(receiving) == nil)
    let ending = bench.emit(0) {
      if isClose { $0.close(left, token: $1) } else { $0.cancel(receiving, token: $1) }
    }
    bench.run(.milliseconds(5))
    #expect(bench.completions[0].suffix(2).map(\.token) == [receiving, ending])
    #expect(bench.completion(receiving)?.error == (isHere ? RingError.none : .cancelled))
    #expect(bench.completion(ending)?.error == (isHere && !isClose ? .notFound : RingError.none))
  }

  @Test("What is cut short moves a part, of media whole sectors")
  func cutShort() throws {
    let (bench, ring) = bench()
    let (left, _) = try bench.connect()
    let medium = bench.open()
    _ = ring.add(RingFault(.cutShort, on: [.send, .read]))
    for _ in 0..<20 {
      let read = bench.perform(0) { $0.read(from: medium, at: 0, into: bench.extent(0, 4096), token: $1) }
      #expect((1...7).contains((read?.result ?? 0) / 512) && (read?.result ?? 1) % 512 == 0)
    }
    for _ in 0..<20 {
      let sent = bench.perform(0) { $0.send(on: left, from: [bench.put([1, 2, 3, 4])], token: $1) }
      #expect((1...3).contains(sent?.result ?? 0))
    }
  }

  @Test("What is held waits for the fault's end, for its cancel, or for its handle's close")
  func hold() throws {
    let (bench, ring) = bench()
    let medium = bench.open()
    func read() -> Token { bench.emit(0) { $0.read(from: medium, at: 0, into: bench.extent(0, 512), token: $1) } }
    let first = ring.add(RingFault(.hold, on: [.read]))
    let released = read()
    let cancelled = read()
    bench.run(.seconds(1))
    #expect(bench.completion(released) == nil)
    #expect(bench.perform(0) { $0.cancel(cancelled, token: $1) }?.error == RingError.none)
    #expect(bench.completion(cancelled)?.error == .cancelled)
    ring.remove(first)
    bench.run(.milliseconds(1))
    #expect(bench.completion(released)?.result == 512)
    _ = ring.add(RingFault(.hold, on: [.read]))
    let closed = read()
    #expect(bench.perform(0) { $0.close(medium, token: $1) }?.error == RingError.none)
    #expect(bench.completion(closed)?.error == .cancelled)
  }

  @Test("What is corrupted differs in one bit")
  func corrupt() throws {
    let (bench, ring) = bench()
    let (left, right) = try bench.connect()
    _ = ring.add(RingFault(.corrupt, on: [.receive]))
    let content = (0..<100).map { UInt8($0) }
    _ = bench.perform(1) { $0.send(on: right, from: [bench.put(content, 1)], token: $1) }
    bench.run(.milliseconds(1))
    let received = bench.perform(0) { $0.receive(on: left, into: bench.extent(0, 100), token: $1) }
    #expect(received?.result == 100)
    let bits = zip(content, bench.bytes(bench.extent(0, 100))).reduce(0) { $0 + ($1.0 ^ $1.1).nonzeroBitCount }
    #expect(bits == 1)
  }
}

/// A pair of simulated machines, each behind a filter.
private final class FilteredPair: RingWorld {
  private let bench: Bench
  private let arenas = [Arena(capacity: 32 << 20), Arena(capacity: 32 << 20)]
  private var diskCount = 0

  init(_ fault: RingFault?) {
    bench = Bench()
    for side in 0..<2 {
      bench.world.attach(arenas[side], to: bench.processes[side])
      let ring = FaultRing(
        bench.fronts[side], arena: arenas[side], random: bench.world.random.stream("filter \(side)"))
      if let fault { _ = ring.add(fault) }
      bench.fronts[side] = ring
    }
  }

  private func index(_ side: Side) -> Int { side == .left ? 0 : 1 }
  func ring(_ side: Side) -> any Ring { bench.fronts[index(side)] }
  func arena(_ side: Side) -> Arena { arenas[index(side)] }
  func machine(_ side: Side) -> MachineID { bench.processes[index(side)].machine }

  func address(of side: Side, ipv6: Bool) -> SocketAddress? {
    bench.world.network.addresses(of: bench.hosts[index(side)]).first { $0.isIPv4 != ipv6 }
  }

  func silentAddress(for side: Side) throws -> SocketAddress {
    let silent = bench.world.addHost("silent", addresses: [SocketAddress(10, 0, 0, 99, port: 0)])
    bench.world.network.cut(from: bench.hosts[index(side)], to: silent)
    return SocketAddress(10, 0, 0, 99, port: 3260)
  }

  func makeMedium(for side: Side, size: Int, readOnly: Bool) throws -> Handle {
    diskCount += 1
    let disk = bench.world.addDisk("disk\(diskCount)", on: bench.hosts[index(side)], options: .init(size: UInt64(size)))
    bench.world.disk(disk).setReadOnly(readOnly)
    return bench.world.ring(of: bench.processes[index(side)]).open(disk)
  }
}

@Suite struct FilteredSuiteTests {
  @Test("A filter without a fault changes the meaning of no operation", arguments: RingSuite.all)
  func transparent(_ test: RingTest) throws {
    try test.run(FilteredPair(nil))
  }

  @Test("Nor does one that cuts short, which every ring may", arguments: RingSuite.all)
  func short(_ test: RingTest) throws {
    try test.run(
      FilteredPair(RingFault(.cutShort, on: [.receive, .send], chance: Ratio(1, in: 2))))
  }
}
