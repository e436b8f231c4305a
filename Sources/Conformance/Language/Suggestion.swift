/// Near misses: "did you mean".
public enum Suggestion {
  /// The candidate that `word` is most likely a slip of; nil when none is near.
  static func nearest(to word: String, among candidates: [String]) -> String? {
    let word = word.lowercased()
    var best: (distance: Int, candidate: String)?
    for candidate in candidates {
      let most = max(1, min(word.utf8.count, candidate.utf8.count) / 3)
      // The distance is no less than the difference in length. A script's word can be as long as its memory.
      guard abs(word.utf8.count - candidate.utf8.count) <= most else { continue }
      let distance = distance(Array(word.utf8), Array(candidate.lowercased().utf8))
      if distance <= most, distance < (best?.distance ?? .max) { best = (distance, candidate) }
    }
    if let best { return best.candidate }
    // A cut-off or a longer form of the same word.
    guard word.prefix(3).count == 3 else { return nil }
    return candidates.first { ($0.hasPrefix(word) || word.hasPrefix($0)) && $0.count >= 3 }
  }

  /// `; did you mean 'x'?`, or nothing.
  public static func clause(for word: String, among candidates: [String]) -> String {
    nearest(to: word, among: candidates).map { "; did you mean '\($0)'?" } ?? ""
  }

  /// The same for a value of a script; nothing when that is no string.
  static func clause(for value: LuaValue, among candidates: [String]) -> String {
    value.text.map { clause(for: $0, among: candidates) } ?? ""
  }

  /// The least number of insertions, deletions, replacements and swaps of neighbours that make one of the other.
  static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    var before: [Int] = []
    var last = Array(0...b.count)
    for i in 1...a.count {
      var row = [i]
      for j in 1...b.count {
        var least = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { least = min(least, before[j - 2] + 1) }
        row.append(least)
      }
      before = last
      last = row
    }
    return last[b.count]
  }
}
