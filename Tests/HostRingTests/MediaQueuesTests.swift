import Testing

@testable import HostRing

@Suite struct MediaQueuesTests {
  /// How many of a hundred operations the kernel gets of each medium, one medium after the other.
  private func admitted(_ media: Range<Int>, _ queues: inout MediaQueues<Int>) -> [Int] {
    media.map { slot in
      var count = 0
      for number in 0..<100 where queues.admit(of: slot, slot * 1000 + number) { count += 1 }
      return count
    }
  }

  @Test func howeverManyMediaHangAnotherHasSome() {
    var queues = MediaQueues<Int>(depth: 32)
    let counts = admitted(0..<5, &queues)
    #expect(counts == [17, 8, 4, 2, 1])
    let isLast = !queues.mayHaveNext
    #expect(isLast, "the last one has been taken")
    queues.finish(of: 4)
    let next = queues.next()
    #expect(next == 4001, "those who hang get no more of what another gives back")
  }

  @Test func whatWaitsGoesOnInItsOrder() {
    var queues = MediaQueues<Int>(depth: 3)
    var order: [Int] = []
    for number in 0..<3000 where queues.admit(of: 7, number) { order.append(number) }
    #expect(order == [0, 1])
    for _ in 0..<2 {
      while order.count < 3000 {
        queues.finish(of: 7)
        guard let next = queues.next() else { break }
        order.append(next)
      }
    }
    #expect(order == Array(0..<3000))
    let isNext = queues.admit(of: 7, 3000)
    #expect(!isNext, "two are still with the kernel")
  }

  @Test func whatWaitsCanBeTakenBack() {
    var queues = MediaQueues<Int>(depth: 1)
    let begins = [1, 2, 3, 4].map { queues.admit(of: 0, $0) }
    #expect(begins == [true, false, false, false])
    let taken = [3, 1, 2, 4, 4].map { number in queues.withdraw { $0 == number } }
    #expect(taken == [0, nil, 0, 0, nil], "the kernel has the first")
    queues.finish(of: 0)
    let another = queues.admit(of: 5, 6)
    #expect(another, "nobody waits any more")
  }
}
