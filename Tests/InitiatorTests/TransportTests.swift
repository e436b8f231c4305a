import ISCSI
import Initiator
import Ring
import Testing

@Suite struct TransportTests {
  private let ring = HandFedRing()

  private func open() throws -> ConnectionID {
    let id = try ring.machine.connect(to: PlayedTarget.address)
    ring.run()
    return id
  }

  @Test func aConnectionIsToldWhenItStands() throws {
    let id = try open()
    guard case .connected = ring.events.first?.kind else { return #expect(Bool(false), "\(ring.events)") }
    #expect(ring.machine.status(of: id)?.phase == .login)
    #expect(ring.isReceiving())
  }

  @Test func aRefusedConnectionIsTold() throws {
    ring.connectError = .connectionRefused
    let id = try open()
    guard case .connectFailed(.connectionRefused) = ring.events.first?.kind else {
      return #expect(Bool(false), "\(ring.events)")
    }
    #expect(ring.events.count == 1)
    #expect(ring.machine.status(of: id)?.phase == .closed)
    #expect(throws: InitiatorError.connectionClosed) { try ring.machine.sendBytes([1], on: id) }
  }

  @Test func bytesGoOutInThePiecesThatTheScriptWants() throws {
    let id = try open()
    var wire = WireOptions()
    wire.splitAt = [1, 3, 3, 90]
    wire.flips = [ByteFlip(offset: 0, mask: 0xFF), ByteFlip(offset: 99, mask: 1)]
    try ring.machine.sendBytes([1, 2, 3, 4, 5], on: id, wire: wire)
    try ring.machine.sendBytes([6], on: id)
    try ring.machine.sendBytes([7], on: id)
    ring.run()
    #expect(ring.sends() == [[0xFE], [2, 3], [4, 5], [6, 7]])
  }

  /// There is no buffer for it as a whole.
  @Test func aPieceMayBeLongerThanTheArena() throws {
    let id = try open()
    var wire = WireOptions()
    wire.splitAt = [20 << 20]
    try ring.machine.sendBytes([UInt8](repeating: 7, count: 20 << 20) + [8, 9], on: id, wire: wire)
    ring.run()
    #expect(ring.sends().last == [8, 9])
    #expect(ring.sends().dropLast().reduce(0) { $0 + $1.count } == 20 << 20)
  }

  @Test func aPauseIsMadeBetweenPieces() throws {
    let id = try open()
    var wire = WireOptions()
    wire.splitAt = [2]
    wire.pause = .milliseconds(5)
    try ring.machine.sendBytes([1, 2, 3], on: id, wire: wire)
    ring.run()
    #expect(ring.sends() == [[1, 2]])
    ring.advance(.milliseconds(4))
    #expect(ring.sends().count == 1)
    ring.advance(.milliseconds(1))
    #expect(ring.sends() == [[1, 2], [3]])
  }

  @Test func shortSendsGoOn() throws {
    ring.sendLimit = 7
    let id = try open()
    try ring.machine.sendBytes(pattern(100), on: id)
    ring.run()
    #expect(ring.sends().flatMap { $0 } == pattern(100))
    #expect(ring.sends().count == 15)
  }

  @Test func closingWaitsForWhatIsQueued() throws {
    let id = try open()
    try ring.machine.sendBytes([1, 2, 3], on: id)
    try ring.machine.close(id)
    ring.run()
    #expect(ring.sends() == [[1, 2, 3]])
    #expect(ring.state().isClosed && !ring.state().wasReset)
    #expect(ring.closeReasons == [.local])
    #expect(ring.machine.bytesInUse == 0)
    #expect(throws: Never.self) { try ring.machine.close(id) }
  }

  @Test func aResetDoesNotWait() throws {
    let id = try open()
    try ring.machine.sendBytes([1, 2, 3], on: id)
    try ring.machine.close(id, reset: true)
    ring.run()
    #expect(ring.sends().isEmpty)
    #expect(ring.state().wasReset)
    #expect(ring.machine.bytesInUse == 0)
  }

  @Test func aHalfClosedConnectionStillReceives() throws {
    let id = try open()
    try ring.machine.shutdown(id)
    ring.run()
    #expect(ring.state().isShutdown && !ring.state().isClosed && ring.isReceiving())
  }

  @Test func theEndOfTheStreamAndAResetAreToldApart() throws {
    _ = try open()
    ring.end()
    #expect(ring.closeReasons == [.endOfStream])
    #expect(ring.state().isClosed)
    _ = try open()
    ring.end(.connectionReset, on: 1)
    #expect(ring.closeReasons == [.endOfStream, .reset])
    #expect(ring.machine.bytesInUse == 0)
  }

  @Test func receivingStopsAndResumes() throws {
    let id = try open()
    try ring.machine.setReceiving(false, on: id)
    ring.run()
    #expect(!ring.isReceiving())
    try ring.machine.setReceiving(true, on: id)
    ring.run()
    #expect(ring.isReceiving())
  }

  /// 16 MiB are received into by 64 KiB, but for the 256 KiB of the longest send.
  @Test func asManyConnectionsAreOpenAsCanReceiveAndSend() throws {
    let most = 252
    let all = try (0..<most).map { _ in try open() }
    #expect((0..<most).allSatisfy { ring.isReceiving(on: $0) })
    #expect(throws: InitiatorError.tooManyConnections(most: most)) {
      try ring.machine.connect(to: PlayedTarget.address)
    }
    let last = try #require(all.last)
    try ring.machine.sendBytes(pattern(256 << 10), on: last)
    ring.run()
    #expect(ring.sends(on: most - 1).map(\.count) == [256 << 10])
    try ring.machine.close(last)
    ring.run()
    #expect(throws: Never.self) { try ring.machine.connect(to: PlayedTarget.address) }
  }

  @Test func aSlowConnectCanBeGivenUp() throws {
    let machine = InitiatorMachine(arenaCapacity: 1 << 20)
    var operations = Operations()
    let id = try machine.connect(to: PlayedTarget.address)
    machine.step([], now: .zero, into: &operations)
    let connect = try #require(operations.items.first)
    operations.removeAll()
    try machine.close(id)
    machine.step([], now: .zero, into: &operations)
    #expect(operations.items.map(\.kind) == [.cancel])
    #expect(operations.items.first?.offset == connect.token.rawValue)
    machine.step([Completion(token: connect.token, error: .cancelled)], now: .zero, into: &operations)
    #expect(machine.status(of: id)?.phase == .closed)
    #expect(machine.takeEvents().count == 1)
  }
}
