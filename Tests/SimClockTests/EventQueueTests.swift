import Ring
import SimClock
import Testing

@Suite struct EventQueueTests {
  private func event(_ time: UInt64, _ number: UInt64) -> Event {
    Event(time: time, room: .fault, kind: 0, subject: 0, generation: 0, first: number)
  }

  @Test("Events come out by time, and those of one time in the order in which they went in")
  func order() {
    var queue = EventQueue()
    var random = RandomStreams(seed: 3).stream("test")
    var model: [(time: UInt64, number: UInt64)] = []
    for number in 0..<5000 as Range<UInt64> {
      let time = random.next(below: UInt64(200))
      queue.push(event(time, number))
      model.append((time, number))
    }
    model.sort { $0.time != $1.time ? $0.time < $1.time : $0.number < $1.number }
    for expected in model {
      let popped = queue.pop()
      #expect(popped?.time == expected.time && popped?.first == expected.number)
    }
    let after = queue.pop()
    #expect(after.isAbsent)
    #expect(queue.isEmpty)
  }

  @Test("Pushes between pops keep the order")
  func interleaved() {
    var queue = EventQueue()
    var random = RandomStreams(seed: 4).stream("test")
    var now: UInt64 = 0
    var count = 0
    for _ in 0..<200 { queue.push(event(random.next(below: UInt64(50)), 0)) }
    while let popped = queue.pop() {
      #expect(popped.time >= now)
      now = popped.time
      count += 1
      if count < 20_000 { queue.push(event(now + random.next(below: UInt64(50)), 0)) }
    }
    #expect(count == 20_199)
  }

  @Test("Only what is due is popped")
  func due() {
    var queue = EventQueue()
    queue.push(event(5, 1))
    queue.push(event(7, 2))
    let early = queue.pop(dueAt: 4)
    let inTime = queue.pop(dueAt: 5)
    let earlyAgain = queue.pop(dueAt: 6)
    #expect(early.isAbsent)
    #expect(inTime?.first == 1)
    #expect(earlyAgain.isAbsent)
    #expect(queue.nextTime == 7)
    #expect(queue.count == 1)
  }
}

extension Event? {
  fileprivate var isAbsent: Bool { if case .none = self { true } else { false } }
}
