/// One named source of random numbers: xoshiro256** (Blackman and Vigna), a value of 32 bytes.
public struct RandomStream: Hashable, Sendable {
  private var s0: UInt64
  private var s1: UInt64
  private var s2: UInt64
  private var s3: UInt64

  /// The stream that `seed` alone determines.
  public init(seed: UInt64) {
    var state = seed
    s0 = Self.splitMix(&state)
    s1 = Self.splitMix(&state)
    s2 = Self.splitMix(&state)
    s3 = Self.splitMix(&state)
  }

  /// Spreads a seed over the words of a state, as the authors of xoshiro advise.
  static func splitMix(_ state: inout UInt64) -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    return word ^ word >> 31
  }

  private static func rotate(_ word: UInt64, _ count: UInt64) -> UInt64 { word << count | word >> (64 - count) }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 {
    let result = Self.rotate(s1 &* 5, 7) &* 9
    let shifted = s1 << 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = Self.rotate(s3, 45)
    return result
  }

  /// A number from 0 up to and without `bound`, each equally likely; zero when `bound` is zero.
  public mutating func next(below bound: UInt64) -> UInt64 {
    guard bound > 1 else { return 0 }
    // Lemire's method: the high half of a product, and a rejection of the few draws that would favour some results.
    var product = next().multipliedFullWidth(by: bound)
    if product.low < bound {
      let threshold = (0 &- bound) % bound
      while product.low < threshold { product = next().multipliedFullWidth(by: bound) }
    }
    return product.high
  }

  /// A number from 0 up to and without `bound`; zero when `bound` is not positive.
  public mutating func next(below bound: Int) -> Int {
    bound <= 1 ? 0 : Int(truncatingIfNeeded: next(below: UInt64(bound)))
  }

  /// A number of `range`, each equally likely.
  public mutating func integer(in range: ClosedRange<Int>) -> Int {
    let span = UInt64(bitPattern: Int64(range.upperBound)) &- UInt64(bitPattern: Int64(range.lowerBound))
    let drawn = span == .max ? next() : next(below: span + 1)
    return Int(truncatingIfNeeded: UInt64(bitPattern: Int64(range.lowerBound)) &+ drawn)
  }

  /// A number of `range`, each equally likely.
  public mutating func integer(in range: ClosedRange<UInt64>) -> UInt64 {
    let span = range.upperBound - range.lowerBound
    return range.lowerBound &+ (span == .max ? next() : next(below: span + 1))
  }

  /// True `numerator` times in `denominator`.
  public mutating func chance(_ numerator: UInt64, of denominator: UInt64) -> Bool {
    next(below: max(denominator, 1)) < numerator
  }

  /// True as often as `ratio` says. Draws nothing where there is nothing to decide.
  public mutating func chance(_ ratio: Ratio) -> Bool {
    if ratio.isNever { return false }
    if ratio.isAlways { return true }
    return chance(ratio.numerator, of: ratio.denominator)
  }
}

/// The random streams of one run, each a function of the run's seed and of its own name alone.
///
/// So a new draw at one site does not shift what another site draws, and the order in which streams are made does not
/// matter. Two streams of one name are the same stream: whoever draws holds on to it.
public struct RandomStreams: Sendable {
  public let seed: UInt64

  public init(seed: UInt64) { self.seed = seed }

  /// The stream called `name`, from its start.
  public func stream(_ name: String) -> RandomStream {
    // FNV-1a over the name's UTF-8; Swift's own hash differs from run to run.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    var state = seed
    return RandomStream(seed: RandomStream.splitMix(&state) ^ hash)
  }
}
