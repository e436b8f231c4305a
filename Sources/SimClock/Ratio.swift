/// A probability as a ratio of integers, since floating point differs too easily between builds.
public struct Ratio: Hashable, Sendable {
  public var numerator: UInt64

  /// Never zero.
  public var denominator: UInt64

  /// `numerator` times in `denominator`; a denominator of zero is taken as one, and a ratio above one is certain.
  public init(_ numerator: UInt64, in denominator: UInt64) {
    self.numerator = numerator
    self.denominator = max(denominator, 1)
  }

  public static let never = Ratio(0, in: 1)
  public static let always = Ratio(1, in: 1)

  public var isNever: Bool { numerator == 0 }

  public var isAlways: Bool { numerator >= denominator }
}

extension Ratio: CustomStringConvertible {
  /// `1 in 100`.
  public var description: String { "\(numerator) in \(denominator)" }
}
