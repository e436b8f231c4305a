import Ring
import Testing

@testable import Target

/// The queues of a connection and of the target, held against plain arrays.
@Suite struct QueueTests {
  /// Every byte goes out once and in its order, and everything is given back once, behind its own last byte, whatever is
  /// sent in whatever pieces.
  @Test(arguments: [1, 2, 3, 4] as [UInt64]) func bytesAndWhatIsGivenBackKeepTheirOrder(_ seed: UInt64) {
    var queue = SendQueue()
    var random = Draw(state: seed)
    var bytes: [Int] = []
    /// What is to be given back when so many bytes have gone in all, with the entry that says so.
    var releases: [(at: Int, release: Outgoing.Release, start: Int?)] = []
    var (added, sent, next) = (0, 0, 0)
    var wrong = 0
    func add(_ extent: Extent, _ release: Outgoing.Release, ownEntry: Bool) {
      if ownEntry {
        queue.push(Outgoing(extent: extent, release: release))
      } else {
        queue.append(extent, release)
      }
      bytes += extent.offset..<extent.end
      added += extent.length
      if release != .nothing { releases.append((added, release, ownEntry ? extent.offset : nil)) }
    }
    func send(_ most: Int) {
      var extents = [Extent](repeating: .empty, count: 1 + Int(random.next() % 6))
      let room = extents.count
      let (count, hasMore) = extents.withUnsafeMutableBufferPointer { queue.fill($0, room: most) }
      let offered = extents[..<count].flatMap { Array($0.offset..<$0.end) }
      if offered != Array(bytes.prefix(offered.count)) { wrong += 1 }
      if offered.count > most || extents[..<count].contains(where: { $0.length == 0 }) { wrong += 1 }
      if offered.count < bytes.count, offered.count < most, count < room { wrong += 1 }
      if !hasMore, offered.count < min(most, bytes.count) { wrong += 1 }
      // The socket takes all of it, or a part.
      var taken = random.next() % 3 == 0 ? Int(random.next() % UInt64(offered.count + 1)) : offered.count
      bytes.removeFirst(taken)
      sent += taken
      while let entry = queue.takeSent(&taken) {
        guard let expected = releases.first else {
          wrong += 1
          continue
        }
        releases.removeFirst()
        if expected.at > sent || expected.release != entry.release { wrong += 1 }
        // What names a buffer goes on naming its start.
        if let start = expected.start, entry.extent.offset != start { wrong += 1 }
      }
      if let expected = releases.first, expected.at < sent { wrong += 1 }
      if queue.bytes != bytes.count { wrong += 1 }
    }
    for number in 0..<5000 {
      switch random.next() % 8 {
      case 0...2:
        // Staged behind what was staged before.
        let length = 1 + Int(random.next() % 60)
        add(Extent(offset: next, length: length), .nothing, ownEntry: false)
        next += length
      case 3:
        add(Extent(offset: 1_000_000 + number * 100, length: 50), .task(UInt32(number)), ownEntry: false)
      case 4: add(Extent(offset: 2_000_000 + number * 100, length: 70), .buffer, ownEntry: true)
      case 5:
        add(Extent(offset: next, length: 0), random.next() % 2 == 0 ? .buffer : .task(UInt32(number)), ownEntry: true)
      default: send(1 + Int(random.next() % 300))
      }
    }
    while !queue.isEmpty { send(1000) }
    #expect(wrong == 0)
    #expect(bytes.isEmpty && releases.isEmpty && queue.count == 0 && queue.bytes == 0)
    #expect(sent == added && sent > 50_000)
  }

  /// What continues the last entry is a part of it; what has to be given back ends it.
  @Test func whatContinuesTheLastEntryIsAPartOfIt() {
    var queue = SendQueue()
    queue.append(Extent(offset: 100, length: 48), .nothing)
    queue.append(Extent(offset: 148, length: 512), .nothing)
    #expect(queue.count == 1 && queue.bytes == 560)
    queue.append(Extent(offset: 660, length: 10), .task(7))
    queue.append(Extent(offset: 670, length: 10), .nothing)
    #expect(queue.count == 2)
    queue.push(Outgoing(extent: Extent(offset: 680, length: 0), release: .buffer))
    #expect(queue.count == 3, "an entry of its own, although it lies behind the other")
    var sent = 570
    #expect(queue.takeSent(&sent) == Outgoing(extent: Extent(offset: 100, length: 570), release: .task(7)))
    #expect(sent == 0 && queue.takeSent(&sent) == nil && queue.bytes == 10)
  }

  /// Thousands of entries that go one by one cost no more memory than are there, and stay in order.
  @Test func aLongQueueIsTakenApartInOrder() {
    var queue = SendQueue()
    for index in 0..<5000 { queue.append(Extent(offset: index * 10, length: 5), .task(UInt32(index))) }
    for index in 0..<5000 {
      var sent = 5
      #expect(queue.takeSent(&sent)?.release == .task(UInt32(index)))
      queue.append(Extent(offset: 100_000 + index * 10, length: 5), .nothing)
    }
    #expect(queue.count == 5000 && queue.bytes == 25_000)
  }

  @Test func answersGoInTheirOrder() {
    var queue = AnswerLengths()
    var model: [Int] = []
    var random = Draw(state: 6)
    var wrong = 0
    for number in 0..<20_000 {
      // It becomes long, and short again.
      if random.next() % 8 < (number / 4000 % 2 == 0 ? 6 : 2) {
        model.append(1 + Int(random.next() % 100))
        queue.append(model[model.count - 1])
      } else {
        var sent = Int(random.next() % 200)
        queue.remove(sent)
        while sent > 0, let first = model.first {
          model[0] -= min(sent, first)
          sent -= min(sent, first)
          if model[0] == 0 { model.removeFirst() }
        }
      }
      if queue.first != model.first || queue.count != model.count { wrong += 1 }
      if number % 100 == 0, queue.bytes != model.reduce(0, +) { wrong += 1 }
    }
    #expect(wrong == 0)
  }

  @Test func tasksGoInTheirOrderAndComeBackToTheFront() {
    var queue = TaskQueue()
    var model: [UInt32] = []
    var random = Draw(state: 5)
    var wrong = 0
    for number in 0..<20_000 as Range<UInt32> {
      switch random.next() % 8 {
      case 0...3:
        queue.append(number)
        model.append(number)
      case 4 where !model.isEmpty:
        queue.removeLast()
        model.removeLast()
      case 5:
        queue.putBack(number)
        model.insert(number, at: 0)
      case 6:
        // One that is there, or that has gone.
        let task = number - min(number, UInt32(truncatingIfNeeded: random.next() % 8))
        queue.remove(task)
        model.removeAll { $0 == task }
      default:
        let first = model.isEmpty ? nil : model.removeFirst()
        if queue.popFirst() != first { wrong += 1 }
      }
      if queue.count != model.count || queue.isEmpty != model.isEmpty || queue.last != model.last { wrong += 1 }
    }
    while let task = queue.popFirst() { if task != model.removeFirst() { wrong += 1 } }
    #expect(wrong == 0 && model.isEmpty)
  }
}
