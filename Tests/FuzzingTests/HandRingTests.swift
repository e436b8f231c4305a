import Ring
import Testing

@testable import Fuzzing

/// A ring that finds nothing wrong proves nothing: each rule of the seam is broken once.
@Suite struct HandRingTests {
  /// Does in its steps what the test says, one after the other.
  private final class Breaker: Machine {
    let arena = Arena(capacity: 1 << 16)
    var steps: [(inout Operations, Arena) -> Void]

    init(_ steps: [(inout Operations, Arena) -> Void]) { self.steps = steps }

    func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
      guard !steps.isEmpty else { return }
      steps.removeFirst()(&operations, arena)
    }
  }

  private static let socket = Handle(100)
  private static let extent = Extent(offset: 0, length: 64)

  /// What a ring finds wrong with a machine that connects and then does `steps`.
  private func fault(_ steps: ((inout Operations, Arena) -> Void)...) -> String? {
    let connect: (inout Operations, Arena) -> Void = { operations, _ in
      operations.connect(to: SocketAddress(127, 0, 0, 1, port: 1), token: Token(1))
    }
    let ring = HandRing(Breaker([connect] + steps))
    for _ in 0...steps.count { ring.step() }
    ring.settle()
    return ring.faults.first
  }

  @Test func whatIsRightIsNoFault() {
    #expect(
      fault({ operations, _ in
        operations.receive(on: Self.socket, into: Self.extent, token: Token(2))
        operations.send(on: Self.socket, from: [Extent(offset: 64, length: 64)], token: Token(3))
      }) == nil)
  }

  @Test func aSecondReceiveIsNoticed() {
    let words = fault({ operations, _ in
      operations.receive(on: Self.socket, into: Self.extent, token: Token(2))
      operations.receive(on: Self.socket, into: Extent(offset: 64, length: 64), token: Token(3))
    })
    #expect(words == "two receives at a time on one socket")
  }

  @Test func memoryThatIsLentTwiceIsNoticed() {
    let words = fault({ operations, _ in
      operations.receive(on: Self.socket, into: Self.extent, token: Token(2))
      operations.send(on: Self.socket, from: [Extent(offset: 63, length: 1)], token: Token(3))
    })
    #expect(words == "send has memory of a receive that is outstanding")
  }

  @Test func aTokenThatIsUsedTwiceIsNoticed() {
    let words = fault({ operations, _ in
      operations.receive(on: Self.socket, into: Self.extent, token: Token(2))
      operations.send(on: Self.socket, from: [Extent(offset: 64, length: 64)], token: Token(2))
    })
    #expect(words == "send has the token of another operation that is outstanding")
  }

  @Test func memoryThatChangesWhileItIsLentIsNoticed() {
    let words = fault(
      { operations, _ in operations.send(on: Self.socket, from: [Self.extent], token: Token(2)) },
      { _, arena in arena.bytes(Self.extent)[5] ^= 1 })
    #expect(words == "memory of a send has changed while it was outstanding")
  }

  @Test func aSendBehindTheEndIsNoticed() {
    let words = fault({ operations, _ in
      operations.shutdown(Self.socket, token: Token(2))
      operations.send(on: Self.socket, from: [Self.extent], token: Token(3))
    })
    #expect(words == "a send behind the end of the stream")
  }

  @Test func aReceiveWithoutRoomIsNoticed() {
    let words = fault({ operations, _ in operations.receive(on: Self.socket, into: .empty, token: Token(2)) })
    #expect(words == "a receive without room")
  }

  @Test func aMachineThatNeverRestsIsNoticed() {
    final class Restless: Machine {
      let arena = Arena(capacity: 1 << 16)
      func step(_ completions: [Completion], now: Instant, into operations: inout Operations) {
        operations.timer(at: now, token: Token(1))
      }
    }
    let ring = HandRing(Restless())
    ring.step()
    ring.settle()
    #expect(ring.faults == ["the machine does not come to rest"])
  }
}
