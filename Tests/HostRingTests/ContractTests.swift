import Foundation
import HostRing
import Ring
import Testing

/// Every operation gets one completion, and gets it as soon as what it waits for is there.
@Suite(.serialized) struct ContractTests {
  private static let kinds = HostRingKind.allCases.filter { HostRings.allows($0) }

  @Test(arguments: kinds) func aMailboxTakesAMessageThatIsHereAlready(_ kind: HostRingKind) throws {
    let ring = try HostRings.make(kind, arena: Arena(capacity: 8192))
    // Both messages come at once, and one mailbox waits.
    let first = ring.perform(3) {
      $0.post(to: ring.machine, Extent(offset: 0, length: 4), token: Token(1))
      $0.post(to: ring.machine, Extent(offset: 0, length: 5), token: Token(2))
      $0.mailbox(into: Extent(offset: 4096, length: 8), token: Token(3))
    }
    #expect(first.contains(Completion(token: Token(3), result: 4)))
    let began = ring.now
    let second = ring.perform(1) { $0.mailbox(into: Extent(offset: 4096, length: 8), token: Token(4)) }
    #expect(second == [Completion(token: Token(4), result: 5)])
    #expect(ring.now - began < .seconds(1), "and does not sleep beside it")
  }

  @Test(arguments: kinds) func aSecondCancelOfAnOperationIsNotFound(_ kind: HostRingKind) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("simsan-cancel-\(UUID().uuidString)").path
    try #require(FileManager.default.createFile(atPath: path, contents: Data(count: 65536)))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let ring = try HostRings.make(kind, arena: Arena(capacity: 16384))
    func open(direct: Bool) throws -> Handle {
      try ring.openMedium(path: path, readOnly: false, direct: direct, exclusive: false).handle
    }
    let file = try open(direct: false)
    // A file system without direct I/O has one kind less.
    let direct = (try? open(direct: true)) ?? file
    let (listener, address) = try ring.listen(at: SocketAddress(127, 0, 0, 1, port: 0), backlog: 4)
    let opened = ring.perform(2) {
      $0.accept(on: listener, token: Token(1))
      $0.connect(to: address, token: Token(2))
    }
    let socket = Handle(try #require(opened.first { $0.token == Token(1) && $0.error == .none }).result)
    let extent = Extent(offset: 4096, length: 4096)
    let operations: [(inout Operations, Token) -> Void] = [
      { $0.receive(on: socket, into: extent, token: $1) },
      { $0.write(to: direct, at: 0, from: [extent], token: $1) },
      { $0.write(to: file, at: 0, from: [extent], forceUnitAccess: true, token: $1) },
      { $0.flush(file, token: $1) },
      { $0.discard(on: file, at: 0, length: 4096, token: $1) },
      { $0.seek(on: file, from: 0, toHole: true, token: $1) },
    ]
    for (number, operation) in operations.enumerated() {
      let completions = ring.perform(3) {
        operation(&$0, Token(10))
        $0.cancel(Token(10), token: Token(11))
        $0.cancel(Token(10), token: Token(12))
      }
      let place = Dictionary(grouping: completions.indices) { completions[$0].token.rawValue }
      #expect(place.values.allSatisfy { $0.count == 1 } && place.count == 3, "operation \(number): \(completions)")
      guard let one = place[10]?.first, let first = place[11]?.first, let second = place[12]?.first else { continue }
      #expect(one < first, "operation \(number) completes before its cancel")
      let isCancelled = completions[one].error == .cancelled
      #expect(completions[first].error == (isCancelled ? .none : .notFound), "operation \(number)")
      #expect(completions[second].error == .notFound, "operation \(number)")
    }
  }
}
