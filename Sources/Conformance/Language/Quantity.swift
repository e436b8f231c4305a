import Ring

/// Sizes, times and rates as scenarios write them: a number and a unit, without floating point.
public enum Quantity {
  private static let sizes: [(String, UInt64)] = [
    ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("PiB", 1 << 50),
    ("kB", 1_000), ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
  ]

  private static let times: [(String, UInt64)] = [
    ("ns", 1), ("us", 1_000), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("min", 60_000_000_000),
    ("m", 60_000_000_000), ("h", 3_600_000_000_000),
  ]

  /// In bits per second.
  private static let rates: [(String, UInt64)] = [
    ("bit/s", 1), ("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000),
    ("B/s", 8), ("kB/s", 8_000), ("MB/s", 8_000_000), ("GB/s", 8_000_000_000),
    ("KiB/s", 8 << 10), ("MiB/s", 8 << 20), ("GiB/s", 8 << 30),
  ]

  /// Bytes: a number, or `"64MiB"`.
  static func size(_ value: LuaValue) -> UInt64? { read(value, sizes, bare: 1) }

  /// A length of time: `"200us"`, `"1.5s"`; a bare number is seconds.
  static func time(_ value: LuaValue) -> Interval? {
    if case .number(let seconds) = value, seconds >= 0, seconds < 1e9 {
      return Interval(nanoseconds: UInt64(seconds * 1e9))
    }
    return read(value, times, bare: 1_000_000_000).map(Interval.init(nanoseconds:))
  }

  /// Bits per second: `"1Gbit/s"`.
  static func rate(_ value: LuaValue) -> UInt64? { read(value, rates, bare: nil) }

  /// The bytes of a size such as "64MiB"; nil when it is none.
  public static func size(_ text: String) -> UInt64? { read(.text(text), sizes, bare: 1) }

  /// An interval, such as `50us` or `3ms`.
  public static func time(_ text: String) -> Interval? { time(.text(text)) }

  private static func read(_ value: LuaValue, _ units: [(String, UInt64)], bare: UInt64?) -> UInt64? {
    if let count = value.int {
      guard let bare, count >= 0 else { return nil }
      return scaled(UInt64(count), bare)
    }
    guard let text = value.text else { return nil }
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = text.dropFirst(digits.count).drop { $0 == " " }
    guard let factor = unit.isEmpty ? bare : units.first(where: { $0.0 == unit })?.1 else { return nil }
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let whole = UInt64(parts[0]), var result = scaled(whole, factor) else {
      return nil
    }
    if parts.count == 2 {
      guard !parts[1].isEmpty, parts[1].count <= 9, let fraction = UInt64(parts[1]) else { return nil }
      var divisor: UInt64 = 1
      for _ in parts[1] { divisor *= 10 }
      let (product, overflow) = fraction.multipliedReportingOverflow(by: factor)
      // A fraction of the unit must be a whole number of the smallest.
      guard !overflow, product % divisor == 0 else { return nil }
      let (sum, tooLarge) = result.addingReportingOverflow(product / divisor)
      guard !tooLarge else { return nil }
      result = sum
    }
    return result
  }

  private static func scaled(_ count: UInt64, _ factor: UInt64) -> UInt64? {
    let (product, overflow) = count.multipliedReportingOverflow(by: factor)
    return overflow ? nil : product
  }

  /// A size as people write it: the largest unit that divides it.
  public static func text(bytes: UInt64) -> String {
    for (unit, factor) in [("TiB", UInt64(1) << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
      if bytes >= factor, bytes % factor == 0 { return "\(bytes / factor)\(unit)" }
    }
    return "\(bytes)B"
  }

  /// A time as people write it: `1.5s`, `200us`.
  public static func text(_ time: Interval) -> String {
    let n = time.nanoseconds
    for (unit, factor) in [("s", UInt64(1_000_000_000)), ("ms", 1_000_000), ("us", 1_000)] where n >= factor {
      let whole = n / factor
      var fraction = "\(n % factor + factor)".dropFirst()
      while fraction.last == "0" { fraction = fraction.dropLast() }
      return fraction.isEmpty ? "\(whole)\(unit)" : "\(whole).\(fraction)\(unit)"
    }
    return "\(n)ns"
  }
}
