import Ring
import SimClock
import Testing

@Suite struct TraceTests {
  private func record(_ number: UInt64) -> TraceRecord {
    TraceRecord(time: number, kind: .event, detail: 1, subject: 2, first: number, second: 0, payload: 0)
  }

  private func digest(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBytes { TraceHash.digest($0) } }

  @Test("Every byte of a payload counts, and its place and the length")
  func bytes() {
    for length in [1, 7, 8, 15, 16, 17, 48, 63, 64, 65, 200] {
      let content = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }
      let whole = digest(content)
      #expect(digest(content) == whole)
      #expect(digest(content + [0]) != whole)
      for place in 0..<length {
        var changed = content
        changed[place] ^= 0x10
        #expect(digest(changed) != whole, "byte \(place) of \(length)")
      }
    }
    #expect(digest([]) != digest([0]))
    #expect(digest([UInt8](repeating: 0, count: 64)) != digest([UInt8](repeating: 0, count: 128)))
  }

  @Test("The hash depends on the order and on every field")
  func order() {
    var forwards = Trace()
    var backwards = Trace()
    for number in 0..<10 as Range<UInt64> { forwards.append(record(number)) }
    for number in (0..<10 as Range<UInt64>).reversed() { backwards.append(record(number)) }
    #expect(forwards.hash != backwards.hash)
    let base = record(1)
    func hash(_ change: (inout TraceRecord) -> Void) -> TraceHash {
      var record = base
      change(&record)
      var trace = Trace()
      trace.append(record)
      return trace.hash
    }
    let hashes = [
      hash { _ in }, hash { $0.time = 2 }, hash { $0.kind = .step }, hash { $0.detail = 9 }, hash { $0.subject = 9 },
      hash { $0.first = 9 }, hash { $0.second = 9 }, hash { $0.payload = 9 },
    ]
    #expect(Set(hashes).count == hashes.count)
  }

  @Test("Two runs that differ are narrowed down to the first step that does")
  func difference() {
    func run(differingAt place: UInt64?, recording range: Range<UInt64>? = nil) -> Trace {
      var trace = Trace()
      if let range { trace.record(range) }
      for number in 0..<20_000 as Range<UInt64> { trace.append(record(number == place ? 99_999 : number)) }
      return trace
    }
    #expect(Trace.firstDifference(run(differingAt: nil), run(differingAt: nil)) == nil)
    for place in [0, 4095, 4096, 9999, 19_999] as [UInt64] {
      let range = Trace.firstDifference(run(differingAt: nil), run(differingAt: place))
      #expect(range?.contains(place) == true)
      guard let range else { continue }
      let left = run(differingAt: nil, recording: range)
      let right = run(differingAt: place, recording: range)
      let number = Trace.firstDifferentRecord(left, right)
      #expect(number == place)
      #expect(left[place]?.first == place)
      #expect(right[place]?.first == 99_999)
    }
  }

  @Test("A run that stops early differs where it stops")
  func length() {
    var short = Trace()
    var long = Trace()
    short.record(0..<100)
    long.record(0..<100)
    for number in 0..<10 as Range<UInt64> { long.append(record(number)) }
    for number in 0..<7 as Range<UInt64> { short.append(record(number)) }
    #expect(Trace.firstDifference(short, long) == 0..<10)
    #expect(Trace.firstDifferentRecord(short, long) == 7)
  }

  @Test("The hash is the same for good")
  func fixed() {
    var trace = Trace()
    for number in 0..<3 as Range<UInt64> { trace.append(record(number)) }
    #expect(trace.hash.description == "9e3b43f27d80e020dcc68d99923bfe9d")
    #expect(digest(Array(0..<100)) == 13_451_594_990_786_960_852)
  }
}
