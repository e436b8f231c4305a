import Testing

@testable import Load

@Suite struct LatencyHistogramTests {
  @Test func percentilesAreWithinTwoPerCent() {
    var histogram = LatencyHistogram()
    for value: UInt64 in 1...100_000 { histogram.add(value * 10) }
    for (permille, exact): (UInt64, UInt64) in [(500, 500_000), (900, 900_000), (990, 990_000), (999, 999_000)] {
      let found = histogram.percentile(permille)
      #expect(found >= exact && found - exact <= exact / 50, "\(permille): \(found)")
    }
    #expect(histogram.percentile(1000) == 1_000_000)
    #expect(histogram.max == 1_000_000)
    #expect(histogram.count == 100_000)
  }

  /// A percentile of few is not that of fewer still.
  @Test func ofTenTheLongestIsAmongThe99PerCent() {
    var histogram = LatencyHistogram()
    for value: UInt64 in 1...10 { histogram.add(value) }
    #expect([500, 501, 900, 990, 999].map { histogram.percentile($0) } == [5, 6, 9, 10, 10])
  }

  @Test func ofNothingAndOfOne() {
    var histogram = LatencyHistogram()
    #expect(histogram.percentile(500) == 0)
    histogram.add(77)
    #expect(histogram.percentile(1) == 77)
    #expect(histogram.percentile(999) == 77)
  }

  @Test(
    arguments: [(1_000_003, 5_000, 200), (90, 31, 3), (7, 4, 0), (0, 1, 9), (5_000, 0, 1)] as [(UInt64, UInt64, UInt64)]
  )
  func aSeriesIsWhatItsPartsAre(_ longest: UInt64, _ count: UInt64, _ step: UInt64) {
    var histogram = LatencyHistogram()
    var parts = LatencyHistogram()
    histogram.add(longest, count: count, fallingBy: step)
    for index in 0..<count { parts.add(longest - index * step) }
    #expect(histogram.count == count)
    for permille: UInt64 in stride(from: 0, through: 1000, by: 25) {
      #expect(histogram.percentile(permille) == parts.percentile(permille))
    }
  }

  /// A day of ten million commands a second.
  @Test func aLongSeriesTakesNoTime() {
    var histogram = LatencyHistogram()
    histogram.add(86_400_000_000_000, count: 864_000_000_000, fallingBy: 100)
    #expect(histogram.count == 864_000_000_000)
    let median = histogram.percentile(500)
    #expect(median >= 43_200_000_000_000 && median <= 43_200_000_000_000 / 50 * 51)
  }

  @Test(arguments: [0, 1, 63, 64, 65, 127, 128, 1 << 20, (1 << 40) + 12345, .max] as [UInt64])
  func everyValueHasAClass(_ value: UInt64) {
    var histogram = LatencyHistogram()
    histogram.add(value)
    #expect(histogram.percentile(500) == value)
  }
}
