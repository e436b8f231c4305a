/// The answers at the end of a queue that go out one by one: how long each is, the oldest first.
struct AnswerLengths {
  /// Those before `head` have gone, and what is left of the one there counts.
  private var lengths: [Int] = []
  private var head = 0
  /// The bytes of all of them.
  private(set) var bytes = 0

  /// What is left of the oldest; nil when there is none.
  var first: Int? { head < lengths.count ? lengths[head] : nil }

  var count: Int { lengths.count - head }

  mutating func append(_ length: Int) {
    lengths.append(length)
    bytes += length
  }

  /// `sent` bytes have gone.
  mutating func remove(_ sent: Int) {
    var left = sent
    while left > 0, head < lengths.count {
      let taken = min(left, lengths[head])
      left -= taken
      bytes -= taken
      lengths[head] -= taken
      if lengths[head] == 0 { head += 1 }
    }
    // What has gone is most of it: an initiator that takes its answers late may have made it long.
    if head > lengths.count / 2 {
      lengths.removeFirst(head)
      head = 0
    }
  }
}
