/// One `key=value` of a Login or Text PDU, where it lies.
public struct TextPair {
  public var key: TextSlice

  /// Everything between the first `=` and the NUL; may hold further `=`.
  public var value: TextSlice
}

/// Why the text of a Login or Text PDU is malformed, RFC 7143 §6.1.
public enum TextError: Error, Equatable, Sendable {
  /// A pair without `=`; also an empty one, that is a NUL too many.
  case missingEquals
  case emptyKey
  /// More than ``TextParser/keyLengthMax`` bytes before the `=`.
  case keyTooLong
  /// The key does not start with a capital letter, or holds something else than letters, digits and `.-+@_#`.
  case illegalKeyCharacter
  /// The value is longer than the caller allows.
  case valueTooLong
  /// The last pair does not end in NUL.
  case missingFinalNUL
}

/// Walks the pairs of a text, strictly and without allocating.
///
/// A pair may go on in the next PDU (C bit): the caller joins the data segments of a sequence before it parses them.
public struct TextParser {
  /// The longest key in bytes.
  public static let keyLengthMax = 63

  /// The longest value in bytes of a key that sets no other limit.
  public static let valueLengthMax = 255

  private var rest: UnsafeRawBufferPointer
  private let valueLimit: Int

  /// - Parameters:
  ///   - bytes: The text, without the padding of the data segment.
  ///   - valueLimit: The longest value in bytes that any key may have. The limit of the single key is its
  ///     ``KeyDefinition/valueLengthMax``.
  public init(_ bytes: UnsafeRawBufferPointer, valueLimit: Int = 65536) {
    rest = bytes
    self.valueLimit = valueLimit
  }

  /// The next pair; nil after the last. After an error, the pairs behind the malformed one can still be had.
  public mutating func next() throws(TextError) -> TextPair? {
    guard !rest.isEmpty else { return nil }
    guard let end = rest.firstIndex(of: 0) else {
      rest = UnsafeRawBufferPointer(rebasing: rest[rest.count...])
      throw .missingFinalNUL
    }
    let pair = UnsafeRawBufferPointer(rebasing: rest[..<end])
    rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
    guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else { throw .missingEquals }
    let key = UnsafeRawBufferPointer(rebasing: pair[..<equals])
    let value = UnsafeRawBufferPointer(rebasing: pair[(equals + 1)...])
    guard let first = key.first else { throw .emptyKey }
    guard key.count <= Self.keyLengthMax else { throw .keyTooLong }
    // RFC 7143 breaks its own rule with one key, that starts with a small letter.
    guard (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) || TextSlice(key) == "iSCSIProtocolLevel",
      key.allSatisfy(Self.isKeyCharacter)
    else { throw .illegalKeyCharacter }
    guard value.count <= valueLimit else { throw .valueTooLong }
    return TextPair(key: TextSlice(key), value: TextSlice(value))
  }

  /// `#` belongs to registered extension keys (X#…), RFC 7143 §13.26.
  private static func isKeyCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"),
      UInt8(ascii: "@"), UInt8(ascii: "_"), UInt8(ascii: "#"):
      true
    default: false
    }
  }

  /// All pairs of `bytes` as strings, for those who may allocate.
  public static func pairs(of bytes: [UInt8]) throws(TextError) -> [KeyValue] {
    var result: [KeyValue] = []
    var failure: TextError?
    bytes.withUnsafeBytes { buffer in
      var parser = TextParser(buffer)
      do throws(TextError) {
        while let pair = try parser.next() {
          result.append(KeyValue(pair.key.string, pair.value.string))
        }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return result
  }
}

/// A key and its value, owned.
public struct KeyValue: Hashable, Sendable {
  public var key: String
  public var value: String

  public init(_ key: String, _ value: String) {
    self.key = key
    self.value = value
  }
}
