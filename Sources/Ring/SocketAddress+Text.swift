extension SocketAddress: CustomStringConvertible {
  /// The address alone: `192.0.2.1`, or `2001:db8::1` in the form of RFC 5952, with `%zone` where there is one.
  public var host: String {
    if isIPv4 {
      return "\(ipv4 >> 24).\(ipv4 >> 16 & 255).\(ipv4 >> 8 & 255).\(ipv4 & 255)"
    }
    let groups = (0..<8).map { index -> UInt16 in
      let half = index < 4 ? high : low
      return UInt16(truncatingIfNeeded: half >> (48 - UInt64(index % 4) * 16))
    }
    // RFC 5952 §4.2: the longest run of at least two zero groups is written as "::", the first one among equals.
    var best = 0..<0
    var start = 0
    while start < 8 {
      guard groups[start] == 0 else {
        start += 1
        continue
      }
      var end = start
      while end < 8, groups[end] == 0 { end += 1 }
      if end - start > best.count, end - start > 1 { best = start..<end }
      start = end
    }
    func text(_ part: ArraySlice<UInt16>) -> String {
      part.map { String($0, radix: 16) }.joined(separator: ":")
    }
    let address =
      best.isEmpty ? text(groups[...]) : text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    return zone == 0 ? address : "\(address)%\(zone)"
  }

  /// `host:port`, with IPv6 addresses in square brackets.
  public var description: String { isIPv4 ? "\(host):\(port)" : "[\(host)]:\(port)" }

  /// Reads `a.b.c.d`, `a.b.c.d:port`, `x:y::z` or `[x:y::z]:port`; nil when it is none of these.
  ///
  /// - Parameter defaultPort: The port where the text names none.
  public init?(_ text: String, defaultPort: UInt16 = 3260) {
    let text = text[...]
    var hostText = text
    var portText: Substring?
    if text.first == "[" {
      guard let close = text.firstIndex(of: "]") else { return nil }
      hostText = text[text.index(after: text.startIndex)..<close]
      let rest = text[text.index(after: close)...]
      if !rest.isEmpty {
        guard rest.first == ":" else { return nil }
        portText = rest.dropFirst()
      }
    } else if text.count(where: { $0 == ":" }) <= 1 {
      if let colon = text.firstIndex(of: ":") {
        hostText = text[..<colon]
        portText = text[text.index(after: colon)...]
      }
    }
    var port = defaultPort
    if let portText {
      guard portText.allSatisfy({ $0.isASCII && $0.isNumber }), let value = UInt16(portText) else { return nil }
      port = value
    }
    if let v4 = Self.parseIPv4(hostText) {
      self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(v4), port: port)
    } else if let v6 = Self.parseIPv6(hostText) {
      self.init(high: v6.high, low: v6.low, port: port, zone: v6.zone)
    } else {
      return nil
    }
  }

  private static func parseIPv4(_ text: Substring) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.count), part.allSatisfy({ $0.isASCII && $0.isNumber }), let byte = UInt8(part) else {
        return nil
      }
      value = value << 8 | UInt32(byte)
    }
    return value
  }

  private static func parseIPv6(_ text: Substring) -> (high: UInt64, low: UInt64, zone: UInt32)? {
    var text = text
    var zone: UInt32 = 0
    if let percent = text.firstIndex(of: "%") {
      guard let value = UInt32(text[text.index(after: percent)...]) else { return nil }
      zone = value
      text = text[..<percent]
    }
    guard text.contains(":") else { return nil }
    func groups(_ part: Substring) -> [UInt16]? {
      if part.isEmpty { return [] }
      var result: [UInt16] = []
      let pieces = part.split(separator: ":", omittingEmptySubsequences: false)
      for (index, piece) in pieces.enumerated() {
        if piece.contains("."), index == pieces.count - 1, let v4 = parseIPv4(piece) {
          result += [UInt16(v4 >> 16), UInt16(v4 & 0xFFFF)]
          continue
        }
        guard (1...4).contains(piece.count), piece.allSatisfy(\.isHexDigit), let value = UInt16(piece, radix: 16) else {
          return nil
        }
        result.append(value)
      }
      return result
    }
    var all: [UInt16]
    if let gap = text.range(of: "::") {
      guard let front = groups(text[..<gap.lowerBound]), let back = groups(text[gap.upperBound...]),
        front.count + back.count < 8
      else { return nil }
      all = front + [UInt16](repeating: 0, count: 8 - front.count - back.count) + back
    } else {
      guard let whole = groups(text), whole.count == 8 else { return nil }
      all = whole
    }
    let high = all[0..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    let low = all[4..<8].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    return (high, low, zone)
  }
}

extension Substring {
  /// The first occurrence of `needle`; the standard library has this only with Foundation.
  fileprivate func range(of needle: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(needle) {
        return start..<index(start, offsetBy: needle.count)
      }
      start = index(after: start)
    }
    return nil
  }
}
