import CAllocation
import Glibc
import HostRing
import Ring
import Testing

/// A host ring allocates nothing for what it carries out, once its tables have grown to their size.
@Suite(.enabled(if: simsan_allocations_are_counted() != 0, "a sanitizer has an allocator of its own"))
struct AllocationTests {
  @Test(arguments: HostRingKind.allCases.filter { HostRings.allows($0) })
  func receivesSendsReadsAndWritesAllocateNothing(_ kind: HostRingKind) throws {
    let path = try Self.temporaryFile(length: 1 << 20)
    defer { unlink(path) }
    let machine = StoringMachine()
    let ring = try HostRings.make(kind, arena: machine.arena)
    let (listener, address) = try ring.listen(at: SocketAddress(127, 0, 0, 1, port: 0), backlog: 4)
    machine.listener = listener
    machine.medium = try ring.openMedium(path: path, readOnly: false, direct: false).handle
    let loop = HostLoop(ring: ring, machine: machine)
    loop.step()
    let client = try Self.connect(to: address)
    defer { Glibc.close(client) }
    var bytes = [UInt8](repeating: 0x5A, count: StoringMachine.length)
    var allocations: UInt64 = 0

    func play(_ rounds: Int) {
      for _ in 0..<rounds {
        let echoes = machine.echoes
        guard send(client, &bytes, bytes.count, noSignal) == bytes.count else {
          Issue.record("the client cannot send: \(errno)")
          return
        }
        let before = simsan_allocation_count()
        let deadline = ring.now + .seconds(5)
        while machine.echoes == echoes, ring.now < deadline { loop.turn(until: deadline) }
        allocations += simsan_allocation_count() - before
        guard recv(client, &bytes, bytes.count, waitForAll) == bytes.count else {
          Issue.record("the machine has not answered: \(errno)")
          return
        }
      }
    }

    play(50)
    allocations = 0
    play(500)
    #expect(allocations == 0)
    #expect(machine.echoes == 550)
    #expect(machine.failures == 0)
  }

  private static func temporaryFile(length: Int) throws -> String {
    var template = Array("/tmp/simsan-allocations-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    try #require(descriptor >= 0)
    defer { Glibc.close(descriptor) }
    try #require(ftruncate(descriptor, off_t(length)) == 0)
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func connect(to address: SocketAddress) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    try #require(descriptor >= 0)
    var system = sockaddr_in()
    system.sin_family = sa_family_t(AF_INET)
    system.sin_port = address.port.bigEndian
    system.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafePointer(to: &system) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(result == 0)
    return descriptor
  }
}

// Swift imports these as enumerations on some systems and as integers on others.
private let noSignal: Int32 = 0x4000
private let waitForAll: Int32 = 0x100

/// Writes what it receives to a medium, reads it back from there, and sends it back.
private final class StoringMachine: Machine {
  static let length = 8192
  let arena = Arena(capacity: 1 << 20)
  var listener = Handle.none
  var medium = Handle.none
  private(set) var echoes = 0
  private(set) var failures = 0
  private var socket = Handle.none
  private var received = 0
  private var hasStarted = false
  private let buffer = Extent(offset: 0, length: StoringMachine.length)
  private enum Step: UInt64 { case accept, receive, write, read, send }

  func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
    if !hasStarted {
      hasStarted = true
      operations.accept(on: listener, token: Token(Step.accept.rawValue))
    }
    for index in completions.indices {
      let completion = completions[index]
      guard completion.error == .none else {
        failures += 1
        continue
      }
      switch Step(rawValue: completion.token.rawValue) {
      case .accept:
        socket = Handle(completion.result)
        receive(&operations)
      case .receive:
        received += Int(completion.result)
        if received < Self.length {
          receive(&operations)
        } else {
          // Where the ring's own thread would wait, as it may in any write while the machine is busy, another one does it.
          operations.write(
            to: medium, at: 4096, from: CollectionOfOne(buffer), forceUnitAccess: echoes % 16 == 0,
            token: Token(Step.write.rawValue))
        }
      case .write:
        operations.read(from: medium, at: 4096, into: buffer, token: Token(Step.read.rawValue))
      case .read:
        operations.send(on: socket, from: CollectionOfOne(buffer), token: Token(Step.send.rawValue))
      case .send:
        if completion.result != UInt64(Self.length) { failures += 1 }
        echoes += 1
        received = 0
        receive(&operations)
      case nil:
        failures += 1
      }
    }
  }

  private func receive(_ operations: inout Operations) {
    operations.receive(on: socket, into: buffer.dropFirst(received), token: Token(Step.receive.rawValue))
  }
}
